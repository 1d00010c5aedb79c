"""Where submissions are graded: in this process, in processes of this machine, or on a cluster.

All of them run `assess.assess` and give the same results; this process alone writes them down.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

import psutil

from autograder.errors import CourseError

LOCAL = "local"
TRIES = 3  # how often a submission may cost a process its life


class Lost(Exception):
    """The process that graded a submission has ended, several times."""


class Here:
    """Runs each call in this process, at once."""

    workers = 0  # so that none is begun before the result of the one before was taken
    lost: type[Exception] | tuple = ()  # nothing can be lost

    def submit(self, function: Callable, *args: object) -> Future:
        """Call at once."""
        future: Future = Future()
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def renew(self) -> None:
        """Nothing can break."""

    def close(self) -> None:
        """Nothing to stop."""


class Processes:
    """Runs calls in processes of this machine."""

    lost: type[Exception] | tuple = ()  # `results` itself looks for BrokenProcessPool

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        # Spawned, not forked: this process has threads, and a gradebook open.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.workers, context, initializer=_quietly)

    def submit(self, function: Callable, *args: object) -> Future:
        """Call in one of the processes."""
        return self.pool.submit(function, *args)

    def renew(self) -> None:
        """Start new processes after one of them has ended."""
        self.pool.shutdown(wait=False, cancel_futures=True)
        self.pool = self._start()

    def close(self) -> None:
        """Stop all processes, whatever they are doing."""
        self.pool.shutdown(wait=False, cancel_futures=True)
        for process in psutil.Process().children():
            with contextlib.suppress(psutil.Error):
                if "spawn_main" in " ".join(process.cmdline()):
                    process.terminate()  # see _quietly
        self.pool.shutdown(wait=True)


def _quietly() -> None:
    """Prepare a process: it ends, and takes along what it has started, when it is told or alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the grader itself is interrupted, and says so
    # Not in the handler itself: what it interrupts may hold a lock that ending needs.
    signal.signal(signal.SIGTERM, lambda number, frame: threading.Thread(target=_end).start())
    threading.Thread(target=_outlive_nobody, daemon=True).start()


def _outlive_nobody() -> None:
    """End this process when the grader has ended, however that came."""
    multiprocessing.parent_process().join()
    _end()


def _end() -> None:
    from autograder.assess import stop

    stop()
    os._exit(1)


class Cluster:
    """Runs calls on the workers of a Dask cluster."""

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
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
        from distributed.scheduler import KilledWorker

        self.lost = KilledWorker
        self.executor: Executor = self.client.get_executor(pure=False, retries=TRIES)
        self.workers = max(1, sum(self.client.nthreads().values()))
        if not self.client.nthreads():
            self.client.close()
            raise CourseError(
                f"the Dask scheduler at {address} has no workers: start some with `dask worker "
                f"{address} --nthreads 1`"
            )

    def submit(self, function: Callable, *args: object) -> Future:
        """Call on one of the workers; another takes over when it is lost."""
        return self.executor.submit(function, *args)

    def renew(self) -> None:
        """The scheduler sees to that."""

    def close(self) -> None:
        """Cancel what still runs, and leave the cluster."""
        self.executor.shutdown(wait=False)
        self.client.close()


@contextlib.contextmanager
def open_executor(where: str, jobs: int) -> Iterator[Here | Processes | Cluster]:
    """Yield an executor: "local", with so many processes, or at a Dask scheduler's address."""
    local = Here if jobs == 1 else lambda: Processes(jobs)
    executor = local() if where == LOCAL else Cluster(where)
    try:
        yield executor
    finally:
        executor.close()


def results(
    executor: Here | Processes | Cluster,
    function: Callable,
    tasks: Iterable[tuple[str, tuple]],
    on_start: Callable[[str], object] = lambda key: None,
) -> Iterator[tuple[str, object]]:
    """Yield (key, result of function(*args)) for each task (key, args), as they are done.

    A result is an exception where the function raised one; Lost where grading has cost a process
    its life again and again. No more tasks are taken than the executor has workers for, and one.
    """
    waiting = iter(tasks)
    suspects: list[tuple[str, tuple, int]] = []  # what a process was at when it ended
    running: dict[Future, tuple[str, tuple, int]] = {}
    while True:
        if suspects and not running:  # one alone, so that it is known which it was
            following = [suspects.pop()]
        elif suspects:
            following = []
        else:
            room = executor.workers + 1 - len(running)
            following = [(key, args, 1) for key, args in itertools.islice(waiting, max(0, room))]
        for task in following:
            on_start(task[0])
            running[_submit(executor, function, task[1])] = task
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        broken = False
        for future in done:
            key, args, tried = running.pop(future)
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                broken = True
                if tried < TRIES:
                    suspects.append((key, args, tried + 1))
                else:
                    yield key, Lost(f"its process ended {tried} times")
            elif isinstance(error, executor.lost):
                yield key, Lost("it ended one worker after the other")
            else:
                yield key, error or future.result()
        if broken:
            suspects += [(key, args, tried + 1) for key, args, tried in running.values()]
            running.clear()
            executor.renew()


def _submit(executor: Here | Processes | Cluster, function: Callable, args: tuple) -> Future:
    try:
        return executor.submit(function, *args)
    except BrokenProcessPool as error:  # a process has ended just now
        future: Future = Future()
        future.set_exception(error)
        return future


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
