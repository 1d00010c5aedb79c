"""Write down what grading gave: marks, records, graded notebooks, feedback pages, the log."""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.apps import NbGraderAPI
from nbgrader.utils import rmtree

from autograder.course import Course
from autograder.errors import LOG_FILE
from autograder.grading.executors import WorkerLost
from autograder.grading.model import Assessment
from autograder.grading.plan import Plan
from autograder.lesson import Lesson
from autograder.marks.gradebook import keep_settled, read_marks, save_marks, withdraw_marks
from autograder.marks.records import Record, write_record
from autograder.marks.results import grades_csv, is_complete, maximum, read_results
from autograder.marks.submitted import submitted_lessons, submitted_students
from autograder.pages.feedback import feedback_page, write_feedback
from autograder.texts import number, printable, write_text


class MarksWriter:
    """Writes down what grading gave, one submission at a time, each file whole or not at all.

    The record comes before the page, which is removed first: a run that is killed in between finds
    what is missing.

    Args:
        earlier: the records of an earlier run, by student.
    """

    def __init__(self, plan: Plan, earlier: Mapping[str, Record]) -> None:
        self.plan, self.earlier = plan, earlier
        self.api, self.course, self.lesson = plan.api, plan.course, plan.lesson
        self.stem, self.version = plan.lesson.stem, plan.assignment.version
        private = plan.assignment.private
        self.private = _sum(private.encode()) if private is not None else ""

    def is_graded(self, student: str, record: Record, data: bytes) -> bool:
        """Return whether the record's marks are those that `data` would get now."""
        basis = (_sum(data), self.timestamp(student), self.version, self.plan.seed, self.private)
        if record.problem or record.basis != basis:
            return False
        if not self.course.autograded_notebook(student, self.stem).is_file():
            return False
        return is_complete(read_marks(self.api, self.stem, student), self.lesson)

    def timestamp(self, student: str) -> str:
        """Return what the submission's timestamp.txt says, "" if there is none."""
        path = self.course.submitted_notebook(student, self.stem).with_name("timestamp.txt")
        with suppress(OSError, ValueError):
            if path.is_file() and not path.is_symlink():
                return path.read_text(encoding="utf-8").strip()[:100]
        return ""

    def write(self, student: str, graded: Assessment | BaseException) -> None:
        """Write down what grading gave; raise what stops all grading."""
        if isinstance(graded, WorkerLost):
            self.give_up(student, f"the grader itself was stopped by it ({graded})")
        elif isinstance(graded, BaseException):
            raise graded
        elif graded.problem:
            self.give_up(student, graded.problem, graded)
        else:
            self.accept(student, graded)

    def accept(self, student: str, graded: Assessment) -> None:
        """Write down marks."""
        assert graded.notebook is not None
        self._begin(student)
        write_text(self.course.autograded_notebook(student, self.stem), graded.notebook)
        executed = nbformat.reads(graded.notebook, as_version=4)
        record = self.earlier.get(student)
        unchanged = (
            record is not None and not record.problem and record.submitted == graded.checksum
        )
        before = read_marks(self.api, self.stem, student) if unchanged else {}
        timestamp, classes = self.timestamp(student), self.plan.classes
        late = save_marks(self.api, self.stem, student, executed, timestamp, classes)
        if before:
            keep_settled(self.api, self.stem, student, before)
        marks = read_marks(self.api, self.stem, student)
        verdicts = {
            exercise.id: marks[exercise.test_cell_id].auto for exercise in self.lesson.tested
        }
        self._end(student, graded, notes=[*graded.notes, *late], verdicts=verdicts)

    def give_up(self, student: str, problem: str, graded: Assessment | None = None) -> None:
        """Write down why there are no marks, and take back those of an earlier version."""
        self._begin(student)
        withdraw_marks(self.api, self.stem, student)
        leftover = self.course.autograded_notebook(student, self.stem).parent
        if leftover.exists():
            rmtree(leftover)
        self._end(student, graded or Assessment("", self.version, self.plan.seed), problem=problem)

    def _begin(self, student: str) -> None:
        feedback_page(self.course, self.stem, student).unlink(missing_ok=True)

    def _end(self, student: str, graded: Assessment, **rest: Any) -> None:
        record = Record(
            submitted=graded.checksum,
            submitted_at=self.timestamp(student),
            version=graded.version,
            seed=graded.seed,
            private=self.private,
            graded_at=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=graded.seconds.get("in all", 0),
            limits=list(graded.limits),
            **rest,
        )
        write_record(self.api, self.stem, student, record)
        self._log(student, record, graded.log)
        write_feedback(self.api, self.course, self.lesson, student)

    def _log(self, student: str, record: Record, details: str) -> None:
        path = log_path(self.course)
        path.parent.mkdir(parents=True, exist_ok=True)
        points = number(sum(record.verdicts.values()))
        most = number(maximum(self.lesson.tested))
        marks = record.problem or f"{points} of {most} automatic points"
        facts = [f"{record.seconds:.1f} s", f"lesson {record.version}", f"seed {record.seed}"]
        facts += [f"notebook {record.submitted[:12]}"] if record.submitted else []
        facts += [f"limit hit: {limit}" for limit in record.limits]
        line = f"{record.graded_at}  {self.stem}  {student}: {marks} ({', '.join(facts)})"
        lines = [
            printable(line),
            *map(printable_line, textwrap.indent(details, "    ").split("\n")),
        ]
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write("\n".join(lines).rstrip() + "\n")


def printable_line(line: str) -> str:
    """Return a line of a traceback without control characters, its indentation kept."""
    return line[: len(line) - len(line.lstrip())] + printable(line)


def log_path(course: Course) -> Path:
    """Return the log of all grading in a course folder."""
    return course.root / LOG_FILE


def write_grades(api: NbGraderAPI, course: Course, known: Lesson) -> None:
    """Write grades.csv for everything in submitted/, graded in this run or before.

    `known`: the lesson that was graded, which need not be read again.
    """
    results = []
    for stem in submitted_lessons(course):
        lesson = known if stem == known.stem else Lesson.load(course.lesson_path(stem))
        results += read_results(api, lesson, submitted_students(course, stem))
    write_text(course.root / "grades.csv", grades_csv(results))


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
