"""Cells of a notebook by nbgrader's ids, and the errors among their outputs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nbformat import NotebookNode

from autograder.submissions.values import as_dict


def nbgrader_marks(cell: Mapping) -> dict:
    """Return a cell's nbgrader metadata, empty if there is none worth the name."""
    return as_dict(as_dict(cell.get("metadata")).get("nbgrader"))


def grade_id(cell: Mapping) -> str | None:
    """Return the nbgrader id of a cell, or None for a cell without one."""
    name = nbgrader_marks(cell).get("grade_id")
    return name if isinstance(name, str) else None


def cell_by_id(notebook: NotebookNode, name: str) -> NotebookNode | None:
    """Return the first cell with that nbgrader id, or None."""
    return next((cell for cell in notebook.cells if grade_id(cell) == name), None)


def known_cell(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return the first cell with that nbgrader id; raise KeyError if there is none."""
    cell = cell_by_id(notebook, name)
    if cell is None:
        raise KeyError(f"the notebook has no cell {name!r}")
    return cell


def message(error: NotebookNode) -> str:
    """Return the message of an error output, in one piece.

    A SyntaxError's ends with the line alone: IPython's name for a cell, a temporary file, says
    nothing to a reader.
    """
    return re.sub(r"\([^()]*, (line \d+)\)$", r"(\1)", error.evalue.strip())
