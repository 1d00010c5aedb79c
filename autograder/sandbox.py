"""A kernel under bubblewrap: no network, no files but its own, limits, and a clean end.

This is a kernel provisioner, the documented extension point of jupyter_client; `pyproject.toml`
registers it under the name in `NAME`. What the kernel sees: the system and the Python environment,
read-only, and an empty home whose folder `work` holds the assignment's own files, read-only too.
Its messages go over Unix sockets in a folder made for this one kernel.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner
from traitlets import Integer, List, Unicode

from autograder.errors import CourseError

NAME = "course-sandbox"
HOME = "/home/student"
WORK = f"{HOME}/work"
DATA = "/data"
MB = 2**20
# What a program needs of the system. Nothing else of / is there.
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache")
SYSTEM += ("/etc/fonts", "/etc/localtime", "/etc/alternatives", "/etc/mime.types")
# What is taken over from the grader's environment; everything else is cleared.
KEPT = ("LANG", "LC_ALL", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "MPLBACKEND", "TZ")
KEPT += ("COURSE_FAST_RUN", "COURSE_GRADING", "COURSE_GRADING_SEED", "COURSE_PRIVATE_TESTS")
INSTALL = (
    "install the package bubblewrap (Debian, Ubuntu: apt-get install bubblewrap; Fedora: dnf "
    "install bubblewrap), or grade without --sandbox if you trust every submission"
)


def find_bwrap() -> str:
    """Return the path of bubblewrap; raise CourseError if it is missing or may not work."""
    found = shutil.which("bwrap") if sys.platform == "linux" else None
    if found is None:
        raise CourseError(f"the sandbox for students' code is missing: {INSTALL}")
    command = [found, *namespaces(), "--ro-bind", "/", "/", "/bin/true"]
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
        "(in a container, grade outside of it), or grade without --sandbox if you trust every "
        "submission"
    )


def namespaces() -> list[str]:
    """Return bubblewrap's options that cut a program off from the rest of the machine."""
    kinds = ("user", "pid", "ipc", "uts", "net", "cgroup-try")
    return [f"--unshare-{kind}" for kind in kinds] + [
        *("--uid", "1000", "--gid", "1000", "--hostname", "sandbox"),
        *("--die-with-parent", "--new-session"),
    ]


def python_folders() -> list[Path]:
    """Return the folders of this Python and its environment, outer ones before inner ones."""
    found = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parents[1]}
    found = {folder for folder in found if not folder.is_relative_to("/usr")}
    return sorted(found, key=lambda folder: len(folder.parts))


def command(
    bwrap: str,
    program: Sequence[str],
    *,
    env: dict[str, str],
    shared: Path | None = None,
    files: Sequence[Path] = (),
    data: Path | None = None,
    scratch: int = 256 * MB,
) -> list[str]:
    """Return the command that runs `program` in the sandbox.

    Args:
        env: its whole environment.
        shared: the one folder that it can write to and the grader can read.
        files: what is copied into its working folder; given as copies already, bound read-only.
        data: a folder to be seen, read-only, as /data.
        scratch: bytes that /tmp and its home may each take.
    """
    args = [bwrap, *namespaces(), "--clearenv"]
    for name, value in env.items():
        args += ["--setenv", name, value]
    for path in map(Path, SYSTEM):
        if path.is_symlink():
            args += ["--symlink", os.readlink(path), str(path)]
        elif path.exists():
            args += ["--ro-bind", str(path), str(path)]
    for folder in python_folders():
        args += ["--ro-bind", str(folder), str(folder)]
    args += ["--proc", "/proc", "--dev", "/dev"]
    for folder in ("/tmp", HOME, "/dev/shm"):
        args += ["--size", str(scratch), "--tmpfs", folder]
    args += ["--dir", WORK]
    for path in files:
        args += ["--ro-bind", str(path), f"{WORK}/{path.name}"]
    if data is not None and data.is_dir():
        args += ["--ro-bind", str(data), DATA]
    if shared is not None:
        args += ["--bind", str(shared), str(shared)]
    # Folders that bubblewrap made on the way to others would be writable otherwise.
    return [*args, "--remount-ro", "/", "--chdir", WORK, "--", *program]


def environment(env: dict[str, str], data: Path | None = None) -> dict[str, str]:
    """Return the environment of a program in the sandbox, made from the grader's."""
    kept = {name: env[name] for name in KEPT if env.get(name)}
    own = {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": HOME,
        "TMPDIR": "/tmp",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
    }
    if data is not None and data.is_dir():
        own["COURSE_DATA"] = DATA
    return kept | own


class Guard(threading.Thread):
    """Kill a sandbox that takes more memory, processes or time than it may.

    Limits set with setrlimit hold for one process each (and, for root, not for the number of
    processes); this looks at all of them together. `reason` says which limit was hit.
    """

    def __init__(self, pid: int, memory: int, processes: int, seconds: float) -> None:
        super().__init__(daemon=True, name=f"guard of {pid}")
        self.pid, self.memory, self.processes, self.seconds = pid, memory, processes, seconds
        self.reason = ""
        self.ended = threading.Event()

    def run(self) -> None:
        """Look ten times a second until the sandbox has ended."""
        end = time.monotonic() + self.seconds
        while not self.ended.wait(0.1):
            try:
                inside = psutil.Process(self.pid).children(recursive=True)
            except psutil.NoSuchProcess:
                return
            memory = 0
            for process in inside:
                with contextlib.suppress(psutil.Error):
                    info = process.memory_info()
                    memory += info.rss - info.shared
            if memory > self.memory:
                self.reason = f"more than {self.memory // MB} MB of memory were used"
            elif len(inside) > self.processes:
                self.reason = f"more than {self.processes} processes were started"
            elif time.monotonic() > end:
                self.reason = f"it ran for more than {self.seconds:g} seconds in all"
            if self.reason:
                kill_sandbox(self.pid)
                return


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


def limiter(memory: int, file_size: int, processes: int) -> Callable[[], None]:
    """Return a function that sets the limits of the process that calls it, for `preexec_fn`.

    All that the process starts inherits them, for each process separately.
    """
    import resource  # only where there is a sandbox, on Linux

    wanted = {
        resource.RLIMIT_DATA: memory,
        resource.RLIMIT_FSIZE: file_size,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 1024,
    }
    if os.getuid() != 0:  # counts all of a user's threads, so there must be room for the others
        running = 0
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.uids().real == os.getuid():
                    running += process.num_threads()
        wanted[resource.RLIMIT_NPROC] = running + 4 * processes

    def limit() -> None:
        for kind, value in wanted.items():
            hard = resource.getrlimit(kind)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (value, value))

    return limit


class SandboxProvisioner(LocalProvisioner):
    """Start, interrupt and end a kernel under bubblewrap."""

    memory = Integer(4096, help="MB of memory of all processes together").tag(config=True)
    processes = Integer(256, help="Processes and threads beside the kernel").tag(config=True)
    file_size = Integer(256, help="MB one file may have").tag(config=True)
    seconds = Integer(1800, help="Seconds one submission may take in all").tag(config=True)
    files = List(Unicode(), help="Files and folders the working folder holds").tag(config=True)
    data = Unicode(help="Folder to be seen, read-only, as /data").tag(config=True)

    folder: Path | None = None
    guard: Guard | None = None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Make the kernel's private folder, and put bubblewrap before its command."""
        bwrap = find_bwrap()
        # Short, because the path of a Unix socket may have 107 characters only.
        self.folder = Path(tempfile.mkdtemp(prefix="kernel-"))
        manager = self.parent
        manager.transport = "ipc"
        manager.connection_file = str(self.folder / "kernel.json")
        manager.ip = str(self.folder / "kernel")
        kwargs = await super().pre_launch(**kwargs)
        data = Path(self.data) if self.data else None
        env = environment(kwargs.get("env") or {}, data)
        program = [sys.executable, *kwargs["cmd"][1:]]
        kwargs["cmd"] = command(
            bwrap, program, env=env, shared=self.folder, files=self.copies(), data=data
        )
        kwargs |= {"env": {}, "cwd": "/", "stdout": subprocess.DEVNULL}
        kwargs |= {"stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
        kwargs["preexec_fn"] = limiter(self.memory * MB, self.file_size * MB, self.processes)
        return kwargs

    def copies(self) -> list[Path]:
        """Return the files of the working folder; they are only ever bound read-only."""
        return [path for path in map(Path, self.files) if path.exists()]

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start the kernel and the guard that watches over its limits."""
        info = await super().launch_kernel(cmd, **kwargs)
        self.guard = Guard(self.pid, self.memory * MB, self.processes, self.seconds)
        self.guard.start()
        return info

    async def send_signal(self, signum: int) -> None:
        """Send an interrupt to the kernel itself (bubblewrap would die of it), else end it all."""
        if not self.process:
            return
        if signum == signal.SIGINT:
            kernel = first_process(self.pid)
            if kernel is not None:
                with contextlib.suppress(psutil.Error):
                    kernel.send_signal(signum)
        elif signum != 0:
            kill_sandbox(self.pid)

    async def cleanup(self, restart: bool = False) -> None:
        """Make sure that no process and no file is left."""
        if self.guard is not None:
            self.guard.ended.set()
        if self.process is not None:
            kill_sandbox(self.pid)
        if self.folder is not None and not restart:
            shutil.rmtree(self.folder, ignore_errors=True)
        await super().cleanup(restart)


class SandboxManager(AsyncKernelManager):
    """Manages this environment's own Python kernel, in the sandbox.

    What the notebook or the machine's kernel specifications say plays no part.
    """

    @property
    def kernel_spec(self) -> KernelSpec:
        """The kernel's command, to be started by the sandbox's provisioner."""
        return python_kernel({"kernel_provisioner": {"provisioner_name": NAME, "config": {}}})


class PlainManager(AsyncKernelManager):
    """Manages this environment's own Python kernel, outside of any sandbox."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """The kernel's command."""
        return python_kernel({})


def python_kernel(metadata: dict) -> KernelSpec:
    """Return the specification of a kernel of the Python that runs this."""
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    return KernelSpec(argv=argv, display_name="Python 3", language="python", metadata=metadata)


def register() -> None:
    """Make the provisioner known where the package was installed before it had one."""
    value = f"{__name__}:{SandboxProvisioner.__name__}"
    entry = EntryPoint(NAME, value, KernelProvisionerFactory.GROUP_NAME)
    KernelProvisionerFactory.instance().provisioners.setdefault(NAME, entry)
