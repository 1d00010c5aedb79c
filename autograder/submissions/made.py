"""Submissions made from a lesson, for the demonstration and for tests.

A made submission starts from the release notebook, as a student's does: `solutions` gives what the
lesson's own solution puts into each answer cell, `fill_in` puts answers into a copy of the release,
and the functions after it do to a notebook what students have been seen to do.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from autograder.course import Course
from autograder.lesson import Lesson
from autograder.lesson.markers import strip_scheme, strip_stubs
from autograder.submissions.cells import cell_by_id, grade_id

BROKEN_JSON = '{"cells": [{"cell_type": "code", "source": "print(1)"'


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
