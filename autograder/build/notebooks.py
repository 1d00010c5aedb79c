"""Notebooks made from a lesson: the instructor's, and the worked-out one, not yet run."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.build.pictures import embedded
from autograder.lesson import Lesson
from autograder.lesson.cells import HIDE_TAG, Cell
from autograder.lesson.markers import strip_hidden, strip_scheme, strip_stubs

NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_GRADES = {
    "readonly": {"grade": False, "locked": True, "solution": False},
    "solution": {"grade": False, "locked": False, "solution": True},
    "tests": {"grade": True, "locked": True, "solution": False},
    "answer": {"grade": True, "locked": False, "solution": True},
}
# What of a cell's source is for a reader of the solutions.
_PUBLIC = {"solution": strip_stubs, "tests": strip_hidden, "answer": strip_scheme}


def source_notebook(lesson: Lesson) -> NotebookNode:
    """Return the instructor notebook: nbgrader's metadata (schema 3), solutions, hidden tests.

    The notebook's own metadata name the lesson, its version and the course's edition, so that a
    submission tells which release it was made from.
    """
    notebook = new_notebook(lesson, lambda cell: cell.source)
    notebook.metadata["course"] = {
        "lesson": lesson.stem,
        "version": lesson.version,
        "edition": lesson.edition,
    }
    for cell, notebook_cell in zip(lesson.cells, notebook.cells, strict=True):
        if cell.grade:
            marks: dict[str, object] = dict(_GRADES[cell.grade])
            marks |= {"grade_id": cell.id, "schema_version": 3, "task": False}
            if cell.points is not None:
                marks["points"] = cell.points
            notebook_cell.metadata["nbgrader"] = marks
    return notebook


def new_notebook(lesson: Lesson, source_of: Callable[[Cell], str]) -> NotebookNode:
    """Return a notebook of the lesson's cells with their tags, for the Python 3 kernel."""
    cells = []
    for cell, id in zip(embedded(lesson), cell_ids(lesson), strict=True):
        make = nbformat.v4.new_code_cell if cell.kind == "code" else nbformat.v4.new_markdown_cell
        notebook_cell = make(source_of(cell), id=id)
        if cell.tags:
            notebook_cell.metadata["tags"] = list(cell.tags)
        if HIDE_TAG in cell.tags:
            # JupyterLab's and Colab's own ways to fold the code away.
            notebook_cell.metadata |= {"jupyter": {"source_hidden": True}, "cellView": "form"}
        cells.append(notebook_cell)
    metadata = nbformat.from_dict(NOTEBOOK_METADATA)
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata, nbformat_minor=5)


def cell_ids(lesson: Lesson) -> list[str]:
    """Return an id for each cell: its own, or one made from the nearest heading and a count."""
    used = {cell.id for cell in lesson.cells if cell.id}
    counts: dict[str, int] = {}
    section = "start"
    ids = []
    for cell in lesson.cells:
        if cell.exercise and not cell.grade:
            section = slug(cell.exercise)
        elif cell.kind == "markdown" and (heading := re.search(r"^#+ (.*)$", cell.source, re.M)):
            section = slug(heading[1]) or section
        id = cell.id
        while id is None or (id in used and id != cell.id):
            counts[section] = counts.get(section, 0) + 1
            id = section if counts[section] == 1 else f"{section}-{counts[section]}"
        used.add(id)
        ids.append(id)
    return ids


def slug(text: str) -> str:
    """Return `text` as a part of an id: lower case, letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:40].strip("-")


def write_notebook(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook, with the same bytes on every system; raise if it is not valid."""
    nbformat.validate(notebook)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")


def solution_notebook(lesson: Lesson) -> NotebookNode:
    """Return the worked-out notebook, not yet run: no stubs, hidden tests or mark schemes."""
    return new_notebook(lesson, lambda cell: _PUBLIC.get(cell.grade or "", str)(cell.source))


def digest(notebook: NotebookNode) -> str:
    """Return the sha256 of the notebook's texts, outputs left out."""
    texts = [[cell.id, cell.cell_type, cell.source] for cell in notebook.cells]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()
