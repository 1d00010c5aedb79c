"""Preprocessors that take their place in nbgrader's own steps; see nbgrader_config.py."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.preprocessors import ClearSolutions, NbGraderPreprocessor
from traitlets import Unicode

from autograder.errors import CourseError
from autograder.grading.in_notebook import GradingExecute
from autograder.grading.schemes import SCHEME_TAG, with_mark_schemes
from autograder.lesson.cells import TEXT_STUB
from autograder.lesson.markers import START_MARKER, strip_hidden, stub_blocks
from autograder.submissions.matching import NOTES
from autograder.submissions.restore import restore
from autograder.submissions.safe import safe_notebook

__all__ = [
    "GradingExecute",
    "HideHiddenTests",
    "KeepMarkers",
    "MakeSafe",
    "RestoreCells",
    "ShowMarkScheme",
    "StderrToStdout",
]


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

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Return the restored notebook; locked cells get their hidden tests from the gradebook."""
        if isinstance(nb.get("metadata"), dict):
            nb.metadata.pop(NOTES, None)  # what a student has written there is no note of ours
        nb = restore(nb, _read("release", resources))
        for note in nb.metadata[NOTES]:
            self.log.warning("%s: %s", resources["nbgrader"]["student"], note)
        return nb, resources


class ShowMarkScheme(NbGraderPreprocessor):
    """Put the mark scheme below each written answer, for graders in formgrader (autograde)."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Return the notebook with its mark schemes; HideHiddenTests takes them out again."""
        return with_mark_schemes(nb, _read("source", resources)), resources


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

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Return the notebook with plain outputs, and texts that hold nothing but text."""
        release = _read("release", resources)
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
