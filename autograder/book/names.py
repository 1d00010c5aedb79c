"""The names of a worked-out lesson, for tests and benchmarks that use its classes as a module."""

from __future__ import annotations

import ast
from types import SimpleNamespace

from autograder.lesson import Lesson, code
from autograder.lesson.markers import strip_hidden


def lesson_names(lesson: Lesson) -> SimpleNamespace:
    """Run what a lesson imports, sets and defines, and return its names.

    Nothing is drawn, trained or tested: of a cell that uses what the lesson itself defines, only
    the definitions are run, unless the cell is locked for students (as the set-up is).
    """
    defined = code.names_of(lesson)
    names: dict = {"__name__": "lesson"}
    for cell in lesson.cells:
        if cell.kind != "code" or cell.grade == "tests":
            continue
        source = strip_hidden(code.MAGIC.sub("", cell.source))
        if cell.grade in ("readonly", "solution") or not _called(source) & defined:
            exec(compile(source, f"<{lesson.stem}, line {cell.line}>", "exec"), names)
        else:
            exec(code.definitions(source), names)
    return SimpleNamespace(**names)


def _called(source: str) -> set[str]:
    """Return the names of what a cell calls when it is run."""
    return {
        part.func.id
        for node in ast.parse(source).body
        if not isinstance(node, ast.FunctionDef | ast.ClassDef)
        for part in ast.walk(node)
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name)
    }
