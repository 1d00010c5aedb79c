"""Attacks on how cells are run: the tests are not run, or something else is; results are forged."""

ATTACKS = {
    # The test cells are not run, or something else is.
    "input transformer blanks the tests": """
get_ipython().input_transformers_cleanup.append(lambda lines: ["pass\\n"])
""",
    "input transformer blanks the tests, as one that comes last": """
get_ipython().input_transformers_post.append(lambda lines: ["pass\\n"])
""",
    "run_cell is replaced": """
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
def run_cell(self, *args, **kwargs):
    result = ExecutionResult(None)
    result.result = 1
    self.displayhook(1)
    return result
InteractiveShell.run_cell = run_cell
type(get_ipython()).run_cell_async = run_cell
""",
    "the kernel's do_execute is replaced": """
from ipykernel.ipkernel import IPythonKernel
async def do_execute(self, code, *args, **kwargs):
    get_ipython().displayhook(1)
    return {"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {}}
IPythonKernel.do_execute = do_execute
""",
    "the kernel's handler of requests is replaced": """
from ipykernel.kernelapp import IPKernelApp
kernel = IPKernelApp.instance().kernel
async def answer(stream, ident, parent):
    content = {"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {}}
    kernel.session.send(stream, "execute_reply", content, parent=parent, ident=ident)
kernel.shell_handlers["execute_request"] = answer
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
    "the compiler compiles something else": """
import ast
compiler = type(get_ipython().compile)
compiler.ast_parse = lambda self, source, *args, **kwargs: ast.parse("1")
""",
    "a post-run hook prints points": """
get_ipython().events.register("post_run_cell", lambda result: get_ipython().displayhook(1))
""",
    "the pre-run hook defines what is asked for": """
get_ipython().events.register("pre_run_cell", lambda info: exec("raise SystemExit"))
""",
    "exceptions are never shown": """
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
InteractiveShell.showtraceback = InteractiveShell._showtraceback = lambda *args, **kwargs: None
ExecutionResult.success = property(lambda self: True)
ExecutionResult.error_in_exec = property(lambda self: None, lambda self, value: None)
""",
    "exceptions of a kind of their own": """
from IPython.display import display
class Points(Exception):
    def _render_traceback_(self):
        return ["99"]
    def __str__(self):
        return "99"
AssertionError = Exception = Points
get_ipython().set_custom_exc((BaseException,), lambda *args, **kwargs: 99)
""",
    "the test's messages come from a class of the student's": """
class checking:
    def __init__(self, *args):
        pass
    def __enter__(self):
        return self
    def __exit__(self, *args):
        return True
    def __getattr__(self, name):
        return lambda *args, **kwargs: True
import builtins
builtins.checking = checking
""",
    "the next cell is set to be another one": """
for _ in range(3):
    get_ipython().set_next_input("double_points = 99\\n99", replace=True)
get_ipython().payload_manager.write_payload({"source": "set_next_input", "text": "99"})
""",
    "the history holds answers that never ran": """
right = "class Numbers:\\n    def double(self, a):\\n        return 99"
In[:] = [right] * 50
get_ipython().user_ns["In"] = get_ipython().history_manager.input_hist_raw = [right] * 50
get_ipython().user_ns["Out"] = get_ipython().user_ns["_"] = 99
""",
    # Results that the grader would count.
    "a number is displayed early": """
from IPython.display import display
class Points:
    def _repr_mimebundle_(self, **kwargs):
        return {"text/plain": "1"}
display(Points())
get_ipython().displayhook(1)
get_ipython().events.register("pre_run_cell", lambda info: get_ipython().displayhook(1))
""",
    "a result changes after it was shown": """
from IPython.display import display, update_display
handle = display("0", display_id="points")
def raise_it(*args):
    for _ in range(20):
        update_display({"text/plain": "1"}, display_id="points", raw=True)
    display({"text/plain": "1"}, display_id="points", raw=True)
get_ipython().events.register("pre_run_cell", raise_it)
get_ipython().events.register("post_run_cell", raise_it)
""",
    "outputs are cleared, and shown anew": """
from IPython.display import clear_output, display
def again(result):
    clear_output(wait=True)
    display({"text/plain": "1"}, raw=True, display_id="x")
    clear_output()
    get_ipython().displayhook(1)
get_ipython().events.register("post_run_cell", again)
""",
    "a text formatter for numbers": """
get_ipython().display_formatter.formatters["text/plain"].for_type(float, lambda *a: "1")
get_ipython().display_formatter.formatters["text/plain"].for_type(int, lambda o, p, c: p.text("1"))
""",
    "a display hook that shows points only": """
import sys
class Hook(type(sys.displayhook)):
    def __call__(self, result=None):
        super().__call__(1)
sys.displayhook.__class__ = Hook
""",
    "standard output is the points": """
import sys
class Points:
    def write(self, text):
        return get_ipython().displayhook(1)
    flush = isatty = fileno = lambda self: 0
sys.stdout = sys.stderr = Points()
""",
}
