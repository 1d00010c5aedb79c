"""Run a submission's notebook in its kernel, whatever it does, and judge it from outside."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection
from contextlib import suppress

import nbformat
import zmq
from jupyter_core.utils import ensure_async, run_sync
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from autograder.lesson import strip_hidden

ENDED = "Python stopped in this cell."
UNSTOPPABLE = "It could not be interrupted."
NOT_RUN = "Not run:"
TIMEOUT = {
    "ename": "CellTimeoutError",
    "evalue": "",
    "traceback": ["CellTimeoutError: the cell took too long"],
}


class SurvivingClient:
    """What lets nbclient's NotebookClient survive a notebook that ends or blocks its kernel.

    A mixin. After the kernel has died, or no longer answers, every remaining code cell gets an
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
            self._lose(cell, ENDED)
            return
        except CellTimeoutError:
            # Raised when the interrupt had no effect; nbclient has then recorded no error.
            cell.outputs.append(error(TIMEOUT["ename"], "The cell took too long."))
        if self._timed_out(cell):
            self.limits_hit.append(f"time of the cell {cell.get('id', '')}")
            if self._stop_if_silent():
                self._lose(cell, UNSTOPPABLE)

    def lose(self, cell: NotebookNode) -> None:
        """Say that nothing after a cell is run."""
        self.lost_in = cell
        self.lost = f"{NOT_RUN} Python was lost in cell {cell.get('id', 'above')}."

    def _lose(self, cell: NotebookNode, reason: str) -> None:
        cell.outputs.append(error("KernelLost", reason))
        self.lose(cell)

    def _timed_out(self, cell: NotebookNode) -> bool:
        return any(output.get("ename") == TIMEOUT["ename"] for output in cell.get("outputs", []))

    async def _async_stop_if_silent(self) -> bool:
        """Stop the interrupted kernel unless it answers again; return whether it was stopped."""
        try:
            await self.kc.kernel_info(reply=True, timeout=self.patience)
        except (TimeoutError, RuntimeError, zmq.Again):
            await self.km.shutdown_kernel(now=True)
            return True
        return False

    _stop_if_silent = run_sync(_async_stop_if_silent)

    def output(self, outs, msg, display_id, cell_index):
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


class SubmissionClient(SurvivingClient, NotebookClient):
    """Runs the cells of a submission that are needed, and judges its exercises from outside.

    Args:
        nb: the restored submission; its tests cells hold their hidden regions.
        needed: the indices of the cells to run; other cells are left as they are.
        begin_answering: the code that makes the kernel answer the grader's questions.
    """

    def __init__(
        self, nb: NotebookNode, km, *, needed: Collection[int], begin_answering: str, limits
    ) -> None:
        super().__init__(
            nb,
            km=km,
            timeout=limits.cell_seconds,
            interrupt_on_timeout=True,
            allow_errors=True,
            error_on_timeout=TIMEOUT,
            shutdown_kernel="immediate",  # there is nothing in it worth saving
            iopub_timeout=limits.patience,
            store_widget_state=False,
            on_cell_executed=record_error,
        )
        self.needed, self.begin_answering = needed, begin_answering
        self.patience, self.output_limit = limits.patience, limits.output

    def run(self, examiner, to_the_end: bool) -> None:
        """Run the notebook in place; each tests cell gets its verdict as its outputs.

        `to_the_end`: judge all exercises, as far as that can be done, also if Python is lost.
        """
        self.begin()
        self.reset_execution_trackers()
        self.ran: list[str] = []
        with self.setup_kernel(cleanup_kc=True):
            # Nothing listens to the heartbeat, and stopping its thread may wait for ever once a
            # kernel has spoilt its sockets.
            self.kc.hb_channel.stop()
            # Sending to a kernel that has closed its sockets would wait for ever.
            for channel in (self.kc.shell_channel, self.kc.control_channel):
                channel.socket.setsockopt(zmq.SNDTIMEO, 5000)
            for index, cell in enumerate(self.nb.cells):
                if index in self.needed and (to_the_end or not self.lost):
                    self._run(index, cell, examiner)

    def _run(self, index: int, cell: NotebookNode, examiner) -> None:
        """Run what a student may see of a cell, and its hidden tests in this process."""
        from autograder.needed import as_executed

        whole = cell.source
        cell.source = strip_hidden(whole)
        lost = bool(self.lost)
        self.survive(cell, lambda: self.execute_cell(cell, index, store_history=True))
        self.ran.append(as_executed(cell.source))
        cell.source = whole
        cell.metadata.pop("execution", None)
        exercise = examiner.exercise(cell.id)
        if exercise is None:
            return
        outputs = [] if lost else [as_text(output) for output in cell.outputs]
        if not any(output.output_type == "error" for output in outputs):
            outputs += self._examine(cell, exercise, whole, examiner)
        cell.outputs = outputs

    def _examine(self, cell: NotebookNode, exercise, source: str, examiner) -> list[NotebookNode]:
        if exercise.id in examiner.known:
            return outputs_of(examiner.known[exercise.id])
        if not self.lost:
            with suppress(zmq.Again):  # then no question is answered, either
                run_sync(self._begin_answering)()
        verdict = examiner.examine(exercise, source, self.ran, not self.lost)
        if examiner.lost and not self.lost:
            run_sync(self.km.shutdown_kernel)(now=True)
            self.lose(cell)
        return outputs_of(verdict)

    async def _begin_answering(self) -> None:
        code = self.begin_answering
        await ensure_async(self.kc.execute(code, silent=True, store_history=False))


def record_error(cell: NotebookNode, cell_index: int, execute_reply: dict) -> None:
    """Add the error that ended a cell to its outputs, where it is not among them: a timeout's."""
    content = execute_reply["content"]
    if content.get("status") == "error":
        names = [output.get("ename") for output in cell.outputs]
        if str(content.get("ename")) not in names:
            cell.outputs.append(error(str(content.get("ename")), str(content.get("evalue"))))


def outputs_of(verdict) -> list[NotebookNode]:
    """Return a verdict as the outputs of its tests cell: the report, pictures, and the points.

    The points are its result, which is where nbgrader reads them.
    """
    from autograder.checks.pictures import ALT

    outputs = []
    if verdict.report:
        outputs.append(nbformat.v4.new_output("stream", name="stdout", text=verdict.report))
    for picture in verdict.pictures:
        data = {"image/png": base64.b64encode(picture).decode(), "text/plain": "<picture>"}
        metadata = {"image/png": {"alt": ALT}}
        outputs.append(nbformat.v4.new_output("display_data", data=data, metadata=metadata))
    if verdict.failure:
        outputs.append(error("HiddenTests", verdict.failure))
    else:
        data = {"text/plain": repr(verdict.points)}
        outputs.append(nbformat.v4.new_output("execute_result", data=data))
    return outputs


def as_text(output: NotebookNode) -> NotebookNode:
    """Return an output of a tests cell as one that gives no points: text, or an error."""
    if output.output_type == "error":
        return output
    if output.output_type == "stream":
        text = output.text
    else:
        text = str(output.get("data", {}).get("text/plain", "")) + "\n"
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def error(name: str, message: str) -> NotebookNode:
    """Return an error as an output of a cell."""
    return nbformat.v4.new_output(
        "error", ename=name, evalue=message, traceback=[f"{name}: {message}"]
    )
