"""Preprocessors that take their place in nbgrader's own steps; see nbgrader_config.py."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.preprocessors import ClearSolutions, Execute, NbGraderPreprocessor
from traitlets import Integer, List, Unicode

from autograder.course import Course
from autograder.errors import CourseError
from autograder.execute import SurvivingClient
from autograder.lesson import (
    START_MARKER,
    TEXT_STUB,
    Lesson,
    mark_scheme,
    strip_hidden,
    stub_blocks,
)
from autograder.matching import NOTES
from autograder.restore import restore
from autograder.safe import safe_notebook
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
        if isinstance(nb.get("metadata"), dict):
            nb.metadata.pop(NOTES, None)  # what a student has written there is no note of ours
        nb = restore(nb, _read(self.release_directory, resources))
        for note in nb.metadata[NOTES]:
            self.log.warning("%s: %s", resources["nbgrader"]["student"], note)
        return nb, resources


class ShowMarkScheme(NbGraderPreprocessor):
    """Put the mark scheme below each written answer, for graders in formgrader (autograde)."""

    source_directory = Unicode("source", help="Folder of the instructor notebooks").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Return the notebook with its mark schemes; HideHiddenTests takes them out again."""
        return with_mark_schemes(nb, _read(self.source_directory, resources)), resources


def mark_schemes(source: NotebookNode) -> dict[str, str]:
    """Return what graders see below each written answer, by its cell's id."""
    texts = [cell for cell in source.cells if cell.cell_type != "code"]
    schemes = {cell.id: mark_scheme(cell.source) for cell in texts if utils.is_grade(cell)}
    return {id: f"**Mark scheme (graders only)**\n\n{text}" for id, text in schemes.items() if text}


def with_mark_schemes(nb: NotebookNode, source: NotebookNode) -> NotebookNode:
    """Return a submission with the mark scheme from `source` below each written answer."""
    schemes = mark_schemes(source)
    cells = []
    for cell in nb.cells:
        cells.append(cell)
        if utils.is_grade(cell) and cell.id in schemes:
            shown = nbformat.v4.new_markdown_cell(schemes[cell.id], id=f"{cell.id[:58]}-marks")
            shown.metadata.tags = [SCHEME_TAG]
            cells.append(shown)
    nb.cells = cells
    return nb


class GradingExecute(SurvivingClient, Execute):
    """Run a submission with the course's environment, its hidden tests in the notebook (autograde).

    This is how plain nbgrader grades. `python -m autograder grade` runs the same hidden tests
    outside of a student's reach (assess.py).
    """

    output_limit = Integer(2_000_000, help="Characters that one cell may output").tag(config=True)
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
        self.begin()
        self._seed = self.chosen_seed(course)
        self._private = self.checked_private_tests(course, resources["nbgrader"]["notebook"])
        nb.metadata["course_seed"] = self._seed
        return super().preprocess(nb, resources, km)

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
            "COURSE_GRADING_SEED": str(self._seed),
            "COURSE_PRIVATE_TESTS": str(self._private or ""),
            # A backend set for this process must not keep figures out of the notebook.
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        }
        with super().setup_kernel(env=env, **kwargs):
            yield

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict, index: int
    ) -> tuple[NotebookNode, dict]:
        """Run one cell, or mark it if the kernel is lost."""
        run = super().preprocess_cell
        self.survive(cell, lambda: run(cell, resources, index))
        return cell, resources


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


class MakeSafe(NbGraderPreprocessor):
    """Make a student's part of the graded notebook harmless in a grader's browser (autograde)."""

    release_directory = Unicode("release", help="Folder of the released notebooks").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Return the notebook with plain outputs, and texts that hold nothing but text."""
        release = _read(self.release_directory, resources)
        trusted = {cell.source for cell in release.cells if cell.cell_type == "markdown"}
        trusted |= {c.source for c in nb.cells if SCHEME_TAG in c.metadata.get("tags", [])}
        return safe_notebook(nb, trusted), resources


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
