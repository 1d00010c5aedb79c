"""Run a submission's notebook in its kernel, whatever it does, and hear it from outside."""

from __future__ import annotations

import base64
from collections.abc import Collection
from contextlib import suppress
from typing import cast

import nbformat
import zmq
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_core.utils import ensure_async, run_sync
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from autograder.checks.examiner import Examiner, Hearing, Verdict
from autograder.checks.pictures import ALT
from autograder.grading.needed import as_executed
from autograder.grading.surviving import TOO_LONG, SurvivingClient, error, given_up
from autograder.lesson.cells import Exercise
from autograder.lesson.markers import strip_hidden
from autograder.sandbox.kernels import CourseKernelManager
from autograder.sandbox.limits import Limits


class SubmissionClient(SurvivingClient):
    """Runs the cells of a submission that are needed, and hears its exercises from outside.

    Args:
        nb: the restored submission; its tests cells hold their hidden regions.
        km: the manager of its kernel.
        examiner: hears the exercises.
        needed: the indices of the cells to run; other cells are left as they are.
        begin_answering: the code that makes the kernel answer the grader's questions.
    """

    def __init__(
        self,
        nb: NotebookNode,
        km: CourseKernelManager,
        examiner: Examiner,
        *,
        needed: Collection[int],
        begin_answering: str,
        limits: Limits,
    ) -> None:
        super().__init__(
            nb,
            km=km,
            timeout=None,  # a cell's time is not that of the clock on the wall: see `_timed`
            allow_errors=True,
            shutdown_kernel="immediate",  # there is nothing in it worth saving
            iopub_timeout=limits.patience,
            store_widget_state=False,
            on_cell_executed=record_error,
        )
        self.examiner, self.needed, self.begin_answering = examiner, needed, begin_answering
        self.patience, self.output_limit = limits.patience, limits.output
        self.cell_seconds, self.seconds = limits.cell_seconds, 0.0

    def run(self, to_the_end: bool) -> None:
        """Run the notebook in place; what its visible checks say are the outputs of its tests.

        `heard` are then its tests cells by id, each with what hidden tests have found so far.

        `to_the_end`: hear all exercises, as far as that can be done, also if Python is lost.
        """
        self.begin()
        self.reset_execution_trackers()
        self.ran: list[str] = []
        self.heard: dict[str, tuple[NotebookNode, Hearing]] = {}
        self.stopped: list[str] = []
        with self.setup_kernel(cleanup_kc=True):
            # Nothing listens to the heartbeat, and stopping its thread may wait for ever once a
            # kernel has spoilt its sockets.
            client = cast(AsyncKernelClient, self.kc)
            client.hb_channel.stop()
            # Sending to a kernel that has closed its sockets would wait for ever.
            for channel in (client.shell_channel, client.control_channel):
                channel.socket.setsockopt(zmq.SNDTIMEO, 5000)
            for index, cell in enumerate(self.nb.cells):
                if index in self.needed and (to_the_end or not self.lost):
                    self._run(index, cell)

    def _run(self, index: int, cell: NotebookNode) -> None:
        """Run what a student may see of a cell, and its hidden tests in this process."""
        whole = cell.source
        cell.source = strip_hidden(whole)
        lost = bool(self.lost)
        self.survive(cell, lambda: self._timed(cell, index))
        self.ran.append(as_executed(cell.source))
        cell.source = whole
        cell.metadata.pop("execution", None)
        tested = (item for item in self.examiner.lesson.tested if item.test_cell_id == cell.id)
        exercise = next(tested, None)
        if exercise is None:
            return
        cell.outputs = [] if lost else [self._as_text(cell, output) for output in cell.outputs]
        failed = any(output.output_type == "error" for output in cell.outputs)
        self.heard[cell.id] = cell, self._examine(cell, exercise, whole, failed)

    def _timed(self, cell: NotebookNode, index: int) -> None:
        """Run a cell; interrupt it when it has taken too long, and end Python if it goes on."""
        manager = cast(CourseKernelManager, self.km)
        timer = manager.started.timer(self.cell_seconds, self.patience)
        try:
            with timer:
                self.execute_cell(cell, index, store_history=True)
        except DeadKernelError:
            if not timer.too_long:
                raise
        if timer.too_long:
            cell.outputs = [out for out in cell.outputs if out.get("ename") != "KeyboardInterrupt"]
            cell.outputs.append(error(TOO_LONG, "The cell took too long."))

    def _as_text(self, cell: NotebookNode, output: NotebookNode) -> NotebookNode:
        """Return an output of a tests cell as one that gives no points: text, or an error.

        That a visible check was stopped is text: it may be the fault of another answer, which the
        hidden tests can do without.
        """
        sentence = given_up(cell.id, output)
        if sentence is not None:
            self.stopped.append(sentence)
        elif output.get("ename") != "KeyboardInterrupt":  # that is how a check is stopped
            return as_text(output)
        text = f"{sentence or 'It was interrupted.'}\n"
        return nbformat.v4.new_output("stream", name="stdout", text=text)

    def _examine(
        self, cell: NotebookNode, exercise: Exercise, source: str, failed: bool
    ) -> Hearing:
        if exercise.id in self.examiner.known and not failed:
            return self.examiner.known[exercise.id]
        if not self.lost:
            with suppress(zmq.Again):  # then no question is answered, either
                run_sync(self._begin_answering)()
        alive = not self.lost
        hearing = self.examiner.examine(exercise, source, self.ran, alive=alive, stopped=failed)
        if self.examiner.lost and not self.lost:
            run_sync(cast(CourseKernelManager, self.km).shutdown_kernel)(now=True)
            self.lose(cell)
        return hearing

    async def _begin_answering(self) -> None:
        client = cast(AsyncKernelClient, self.kc)
        request = client.execute(self.begin_answering, silent=True, store_history=False)
        await ensure_async(request)


def record_error(cell: NotebookNode, cell_index: int, execute_reply: dict) -> None:
    """Add the error that ended a cell to its outputs, where it is not among them: a timeout's."""
    content = execute_reply["content"]
    if content.get("status") == "error":
        names = [output.get("ename") for output in cell.outputs]
        if str(content.get("ename")) not in names:
            cell.outputs.append(error(str(content.get("ename")), str(content.get("evalue"))))


def outputs_of(verdict: Verdict) -> list[NotebookNode]:
    """Return a verdict as the outputs of its tests cell: the report, pictures, and the points.

    The points are its result, which is where nbgrader reads them.
    """
    report = nbformat.v4.new_output("stream", name="stdout", text=verdict.report)
    outputs = [report] if verdict.report else []
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
    result = f"{output.get('data', {}).get('text/plain', '')}\n"
    return nbformat.v4.new_output("stream", name="stdout", text=output.get("text", result))
