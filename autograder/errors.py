"""The one error that users are meant to read, and the log of what nobody has foreseen."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass

LOG = logging.getLogger("autograder")
"""Whatever is turned into a sentence, or swallowed, leaves its traceback here."""
LOG_FILE = "autograded/grading.log"
"""Where an instructor finds that, in the course's folder."""


class CourseError(Exception):
    """Something a user can put right; the message is one sentence that says how."""


def described(error: BaseException) -> str:
    """Return an exception in a few words, for a sentence."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


@dataclass
class CollectedLog:
    """What was logged: its text, and whether an error is in it, which nobody has foreseen."""

    text: str = ""
    has_error: bool = False


@contextlib.contextmanager
def collected_log(most: int = 20_000) -> Iterator[CollectedLog]:
    """Collect what this process logs; it is there when the context has ended.

    Args:
        most: characters that are kept.
    """
    found, stream = CollectedLog(), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))

    def note(record: logging.LogRecord) -> bool:
        found.has_error |= record.levelno >= logging.ERROR
        return True

    handler.addFilter(note)
    level, propagate = LOG.level, LOG.propagate
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    try:
        yield found
    finally:
        LOG.removeHandler(handler)
        LOG.setLevel(level)
        LOG.propagate = propagate
        found.text = stream.getvalue()[:most]
