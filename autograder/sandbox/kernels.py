"""A submission's kernel: one of the Pythons of pythons.py, as jupyter_client manages it.

The kernel provisioner is jupyter_client's documented extension point for this; `pyproject.toml`
registers it under the name in `NAME`. In the sandbox, messages go over Unix sockets in a folder
made for this one kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import signal
import time
from pathlib import Path
from queue import Empty
from typing import Any

import zmq
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import KernelProvisionerBase

from autograder.sandbox.bubblewrap import remove_folder
from autograder.sandbox.channels import Channel
from autograder.sandbox.limits import MB
from autograder.sandbox.pythons import Running, Starter

NAME = "course-kernel"
MOST_WAITING = 100  # messages of a kernel that have arrived and were not read yet
RECONNECT = 10  # milliseconds between looks whether a kernel has opened its sockets
INSIDE = "inside.json"  # the connection file as the kernel sees it
KERNEL = """
from ipykernel.kernelapp import launch_new_instance
from ipykernel.zmqshell import ZMQExitAutocall

# A student's own `exit` would end the kernel a moment later, amid another cell.
ZMQExitAutocall.__call__ = lambda *args, **kwargs: None
options = ["--log-level=ERROR", "--HistoryManager.enabled=False"]
launch_new_instance(argv=["-f", {connection!r}, *options])
"""
# What a kernel imports, for a warm parent.
MODULES = (
    *("ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.inprocess", "matplotlib_inline"),
    *(
        "matplotlib_inline.backend_inline",
        "IPython.core.completerlib",
        "comm",
        "ipykernel.debugger",
    ),
)


class CourseProvisioner(KernelProvisionerBase):
    """Start, interrupt and end a kernel by means of its manager's `starter`."""

    running: Running | None = None
    folder: Path | None = None

    @property
    def manager(self) -> CourseKernelManager:
        """What manages the kernel."""
        assert isinstance(self.parent, CourseKernelManager)
        return self.parent

    @property
    def has_process(self) -> bool:
        """Whether the kernel was started and not yet cleaned up."""
        return self.running is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Write the connection file, as the kernel sees it, into the kernel's own folder."""
        manager, starter = self.manager, self.manager.starter
        self.folder = starter.own_folder()
        if starter.sandboxed:
            manager.transport, manager.ip = "ipc", str(self.folder / "kernel")
        manager.connection_file = str(self.folder / "kernel.json")
        manager.write_connection_file()
        self.connection_info = manager.get_connection_info()
        inside = json.loads(Path(manager.connection_file).read_text(encoding="utf-8"))
        if starter.sandboxed:
            inside["ip"] = f"{starter.inside(self.folder)}/kernel"
        (self.folder / INSIDE).write_text(json.dumps(inside), encoding="utf-8")
        return await super().pre_launch(cmd=[], **kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start the kernel."""
        assert self.folder is not None
        starter = self.manager.starter
        kernel = KERNEL.format(connection=f"{starter.inside(self.folder)}/{INSIDE}")
        code = self.manager.first + kernel
        self.running = starter.start(code, self.manager.channel, self.folder)
        return self.connection_info

    async def poll(self) -> int | None:
        """Return None while the kernel runs."""
        return None if self.running is not None and self.running.alive() else 1

    async def wait(self) -> int | None:
        """Wait until the kernel has ended."""
        while await self.poll() is None:
            await asyncio.sleep(0.05)
        return 1

    async def send_signal(self, signum: int) -> None:
        """Interrupt the kernel, or end it and everything that it has started."""
        if self.running is None:
            return
        if signum == signal.SIGINT:
            self.running.interrupt()
        elif signum != 0:
            self.running.end()

    async def kill(self, restart: bool = False) -> None:
        """End the kernel and everything that it has started."""
        await self.send_signal(signal.SIGTERM)

    terminate = kill

    async def cleanup(self, restart: bool = False) -> None:
        """Make sure that no process and no file is left."""
        await self.kill()
        if self.folder is not None:
            remove_folder(self.folder)


class CourseKernelClient(AsyncKernelClient):
    """Speaks with one kernel."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers; raise RuntimeError if it does not.

        The base class then listens for a fifth of a second, for what nbclient passes over anyway.
        """
        end = math.inf if timeout is None else time.monotonic() + timeout
        while time.monotonic() < end:
            with contextlib.suppress(TimeoutError, Empty):
                await self.kernel_info(reply=True, timeout=1)
                await self.get_iopub_msg(timeout=0.2)  # what cells print will be heard, too
                return
            if not await self.is_alive():
                raise RuntimeError("the kernel has ended before it answered")
        raise RuntimeError(f"the kernel has not answered in {timeout} seconds")


class CourseKernelManager(AsyncKernelManager):
    """Manages one kernel that `starter` starts, at the other end of `channel`.

    `first`: code that is run before the kernel begins. What the notebook or the machine's kernel
    specifications say plays no part.
    """

    def __init__(self, starter: Starter, channel: Channel, first: str = "", **kwargs: Any) -> None:
        super().__init__(client_factory=CourseKernelClient, **kwargs)
        self.starter, self.channel, self.first = starter, channel, first
        # What of a cell's output is kept has a limit, and so have the messages it comes in: those
        # that wait to be read are in this process. ZeroMQ ends a connection for a larger one.
        self.context.setsockopt(zmq.MAXMSGSIZE, 4 * starter.limits.output + MB)
        self.context.setsockopt(zmq.RCVHWM, MOST_WAITING)
        self.context.setsockopt(zmq.RECONNECT_IVL, RECONNECT)

    @property
    def running(self) -> Running | None:
        """The kernel's Python, None if it was never started."""
        return self.provisioner.running if isinstance(self.provisioner, CourseProvisioner) else None

    @property
    def started(self) -> Running:
        """The kernel's Python, which was started."""
        assert self.running is not None
        return self.running

    @property
    def kernel_spec(self) -> KernelSpec:
        """The kernel, to be started by the course's provisioner."""
        metadata = {"kernel_provisioner": {"provisioner_name": NAME, "config": {}}}
        return KernelSpec(display_name="Python 3", language="python", metadata=metadata)
