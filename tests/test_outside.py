"""Questions to a student's Python: values, what cannot be believed, and verdicts from them."""

from __future__ import annotations

import json
import math
import socket
import struct
import sys
import threading
import time

import pytest
import torch
from agents import forked
from torch import nn

from autograder import agent
from autograder.checks import remote
from autograder.checks.failure import PropertyFailed
from autograder.checks.given import Given
from autograder.checks.outside import score
from autograder.checks.remote import Lost, Names, Ref, RemoteError, Session
from autograder.pythons import boot

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")

VALUES = [
    None,
    True,
    -3,
    2.5,
    "é",
    [1, (2, ...)],
    {"a": [1], 2: None},
    slice(1, None, 2),
    torch.float64,
    torch.arange(6).reshape(2, 3),
    torch.tensor(1.5),
    torch.zeros(0, 4),
    torch.tensor([True, False]),
    torch.randn(3, 2, dtype=torch.complex64).conj(),
    torch.ones(2, 2, dtype=torch.bfloat16).T,
    torch.randn(4, 4)[::2, 1::2],
]


def round_trip(value: object) -> object:
    writer = agent.Writer(lambda value: {})
    head = json.loads(json.dumps(writer.value(value)))
    return agent.Reader(bytes(writer.body), lambda head, value=None: value).value(head)


@pytest.mark.parametrize("value", VALUES)
def test_values_arrive_as_they_are(value: object) -> None:
    got = round_trip(value)
    assert type(got) is type(value)
    if isinstance(value, torch.Tensor):
        assert got.dtype == value.dtype and torch.equal(got, value.resolve_conj())
    else:
        assert got == value


def test_a_subclass_of_a_tensor_arrives_as_a_plain_one() -> None:
    class Yes(torch.Tensor):
        def __eq__(self, other):
            return True

    assert type(round_trip(torch.zeros(2).as_subclass(Yes))) is torch.Tensor
    assert type(round_trip(nn.Parameter(torch.zeros(2)))) is torch.Tensor


def tensor(**changes: object) -> dict:
    return {"t": "tensor", "dtype": "float32", "shape": [2], "at": 0} | changes


BAD = [
    [],
    {"t": "code", "v": "1"},
    {"t": "list", "v": 3},
    {"t": "dict", "v": [[1]]},
    {"t": "dict", "v": [[{"t": "list", "v": []}, 1]]},
    {"t": "dtype", "v": "load"},
    tensor(dtype="object"),
    tensor(shape=[3]),
    tensor(shape=[-1]),
    tensor(shape=[2**40]),
    tensor(shape=[True]),
    tensor(shape=[1] * 99),
    tensor(at=-8),
    tensor(at=1),
    {"t": "list", "v": [tensor(), tensor()]},
    {"ref": "x", "type": "y"},
    {"ref": 1},
]


@pytest.mark.parametrize("head", BAD, ids=str)
def test_what_no_agent_sends_is_refused(head: object) -> None:
    session = Session(socket.socketpair()[0], lambda: None)
    with pytest.raises(agent.BadMessage):
        agent.Reader(bytes(8), session._known).value(head)


def lying(answer: bytes) -> Session:
    """Return a session with a student's Python that answers everything with these bytes."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        theirs.recv(2**16)
        theirs.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    session = Session(ours, lambda: None, total=1, patience=0.5)
    session.theirs = theirs
    return session


def frame(head: object, body: bytes = b"") -> bytes:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return struct.pack("!II", len(text), len(body)) + text + body


@pytest.mark.parametrize(
    "answer",
    [
        struct.pack("!II", 2**32 - 1, 0),
        struct.pack("!II", 0, 2**32 - 1),
        frame(b"\x80\x04\x95pickle"),
        frame(b"[" * 10**5),
        frame(b"[]"),
        frame({}),
        frame({"ok": {"t": "tensor"}}),
        frame({"error": 3}),
        frame({"function": 0, "args": None}),
        frame(b'{"ok": ' + b'{"t": "list", "v": [' * 5000 + b"]}" * 5000 + b"}"),
        frame({"ok": 1, "changed": [[0, tensor()]]}),
        b"",
        b"\x00",
    ],
)
def test_lies_of_an_agent_end_the_session(answer: bytes) -> None:
    session = lying(answer)
    started = time.monotonic()
    with pytest.raises(PropertyFailed):
        session.ask("len", 1)
    assert time.monotonic() - started < 5
    with pytest.raises(Lost):
        session.ask("len", 1)


class Layer(nn.Linear):
    def stuck(self) -> None:
        while True:
            pass

    def add_one(self, x: torch.Tensor) -> torch.Tensor:
        x += 1
        return x

    def apply_twice(self, function, x):
        return function(function(x))


def test_objects_of_a_student_are_used_from_outside() -> None:
    with forked({"Layer": Layer, "nn": nn}) as session:
        session.begin(3)
        lesson, given = Names(session, 0), Given(0)
        layer = lesson.Layer(3, 2)
        assert isinstance(layer, Ref) and remote.type_name(layer) == "Layer"
        torch.manual_seed(3)
        twin = Layer(3, 2)
        x = torch.randn(4, 3)
        given.close("layer(x)", layer(x), twin(x))
        weight = given.randomize(layer)
        assert torch.equal(layer.weight, weight)
        layer.load_state_dict(twin.state_dict())
        given.close("layer(x)", layer.double()(x.double()), twin(x).double())
        out = layer(x.double())
        given.learns("layer(x)", out, layer.weight)
        assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
        same = (
            remote.identity(layer.weight),
            remote.identity(dict(layer.named_parameters())["weight"]),
        )
        assert same[0] == same[1] != remote.identity(layer.bias)
        layer.add_one(x)
        assert torch.equal(layer.apply_twice(lambda y: 2 * y, x), 4 * x)
        assert len(lesson.nn.ModuleList([])) == 0
        with pytest.raises(AttributeError):
            getattr(layer, "nothing")  # noqa: B009
        with pytest.raises(RemoteError):
            layer(torch.zeros(1))
        with pytest.raises(PropertyFailed, match="`Other` is not defined"):
            getattr(lesson, "Other")  # noqa: B009


def test_a_call_without_end_is_interrupted_and_costs_one_property() -> None:
    with forked({"Layer": Layer}, seconds=1, patience=3) as session:
        session.begin(0)
        layer = Names(session, 0).Layer(1, 1)
        with pytest.raises(PropertyFailed, match="takes too long"):
            layer.stuck()
        session.begin(0)
        assert isinstance(Names(session, 0).Layer(1, 1), Ref)


def test_in_place_changes_are_seen() -> None:
    with forked({"Layer": Layer}) as session:
        session.begin(0)
        x = torch.zeros(2)
        Names(session, 0).Layer(1, 1).add_one(x)
        assert x.tolist() == [1, 1]


@pytest.mark.parametrize("value", [None, "2", math.nan, math.inf, [2], 10**400])
def test_only_a_number_is_points(value: object) -> None:
    with pytest.raises((PropertyFailed, OverflowError)):
        score(value, 2)


def test_points_stay_in_their_bounds() -> None:
    assert [score(value, 2) for value in (-1, 0, True, 1.5, 99)] == [0, 0, 1, 1.5, 2]


def test_starting_the_agent_leaves_no_name_behind() -> None:
    ours, theirs = socket.socketpair()
    agent.send(ours, {"op": "end"})
    names = {"x": 1}
    assert eval(boot(theirs.fileno()), names) is None
    assert set(names) - {"__builtins__", "__warningregistry__"} == {"x"}
