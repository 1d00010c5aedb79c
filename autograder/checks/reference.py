"""Definitions of a lesson in a fresh namespace, with a student's answers in place of some cells."""

from __future__ import annotations

import ast
import builtins
import contextlib
import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType

from autograder.lesson import Lesson, strip_hidden

BUILTINS = frozenset(vars(builtins)) | {"__builtins__"}


def _is_definition(node: ast.stmt) -> bool:
    """Imports, functions, classes and assignments of plain values; nothing that runs anything."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
        return True
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        return not any(isinstance(part, ast.Call | ast.Subscript) for part in ast.walk(node.value))
    return False


def _bound(node: ast.stmt) -> set[str]:
    """Return the names that a statement binds in the notebook, and perhaps some inside it."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    names = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            names.add(part.id)
        elif isinstance(part, ast.alias):
            names.add(part.asname or part.name.partition(".")[0])
    return names


def without_magic(source: str) -> str:
    """Return the body of a cell that IPython has turned into a call of a magic such as %%time."""
    if source.startswith("get_ipython().run_cell_magic("):
        with contextlib.suppress(SyntaxError, ValueError, TypeError, AttributeError, IndexError):
            return str(ast.literal_eval(ast.parse(source).body[0].value.args[2]))
    return source


@functools.lru_cache(maxsize=1024)
def _statements(source: str) -> list[ast.stmt]:
    """Return the statements of a cell, none if it is not valid Python."""
    try:
        return ast.parse(source).body
    except (SyntaxError, ValueError):
        return []


def _compile(nodes: Iterable[ast.stmt]) -> CodeType:
    return compile(ast.Module(list(nodes), []), "<definitions>", "exec")


@functools.lru_cache(maxsize=1024)
def definitions(source: str) -> CodeType:
    """Compile only the definitions of a cell; raise SyntaxError if it is not valid Python."""
    return _compile(node for node in ast.parse(source).body if _is_definition(node))


def names_defined(source: str) -> set[str]:
    """Return the functions and classes that a cell defines at its top level."""
    nodes = _statements(source)
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def find_answer(lesson: Lesson, answer_id: str, cells: Iterable[str]) -> str | None:
    """Return the last of the executed cells that defines what the answer cell defines, if any."""
    wanted = names_defined(lesson.cell(answer_id).source)
    return next((text for text in reversed(list(cells)) if wanted <= names_defined(text)), None)


@dataclass(frozen=True)
class Helpers:
    """What a student has added to the lesson: definitions, and values the notebook computed."""

    code: tuple[CodeType, ...] = ()
    values: Mapping[str, object] = field(default_factory=dict)


def find_helpers(lesson: Lesson, cells: Iterable[str], notebook: Mapping[str, object]) -> Helpers:
    """Return what the executed cells define under names that the lesson does not use."""
    defined, left_behind = _names_known(lesson)
    code, values = [], {}
    for node in (node for source in cells for node in _statements(source)):
        names = _bound(node)
        if names & (defined | BUILTINS):
            continue
        if _is_definition(node):
            code.append(_compile([node]))
        values |= {name: notebook[name] for name in names - left_behind if name in notebook}
    return Helpers(tuple(code), values)


@contextlib.contextmanager
def without_leftovers(lesson: Lesson, cells: Iterable[str], notebook: dict) -> Iterator[None]:
    """Take out of a notebook what the lesson's plotting and checking cells leave behind in it.

    An answer that only works with such a variable is not an answer. What the student defines
    under such a name stays.
    """
    defined = {
        name
        for source in cells
        for node in _statements(source)
        if _is_definition(node)
        for name in _bound(node)
    }
    names = _names_known(lesson)[1] - defined
    taken = {name: notebook.pop(name) for name in names if name in notebook}
    try:
        yield
    finally:
        notebook.update(taken)


@functools.lru_cache
def _names_known(lesson: Lesson) -> tuple[set[str], set[str]]:
    """Return the names that a lesson defines, and those that its statements leave behind."""
    nodes = [
        node for cell in lesson.cells if cell.kind == "code" for node in _statements(cell.source)
    ]
    defined = {name for node in nodes if _is_definition(node) for name in _bound(node)}
    return defined, {name for node in nodes for name in _bound(node)} - defined


def namespace(lesson: Lesson, answers: Mapping[str, str], helpers: Helpers | None = None) -> dict:
    """Return the lesson's definitions, with the given answers in place of their cells.

    Plots, training and every other statement that does something is left out, so that neither they
    nor global variables they leave behind can help or hurt.

    Args:
        answers: cell id → source.
        helpers: what the answers may need besides the lesson.

    Raises:
        Exception: whatever a student's definitions raise.
    """
    result: dict = {"__name__": "lesson"}
    if helpers is not None and helpers.code:
        _define(lesson, {}, result)  # a helper class may need the lesson's to be defined
    if helpers is not None:
        result.update(helpers.values)
        for code in helpers.code:
            with contextlib.suppress(Exception):
                exec(code, result)
    _define(lesson, answers, result)
    return result


def _define(lesson: Lesson, answers: Mapping[str, str], result: dict) -> None:
    last = max(index for index, cell in enumerate(lesson.cells) if cell.grade == "tests")
    for cell in lesson.cells[:last]:
        if cell.kind == "code" and cell.grade != "tests":
            source = answers.get(cell.id, cell.source)
            exec(definitions(strip_hidden(source)), result)
