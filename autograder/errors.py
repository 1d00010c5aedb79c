"""The one error that users are meant to read, and the log of what nobody has foreseen."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator

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


class CollectedLog(logging.StreamHandler):
    """What was logged: its text, and whether an error is in it, which nobody has foreseen."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        self.has_error = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.has_error |= record.levelno >= logging.ERROR
        super().emit(record)

    @property
    def text(self) -> str:
        """All that was logged, or as much of it as is worth keeping."""
        return self.stream.getvalue()[:20_000]


@contextlib.contextmanager
def collected_log() -> Iterator[CollectedLog]:
    """Collect what this process logs."""
    collected = CollectedLog()
    level, propagate = LOG.level, LOG.propagate
    LOG.addHandler(collected)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    try:
        yield collected
    finally:
        LOG.removeHandler(collected)
        LOG.setLevel(level)
        LOG.propagate = propagate
