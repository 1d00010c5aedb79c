"""A watch over all processes of a sandbox together, which ends it when they take too much."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from autograder.sandbox.clock import Clock, family
from autograder.sandbox.limits import MB, Limits


class Guard(threading.Thread):
    """Kill a sandbox that takes more memory, processes, disk or time than it may.

    Limits set with setrlimit hold for one process each (and, for root, not for the number of
    processes); this looks at all of them together. `reason` says which limit was hit, and `seconds`
    how much of its time counts (see clock.py).

    Args:
        pid: the process that all others descend from.
        shared: the folder on the machine's disk that the sandbox can write to, if any.
        overhead: how many of the processes are the sandbox's own.
    """

    def __init__(
        self,
        pid: int,
        kill: Callable[[], object],
        limits: Limits,
        shared: Path | None = None,
        overhead: int = 0,
    ) -> None:
        super().__init__(daemon=True, name=f"guard of {pid}")
        self.pid, self.kill, self.limits, self.shared = pid, kill, limits, shared
        self.overhead = overhead
        self.reason = ""
        self.seconds = 0.0
        self.ended = threading.Event()

    def run(self) -> None:
        """Look five times a second until the sandbox has ended."""
        limits, clock = self.limits, Clock()
        while not self.ended.wait(0.2):
            try:
                inside = family(self.pid)
            except psutil.NoSuchProcess:
                return
            self.seconds += clock.charge(inside)
            if len(inside) - self.overhead > limits.processes:
                self.reason = f"more than {limits.processes} processes were started"
            elif used_memory(inside) > limits.memory * MB:
                self.reason = f"more than {limits.memory} MB of memory were used"
            elif self.seconds > limits.seconds:
                self.reason = f"it ran for more than {limits.seconds:g} seconds in all"
            elif self.shared is not None and is_larger(self.shared, 4 * MB):
                self.reason = "files were written where only messages belong"
            if self.reason:
                self.kill()
                return


def used_memory(processes: Iterable[psutil.Process]) -> int:
    """Return the bytes of memory that processes take, without the files that they have mapped.

    Memory that processes share counts for each of them; files that are nowhere but in memory count
    as long as one of them is open.
    """
    used, files = 0, {}
    for process in processes:
        with contextlib.suppress(OSError, ValueError):
            for line in Path(f"/proc/{process.pid}/status").read_text("utf-8").splitlines():
                if line.startswith(("RssAnon:", "RssShmem:")):
                    used += int(line.split()[1]) * 1024
        with contextlib.suppress(OSError):
            for entry in os.scandir(f"/proc/{process.pid}/fd"):
                with contextlib.suppress(OSError):
                    if os.readlink(entry.path).startswith("/memfd:"):
                        facts = os.stat(entry.path)
                        files[facts.st_ino] = facts.st_blocks * 512
    return used + sum(files.values())


def is_larger(folder: Path, most: int) -> bool:
    """Return whether the files in a folder take more bytes; each counts as a kB at least."""
    size, folders = 0, [os.fspath(folder)]
    while folders and size <= most:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    size += max(1024, entry.stat(follow_symlinks=False).st_size)
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                if size > most:
                    break
    return size > most
