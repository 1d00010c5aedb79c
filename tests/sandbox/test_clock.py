"""Time as limits count it: waiting for a processor does not count, everything else does."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import psutil
import pytest

from autograder.checks.properties import PropertyFailed
from autograder.checks.remote import Session
from autograder.sandbox import clock
from autograder.sandbox.clock import LEAST, Clock, Timer, counted, family


class Process:
    """A process that has used so much of a processor, and is busy or waits."""

    def __init__(self, seconds: float, status: str, pid: int = 1) -> None:
        self.seconds, self.state, self.pid = seconds, status, pid

    def oneshot(self) -> threading.Lock:
        return threading.Lock()  # a context that does nothing

    def cpu_times(self) -> SimpleNamespace:
        return SimpleNamespace(user=self.seconds, system=0.0)

    def status(self) -> str:
        return self.state


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The clock on the wall, which only goes on when it is told."""
    now = [100.0]
    monkeypatch.setattr(clock.time, "monotonic", lambda: now[0])
    yield now


RUNNING, SLEEPING = psutil.STATUS_RUNNING, psutil.STATUS_SLEEPING


@pytest.mark.parametrize(
    ("computed", "status", "charged"),
    [
        (8.0, RUNNING, 8.0),  # it had the processor all the time
        (2.0, RUNNING, 2.0),  # three others had it, too
        (0.0, RUNNING, 8 * LEAST),
        (30.0, RUNNING, 8.0),  # several threads at once
        (0.0, SLEEPING, 8.0),
        (2.0, SLEEPING, 8.0),
    ],
)
def test_what_counts(wall: list[float], computed: float, status: str, charged: float) -> None:
    watch = Clock()
    watch.charge([Process(5.0, status)])
    wall[0] += 8
    assert watch.charge([Process(5.0 + computed, status)]) == charged


def test_one_busy_process_is_enough_and_all_of_them_count(wall: list[float]) -> None:
    watch = Clock()
    watch.charge([Process(1.0, SLEEPING)])
    wall[0] += 8
    both = [Process(1.5, SLEEPING), Process(2.5, RUNNING, pid=2)]
    assert watch.charge(both) == 3.0
    assert counted(8, 100) == 8 and counted(8, 0) == 1


class Stopwatch:
    """Says of each look that so many seconds have gone by."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.looks = seconds, 0

    def __call__(self) -> Stopwatch:
        return self

    def look(self) -> float:
        self.looks += 1
        return self.seconds


@pytest.mark.parametrize(("counts", "looks"), [(0.2, 5), (1.0, 1)])
def test_a_property_has_its_seconds_whatever_else_the_machine_does(
    monkeypatch: pytest.MonkeyPatch, counts: float, looks: int
) -> None:
    monkeypatch.setattr("autograder.checks.remote.SOON", 0.05)
    # The first look comes when it comes: only for the clock on the wall it is always as late.
    wall = itertools.count(0, 0.05)
    monkeypatch.setattr("autograder.checks.remote.time", SimpleNamespace(monotonic=wall.__next__))
    ours, theirs = socket.socketpair()
    watch = Stopwatch(counts)
    session = Session(ours, lambda: theirs, 1, 1, 0, stopwatch=lambda: watch.look)
    with pytest.raises(PropertyFailed, match="takes too long"):
        session.ask("len", 1)
    assert watch.looks == looks


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
def test_a_timer_interrupts_and_then_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "SOON", 0.1)
    stubborn = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    interrupts: list[int] = []
    with Timer(stubborn.pid, lambda: interrupts.append(1), stubborn.kill, 0.2, 0.2) as timer:
        stubborn.wait(60)
        timer.join(60)
    assert (timer.too_long, timer.ended, interrupts) == (True, True, [1])


def test_a_timer_leaves_alone_what_is_done_in_time() -> None:
    with Timer(os.getpid(), pytest.fail, pytest.fail, 60, 60) as timer:
        pass
    assert not timer.too_long and not timer.is_alive()
    assert [process.pid for process in family(os.getpid())][0] == os.getpid()
