"""A kernel in the sandbox: what it sees, what it may, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import markupsafe
import psutil
import pytest
from conftest import ROOT
from jupyter_client.provisioning import KernelProvisionerFactory
from jupyter_core.utils import run_sync

import autograder
from autograder.errors import CourseError
from autograder.sandbox import bubblewrap as sandbox
from autograder.sandbox import warm
from autograder.sandbox.kernels import MODULES, NAME, CourseKernelManager, CourseProvisioner
from autograder.sandbox.limits import Limits
from autograder.sandbox.pythons import Running, Starter, WarmStarter, make_starter

pytestmark = pytest.mark.sandbox


class Kernel:
    """A kernel in the sandbox, and what it prints."""

    def __init__(self, starter: Starter, limits: Limits | None = None) -> None:
        self.starter = starter
        if limits is not None:
            starter.limits = limits
        self.channel = starter.channel()
        self.manager = CourseKernelManager(starter, self.channel)
        run_sync(self.manager.start_kernel)()
        self.client = self.manager.client()
        self.client.start_channels()
        run_sync(self.client.wait_for_ready)(timeout=60)

    @property
    def running(self) -> Running:
        """The kernel's process."""
        assert self.manager.running is not None
        return self.manager.running

    def send(self, code: str) -> None:
        """Start running code."""
        self.client.execute(code)

    def wait(self, timeout: float = 30) -> str:
        """Wait until the code has run; return what it printed, and the error if there is one."""
        text = ""
        while True:
            message = run_sync(self.client.get_iopub_msg)(timeout=timeout)
            kind, content = message["msg_type"], message["content"]
            if message["parent_header"].get("msg_type") != "execute_request":
                continue
            if kind == "stream":
                text += content["text"]
            elif kind == "error":
                text += f"{content['ename']}: {content['evalue']}"
            elif kind == "status" and content["execution_state"] == "idle":
                return text

    def run(self, code: str, timeout: float = 30) -> str:
        """Run code; return what it printed, and the error if there is one."""
        self.send(code)
        return self.wait(timeout).strip()

    def end(self) -> None:
        """Stop it."""
        self.client.stop_channels()
        if self.manager.has_kernel:
            run_sync(self.manager.shutdown_kernel)(now=True)
        self.channel.close()


@pytest.fixture(scope="module", params=[True, False], ids=["forked", "fresh"])
def starter(
    request: pytest.FixtureRequest,
) -> Iterator[Starter]:
    """What starts kernels, forked from a warm parent or fresh."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET", "token")
        env = {"COURSE_GRADING": "1"}
        with make_starter(Limits(), modules=MODULES, env=env, forked=request.param) as starter:
            yield starter


@pytest.fixture
def start(starter: Starter) -> Iterator[Callable[..., Kernel]]:
    """Start kernels that are stopped after the test."""
    kernels: list[Kernel] = []

    def start(**limits: Any) -> Kernel:
        kernels.append(Kernel(starter, replace(Limits(), **limits)))
        return kernels[-1]

    yield start
    starter.limits = Limits()
    for kernel in kernels:
        kernel.end()


@pytest.fixture(scope="module")
def kernel(starter: Starter) -> Iterator[Kernel]:
    """One kernel for the tests that only look."""
    kernel = Kernel(starter)
    yield kernel
    kernel.end()


def test_the_package_declares_the_provisioner() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    points = tomllib.loads(text)["project"]["entry-points"][KernelProvisionerFactory.GROUP_NAME]
    assert points == {NAME: "autograder.sandbox.kernels:CourseProvisioner"}


LOOK = """
import json, os, socket
files, planted = [], False
for folder, _, names in os.walk({folder!r}):
    for name in names:
        try:
            with open(os.path.join(folder, name)) as file:
                files.append(os.path.relpath(file.name, {folder!r}))
        except OSError:
            pass
try:
    with open({folder!r} + "/autograder/planted.py", "w"):
        planted = True
except OSError:
    pass
with socket.socket(fileno=3) as grader:
    grader.sendall(json.dumps([files, planted]).encode())
"""
START = """
import sys
sys.path += {path!r}
import autograder
from autograder.sandbox.limits import Limits
from autograder.sandbox.pythons import make_starter
print(autograder.__file__)
with make_starter(Limits(), forked={forked!r}) as starter:
    channel = starter.channel()
    running = starter.start({look!r}, channel)
    with channel.connection(60).makefile() as file:
        print(file.read())
    running.end()
"""


@pytest.fixture
def installed() -> Iterator[Path]:
    """The `site-packages` of a Python environment in which this package and another lie."""
    # Not in the temporary folder, which the sandbox covers with one of its own.
    parent = next(path for path in (Path(sys.prefix), ROOT) if os.access(path, os.W_OK))
    with tempfile.TemporaryDirectory(prefix="installed-", dir=parent) as name:
        venv.create(name, symlinks=True)
        (site,) = Path(name).glob("lib/python*/site-packages")
        for module in (autograder, markupsafe):
            package, ignored = Path(module.__path__[0]), shutil.ignore_patterns("__pycache__")
            shutil.copytree(package, site / package.name, ignore=ignored)
        yield site


@pytest.mark.slow
@pytest.mark.parametrize("forked", [True, False], ids=["forked", "fresh"])
def test_this_package_is_not_there_even_if_it_is_installed(installed: Path, forked: bool) -> None:
    """It holds what hidden tests compare with."""
    assert (installed / "autograder" / "checks" / "reference.py").is_file()
    path = [entry for entry in sys.path if Path(entry).name == "site-packages"]
    code = START.format(path=path, forked=forked, look=LOOK.format(folder=str(installed)))
    command = [str(installed.parents[2] / "bin" / "python"), "-I", "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    package, answer = ended.stdout.splitlines()
    assert Path(package).parent == installed / "autograder", "it is the one that makes the sandbox"
    files, planted = json.loads(answer)
    assert "markupsafe/__init__.py" in files
    assert [name for name in files if name.startswith("autograder")] == []
    assert not planted


@pytest.mark.slow
def test_it_sees_an_empty_home(kernel: Kernel) -> None:
    assert kernel.run("import os; print(os.getcwd(), os.listdir())") == f"{sandbox.WORK} []"
    hidden = [ROOT / name for name in ("notebooks", "source", "autograder", ".git")]
    hidden += [Path.home() / ".ssh", Path("/etc/passwd"), Path("/var"), Path("/root/.bashrc")]
    for path in hidden:
        assert kernel.run(f"print(os.path.exists({str(path)!r}))") == "False"
    assert kernel.run("with open('mine', 'w') as f: f.write('x')") == ""
    assert kernel.run("print(os.listdir())") == "['mine']"
    assert kernel.run("import autograder.checks").startswith("ModuleNotFoundError")


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["/usr/bin", sys.prefix, sys.base_prefix, "/", "/etc", "/root"])
def test_the_system_and_python_cannot_be_changed(kernel: Kernel, folder: str) -> None:
    got = kernel.run(f"import os; open(os.path.join({folder!r}, 'planted.py'), 'w')")
    assert "Error" in got
    assert not (Path(folder) / "planted.py").exists()


@pytest.mark.slow
def test_it_has_no_environment_no_network_and_no_other_process(kernel: Kernel) -> None:
    assert kernel.run(
        "import os; print(os.environ.get('SECRET'), os.environ['COURSE_GRADING'])"
    ) == ("None 1")
    code = "import socket; print([name for _, name in socket.if_nameindex()])"
    assert kernel.run(code) == "['lo']"
    code = "import socket; socket.create_connection(('1.1.1.1', 53), timeout=2)"
    assert "Network is unreachable" in kernel.run(code)
    seen = kernel.run("print([int(name) for name in os.listdir('/proc') if name.isdigit()])")
    assert len(seen.split(",")) <= 3, seen
    assert kernel.run("print(os.getuid(), socket.gethostname())") == "1000 sandbox"
    assert "Error" in kernel.run("os.kill(1, 0); os.setuid(0)")


@pytest.mark.slow
def test_an_interrupt_goes_to_the_kernel(kernel: Kernel) -> None:
    kernel.send("print('begun', flush=True)\nwhile True: pass")
    time.sleep(1)
    run_sync(kernel.manager.interrupt_kernel)()
    assert "KeyboardInterrupt" in kernel.wait()
    assert kernel.run("print('alive')") == "alive"


@pytest.mark.slow
def test_nothing_is_left_when_it_ends(start: Callable[..., Kernel]) -> None:
    kernel = start()
    code = "import subprocess; [subprocess.Popen(['sleep', '{}'], start_new_session=True)]"
    assert kernel.run(code.format(4711)) == ""
    provisioner, pid = kernel.manager.provisioner, kernel.running.pid
    assert isinstance(provisioner, CourseProvisioner)
    time.sleep(0.2)  # a process just started may not have its arguments yet
    inside = psutil.Process(pid).children(recursive=True)
    assert any("4711" in process.cmdline() for process in inside)
    kernel.end()
    _, alive = psutil.wait_procs(inside, timeout=5)
    assert alive == []
    assert provisioner.folder is not None and not provisioner.folder.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "code", "reason"),
    [
        ({"memory": 300}, "x = [bytearray(2**24) for _ in range(99)]", "MemoryError"),
        ({"file_size": 1}, "open('big', 'wb').write(bytes(2**22))", "File too large"),
    ],
)
def test_limits_of_one_process_raise(
    start: Callable[..., Kernel], settings: dict, code: str, reason: str
) -> None:
    assert reason in start(**settings).run(code)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "code", "reason"),
    [
        (
            {"memory": 400},
            "import os, time\nfor _ in range(9): os.fork() or (bytearray(2**27), time.sleep(99))",
            "MB of memory were used",
        ),
        ({"processes": 20}, "import os\nwhile True: os.fork()", "20 processes were started"),
        (
            {},
            "while True: open('/kernel/big', 'ab').write(bytes(2**20))",
            "files were written where only messages belong",
        ),
        ({"seconds": 3}, "while True: pass", "it ran for more than 3 seconds"),
    ],
)
def test_limits_of_all_together_end_it(
    start: Callable[..., Kernel], settings: dict, code: str, reason: str
) -> None:
    kernel = start(**settings)
    kernel.send(code)
    for _ in range(200):
        if not kernel.running.alive():
            break
        time.sleep(0.1)
    assert not kernel.running.alive()
    assert reason in kernel.running.limit_hit


def test_a_missing_bubblewrap_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(
        CourseError, match="install the package bubblewrap .* or grade with --no-sandbox"
    ):
        sandbox.find_bwrap()


def test_a_forbidden_sandbox_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: No permissions' >&2\nexit 1\n", encoding="utf-8")
    fake.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(fake))
    with pytest.raises(CourseError, match="may not make a sandbox here .bwrap: No permissions.*"):
        sandbox.find_bwrap()


def test_a_machine_whose_calls_are_not_known_has_no_sandbox(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rather none than one with a hole."""
    calls = warm.filter_of_calls()
    assert len(calls) % 8 == 0 and warm.REFUSED.keys() == {"x86_64", "aarch64"}
    monkeypatch.setattr(warm, "REFUSED", {"riscv64": (1, 2)})
    with pytest.raises(CourseError, match="no sandbox for this machine .* are not known"):
        sandbox.find_bwrap()
    with pytest.raises(OSError, match="are not known"):
        warm.give_up_calls()


def test_no_python_runs_between_fork_and_exec() -> None:
    """In a process with threads, as the grader is one, it could wait for ever."""
    for path in (ROOT / "autograder").rglob("*.py"):
        assert "preexec_fn" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize("place", ["/tmp", sandbox.HOME, sandbox.DATA])
def test_a_python_that_the_sandbox_would_hide_is_one_clear_error(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", f"{place}/gcnn-course/.venv")
    with pytest.raises(CourseError, match=rf"lies in {place}/gcnn.*move the course to another"):
        sandbox.find_bwrap()


@pytest.mark.slow
def test_nothing_of_one_kernel_s_is_there_for_the_next(start: Callable[..., Kernel]) -> None:
    kernel = start()
    code = """
import os, pathlib, sys, torch
for folder in ("/tmp", "/dev/shm", os.path.expanduser("~"), "/kernel", "."):
    pathlib.Path(folder, "planted").write_text("x")
torch.allclose = torch.planted = sys.planted = True
import subprocess
subprocess.Popen(["sleep", "4712"], start_new_session=True)
"""
    assert kernel.run(code) == ""
    kernel.end()
    kernel = start()
    code = """
import os, sys, torch
folders = ("/tmp", "/dev/shm", os.path.expanduser("~"), "/kernel", ".", "/kernels")
print([folder for folder in folders if os.path.exists(folder + "/planted")])
print(hasattr(torch, "planted"), hasattr(sys, "planted"))
print([name for name in os.listdir("/proc") if name.isdigit() and int(name) > 9])
"""
    assert kernel.run(code) == "[]\nFalse False\n[]"
    arguments = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    assert ["sleep", "4712"] not in arguments


@pytest.mark.slow
def test_it_has_no_capability_and_gets_none(kernel: Kernel) -> None:
    code = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
got = []
got.append(libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None))
got.append(libc.umount(b"/tmp"))
got.append(libc.setuid(0))
got.append(libc.chroot(b"/tmp"))
got.append(libc.sethostname(b"x", 1))
print(got)
"""
    assert kernel.run(code) == "[-1, -1, -1, -1, -1]"


@pytest.mark.slow
def test_no_two_kernels_can_tell_each_other_by_files_that_both_can_read(kernel: Kernel) -> None:
    code = """
import ctypes, os
with open(ctypes.__file__, "rb") as file:
    for call in (
        lambda: os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED),
        lambda: os.preadv(file.fileno(), [bytearray(9)], 0, os.RWF_NOWAIT),
    ):
        try:
            print(call())
        except OSError as error:
            print(type(error).__name__)
libc = ctypes.CDLL(None)
print(libc.inotify_init1(0), libc.inotify_init(), len(os.pread(os.open(ctypes.__file__, 0), 9, 0)))
"""
    assert kernel.run(code).split() == ["PermissionError", "PermissionError", "-1", "-1", "9"]


@pytest.mark.slow
def test_a_warm_parent_that_has_ended_is_started_again(
    starter: Starter, start: Callable[..., Kernel]
) -> None:
    if not isinstance(starter, WarmStarter):
        pytest.skip("only for forked kernels")
    start()
    parent = starter.parent().process
    parent.kill()
    parent.wait()
    assert start().run("print(1)") == "1"
