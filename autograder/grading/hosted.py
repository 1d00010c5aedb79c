"""Grade one submission where a platform runs the course, as Gradescope does, at once on handing in.

`export --for gradescope` packs the course with this as its `run_autograder`. A submission's folder
comes in, a `results.json` goes out: a test for each property of the hidden tests. The verdict is
reached outside the student's process here too; where the machine allows no sandbox, the student's
code may do there what the grader may do.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import determine_grade

from autograder.course import Course
from autograder.errors import CourseError
from autograder.grading.assess import assess
from autograder.grading.hidden_tests import chosen_seed, private_folder, private_text
from autograder.grading.in_notebook import GradingExecute
from autograder.grading.model import Assessment, How
from autograder.grading.plan import course_limits, read_assignment
from autograder.lesson import Lesson
from autograder.lesson.cells import Exercise
from autograder.marks.gradebook import open_api
from autograder.pages.survey import verdicts
from autograder.sandbox.bubblewrap import find_bwrap
from autograder.submissions.cells import cell_by_id
from autograder.submissions.reading import read_submission
from autograder.texts import sentence, write_text

# What a student sees at once; all else waits for what the teacher has chosen.
AT_ONCE = "visible"


def main(argv: Sequence[str] | None = None) -> int:
    """Grade the submission in a folder, and write results.json; return 0, whatever it holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lesson")
    parser.add_argument("submission", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--visibility", default="after_due_date")
    args = parser.parse_args(argv)
    try:
        found = results_of(Course.find(), args.lesson, args.submission, args.visibility)
    except CourseError as error:
        found = trouble(str(error))
    write_text(args.results, json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    return 0


def results_of(course: Course, stem: str, folder: Path, visibility: str) -> dict[str, Any]:
    """Return what Gradescope wants to know of the submission in a folder."""
    lesson = Lesson.load(course.lesson_path(course.known_lesson(stem)))
    api = open_api(course)
    settings = GradingExecute.configured(api.config)
    seed = chosen_seed(course, settings.seed)
    private = private_text(private_folder(course, lesson, settings.private_tests, seed), lesson)
    try:
        find_bwrap()
        sandboxed = True
    except CourseError:
        sandboxed = False
    try:
        submission = read_submission(folder, stem)
    except CourseError as error:
        return trouble(str(error))
    how = How(sandboxed, True, str(course.data.resolve()))
    assignment = read_assignment(course, lesson, private)
    return as_results(
        assess(submission, assignment, seed, course_limits(api), how), lesson, visibility
    )


def trouble(problem: str) -> dict[str, Any]:
    """Return that nothing could be graded, and why, as a student may read it."""
    return {"score": 0, "output": f"Not graded: {sentence(problem)}", "tests": []}


def as_results(graded: Assessment, lesson: Lesson, visibility: str) -> dict[str, Any]:
    """Return a graded submission in the form of results.json."""
    if graded.notebook is None:
        return trouble(graded.problem or "no reason is known")
    notebook = nbformat.reads(graded.notebook, as_version=4)
    tests = [test for ex in lesson.tested for test in _tests(notebook, ex, visibility)]
    said = [*graded.notes, f"{len(lesson.questions)} written answers are marked by a person."]
    return {
        "output": "\n".join(said),
        "visibility": AT_ONCE,
        "stdout_visibility": "hidden",
        "execution_time": graded.seconds.get("in all", 0),
        "tests": tests,
    }


def _tests(notebook: NotebookNode, exercise: Exercise, visibility: str) -> list[dict[str, Any]]:
    """Return a test for each property of an exercise, or one for all if its report names none."""
    cell = cell_by_id(notebook, exercise.test_cell_id)
    earned, most = determine_grade(cell) if cell is not None else (0, exercise.points)
    found = verdicts(notebook, exercise)
    if not found:
        outputs: Sequence[Mapping] = cell.outputs if cell is not None else ()
        printed = "".join(str(out.get("text") or out.get("evalue") or "") for out in outputs)
        return [_test(exercise, exercise.title, earned or 0, most, printed[:2000], visibility)]
    return [
        _test(
            exercise,
            item.name,
            item.points if item.holds else 0,
            item.points,
            item.message,
            visibility,
        )
        for item in found
    ]


def _test(
    exercise: Exercise, name: str, score: float, most: float, output: str, visibility: str
) -> dict[str, Any]:
    return {
        "name": f"{exercise.label} · {name}",
        "number": str(exercise.number),
        "score": score,
        "max_score": most,
        "output": output,
        "status": "passed" if score >= most else "failed",
        "visibility": visibility,
    }


if __name__ == "__main__":
    sys.exit(main())
