"""Hidden tests in the grader's process, asking a student's Python by messages.

`run_hidden` runs the hidden region of a tests cell, the very text that plain `nbgrader autograde`
runs in the notebook. While it runs, `current` tells the judge where the student's Python is.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import io
import math
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import CodeType, FunctionType
from typing import Any

from autograder.checks import reference
from autograder.checks.places import Outside, current
from autograder.checks.private import PrivateProperty
from autograder.checks.properties import PropertyFailed
from autograder.checks.remote import Names, RemoteError, Session
from autograder.errors import LOG, CourseError
from autograder.lesson import Lesson, code
from autograder.lesson.cells import Exercise
from autograder.lesson.markers import BEGIN_HIDDEN, END_HIDDEN


@dataclass(frozen=True)
class Verdict:
    """What hidden tests found: points, a report, and why they stopped, if they did.

    notes: what a person should know, a sentence each.
    """

    points: float
    report: str
    failure: str = ""
    pictures: tuple[bytes, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class Hearing:
    """What hidden tests have found in a notebook, and how to come from there to a verdict.

    points: earned so far; most: what the exercise may give.
    report: what the region has printed.
    stopped: whether the visible checks have stopped, so that the exercise gets no points.
    other_names: names of the lesson that are gone from the notebook, or have another meaning.
    """

    outside: Outside
    points: float
    most: float
    report: str
    failure: str = ""
    stopped: bool = False
    other_names: Sequence[str] = ()

    @functools.cached_property
    def verdict(self) -> Verdict:
        """The verdict: what failed is tried among definitions now. The notebook must have ended."""
        points, report = self.points, io.StringIO(self.report)
        report.seek(0, io.SEEK_END)
        with contextlib.redirect_stdout(report):
            for judge in self.outside.judges:
                before = judge.points()
                points += judge.conclude() - before
        pictures, notes = tuple(self.outside.pictures), tuple(self.outside.notes)
        return Verdict(score(points, self.most), report.getvalue(), self.failure, pictures, notes)

    @property
    def points_lost(self) -> bool:
        """Whether the exercise does not get all its points."""
        return self.stopped or self.verdict.points < self.most

    @functools.cached_property
    def holds_elsewhere(self) -> bool:
        """Whether an answer whose visible checks have stopped holds among definitions."""
        judges = self.outside.judges if self.stopped else []
        return bool(judges) and all(judge.holds_elsewhere() for judge in judges)


def run_hidden(source: str, points: float, outside: Outside) -> Hearing:
    """Run the hidden region of a tests cell, which may give so many points, in this process.

    Raises CourseError if the hidden tests themselves, or the machine, do not allow a judgement.
    """
    body, last = hidden_region(source)
    report, earned, failure = io.StringIO(), 0.0, ""
    token = current.set(outside)
    try:
        with contextlib.redirect_stdout(report):
            names = {"__name__": "hidden_tests"} | reference.modules(outside.lesson)
            names |= notebook_names((body, last), outside)
            exec(compile(body, "<hidden tests>", "exec"), names)
            value = eval(compile(last, "<hidden tests>", "eval"), names)
            earned = score(value, points)
    except RemoteError as error:
        failure = f"{error.kind}: {error}"
    except PropertyFailed as error:
        failure = str(error)
    except CourseError:
        raise
    except Exception as error:
        LOG.exception("the hidden tests stopped")
        failure = f"{type(error).__name__}: {error}"
    finally:
        current.reset(token)
    return Hearing(outside, earned, points, report.getvalue(), failure)


@dataclass
class Examiner:
    """Hears the exercises of one notebook.

    Args:
        connect: returns a connection on which the notebook's kernel answers, once it was told to.
        interrupt: interrupts the kernel; stopwatch: see Session.
        fresh: starts another Python for this many seconds; see Outside.
        seconds: what one property may take; the properties of an exercise may take twice as much.
        patience: see Session.
        known: hearings that stand, by exercise, and those held here while the kernel lived. What
            a run has learned is of no use to the next run of the same notebook.
        suspects: see Outside.
    """

    lesson: Lesson
    connect: Callable[[], socket.socket]
    interrupt: Callable[[], object]
    stopwatch: Callable[[], Callable[[], float]]
    fresh: Callable[[float], contextlib.AbstractContextManager[Session]]
    seed: int
    private: Sequence[PrivateProperty]
    seconds: float
    patience: float
    known: dict[str, Hearing] = field(default_factory=dict)
    suspects: set[str] = field(default_factory=set)
    lost: bool = field(default=False, init=False)

    def examine(
        self, exercise: Exercise, source: str, cells: Iterable[str], *, alive: bool, stopped: bool
    ) -> Hearing:
        """Hear one exercise by the hidden region of its cell.

        `alive`: whether the kernel is; `stopped`: whether the visible checks have stopped. Then
        nothing is to be earned in the notebook.
        """
        session = None
        if alive and not self.lost:
            try:
                times = (self.seconds, 2 * self.seconds, self.patience)
                session = Session(self.connect(), self.interrupt, *times, stopwatch=self.stopwatch)
            except OSError:
                self.lost = True
        cells = tuple(cells)
        other = other_names(self.lesson, cells, session) if session is not None else []
        outside = Outside(
            self.lesson,
            None if stopped else session,
            cells,
            functools.partial(self.fresh, 2 * self.seconds),
            self.seed,
            self.private,
            bool(other),
            self.suspects,
        )
        if stopped and "Judge(" not in source:
            hearing = Hearing(outside, 0, exercise.points, "")
        else:
            hearing = run_hidden(source, exercise.points, outside)
        hearing.stopped, hearing.other_names = stopped, other
        if session is not None:
            session.close()
            self.lost = session.lost
            if not self.lost and not stopped:
                self.known[exercise.id] = hearing
        return hearing


def score(value: Any, points: float) -> float:
    """Return the points that a last value stands for; raise PropertyFailed if it is no number."""
    if type(value) not in (bool, int, float) or not math.isfinite(value):
        raise PropertyFailed("the hidden tests gave no number of points.")
    return min(max(float(value), 0.0), float(points))


def other_names(lesson: Lesson, cells: Sequence[str], session: Session) -> list[str]:
    """Return the names of the lesson's that are gone from a student's notebook, or are others."""
    session.begin(0)
    with contextlib.suppress(PropertyFailed, RemoteError):
        return reference.other_names(lesson, cells, lambda names: session.ask("kinds", names))
    return []


def hidden_region(source: str) -> tuple[ast.Module, ast.Expression]:
    """Return the statements of a hidden region, and the expression that gives its points."""
    region = source[source.index(BEGIN_HIDDEN) : source.index(END_HIDDEN)]
    *body, last = ast.parse(region).body
    if not isinstance(last, ast.Expr):
        raise PropertyFailed("the hidden tests do not end with their points.")
    return ast.Module(body, []), ast.Expression(last.value)


def notebook_names(trees: Iterable[ast.AST], outside: Outside) -> dict:
    """Return those of the notebook's names that a region uses itself, without a judge.

    What the lesson gives is the lesson's own here, whatever the notebook has made of it.
    """
    used = code.names_used(trees) & code.names_of(outside.lesson)
    given = given_values(outside.lesson)
    names = {name: given[name] for name in used & set(given)}
    wanted = sorted(used - set(reference.modules(outside.lesson)) - code.BUILTINS - set(given))
    if not wanted or outside.session is None:
        return names
    outside.session.begin(0)
    for name in wanted:
        with contextlib.suppress(PropertyFailed):
            names[name] = getattr(Names(outside.session, 0), name)
    return names


@functools.lru_cache
def given_values(lesson: Lesson) -> dict[str, object]:
    """Return the functions and plain values that a lesson defines without using any answer.

    Classes are not among them: their objects have to be where the student's code is.
    """
    students = {name for cell in lesson.answers for name in code.names_bound(cell.source)}
    names = reference.defined(lesson)
    size = -1
    while size != len(students):  # a function may use an answer by way of another one
        size = len(students)
        students |= {name for name, value in names.items() if _names_in(value) & students}
    plain = (FunctionType, bool, int, float, str, tuple)
    return {
        name: value
        for name, value in names.items()
        if name in code.names_of(lesson) - students and type(value) in plain
    }


def _names_in(value: object) -> set[str]:
    """Return the names that a function uses, with the functions inside of it."""
    body = getattr(value, "__code__", value)
    if not isinstance(body, CodeType):
        return set()
    return set(body.co_names).union(*map(_names_in, body.co_consts))
