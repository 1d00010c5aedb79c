"""nbgrader's converters and gradebook, reached with the course's own configuration."""

from __future__ import annotations

import glob
import logging
import tempfile
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_notebook
from nbgrader.api import (
    Assignment,
    BaseCell,
    Grade,
    MissingEntry,
    Notebook,
    SubmittedAssignment,
    SubmittedNotebook,
)
from nbgrader.apps import NbGraderAPI
from nbgrader.preprocessors import AssignLatePenalties, SaveAutoGrades
from nbgrader.utils import temp_attrs
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SAWarning, SQLAlchemyError
from traitlets.config import PyFileConfigLoader

from autograder.course import CONFIG_NAME, Course
from autograder.errors import CourseError
from autograder.marks.classlist import ClassList
from autograder.marks.dates import apply_class_list, submissions_of
from autograder.marks.times import has_zone, naive, read_time
from autograder.texts import printable

# Whoever was late is named in the report, not in a warning each time.
_quiet = logging.getLogger(f"{__name__}.quiet")
_quiet.setLevel(logging.ERROR)


@dataclass(frozen=True)
class Mark:
    """What the gradebook holds for one exercise of one submission.

    auto: points given by the tests; None before grading, and for a written answer.
    score: points that count now; a grader's mark and extra credit take precedence over `auto`.
    open: a person still has to give or confirm a mark.
    """

    auto: float | None
    score: float
    open: bool


def open_api(
    course: Course, db_url: str | None = None, timeout: int | None = None, seed: int | None = None
) -> NbGraderAPI:
    """Return nbgrader's API for the course, configured by its nbgrader_config.py.

    `db_url` replaces the gradebook, `timeout` the seconds one cell may take, and `seed` the seed of
    the hidden tests. Raises CourseError if nbgrader could not find anything in a folder of that
    name.
    """
    if glob.has_magic(str(course.root)):
        raise CourseError(
            f"nbgrader takes *, ? and [ in a path for a pattern: rename a folder of {course.root}"
        )
    config = PyFileConfigLoader(CONFIG_NAME, path=str(course.root)).load_config()
    config.CourseDirectory.root = str(course.root)
    if db_url:
        config.CourseDirectory.db_url = db_url
    if timeout:
        config.GradingExecute.timeout = timeout
    if seed is not None:
        config.GradingExecute.seed = seed
    return NbGraderAPI(config=config)


def database_name(api: NbGraderAPI) -> str:
    """Return the gradebook's URL without its password."""
    return make_url(api.coursedir.db_url).render_as_string(hide_password=True)


def check_gradebook(api: NbGraderAPI) -> None:
    """Raise CourseError if the gradebook cannot be opened; a new one is created."""
    try:
        api.gradebook.close()
    except ImportError as error:
        raise CourseError(
            f"the gradebook's driver is missing ({_first_line(error)}): for PostgreSQL, run "
            '`python -m pip install -e ".[postgresql]"`'
        ) from error
    except (SQLAlchemyError, ValueError) as error:
        file = api.coursedir.db_url.startswith("sqlite")
        condition = "the folder can be written to" if file else "the server runs and lets you in"
        cause = getattr(error, "orig", None) or error
        raise CourseError(
            f"the gradebook cannot be opened ({_first_line(cause)}): check --db, or that "
            f"{condition}"
        ) from error


def has_gradebook(api: NbGraderAPI) -> bool:
    """Return whether there is a gradebook; none is created."""
    url = api.coursedir.db_url
    return not url.startswith("sqlite") or Path(make_url(url).database or "").is_file()


def check_gradebook_exists(api: NbGraderAPI) -> None:
    """Raise CourseError if there is no gradebook or it cannot be opened; none is created."""
    if not has_gradebook(api):
        raise CourseError(
            f"there is no gradebook {api.coursedir.db_url}: run `python -m autograder grade`, or "
            "name another with --db"
        )
    check_gradebook(api)


def prepare_assignment(api: NbGraderAPI, stem: str) -> None:
    """Bring the gradebook's picture of an assignment up to date with `source/`.

    nbgrader records the cells while it makes a release; this one goes into a temporary folder, so
    that `release/` stays as the build wrote it. Raises CourseError if that fails.
    """
    check_gradebook(api)
    with (
        tempfile.TemporaryDirectory() as folder,
        temp_attrs(api.coursedir, release_directory=folder),
    ):
        result = api.generate_assignment(stem, force=True, create=True)
    if result["success"]:
        return
    if "submissions associated" in result.get("log", "") + result["error"]:
        raise CourseError(
            f"{database_name(api)} holds marks for an earlier version of {stem} with other "
            "exercises: keep that gradebook under another name (or choose a new one with --db) and "
            "grade again"
        )
    last_line = (result["error"].strip().splitlines() or ["no message"])[-1].strip()
    raise CourseError(
        f"nbgrader could not read source/{stem} ({last_line}): run `python -m autograder build` "
        "and grade again"
    )


def save_marks(
    api: NbGraderAPI,
    stem: str,
    student: str,
    executed: NotebookNode,
    timestamp: str = "",
    classes: ClassList | None = None,
) -> list[str]:
    """Save the automatic marks of an executed submission, as `nbgrader autograde` does it.

    Whether it is late is told by the due date and the extension of the class list. Returns what a
    person should know, one sentence each.
    """
    notes, known = [], {}
    zone = classes.zone if classes else None
    try:
        if timestamp:
            known = {"timestamp": naive(read_time(timestamp, zone or UTC))}
            if zone is None and not has_zone(timestamp):
                notes.append(f"timestamp.txt says no time zone; {timestamp} was taken for UTC.")
    except CourseError as error:
        notes.append(f"timestamp.txt was left out: {printable(str(error))}.")
    resources = _resources(api, stem, student)
    # nbgrader's own use of its database, of no concern to an instructor.
    with warnings.catch_warnings(action="ignore", category=SAWarning):
        with api.gradebook as gradebook:
            gradebook.update_or_create_student(student)
            gradebook.update_or_create_submission(stem, student, **known)
        if classes is not None:
            apply_class_list(api, classes, [student])
        for step in (SaveAutoGrades, AssignLatePenalties):
            executed, resources = step(config=api.config).preprocess(executed, resources)
    return notes


def read_marks(api: NbGraderAPI, stem: str, student: str) -> dict[str, Mark]:
    """Return the marks of one submission by the id of the graded cell; {} if there are none."""
    return read_class_marks(api, stem, [student]).get(student, {})


def read_class_marks(
    api: NbGraderAPI, stem: str, students: Collection[str]
) -> dict[str, dict[str, Mark]]:
    """Return the marks of those of the students who have some, as `read_marks` gives them.

    The database is asked once; nbgrader's own objects ask it once for each mark.
    """
    columns = (Grade.auto_score, Grade.score, Grade.needs_manual_grade)
    marks: dict[str, dict[str, Mark]] = {}
    with api.gradebook as gradebook:
        rows = (
            gradebook.db.query(SubmittedAssignment.student_id, BaseCell.name, *columns)
            .select_from(Grade)
            .join(BaseCell, Grade.cell_id == BaseCell.id)
            .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
            .join(Notebook, SubmittedNotebook.notebook_id == Notebook.id)
            .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
            .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
            .filter(Assignment.name == stem, Notebook.name == stem)
            .filter(SubmittedAssignment.student_id.in_(students))
        )
        for student, cell, *mark in rows:
            marks.setdefault(student, {})[cell] = Mark(*mark)
    return marks


def read_comments(api: NbGraderAPI, stem: str, student: str) -> dict[str, str]:
    """Return what graders wrote about one submission, by the id of the answer cell."""
    with _entries(api, stem, student, "comments") as comments:
        return {entry.name: entry.manual_comment for entry in comments if entry.manual_comment}


def read_lateness(
    api: NbGraderAPI, stem: str, students: Collection[str] | None = None
) -> dict[str, float]:
    """Return by how many seconds each of those was late who handed in after the due date."""
    with api.gradebook as gradebook:
        entries = submissions_of(gradebook, stem, students)
        late = {entry.student_id: entry.total_seconds_late for entry in entries}
    return {student: seconds for student, seconds in late.items() if seconds > 0}


def read_penalties(api: NbGraderAPI, stem: str, students: Collection[str]) -> dict[str, float]:
    """Return the points that nbgrader takes off from those of the students who were late.

    nbgrader works them out when it grades. They may depend on the marks, so they are worked out
    anew here, when a person may have given some.
    """
    with api.gradebook as gradebook:
        penalty = SubmittedAssignment.late_submission_penalty
        rows = submissions_of(gradebook, stem, students).add_columns(penalty)
        affected = [
            entry.student_id for entry, penalty in rows if penalty or entry.total_seconds_late > 0
        ]
    penalties = {}
    for student in affected:
        step = AssignLatePenalties(config=api.config, log=_quiet)
        with suppress(MissingEntry):
            step.preprocess(new_notebook(), _resources(api, stem, student))
            with api.gradebook as gradebook:
                entry = gradebook.find_submission(stem, student)
                penalties[student] = entry.late_submission_penalty or 0.0
    return penalties


def keep_settled(api: NbGraderAPI, stem: str, student: str, before: dict[str, Mark]) -> None:
    """Do not ask a person again for marks of a submission that is graded a second time.

    nbgrader opens each mark that a person has given, since the answer may be another one. `before`
    holds the marks of the same answers: what was settled stays so, unless the tests find
    something else now.
    """
    with _entries(api, stem, student, "grades") as grades:
        for grade in grades:
            old = before.get(grade.name)
            if old is not None and not old.open and old.auto == grade.auto_score:
                grade.needs_manual_grade = False


def withdraw_marks(api: NbGraderAPI, stem: str, student: str) -> None:
    """Take back the automatic marks of a submission that can no longer be graded.

    What a grader wrote by hand stays.
    """
    with _entries(api, stem, student, "grades") as grades:
        for grade in grades:
            grade.auto_score = None
            grade.needs_manual_grade = True


@contextmanager
def _entries(api: NbGraderAPI, stem: str, student: str, kind: str) -> Iterator[list]:
    """Yield the "grades" or "comments" that a submission has; changes to them are saved."""
    with api.gradebook as gradebook:
        try:
            entries = getattr(gradebook.find_submission_notebook(stem, stem, student), kind)
        except MissingEntry:
            entries = []
        yield entries
        gradebook.db.commit()


def _resources(api: NbGraderAPI, stem: str, student: str) -> dict[str, dict[str, str]]:
    """Return what a step of nbgrader's wants to know of a submission."""
    names = {"notebook": stem, "assignment": stem, "student": student}
    return {"nbgrader": {**names, "db_url": api.coursedir.db_url}}


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
