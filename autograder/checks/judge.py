"""Judge one exercise by its hidden properties.

Each property is tried in the student's own notebook and, if it fails there, with the student's
answer among the definitions of the lesson: first alone, so that a mistake made elsewhere costs
nothing here, then with the answers just before it, because work may be moved from one to the next.
The best result counts.

These definitions are the reference solution's. Judged from outside, an answer is only tried among
them when the notebook's Python has ended, and nothing but whether a property holds comes back: what
a student reads was said by the notebook, where no reference is.
"""

from __future__ import annotations

import contextlib
import functools
import io
import math
import textwrap
import warnings
import zlib
from collections.abc import Callable
from dataclasses import replace
from types import FunctionType

from autograder.checks import reference, remote
from autograder.checks.given import Given
from autograder.checks.places import Inside, Place, current
from autograder.checks.properties import Property, PropertyFailed
from autograder.course import Course
from autograder.errors import LOG, CourseError
from autograder.lesson import Lesson, code

NEIGHBOURS = 2  # as many answers before the one that is judged may share its work


@functools.lru_cache
def _load(stem: str) -> Lesson:
    return Lesson.load(Course.find().lesson_path(stem))


class Judge:
    """Collects the hidden properties of one exercise and scores a notebook by them.

    In a notebook, the judge looks at the notebook's own names. Where the grader runs the hidden
    tests in its own process (`places.current`), it asks a student's Python for its names.

    Args:
        lesson: the lesson's stem.
        exercise: the exercise's id.
        notebook, seed: see `places.Inside`.
    """

    def __init__(self, lesson: str, exercise: str, notebook: dict, seed: int | None = None) -> None:
        self.where = current.get() or Inside(_load(lesson), notebook, seed)
        self.lesson = self.where.lesson
        self.exercise = self.lesson.exercise(exercise)
        self.notebook = notebook
        self.properties: list[Property] = []
        self.failures: dict[Property, PropertyFailed | None] = {}

    def property(self, name: str, points: float) -> Callable:
        """Register the decorated function (lesson, given) as a property worth `points`."""

        def register(test: FunctionType) -> FunctionType:
            self.properties.append(Property(name, points, self.shielded(test)))
            return test

        return register

    def shielded(self, test: FunctionType) -> FunctionType:
        """Return the test as it is, but blind to names that the student has given another meaning.

        A notebook in which `sum` or `math` is a number must not break the test itself.
        """
        names = {k: v for k, v in self.notebook.items() if k not in code.BUILTINS}
        return FunctionType(
            test.__code__,
            names | reference.modules(self.lesson),
            test.__name__,
            test.__defaults__,
            test.__closure__,
        )

    def score(self) -> float:
        """Print which property holds and which not, and return the points earned.

        Raises CourseError if the properties' points do not add up to those of the exercise.
        """
        total = sum(item.points for item in self.properties)
        if not math.isclose(total, self.exercise.points):
            raise CourseError(
                f"{self.lesson.path}: the hidden properties of {self.exercise.id!r} are worth "
                f"{total:g} points, the cell {self.exercise.points:g}; make them agree"
            )
        with self.where.without_leftovers():
            self.failures = {
                item: self.failure_in(self.where.notebook, item) for item in self.with_private()
            }
        return self.where.conclude(self)

    def earned(self) -> float:
        """Return the points of the properties that hold, as far as they have been tried."""
        points = sum(item.points for item, failure in self.failures.items() if failure is None)
        return round(points, 6)  # shares may add up to a little more than the whole

    def conclude(self) -> float:
        """Try what failed in the notebook among the lesson's definitions, and print what holds.

        Returns the points earned.
        """
        print(f"Hidden tests of {self.exercise.label}, {self.exercise.title}:")
        with self.where.among_definitions():
            for item, failure in self.failures.items():
                failure = self.failures[item] = failure and self.try_elsewhere(item, failure)
                mark = "✗" if failure else "✓"
                points = round(item.points, 2)
                print(f"{mark} {item.name} ({0 if failure else points:g} of {points:g})")
                if failure:
                    print(textwrap.indent(textwrap.fill(str(failure), 92), "    "))
                    if failure.tensors:
                        self.where.show(*failure.tensors)
        return self.earned()

    def with_private(self) -> list[Property]:
        """Return the properties and the instructor's own; they share the exercise's points."""
        private = self.where.private_properties(self.exercise.id)
        if not private:
            return self.properties
        items = [*self.properties, *private]
        share = self.exercise.points / sum(item.points for item in items)
        return [replace(item, points=item.points * share) for item in items]

    def try_elsewhere(self, item: Property, failure: PropertyFailed) -> PropertyFailed | None:
        """Return None if the property holds among the lesson's definitions, else what to say.

        `failure` is what went wrong in the notebook.
        """
        failures = []
        for place in self.substitutions:
            other = self.failure_in(place, item)
            if other is None:
                return None
            failures.append(other)
        return self.where.told(failure, failures)

    def holds_elsewhere(self) -> bool:
        """Whether all that failed in the notebook holds among the lesson's definitions."""
        with self.where.among_definitions():
            return all(
                failure is None or self.try_elsewhere(item, failure) is None
                for item, failure in self.failures.items()
            )

    def failure_in(self, place: Place, item: Property) -> PropertyFailed | None:
        """Return None if a property holds in a place, else what went wrong."""
        return failure_of(self.exercise.id, item, place, self.where.seed)

    @functools.cached_property
    def substitutions(self) -> list[Place]:
        """The lesson's definitions with the student's answer, alone and with those before it.

        Empty if no executed cell defines the answer, or the answer is still as it was given.
        """
        ids = [cell.name for cell in self.lesson.answers]
        index = ids.index(self.exercise.answer_cell_id)
        answers: dict[str, str] = {}
        places: list[Place] = []
        for id in reversed(ids[max(0, index - NEIGHBOURS) : index + 1]):
            source = reference.find_answer(self.lesson, id, self.where.cells)
            if source is None or (not answers and reference.is_stub(self.lesson, id, source)):
                break
            answers = answers | {id: source}
            places.append(self.where.substitution(answers))
        return places


def failure_of(exercise: str, item: Property, place: Place, seed: int) -> PropertyFailed | None:
    """Run one property of an exercise with the names of a place, its inputs from the seed.

    Returns None if the property holds, else why it does not.

    Raises CourseError for the grader's own trouble, which costs nobody points.
    """
    # Every property has inputs of its own that do not depend on which others run. The student's
    # random numbers come from another seed: theirs could tell the inputs.
    name = f"{exercise}/{item.name}"
    given = Given(zlib.crc32(f"{seed}/{name}".encode()))
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            place(zlib.crc32(name.encode())) as lesson,
        ):
            item.test(lesson, given)
    except PropertyFailed as failure:
        return failure
    except CourseError:
        raise
    except (Exception, SystemExit) as error:
        if not isinstance(error, remote.RemoteError):  # a student's own; else whose is it?
            LOG.info("%s, %s:", exercise, item.name, exc_info=True)
        return PropertyFailed(_first_line(error))
    return None


def _first_line(error: BaseException) -> str:
    name = error.kind if isinstance(error, remote.RemoteError) else type(error).__name__
    lines = str(error).strip().splitlines()
    if name == "ExerciseToDo" and lines:  # the lesson's own words for a block that was left open
        return lines[0]
    return f"stopped with {name}: {lines[0]}" if lines else f"stopped with {name}"
