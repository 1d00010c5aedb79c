"""Submissions that only tests make, from a lesson; the demonstration's are in the package."""

from __future__ import annotations

from copy import deepcopy

from nbformat import NotebookNode

from autograder.lesson import Lesson
from autograder.submissions.cells import known_cell
from autograder.submissions.made import solutions, with_source


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
    return answers | {name: answers[name].replace(old, new)}


def put_before(notebook: NotebookNode, name: str, source: str) -> NotebookNode:
    """Return a copy in which the cell `name` starts with `source`."""
    return with_source(notebook, name, lambda old: f"{source}\n{old}")


def put_after(notebook: NotebookNode, name: str, source: str) -> NotebookNode:
    """Return a copy in which the cell `name` ends with `source`."""
    return with_source(notebook, name, lambda old: f"{old}\n{source}")


def with_killed_kernel(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy whose cell `name` ends the process that runs the notebook."""
    return put_before(notebook, name, "import os\nos._exit(1)")


def without_cell(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy in which the cell `name` was deleted."""
    notebook = deepcopy(notebook)
    notebook.cells.remove(known_cell(notebook, name))
    return notebook
