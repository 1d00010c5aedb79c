"""A checked lesson, ready to be built and graded."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson.cells import TEXT_STUB, Cell, Exercise
from autograder.lesson.markers import strip_hidden, stub_blocks
from autograder.lesson.outline import Chapter, chapters, title_of
from autograder.lesson.reader import Reader, exercises_of
from autograder.lesson.templates import Context, fill_in_all, number_equations


@dataclass(frozen=True)
class Lesson:
    """A checked lesson of an edition; `cells` have their headings and templates filled in."""

    stem: str
    path: Path
    cells: tuple[Cell, ...]
    exercises: tuple[Exercise, ...]
    edition: str

    @classmethod
    def load(cls, path: Path) -> Lesson:
        """Read a lesson's text; raise CourseError if it cannot be read or is marked wrongly."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CourseError(f"{path} cannot be read: {error}") from error
        return cls.parse(text, path)

    @classmethod
    def parse(cls, text: str, path: Path, course: Course | None = None) -> Lesson:
        """Return the lesson in `text`; `path` gives its name and stands in error messages.

        Addresses in templates come from `course` (default: the folder above the lesson's own).
        """
        path = Path(path)
        course = course or Course(path.resolve().parent.parent)
        cells = Reader(path, course).read(text)
        exercises = exercises_of(cells, path)
        context = Context(path, course, cells, exercises, number_equations(cells, path))
        filled = tuple(fill_in_all(context))
        return cls(path.stem, path, filled, tuple(exercises), course.edition)

    @property
    def title(self) -> str:
        """The first heading of the lesson."""
        return title_of(self.cells) or self.stem

    @property
    def tested(self) -> list[Exercise]:
        """The exercises that tests mark."""
        return [exercise for exercise in self.exercises if not exercise.manual]

    @property
    def questions(self) -> list[Exercise]:
        """The written questions, which people mark."""
        return [exercise for exercise in self.exercises if exercise.manual]

    @property
    def answers(self) -> list[Cell]:
        """The code cells that a student fills in."""
        return [cell for cell in self.cells if cell.grade == "solution"]

    @property
    def chapters(self) -> list[Chapter]:
        """The lesson's chapters in order, with the exercises and questions in each."""
        return chapters(self.cells, self.exercises)

    @property
    def version(self) -> str:
        """A short checksum of what a student gets to answer and is tested with.

        Text, pictures and hidden tests may change without a new version.
        """
        shown = [[cell.id, cell.kind, _released(cell)] for cell in self.cells if cell.grade]
        return hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:12]

    def cell(self, id: str) -> Cell:
        """Return the cell with this id; raise CourseError if there is none."""
        if found := next((cell for cell in self.cells if cell.id == id), None):
            return found
        raise CourseError(f"{self.path}: no cell has the id {id!r}")

    def exercise(self, id: str) -> Exercise:
        """Return the exercise with this id; raise CourseError if there is none."""
        if found := next((exercise for exercise in self.exercises if exercise.id == id), None):
            return found
        raise CourseError(f"{self.path}: no exercise is called {id!r}")


def _released(cell: Cell) -> str:
    """Return a graded, locked or answer cell as the student gets it."""
    if cell.grade == "answer":
        return TEXT_STUB
    return stub_blocks(cell.source) if cell.grade == "solution" else strip_hidden(cell.source)
