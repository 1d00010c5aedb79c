"""A student's Pythons as the grader starts and stops them.

A `Starter` starts Pythons that run given code: forked from a warm parent in the sandbox, fresh in
the sandbox, or fresh without one. A notebook's kernel is one of them (see kernels.py), and so are
those in which only definitions are run. All hold one end of a channel to the grader.
"""

from __future__ import annotations

import abc
import contextlib
import itertools
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import psutil

from autograder.sandbox import bubblewrap, warm
from autograder.sandbox.channels import Channel, Loopback, SocketPair
from autograder.sandbox.clock import Clock, Timer, family
from autograder.sandbox.guard import Guard
from autograder.sandbox.limits import MB, Limits, process_limits

# Seconds that a Python may take to import a lesson's libraries, and a forked one to begin.
START, FORK = 120, 20
WARM = Path(warm.__file__).read_text(encoding="utf-8")
# What a Python does that was started ahead of need.
WAIT = """
import contextlib, importlib, sys
for name in sys.argv[1:]:
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
exec(compile(sys.stdin.buffer.read(), "<start>", "exec"), {"__name__": "__main__"})
"""
DETACHED: dict[str, Any] = {"env": {}, "cwd": "/", "start_new_session": True}
DETACHED |= dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)


class StartFailed(Exception):
    """A Python could not be started; the message says why."""


class Running(abc.ABC):
    """A student's Python, and everything it has started.

    pid: the process that all others descend from, as this process sees it.
    guard: watches over the limits; None without a sandbox.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.guard: Guard | None = None

    @abc.abstractmethod
    def interrupt(self) -> None:
        """Interrupt what it is doing."""

    @abc.abstractmethod
    def kill(self) -> None:
        """End it and everything it has started."""

    @abc.abstractmethod
    def alive(self) -> bool:
        """Whether it still runs."""

    @property
    def limit_hit(self) -> str:
        """Which limit ended it, "" if none did."""
        return self.guard.reason if self.guard is not None else ""

    def timer(self, seconds: float, patience: float) -> Timer:
        """Return a context in which it may be busy for so long."""
        return Timer(self.pid, self.interrupt, self.kill, seconds, patience)

    def stopwatch(self) -> Callable[[], float]:
        """Return what says how much of the time since it was last asked counts."""
        clock = Clock()

        def counted() -> float:
            try:
                return clock.charge(family(self.pid))
            except psutil.NoSuchProcess:
                return clock.charge([])

        counted()
        return counted

    def end(self) -> None:
        """End it, and the watch over it."""
        if self.guard is not None:
            self.guard.ended.set()
        self.kill()


class PlainPython(Running):
    """A Python without a sandbox, on any system, which imports modules and waits for its code."""

    def __init__(self, modules: Sequence[str], env: Mapping[str, str], folder: Path) -> None:
        program = [sys.executable, "-P", "-c", WAIT, *modules]
        options = {"env": env, "cwd": folder, "stdin": subprocess.PIPE}
        self.process = psutil.Popen(program, **DETACHED | options)
        super().__init__(self.process.pid)

    def begin(self, code: str, folder: Path) -> None:
        """Run code, in a folder."""
        with contextlib.suppress(OSError), self.process.stdin as stdin:  # it may have ended
            stdin.write(f"import os; os.chdir({str(folder)!r}); del os\n{code}".encode())

    def interrupt(self) -> None:
        """Interrupt what it is doing; Windows has no such signal, and ends it."""
        if os.name == "nt":
            self.kill()
        else:
            self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it and everything it has started."""
        with contextlib.suppress(psutil.Error):
            for process in (*self.process.children(recursive=True), self.process):
                with contextlib.suppress(psutil.Error):
                    process.kill()
            self.process.wait(5)

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.is_running()


# A Python can be interrupted, also if the grader, in the background of a shell, cannot.
INTERRUPTIBLE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); del signal\n"
)
# What a Python that was not forked does before anything else: it puts its channel into place, and
# takes its limits. (Between fork and exec of a process with threads, as this one, no Python may
# run.)
PREPARE = """
def prepare(pipe, limits):
    import os, resource
    os.dup2(pipe, {place}, inheritable=True)
    os.closerange({place} + 1, 4096)
    for kind, value in limits.items():
        resource.setrlimit(kind, (value, value))
prepare({pipe}, {limits})
del prepare
"""


class SandboxedPython(Running):
    """A Python in a sandbox of its own; `args` start it, the open files `given` are handed on."""

    def __init__(
        self, args: Sequence[str], given: Sequence[int], limits: Limits, folder: Path | None
    ) -> None:
        self.process = subprocess.Popen(args, pass_fds=given, **DETACHED)
        super().__init__(self.process.pid)
        # bubblewrap itself and its first process in the sandbox are there besides the student's.
        self.guard = Guard(
            self.pid, lambda: bubblewrap.kill_sandbox(self.pid), limits, folder, overhead=2
        )
        self.guard.start()

    def interrupt(self) -> None:
        """Interrupt what it is doing."""
        first = bubblewrap.first_process(self.pid)
        if first is not None:
            first.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it and everything it has started."""
        bubblewrap.kill_sandbox(self.pid)
        self.process.wait()

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None


class ForkedPython(Running):
    """A Python that a warm parent has forked.

    In the sandbox it is the first process of its own namespace, with which all others end, and has
    limits to be watched over.
    """

    def __init__(self, pid: int, limits: Limits | None = None, folder: Path | None = None) -> None:
        super().__init__(pid)
        self._handle = -1
        with contextlib.suppress(ProcessLookupError):  # it may have ended
            self._handle = os.pidfd_open(pid)
        if limits is not None:
            self.guard = Guard(pid, lambda: self._send(signal.SIGKILL), limits, folder)
            self.guard.start()

    def interrupt(self) -> None:
        """Interrupt what it is doing."""
        self._send(signal.SIGINT)

    def kill(self) -> None:
        """End it and everything it has started."""
        if self._handle >= 0:
            started = [] if self.guard is not None else self._started()
            self._send(signal.SIGKILL)
            for process in started:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            # The first process of a namespace has ended when all the others have.
            select.select([self._handle], [], [], 10)
            handle, self._handle = self._handle, -1
            os.close(handle)

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._handle >= 0 and not select.select([self._handle], [], [], 0)[0]

    def _started(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            return family(self.pid)[1:]
        return []

    def _send(self, number: int) -> None:
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self._handle, number)


@dataclass(eq=False)
class Starter(contextlib.AbstractContextManager["Starter"]):
    """Starts Pythons for submissions to one assignment; a context that stops what is left.

    Args:
        limits: what each submission may take.
        modules: what a warm parent imports.
        data: a folder of data sets, seen as /data in a sandbox.
        env: environment variables of the Pythons.
    """

    limits: Limits
    modules: Sequence[str] = ()
    data: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)

    sandboxed: ClassVar[bool] = True
    warm: ClassVar[bool] = False  # whether its Pythons have their modules already
    # Of its channels, a Python and the grader hold an end each.
    channel: ClassVar[type[SocketPair] | type[Loopback]] = SocketPair

    def __post_init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kernels-"))
        self._numbers = itertools.count(1)

    @abc.abstractmethod
    def _start(self, code: str, channel: Channel, folder: Path | None, limits: Limits) -> Running:
        """Start a Python; see `start`."""

    def begin(self) -> None:
        """Begin with what takes time before a first Python can start; does not wait for it."""

    def start(
        self, code: str, channel: Channel, folder: Path | None = None, limits: Limits | None = None
    ) -> Running:
        """Start a Python that runs `code`; raise StartFailed if it does not start.

        Args:
            folder: its own folder.
            limits: tighter ones than the submission's.
        """
        try:
            return self._start(code, channel, folder, limits or self.limits)
        finally:
            channel.started()

    def own_folder(self) -> Path:
        """Return a new folder that a Python shares with the grader (see `inside`)."""
        folder = self.folder / f"{next(self._numbers)}"
        folder.mkdir()
        return folder

    def inside(self, folder: Path) -> str:
        """Return where a Python sees its own folder."""
        return warm.OWN if self.sandboxed else str(folder)

    def close(self) -> None:
        """Stop what is left, and remove all folders."""
        bubblewrap.remove_folder(self.folder)

    def __exit__(self, *error: object) -> None:
        self.close()


class PlainStarter(Starter):
    """Starts Pythons without a sandbox, on any system.

    The next one is started ahead of need, and imports while others still run.
    """

    sandboxed = False
    channel = Loopback
    _next: PlainPython | None = None

    def _start(self, code: str, channel: Channel, folder: Path | None, limits: Limits) -> Running:
        python = self._next or self._waiting()
        self._next = self._waiting()
        python.begin(INTERRUPTIBLE + code, folder or self.folder)
        return python

    def _waiting(self) -> PlainPython:
        return PlainPython(self.modules, os.environ | self.env, self.folder)

    def close(self) -> None:
        """Stop what is left, and remove all folders."""
        if self._next is not None:
            self._next.kill()
        super().close()


class FreshStarter(Starter):
    """Starts each Python in a sandbox of its own; raises CourseError if there is none here."""

    def __post_init__(self) -> None:
        self.sandbox = bubblewrap.Sandbox(self.env, self.data)
        super().__post_init__()

    def _start(self, code: str, channel: Channel, folder: Path | None, limits: Limits) -> Running:
        assert isinstance(channel, SocketPair)
        shared = {} if folder is None else {warm.OWN: folder}
        pipe = channel.theirs.fileno()
        first = PREPARE.format(pipe=pipe, place=warm.PIPE, limits=process_limits(limits))
        program = [sys.executable, "-I", "-c", INTERRUPTIBLE + first + code]
        with tempfile.TemporaryFile() as calls:
            calls.write(warm.filter_of_calls())
            calls.seek(0)
            scratch = limits.scratch * MB
            args = self.sandbox.command(program, shared, scratch, calls=calls.fileno())
            return SandboxedPython(args, [pipe, calls.fileno()], limits, folder)


class ForkingStarter(Starter):
    """Forks each Python from a warm parent, which has imported the libraries."""

    warm = True
    _parent: WarmParent | None = None

    @abc.abstractmethod
    def begin_parent(self, program: Sequence[str], pipe: int) -> subprocess.Popen:
        """Start a program, the warm parent, which inherits a pipe."""

    @abc.abstractmethod
    def wishes(self, folder: Path | None, limits: Limits) -> dict[str, Any]:
        """Return how a forked Python is to be prepared; see warm.py."""

    @abc.abstractmethod
    def forked(self, pid: int, folder: Path | None, limits: Limits) -> Running:
        """Return the Python that was forked."""

    def _start(self, code: str, channel: Channel, folder: Path | None, limits: Limits) -> Running:
        assert isinstance(channel, SocketPair)
        # It may have ended just now. As long as it runs, so do those that were forked from it.
        with contextlib.suppress(StartFailed):
            return self.parent().fork(code, channel, folder, limits)
        try:
            return self.parent().fork(code, channel, folder, limits)
        except StartFailed:  # the next submission gets another
            self._stop_parent()
            raise

    def begin(self) -> None:
        """Begin to warm up."""
        self.parent()

    def parent(self) -> WarmParent:
        """Return the warm parent, a new one if none runs."""
        if self._parent is None or self._parent.process.poll() is not None:
            self._stop_parent()
            self._parent = WarmParent(self)
        return self._parent

    def _stop_parent(self) -> None:
        if self._parent is not None:
            self._parent.close()
            self._parent = None

    def close(self) -> None:
        """Stop what is left, and remove all folders."""
        self._stop_parent()
        super().close()


class WarmStarter(ForkingStarter, FreshStarter):
    """Forks each Python from a warm parent in a sandbox."""

    def begin_parent(self, program: Sequence[str], pipe: int) -> subprocess.Popen:
        """Start it in its sandbox."""
        shared = {warm.SHARED: self.folder}
        args = self.sandbox.command(program, shared, self.limits.scratch * MB, warm=True)
        return subprocess.Popen(args, pass_fds=(pipe,), **DETACHED)

    def wishes(self, folder: Path | None, limits: Limits) -> dict[str, Any]:
        """Return what a Python gets in a sandbox."""
        return {
            "folder": folder.name if folder is not None else "",
            "env": self.sandbox.env,
            "limits": process_limits(limits),
            "scratch": limits.scratch * MB,
        }

    def forked(self, pid: int, folder: Path | None, limits: Limits) -> Running:
        """Return it, watched over."""
        return ForkedPython(pid, limits, folder)


class PlainWarmStarter(ForkingStarter):
    """Forks each Python from a warm parent without a sandbox, on Linux."""

    sandboxed = False

    def begin_parent(self, program: Sequence[str], pipe: int) -> subprocess.Popen:
        """Start it with the grader's own environment."""
        env = {**os.environ, **bubblewrap.ONE_THREAD, **self.env}
        place = {"env": env, "cwd": self.folder}
        return subprocess.Popen(program, pass_fds=(pipe,), **DETACHED | place)

    def wishes(self, folder: Path | None, limits: Limits) -> dict[str, Any]:
        """Return where a Python works."""
        return {"place": str(folder or self.folder)}

    def forked(self, pid: int, folder: Path | None, limits: Limits) -> Running:
        """Return it; nobody watches over its limits."""
        return ForkedPython(pid)


def make_starter(
    limits: Limits, *, sandboxed: bool = True, forked: bool = True, **settings: Any
) -> Starter:
    """Return what starts Pythons: in the sandbox or without one, forked or fresh.

    Only on Linux it is safe to fork a Python that has imported the libraries. `settings`: see
    Starter. Raises CourseError if there is no sandbox here, and one is wanted.
    """
    if sandboxed:
        return (WarmStarter if forked else FreshStarter)(limits, **settings)
    forks = forked and sys.platform == "linux"
    return (PlainWarmStarter if forks else PlainStarter)(limits, **settings)


class WarmParent:
    """A warm parent (see warm.py), which forks when it has imported what it is to."""

    def __init__(self, starter: ForkingStarter) -> None:
        self.starter = starter
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = "-I" if starter.sandboxed else "-P"
        program = [sys.executable, path, "-c", WARM, str(theirs.fileno()), *starter.modules]
        self.process = starter.begin_parent(program, theirs.fileno())
        theirs.close()
        self.is_warm = False

    def wait(self) -> None:
        """Wait until it is warm; raise StartFailed if that fails."""
        self.control.settimeout(START)
        try:
            state = self.control.recv(1000).decode(errors="replace") or "it ended at once"
        except OSError as error:
            state = str(error)
        self.control.settimeout(None)
        if state != "warm":
            self.close()
            raise StartFailed(f"the warm Python did not start ({state})")
        self.is_warm = True

    def fork(self, code: str, channel: SocketPair, folder: Path | None, limits: Limits) -> Running:
        """Fork a Python that runs `code`; raise StartFailed if that fails."""
        if not self.is_warm:
            self.wait()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            ours.settimeout(FORK)
            request = {"code": code} | self.starter.wishes(folder, limits)
            pipes = [theirs.fileno(), channel.theirs.fileno()]
            try:
                socket.send_fds(self.control, [json.dumps(request).encode()], pipes)
            except OSError as error:
                raise StartFailed(f"the warm Python has ended ({error.strerror})") from error
            theirs.close()
            try:
                state, extra, _, _ = ours.recvmsg(1000, socket.CMSG_SPACE(12))
            except OSError as error:
                raise StartFailed(f"a forked Python did not begin ({error})") from error
        if state != b"ready":
            raise StartFailed(f"a forked Python did not begin ({state.decode(errors='replace')})")
        # The kernel says who sent it: process, user and group.
        return self.starter.forked(struct.unpack("3i", extra[0][2][:12])[0], folder, limits)

    def close(self) -> None:
        """End it, and all that were forked from it."""
        self.control.close()
        if self.process.poll() is None:
            bubblewrap.kill_sandbox(self.process.pid)
            self.process.wait()
