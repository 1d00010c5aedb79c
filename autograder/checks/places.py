"""Where a judge finds a student's work: in the notebook it runs in, or outside, by messages.

`Inside` is for hidden tests in the notebook (plain `nbgrader autograde`), `Outside` for those in
the grader's process. While these run, `current` holds the place.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import ClassVar, Protocol

import torch
from IPython import get_ipython
from IPython.display import Image, display
from torch import Tensor

from autograder.checks import agent, pictures, private, reference
from autograder.checks.private import PrivateProperty
from autograder.checks.properties import PropertyFailed
from autograder.checks.remote import Names, NoAnswer, RemoteError, Session
from autograder.lesson import Lesson, code

SEED_VARIABLE = "COURSE_GRADING_SEED"
Place = Callable[[int], contextlib.AbstractContextManager]
"""What a property is given: called with a seed, it yields an object whose attributes are names."""


class Judging(Protocol):
    """A judge that has tried its properties in the notebook."""

    def points(self) -> float:
        """Return the points of the properties that hold so far."""

    def conclude(self) -> float:
        """Try what failed among definitions; return the points earned."""

    def holds_elsewhere(self) -> bool:
        """Whether all that failed holds among definitions."""


class _Names(SimpleNamespace):
    """The names of a notebook in this process as attributes."""

    def __getattr__(self, name: str) -> object:
        raise PropertyFailed(f"`{name}` is not defined.")


class Inside:
    """Where a judge in the notebook finds the student's work; the counterpart of `Outside`.

    Args:
        notebook: the notebook's globals, with IPython's `In`, the list of executed cells.
        seed: decides the inputs; by default $COURSE_GRADING_SEED, else 0.
    """

    # The notebook that was judged last, and its suspects; see `Outside`.
    judged: ClassVar[tuple[dict, set[str]]] = ({}, set())

    def __init__(self, lesson: Lesson, notebook: dict, seed: int | None) -> None:
        self.lesson, self.names = lesson, notebook
        if Inside.judged[0] is not notebook:
            Inside.judged = notebook, set()
        self.suspects = Inside.judged[1]
        self.cells = tuple(map(code.without_magic, notebook.get("In", ())))
        self.seed = int(os.environ.get(SEED_VARIABLE, "0")) if seed is None else seed

    def notebook(self, seed: int) -> contextlib.AbstractContextManager:
        """Yield the notebook's names."""
        return here(lambda: self.names, seed)

    @contextlib.contextmanager
    def without_leftovers(self) -> Iterator[None]:
        """Hide what the lesson's plotting and checking cells leave behind in the notebook.

        An answer that only works with such a variable is not an answer. What the student defines
        under such a name stays.
        """
        names = code.leftovers(self.lesson, self.cells) & set(self.names)
        hidden = {name: self.names.pop(name) for name in names}
        try:
            yield
        finally:
            self.names.update(hidden)

    @functools.cached_property
    def disturbed(self) -> bool:
        """Whether names of the lesson are gone from the notebook, or have another meaning."""
        return bool(reference.other_names(self.lesson, self.cells, self._kinds))

    def _kinds(self, names: list[str]) -> list[str | None]:
        return [agent.kind_in(self.names, name) for name in names]

    def substitution(
        self, answers: Mapping[str, str], anew: bool = False, own: bool = False
    ) -> Place:
        """Return a place with the lesson's definitions and these answers, made when needed.

        `own`: with all that the student's own cells do besides.
        """
        build = functools.partial(reference.namespace, self.lesson, answers, self.cells, own)
        return functools.partial(here, functools.cache(build))

    def private_properties(self, exercise: str) -> list[PrivateProperty]:
        """Return the instructor's own hidden tests of an exercise."""
        return private.for_exercise(self.lesson, exercise)

    def conclude(self, judge: Judging) -> float:
        """Return the points earned; everything is here, so nothing has to wait."""
        return judge.conclude()

    def among_definitions(self) -> contextlib.AbstractContextManager:
        """Return the context in which answers are tried among definitions; nothing needs one."""
        return contextlib.nullcontext()

    def said(self, failure: PropertyFailed, notebook: PropertyFailed | None) -> PropertyFailed:
        """Return what to say of a property that does not hold: what went wrong where it counts."""
        return failure

    def tell(self, note: str) -> None:
        """The report says it, and nobody else is there to be told."""

    def show(self, got: Tensor, expected: Tensor) -> None:
        """Display a picture of what came and what was expected."""
        picture = pictures.png(got, expected) if get_ipython() is not None else None
        if picture is not None:
            display(Image(picture, alt=pictures.ALT))


@contextlib.contextmanager
def here(names: Callable[[], dict], seed: int) -> Iterator[_Names]:
    """Yield names of this process, with random numbers from the seed."""
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        agent.plant(seed)
        try:
            yield _Names(**names())
        finally:
            agent.let_gradients("kept")


@dataclass
class Outside:
    """Where a judge in the grader's process finds a student's Python; the counterpart of `Inside`.

    Args:
        session: the student's notebook; None if its Python is lost.
        cells: the cells that were run in it.
        fresh: starts another Python, in which only definitions are run, for as long as the
            context lasts. The reference solution is among them: the notebook's Python, which may
            say what it likes, must have ended before.
        seed: decides the inputs.
        private: the instructor's own hidden tests.
        disturbed: whether names of the lesson are gone from the notebook, or have another meaning.
        suspects: the notebook's exercises whose answers were found to behave by try or by place.
        judges: those that have tried their properties in the notebook, and wait to conclude.
    """

    lesson: Lesson
    session: Session | None
    cells: tuple[str, ...]
    fresh: Callable[[], contextlib.AbstractContextManager[Session]]
    seed: int
    private: Sequence[PrivateProperty] = ()
    disturbed: bool = False
    suspects: set[str] = field(default_factory=set)
    pictures: list[bytes] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    judges: list[Judging] = field(default_factory=list)
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _fresh: Session | None = None

    @contextlib.contextmanager
    def notebook(self, seed: int) -> Iterator[Names]:
        """Yield the notebook's names."""
        if self.session is None:
            raise NoAnswer("Python stopped before this exercise.")
        self.session.begin(seed)
        yield Names(self.session, 0)

    @contextlib.contextmanager
    def without_leftovers(self) -> Iterator[None]:
        """Hide the same as `Inside` does."""
        if self.session is not None:
            with contextlib.suppress(PropertyFailed, RemoteError):
                self.session.ask("hide", sorted(code.leftovers(self.lesson, self.cells)))
        yield

    def conclude(self, judge: Judging) -> float:
        """Return the points earned so far; the rest waits until the notebook's Python has ended."""
        self.judges.append(judge)
        return judge.points()

    @contextlib.contextmanager
    def among_definitions(self) -> Iterator[None]:
        """At the end, stop the Python in which answers were tried among definitions."""
        with self._open:
            yield
        self._fresh = None

    def said(self, failure: PropertyFailed, notebook: PropertyFailed | None) -> PropertyFailed:
        """Return what to say of a property that does not hold: what the notebook has said."""
        return notebook or PropertyFailed(
            "it holds in your notebook, but not among the lesson's own definitions, where your "
            "answer earns most."
        )

    def substitution(
        self, answers: Mapping[str, str], anew: bool = False, own: bool = False
    ) -> Place:
        """Return a place with the lesson's definitions and these answers, made when first needed.

        All of an exercise share one Python, which knows no other exercise's verdict to come; `anew`
        gives the place one of its own, which knows nothing of the other places either. `own`: with
        all that the student's own cells do besides.
        """
        session: Session | None = None
        space: int | Exception | None = None  # where the definitions are, or why there are none

        @contextlib.contextmanager
        def place(seed: int) -> Iterator[Names]:
            nonlocal session, space
            if session is None:
                session = self._python(anew)
            session.begin(seed)
            if space is None:
                space = self._define(session, answers, own)
            if isinstance(space, Exception):
                raise space
            session.begin(seed)
            yield Names(session, space)

        return place

    def _python(self, anew: bool) -> Session:
        """Return the Python that the places of an exercise share, or one `anew`."""
        if anew:
            return self._open.enter_context(self.fresh())
        if self._fresh is None:
            self._fresh = self._open.enter_context(self.fresh())
        return self._fresh

    def _define(self, session: Session, answers: Mapping[str, str], own: bool) -> int | Exception:
        try:
            parts = reference.sources(self.lesson, answers, self.cells, own)
            space = session.ask("define", [part.sent() for part in parts])
        except Exception as failure:
            return failure
        return space if type(space) is int else PropertyFailed("no definitions.")

    def private_properties(self, exercise: str) -> list[PrivateProperty]:
        """Return the instructor's own hidden tests of an exercise."""
        return [item for item in self.private if item.exercise == exercise]

    def tell(self, note: str) -> None:
        """Keep a sentence for the instructor."""
        self.notes.append(note)

    def show(self, got: Tensor, expected: Tensor) -> None:
        """Keep a picture of what came and what was expected for the feedback."""
        picture = pictures.png(got, expected)
        if picture is not None:
            self.pictures.append(picture)


current: ContextVar[Outside | None] = ContextVar("outside", default=None)
