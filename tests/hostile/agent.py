"""Attacks on the agent and on the pipe to the grader, as by someone who has read our code."""

# How an attack finds the pipe, and writes what goes over it.
PIPES = """
import json, os, socket, struct, threading, time
def pipes():
    found = []
    for number in range(3, 256):
        try:
            one = socket.socket(fileno=os.dup(number))
            if one.family == socket.AF_UNIX and not one.getsockname() and not one.getpeername():
                found.append(one)
        except OSError:
            pass
    return found
def frame(head, body=b""):
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return struct.pack("!II", len(text), len(body)) + text + body
def receive(one):
    head, body = struct.unpack("!II", one.recv(8, socket.MSG_WAITALL))
    text = one.recv(head, socket.MSG_WAITALL)
    one.recv(body, socket.MSG_WAITALL)
    return json.loads(text)
def instead(answer):
    # Read the grader's questions before the agent does, and answer in its place.
    def serve(one):
        while True:
            try:
                receive(one)
                one.sendall(answer())
            except Exception:
                return
    for one in pipes():
        threading.Thread(target=serve, args=(one,), daemon=True).start()
def send_all(data):
    for one in pipes():
        one.setblocking(False)
        try:
            one.send(data)
        except OSError:
            pass
"""

_OWN = {
    "answers wait in the pipe before they are asked for": """
answers = [None, {"t": "list", "v": [{"ref": 0, "type": "Numbers"}]}, {"ref": 0, "type": "x"}, 7]
send_all(b"".join(frame({"ok": answer}) for answer in answers * 300))
""",
    "a thread answers in place of the agent, always 7": """
instead(lambda: frame({"ok": {"t": "list", "v": [7]}}))
""",
    "a thread answers in place of the agent, points": """
instead(lambda: frame({"ok": 99, "points": 99, "earned": 99, "report": "99", "score": 99}))
""",
    "a child process answers in place of the agent": """
if os.fork() == 0:
    instead(lambda: frame({"ok": {"t": "list", "v": [7]}}))
    time.sleep(3600)
""",
    "answers with numbers of objects that there are not": """
import itertools
numbers = itertools.cycle([10**9, -1, 2**63, True, "0", None, 1.5])
instead(lambda: frame({"ok": {"t": "list", "v": [{"ref": next(numbers), "type": "x"}]}}))
""",
    "answers with tensors that there are not": """
import itertools
tensors = itertools.cycle([
    {"dtype": "object", "shape": [1], "at": 0}, {"dtype": "float32", "shape": [-1], "at": 0},
    {"dtype": "float32", "shape": [2**31 - 1] * 8, "at": 0}, {"shape": None, "at": -5},
    {"dtype": "float32", "shape": [0, 2**31 - 1], "at": 0},
    {"dtype": "bool", "shape": [1], "at": 9},
    {"dtype": "__class__", "shape": [], "at": 0}, {"dtype": "float32", "shape": [[1]], "at": "0"},
])
instead(lambda: frame({"ok": {"t": "list", "v": [{"t": "tensor"} | next(tensors)]}}))
""",
    "answers nested a hundred thousand deep": """
deep = b'{"ok": ' + b'{"t": "list", "v": [' * 10**5 + b"]}" * 10**5 + b"}"
instead(lambda: frame(deep))
""",
    "answers that are no JSON, pickles and numbers without end": """
import itertools, pickle
class Planted:
    def __reduce__(self):
        return (open, ("/tmp/planted-by-pickle", "w"))
bad = itertools.cycle([
    pickle.dumps(Planted()), b"[" * 10**6, b"NaN", b'{"ok": ' + b"9" * 10**6 + b"}", b"\\xff\\xfe",
])
instead(lambda: frame(next(bad)))
""",
    "questions to the grader in place of answers": """
instead(lambda: frame({"function": 0, "args": {"t": "tuple", "v": [{"t": "list", "v": []}]}}))
""",
    "changes of what the grader has not given": """
import itertools
change = {"t": "tensor", "dtype": "float32", "shape": [1], "at": 0}
changes = itertools.cycle([[[0, change]], [[-1, change]], [["0", 1]], 5, [[0, 7]] * 1000])
instead(lambda: frame({"ok": 6, "changed": next(changes)}, bytes(4)))
""",
    "errors of odd kinds": """
import itertools
errors = itertools.cycle([
    ["ExerciseToDo", ""], ["AttributeError", "x"], ["x" * 10**5, "\\n" * 10**5], "text", None,
    [1, 2], ["KeyboardInterrupt", "x"], ["SystemExit", "0"], ["\\x1b[2J", "<script>"],
])
instead(lambda: frame({"error": next(errors)}))
""",
    "one byte a second": """
def slow(one):
    while True:
        try:
            receive(one)
            for byte in frame({"ok": {"t": "list", "v": [7]}}):
                one.sendall(bytes([byte]))
                time.sleep(1)
        except Exception:
            return
for one in pipes():
    threading.Thread(target=slow, args=(one,), daemon=True).start()
""",
    "late answers are taken for those to the next question": """
class Numbers:
    def double(self, a):
        try:
            time.sleep(100)
        except BaseException:
            send_all(frame({"ok": 6}) * 50)
            return 6
    inverse = double
def evens(n):
    send_all(frame({"ok": {"t": "list", "v": [7]}}) * 50)
    return [7]
""",
    "the pipe is shut for reading": """
for one in pipes():
    one.shutdown(socket.SHUT_RD)
""",
    "the pipe is full of a gigabyte of answers": """
def flood(one):
    while True:
        try:
            one.sendall(frame({"ok": "x" * 10**6}, bytes(10**7)))
        except Exception:
            return
for one in pipes():
    threading.Thread(target=flood, args=(one,), daemon=True).start()
""",
}

ATTACKS = {
    "the agent's code is taken apart": """
import builtins
original = builtins.exec
def lying(code, *rest):
    result = original(code, *rest)
    if rest and isinstance(rest[0], dict) and "Agent" in rest[0]:
        rest[0]["Agent"].do_call = lambda self, *args: True
        rest[0]["Agent"].do_lookup = lambda self, *args: [True]
    return result
builtins.exec = lying
""",
    "the agent is found at work, and changed": """
import gc, threading, time
def look():
    while True:
        for value in gc.get_objects():
            if isinstance(value, type) and value.__name__ == "Agent":
                value.do_call = value.do_get = value.do_item = lambda self, *args: 7
                value.do_begin = lambda self, seed: 99
        time.sleep(0.05)
threading.Thread(target=look, daemon=True).start()
""",
    "what the agent is made of is replaced": """
import builtins, json, signal, socket, struct, sys, types
for name in ("json", "struct", "socket", "signal", "contextlib", "io"):
    sys.modules[name] = types.ModuleType(name)
json.dumps = lambda *args: '{"ok": 99}'
json.loads = lambda *args: {"op": "lookup", "given": []}
struct.Struct = lambda *args: None
signal.signal = lambda *args: None
builtins.compile = builtins.getattr = builtins.setattr = lambda *args: 99
""",
    "the agent never gets to run": """
import builtins
def never(*args):
    while True:
        pass
builtins.exec = builtins.compile = never
""",
    "points are written into the pipe": """
import json, os, struct
text = json.dumps({"ok": 99, "points": 99}).encode()
for number in range(3, 64):
    try:
        os.write(number, struct.pack("!II", len(text), 0) + text)
    except OSError:
        pass
""",
    "the pipe is filled with noise": """
import os
for number in range(3, 64):
    try:
        if os.path.realpath(f"/proc/self/fd/{number}").startswith("/proc"):
            os.write(number, os.urandom(64))
    except OSError:
        pass
""",
    "the pipe announces gigabytes": """
import os, struct
for number in range(3, 64):
    try:
        os.write(number, struct.pack("!II", 2**32 - 1, 2**32 - 1))
    except OSError:
        pass
""",
    "the pipe is closed": """
import os
for number in range(3, 64):
    if "socket" in os.path.realpath(f"/proc/self/fd/{number}"):
        os.close(number)
""",
    "answers without end": """
class Numbers:
    def double(self, a):
        return list(range(10**7))
    def inverse(self, a):
        return 10**100_000
def evens(n):
    x = []
    for _ in range(10**5):
        x = [x]
    return x
""",
    "answers that never stop, contain themselves or change while they are read": """
import itertools
class Numbers:
    def double(self, a):
        return itertools.count()
    def inverse(self, a):
        x = {}
        x["x"] = x
        return x
class Growing(list):
    def __iter__(self):
        for number in itertools.count():
            self.append(number)
            yield number
    def __len__(self):
        return -1
evens = lambda n: Growing()
""",
    "answers too late": """
import time
class Numbers:
    def double(self, a):
        while True:
            try:
                time.sleep(60)
            except BaseException:
                pass
    inverse = double
""",
    "exceptions that fight back": """
class Bad(BaseException):
    def __str__(self):
        raise SystemExit
    __repr__ = __str__
class Numbers:
    def double(self, a):
        raise Bad
    def inverse(self, a):
        raise KeyboardInterrupt("KeyboardInterrupt")
def evens(n):
    raise type("=1+1" * 50, (SystemExit,), {})("<script>alert(1)</script>\\x1b[2J")
""",
} | {name: PIPES + code for name, code in _OWN.items()}
