"""Submissions made from a lesson, for the demonstration, benchmarks and tests.

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
from autograder.submissions.cells import known_cell

BROKEN_JSON = '{"cells": [{"cell_type": "code", "source": "print(1)"'


def solutions(lesson: Lesson) -> dict[str, str]:
    """Return the lesson's own answers: cell id → what a perfect submission holds in that cell."""
    strip = {"solution": strip_stubs, "answer": strip_scheme}
    return {
        cell.name: strip[cell.grade](cell.source) for cell in lesson.cells if cell.grade in strip
    }


def fill_in(
    release: NotebookNode, lesson: Lesson, answers: Mapping[str, str] | None = None
) -> NotebookNode:
    """Return a copy of the release notebook with the given answers in its answer cells.

    `answers` maps cell ids to sources; cells that it does not name keep the stub. None stands for
    all of `solutions(lesson)`. Raises KeyError for an id that the notebook does not hold.
    """
    notebook = copy.deepcopy(release)
    for name, source in (solutions(lesson) if answers is None else answers).items():
        known_cell(notebook, name).source = source
    return notebook


def with_source(notebook: NotebookNode, name: str, change: Callable[[str], str]) -> NotebookNode:
    """Return a copy in which the source of the cell `name` was changed."""
    notebook = copy.deepcopy(notebook)
    cell = known_cell(notebook, name)
    cell.source = change(cell.source)
    return notebook


def with_syntax_error(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy whose cell `name` ends with a line that is not Python."""
    return with_source(notebook, name, "{}\nif True print('one colon is missing')".format)


def with_endless_loop(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy whose cell `name` never gets past its first lines."""
    return with_source(notebook, name, "while True:\n    pass\n{}".format)


def with_helper_cell(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy with a harmless cell of the student's own before the cell `name`."""
    notebook = copy.deepcopy(notebook)
    helper = new_code_cell("def my_helper(value):\n    return value\n\n\nmy_helper(3)")
    notebook.cells.insert(notebook.cells.index(known_cell(notebook, name)), helper)
    return notebook


def with_copied_cell(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy with the cell `name` standing twice, as by copy and paste in JupyterLab."""
    notebook = copy.deepcopy(notebook)
    cell = known_cell(notebook, name)
    # Jupyter gives the pasted cell a new id and keeps its metadata.
    twin = copy.deepcopy(cell)
    twin["id"] = f"{name[:50]}-pasted"
    notebook.cells.insert(notebook.cells.index(cell) + 1, twin)
    return notebook


def write_submission(course: Course, student: str, stem: str, content: NotebookNode | str) -> Path:
    """Write a notebook, or the bare text of one, to where nbgrader looks for a submission."""
    path = course.submitted_notebook(student, stem)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else nbformat.writes(content) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")
    return path
