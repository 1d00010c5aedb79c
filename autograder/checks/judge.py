"""Judge one exercise by its hidden properties.

They are tried in the student's own notebook and, if some fail there, with the student's answer
among the definitions of the lesson: first alone, so that a mistake made elsewhere costs nothing
here, then with the answers just before it, because work may be moved from one to the next. The
place where the answer earns most counts, for all properties together. Where that is not the
notebook, the result must be the same when it is tried again, and something else of the student's
must be to blame for what the notebook shows: another answer, a cell of their own, a name that has
another meaning there. An answer that fares better for no such reason behaves by the place it is in:
then what it earns in the notebook counts, and a person is told. What comes after such an answer may
fail because of it, and keeps its points; of that, too, a person is told.

These definitions are the reference solution's. Judged from outside, an answer is only tried among
them when the notebook's Python has ended, and nothing comes back but whether a property holds: what
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
from autograder.lesson.markers import strip_stubs

NEIGHBOURS = 2  # as many answers before the one that is judged may share its work
UNSTEADY = (
    "{}: tried twice with the same inputs, the answer gives different results. The lowest points "
    "count: look at its code."
)
PLACED = (
    "{}: the answer earns less in its notebook than outside of it, and nothing else there is to "
    "blame. The lower points count: look whether its code asks where it runs."
)
AFTER_THAT = (
    "{}: the answer earns less in its notebook than outside of it, where an earlier answer that "
    "does so may be to blame. The higher points count: look whether this one asks, too."
)
DISTURBED = (
    "{}: the answer earns less in its notebook than outside of it, where cells of the student's "
    "own or names with another meaning may be to blame. The higher points count: look at them."
)

Failures = list[PropertyFailed | None]  # of each property; None where it holds


@functools.lru_cache
def _load(stem: str) -> Lesson:
    return Lesson.load(Course.find().lesson_path(stem))


def _stand_together(one: FunctionType, other: FunctionType) -> bool:
    return one.__code__.co_filename == other.__code__.co_filename


def _among(names: dict, function: FunctionType) -> FunctionType:
    """Return the function with these names in place of those that it would look up."""
    body, defaults, closure = function.__code__, function.__defaults__, function.__closure__
    made = FunctionType(body, names, function.__name__, defaults, closure)
    made.__kwdefaults__ = function.__kwdefaults__
    return made


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
        self.items: list[Property] = []
        self.in_notebook: Failures = []
        self.best: Failures = []

    def property(
        self, name: str, points: float, *, essential: bool = False, general: bool = False
    ) -> Callable:
        """Register the decorated function (lesson, given) as a property worth `points`.

        An answer that lacks an `essential` one keeps at most a third of the exercise's points, one
        that lacks a `general` one, for it is right in a single case, at most half.
        """

        def register(test: FunctionType) -> FunctionType:
            shielded = self.shielded(test)
            item = Property(name, points, shielded, essential=essential, general=general)
            self.properties.append(item)
            return test

        return register

    def shielded(self, test: FunctionType) -> FunctionType:
        """Return the test as it is, but blind to names that the student has given another meaning.

        A notebook in which `sum` or `math` is a number must not break the test itself.
        """
        names = {k: v for k, v in self.notebook.items() if k not in code.BUILTINS}
        names |= reference.modules(self.lesson)
        for name, helper in list(names.items()):  # those of the same cell use names as well
            if isinstance(helper, FunctionType) and _stand_together(helper, test):
                names[name] = _among(names, helper)
        return _among(names, test)

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
        self.items = self.with_private()
        with self.where.without_leftovers():
            self.in_notebook = self.best = self.failures(self.where.notebook)
        return self.where.conclude(self)

    def points(self) -> float:
        """Return the points earned, as far as the properties have been tried."""
        return self.earned(self.best)

    def conclude(self) -> float:
        """Try what failed in the notebook among the lesson's definitions, and print what holds.

        Returns the points earned.
        """
        print(f"Hidden tests of {self.exercise.label}, {self.exercise.title}:")
        with self.where.among_definitions():
            self.best, note = self.judged()
        for item, failure, before in zip(self.items, self.best, self.in_notebook, strict=True):
            mark = "✗" if failure else "✓"
            points = round(item.points, 2)
            print(f"{mark} {item.name} ({0 if failure else points:g} of {points:g})")
            if failure:
                said = self.where.said(failure, before)
                print(textwrap.indent(textwrap.fill(str(said), 92), "    "))
                if said.tensors:
                    self.where.show(*said.tensors)
        earned = self.points()
        if earned < sum_of_held(self.items, self.best):
            print(
                f"This is not yet what the exercise asks for: {earned:g} of "
                f"{self.exercise.points:g} points at most."
            )
        if note:
            note = note.format(self.exercise.label)
            self.where.tell(note)
            print(textwrap.fill(note, 96))
        return earned

    def holds_elsewhere(self) -> bool:
        """Whether all properties hold with the answer among the lesson's definitions."""
        with self.where.among_definitions():
            places = map(self.where.substitution, self.substitutions)
            return any(
                all(self.failure_in(place, item) is None for item in self.items) for place in places
            )

    def earned(self, failures: Failures) -> float:
        """Return the points of the properties that hold, or what is left without the others.

        That is cut to halves of a point; see `Property.share`.
        """
        pairs = zip(self.items, failures, strict=True)
        share = min([1.0, *(item.share for item, failure in pairs if failure)])
        left = math.floor(2 * self.exercise.points * share) / 2
        return min(sum_of_held(self.items, failures), left if share < 1 else math.inf)

    def with_private(self) -> list[Property]:
        """Return the properties and the instructor's own; they share the exercise's points."""
        private = self.where.private_properties(self.exercise.id)
        if not private:
            return self.properties
        items = [*self.properties, *private]
        share = self.exercise.points / sum(item.points for item in items)
        return [replace(item, points=item.points * share) for item in items]

    def judged(self) -> tuple[Failures, str]:
        """Return what fails where the answer earns most, and what a person should know, or ""."""
        best, found = self.in_notebook, None
        for number, answers in enumerate(self.substitutions):
            if not any(best):
                break
            failures = self.failures(self.where.substitution(answers))
            points, most = self.earned(failures), self.earned(best)
            if points > most:
                found = answers
            # With the answer alone among the lesson's definitions, the mistake is the answer's own.
            if points > most or (number == 0 and points == most):
                best = failures
        if found is None:
            return best, ""
        again = self.failures(self.where.substitution(found, anew=True))
        if held(again) != held(best) and not stopped(again):
            self.where.suspects.add(self.exercise.id)
            return min(self.in_notebook, best, again, key=self.earned), UNSTEADY
        everything = self.answers_up_to_here()
        # A notebook that had ended, or took too long, was no try of its own.
        if everything is None or stopped(self.in_notebook) or not self.is_better(everything):
            return best, ""
        if self.where.disturbed or not self.is_better(everything, own=True):
            return best, DISTURBED
        ids = [exercise.id for exercise in self.lesson.tested]
        if self.where.suspects & set(ids[: ids.index(self.exercise.id)]):
            return best, AFTER_THAT
        self.where.suspects.add(self.exercise.id)
        return self.in_notebook, PLACED

    def is_better(self, answers: dict[str, str], own: bool = False) -> bool:
        """Whether these answers earn more than in the notebook, `own`: beside the own cells."""
        place = self.where.substitution(answers, anew=True, own=own)
        return self.earned(self.failures(place)) > self.earned(self.in_notebook)

    def failures(self, place: Place) -> Failures:
        """Return what fails in a place."""
        return [self.failure_in(place, item) for item in self.items]

    def failure_in(self, place: Place, item: Property) -> PropertyFailed | None:
        """Return None if a property holds in a place, else what went wrong."""
        return failure_of(self.exercise.id, item, place, self.where.seed)

    @functools.cached_property
    def substitutions(self) -> list[dict[str, str]]:
        """The student's answer by its id, alone and with those before it.

        Empty if no executed cell defines the answer, or the answer is still as it was given. An
        answer before it that is the lesson's own changes nothing, and is left out.
        """
        ids = [cell.name for cell in self.lesson.answers]
        index = ids.index(self.exercise.answer_cell_id)
        answers: dict[str, str] = {}
        found: list[dict[str, str]] = []
        for id in reversed(ids[max(0, index - NEIGHBOURS) : index + 1]):
            source = reference.find_answer(self.lesson, id, self.where.cells)
            if source is None or (not answers and reference.is_stub(self.lesson, id, source)):
                break
            answers = answers | {id: source}
            if not found or source != strip_stubs(self.lesson.cell(id).source):
                found.append(answers)
        return found

    def answers_up_to_here(self) -> dict[str, str] | None:
        """Return all the student's answers up to this one, None if one of them is missing."""
        ids = [cell.name for cell in self.lesson.answers]
        ids = ids[: ids.index(self.exercise.answer_cell_id) + 1]
        found = {id: reference.find_answer(self.lesson, id, self.where.cells) for id in ids}
        answers = {id: source for id, source in found.items() if source is not None}
        return answers if len(answers) == len(found) else None


def stopped(failures: Failures) -> bool:
    """Return whether Python gave no answer in time to one of the properties, or none at all."""
    return any(isinstance(failure, remote.NoAnswer) for failure in failures)


def held(failures: Failures) -> list[bool]:
    """Return of each property whether it holds."""
    return [failure is None for failure in failures]


def sum_of_held(items: list[Property], failures: Failures) -> float:
    """Return the points of the properties that hold."""
    points = sum(item.points for item, failure in zip(items, failures, strict=True) if not failure)
    return round(points, 6)  # shares may add up to a little more than the whole


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
