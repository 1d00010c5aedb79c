"""Attacks with values: they compare as one likes, look up what is expected, or replace builtins."""

ATTACKS = {
    "equal to everything": """
class Yes(int):
    __eq__ = __le__ = __lt__ = __ge__ = __gt__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __hash__ = int.__hash__
    __add__ = __radd__ = __mod__ = __call__ = lambda self, *args: self
class Numbers:
    double = inverse = lambda self, a: Yes()
evens = lambda n: Yes()
""",
    "a list that equals everything": """
class Yes(list):
    __eq__ = lambda self, other: True
evens = lambda n: Yes()
""",
    "an object that answers everything": """
class Anything:
    def __getattr__(self, name):
        return self
    def __call__(self, *args, **kwargs):
        return self
    __getitem__ = __add__ = __radd__ = __mod__ = __rmod__ = __call__
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = lambda self, *args: True
    __hash__ = __len__ = __int__ = __index__ = lambda self: 6
    __float__ = lambda self: 6.0
    __iter__ = lambda self: iter([self])
    __class__ = property(lambda self: int)
Numbers, evens, mod = Anything(), Anything(), Anything()
""",
    "an object that says it is another type": """
class Fake:
    __class__ = property(lambda self: list)
    def __iter__(self):
        return iter([0, 2, 4])
    __eq__ = lambda self, other: True
evens = lambda n: Fake()
class Numbers:
    double = inverse = lambda self, a: Fake()
""",
    "numbers that are not numbers": """
class Numbers:
    double = lambda self, a: float("nan")
    inverse = lambda self, a: float("inf")
evens = lambda n: [float("nan")] * 3
""",
    "text in place of numbers": """
class Numbers:
    double = lambda self, a: "6"
    inverse = lambda self, a: "%s"
evens = lambda n: "[0, 2, 4]"
""",
    "builtins are replaced": """
import builtins
builtins.sum = lambda *args: 99
builtins.float = lambda *args: 99.0
builtins.range = lambda *args: []
sum, float, abs = builtins.sum, builtins.float, builtins.sum
""",
    "isinstance, type, all and any say yes": """
import builtins
builtins.isinstance = builtins.issubclass = builtins.all = builtins.any = lambda *args: True
builtins.len = builtins.abs = builtins.round = lambda *args: 6
isinstance = all = any = builtins.all
""",
    "operators of a given function are replaced": """
import builtins
class Always:
    __eq__ = __le__ = __lt__ = lambda self, other: True
    __mod__ = __add__ = lambda self, other: self
builtins.Always = Always
mod = lambda a: Always()
""",
    "a given function always gives what is wanted": """
mod = lambda a: 0
class Numbers:
    def double(self, a):
        return 1
    def inverse(self, a):
        return 1
""",
    "a given function gives what is wanted, for the answer's sake": """
import sys
def mod(a):
    sys.modules["__main__"].Numbers.inverse = lambda self, a: 0
    return 0
MODULUS = 1
math.sqrt = math.fsum = lambda *args: 0
""",
    "expected values are read from the caller's frame": """
import sys
class Numbers:
    def double(self, a):
        frame = sys._getframe()
        while frame:
            for value in list(frame.f_locals.values()) + list(frame.f_globals.values()):
                if isinstance(value, str) and "double_points" + " +=" in value:
                    return 2 * a
            frame = frame.f_back
        return None
""",
    "the hidden tests are looked for in the memory and on the disk": """
import gc, glob
texts = [o for o in gc.get_objects() if isinstance(o, str) and "double_points" in o]
for path in glob.glob("/**/*.ipynb", recursive=True) + glob.glob("@COURSE@/**/*", recursive=True):
    try:
        texts.append(open(path).read())
    except Exception:
        pass
class Numbers:
    def double(self, a):
        return 2 * a if any("double_points" + " +=" in text for text in texts) else None
""",
    "the hidden tests are waited for by a thread": """
import gc, threading, time
found = []
def watch():
    while True:
        for value in gc.get_objects():
            if isinstance(value, dict) and any("double_points" + " +=" in str(v) for v in value):
                found.append(value)
        time.sleep(0.2)
threading.Thread(target=watch, daemon=True).start()
class Numbers:
    def double(self, a):
        return 2 * a if found else None
""",
    "the calls are traced for what comes of them": """
import sys
seen = []
def trace(frame, event, arg):
    if event == "call" and "hidden" in frame.f_code.co_filename:
        seen.append(frame.f_code)
    return trace
sys.settrace(trace)
sys.setprofile(trace)
class Numbers:
    def double(self, a):
        return 2 * a if seen else None
""",
    "right for the visible inputs only": """
class Numbers:
    double = lambda self, a: {1: 2}.get(a, 7)
    inverse = lambda self, a: {1: 4}.get(a, 7)
evens = lambda n: {4: [0, 2]}.get(n, [])
""",
    "right in the notebook, wrong for the grader": """
import sys
class Numbers:
    def double(self, a):
        frame, cells = sys._getframe(), False
        while frame:
            cells = cells or "run_code" in frame.f_code.co_name
            frame = frame.f_back
        return 2 * a if cells and a == 1 else 7
""",
    "another answer for every call": """
import itertools
count = itertools.count()
class Numbers:
    double = lambda self, a: next(count) * 1000 + 500
    inverse = lambda self, a: next(count) * 1000 + 500
evens = lambda n: [next(count)]
""",
    "everything is tried and the tests tell": """
import gc, sys
class Numbers:
    def double(self, a):
        for guess in range(-10, 10):
            frame = sys._getframe(1)
            for value in frame.f_locals.values():
                try:
                    if value == guess and value is not a and frame.f_globals.get("double_points"):
                        return guess
                except Exception:
                    pass
        return None
""",
    "answers that are changed once they are given": """
class Late(list):
    pass
kept = Late([1])
def evens(n):
    import threading
    threading.Timer(0.001, kept.extend, ([2, 4],)).start()
    return kept
class Numbers:
    def __getattribute__(self, name):
        return lambda a: kept
""",
}
