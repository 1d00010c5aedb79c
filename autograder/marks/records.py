"""What exactly was graded, and how: one row per submission in a table of the gradebook.

nbgrader's own tables have no place for it. nbgrader leaves tables that it does not know alone.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields

from nbgrader.apps import NbGraderAPI
from sqlalchemy import BigInteger, Column, Float, MetaData, Table, Text, inspect
from sqlalchemy.exc import OperationalError

from autograder.course import Course
from autograder.errors import CourseError


@dataclass(frozen=True)
class Record:
    """What happened when one submission was graded.

    submitted: SHA-256 of the submitted notebook's bytes; "" if it could not be read.
    submitted_at: what its timestamp.txt says; "" if there is none.
    version: version of the lesson.
    seed: what decided the inputs of the hidden tests.
    private: checksum of the lesson's private hidden tests; "" if there were none.
    graded_at: when, in UTC.
    seconds: how long it took.
    problem: why nothing could be graded, as a clause; "" if it was.
    notes: one sentence for each thing a person should look at.
    limits: the limits that were hit.
    verdicts: exercise → points given by the tests.
    """

    submitted: str
    submitted_at: str
    version: str
    seed: int
    private: str
    graded_at: str
    seconds: float
    problem: str = ""
    notes: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    verdicts: dict[str, float] = field(default_factory=dict)

    @property
    def basis(self) -> tuple:
        """What the marks depend on: as long as it stays the same, so do they."""
        return self.submitted, self.submitted_at, self.version, self.seed, self.private


NAMES = [part.name for part in fields(Record)]
JSON = ("notes", "limits", "verdicts")  # kept as such
TYPES = {"seed": BigInteger, "seconds": Float}
TABLE = Table(
    "course_record",
    MetaData(),
    Column("assignment", Text, primary_key=True),
    Column("student", Text, primary_key=True),
    *(Column(name, TYPES.get(name, Text), nullable=False) for name in NAMES),
)


def version_of(source: str) -> str:
    """Return a lesson's version: what its source notebook names, and a checksum of all of it.

    The latter changes with the hidden tests, too.
    """
    released = json.loads(source)["metadata"].get("course", {}).get("version", "")
    return f"{released}.{hashlib.sha256(source.encode()).hexdigest()[:8]}"


def present_version(course: Course, stem: str) -> str:
    """Return the version of a lesson that would be graded now, "" if it is not built."""
    path = course.source_notebook(stem)
    return version_of(path.read_text(encoding="utf-8")) if path.is_file() else ""


def read_records(api: NbGraderAPI, stem: str, *students: str) -> dict[str, Record]:
    """Return the records of a lesson by student; of everybody, or of those named and nobody else.

    Raises CourseError if the gradebook cannot be read: another program may hold it.
    """
    wanted = TABLE.c.assignment == stem
    if students:
        wanted &= TABLE.c.student.in_(students)
    try:
        with api.gradebook as gradebook:
            if not inspect(gradebook.engine).has_table(TABLE.name):
                return {}
            rows = gradebook.db.execute(TABLE.select().where(wanted)).mappings().all()
    except OperationalError as error:
        raise CourseError(
            f"the gradebook cannot be read ({error.orig}): close what else uses it, and try again"
        ) from error
    return {
        row["student"]: Record(
            **{name: json.loads(row[name]) if name in JSON else row[name] for name in NAMES}
        )
        for row in rows
    }


def write_record(api: NbGraderAPI, stem: str, student: str, record: Record) -> None:
    """Write the record of a submission in place of the one before."""
    values = asdict(record)
    values |= {name: json.dumps(values[name], ensure_ascii=False) for name in JSON}
    for name, text in values.items():
        if isinstance(text, str):  # not every database takes NUL and lone surrogates
            values[name] = text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    key = {"assignment": stem, "student": student}
    with api.gradebook as gradebook:
        TABLE.create(gradebook.engine, checkfirst=True)
        gradebook.db.execute(TABLE.delete().filter_by(**key))
        gradebook.db.execute(TABLE.insert().values(**key, **values))
        gradebook.db.commit()
