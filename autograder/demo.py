"""Build a lesson, make a small class of submissions from it, and grade it.

Everything happens in a folder of its own (`_demo/`), so that nothing of the course is touched.
"""

from __future__ import annotations

import argparse
import os
import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path

from nbformat import NotebookNode
from rich.console import Console

from autograder.build.generate import build
from autograder.build.pictures import named_pictures
from autograder.course import CONFIG_NAME, Course
from autograder.errors import CourseError
from autograder.grading.executors import cores
from autograder.grading.grade import grade_with_progress, report
from autograder.grading.plan import GradeOptions
from autograder.lesson import Lesson
from autograder.lesson.markers import blocks, fill_blocks
from autograder.marks.gradebook import open_api
from autograder.marks.submitted import submitted_students
from autograder.pages.feedback import feedback_page
from autograder.pages.report import similar_pairs, write_report
from autograder.pages.survey import survey_class
from autograder.sandbox.bubblewrap import find_bwrap
from autograder.submissions.made import (
    BROKEN_JSON,
    fill_in,
    solutions,
    with_copied_cell,
    with_helper_cell,
    with_syntax_error,
    write_submission,
)
from autograder.submissions.reading import read_notebook
from autograder.texts import say

TIMEOUT = 4  # seconds; waiting for the endless loop longer would show nothing more
MARKER = ".made-by-demo"
NEXT = """
Look next at:
  {report}
  {grades}
  {feedback}
  cd {folder} && jupyter lab     then Nbgrader, Formgrader: mark the written answers"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `demo`."""
    parser.add_argument("--lesson", metavar="LESSON", help="the lesson to use (default: the first)")
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="FOLDER",
        help="where to work (default: _demo in the course folder)",
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        help="go on in what an earlier demo left: submissions already graded are not graded again",
    )


def run(args: argparse.Namespace) -> int:
    """Run the demo; return what grading returned."""
    course = Course.find()
    stem = first_lesson(course) if args.lesson is None else course.known_lesson(args.lesson)
    folder = args.folder or course.root / "_demo"
    console = Console()
    sandbox = has_sandbox(console)
    say(console, f"A demonstration course in {folder}")
    # Data that the course has already are used, wherever the demonstration is.
    os.environ.setdefault("COURSE_DATA", str(course.data))
    demo = copy_course(course, stem, folder, keep=args.keep)
    say(console, f"Building {stem} …")
    build(demo)
    lesson = Lesson.load(demo.lesson_path(stem))
    release = read_notebook(demo.release_notebook(stem))
    students = make_class(lesson, release)
    say(console, f"A class of {len(students)}:")
    for student, (what, content) in students.items():
        write_submission(demo, student, stem, content)
        say(console, f"  {student:<14} {what}")
    options = GradeOptions(students=list(students), sandbox=sandbox, jobs=cores(), timeout=TIMEOUT)
    results = grade_with_progress(demo, stem, options)
    code = report(demo, results)
    survey = survey_class(open_api(demo), demo, lesson, submitted_students(demo, stem))
    page = write_report(demo, survey, similar_pairs(survey))
    graded = {"report": page, "grades": demo.root / "grades.csv", "folder": demo.root}
    say(console, NEXT.format(**graded, feedback=feedback_page(demo, stem, "one-mistake")))
    return code


def has_sandbox(console: Console) -> bool:
    """Return whether there is a sandbox; the made-up class, which is harmless, needs none."""
    try:
        find_bwrap()
    except CourseError as error:
        say(
            console,
            "The made-up class is graded without a sandbox, since nobody in it means harm. In one, "
            "submissions see no file, no network and no other submission, and have limits. For a "
            f"real class: {error}",
        )
        return False
    return True


def first_lesson(course: Course) -> str:
    """Return the first lesson; raise CourseError if the course has none yet."""
    if not course.lessons():
        raise CourseError(f"there is no lesson in {course.notebooks}")
    return course.lessons()[0]


def copy_course(course: Course, stem: str, folder: Path, *, keep: bool = False) -> Course:
    """Return a course in `folder` with a lesson of `course`, those before it, and the settings.

    An earlier demo there is removed unless `keep`. Raises CourseError if the folder holds something
    that no demo has made.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).is_file():
        raise CourseError(f"{folder} is not empty and no demo made it: choose another --folder")
    if folder.exists() and not keep:
        shutil.rmtree(folder)
    demo = Course(folder.resolve())
    demo.notebooks.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).touch()
    for other in course.lessons():
        if other <= stem:  # a lesson may give code of earlier ones
            shutil.copyfile(course.lesson_path(other), demo.lesson_path(other))
    for name in (CONFIG_NAME, "pyproject.toml"):
        shutil.copyfile(course.root / name, folder / name)
    texts = "".join(demo.lesson_path(one).read_text(encoding="utf-8") for one in demo.lessons())
    for path in named_pictures(course, texts):  # others would be of later lessons
        demo.pictures.mkdir(exist_ok=True)
        shutil.copyfile(path, demo.pictures / path.name)
    for part in ("results", "networks"):  # the lesson's text quotes them
        if (course.data / part).is_dir():
            shutil.copytree(course.data / part, demo.data / part, dirs_exist_ok=True)
    # Private tests may be for other lessons, and in a folder named from the course's.
    with (folder / CONFIG_NAME).open("a", encoding="utf-8", newline="\n") as config:
        config.write('\nc.GradingExecute.private_tests = ""\n')
    return demo


def make_class(lesson: Lesson, release: NotebookNode) -> dict[str, tuple[str, NotebookNode | str]]:
    """Return the class: a student's name → what is special there, and the submission."""
    perfect = fill_in(release, lesson)
    middle, last = lesson.tested[len(lesson.tested) // 2], lesson.tested[-1]
    return {
        "perfect": ("every answer as in the solutions", perfect),
        "untouched": ("the released notebook as it is", release),
        "own-way": (
            "a right solution with a cell of the student's own",
            with_helper_cell(perfect, last.answer_cell_id),
        ),
        "one-mistake": (
            f"one block of {last.label} left as it was",
            fill_in(release, lesson, without_last_block(lesson, last.answer_cell_id)),
        ),
        "syntax-error": (
            f"a line of {last.label} that is not Python",
            with_syntax_error(perfect, last.answer_cell_id),
        ),
        "broken-file": ("a file that was cut off", BROKEN_JSON),
        "copied-test": (
            f"the checks of {middle.label} pasted a second time",
            with_copied_cell(perfect, middle.test_cell_id),
        ),
        "endless-loop": (
            f"a loop that never ends in {last.label}",
            fill_in(release, lesson, with_endless_loop(lesson, last.answer_cell_id)),
        ),
    }


def without_last_block(lesson: Lesson, name: str) -> dict[str, str]:
    """Return the lesson's answers, with the last block of one cell as its stub."""
    stub = "\n".join(blocks(lesson.cell(name).source)[-1].stub)
    return _with_last_block(lesson, name, lambda body: stub)


def with_endless_loop(lesson: Lesson, name: str) -> dict[str, str]:
    """Return the lesson's answers, one of which never gets past its last block."""
    return _with_last_block(lesson, name, "while True:\n    pass\n{}".format)


def _with_last_block(lesson: Lesson, name: str, change: Callable[[str], str]) -> dict[str, str]:
    source = lesson.cell(name).source
    bodies = [textwrap.dedent("\n".join(block.solution)) for block in blocks(source)]
    bodies[-1] = change(bodies[-1])
    return solutions(lesson) | {name: fill_blocks(source, bodies)}
