"""A program under bubblewrap: no network, no files but its own, limits, and a clean end.

What a program sees: the system and the Python environment, read-only, and an empty home, in whose
folder `work` it starts.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from autograder.course import PACKAGE
from autograder.errors import CourseError
from autograder.sandbox.warm import HOME, OWN, SHARED, WORK, filter_of_calls

DATA = "/data"
# What a program needs of the system. Nothing else of / is there.
SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache"),
    *("/etc/fonts", "/etc/localtime", "/etc/alternatives", "/etc/mime.types"),
)
# What is taken over from the grader's environment; everything else is cleared.
KEPT = ("LANG", "LC_ALL", "TZ")
# Where something else lies in the sandbox than on the machine.
COVERED = ("/tmp", "/dev/shm", "/proc", HOME, SHARED, OWN, DATA)
# Numbers are computed by one thread: several submissions are graded at once, results do not depend
# on the machine, and a warm parent may not have any other.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
INSTALL = (
    "install the package bubblewrap (Debian, Ubuntu: apt-get install bubblewrap; Fedora: dnf "
    "install bubblewrap); on macOS and Windows grade in a container (see README.md), or grade with "
    "--no-sandbox if you trust every submission"
)


def find_bwrap() -> str:
    """Return the path of bubblewrap.

    Raises CourseError if it is missing or may not work, or if this Python would not be seen in it.
    """
    if sys.platform == "linux":
        try:
            filter_of_calls()
        except OSError as error:
            raise CourseError(
                f"there is no sandbox for this machine ({error.strerror}): grade on one with an "
                "x86_64 or aarch64 processor, or with --no-sandbox if you trust every submission"
            ) from error
    bwrap = shutil.which("bwrap") if sys.platform == "linux" else None
    if bwrap is None:
        raise CourseError(f"the sandbox for students' code is missing: {INSTALL}")
    for folder, place in itertools.product(python_folders(), COVERED):
        if folder.is_relative_to(place):
            raise CourseError(
                f"this Python lies in {folder}, and the sandbox has a {place} of its own: move the "
                "course to another folder, make its environment there anew, and grade there"
            )
    trial = [bwrap, *namespaces(bwrap), "--ro-bind", "/", "/", "/bin/true"]
    try:
        subprocess.run(trial, capture_output=True, text=True, timeout=20, check=True)
        return bwrap
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip() or f"it ended with {error.returncode}"
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    raise CourseError(
        f"bubblewrap may not make a sandbox here ({reason}): allow unprivileged user namespaces "
        "(in a container, grade outside of it), or grade with --no-sandbox if you trust every "
        "submission"
    )


@functools.cache
def namespaces(bwrap: str) -> list[str]:
    """Return bubblewrap's options that cut a program off from the rest of the machine."""
    help = subprocess.run([bwrap, "--help"], capture_output=True, text=True, check=False).stdout
    return [
        *(f"--unshare-{kind}" for kind in ("user", "pid", "ipc", "uts", "net", "cgroup-try")),
        # In a user namespace of its own a program could mount memory without a limit. bubblewrap
        # prevents that since version 0.8.
        *(["--disable-userns"] if "--disable-userns" in help else []),
        *("--uid", "1000", "--gid", "1000", "--hostname", "sandbox"),
        *("--die-with-parent", "--new-session"),
    ]


def python_folders() -> list[Path]:
    """Return the folders of this Python and its environment, outer ones before inner ones."""
    folders = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parents[1]}
    folders = {folder for folder in folders if not folder.is_relative_to("/usr")}
    return sorted(folders, key=lambda folder: len(folder.parts))


def _package_places() -> list[str]:
    """Return where a sandbox would show this package, if it is installed with the environment.

    It holds what hidden tests compare with.
    """
    folders = [Path(path) for path in SYSTEM if not Path(path).is_symlink()] + python_folders()
    return [
        str(folder / PACKAGE.relative_to(folder.resolve()))
        for folder in folders
        if PACKAGE.is_relative_to(folder.resolve())
    ]


class Sandbox:
    """Makes the commands that run programs in the sandbox.

    Raises CourseError if there is no sandbox here.

    Args:
        env: environment variables, besides the little that is kept of the grader's.
        data: a folder of data sets, seen as DATA.
    """

    def __init__(self, env: Mapping[str, str], data: Path | None) -> None:
        self.bwrap = find_bwrap()
        self.data = data if data is not None and data.is_dir() else None
        self.env = {name: os.environ[name] for name in KEPT if os.environ.get(name)}
        self.env |= {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": HOME,
            "TMPDIR": "/tmp",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUTF8": "1",
        }
        self.env |= {**ONE_THREAD, **env}
        if self.data is not None:
            self.env["COURSE_DATA"] = DATA

    def command(
        self,
        program: Sequence[str],
        shared: Mapping[str, Path],
        scratch: int,
        *,
        warm: bool = False,
        calls: int | None = None,
    ) -> list[str]:
        """Return the command that runs `program` in the sandbox.

        Args:
            shared: place in the sandbox → a folder that it can write to and the grader can read.
            scratch: bytes that /tmp and its home may each take.
            warm: leave it the capabilities, inside of the sandbox, that a warm parent needs.
            calls: an open file with the filter of its system calls. A warm parent needs more calls
                than its children, who give them up themselves.
        """
        args = [self.bwrap, *namespaces(self.bwrap), "--clearenv"]
        for name, value in self.env.items():
            args += ["--setenv", name, value]
        for path in SYSTEM:
            if os.path.islink(path):
                args += ["--symlink", os.readlink(path), path]
            elif os.path.exists(path):
                args += ["--ro-bind", path, path]
        for path in map(str, python_folders()):
            args += ["--ro-bind", path, path]
        for place in _package_places():
            args += ["--tmpfs", place, "--remount-ro", place]
        args += ["--proc", "/proc", "--dev", "/dev"]
        for place in ("/tmp", HOME, "/dev/shm"):
            args += ["--size", str(scratch), "--tmpfs", place]
        for place in (WORK, SHARED, OWN):
            args += ["--dir", place]
        if self.data is not None:
            args += ["--ro-bind", str(self.data), DATA]
        for place, folder in shared.items():
            args += ["--bind", str(folder), place]
        # Folders that bubblewrap made on the way to others would be writable otherwise, without a
        # limit and for all that are forked from a warm parent.
        args += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", WORK]
        for capability in ("SYS_ADMIN", "NET_ADMIN", "SETPCAP") if warm else ():
            args += ["--cap-add", f"CAP_{capability}"]
        if calls is not None:
            args += ["--seccomp", str(calls)]
        return [*args, "--", *program]


def remove_folder(folder: Path) -> None:
    """Remove a folder that a sandbox could write to, whatever is in it.

    Its folders may be nested deeper than a path can be long, or than Python can follow.
    """
    with contextlib.suppress(FileNotFoundError):
        folder.chmod(0o700)
        for number in itertools.count():
            inner = None
            for entry in os.scandir(folder):
                if entry.is_dir(follow_symlinks=False):
                    inner = entry.path
                else:
                    os.unlink(entry.path)
            if inner is None:
                break
            os.chmod(inner, 0o700)
            for index, name in enumerate(os.listdir(inner)):
                os.rename(os.path.join(inner, name), folder / f"removed-{number}-{index}")
            os.rmdir(inner)
        folder.rmdir()


def kill_sandbox(pid: int) -> None:
    """Kill a sandbox, given bubblewrap's process: with the first process inside, all go."""
    with contextlib.suppress(psutil.Error):
        outer = psutil.Process(pid)
        for process in (*outer.children(), outer):
            with contextlib.suppress(psutil.Error):
                process.kill()


def first_process(pid: int) -> psutil.Process | None:
    """Return the program that bubblewrap's process `pid` has started, not what that started.

    bubblewrap → its own first process in the sandbox → the program. Orphans end up beside the
    program, but are always younger.
    """
    with contextlib.suppress(psutil.Error):
        inner = psutil.Process(pid).children()
        programs = [program for process in inner for program in process.children()]
        return min(programs, key=lambda each: (each.create_time(), each.pid), default=None)
    return None
