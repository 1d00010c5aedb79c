"""Time as limits count it: that for which a Python waits for a processor does not count.

How busy a machine is may not decide points. Computing counts, and so does waiting for anything
else, such as a sleep or an answer that never comes.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable

import psutil

# A Python that always waits for a processor would never hit a limit: so much of its time counts.
LEAST = 1 / 8
SOON = 1.0  # seconds for which nobody looks more closely than at the clock on the wall


def family(pid: int) -> list[psutil.Process]:
    """Return a process and all that descend from it; raise psutil.NoSuchProcess if it has ended."""
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


class Clock:
    """Says how much of the time since it was last asked counts."""

    def __init__(self) -> None:
        self.last = time.monotonic()
        self.used: dict[int, float] | None = None

    def charge(self, processes: Iterable[psutil.Process]) -> float:
        """Return how many seconds count, given the processes that may be busy."""
        used, waits = {}, True
        for process in processes:
            with contextlib.suppress(psutil.Error), process.oneshot():
                times = process.cpu_times()
                used[process.pid] = times.user + times.system
                waits = waits and process.status() != psutil.STATUS_RUNNING
        now = time.monotonic()
        seconds, self.last = now - self.last, now
        before, self.used = self.used, used
        if waits or before is None:
            return seconds
        computed = sum(value - before.get(pid, 0.0) for pid, value in used.items())
        return counted(seconds, computed)


def counted(seconds: float, computed: float) -> float:
    """Return how much of some seconds counts in which a Python was busy, and computed so long."""
    return max(seconds * LEAST, min(seconds, computed))


class Timer(threading.Thread):
    """Interrupts a Python that is too long at something, and ends it if it then does not stop.

    As a context, it watches for as long as that lasts.

    Args:
        pid: the process that all others descend from.
        seconds: how long it may take; patience: how long it then has to stop.

    too_long: whether it was interrupted; ended: whether it was ended.
    """

    def __init__(
        self,
        pid: int,
        interrupt: Callable[[], object],
        kill: Callable[[], object],
        seconds: float,
        patience: float,
    ) -> None:
        super().__init__(daemon=True, name=f"timer of {pid}")
        self.pid, self.interrupt, self.kill = pid, interrupt, kill
        self.left, self.patience = seconds, patience
        self.too_long = self.ended = False
        self._done = threading.Event()

    def run(self) -> None:
        """Look five times a second, but not at once: most things are done soon."""
        clock, first = Clock(), min(SOON, self.left)
        self._done.wait(first)
        while not self._done.wait(0.2):
            try:
                self.left -= clock.charge(family(self.pid))
            except psutil.NoSuchProcess:
                return
            if self.left > 0:
                continue
            if self.too_long:
                self.ended = True
                self.kill()
                return
            self.too_long, self.left = True, self.patience
            self.interrupt()

    def __enter__(self) -> Timer:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self.join()
