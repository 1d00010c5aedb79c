"""Judge one exercise by its hidden properties.

Each property is tried in the student's own notebook and, if it fails there, with the student's answer
among the definitions of the lesson. The better result counts, so a mistake made elsewhere costs nothing
here.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import torch

from autograder.checks import reference
from autograder.checks.given import Given, PropertyFailed
from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson import Lesson

SEED_VARIABLE = "COURSE_GRADING_SEED"


class _Names(SimpleNamespace):
    """A notebook's names as attributes."""

    def __getattr__(self, name: str) -> object:
        raise PropertyFailed(f"`{name}` is not defined.")


@dataclass(frozen=True)
class Property:
    """A hidden property: its name, its points, and a function (lesson, given) that tests it."""

    name: str
    points: float
    test: Callable[[SimpleNamespace, Given], None]


@functools.lru_cache
def _load(stem: str) -> Lesson:
    course = Course.find()
    return Lesson.load(course.notebooks / f"{stem}.py")


class Judge:
    """Collects the hidden properties of one exercise and scores a notebook by them.

    Args:
        lesson: the lesson's stem.
        exercise: the exercise's id.
        notebook: the notebook's globals, with IPython's `In`, the list of executed cells.
        seed: decides all inputs; by default $COURSE_GRADING_SEED, else 0.
    """

    def __init__(self, lesson: str, exercise: str, notebook: dict, seed: int | None = None) -> None:
        self.lesson = _load(lesson)
        self.exercise = self.lesson.exercise(exercise)
        self.notebook = notebook
        self.seed = int(os.environ.get(SEED_VARIABLE, "0")) if seed is None else seed
        self.properties: list[Property] = []

    def property(self, name: str, points: float) -> Callable:
        """Register the decorated function (lesson, given) as a property worth `points`."""

        def register(test: Callable) -> Callable:
            self.properties.append(Property(name, points, test))
            return test

        return register

    def score(self) -> float:
        """Print which property holds and which not, and return the points earned.

        Raises:
            CourseError: the properties' points do not add up to those of the exercise.
        """
        total = sum(item.points for item in self.properties)
        if total != self.exercise.points:
            raise CourseError(
                f"{self.lesson.path}: the hidden properties of {self.exercise.id!r} are worth "
                f"{total:g} points, the cell {self.exercise.points:g}; make them agree"
            )
        earned = 0.0
        print(f"Hidden tests of {self.exercise.label}, {self.exercise.title}:")
        for item in self.properties:
            failure = self.try_property(item)
            earned += 0 if failure else item.points
            mark = "✗" if failure else "✓"
            print(f"{mark} {item.name} ({0 if failure else item.points:g} of {item.points:g})")
            if failure:
                print(f"    {failure}")
        return earned

    def try_property(self, item: Property) -> str | None:
        """Return None if the property holds in one of the two namespaces, else what went wrong."""
        failure = self.run(item, lambda: self.notebook)
        if failure is not None and self.run(item, self.among_reference) is None:
            return None
        return failure

    def among_reference(self) -> dict:
        """Return the lesson's definitions with the student's answer in its place."""
        answer_id = self.exercise.answer_cell_id
        source = reference.find_answer(self.lesson, answer_id, self.notebook.get("In", ()))
        if source is None:
            raise PropertyFailed("the answer is not defined in one cell.")
        return reference.namespace(self.lesson, {answer_id: source})

    def run(self, item: Property, names: Callable[[], dict]) -> str | None:
        """Run one property; return None if it holds, else what went wrong."""
        # Every property has inputs of its own that do not depend on which others run.
        seed = zlib.crc32(f"{self.seed}/{self.exercise.id}/{item.name}".encode())
        try:
            with _quiet(), torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                item.test(_Names(**names()), Given(seed))
        except PropertyFailed as failure:
            return str(failure)
        except Exception as error:
            return f"stopped with {type(error).__name__}: {_first_line(error)}"
        return None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else ""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what student code prints and warns out of the report."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
