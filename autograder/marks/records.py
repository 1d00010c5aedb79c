"""What exactly was graded, and how: one row per submission in a table of the gradebook.

nbgrader's own tables have no place for it. nbgrader leaves tables that it does not know alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields

from nbgrader.apps import NbGraderAPI
from sqlalchemy import BigInteger, Column, Connection, Float, MetaData, Table, Text, inspect
from sqlalchemy.exc import OperationalError

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


TYPES = {"seed": BigInteger, "seconds": Float}
LISTS = ("notes", "limits", "verdicts")  # kept as JSON
TABLE = Table(
    "course_record",
    MetaData(),
    Column("assignment", Text, primary_key=True),
    Column("student", Text, primary_key=True),
    *(Column(part.name, TYPES.get(part.name, Text), nullable=False) for part in fields(Record)),
)


def read_records(api: NbGraderAPI, stem: str, student: str | None = None) -> dict[str, Record]:
    """Return the records of a lesson by student, or that of one; {} if nothing has been graded yet.

    Raises CourseError if the gradebook cannot be read: another program may hold it.
    """
    try:
        with _connection(api) as connection:
            if not inspect(connection).has_table(TABLE.name):
                return {}
            wanted = TABLE.c.assignment == stem
            if student is not None:
                wanted &= TABLE.c.student == student
            rows = connection.execute(TABLE.select().where(wanted)).mappings()
            return {row["student"]: _record(row) for row in rows}
    except OperationalError as error:
        raise CourseError(
            f"the gradebook cannot be read ({error.orig}): close what else uses it, and try again"
        ) from error


def write_record(api: NbGraderAPI, stem: str, student: str, record: Record) -> None:
    """Write the record of a submission in place of the one before."""
    values = _storable(asdict(record))
    values |= {name: json.dumps(values[name], ensure_ascii=False) for name in LISTS}
    one = (TABLE.c.assignment == stem) & (TABLE.c.student == student)
    with _connection(api) as connection, connection.begin():
        TABLE.create(connection, checkfirst=True)
        connection.execute(TABLE.delete().where(one))
        connection.execute(TABLE.insert().values(assignment=stem, student=student, **values))


def _storable(value: object) -> object:
    """Return a value whose texts every database takes: without NUL and lone surrogates."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return value


def _record(row) -> Record:
    values = {part.name: row[part.name] for part in fields(Record)}
    return Record(**values | {name: json.loads(values[name]) for name in LISTS})


@contextmanager
def _connection(api: NbGraderAPI) -> Iterator[Connection]:
    with api.gradebook as gradebook, gradebook.engine.connect() as connection:
        yield connection
