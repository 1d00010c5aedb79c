"""Student Pythons as the grader starts them, and the agent in them that answers its questions."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from autograder import agent, sandbox
from autograder.checks.remote import Session

# Seconds that a fresh Python may take to import a lesson's libraries.
START = 120
AGENT = Path(agent.__file__).read_text(encoding="utf-8")


def boot(pipe: int) -> str:
    """Return the code that makes a notebook answer over the open socket of this number.

    One expression, which leaves no name behind.
    """
    made = f"space['Agent'].on_pipe({pipe}, globals())"
    run = f"(exec(compile({AGENT!r}, '<agent>', 'exec'), space), {made}.serve())"
    return f"(lambda space: {run} and None)({{'__name__': 'course_agent'}})"


@contextlib.contextmanager
def fresh_python(
    modules: Sequence[str] = (),
    *,
    sandboxed: bool = True,
    memory: int = 4096,
    seconds: float = 30,
    total: float = 120,
    patience: float = 5,
) -> Iterator[Session]:
    """Start a Python that runs nothing but what the grader asks for; stop it at the end.

    Args:
        modules: what it imports before it answers.
        sandboxed: whether it runs in the sandbox.
        memory: MB it may take.
        seconds, total, patience: see Session.
    """
    ours, theirs = socket.socketpair()
    number = theirs.fileno()
    program = [sys.executable, "-I", "-c", AGENT, str(number), *modules]
    env = sandbox.environment({"COURSE_FAST_RUN": "1", "COURSE_GRADING": "1"} | os.environ)
    options = {"pass_fds": (number,), "start_new_session": True, "env": {}}
    nothing = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    if sandboxed:
        limit = sandbox.limiter(memory * sandbox.MB, sandbox.MB, 64)
        program = sandbox.command(sandbox.find_bwrap(), program, env=env)
        process = subprocess.Popen(program, **options, **nothing, preexec_fn=limit)
        guard = sandbox.Guard(process.pid, memory * sandbox.MB, 64, START + total)
        guard.start()
    else:
        options["env"] = os.environ | env | {"HOME": os.environ.get("HOME", "")}
        process = subprocess.Popen(program, **options, **nothing)
    theirs.close()

    def interrupt() -> None:
        running = sandbox.first_process(process.pid) if sandboxed else process
        if running is not None:
            running.send_signal(signal.SIGINT)

    try:
        session = Session(ours, interrupt, START, START, patience)
        session.begin(0)
        session.seconds, session.end = seconds, time.monotonic() + total
        yield session
    finally:
        ours.close()
        if sandboxed:
            guard.ended.set()
            sandbox.kill_sandbox(process.pid)
        else:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
