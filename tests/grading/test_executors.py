"""Calls in processes, one of which may die at any time, and on a cluster."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from pathlib import Path

import pytest

from autograder.errors import CourseError
from autograder.grading import executors


def square(number: int) -> int:
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number**2


def die_once(path: Path, number: int) -> int:
    """End this process at the first call, as the kernel's memory killer would."""
    if not path.exists():
        path.write_text("dead", encoding="utf-8")
        os._exit(1)
    return number


def die(number: int) -> None:
    os._exit(1)


def call(function_and_args: tuple) -> object:
    function, *args = function_and_args
    return function(*args)


def run(jobs: int, tasks: dict) -> dict:
    with executors.open_executor(executors.LOCAL, jobs) as executor:
        items = ((key, (value,)) for key, value in tasks.items())
        return dict(executors.results(executor, call, items))


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_task_is_done_and_an_exception_is_a_result(jobs: int) -> None:
    found = run(jobs, {n: (square, n) for n in range(-1, 9)})
    assert isinstance(found.pop(-1), ValueError)
    assert found == {n: n**2 for n in range(9)}


def square_there(number: int) -> tuple[int, bool]:
    """Return a square, and whether a module was imported before it was asked for."""
    return number**2, "colorsys" in sys.modules


@pytest.mark.slow
def test_processes_import_ahead() -> None:
    modules = ["colorsys", "no_such_module"]
    with executors.open_executor(executors.LOCAL, 2, modules) as executor:
        executor.begin()
        tasks = ((str(number), (number,)) for number in range(4))
        found = dict(executors.results(executor, square_there, tasks))
    assert found == {str(number): (number**2, True) for number in range(4)}


@pytest.mark.slow
def test_a_process_that_dies_costs_nobody_else_anything(tmp_path: Path) -> None:
    tasks: dict = {n: (square, n) for n in range(6)}
    tasks["once"] = (die_once, tmp_path / "died", 7)
    tasks["always"] = (die, 0)
    tasks |= {n: (square, n) for n in range(6, 12)}
    found = run(2, tasks)
    assert isinstance(found.pop("always"), executors.WorkerLost)
    assert found.pop("once") == 7
    assert found == {n: n**2 for n in range(12)}


def test_tasks_are_taken_only_when_there_is_room() -> None:
    taken = []

    def tasks():
        for number in range(100):
            taken.append(number)
            yield number, ((square, number),)

    with executors.open_executor(executors.LOCAL, 1) as executor:
        found = executors.results(executor, call, tasks())
        assert next(found) == (0, 0)
        assert taken == [0]


@pytest.mark.slow
def test_closing_stops_what_runs() -> None:
    before = set(multiprocessing.active_children())
    with executors.open_executor(executors.LOCAL, 2) as executor:
        sleeping = executor.submit(time.sleep, 3600)
        assert executor.submit(square, 2).result() == 4
        started = set(multiprocessing.active_children()) - before
        assert len(started) >= 2
    assert not sleeping.done() or sleeping.cancelled() or sleeping.exception()
    assert not any(process.is_alive() for process in started)


@pytest.mark.proof
def test_a_cluster_that_is_not_there_is_one_clear_error() -> None:
    pytest.importorskip("distributed", reason="needs the extra [dask]")
    with (
        pytest.raises(CourseError, match="there is no Dask scheduler at tcp://127.0.0.1:9 "),
        executors.open_executor("tcp://127.0.0.1:9", 1),
    ):
        pass


class Losing(executors.Here):
    """Loses every call with a negative number, as a cluster does that has lost all its workers."""

    class Gone(Exception):
        pass

    lost = (Gone,)

    def submit(self, function, *args):
        return super().submit(function if args[0] >= 0 else self.lose, *args)

    def lose(self, number: int) -> None:
        raise self.Gone


def test_a_call_that_a_cluster_has_lost_costs_nobody_else_anything() -> None:
    tasks = ((str(n), (n,)) for n in (1, -2, 3))
    found = dict(executors.results(Losing(), square, tasks))
    assert isinstance(found.pop("-2"), executors.WorkerLost)
    assert found == {"1": 1, "3": 9}
