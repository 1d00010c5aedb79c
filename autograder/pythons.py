"""A student's Pythons as the grader starts and stops them.

A `Starter` starts Pythons that run given code: forked from a warm parent in the sandbox, fresh in
the sandbox, or fresh without one. A notebook's kernel is one of them (see kernels.py), and so are
those in which only definitions are run. All hold one end of a channel to the grader.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from autograder import agent, sandbox, warm
from autograder.checks.remote import Session
from autograder.errors import CourseError
from autograder.sandbox import MB, Guard, Limits

# Seconds that a Python may take to import a lesson's libraries, and a forked one to begin.
START, FORK = 120, 20
AGENT = Path(agent.__file__).read_text(encoding="utf-8")
WARM = Path(warm.__file__).read_text(encoding="utf-8")


class StartFailed(Exception):
    """A Python could not be started; the message says why."""


# Channels: how a student's Python and the grader reach each other.


class Pair:
    """A pair of sockets, one of which a child inherits."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.address: object = warm.PIPE

    def connection(self, seconds: float) -> socket.socket:
        """Return the grader's end."""
        return self.ours

    def started(self) -> None:
        """Close the child's end here, so that its own end is seen."""
        self.theirs.close()

    def close(self) -> None:
        """Close what is open."""
        self.ours.close()
        self.theirs.close()


class Loopback:
    """A port of this machine to which whoever knows a secret may connect, on any system."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.secret = secrets.token_hex(16)
        self.address: object = (self.listener.getsockname()[1], self.secret)
        self.open: socket.socket | None = None

    def connection(self, seconds: float) -> socket.socket:
        """Return the connection that comes next; raise TimeoutError if none comes in time."""
        if self.open is not None:
            self.open.close()
        end = time.monotonic() + seconds
        while True:
            self.listener.settimeout(max(0.01, end - time.monotonic()))
            made, _ = self.listener.accept()
            made.settimeout(max(0.01, end - time.monotonic()))
            with contextlib.suppress(OSError):
                if secrets.compare_digest(_received(made, 32), self.secret.encode()):
                    self.open = made
                    return made
            made.close()

    def started(self) -> None:
        """Nothing is inherited."""

    def close(self) -> None:
        """Close what is open."""
        self.listener.close()
        if self.open is not None:
            self.open.close()


def _received(connection: socket.socket, count: int) -> bytes:
    """Return the next bytes, fewer if the other side ends; Windows has no MSG_WAITALL for this."""
    data = b""
    while len(data) < count and (more := connection.recv(count - len(data))):
        data += more
    return data


Channel = Pair | Loopback


# Pythons that run


@dataclass
class Running:
    """A student's Python, and everything it has started.

    pid: the process that all others descend from, as this process sees it.
    interrupt, kill: what they say; killing ends everything.
    guard: watches over the limits; None without a sandbox.
    """

    pid: int
    interrupt: Callable[[], object]
    kill: Callable[[], object]
    alive: Callable[[], bool]
    guard: Guard | None = None

    @property
    def limit_hit(self) -> str:
        """Which limit ended it, "" if none did."""
        return self.guard.reason if self.guard is not None else ""

    def end(self) -> None:
        """End it and everything it has started."""
        if self.guard is not None:
            self.guard.ended.set()
        self.kill()


class Starter:
    """Starts Pythons for submissions to one assignment; a context that stops what is left.

    Args:
        limits: what each submission may take.
        modules: what a warm parent imports.
        data: a folder of data sets, seen as /data.
        env: environment variables of the Pythons.
        sandboxed: whether they run in the sandbox.
        forked: whether they are forked from a warm parent, which takes a sandbox.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        modules: Sequence[str] = (),
        data: Path | None = None,
        env: dict[str, str] | None = None,
        sandboxed: bool = True,
        forked: bool = True,
    ) -> None:
        self.limits, self.modules, self.data = limits, modules, data
        self.sandboxed, self.forked = sandboxed, sandboxed and forked
        own = dict(env or {})
        if sandboxed:
            self.bwrap = sandbox.find_bwrap()
            if data is not None and data.is_dir():
                own["COURSE_DATA"] = sandbox.DATA
            self.env = sandbox.environment(os.environ, own)
        else:
            self.env = os.environ | own
        self.folder = Path(tempfile.mkdtemp(prefix="kernels-"))
        self._parent: WarmParent | None = None
        self._count = 0

    def channel(self) -> Channel:
        """Return a channel for a Python to be started."""
        return Pair() if self.sandboxed else Loopback()

    def own_folder(self) -> Path:
        """Return a new folder that a Python shares with the grader (see `inside`)."""
        self._count += 1
        folder = self.folder / f"{self._count}"
        folder.mkdir()
        return folder

    def inside(self, folder: Path) -> str:
        """Return where a Python sees its own folder."""
        return warm.OWN if self.sandboxed else str(folder)

    def start(
        self, code: str, channel: Channel, own: Path | None = None, limits: Limits | None = None
    ) -> Running:
        """Start a Python that runs `code`; raise StartFailed if it does not start.

        Args:
            own: its own folder.
            limits: tighter ones than the submission's.
        """
        limits = limits or self.limits
        try:
            if self.forked:
                return self._fork(code, channel, own, limits)
            return self._fresh(code, channel, own, limits)
        finally:
            channel.started()

    def _fork(self, code: str, channel: Pair, own: Path | None, limits: Limits) -> Running:
        # It may have ended just now. As long as it runs, so do those that were forked from it.
        with contextlib.suppress(StartFailed):
            return self._warm().fork(code, channel, own, limits)
        try:
            return self._warm().fork(code, channel, own, limits)
        except StartFailed:  # the next submission gets another
            self._stop_parent()
            raise

    def _warm(self) -> WarmParent:
        """Return the warm parent, a new one if none runs."""
        if self._parent is not None and not self._parent.alive():
            self._stop_parent()
        if self._parent is None:
            self._parent = WarmParent(self)
        return self._parent

    def _stop_parent(self) -> None:
        if self._parent is not None:
            self._parent.close()
            self._parent = None

    def _fresh(self, code: str, channel: Channel, own: Path | None, limits: Limits) -> Running:
        program = [sys.executable, "-I" if self.sandboxed else "-P", "-c", code]
        options: dict = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        if not self.sandboxed:
            options |= {"env": self.env, "cwd": own or self.folder, "start_new_session": True}
            process = psutil.Popen(program, **options)

            def kill() -> None:
                with contextlib.suppress(psutil.Error):
                    for one in (*process.children(recursive=True), process):
                        with contextlib.suppress(psutil.Error):
                            one.kill()
                    process.wait(5)

            interrupt = kill if os.name == "nt" else lambda: process.send_signal(signal.SIGINT)
            return Running(process.pid, interrupt, kill, process.is_running)

        import resource

        shown = sandbox.shown_files(self.data)
        shared = {} if own is None else {warm.OWN: own}
        scratch = limits.scratch * MB
        args = sandbox.command(
            self.bwrap, program, env=self.env, shown=shown, shared=shared, scratch=scratch
        )
        each = sandbox.process_limits(limits)

        def prepare() -> None:
            os.dup2(channel.theirs.fileno(), warm.PIPE, inheritable=True)
            for kind, value in each.items():
                resource.setrlimit(kind, (value, value))

        options |= {"preexec_fn": prepare, "pass_fds": (warm.PIPE,), "env": {}}
        process = subprocess.Popen(args, start_new_session=True, cwd="/", **options)

        def kill() -> None:
            sandbox.kill_sandbox(process.pid)
            process.wait()

        def interrupt() -> None:
            first = sandbox.first_process(process.pid)
            if first is not None:
                first.send_signal(signal.SIGINT)

        running = Running(process.pid, interrupt, kill, lambda: process.poll() is None)
        # bubblewrap itself and its first process in the sandbox are there besides the student's.
        running.guard = Guard(
            process.pid, lambda: sandbox.kill_sandbox(process.pid), limits, shared=own, own=2
        )
        running.guard.start()
        return running

    def close(self) -> None:
        """Stop what is left, and remove all folders."""
        self._stop_parent()
        sandbox.remove_folder(self.folder)

    def __enter__(self) -> Starter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextlib.contextmanager
    def definitions(self, limits: Limits, total: float) -> Iterator[Session]:
        """Start a Python that runs nothing but what the grader asks for; stop it at the end.

        Raises CourseError if it does not start: that is no answer's fault.
        """
        channel = self.channel()
        names = [] if self.forked else list(self.modules)
        code = f"{AGENT}\nload({names!r})\nAgent.at({channel.address!r}).serve()"
        limits = replace(limits, file_size=1, seconds=START + total)
        try:
            running = self.start(code, channel, limits=limits)
        except StartFailed as error:
            channel.close()
            raise CourseError(
                f"Python could not be started for its hidden tests ({error}); grade it again"
            ) from error
        try:
            session = Session(channel.connection(START), running.interrupt, START, START)
            session.begin(0)
            session.seconds, session.patience = limits.cell_seconds, limits.patience
            session.end = time.monotonic() + total
            yield session
        finally:
            channel.close()
            running.end()


class WarmParent:
    """A warm parent in its sandbox (see warm.py); StartFailed is raised if it does not start."""

    def __init__(self, starter: Starter) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.env = starter.env
        program = [sys.executable, "-I", "-c", WARM, str(theirs.fileno()), *starter.modules]
        args = sandbox.command(
            starter.bwrap,
            program,
            env=starter.env,
            shown=sandbox.shown_files(starter.data),
            shared={warm.SHARED: starter.folder},
            scratch=MB * starter.limits.scratch,
            warm=True,
        )
        nothing = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        self.process = subprocess.Popen(
            args, pass_fds=(theirs.fileno(),), env={}, cwd="/", start_new_session=True, **nothing
        )
        theirs.close()
        said = self._hear(self.control, START)
        if said != "warm":
            self.close()
            raise StartFailed(f"the warm Python did not start ({said})")

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def fork(self, code: str, channel: Pair, own: Path | None, limits: Limits) -> Running:
        """Fork a Python that runs `code`; raise StartFailed if that fails."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            request = {
                "code": code,
                "own": own.name if own is not None else "",
                "env": self.env,
                "limits": sandbox.process_limits(limits),
                "scratch": limits.scratch * MB,
            }
            pipes = [theirs.fileno(), channel.theirs.fileno()]
            try:
                socket.send_fds(self.control, [json.dumps(request).encode()], pipes)
            except OSError as error:
                raise StartFailed(f"the warm Python has ended ({error.strerror})") from error
            theirs.close()
            pid = self._hear_from(ours)
        return self._watched(pid, limits, own)

    def _watched(self, pid: int, limits: Limits, own: Path | None) -> Running:
        handle = os.pidfd_open(pid)

        def send(number: int) -> None:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(handle, number)

        def alive() -> bool:
            return not select.select([handle], [], [], 0)[0]

        def kill() -> None:
            nonlocal handle
            if handle >= 0:
                send(signal.SIGKILL)
                # The first process of a namespace has ended when all the others have.
                select.select([handle], [], [], 10)
                ended, handle = handle, -1
                os.close(ended)

        running = Running(pid, lambda: send(signal.SIGINT), kill, lambda: handle >= 0 and alive())
        running.guard = Guard(pid, lambda: send(signal.SIGKILL), limits, shared=own)
        running.guard.start()
        return running

    @staticmethod
    def _hear(connection: socket.socket, seconds: float) -> str:
        connection.settimeout(seconds)
        try:
            return connection.recv(1000).decode(errors="replace") or "it ended at once"
        except OSError as error:
            return str(error)
        finally:
            connection.settimeout(None)

    @staticmethod
    def _hear_from(connection: socket.socket) -> int:
        """Return the process id of the child that says it is ready, as the kernel tells it."""
        connection.settimeout(FORK)
        try:
            said, extra, _, _ = connection.recvmsg(1000, socket.CMSG_SPACE(12))
        except OSError as error:
            raise StartFailed(f"a forked Python did not begin ({error})") from error
        if said != b"ready":
            raise StartFailed(f"a forked Python did not begin ({said.decode(errors='replace')})")
        return struct.unpack("3i", extra[0][2][:12])[0]

    def close(self) -> None:
        """End it, and all that were forked from it."""
        self.control.close()
        sandbox.kill_sandbox(self.process.pid)
        self.process.wait()


def boot(address: object) -> str:
    """Return the code that makes a notebook answer at the address of a channel.

    One expression, which leaves no name behind.
    """
    made = f"space['Agent'].at({address!r}, globals())"
    run = f"(exec(compile({AGENT!r}, '<agent>', 'exec'), space), {made}.serve())"
    return f"(lambda space: {run} and None)({{'__name__': 'course_agent'}})"
