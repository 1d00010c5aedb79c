"""What one submission may take, of time, memory, processes and disk."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

import psutil

MB = 2**20


@dataclass(frozen=True)
class Limits:
    """What one submission may take; nbgrader_config.py sets them as `c.Limits.memory = 8192`.

    Seconds for which a Python waits for a processor do not count (see clock.py).

    cell_seconds: one cell, and one property of the hidden tests.
    seconds: the whole submission.
    patience: seconds that an interrupted kernel has to answer before it is stopped.
    memory: MB of all processes together.
    processes: how many there may be, threads not counted.
    file_size: MB of one file.
    scratch: MB of all files in each place that can be written to.
    output: characters that one cell may output.
    """

    cell_seconds: float = 60
    seconds: float = 900
    patience: float = 10
    memory: int = 4096
    processes: int = 64
    file_size: int = 256
    scratch: int = 256
    output: int = 2_000_000


def process_limits(limits: Limits) -> dict[int, int]:
    """Return the limits that each process gets, and hands on to what it starts, for setrlimit."""
    import resource  # only where there is a sandbox, on Linux

    wanted = {
        resource.RLIMIT_DATA: limits.memory * MB,
        resource.RLIMIT_FSIZE: limits.file_size * MB,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 1024,
    }
    if os.getuid() != 0:  # counts all of a user's threads, so there must be room for the others
        running = 0
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.uids().real == os.getuid():
                    running += process.num_threads()
        wanted[resource.RLIMIT_NPROC] = running + 16 * limits.processes
    for kind, value in wanted.items():
        hard = resource.getrlimit(kind)[1]
        wanted[kind] = value if hard == resource.RLIM_INFINITY else min(value, hard)
    return wanted
