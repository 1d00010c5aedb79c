"""What is asked of the gradebook, counted in a small class and in a larger one."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import TINY
from nbgrader.apps import NbGraderAPI
from sqlalchemy import Engine, event

from autograder.course import Course
from autograder.lesson import Lesson
from autograder.marks.gradebook import (
    keep_settled,
    open_api,
    prepare_assignment,
    read_class_marks,
    read_comments,
    read_marks,
    withdraw_marks,
)
from autograder.marks.records import Record, read_records, write_record
from autograder.marks.results import read_results

# nbgrader's own use of its database.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")


@dataclass
class Traffic:
    """How many statements went to databases, and how many rows came back."""

    statements: int = 0
    rows: int = 0


@contextmanager
def counted() -> Iterator[Traffic]:
    """Count what goes to and comes from all SQLite databases that are opened here."""
    traffic = Traffic()

    def on_connect(connection: sqlite3.Connection, _: object) -> None:
        connection.row_factory = on_row

    def on_row(_: sqlite3.Cursor, row: tuple) -> tuple:
        traffic.rows += 1
        return row

    def on_statement(*_: object) -> None:
        traffic.statements += 1

    listeners: dict[str, Callable[..., object]] = {
        "connect": on_connect,
        "before_cursor_execute": on_statement,
    }
    for name, listener in listeners.items():
        event.listen(Engine, name, listener)
    try:
        yield traffic
    finally:
        for name, listener in listeners.items():
            event.remove(Engine, name, listener)


def hand_in(api: NbGraderAPI, students: Sequence[str]) -> None:
    """Write marks and a record for each of the students, as grading would."""
    with api.gradebook as gradebook:
        for student in students:
            gradebook.update_or_create_student(student)
            submission = gradebook.update_or_create_submission(TINY, student)
            (notebook,) = submission.notebooks
            for grade in notebook.grades:
                is_answer = grade.cell.cell_type == "markdown"
                grade.auto_score, grade.needs_manual_grade = None if is_answer else 1.0, is_answer
        gradebook.db.commit()
    for student in students:
        write_record(api, TINY, student, Record(student, "", "v", 1, "", "now", 0.1))


@pytest.fixture(scope="module")
def _class(_built: Course, tmp_path_factory: pytest.TempPathFactory) -> Course:
    course = Course(shutil.copytree(_built.root, tmp_path_factory.mktemp("class") / "course"))
    api = open_api(course)
    prepare_assignment(api, TINY)
    hand_in(api, ["ann", "bob"])
    return course


@pytest.fixture
def small_class(_class: Course, tmp_path: Path) -> Course:
    """A course whose gradebook holds two submissions; each test has its own copy."""
    return Course(shutil.copytree(_class.root, tmp_path / "class"))


@pytest.fixture
def api(small_class: Course) -> NbGraderAPI:
    """nbgrader's API for it."""
    return open_api(small_class)


@pytest.mark.slow
def test_one_student_does_not_read_the_class(
    small_class: Course, api: NbGraderAPI, tiny: Lesson
) -> None:
    """One's marks, records and penalties are as much to read in a class of ten as in one of two."""
    traffic = []
    for more in ([], [f"s{number}" for number in range(8)]):
        hand_in(api, more)
        with counted() as counts:
            (result,) = read_results(api, tiny, ["ann"])
        assert result.graded and result.auto_total == len(tiny.tested)
        traffic.append(counts)
    assert traffic[0] == traffic[1] and traffic[0].rows > 0


@pytest.mark.slow
def test_a_class_is_read_in_as_many_questions_as_one_student(
    small_class: Course, api: NbGraderAPI, tiny: Lesson
) -> None:
    students = [f"s{number}" for number in range(8)]
    hand_in(api, students)
    with counted() as single:
        read_results(api, tiny, ["ann"])
    with counted() as class_of_ten:
        results = read_results(api, tiny, ["ann", "bob", *students])
    assert [result.student for result in results] == ["ann", "bob", *students]
    assert all(result.graded for result in results)
    assert class_of_ten.statements == single.statements
    assert class_of_ten.rows > single.rows


@pytest.mark.slow
def test_only_those_named_are_read(api: NbGraderAPI) -> None:
    hand_in(api, ["cyd"])
    assert set(read_class_marks(api, TINY, ["ann", "cyd", "eve"])) == {"ann", "cyd"}
    assert read_class_marks(api, TINY, ["bob"])["bob"] == read_marks(api, TINY, "bob")
    assert set(read_records(api, TINY)) == {"ann", "bob", "cyd"}
    assert set(read_records(api, TINY, "ann", "cyd", "eve")) == {"ann", "cyd"}
    assert read_records(api, "01_other", "ann") == {}


@pytest.mark.slow
def test_whoever_handed_in_nothing_has_no_marks_to_read_or_to_change(api: NbGraderAPI) -> None:
    before = read_class_marks(api, TINY, ["ann", "bob"])
    assert read_marks(api, TINY, "eve") == read_comments(api, TINY, "eve") == {}
    withdraw_marks(api, TINY, "eve")
    assert read_class_marks(api, TINY, ["ann", "bob", "eve"]) == before
    withdraw_marks(api, TINY, "ann")
    after = read_marks(api, TINY, "ann")
    assert {mark.auto for mark in after.values()} == {None} and all(m.open for m in after.values())
    # What was settled before, and is the same now, is settled again.
    keep_settled(api, TINY, "ann", after)
    assert read_marks(api, TINY, "ann") == after
    assert read_marks(api, TINY, "bob") == before["bob"]


@pytest.mark.slow
def test_a_record_holds_what_every_database_takes(api: NbGraderAPI) -> None:
    odd = Record(
        "", "", "v", 2**40, "", "now", 0.1, "a\0b\ud800", ["né\0", "\ud800x"], verdicts={"a": 1}
    )
    write_record(api, TINY, "ann", odd)
    record = read_records(api, TINY, "ann")["ann"]
    assert (record.problem, record.seed, record.verdicts) == ("ab?", 2**40, {"a": 1})
    assert record.notes[1] == "?x" and record.notes[0].startswith("né")
