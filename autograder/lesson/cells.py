"""The values a lesson is made of: cells, exercises, and what to raise for a mistake in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autograder.errors import CourseError

HIDE_TAG = "hide-input"
TEXT_STUB = "*Replace this line with your answer.*"


@dataclass(frozen=True)
class Cell:
    """One cell; `line` is the line of its header, `source` is complete but keeps its solutions."""

    kind: str
    source: str
    line: int
    id: str | None = None
    grade: str | None = None
    points: float | None = None
    exercise: str | None = None
    answer: str | None = None
    title: str | None = None
    minutes: float | None = None
    tags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The id of a cell that must have one: a graded, locked or answer cell."""
        assert self.id is not None
        return self.id


@dataclass(frozen=True)
class Exercise:
    """One exercise or written question, with the ids of its graded cell and its answer cell."""

    id: str
    number: int
    title: str
    minutes: float
    points: float
    manual: bool
    test_cell_id: str
    answer_cell_id: str

    @property
    def label(self) -> str:
        """What it is called in a text, such as "Exercise 3"."""
        return f"{'Question' if self.manual else 'Exercise'} {self.number}"

    @property
    def name(self) -> str:
        """What it is called in a list, such as "Exercise 3 · The product"."""
        return f"{self.label} · {self.title}"


def mistake(path: Path, line: int, message: str) -> CourseError:
    """Return the error to raise for a mistake in a line of a lesson."""
    return CourseError(f"{path.parent.name}/{path.name}:{line}: {message}")
