"""A student's Python as the hidden checks see it from the grader's process.

Objects of the student's stand here as `Ref`: reading an attribute or calling it asks the agent in
the student's process (agent.py). Numbers, text and tensors are copies, made by this process from
plain bytes. So a check's own arithmetic and comparisons are out of a submission's reach.
"""

from __future__ import annotations

import builtins
import contextlib
import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import InitVar, dataclass, field
from typing import Any

from torch import Tensor

from autograder.checks import agent
from autograder.checks.properties import PropertyFailed

MAX_LENGTH = 10_000
SOON = 1.0  # seconds
MOST_TEXT = 300  # characters of an error that a student's code raises
# Bytes that all answers of one property may take, and those of one question of the student's: what
# a check does with the latter may need the square of it.
MAX_RECEIVED = 512 * 2**20
MAX_ASKED = 2**16


# What may be the name of an exception where a student's Python is not to say anything of its own.
KNOWN_KINDS = {name for name, value in vars(builtins).items() if isinstance(value, type)}
KNOWN_KINDS |= {"ExerciseToDo"}


class NoAnswer(PropertyFailed):
    """The student's process does not answer, not in time, or not with answers."""


class RemoteError(Exception):
    """Student code has raised an exception; `kind` is its name there."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(eq=False)
class Session:
    """Questions to one agent.

    Args:
        connection: the socket to it.
        interrupt: interrupts what the student's process is doing.
        seconds: what one property may take.
        total: what all properties asked in this session may take together.
        patience: how long an interrupted process may take to answer again.
        stopwatch: begins to measure time as limits count it, and returns what says how much of it
            has gone by since that was last asked; None for that of the clock on the wall.
        wordless: whether no word of the student's process is taken over, not even in an error.
    """

    connection: socket.socket
    interrupt: Callable[[], object]
    seconds: float = 30
    total: InitVar[float] = 60
    patience: float = 5
    stopwatch: Callable[[], Callable[[], float]] | None = None
    wordless: bool = False
    functions: list[Callable] = field(default_factory=list, init=False)
    told: list[tuple[str, tuple]] = field(default_factory=list, init=False)
    received: int = field(default=0, init=False)
    arrived: bytearray = field(default_factory=bytearray, init=False)  # and not looked at yet
    lost: bool = field(default=False, init=False)

    def __post_init__(self, total: float) -> None:
        self.left_in_all = self.left = total

    def begin(self, seed: int) -> None:
        """Begin a property: its time runs from now, and its random numbers come from the seed."""
        self._settle()
        self.functions.clear()
        self.received = 0
        self.left = min(self.left_in_all, self.seconds)
        self.tell("begin", seed)

    def tell(self, op: str, *given: object) -> None:
        """Let something be done before the next question; what it raises is that one's answer."""
        self.told.append((op, given))

    def _settle(self) -> None:
        """See that what was told is done, whatever comes of it."""
        if self.told:
            with contextlib.suppress(RemoteError, PropertyFailed):
                self.ask("len", ())

    def close(self) -> None:
        """Tell the agent that there are no more questions."""
        self._settle()
        if not self.lost:
            with contextlib.suppress(OSError):
                agent.send(self.connection, {"op": "end"})

    def ask(self, op: str, *given: object) -> Any:
        """Return the answer to a question; raise RemoteError, or NoAnswer if there is none."""
        if self.lost:
            raise NoAnswer("Python no longer answers.")
        encoder = agent.Encoder(self._name)
        told, self.told = self.told, []
        head = {
            "op": op,
            "told": [[what, [encoder.value(value) for value in values]] for what, values in told],
            "given": [encoder.value(value) for value in given],
        }
        try:
            return self._exchange(head, bytes(encoder.body), given)
        except RemoteError:
            raise
        except TimeoutError:
            self._stop()
            raise NoAnswer("it takes too long.") from None
        except OSError:
            self.lost = True
            raise NoAnswer("Python stopped.") from None
        except Exception as error:  # whatever bytes that are no answer lead to
            self.lost = True
            raise NoAnswer(f"the answer is none ({type(error).__name__}).") from None

    def _exchange(self, head: dict, body: bytes, given: Sequence[object]) -> Any:
        """Send a question and return the answer, serving the student's calls in between."""
        self._send(head, body)
        while True:
            head, body = agent.receive(self._read)
            if "function" not in head:
                break
            self._serve(head, body)
        decoder = agent.Decoder(body, self._known)
        match head:
            case {"error": [str(kind), str(message)]}:
                if self.wordless:
                    raise RemoteError(kind if kind in KNOWN_KINDS else "Exception", "")
                raise RemoteError(kind[:100], message[:MOST_TEXT])
            case {"ok": value}:
                result = decoder.value(value)
            case _:
                raise agent.BadMessage("no answer")
        for change in head.get("changed") or ():
            self._change(given, change, decoder)
        return result

    def _change(self, given: Sequence[object], change: object, decoder: agent.Decoder) -> None:
        """Note what a call has done to its arguments; see `as_left`.

        The tensors themselves stay as they were: a check may compute from them what it expects.
        """
        args = given[1] if len(given) > 1 and isinstance(given[1], tuple) else ()
        tensors = [value for value in args if isinstance(value, Tensor)]
        match change:
            case [int(number), dict(head)] if 0 <= number < len(tensors):
                new = decoder.value(head)
                if isinstance(new, Tensor) and new.shape == tensors[number].shape:
                    tensors[number].left_as = new  # type: ignore[attr-defined]
                    return
        raise agent.BadMessage("no such change")

    def _serve(self, head: dict, body: bytes) -> None:
        """Answer a question of the student's: a function that was passed to them is called."""
        number = head["function"]
        if type(number) is not int or not 0 <= number < len(self.functions):
            raise agent.BadMessage("no such function")
        decoder, encoder = agent.Decoder(body), agent.Encoder()
        try:
            if len(body) > MAX_ASKED:
                raise ValueError("the arguments are too large")
            args, kwargs = map(decoder.value, (head.get("args"), head.get("kwargs")))
            answer = {"ok": encoder.value(self.functions[number](*args, **kwargs))}
        except Exception as error:
            answer = {"error": str(error)}
        self._send(answer, bytes(encoder.body))

    def _send(self, head: dict, body: bytes) -> None:
        self.connection.settimeout(max(0.01, self.left))
        agent.send(self.connection, head, body)

    def _read(self, size: int) -> bytes:
        """Return exactly that many bytes before the deadline; raise TimeoutError or OSError."""
        self.received += size
        if self.received > MAX_RECEIVED:
            raise agent.BadMessage("too much")
        while len(self.arrived) < size:
            self._wait()
            part = self.connection.recv(2**20)
            if not part:
                raise OSError("the connection was closed")
            self.arrived += part
        data = bytes(self.arrived[:size])
        del self.arrived[:size]
        return data

    def _wait(self) -> None:
        """Wait until something can be read; raise TimeoutError if that takes too long."""
        counted = None
        while self.left > 0:
            begun = time.monotonic()
            most = self.left if self.stopwatch is None else min(self.left, SOON)
            ready = select.select([self.connection], [], [], most)[0]
            # Most answers come soon, and for those it is not worth to look more closely.
            seconds = time.monotonic() - begun if counted is None else counted()
            self.left -= seconds
            self.left_in_all -= seconds
            if ready:
                return
            if counted is None and self.stopwatch is not None:
                counted = self.stopwatch()
        raise TimeoutError

    def _stop(self) -> None:
        """Interrupt the student's process; it is lost unless it then answers the question."""
        self.lost = True
        self.left = self.patience
        with contextlib.suppress(Exception):
            self.interrupt()
            head, _ = agent.receive(self._read)
            # A late answer is one, too, but comes too late.
            self.lost = "function" in head

    def _name(self, value: object) -> dict:
        """Return what names a Ref or a function of this process; see agent.Encoder."""
        if isinstance(value, Ref):
            return {"ref": value._number}
        if isinstance(value, Tensor):
            return {}
        if callable(value):
            self.functions.append(value)
            return {"function": len(self.functions) - 1}
        raise TypeError(f"{type(value).__name__} cannot be sent to the student's Python")

    def _known(self, head: dict, value: Tensor | None = None) -> object:
        """Return a Ref, or the tensor with the Ref that it is a copy of."""
        number, kind = head.get("ref"), head.get("type")
        if type(number) is not int or not isinstance(kind, str):
            raise agent.BadMessage("unknown value")
        ref = Ref(self, number, kind[:100])
        if value is None:
            return ref
        value.copy_of = ref  # type: ignore[attr-defined]
        return value


class Ref:
    """An object in a student's process."""

    __slots__ = ("_session", "_number", "_kind")
    _session: Session
    _number: int
    _kind: str

    def __init__(self, session: Session, number: int, kind: str) -> None:
        for name, value in zip(self.__slots__, (session, number, kind), strict=True):
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self._session.ask("get", self, name)
        except RemoteError as error:
            if error.kind == "AttributeError":
                raise AttributeError(str(error)) from None
            raise

    def __setattr__(self, name: str, value: object) -> None:
        self._session.ask("set", self, name, value)

    def __call__(self, *args: object, **kwargs: object) -> Any:
        """Call the student's object in the student's process."""
        return self._session.ask("call", self, args, kwargs)

    def __getitem__(self, key: object) -> Any:
        return self._session.ask("item", self, key)

    def __len__(self) -> int:
        try:
            length = self._session.ask("len", self)
        except RemoteError as error:
            if error.kind == "TypeError":  # so `list` can take a generator
                raise TypeError(str(error)) from None
            raise
        if type(length) is not int or length < 0:
            raise PropertyFailed("its length is not a number.")
        return length

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator:
        items = self._session.ask("iterate", self, MAX_LENGTH)
        if type(items) is not list:
            raise PropertyFailed("it cannot be iterated over.")
        return iter(items)


class Names:
    """The names of one namespace in a student's process as attributes, as they are found first."""

    def __init__(self, session: Session, space: int) -> None:
        self._session, self._space = session, space

    def __getattr__(self, name: str) -> Any:
        match self._session.ask("lookup", self._space, name):
            case [value]:
                self.__dict__[name] = value
                return value
        raise PropertyFailed(f"`{name}` is not defined.")


# What checks do to objects that may be here or there.


def remote(value: object) -> Ref | None:
    """Return the object in a student's process that this is or copies, None if there is none."""
    return value if isinstance(value, Ref) else getattr(value, "copy_of", None)


def type_name(value: object) -> str:
    """Return the name of a value's type, wherever it is."""
    return value._kind if isinstance(value, Ref) else type(value).__name__


def identity(value: object) -> object:
    """Return what two values have in common if, and only if, they are the same object."""
    ref = remote(value)
    return id(value) if ref is None else (id(ref._session), ref._number)


def as_left(value: object) -> object:
    """Return a tensor as the student code that it was given to has left it; all else as it is."""
    return getattr(value, "left_as", value) if isinstance(value, Tensor) else value


def assign(tensor: Tensor, values: Tensor) -> None:
    """Give a tensor new values, in place."""
    ref = remote(tensor)
    if ref is not None:
        ref._session.tell("assign", ref, values)
    agent.assign(tensor, values)


def use(near: object, modules: Sequence[Any], way: tuple[bool, str, bool]) -> None:
    """Let modules be used in some way where `near` is; see `agent.use`."""
    ref = remote(near)
    if ref is None:
        agent.use(modules, *way)
    else:
        ref._session.tell("use", modules, *way)


def leaf(near: object, values: Tensor) -> Tensor:
    """Return a copy of a tensor that gradients can be asked for, where `near` is."""
    ref = remote(near)
    return agent.leaf(values) if ref is None else ref._session.ask("leaf", values)


def original(tensor: Tensor) -> Tensor | Ref:
    """Return what a tensor is a copy of, to be handed on with its gradients; else the tensor."""
    return remote(tensor) or tensor


def gradients(result: Tensor, direction: Tensor, leaves: Sequence[Tensor]) -> list[Tensor | None]:
    """Return the gradients of (result · direction).sum() with respect to the leaves."""
    ref = remote(result)
    if ref is None:
        return agent.gradients(result, direction, leaves)
    answer = ref._session.ask("gradients", ref, direction, [remote(leaf) for leaf in leaves])
    for gradient, leaf in zip(answer, leaves, strict=True):
        if gradient is not None and (
            not isinstance(gradient, Tensor) or gradient.shape != leaf.shape
        ):
            raise PropertyFailed("a gradient has another shape than its weight.")
    return answer
