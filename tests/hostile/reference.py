"""Attacks on the reference solution: found where an answer is tried among it, and carried out.

An answer is tried among the lesson's definitions, which are the reference solution's. Each of these
finds the solution of `shift` there in some way, and says it in some way, with a mark that a test
looks for. In the notebook there is nothing to be found, and nothing is said.
"""

# `found` is what there is of the solution; the student's own `shift` has no `roll` in it.
_FIND = """
import gc, inspect, linecache, marshal, os, socket, struct, sys, json, warnings
def is_it(value):
    code = getattr(value, "__code__", value)
    return getattr(code, "co_name", "") == "shift" and "roll" in code.co_names
def is_text(value):
    return isinstance(value, str) and "torch" + ".roll" in value and "def sh" + "ift" in value
def mark(found):
    return "LEA" + "KED " + str(found)
def packed(value):
    return marshal.dumps(getattr(value, "__code__", value)).hex()
def forge(text):
    for number in range(3, 16):
        try:
            one = socket.socket(fileno=os.dup(number))
            one.sendall(struct.pack("!II", len(text), 0) + text)
        except OSError:
            pass
def here():
    return packed(shift) if is_it(shift) else ""
"""
_SAY = """
def word(x):
    found = look()
    if found:
        raise RuntimeError(mark(found))
    return "nothing"
"""

_WAYS_TO_FIND = {
    "by its name": "look = here\n",
    "in the frames of the callers": """
def inside(value, depth=3):
    if is_text(value):
        return value
    if is_it(value):
        return packed(value)
    parts = value.values() if isinstance(value, dict) else value
    if depth and isinstance(value, (dict, list, tuple)):
        return next(filter(None, (inside(part, depth - 1) for part in parts)), "")
    return ""
def look():
    frame = sys._getframe()
    while frame is not None:
        for names in (frame.f_locals, frame.f_globals):
            found = inside(dict(names))
            if found:
                return found
        frame = frame.f_back
    return ""
""",
    "among all objects": """
def look():
    found = [value for value in gc.get_objects() if inspect.isfunction(value) and is_it(value)]
    return packed(found[0]) if found else ""
""",
    "by its source": """
def look():
    try:
        text = inspect.getsource(shift)
    except (OSError, TypeError):
        return here()
    return text if "torch" + ".roll" in text else ""
""",
    "in the cache of lines": """
def look():
    texts = ["".join(entry[2]) for entry in linecache.cache.values() if len(entry) == 4]
    return next(filter(is_text, texts), "") or here()
""",
    "in the modules": """
def look():
    spaces = [vars(module) for module in list(sys.modules.values()) if hasattr(module, "__dict__")]
    values = [value for space in spaces for value in list(space.values())]
    found = [value for value in values if inspect.isfunction(value) and is_it(value)]
    return packed(found[0]) if found else here()
""",
    "in the memory of the process": """
def look():
    wanted = bytes(reversed(b"spets ,x(llor.hcrot"))
    if not os.path.exists("/proc/self/maps"):
        return here()
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps:
            places, rights = line.split()[:2]
            start, end = (int(place, 16) for place in places.split("-"))
            if not rights.startswith("rw") or end - start > 2**28:
                continue
            try:
                memory.seek(start)
                at = (data := memory.read(end - start)).find(wanted)
            except (OSError, ValueError, OverflowError):
                continue
            if at >= 0 and b"return shif" in data[at : at + 200]:
                return data[at : at + 200].hex()
    return here()
""",
    "by an answer of its own name": """
def look():
    return packed(shift) if is_it(shift) else ""
look.__qualname__ = look.__name__ = "shift"
""",
}

_WAYS_TO_SAY = {
    "the name of an exception": """
def word(x):
    if here():
        raise type(mark(here()), (Exception,), {})
    return "nothing"
""",
    "an exception's notes, cause and attributes": """
def word(x):
    if not here():
        return "nothing"
    try:
        raise ValueError(mark(here()))
    except ValueError as cause:
        error = AttributeError(mark(here()), name=mark(here()), obj=mark(here()))
        error.add_note(mark(here()))
        raise error from cause
""",
    "an exercise that is still to do": """
class ExerciseToDo(Exception):
    pass
def word(x):
    if here():
        raise ExerciseToDo(mark(here()))
    return "nothing"
""",
    "a result": """
def word(x):
    return mark(here()) if here() else "nothing"
""",
    "the type of a result": """
def word(x):
    return type(mark(here()), (), {})() if here() else "nothing"
""",
    "warnings, and what is printed": """
def word(x):
    if here():
        warnings.warn(mark(here()))
        print(mark(here()))
        for number in (1, 2):
            os.write(number, mark(here()).encode())
        sys.__stderr__.write(mark(here()))
    return "nothing"
""",
    "an answer forged on the channel": """
def word(x):
    if not here():
        return "nothing"
    text = json.dumps({"error": [mark(here()), mark(here())]}).encode()
    forge(text)
    raise RuntimeError
""",
    "an exception as a pickle on the channel": """
import pickle
def word(x):
    if not here():
        return "nothing"
    text = pickle.dumps(RuntimeError(mark(here())))
    forge(text)
    raise RuntimeError
""",
    "an error while the definitions are run": """
def early():
    if here():
        raise RuntimeError(mark(here()))
class Early:
    early()
def word(x):
    return "nothing"
""",
    "how long it takes": """
import time
def word(x):
    if here():
        time.sleep(len(here()) % 7 / 10)
    return "nothing"
""",
}

FOUND = {f"the solution is found {way}": _FIND + look + _SAY for way, look in _WAYS_TO_FIND.items()}
SAID = {f"the solution is said by {way}": _FIND + say for way, say in _WAYS_TO_SAY.items()}
ATTACKS = FOUND | SAID
