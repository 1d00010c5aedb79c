"""Put the agent that answers the grader's questions into a student's Python."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from autograder.checks import agent
from autograder.checks.remote import Session
from autograder.errors import CourseError
from autograder.sandbox.limits import Limits
from autograder.sandbox.pythons import START, Starter, StartFailed

AGENT = Path(agent.__file__).read_text(encoding="utf-8")
# What a notebook's kernel runs before it begins: from then on it has the agent, as a module.
WITH_AGENT = f"""
import sys, types
sys.modules["course_agent"] = types.ModuleType("course_agent")
exec(compile({AGENT!r}, "<agent>", "exec"), vars(sys.modules["course_agent"]))
"""


def boot(address: object) -> str:
    """Return the code that makes a notebook answer at the address of a channel.

    One expression, which leaves no name behind.
    """
    return f"__import__('course_agent').Agent.at({address!r}, globals()).serve()"


@contextlib.contextmanager
def definitions(starter: Starter, limits: Limits, total: float) -> Iterator[Session]:
    """Start a Python that runs nothing but what the grader asks for; stop it at the end.

    All questions together may take `total` seconds. Raises CourseError if it does not start: that
    is no answer's fault.
    """
    channel = starter.channel()
    names = [] if starter.warm else list(starter.modules)
    code = f"{AGENT}\nload({names!r})\nAgent.at({channel.address!r}).serve()"
    tighter = replace(limits, file_size=1, seconds=START + total)
    try:
        running = starter.start(code, channel, limits=tighter)
    except StartFailed as error:
        channel.close()
        raise CourseError(
            f"Python could not be started for its hidden tests ({error}); grade it again"
        ) from error
    try:
        times = (START, START, limits.patience)
        session = Session(
            channel.connection(START),
            running.interrupt,
            *times,
            stopwatch=running.stopwatch,
            wordless=True,
        )
        session.ask("begin", 0)  # it may still import
        session.seconds = limits.cell_seconds
        session.left_in_all = total
        yield session
    finally:
        channel.close()
        running.end()
