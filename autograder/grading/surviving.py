"""Run a notebook whose kernel may end, block or talk too much, cell by cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import nbformat
import zmq
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from autograder.clients import SteadyClient
from autograder.errors import LOG

ENVIRONMENT = {
    "COURSE_FAST_RUN": "1",
    "COURSE_GRADING": "1",
    # What compiles layers needs compilers, or the text of what it compiles; layers give the same
    # without it.
    "TORCHDYNAMO_DISABLE": "1",
    "PYTORCH_JIT": "0",
    # Figures, should there be any, belong into the notebook, whatever is set for this process.
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
}
ENDED = "Python stopped in this cell."
UNSTOPPABLE = "It could not be interrupted."
GARBLED = "What Python sent back in this cell cannot be read."
NOT_RUN = "Not run:"
TOO_LONG = "CellTimeoutError"


class SurvivingClient(SteadyClient):
    """A NotebookClient that survives a notebook which ends or blocks its kernel.

    After the kernel has died, or no longer answers, every remaining code cell gets an
    error: a test cell without outputs would count as passed. Each cell has a limit on what it
    outputs.
    """

    patience: float = 10
    output_limit: int = 2_000_000

    def begin(self) -> None:
        """Forget the notebook before."""
        self.lost = ""
        self.lost_in: NotebookNode | None = None
        self.limits_hit: list[str] = []
        self._sizes: dict[int, int] = {}

    def survive(self, cell: NotebookNode, run: Callable[[], object]) -> None:
        """Run a cell by calling `run`, or mark it if the kernel is lost."""
        if self.lost:
            if cell.cell_type == "code":
                cell.outputs = [error("KernelLost", self.lost)]
            return
        try:
            run()
        except (DeadKernelError, zmq.Again):
            self.lose(cell, ENDED)
            return
        except Exception as problem:
            if not isinstance(problem, CellTimeoutError):
                LOG.info("the kernel's messages in %s:", cell.get("id"), exc_info=True)
                self.lose(cell, GARBLED)
                return
            # Raised when the interrupt had no effect; nbclient has then recorded no error.
            cell.outputs.append(error(TOO_LONG, "The cell took too long."))
        if any(output.get("ename") == TOO_LONG for output in cell.get("outputs", [])):
            self.limits_hit.append(f"time of the cell {cell.get('id', '')}")
            if self._stop_if_silent():
                self.lose(cell, UNSTOPPABLE)

    def lose(self, cell: NotebookNode, reason: str = "") -> None:
        """Say why a cell was left, if that is known, and that nothing after it is run."""
        if reason:
            cell.outputs.append(error("KernelLost", reason))
        self.lost_in = cell
        self.lost = f"{NOT_RUN} Python was lost in cell {cell.get('id', 'above')}."

    async def _async_stop_if_silent(self) -> bool:
        """Stop the interrupted kernel unless it answers again; return whether it was stopped."""
        client, manager = cast(AsyncKernelClient, self.kc), cast(AsyncKernelManager, self.km)
        try:
            await client.kernel_info(reply=True, timeout=self.patience)
        except (TimeoutError, RuntimeError, zmq.Again):
            await manager.shutdown_kernel(now=True)
            return True
        return False

    _stop_if_silent = run_sync(_async_stop_if_silent)

    def output(
        self, outs: list[NotebookNode], msg: dict, display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """Record an output, up to the limit that one cell has."""
        before = self._sizes.get(cell_index, 0)
        self._sizes[cell_index] = before + len(repr(msg["content"]))
        if self._sizes[cell_index] <= self.output_limit:
            return super().output(outs, msg, display_id, cell_index)
        if before <= self.output_limit:
            text = "\n[The rest of this cell's output was left out: there is too much of it.]\n"
            outs.append(nbformat.v4.new_output("stream", name="stdout", text=text))
            self.limits_hit.append(f"output of the cell {self.nb.cells[cell_index].get('id', '')}")
        return None


def given_up(cell: str, output: NotebookNode) -> str | None:
    """Return a sentence about a cell that was stopped or has ended Python, if an output says so."""
    if output.get("ename") == TOO_LONG:
        return f"The cell {cell} took too long and was stopped."
    if output.get("ename") == "KernelLost" and output.evalue in (ENDED, UNSTOPPABLE, GARBLED):
        return f"The cell {cell} was left out: {output.evalue}"
    return None


def error(name: str, message: str) -> NotebookNode:
    """Return an error as an output of a cell."""
    return nbformat.v4.new_output(
        "error", ename=name, evalue=message, traceback=[f"{name}: {message}"]
    )
