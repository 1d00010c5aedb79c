"""The names of a worked-out lesson, for tests and benchmarks that use its classes as a module."""

from __future__ import annotations

import ast
from types import SimpleNamespace

from autograder.lesson import Lesson, code
from autograder.lesson.cells import Cell
from autograder.lesson.markers import strip_hidden


def lesson_names(lesson: Lesson) -> SimpleNamespace:
    """Run what a lesson imports, sets and defines, and return its names.

    Nothing is drawn, trained or tested: of a cell that uses what the lesson itself defines, only
    the definitions are run, unless the cell is locked for students (as the set-up is).
    """
    own = code.names_of(lesson)
    names: dict = {"__name__": "lesson"}
    for cell in lesson.cells:
        if cell.kind != "code" or cell.grade == "tests":
            continue
        source = strip_hidden(code.MAGIC.sub("", cell.source))
        if _sets_up(cell, source, own):
            exec(compile(source, f"<{lesson.stem}, line {cell.line}>", "exec"), names)
        else:
            exec(code.definitions(source), names)
    return SimpleNamespace(**names)


def _sets_up(cell: Cell, source: str, own: set[str]) -> bool:
    """Whether a cell can be run whole."""
    if cell.grade in ("readonly", "solution"):
        return True
    run = [
        node
        for node in ast.parse(source).body
        if not isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]
    called = {
        part.func.id
        for node in run
        for part in ast.walk(node)
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name)
    }
    return not called & own
