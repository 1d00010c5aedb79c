"""Cells of a notebook by nbgrader's ids, and the errors among their outputs."""

from __future__ import annotations

import re

from nbformat import NotebookNode


def grade_id(cell: NotebookNode) -> str | None:
    """Return the nbgrader id of a cell, or None for a cell without one."""
    marks = cell.get("metadata", {}).get("nbgrader", {})
    name = marks.get("grade_id") if isinstance(marks, dict) else None
    return name if isinstance(name, str) else None


def cell_by_id(notebook: NotebookNode, name: str) -> NotebookNode | None:
    """Return the first cell with that nbgrader id, or None."""
    return next((cell for cell in notebook.cells if grade_id(cell) == name), None)


def message(error: NotebookNode) -> str:
    """Return the message of an error output, in one piece.

    A SyntaxError's ends with the line alone: IPython's name for a cell, a temporary file, says
    nothing to a reader.
    """
    return re.sub(r"\([^()]*, (line \d+)\)$", r"(\1)", error.evalue.strip())
