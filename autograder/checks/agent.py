"""What answers the grader from inside a student's Python; it also holds the format of the answers.

The hidden checks run in the grader's process. Through a socket they ask this agent for a few fixed
things: look up a name, read or set an attribute, call, iterate, and so on. Answers go back by
value: numbers, text, lists of these, and tensors as raw bytes with their type and shape. Everything
else stays here and is known to the grader by a number. Nothing that arrives can run anything: a
message is JSON and bytes, no pickle.

This file is self-contained, for in the sandbox there is no `autograder` to import. The grader
believes nothing of what it receives: this code runs beside a student's, who may replace it.
"""

from __future__ import annotations

import base64
import builtins
import contextlib
import functools
import importlib
import io
import itertools
import json
import marshal
import math
import operator
import os
import random
import signal
import socket
import struct
import sys
import zlib
from collections.abc import Callable, Sequence
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

FRAME = struct.Struct("!II")
MAX_HEAD = 4 * 2**20
MAX_BODY = 128 * 2**20
MAX_ITEMS = 100_000
DTYPES = {"bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16"}
DTYPES |= {"float32", "float64", "complex64", "complex128"}


class BadMessage(Exception):
    """What arrived is no message."""


def send(connection: socket.socket, head: dict, body: bytes = b"") -> None:
    """Send a message: JSON, and the bytes of its tensors; raises ValueError if it is too large."""
    text = json.dumps(head).encode()
    if len(text) > MAX_HEAD or len(body) > MAX_BODY:
        raise ValueError("the result is too large to be sent")
    connection.sendall(FRAME.pack(len(text), len(body)) + text + body)


def receive(read: Callable[[int], bytes]) -> tuple[dict, bytes]:
    """Return the next message; `read(n)` returns exactly n bytes. Raises BadMessage."""
    head_size, body_size = FRAME.unpack(read(FRAME.size))
    if head_size > MAX_HEAD or body_size > MAX_BODY:
        raise BadMessage("too large")
    text, body = read(head_size), read(body_size)
    try:
        head = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadMessage("not JSON") from error
    if not isinstance(head, dict):
        raise BadMessage("not an object")
    return head, body


class Encoder:
    """Turns values into JSON and one run of bytes.

    `keep(value)` is called for what has no value of its own, and returns its JSON; for a tensor as
    well, whose JSON it may extend by what the other side needs to name it.
    """

    def __init__(self, keep: Callable[[object], dict] = lambda value: {}) -> None:
        self.keep = keep
        self.body = bytearray()

    def value(self, value: Any, depth: int = 0) -> object:
        """Return the JSON of a value; raises ValueError if it cannot be sent."""
        kind = type(value)
        if value is None or kind in (bool, int, float, str):
            return value
        if depth > 20:
            raise ValueError("the result is nested too deeply")
        if kind in (list, tuple):
            return {"t": kind.__name__, "v": [self.value(item, depth + 1) for item in value]}
        if kind is dict or kind.__name__ == "OrderedDict":
            pairs = [[self.value(part, depth + 1) for part in pair] for pair in value.items()]
            return {"t": "dict", "v": pairs}
        if value is ...:
            return {"t": "..."}
        if kind is slice:
            parts = (value.start, value.stop, value.step)
            return {"t": "slice", "v": [self.value(part, depth + 1) for part in parts]}
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(value, torch.dtype):
            return {"t": "dtype", "v": str(value).removeprefix("torch.")}
        if torch is not None and isinstance(value, torch.Tensor):
            plain = value.detach().as_subclass(torch.Tensor).cpu().resolve_conj().resolve_neg()
            name = str(plain.dtype).removeprefix("torch.")
            if plain.layout == torch.strided and name in DTYPES:
                at = len(self.body)
                flat = plain.contiguous().reshape(-1)
                self.body += flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
                shape = [int(size) for size in plain.shape]
                return {"t": "tensor", "dtype": name, "shape": shape, "at": at} | self.keep(value)
        return self.keep(value)


def _nothing_known(head: dict, tensor: object = None) -> object:
    raise BadMessage("not a plain value")


class Decoder:
    """Turns JSON and bytes back into values.

    `known(head, tensor)` resolves what stayed elsewhere, of which there may be a copy: a tensor.
    """

    def __init__(self, body: bytes, known: Callable[..., object] = _nothing_known) -> None:
        self.body, self.known = body, known
        self.items = self.used = 0

    def value(self, head: object) -> Any:
        """Return the value; raise BadMessage for anything but what an Encoder writes."""
        self.items += 1
        if self.items > MAX_ITEMS:
            raise BadMessage("too many values")
        if head is None or isinstance(head, bool | int | float | str):
            return head
        if not isinstance(head, dict):
            raise BadMessage("unknown value")
        match head.get("t"), head.get("v"):
            case "list", list(inner):
                return [self.value(item) for item in inner]
            case "tuple", list(inner):
                return tuple(self.value(item) for item in inner)
            case "dict", list(inner):
                return dict(self.pair(pair) for pair in inner)
            case "slice", [start, stop, step]:
                return slice(self.value(start), self.value(stop), self.value(step))
            case "...", _:
                return ...
            case "dtype", str(name) if name in DTYPES:
                import torch

                return getattr(torch, name)
            case "tensor", _:
                return self.tensor(head)
        return self.known(head)

    def pair(self, pair: object) -> tuple:
        """Return a key and its value."""
        if not isinstance(pair, list) or len(pair) != 2:
            raise BadMessage("not a pair")
        key, value = map(self.value, pair)
        if not isinstance(key, str | int | float | bool | None):
            raise BadMessage("not a key")
        return key, value

    def tensor(self, head: dict) -> object:
        """Return a tensor; its bytes must be there, and as many as type and shape ask for."""
        import torch

        name, shape, at = head.get("dtype"), head.get("shape"), head.get("at")
        if name not in DTYPES or not isinstance(shape, list) or type(at) is not int or at < 0:
            raise BadMessage("not a tensor")
        if len(shape) > 16 or not all(type(size) is int and 0 <= size < 2**31 for size in shape):
            raise BadMessage("not a shape")
        dtype: torch.dtype = getattr(torch, name)
        end = at + math.prod(shape) * dtype.itemsize
        # What is computed from an empty tensor may be as large as its other sizes say.
        largest = math.prod(size or 1 for size in shape) * dtype.itemsize
        self.used += end - at
        if largest > MAX_BODY or end > len(self.body) or self.used > len(self.body):
            raise BadMessage("not all of a tensor")
        if end == at:
            tensor = torch.empty(shape, dtype=dtype)
        else:
            flat = torch.frombuffer(bytearray(self.body[at:end]), dtype=torch.uint8)
            flat = flat != 0 if dtype == torch.bool else flat.view(dtype)
            tensor = flat.reshape(shape)
        return self.known(head, tensor) if "ref" in head else tensor


# What is done here or in the grader's process.


def plant(seed: int) -> None:
    """Let all random numbers come from this seed."""
    random.seed(seed)
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if torch is not None:
        # With CUDA in mind, as it always is, manual_seed takes a hundred times as long.
        used = torch.cuda.is_initialized()
        (torch.manual_seed if used else torch.default_generator.manual_seed)(seed)
    if numpy is not None:
        numpy.random.seed(seed % 2**32)


def copies(call: list) -> list[tuple[Tensor, Tensor]]:
    """Return the tensors among a call's arguments, with copies: calls may change them in place."""
    torch = sys.modules.get("torch")
    if torch is None:
        return []
    tensors = [value for value in call[1] if isinstance(value, torch.Tensor)]
    return [(tensor, tensor.detach().clone()) for tensor in tensors]


def assign(tensor: Tensor, values: Tensor) -> None:
    """Give a tensor new values, in place."""
    import torch

    with torch.no_grad():
        tensor.copy_(values)


def leaf(values: Tensor) -> Tensor:
    """Return a copy of a tensor that gradients can be asked for."""
    return values.detach().clone().requires_grad_()


def mapped(ask: Callable[..., object]) -> Callable[..., object]:
    """Return a function of tensors that torch.func.vmap can map as well.

    What vmap hands on has no bytes that could be sent; the rule asks for one value after the other.
    """

    def call(*args: object, **kwargs: object) -> object:
        if "torch" not in sys.modules:
            return ask(*args, **kwargs)
        import torch

        def of(values: tuple) -> tuple[tuple, dict]:
            return values[: len(args)], dict(zip(kwargs, values[len(args) :], strict=True))

        class Asked(torch.autograd.Function):
            @staticmethod
            def forward(*tensors: Tensor) -> object:
                positional, named = of(tensors)
                return ask(*positional, **named)

            @staticmethod
            def setup_context(ctx: Any, inputs: tuple, output: object) -> None:
                if isinstance(output, torch.Tensor):
                    ctx.mark_non_differentiable(output)

            @staticmethod
            def vmap(info: Any, in_dims: tuple, *tensors: Tensor) -> tuple[Tensor, int]:
                def single(number: int) -> Any:
                    pairs = zip(tensors, in_dims, strict=True)
                    one = tuple(t if dim is None else t.select(dim, number) for t, dim in pairs)
                    positional, named = of(one)
                    return call(*positional, **named)

                return torch.stack([single(number) for number in range(info.batch_size)]), 0

        values = (*args, *kwargs.values())
        if values and all(isinstance(value, torch.Tensor) for value in values):
            return Asked.apply(*values)
        return ask(*args, **kwargs)

    return call


_inference = contextlib.ExitStack()


def let_gradients(be: str) -> None:
    """Let gradients be "kept" from here on, or be "off", or "unknown" as in inference mode."""
    import torch

    _inference.close()
    torch.set_grad_enabled(be == "kept")
    if be == "unknown":
        _inference.enter_context(torch.inference_mode())


def use(modules: Sequence[Any], training: bool, gradients: str, double: bool) -> None:
    """Let modules be used in this way from here on, with the same random numbers each time."""
    for module in modules:
        module.train(training)
        if double:
            module.double()
    let_gradients(gradients)
    plant(0)


def gradients(result: Tensor, direction: Tensor, leaves: Sequence[Tensor]) -> list:
    """Return the gradients of (result · direction).sum() for each leaf, None if there is none."""
    for leaf in leaves:
        leaf.grad = None
    if result.requires_grad:
        (result * direction.to(result)).sum().backward()
    return [leaf.grad for leaf in leaves]


def kind_of(value: object) -> str:
    """Return which module a value is, which function, or of which type."""
    match value:
        case ModuleType():
            return f"module {value.__name__}"
        case FunctionType(__code__=body):
            # Its bytes depend on what else was compiled along with it.
            plain = {repr(it) for it in body.co_consts if isinstance(it, str | int | float)}
            parts = (body.co_names, body.co_varnames, sorted(plain))
            return f"function {zlib.crc32(repr(parts).encode())}"
        case BuiltinFunctionType():
            return f"function {value.__name__}"
    return type(value).__name__


def kind_in(space: dict, name: str) -> str | None:
    """Return of what kind the value of a name such as `F.conv2d` is, None if there is none."""
    first, *rest = name.split(".")
    try:
        return kind_of(functools.reduce(getattr, rest, space[first]))
    except (AttributeError, KeyError):
        return None


class Agent:
    """Answers the grader's questions about a namespace.

    Args:
        connection: a socket to the grader.
        names: the notebook's names; None if there are none but those that the grader defines.
    """

    def __init__(self, connection: socket.socket, names: dict | None = None) -> None:
        self.connection = connection
        self.file = connection.makefile("rb")
        self.spaces = [] if names is None else [names]
        self.hidden: dict = {}
        self.kept: list = []
        self.numbers: dict = {}
        self.busy = False

    # Messages

    def read(self, size: int) -> bytes:
        """Return exactly that many bytes; raise EOFError if the grader is gone."""
        data = self.file.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def keep(self, value: object) -> dict:
        """Remember a value, and return what names it."""
        number = self.numbers.setdefault(id(value), len(self.kept))
        if number == len(self.kept):
            self.kept.append(value)
        return {"ref": number, "type": type(value).__name__[:100]}

    def known(self, head: dict, value: object = None) -> object:
        """Return what the grader names by its number, or a function of the grader's."""
        if "function" in head:
            return self.function(head["function"])
        return self.kept[head["ref"]]

    def function(self, number: int) -> Callable[..., object]:
        """Return a function that asks the grader for its result."""

        def ask(*args: object, **kwargs: object) -> object:
            self.busy = False
            encoder = Encoder()
            head = {"function": number, "args": encoder.value(args)}
            head["kwargs"] = encoder.value(kwargs)
            send(self.connection, head, bytes(encoder.body))
            answer, body = receive(self.read)
            self.busy = True
            if "error" in answer:
                raise RuntimeError(answer["error"])
            return Decoder(body, self.known).value(answer["ok"])

        return mapped(ask)

    @classmethod
    def at(cls, address: int | tuple[int, str], names: dict | None = None) -> Agent:
        """Return an agent on a copy of the open socket of this number.

        Or, where sockets cannot be inherited, on a connection to a port of this machine: the
        address is then the port and the secret to be said first.
        """
        if isinstance(address, int):
            return cls(socket.socket(fileno=os.dup(address)), names)
        connection = socket.create_connection(("127.0.0.1", address[0]), timeout=20)
        connection.settimeout(None)
        connection.sendall(address[1].encode())
        return cls(connection, names)

    def serve(self) -> None:
        """Answer until the grader has no more questions."""

        def interrupt(*args: object) -> None:
            if self.busy:
                raise KeyboardInterrupt

        before = signal.signal(signal.SIGINT, interrupt)
        try:
            while (question := receive(self.read))[0].get("op") != "end":
                self.reply(*question)
        finally:
            self.do_hide([])
            signal.signal(signal.SIGINT, before)

    def reply(self, head: dict, body: bytes) -> None:
        """Answer one question, be it by the exception that it has led to."""
        try:
            self.busy = True
            answer, data = self.answer(head, body)
            self.busy = False
        except BaseException as error:
            self.busy = False
            answer, data = {"error": [type(error).__name__, _text(error)]}, b""
        try:
            send(self.connection, answer, data)
        except ValueError as error:
            send(self.connection, {"error": ["ValueError", str(error)]})

    def answer(self, head: dict, body: bytes) -> tuple[dict, bytes]:
        """Return the answer to one question, after what was told before it was done."""
        decoder, encoder = Decoder(body, self.known), Encoder(self.keep)
        nowhere = io.StringIO()  # what student code prints
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            for op, values in head.pop("told", []):
                getattr(self, "do_" + op)(*map(decoder.value, values))
            given = [decoder.value(value) for value in head.pop("given", [])]
            before = copies(given) if head["op"] == "call" else []
            result = getattr(self, "do_" + head["op"])(*given)
        answer = {"ok": encoder.value(result)}
        changed = [
            [number, encoder.value(tensor)]
            for number, (tensor, copy) in enumerate(before)
            if not tensor.detach().equal(copy)
        ]
        if changed:
            answer["changed"] = changed
        return answer, bytes(encoder.body)

    # Questions

    def do_begin(self, seed: int) -> None:
        """Forget what was kept; begin with random numbers from this seed."""
        self.kept.clear()
        self.numbers.clear()
        plant(seed)
        if "torch" in sys.modules:
            let_gradients("kept")

    def do_hide(self, names: list[str]) -> None:
        """Take names out of the notebook; put back those taken before."""
        if self.spaces:
            self.spaces[0].update(self.hidden)
            self.hidden = {n: self.spaces[0].pop(n) for n in names if n in self.spaces[0]}

    def do_define(self, parts: list[tuple[str, bool, bool]]) -> int:
        """Run definitions in a namespace of their own; return its number.

        With each part comes whether it matters if it stops, and whether it is compiled already.
        """
        names: dict = {"__name__": "__main__", "__builtins__": builtins}
        while parts:  # nothing that has run stays within reach of what runs next
            text, matters, is_compiled = parts.pop(0)
            with contextlib.nullcontext() if matters else contextlib.suppress(Exception):
                if is_compiled:
                    exec(marshal.loads(base64.b64decode(text)), names)
                else:
                    exec(compile(text, "<definitions>", "exec", dont_inherit=True), names)
        self.spaces.append(names)
        return len(self.spaces) - 1

    def do_lookup(self, space: int, name: str) -> list:
        """Return the value of a name, in a list; an empty list if it is not defined."""
        names = self.spaces[space]
        return [names[name]] if name in names else []

    def do_kinds(self, names: list[str]) -> list[str | None]:
        """Return of what kind the values of the notebook's names are, None for names without."""
        return [kind_in(self.spaces[0], name) for name in names]

    do_get, do_set = staticmethod(getattr), staticmethod(setattr)
    do_len, do_item = staticmethod(len), staticmethod(operator.getitem)
    do_assign, do_leaf = staticmethod(assign), staticmethod(leaf)
    do_gradients, do_use = staticmethod(gradients), staticmethod(use)

    def do_call(self, function: Callable, args: tuple, kwargs: dict) -> object:
        """Return what a function returns."""
        return function(*args, **kwargs)

    def do_iterate(self, value: Any, most: int) -> list:
        """Return the items of a value in a list; raises ValueError if they are more than `most`."""
        items = list(itertools.islice(value, most + 1))
        if len(items) > most:
            raise ValueError("too many values")
        return items


def _text(error: BaseException) -> str:
    try:
        return str(error)[:2000]
    except Exception:
        return ""


def load(names: list[str]) -> None:
    """Import modules, those that are there."""
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
