"""Questions to a student's Python: values, what cannot be believed, and verdicts from them."""

from __future__ import annotations

import json
import math
import socket
import struct
import sys
import threading
import time
from contextlib import nullcontext as nothing
from types import ModuleType
from typing import Any

import pytest
import torch
from agents import forked
from conftest import lesson_of
from torch import nn

from autograder.checks import agent, reference, remote
from autograder.checks.examiner import Verdict, given_values, other_names, run_hidden, score
from autograder.checks.given import Given
from autograder.checks.places import Outside
from autograder.checks.properties import PropertyFailed
from autograder.checks.remote import Names, NoAnswer, Ref, RemoteError, Session
from autograder.errors import CourseError
from autograder.grading.sessions import WITH_AGENT, boot
from autograder.lesson import Lesson
from autograder.sandbox.channels import Loopback
from autograder.submissions.made import solutions

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


def round_trip(value: object) -> Any:
    encoder = agent.Encoder()
    head = json.loads(json.dumps(encoder.value(value)))
    return agent.Decoder(bytes(encoder.body)).value(head)


@pytest.mark.parametrize("value", VALUES)
def test_values_arrive_as_they_are(value: Any) -> None:
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
    tensor(shape=[0, 2**31 - 1]),
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
        agent.Decoder(bytes(8), session._known).value(head)


def lying(answer: bytes) -> Session:
    """Return a session with a student's Python that answers everything with these bytes."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        theirs.recv(2**16)
        theirs.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    # What is said to interrupt it keeps their end open, too.
    return Session(ours, lambda: theirs, total=1, patience=0.5)


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
    with pytest.raises(NoAnswer):
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
        assert remote.remote(layer) is not None and remote.type_name(layer) == "Layer"
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


def test_what_is_told_is_done_first_and_its_trouble_is_the_same_property_s() -> None:
    with forked({"Layer": Layer, "weight": nn.Parameter(torch.zeros(3))}) as session:
        session.begin(0)
        weight = Names(session, 0).weight
        remote.assign(weight, torch.ones(3))
        assert session.told and Names(session, 0).weight.tolist() == [1, 1, 1]
        session.tell("assign", remote.remote(weight), torch.ones(5))
        with pytest.raises(RemoteError, match="must match"):
            getattr(Names(session, 0), "Layer")  # noqa: B009
        session.tell("assign", remote.remote(weight), 2 * torch.ones(3))
        session.tell("assign", remote.remote(weight), torch.ones(5))
        session.begin(0)  # a new property, which has nothing to do with it
        assert Names(session, 0).weight.tolist() == [2, 2, 2]


def test_a_call_without_end_is_interrupted_and_costs_one_property() -> None:
    with forked({"Layer": Layer}, seconds=1, patience=3) as session:
        session.begin(0)
        layer = Names(session, 0).Layer(1, 1)
        with pytest.raises(PropertyFailed, match="takes too long"):
            layer.stuck()
        session.begin(0)
        assert isinstance(Names(session, 0).Layer(1, 1), Ref)


def test_changes_in_place_are_seen_but_do_not_change_what_is_expected() -> None:
    with forked({"Layer": Layer}) as session:
        session.begin(0)
        x, before, given = torch.zeros(2), torch.zeros(2), Given(0)
        Names(session, 0).Layer(1, 1).add_one(x)
        left = remote.as_left(x)
        assert x.tolist() == [0, 0] and isinstance(left, torch.Tensor) and left.tolist() == [1, 1]
        with pytest.raises(PropertyFailed, match=r"expected \[0.0, 0.0\], got \[1.0, 1.0\]"):
            given.close("x, after the call", x, before)
        given.close("x, as the check knows it", before, x)


def test_nothing_agrees_with_what_is_not_a_number() -> None:
    got, nothing = torch.ones(2), torch.tensor([1, math.nan])
    for compare in (Given(0).close, Given(0).angles):
        for pair in ((got, nothing), (nothing, got)):
            with pytest.raises(PropertyFailed, match="infinite or not numbers"):
                compare("x", *pair)
    with pytest.raises(PropertyFailed, match="all are the same"):
        Given(0).varies("x", torch.ones(2, 3))


class Scale(nn.Module):
    """Multiplies by its weights; without a graph, what autograd finds is made up."""

    def __init__(self, made_up: bool) -> None:
        super().__init__()
        self.weight, self.made_up = nn.Parameter(torch.ones(3)), made_up

    def scale(self) -> torch.Tensor:
        weight = self.weight.detach() if self.made_up else self.weight
        return weight * torch.arange(1.0, 4) + 0 * self.weight


@pytest.mark.parametrize("made_up", [False, True])
def test_a_gradient_has_to_agree_with_the_values(made_up: bool) -> None:
    layer = Scale(made_up)
    if made_up:
        layer.weight.register_hook(torch.ones_like)
    with forked({"layer": layer}) as session:
        session.begin(0)
        far = Names(session, 0).layer
        before = far.weight.clone()
        with pytest.raises(PropertyFailed, match="not how it changes") if made_up else nothing():
            Given(0).learns("layer()", far.scale(), far.weight, far.scale)
        if not made_up:
            assert torch.equal(far.weight, before)
        Given(0).learns("layer()", far.scale(), far.weight)


class TwoFaced(nn.Linear):
    """A linear layer that is another one for whom `when` says."""

    def __init__(self, when: str) -> None:
        super().__init__(3, 2)
        self.when = when

    def plain(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + bool(eval(self.when))


@pytest.mark.parametrize(
    ("when", "found"),
    [
        ("self.training", "in training"),
        ("not self.training", "in evaluation"),
        ("torch.is_inference_mode_enabled()", "in inference mode"),
        ("len(x) == 1", "for the first alone"),
        ("self.weight.dtype == torch.float64", "in float64"),
        ("torch.rand(1) > 2", ""),
    ],
)
def test_a_layer_is_used_in_all_ways_in_the_student_s_python(when: str, found: str) -> None:
    layer, x, mode = TwoFaced(when), torch.randn(4, 3), torch.is_inference_mode_enabled
    with forked({"layer": layer, "mode": mode}) as session:
        session.begin(0)
        far = Names(session, 0).layer
        with (
            pytest.raises(PropertyFailed, match=f"layer.x., {found}: expected")
            if found
            else nothing()
        ):
            Given(0).as_used("layer(x)", far, far.plain, x, modules=[far])
        session.begin(0)
        assert Names(session, 0).mode() is mode() is False


def test_a_layer_of_too_many_weights_is_not_tried() -> None:
    weight = nn.Parameter(torch.ones(2000))
    with pytest.raises(PropertyFailed, match="2000 weights are far too many"):
        Given(0).influence(lambda: weight * 2, weight)


def test_what_a_student_makes_of_the_lesson_s_own_functions_is_not_believed(tiny: Lesson) -> None:
    given: dict[str, Any] = given_values(tiny)
    assert set(given) == {"mod", "MODULUS"} and given["mod"](7) == 2
    cell = tiny.cell(tiny.exercise("inverse").test_cell_id)

    class Zero:
        inverse = double = staticmethod(lambda a: 0)

    names = {"Numbers": Zero, "mod": lambda a: 0, "MODULUS": 1}
    with forked(names) as session:
        verdict = run_hidden(cell.source, 3, Outside(tiny, session, (), forked, 0)).verdict
    assert verdict.points == 1, "0 is the inverse of 0 only"


def test_functions_that_use_an_answer_are_the_student_s(tiny: Lesson) -> None:
    text = (
        tiny.path.read_text(encoding="utf-8")
        .replace("MODULUS = 5\n", "MODULUS = 5\n\n\ndef twice(n):\n    return [mod, half(n)]\n")
        .replace("MODULUS = 5\n", "MODULUS = 5\n\n\ndef half(n):\n    return lambda: evens(n)\n")
    )
    assert set(given_values(Lesson.parse(text, tiny.path))) == {"mod", "MODULUS"}


def test_what_one_property_receives_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "MAX_RECEIVED", 2**20)
    with forked({"big": lambda: torch.zeros(2**17), "small": lambda: torch.zeros(2)}) as session:
        session.begin(0)
        names = Names(session, 0)
        assert names.big().shape == (2**17,) and names.small().shape == (2,)
        session.begin(0)
        names = Names(session, 0)
        assert names.big().shape == (2**17,)
        with pytest.raises(NoAnswer):
            names.big(), names.big()


def test_a_student_s_question_has_a_limit() -> None:
    def ask(function):
        return [function(torch.ones(size)) for size in (10, 10**5)]

    with forked({"ask": ask}) as session:
        session.begin(0)
        with pytest.raises(RemoteError, match="the arguments are too large"):
            Names(session, 0).ask(lambda x: x[:, None] * x)


def test_a_failure_quotes_no_more_than_a_page() -> None:
    with pytest.raises(PropertyFailed) as failed:
        Given(0).equal("the word", "x" * 10**6, "y")
    assert len(str(failed.value)) < 2100


@pytest.mark.parametrize("value", [None, "2", math.nan, math.inf, [2], 10**400])
def test_only_a_number_is_points(value: object) -> None:
    with pytest.raises((PropertyFailed, OverflowError)):
        score(value, 2)


def test_points_stay_in_their_bounds() -> None:
    assert [score(value, 2) for value in (-1, 0, True, 1.5, 99)] == [0, 0, 1, 1.5, 2]


def test_hidden_tests_that_are_wrong_themselves_are_no_answer_s_fault(tiny: Lesson) -> None:
    """Not 0 points for everybody, without a word to the instructor."""
    source = (
        "### BEGIN HIDDEN TESTS\nfrom autograder.checks import Judge\n"
        'judge = Judge("00_tiny", "evens", globals())\n'
        'judge.property("a", points=7)(lambda lesson, given: None)\njudge.score()\n'
        "### END HIDDEN TESTS"
    )
    where = Outside(tiny, None, (), forked, 0)
    with pytest.raises(CourseError, match="make them agree"):
        run_hidden(source, 1, where)


def test_a_secret_may_come_in_pieces() -> None:
    channel = Loopback()
    port, secret = channel.address

    def connect() -> None:
        for words in (b"wrong " * 6, secret.encode()):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(words[:9])
                time.sleep(0.1)
                connection.sendall(words[9:] + b"then")
                time.sleep(0.1)

    thread = threading.Thread(target=connect)
    thread.start()
    assert channel.connection(10).recv(4) == b"then"
    thread.join()
    channel.close()


def test_starting_the_agent_leaves_no_name_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "course_agent", None)  # so that it is gone afterwards
    exec(WITH_AGENT, {})
    ours, theirs = socket.socketpair()
    agent.send(ours, {"op": "end"})
    names = {"x": 1}
    assert eval(boot(theirs.fileno()), names) is None
    assert set(names) - {"__builtins__", "__warningregistry__"} == {"x"}


def third_power(lesson: Lesson, group: str, answer: str, **names: object) -> Verdict:
    """Return the verdict on an answer in a notebook with a group and these names besides."""
    head = f"def third_power(group, guess={GUESS}):\n    e, g, g2 = group.elements()[:3]"
    cells = (group, f"{head}\n    {answer}")
    notebook = reference.namespace(lesson, {}) | names
    exec(f"{TRIES}.clear()")
    for cell in cells:
        exec(cell, notebook)
    test = lesson.cell(lesson.exercise("third-power").test_cell_id)
    with forked(notebook) as session:
        hearing = run_hidden(test.source, 1, Outside(lesson, session, cells, forked, 0))
    return hearing.verdict


# Counts in a Python how often the answer was defined: 1 in the notebook.
TRIES = "__import__('sys').__dict__.setdefault('tries', [])"
GUESS = f"{TRIES}.append(1) or len({TRIES})"


@pytest.fixture(scope="module")
def first_lesson() -> Lesson:
    return lesson_of("01_regular_group_convolutions")


def test_an_answer_that_asks_where_it_runs_counts_where_it_does_worst(first_lesson: Lesson) -> None:
    group = solutions(first_lesson)["cyclic-group"]
    right = "return group.product(g2, g)"
    there = third_power(
        first_lesson, group, f"if 'here' in globals(): return g\n    {right}", here=1
    )
    assert there.points == 0
    (note,) = there.notes
    assert note.startswith(
        "Exercise 4: the answer earns less in its notebook"
    ) and note in " ".join(there.report.split())
    wrong = group.replace("h + h_prime", "h - h_prime")
    assert third_power(first_lesson, wrong, right).points == 1
    assert third_power(first_lesson, wrong, right).notes == ()


def test_what_the_notebook_exchanges_is_found(first_lesson: Lesson) -> None:
    notebook = reference.namespace(first_lesson, {})
    exchanged = ModuleType("torch")
    vars(exchanged).update(vars(torch) | {"einsum": None})
    with forked(notebook | {"torch": exchanged}) as session:
        assert other_names(first_lesson, ("import torch",), session) == ["torch.einsum"]
        assert other_names(first_lesson, (), session) == []
    notebook["noise"] = notebook["show"]
    del notebook["math"]
    with forked(notebook) as session:
        cells = ("import math\nnoise = 3",)
        assert other_names(first_lesson, cells, session) == ["math", "noise"]


def test_an_answer_that_guesses_at_every_try_gains_nothing(first_lesson: Lesson) -> None:
    # A group of the student's own, which is right, so that the answer is tried twice in one Python.
    group = solutions(first_lesson)["cyclic-group"] + "\n# mine"
    guess = "return group.product(g2, g) if guess == {} else g"
    third = third_power(first_lesson, group, guess.format(3))
    assert third.points == 0 and "gives different results" in third.notes[0]
    second = third_power(first_lesson, group, guess.format(2))
    assert second.points == 0 and "nothing else there is to blame" in second.notes[0]
    assert third_power(first_lesson, group, guess.format(1)).notes == ()


def test_a_function_of_the_grader_can_be_mapped_in_the_student_s_python() -> None:
    def table(function):
        rows = torch.func.vmap(lambda a: torch.func.vmap(lambda b: function(a, b=b))(numbers))
        return rows(numbers)

    def answer(a, b):
        asked.append(a.shape)
        return 2 * a + b

    numbers = torch.arange(4.0)
    asked: list[torch.Size] = []
    with forked({"table": table}) as session:
        got = Names(session, 0).table(answer)
    assert got.equal(2 * numbers[:, None] + numbers)
    assert asked == [torch.Size([])] * 16


def test_what_goes_into_a_layer_keeps_its_gradient() -> None:
    layers = {"conv": nn.Conv2d(2, 3, 3), "cut": lambda x: 2 * x.detach()}
    with forked(layers) as session:
        session.begin(0)
        names, x = Names(session, 0), torch.randn(1, 2, 5, 5)
        Given(0).passes_on("conv(x)", names.conv, x)
        with pytest.raises(PropertyFailed, match="no layer before this one learns"):
            Given(0).passes_on("cut(x)", names.cut, x)


def test_a_generator_of_the_student_s_can_be_listed() -> None:
    with forked({"conv": nn.Conv2d(2, 3, 3)}) as session:
        shapes = [p.shape for p in list(Names(session, 0).conv.parameters())]
    assert shapes == [(3, 2, 3, 3), (3,)]
