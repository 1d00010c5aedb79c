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
from autograder.sandbox.warm import HOME, OWN, SHARED, WORK

DATA = "/data"
# What a program needs of the system. Nothing else of / is there.
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache")
SYSTEM += ("/etc/fonts", "/etc/localtime", "/etc/alternatives", "/etc/mime.types")
# What is taken over from the grader's environment; everything else is cleared.
KEPT = ("LANG", "LC_ALL", "TZ")
# Where something else lies in the sandbox than on the machine.
COVERED = ("/tmp", "/dev/shm", "/proc", HOME, SHARED, OWN, DATA)
INSTALL = (
    "install the package bubblewrap (Debian, Ubuntu: apt-get install bubblewrap; Fedora: dnf "
    "install bubblewrap); on macOS and Windows grade in a container (see README.md), or grade with "
    "--no-sandbox if you trust every submission"
)


def find_bwrap() -> str:
    """Return the path of bubblewrap.

    Raises CourseError if it is missing or may not work, or if this Python would not be seen in it.
    """
    found = shutil.which("bwrap") if sys.platform == "linux" else None
    if found is None:
        raise CourseError(f"the sandbox for students' code is missing: {INSTALL}")
    for folder, place in itertools.product(python_folders(), COVERED):
        if folder.is_relative_to(place):
            raise CourseError(
                f"this Python lies in {folder}, and the sandbox has a {place} of its own: move the "
                "course to another folder, make its environment there anew, and grade there"
            )
    command = [found, *namespaces(found), "--ro-bind", "/", "/", "/bin/true"]
    try:
        tried = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    else:
        if tried.returncode == 0:
            return found
        reason = tried.stderr.strip() or f"it ended with {tried.returncode}"
    raise CourseError(
        f"bubblewrap may not make a sandbox here ({reason}): allow unprivileged user namespaces "
        "(in a container, grade outside of it), or grade with --no-sandbox if you trust every "
        "submission"
    )


@functools.cache
def namespaces(bwrap: str) -> list[str]:
    """Return bubblewrap's options that cut a program off from the rest of the machine."""
    kinds = ("user", "pid", "ipc", "uts", "net", "cgroup-try")
    told = subprocess.run([bwrap, "--help"], capture_output=True, text=True, check=False).stdout
    # In a user namespace of its own a program could mount memory without a limit. bubblewrap
    # prevents that since version 0.8.
    more = ["--disable-userns"] if "--disable-userns" in told else []
    return [f"--unshare-{kind}" for kind in kinds] + [
        *more,
        *("--uid", "1000", "--gid", "1000", "--hostname", "sandbox"),
        *("--die-with-parent", "--new-session"),
    ]


def python_folders() -> list[Path]:
    """Return the folders of this Python and its environment, outer ones before inner ones."""
    found = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parents[1]}
    found = {folder for folder in found if not folder.is_relative_to("/usr")}
    return sorted(found, key=lambda folder: len(folder.parts))


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


def command(
    bwrap: str,
    program: Sequence[str],
    *,
    env: Mapping[str, str],
    shown: Mapping[str, Path],
    shared: Mapping[str, Path],
    scratch: int,
    warm: bool = False,
) -> list[str]:
    """Return the command that runs `program` in the sandbox.

    Args:
        env: its whole environment.
        shown: place in the sandbox → a file or folder that is seen there, read-only.
        shared: place in the sandbox → a folder that it can write to and the grader can read.
        scratch: bytes that /tmp and its home may each take.
        warm: leave it the capabilities, inside of the sandbox, that a warm parent needs.
    """
    args = [bwrap, *namespaces(bwrap), "--clearenv"]
    for name, value in env.items():
        args += ["--setenv", name, value]
    for path in map(Path, SYSTEM):
        if path.is_symlink():
            args += ["--symlink", os.readlink(path), str(path)]
        elif path.exists():
            args += ["--ro-bind", str(path), str(path)]
    for folder in python_folders():
        args += ["--ro-bind", str(folder), str(folder)]
    for place in _package_places():
        args += ["--tmpfs", place, "--remount-ro", place]
    args += ["--proc", "/proc", "--dev", "/dev"]
    for folder in ("/tmp", HOME, "/dev/shm"):
        args += ["--size", str(scratch), "--tmpfs", folder]
    for folder in (WORK, SHARED, OWN):
        args += ["--dir", folder]
    for place, path in shown.items():
        args += ["--ro-bind", str(path), place]
    for place, path in shared.items():
        args += ["--bind", str(path), place]
    # Folders that bubblewrap made on the way to others would be writable otherwise, without a limit
    # and for all that are forked from a warm parent.
    args += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", WORK]
    args += ["--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_NET_ADMIN"] if warm else []
    args += ["--cap-add", "CAP_SETPCAP"] if warm else []
    return [*args, "--", *program]


def environment(env: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a program in the sandbox: little of the grader's `env`, and `own`.

    Numbers are computed by one thread: several submissions are graded at once, results do not
    depend on the machine, and a warm parent may not have any other.
    """
    kept = {name: env[name] for name in KEPT if env.get(name)}
    kept |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    fixed = {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": HOME,
        "TMPDIR": "/tmp",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
    }
    return kept | fixed | dict(own)


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
        for process in outer.children():
            with contextlib.suppress(psutil.Error):
                process.kill()
        outer.kill()


def first_process(pid: int) -> psutil.Process | None:
    """Return the program that bubblewrap's process `pid` has started, not what that started.

    bubblewrap → its own first process in the sandbox → the program. Orphans end up beside the
    program, but are always younger.
    """
    with contextlib.suppress(psutil.Error):
        for inner in psutil.Process(pid).children():
            beside = sorted(
                inner.children(), key=lambda process: (process.create_time(), process.pid)
            )
            if beside:
                return beside[0]
    return None


def shown_files(data: Path | None) -> dict[str, Path]:
    """Return what a sandbox shows besides the system: the data folder, if there is one."""
    return {DATA: data} if data is not None and data.is_dir() else {}
