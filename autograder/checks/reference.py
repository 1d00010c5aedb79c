"""Definitions of a lesson in a fresh namespace, with a student's answer in place of one cell."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from types import CodeType

from autograder.lesson import Lesson, strip_hidden


def _is_definition(node: ast.stmt) -> bool:
    """Imports, functions, classes and assignments of plain values; nothing that runs anything."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
        return True
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        return not any(isinstance(part, ast.Call | ast.Subscript) for part in ast.walk(node.value))
    return False


def definitions(source: str) -> CodeType:
    """Compile only the definitions of a cell; raise SyntaxError if it is not valid Python."""
    tree = ast.parse(source)
    body = [node for node in tree.body if _is_definition(node)]
    return compile(ast.Module(body, []), "<definitions>", "exec")


def names_defined(source: str) -> set[str]:
    """Return the functions and classes that a cell defines at its top level."""
    return {
        node.name
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


def find_answer(lesson: Lesson, answer_id: str, cells: Iterable[str]) -> str | None:
    """Return the last of the executed cells that defines what the answer cell defines, if any."""
    wanted = names_defined(lesson.cell(answer_id).source)
    found = None
    for source in cells:
        try:
            if wanted <= names_defined(source):
                found = source
        except (SyntaxError, ValueError):
            continue
    return found


def namespace(lesson: Lesson, answers: dict[str, str]) -> dict:
    """Return the lesson's definitions, with the given answers in place of their cells.

    Plots, training and every other statement that does something is left out, so that neither they
    nor global variables they leave behind can help or hurt.

    Raises:
        Exception: whatever a student's definitions raise.
    """
    last = max(index for index, cell in enumerate(lesson.cells) if cell.grade == "tests")
    result: dict = {"__name__": "lesson"}
    for cell in lesson.cells[:last]:
        if cell.kind == "code" and cell.grade != "tests":
            source = answers.get(cell.id, cell.source)
            exec(definitions(strip_hidden(source)), result)
    return result
