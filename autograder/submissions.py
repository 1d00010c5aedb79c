"""Submitted notebooks: reading one safely, and making some from a lesson for tests and the demo.

A made submission starts from the release notebook, as a student's does: `solutions` gives what the
lesson's own solution puts into each answer cell, `fill_in` puts answers into a copy of the release,
and the functions after it do to a notebook what students have been seen to do.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson import Lesson, strip_scheme, strip_stubs

MAX_BYTES = 50_000_000
BROKEN_JSON = '{"cells": [{"cell_type": "code", "source": "print(1)"'


def read_notebook(path: Path) -> NotebookNode:
    """Return the notebook at `path` as nbformat 4.

    Raises CourseError with one sentence if there is no such file or it is not a notebook.
    """
    if not path.is_file():
        raise CourseError(f"there is no notebook {path}: check the path")
    if path.stat().st_size > MAX_BYTES:
        raise CourseError(
            f"the file {path.name} is larger than {MAX_BYTES // 1_000_000} MB: clear its outputs, "
            "save it, and try again"
        )
    return parse_notebook(path.read_bytes(), path.name)


def parse_notebook(data: bytes, name: str) -> NotebookNode:
    """Return the notebook in a file's bytes as nbformat 4.

    Raises CourseError with one sentence if it is not a notebook.
    """
    try:
        # The reader below nbformat.read: the latter also logs what a validator says, and a
        # student's notebook with a stray key is none the worse for it.
        notebook = nbformat.convert(nbformat.reader.reads(data.decode("utf-8")), 4)
        cells = notebook["cells"]
        sound = all(isinstance(cell["source"], str) and cell["cell_type"] for cell in cells)
    except UnicodeDecodeError:
        raise CourseError(
            f"the file {name} is not text in UTF-8: download it again or save it from Jupyter"
        ) from None
    except (nbformat.reader.NotJSONError, json.JSONDecodeError, RecursionError):
        raise CourseError(
            f"the file {name} is not valid JSON, perhaps cut off or merged by hand: download "
            "or save it again, or go back to an earlier copy"
        ) from None
    except Exception:  # whatever a file with the wrong contents makes nbformat raise
        sound = False
    if not sound:
        raise CourseError(
            f"the file {name} is not a Jupyter notebook, although its name says so: download "
            "it again (in Colab: File, Download, Download .ipynb)"
        )
    return notebook


def grade_id(cell: NotebookNode) -> str | None:
    """Return the nbgrader id of a cell, or None for a cell without one."""
    marks = cell.get("metadata", {}).get("nbgrader", {})
    name = marks.get("grade_id") if isinstance(marks, dict) else None
    return name if isinstance(name, str) else None


def cell_by_id(notebook: NotebookNode, name: str) -> NotebookNode | None:
    """Return the first cell with that nbgrader id, or None."""
    return next((cell for cell in notebook.cells if grade_id(cell) == name), None)


def is_marked(cell: NotebookNode) -> bool:
    """Return whether a cell of a release is graded, locked or an answer."""
    marks = cell.get("metadata", {}).get("nbgrader", {})
    return any(marks.get(key) for key in ("grade", "locked", "solution"))


def shared_cells(notebook: NotebookNode, release: NotebookNode) -> int:
    """Return how many of the release's graded, locked and answer cells the notebook holds.

    A cell is known by nbgrader's id, by its own id (which Colab keeps in the metadata) or by its
    text, so that a notebook from another editor is still known as one of the lesson.
    """
    known = set()
    for cell in notebook.cells:
        metadata = cell.get("metadata", {})
        known |= {grade_id(cell), cell.get("id"), str(metadata.get("id")), cell.source.strip()}
    return sum(
        bool(known & {cell.id, cell.source.strip()}) for cell in release.cells if is_marked(cell)
    )


def unlike(notebook: NotebookNode, release: NotebookNode, name: str) -> str | None:
    """Return in one clause that the notebook is not one of the release's lesson, None if it is."""
    if shared_cells(notebook, release):
        return None
    return f"the file {name} holds no cell of this lesson: it may belong to another one"


def message(error: NotebookNode) -> str:
    """Return the message of an error output, in one piece.

    A SyntaxError's ends with the line alone: IPython's name for a cell, a temporary file, says
    nothing to a reader.
    """
    return re.sub(r"\([^()]*, (line \d+)\)$", r"(\1)", error.evalue.strip())


def solutions(lesson: Lesson) -> dict[str, str]:
    """Return the lesson's own answers: cell id → what a perfect submission holds in that cell."""
    answers = {}
    for cell in lesson.cells:
        if cell.grade == "solution":
            answers[cell.id] = strip_stubs(cell.source)
        elif cell.grade == "answer":
            answers[cell.id] = strip_scheme(cell.source)
    return answers


def fill_in(
    release: NotebookNode, lesson: Lesson, answers: Mapping[str, str] | None = None
) -> NotebookNode:
    """Return a copy of the release notebook with the given answers in its answer cells.

    `answers` maps cell ids to sources; cells that it does not name keep the stub. None stands for
    all of `solutions(lesson)`. Raises KeyError for an id that the notebook does not hold.
    """
    notebook = copy.deepcopy(release)
    for name, source in (solutions(lesson) if answers is None else answers).items():
        cell = cell_by_id(notebook, name)
        if cell is None:
            raise KeyError(f"the release notebook has no cell {name!r}")
        cell.source = source
    return notebook


def without(lesson: Lesson, *names: str) -> dict[str, str]:
    """Return the lesson's answers but for the named cells, which so keep their stubs."""
    return {name: source for name, source in solutions(lesson).items() if name not in names}


def mistake(lesson: Lesson, name: str, old: str, new: str) -> dict[str, str]:
    """Return the lesson's answers with `old` replaced by `new` in one cell.

    Raises ValueError if the cell does not hold `old`, so that a test of a wrong solution cannot
    silently become a test of the right one.
    """
    answers = solutions(lesson)
    if old not in answers[name]:
        raise ValueError(f"the solution of {name!r} does not hold {old!r}")
    answers[name] = answers[name].replace(old, new)
    return answers


def put_before(notebook: NotebookNode, name: str, source: str) -> NotebookNode:
    """Return a copy in which the cell `name` starts with `source`."""
    return _with_source(notebook, name, lambda old: f"{source}\n{old}")


def put_after(notebook: NotebookNode, name: str, source: str) -> NotebookNode:
    """Return a copy in which the cell `name` ends with `source`."""
    return _with_source(notebook, name, lambda old: f"{old}\n{source}")


def with_syntax_error(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy whose cell `name` ends with a line that is not Python."""
    return put_after(notebook, name, "if True print('one colon is missing')")


def with_endless_loop(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy whose cell `name` never gets past its first lines."""
    return put_before(notebook, name, "while True:\n    pass")


def with_killed_kernel(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy whose cell `name` ends the process that runs the notebook."""
    return put_before(notebook, name, "import os\nos._exit(1)")


def with_helper_cell(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy with a harmless cell of the student's own before the cell `name`."""
    notebook = copy.deepcopy(notebook)
    helper = new_code_cell("def my_helper(value):\n    return value\n\n\nmy_helper(3)")
    notebook.cells.insert(_index(notebook, name), helper)
    return notebook


def with_copied_cell(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy with the cell `name` standing twice, as by copy and paste in JupyterLab."""
    notebook = copy.deepcopy(notebook)
    index = _index(notebook, name)
    twin = copy.deepcopy(notebook.cells[index])
    # Jupyter gives the pasted cell a new id and keeps its metadata.
    twin["id"] = f"{name[:50]}-pasted"
    notebook.cells.insert(index + 1, twin)
    return notebook


def without_cell(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy in which the cell `name` was deleted."""
    notebook = copy.deepcopy(notebook)
    del notebook.cells[_index(notebook, name)]
    return notebook


def write_submission(course: Course, student: str, stem: str, content: NotebookNode | str) -> Path:
    """Write a notebook, or the bare text of one, to where nbgrader looks for a submission."""
    path = course.submitted_notebook(student, stem)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else nbformat.writes(content) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def _index(notebook: NotebookNode, name: str) -> int:
    ids = [grade_id(cell) for cell in notebook.cells]
    if name not in ids:
        raise KeyError(f"the notebook has no cell {name!r}")
    return ids.index(name)


def _with_source(notebook: NotebookNode, name: str, change: Callable[[str], str]) -> NotebookNode:
    notebook = copy.deepcopy(notebook)
    cell = notebook.cells[_index(notebook, name)]
    cell.source = change(cell.source)
    return notebook
