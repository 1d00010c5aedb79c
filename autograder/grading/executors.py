"""Where submissions are graded: in this process, in processes of this machine, or on a cluster.

All of them run `assess.assess` and give the same results; this process alone writes them down.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Any

from pebble import CONSTS, ProcessExpired, ProcessPool

from autograder.errors import CourseError

LOCAL = "local"
TRIES = 3  # how often a submission may cost a process its life
# Seconds that a process may take to end all that it has started, also on a busy machine.
CONSTS.term_timeout = 60


class WorkerLost(Exception):
    """The process that graded a submission has ended, several times."""


class Here:
    """Runs each call in this process, at once."""

    workers = 0  # so that none is begun before the result of the one before was taken
    tries = 1
    lost: tuple[type[BaseException], ...] = ()  # nothing can be lost

    def begin(self) -> None:
        """Nothing to begin with: it would have to be waited for."""

    def submit(self, function: Callable, *args: object) -> Future:
        """Call at once."""
        future: Future = Future()
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Nothing to stop."""


class Processes:
    """Runs calls in processes of this machine; whose call a process dies of is known."""

    tries = TRIES
    lost: tuple[type[BaseException], ...] = (ProcessExpired,)

    def __init__(self, workers: int, modules: Sequence[str]) -> None:
        self.workers = workers
        # Spawned, not forked: this process has threads, and a gradebook open.
        context = multiprocessing.get_context("spawn")
        self.pool = ProcessPool(workers, initializer=_start, initargs=(modules,), context=context)

    def begin(self) -> None:
        """Let all processes import what the calls will need, and do not wait for it."""
        self.pool.schedule(int)  # they start with the first call, whichever it is

    def submit(self, function: Callable, *args: object) -> Future:
        """Call in one of the processes."""
        return self.pool.schedule(function, args=args)

    def close(self) -> None:
        """Stop all processes, whatever they are doing."""
        self.pool.stop()  # see _start
        self.pool.join()


def _start(modules: Sequence[str]) -> None:
    """Prepare a process: it ends, and takes along what it has started, when it is told or alone.

    It imports modules before it takes calls, which it would do while all others wait.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the grader itself is interrupted, and says so
    parent = multiprocessing.parent_process()
    assert parent is not None  # this process was started by one

    def end(after: Callable[[], object] = lambda: None) -> None:
        after()
        # The first call imports it; nothing was started before, and no more is to be imported now.
        assess = sys.modules.get("autograder.grading.assess")
        getattr(assess, "stop", lambda: None)()
        os._exit(1)

    # Not in the handler itself: what it interrupts may hold a lock that ending needs.
    signal.signal(signal.SIGTERM, lambda number, frame: threading.Thread(target=end).start())
    threading.Thread(target=end, args=(parent.join,), daemon=True).start()
    for name in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


class Cluster:
    """Runs calls on the workers of a Dask cluster."""

    tries = 1  # Dask itself tries again

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
            from distributed.scheduler import KilledWorker
        except ImportError:
            raise CourseError(
                "grading on a cluster needs Dask: run `pip install distributed`, on every machine"
            ) from None
        try:
            self.client = Client(address, timeout=20)
        except (OSError, ValueError, TypeError) as error:
            raise CourseError(
                f"there is no Dask scheduler at {address} ({str(error).splitlines()[0]}): start "
                "one with `dask scheduler`, and workers with `dask worker ADDRESS --nthreads 1`"
            ) from error
        self.lost: tuple[type[BaseException], ...] = (KilledWorker,)
        self.executor: Executor = self.client.get_executor(pure=False, retries=TRIES)
        self.workers = max(1, sum(self.client.nthreads().values()))
        if not self.client.nthreads():
            self.client.close()
            raise CourseError(
                f"the Dask scheduler at {address} has no workers: start some with `dask worker "
                f"{address} --nthreads 1`"
            )

    def begin(self) -> None:
        """Nothing to begin with: workers import what they need with the first call."""

    def submit(self, function: Callable, *args: object) -> Future:
        """Call on one of the workers; another takes over when it is lost."""
        return self.executor.submit(function, *args)

    def close(self) -> None:
        """Cancel what still runs, and leave the cluster."""
        self.executor.shutdown(wait=False)
        self.client.close()


Anywhere = Here | Processes | Cluster


def open_executor(
    where: str, jobs: int, modules: Sequence[str] = ()
) -> contextlib.closing[Anywhere]:
    """Return an executor: "local", with so many processes, or at a Dask scheduler's address.

    `modules`: what the calls need, which processes of this machine import before the first.
    """
    if where != LOCAL:
        return contextlib.closing(Cluster(where))
    return contextlib.closing(Here() if jobs == 1 else Processes(jobs, modules))


def results(
    executor: Anywhere,
    function: Callable,
    tasks: Iterable[tuple[str, tuple]],
    on_start: Callable[[str], object] = lambda key: None,
) -> Iterator[tuple[str, Any]]:
    """Yield (key, result of function(*args)) for each task (key, args), as they are done.

    A result is an exception where the function raised one; WorkerLost where grading has cost a
    process its life again and again. No more tasks are taken than the executor has workers for,
    and one.
    """
    waiting = iter(tasks)
    running: dict[Future, tuple[str, tuple, int]] = {}
    while True:
        room = executor.workers + 1 - len(running)
        for key, args in itertools.islice(waiting, max(0, room)):
            on_start(key)
            running[executor.submit(function, *args)] = (key, args, 1)
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            key, args, tried = running.pop(future)
            error = future.exception()
            if not isinstance(error, executor.lost):
                yield key, error or future.result()
            elif tried < executor.tries:
                running[executor.submit(function, *args)] = (key, args, tried + 1)
            else:
                yield key, WorkerLost(f"its process ended {TRIES} times")


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
