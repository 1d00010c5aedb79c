"""Preprocessors that take their place in nbgrader's own steps; see nbgrader_config.py."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from pathlib import Path

import nbformat
import zmq
from IPython.core.inputtransformer2 import TransformerManager
from jupyter_core.utils import ensure_async, run_sync
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.preprocessors import ClearSolutions, Execute, NbGraderPreprocessor
from traitlets import Bool, Integer, List, Unicode

from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson import (
    START_MARKER,
    TEXT_STUB,
    Lesson,
    mark_scheme,
    strip_hidden,
    stub_blocks,
)
from autograder.restore import restore
from autograder.seed import course_seed

SCHEME_TAG = "mark-scheme"


class KeepMarkers(ClearSolutions):
    """Put each block's own stub between its markers, and keep the markers (generate_assignment)."""

    text_stub = Unicode(TEXT_STUB, help="What stands in place of a written answer").tag(config=True)

    def _replace_solution_region(self, cell: NotebookNode, language: str) -> bool:
        if cell.cell_type != "code" or START_MARKER not in cell.source:
            return super()._replace_solution_region(cell, language)
        cell.source = stub_blocks(cell.source)
        return True


class RestoreCells(NbGraderPreprocessor):
    """Rebuild a submission around the release, before anything else looks at it (autograde)."""

    release_directory = Unicode("release", help="Folder of the released notebooks").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Return the restored notebook; locked cells get their hidden tests from the gradebook."""
        nb = restore(nb, _read(self.release_directory, resources))
        for note in nb.metadata["course_notes"]:
            self.log.warning("%s: %s", resources["nbgrader"]["student"], note)
        return nb, resources


class ShowMarkScheme(NbGraderPreprocessor):
    """Put the mark scheme below each written answer, for graders in formgrader (autograde)."""

    source_directory = Unicode("source", help="Folder of the instructor notebooks").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Return the notebook with its mark schemes; HideHiddenTests takes them out again."""
        source = _read(self.source_directory, resources)
        schemes = {
            cell.id: mark_scheme(cell.source) for cell in source.cells if cell.cell_type != "code"
        }
        cells = []
        for cell in nb.cells:
            cells.append(cell)
            if utils.is_grade(cell) and schemes.get(cell.id):
                text = f"**Mark scheme (graders only)**\n\n{schemes[cell.id]}"
                shown = nbformat.v4.new_markdown_cell(text, id=f"{cell.id[:58]}-marks")
                shown.metadata.tags = [SCHEME_TAG]
                cells.append(shown)
        nb.cells = cells
        return nb, resources


class GradingExecute(Execute):
    """Run a submission with the course's environment, and mark what a lost kernel leaves unrun.

    A test cell without outputs would count as passed, so after the kernel has died, or no longer
    answers, every remaining code cell gets an error.

    With `outside`, the hidden tests run in this process and ask the notebook's kernel by messages,
    so that nothing in it can change a verdict; with `sandbox`, the kernel is cut off from the
    machine as well. Otherwise they run in the notebook, as nbgrader does it.
    """

    outside = Bool(False, help="Run hidden tests in the grader's process").tag(config=True)
    output_limit = Integer(2_000_000, help="Characters that one cell may output").tag(config=True)
    sandbox = Bool(False, help="Run the kernel under bubblewrap").tag(config=True)

    timeout = Integer(60, help=Execute.timeout.help, allow_none=True).tag(config=True)
    extra_arguments = List(
        ["--log-level=ERROR"], help="Arguments for the kernel: its own warnings help no grader"
    ).tag(config=True)
    patience = Integer(
        10, help="Seconds that an interrupted kernel has to answer before it is stopped"
    ).tag(config=True)
    seed = Integer(
        None,
        allow_none=True,
        help="Decides the inputs of the hidden tests (default: the number in .grading-seed, which "
        "the first grading run draws)",
    ).tag(config=True)
    private_tests = Unicode(
        help="Folder of your own hidden tests, outside the repository (default: none)"
    ).tag(config=True)

    def preprocess(self, nb, resources=None, km=None):
        """Run all cells, with the seed in the notebook's metadata; see the class."""
        course = Course(Path.cwd())  # where nbgrader works
        self._lost = ""
        self._sizes: dict[int, int] = {}
        self._seed = self.chosen_seed(course)
        self._private = self.checked_private_tests(course, resources["nbgrader"]["notebook"])
        nb.metadata["course_seed"] = self._seed
        if not self.outside:
            return super().preprocess(nb, resources, km)
        return self._preprocess_outside(nb, resources, course)

    def _preprocess_outside(
        self, nb: NotebookNode, resources: dict, course: Course
    ) -> tuple[NotebookNode, dict]:
        # Late, for these import torch, which plain nbgrader needs only in the kernel.
        from autograder import sandbox
        from autograder.checks.outside import Examiner

        stem = resources["nbgrader"]["notebook"]
        metadata = deepcopy(nb.metadata)
        if self.sandbox:
            sandbox.find_bwrap()
            sandbox.register()
            release = course.release_notebook(stem)
            others = [str(path) for path in release.parent.iterdir() if path != release]
            self.config.SandboxProvisioner.files = others
            self.config.SandboxProvisioner.data = str(course.data)
        self.kernel_manager_class = sandbox.SandboxManager if self.sandbox else sandbox.PlainManager
        self.shutdown_kernel = "immediate"  # there is nothing in it worth saving
        lesson = Lesson.load(course.lesson_path(stem))
        ours, self._pipe = socket.socketpair()
        self._transformer, self._ran = TransformerManager(), []
        self._examiner = Examiner(
            lesson,
            ours,
            self._interrupt,
            seed=self._seed,
            private_tests=self._private,
            sandboxed=self.sandbox,
            seconds=self.timeout,
            patience=self.patience,
        )
        with ours, self._pipe:
            nb, resources = Execute.preprocess(self, nb, resources)
        nb.metadata = metadata  # what the kernel says about itself is a submission's word
        return nb, resources

    def _interrupt(self) -> None:
        run_sync(self.km.interrupt_kernel)()

    def chosen_seed(self, course: Course) -> int:
        """Return the configured seed, else the course folder's own."""
        return course_seed(course.root) if self.seed is None else self.seed

    def checked_private_tests(self, course: Course, stem: str) -> Path | None:
        """Return the folder of private tests, or None if none is configured.

        Raises CourseError if those of the lesson hold a mistake, before it costs anybody points.
        """
        if not self.private_tests:
            return None
        # Late, for it imports torch.
        from autograder.checks import private

        folder = (course.root / Path(self.private_tests).expanduser()).resolve()
        lesson = Lesson.load(course.lesson_path(stem))
        private.check(folder, lesson, self.chosen_seed(course))
        return folder

    @contextmanager
    def setup_kernel(self, **kwargs) -> Iterator[None]:
        """Start the kernel with the environment variables of grading."""
        env = {
            **os.environ,
            "COURSE_FAST_RUN": "1",
            "COURSE_GRADING": "1",
            # A backend set for this process must not keep figures out of the notebook.
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        }
        if self.outside:
            kwargs["pass_fds"] = (self._pipe.fileno(),)
        else:
            env["COURSE_GRADING_SEED"] = str(self._seed)
            env["COURSE_PRIVATE_TESTS"] = str(self._private or "")
        with super().setup_kernel(env=env, **kwargs):
            if self.outside:
                self._number = self._pipe.fileno()
                self._pipe.close()  # so that the end of the kernel is seen
                # Nothing listens to the heartbeat, and stopping its thread may wait for ever once a
                # kernel has spoilt its sockets.
                self.kc.hb_channel.stop()
                # Sending to a kernel that has closed its sockets would wait for ever.
                for channel in (self.kc.shell_channel, self.kc.control_channel):
                    channel.socket.setsockopt(zmq.SNDTIMEO, 5000)
            yield

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict, index: int
    ) -> tuple[NotebookNode, dict]:
        """Run one cell, or mark it if the kernel is lost."""
        if self.outside and cell.cell_type == "code":
            return self._examine(cell, resources, index)
        return self._run(cell, resources, index)

    def _examine(
        self, cell: NotebookNode, resources: dict, index: int
    ) -> tuple[NotebookNode, dict]:
        """Run what a student may see of a cell, and its hidden tests in this process."""
        whole = cell.source
        cell.source = strip_hidden(whole)
        lost = self._lost
        cell, resources = self._run(cell, resources, index)
        self._ran.append(self._as_executed(cell.source))
        exercise = self._examiner.exercise(cell.id) if utils.is_grade(cell) else None
        cell.source = whole
        cell.metadata.pop("execution", None)
        if exercise is None:
            return cell, resources
        outputs = [] if lost else [_as_text(output) for output in cell.outputs]
        if any(output.output_type == "error" for output in outputs):
            cell.outputs = outputs
            return cell, resources
        if not self._lost:
            with suppress(zmq.Again):  # then no question is answered, either
                run_sync(self._begin_answering)()
        verdict = self._examiner.examine(exercise, whole, self._ran, not self._lost)
        if self._examiner.lost and not self._lost:
            run_sync(self.km.shutdown_kernel)(now=True)
            self._lost = f"Not run: Python was lost in cell {cell.get('id', 'above')}."
        if verdict.report:
            outputs.append(nbformat.v4.new_output("stream", name="stdout", text=verdict.report))
        if verdict.failure:
            outputs.append(_error("HiddenTests", verdict.failure))
        else:
            data = {"text/plain": repr(verdict.points)}
            outputs.append(nbformat.v4.new_output("execute_result", data=data))
        cell.outputs = outputs
        return cell, resources

    def _as_executed(self, source: str) -> str:
        try:
            return self._transformer.transform_cell(source)
        except Exception:  # whatever IPython makes of a text that is no Python
            return source

    def output(self, outs, msg, display_id, cell_index):
        """Record an output, up to the limit that one cell has."""
        before = self._sizes.get(cell_index, 0)
        self._sizes[cell_index] = before + len(repr(msg["content"]))
        if self._sizes[cell_index] <= self.output_limit:
            return super().output(outs, msg, display_id, cell_index)
        if before <= self.output_limit:
            text = "\n[The rest of this cell's output was left out: there is too much of it.]\n"
            outs.append(nbformat.v4.new_output("stream", name="stdout", text=text))
        return None

    async def _begin_answering(self) -> None:
        from autograder.student import boot

        code = boot(self._number)
        await ensure_async(self.kc.execute(code, silent=True, store_history=False))

    def _run(self, cell: NotebookNode, resources: dict, index: int) -> tuple[NotebookNode, dict]:
        if self._lost:
            if cell.cell_type == "code":
                cell.outputs = [_error("KernelLost", self._lost)]
            return cell, resources
        try:
            cell, resources = super().preprocess_cell(cell, resources, index)
        except (DeadKernelError, zmq.Again):
            self._lose(cell, "Python stopped in this cell.")
            return cell, resources
        except CellTimeoutError:
            # Raised when the interrupt had no effect; nbclient has then recorded no error.
            cell.outputs.append(_error(self.error_on_timeout["ename"], "The cell took too long."))
        if self._timed_out(cell) and self._stop_if_silent():
            self._lose(cell, "This cell could not be interrupted.")
        return cell, resources

    def _lose(self, cell: NotebookNode, reason: str) -> None:
        cell.outputs.append(_error("KernelLost", reason))
        self._lost = f"Not run: Python was lost in cell {cell.get('id', 'above')}."

    def _timed_out(self, cell: NotebookNode) -> bool:
        name = self.error_on_timeout["ename"]
        return any(output.get("ename") == name for output in cell.get("outputs", []))

    async def _async_stop_if_silent(self) -> bool:
        """Stop the interrupted kernel unless it answers again; return whether it was stopped."""
        try:
            await self.kc.kernel_info(reply=True, timeout=self.patience)
        except (TimeoutError, RuntimeError, zmq.Again):
            await self.km.shutdown_kernel(now=True)
            return True
        return False

    _stop_if_silent = run_sync(_async_stop_if_silent)


class StderrToStdout(NbGraderPreprocessor):
    """Keep warnings in graded cells as ordinary output, for stderr would cost the points."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict, index: int
    ) -> tuple[NotebookNode, dict]:
        """Rename the cell's stderr streams if it is graded."""
        if utils.is_grade(cell):
            for output in cell.get("outputs", []):
                if output.output_type == "stream":
                    output.name = "stdout"
        return cell, resources


class HideHiddenTests(NbGraderPreprocessor):
    """Take hidden tests and mark schemes out of the feedback pages (generate_feedback)."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Return the notebook as a student may see it; the file in autograded/ stays complete."""
        nb.cells = [cell for cell in nb.cells if SCHEME_TAG not in cell.metadata.get("tags", [])]
        for cell in nb.cells:
            if utils.is_grade(cell) and cell.cell_type == "code":
                cell.source = strip_hidden(cell.source)
                for output in cell.outputs:
                    if output.output_type == "error":
                        # A traceback quotes the lines of the hidden tests.
                        output.traceback = [f"{output.ename}: {output.evalue}"]
        return nb, resources


def _as_text(output: NotebookNode) -> NotebookNode:
    """Return an output of a graded cell as one that gives no points: text, or an error."""
    if output.output_type == "error":
        return output
    if output.output_type == "stream":
        text = output.text
    else:
        text = str(output.get("data", {}).get("text/plain", "")) + "\n"
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def _read(folder: str, resources: dict) -> NotebookNode:
    """Return the submission's counterpart; nbgrader works in the course's root folder."""
    names = resources["nbgrader"]
    path = Path(folder, names["assignment"], f"{names['notebook']}.ipynb")
    try:
        return nbformat.read(path, as_version=4)
    except OSError as error:
        raise CourseError(
            f"{path} is missing: run `python -m autograder build` before grading"
        ) from error


def _error(name: str, message: str) -> NotebookNode:
    return nbformat.v4.new_output(
        "error", ename=name, evalue=message, traceback=[f"{name}: {message}"]
    )
