"""`build --watch` builds at once and after each change, shows mistakes, and ends with Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, TINY

from autograder.build.watch import stamps, watch
from autograder.course import Course
from autograder.errors import CourseError


def touch(path: Path, text: str) -> None:
    """Save a file; its time of change is another one also on a clock with coarse steps."""
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1_000_000_000))


def test_it_builds_once_for_each_change_and_goes_on_after_a_mistake(course, capsys) -> None:
    lesson = course.lesson_path(TINY)
    calls = []

    def rebuild(course: Course) -> list[Path]:
        calls.append(lesson.read_text(encoding="utf-8"))
        if "mistake" in calls[-1]:
            raise CourseError("notebooks/00_tiny.py:3: a mistake")
        return [course.release_notebook(TINY)]

    def steps() -> Iterator[None]:
        yield  # nothing happens
        yield
        touch(lesson, "a mistake")
        yield
        touch(lesson, "mended")
        yield
        (course.notebooks / "01_new.py").write_text("x", encoding="utf-8")
        yield
        raise KeyboardInterrupt

    todo = steps()
    assert watch(course, rebuild, pause=lambda: next(todo)) == 0
    assert [text[:9] for text in calls] == ["# ---\n# j", "a mistake", "mended", "mended"]
    lines = capsys.readouterr().out.splitlines()
    assert [line[10:].split()[0] for line in lines[:-1] if line] == [
        *("wrote", "built"),
        "error:",
        *("wrote", "built"),
        *("wrote", "built"),
    ]
    assert "error: notebooks/00_tiny.py:3: a mistake" in lines[2]
    assert lines[-1] == "no longer watching"


def test_what_the_build_reads_is_watched_and_what_it_writes_is_not(built_course) -> None:
    before = stamps(built_course)
    assert built_course.lesson_path(TINY) in before
    touch(built_course.release_notebook(TINY), "{}")
    (built_course.root / "README.md").write_text("x", encoding="utf-8")
    assert stamps(built_course) == before
    touch(built_course.root / "nbgrader_config.py", "c = 1")
    assert stamps(built_course) != before


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs the signal that Ctrl-C sends")
def test_the_command_line(course, tmp_path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    log = tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "autograder", "build", "--watch"],
            cwd=course.root,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            # Where tests run in the background, Ctrl-C may be ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    try:
        wait_for(log, "built in")
        text = course.lesson_path(TINY).read_text(encoding="utf-8")
        touch(course.lesson_path(TINY), text.replace("# STUB: doubled = ...", ""))
        wait_for(log, "a block without a stub")
        touch(course.lesson_path(TINY), text.replace("# ## Lists", "# ## More lists"))
        wait_for(log, "wrote release", times=2)
        assert "More lists" in course.release_notebook(TINY).read_text(encoding="utf-8")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
    assert log.read_text(encoding="utf-8").endswith("no longer watching\n")


def wait_for(log: Path, words: str, times: int = 1, seconds: float = 180) -> None:
    """Wait until the log holds some words; fail after a while, showing it."""
    end = time.monotonic() + seconds
    while log.read_text(encoding="utf-8").count(words) < times:
        assert time.monotonic() < end, log.read_text(encoding="utf-8")
        time.sleep(0.2)
