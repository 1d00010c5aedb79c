"""Attacks with messages of the kernel's: forged, malformed, in floods, or none at all."""

# How an attack sends messages in the kernel's name, whatever the grader has asked last.
MESSAGES = """
import threading, time
from ipykernel.kernelapp import IPKernelApp
kernel = IPKernelApp.instance().kernel
def publish(kind, content, **more):
    kernel.session.send(
        kernel.iopub_socket, kind, content, parent=kernel.get_parent("shell"), **more
    )
def reply(content, kind="execute_reply"):
    kernel.session.send(
        kernel.shell_stream, kind, content, parent=kernel.get_parent("shell"),
        ident=kernel._shell_parent_ident.get() if hasattr(kernel, "_shell_parent_ident") else None,
    )
def for_ever(function):
    def run():
        while True:
            try:
                function()
            except Exception:
                pass
            time.sleep(0.01)
    threading.Thread(target=run, daemon=True).start()
def before_each(function):
    get_ipython().events.register("pre_run_cell", lambda info: function())
POINTS = {"data": {"text/plain": "1"}, "metadata": {}, "execution_count": 1}
OK = {"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {}}
"""

_OWN = {
    "messages are forged through the session": """
for_ever(lambda: publish("execute_result", POINTS))
""",
    "every cell is said to be done before it begins": """
def done():
    publish("execute_result", POINTS)
    publish("status", {"execution_state": "idle"})
    reply(OK)
before_each(done)
""",
    "every request is said to be done, all the time": """
def done():
    publish("status", {"execution_state": "idle"})
    reply(OK)
for_ever(done)
""",
    "no cell is ever said to be done": """
kernel.session.send = lambda *args, **kwargs: None
""",
    "replies lack what belongs into them": """
before_each(lambda: reply({}))
""",
    "replies hold what nobody expects": """
odd = {"status": "error", "ename": ["a", "list"], "evalue": 5, "traceback": {"no": "list"}}
before_each(lambda: reply(odd))
""",
    "a hundred messages of sixty megabytes": """
for _ in range(100):
    publish("stream", {"name": "stdout", "text": "x" * 6 * 10**7})
""",
    "the same message a hundred times": """
message = kernel.session.serialize(kernel.session.msg("stream", {"name": "stdout", "text": "x"}))
for _ in range(100):
    kernel.iopub_socket.send_multipart([b"stream", *message])
""",
    "a message that is no message": """
for _ in range(100):
    kernel.iopub_socket.send_multipart([b"stream", b"<IDS|MSG>", b"", b"{", b"{", b"{", b"["])
""",
    "replies hold a traceback of a hundred megabytes": """
odd = {"status": "error", "ename": "E", "evalue": "", "traceback": ["x" * 10**8]}
before_each(lambda: reply(odd))
""",
    "errors are forged in the grader's words": """
def lie():
    for name in ("KernelLost", "CellTimeoutError", "KeyboardInterrupt", "HiddenTests"):
        text = "KeyboardInterrupt\\nKeyboardInterrupt: 99"
        publish("error", {"ename": name, "evalue": text, "traceback": [text]})
before_each(lie)
""",
    "errors of a type that is none": """
before_each(lambda: publish("error", {"ename": {}, "evalue": None, "traceback": 7}))
""",
    "messages of kinds that there are not": """
def odd():
    for kind in ("", "x" * 10**5, "comm_nothing", "update_display_data", "clear_output"):
        publish(kind, {"transient": None})
        publish(kind, {})
before_each(odd)
""",
    "a display is given the points later": """
def lie():
    for display_id in ("a", "b"):
        named = {"transient": {"display_id": display_id}, "metadata": {}}
        publish("display_data", {"data": {"text/plain": "0"}} | named)
        publish("stream", {"name": "stdout", "text": "x"})
        publish("update_display_data", {"data": {"text/plain": "1"}} | named)
before_each(lie)
get_ipython().events.register("post_run_cell", lambda result: lie())
""",
    "comms of widgets that swallow the outputs": """
def swallow():
    state = {"_model_module": "@jupyter-widgets/output", "_model_name": "OutputModel"}
    parent = kernel.get_parent("shell")["header"]["msg_id"]
    opened = {"comm_id": "c", "target_name": "jupyter.widget"}
    publish("comm_open", opened | {"data": {"state": state | {"outputs": []}}})
    publish("comm_msg", {"comm_id": "c", "data": {"state": {"msg_id": parent}}})
    publish("comm_close", {"comm_id": "c", "data": {}})
before_each(swallow)
""",
    "comms without end": """
import itertools
numbers = itertools.count()
def more():
    state = {"state": {"x": "x" * 10**5}}
    content = {"comm_id": str(next(numbers)), "target_name": "x", "data": state}
    publish("comm_open", content)
for _ in range(2000):
    more()
""",
    "frames that are no messages": """
def odd():
    for parts in ([b""], [b"<IDS|MSG>"], [b"x", b"<IDS|MSG>", b"", b"{}"], [b"\\xff"] * 50):
        kernel.iopub_socket.send_multipart(parts)
        kernel.shell_stream.send_multipart(parts)
before_each(odd)
""",
    "signed messages that cannot be read": """
def odd():
    digits = b'{"execution_state": ' + b"9" * 5000 + b"}"
    for text in (b"[" * 10**5, b"\\xff\\xfe", b"", b"NaN", digits):
        header = kernel.session.pack(kernel.session.msg_header("status"))
        parts = [header, kernel.session.pack(kernel.get_parent("shell")), b"{}", text]
        kernel.iopub_socket.send_multipart([b"<IDS|MSG>", kernel.session.sign(parts), *parts])
before_each(odd)
""",
    "dates and versions that are none": """
def odd():
    header = {"msg_id": "x", "msg_type": 7, "date": "0000-99-99T99:99:99", "version": []}
    for part in (header, [], None, "header"):
        parts = [kernel.session.pack(part)] * 4
        kernel.iopub_socket.send_multipart([b"<IDS|MSG>", kernel.session.sign(parts), *parts])
before_each(odd)
""",
    "one message of three hundred megabytes": """
before_each(lambda: publish("stream", {"name": "stdout", "text": "x" * (3 * 10**8)}))
""",
    "input is asked for": """
kernel._allow_stdin = True
for question in (input, kernel.getpass, kernel.raw_input):
    try:
        question("password?")
    except Exception:
        pass
kernel.session.send(kernel.stdin_socket, "input_request", {"prompt": "?", "password": False})
""",
    "the kernel shuts itself down": """
async def leave():
    await kernel.do_shutdown(False)
get_ipython().ask_exit()
publish("shutdown_reply", {"status": "ok", "restart": False})
import asyncio
asyncio.get_event_loop().create_task(leave())
asyncio.get_event_loop().call_later(0.1, asyncio.get_event_loop().stop)
""",
    "the sockets are closed": """
for one in (kernel.iopub_socket, kernel.stdin_socket, kernel.shell_stream, kernel.control_stream):
    one.close()
""",
    "the loop of the kernel is blocked": """
import asyncio
async def never():
    while True:
        pass
asyncio.get_event_loop().create_task(never())
""",
    "a hundred thousand displays": """
from IPython.display import display
for number in range(100_000):
    display({"text/plain": "x" * 50}, raw=True, display_id=str(number))
""",
}

ATTACKS = {
    "interrupts are ignored": """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
signal.signal = lambda *args: None
while True:
    pass
""",
    "interrupts are swallowed": """
import time
while True:
    try:
        time.sleep(60)
    except BaseException:
        pass
""",
    "the kernel stops itself": """
import os, signal
os.kill(os.getpid(), signal.SIGSTOP)
""",
    "the kernel stops itself once it is asked": """
import os, signal
class Numbers:
    def double(self, a):
        os.kill(os.getpid(), signal.SIGSTOP)
def evens(n):
    os._exit(0)
""",
    "the kernel is replaced by another program": """
import os, sys
os.execv(sys.executable, [sys.executable, "-c", "import time; print(99); time.sleep(3600)"])
""",
    "the kernel dies in a fault": """
import ctypes
ctypes.string_at(0)
""",
    "every cell takes too long": """
import time
get_ipython().events.register("pre_run_cell", lambda info: time.sleep(3600))
time.sleep(3600)
""",
} | {name: MESSAGES + code for name, code in _OWN.items()}
