"""Mark schemes below written answers, for the people who mark them."""

from __future__ import annotations

import nbformat
from nbformat import NotebookNode
from nbgrader import utils

from autograder.lesson.markers import mark_scheme

SCHEME_TAG = "mark-scheme"


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
