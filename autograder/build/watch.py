"""Build again whenever a lesson is saved.

The files' times are compared twice a second. That works on every system and file system, network
drives and containers included, needs no further package, and a course has few files.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from autograder.course import CONFIG_NAME, Course
from autograder.errors import CourseError

PAUSE = 0.5
"""Seconds between two looks at the files."""


def watch(
    course: Course,
    rebuild: Callable[[Course], list[Path]],
    *,
    pause: Callable[[], object] = lambda: time.sleep(PAUSE),
) -> int:
    """Call `rebuild` now and after each change, until Ctrl-C; return the exit code 0.

    A mistake in a lesson is shown, and the watch goes on. `pause` is called between two looks.
    """
    seen: dict[Path, tuple[int, int]] | None = None
    try:
        while True:
            now = stamps(course)
            if now != seen:
                seen = now
                _rebuild(course, rebuild)
            pause()
    except KeyboardInterrupt:
        print("\nno longer watching")
        return 0


def stamps(course: Course) -> dict[Path, tuple[int, int]]:
    """Return time of change (ns) and size (bytes) of each file that the build reads."""
    paths = [
        *course.notebooks.glob("*.py"),
        *(course.data / "results").glob("*.md"),
        *(course.data / "networks").glob("*.pt"),
        course.root / CONFIG_NAME,
        course.root / "pyproject.toml",
    ]
    found = {}
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue  # an editor is about to put the new file in the place of the old one
        found[path] = (status.st_mtime_ns, status.st_size)
    return found


def _rebuild(course: Course, rebuild: Callable[[Course], list[Path]]) -> None:
    """Build and say in one line per file what came of it."""
    clock = time.strftime("%H:%M:%S")
    started = time.perf_counter()
    try:
        written = rebuild(course)
    except CourseError as error:
        print(f"{clock}  error: {error}", flush=True)
    else:
        for path in written:
            print(f"{clock}  wrote {path.relative_to(course.root).as_posix()}")
        what = "built" if written else "nothing to write"
        seconds = time.perf_counter() - started
        print(f"{clock}  {what} in {seconds:.1f} s; watching notebooks/, Ctrl-C ends", flush=True)
