"""What a grading run has to do: its options, the lesson as the grader needs it, and for whom."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import nbformat
from nbgrader.apps import NbGraderAPI

from autograder.build.notebooks import source_notebook
from autograder.course import Course
from autograder.errors import CourseError
from autograder.grading import executors
from autograder.grading.hidden_tests import chosen_seed, private_folder, private_text
from autograder.grading.in_notebook import GradingExecute
from autograder.grading.model import Assignment, How
from autograder.lesson import Lesson
from autograder.marks.classlist import ClassList
from autograder.marks.dates import apply_class_list
from autograder.marks.gradebook import open_api, prepare_assignment
from autograder.marks.moves import follow_changed_ids
from autograder.sandbox.bubblewrap import find_bwrap
from autograder.sandbox.limits import Limits
from autograder.submissions.reading import Submission, read_submission
from autograder.submissions.safe import name_problem


@dataclass(frozen=True, kw_only=True)
class GradeOptions:
    """How to grade.

    students: whom; None for everybody.
    force: also what was graded and has not changed since.
    db_url, timeout, seed: in the place of what nbgrader_config.py says.
    sandbox, forked: see model.How.
    jobs: how many submissions at once.
    executor: "local", or the address of a Dask scheduler.
    """

    students: Sequence[str] | None = None
    force: bool = False
    db_url: str | None = None
    timeout: int | None = None
    seed: int | None = None
    sandbox: bool = True
    forked: bool = True
    jobs: int = 1
    executor: str = executors.LOCAL


@dataclass(frozen=True)
class Plan:
    """One lesson, ready to be graded: everything that is the same for all submissions."""

    course: Course
    api: NbGraderAPI
    assignment: Assignment
    students: Sequence[str]
    seed: int
    limits: Limits
    how: How
    classes: ClassList | None = None

    @property
    def lesson(self) -> Lesson:
        """The lesson."""
        return self.assignment.lesson

    def submission(self, student: str) -> Submission:
        """Return what a student handed in; raise CourseError with a clause if it cannot be read."""
        if glob.has_magic(student):
            raise CourseError("nbgrader cannot find a folder with *, ? or [ in its name: rename it")
        problem = name_problem(student)
        if problem:
            raise CourseError(problem)
        stem = self.lesson.stem
        return read_submission(self.course.submitted_notebook(student, stem).parent, stem)


def make_plan(
    course: Course, lesson: Lesson, options: GradeOptions, students: Sequence[str]
) -> Plan:
    """Return what is to be done for a lesson and these students, with the gradebook prepared.

    Raises CourseError if the lesson cannot be graded at all.
    """
    api = open_api(course, options.db_url, options.timeout, options.seed)
    settings = GradingExecute.configured(api.config)
    seed = chosen_seed(course, settings.seed)
    private = private_text(private_folder(course, lesson, settings.private_tests, seed), lesson)
    how = How(options.sandbox, options.forked, str(course.data.resolve()))
    prepare_assignment(api, lesson.stem)
    classes = ClassList(course)
    follow_changed_ids(api, course, classes)
    apply_class_list(api, classes)
    assignment = read_assignment(course, lesson, private)
    limits = course_limits(api)
    return Plan(course, api, assignment, students, seed, limits, how, classes)


def require_ready(course: Course, lesson: Lesson, options: GradeOptions) -> None:
    """Raise CourseError if it can be seen at once that a lesson cannot be graded."""
    require_built(course, lesson)
    if options.sandbox and options.executor == executors.LOCAL:
        find_bwrap()


def require_built(course: Course, lesson: Lesson) -> None:
    """Raise CourseError if the lesson's source notebook is not what its text gives now.

    Marks for exercises and tests of another version would be wrong without a sign of it.
    """
    source, release = course.source_notebook(lesson.stem), course.release_notebook(lesson.stem)
    fresh = nbformat.writes(source_notebook(lesson)) + "\n"
    if not source.is_file() or not release.is_file() or source.read_text(encoding="utf-8") != fresh:
        raise CourseError(
            f"the notebooks of {lesson.stem} are not what its text gives now: run "
            "`python -m autograder build` and grade again"
        )


def read_assignment(course: Course, lesson: Lesson, private: str | None = None) -> Assignment:
    """Return a lesson as the grader needs it."""
    paths = {stem: course.release_notebook(stem) for stem in course.lessons()}
    return Assignment(
        lesson,
        source=course.source_notebook(lesson.stem).read_text(encoding="utf-8"),
        release=paths[lesson.stem].read_text(encoding="utf-8"),
        private=private,
        others={
            stem: path.read_text(encoding="utf-8")
            for stem, path in paths.items()
            if stem != lesson.stem and path.is_file()
        },
    )


def course_limits(api: NbGraderAPI) -> Limits:
    """Return the limits from nbgrader_config.py; raise CourseError for one that there is not."""
    settings = GradingExecute.configured(api.config)
    own: dict[str, Any] = {"cell_seconds": settings.timeout, "patience": settings.patience}
    try:
        return Limits(**own | api.config.get("Limits", {}))
    except TypeError:
        known = ", ".join(part.name for part in fields(Limits))
        raise CourseError(
            f"nbgrader_config.py sets a limit that there is not (c.Limits): there are {known}"
        ) from None
