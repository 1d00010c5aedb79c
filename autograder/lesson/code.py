"""What the code of a lesson's cells defines, binds and uses."""

from __future__ import annotations

import ast
import builtins
import functools
import re
from collections.abc import Iterable
from types import CodeType

from autograder.lesson.markers import strip_hidden
from autograder.lesson.model import Lesson

# A line for IPython in a lesson's own cell; none of them defines anything.
MAGIC = re.compile(r"^[%!].*$", re.MULTILINE)
MAX_CODE = 200_000  # characters of a cell that are read as Python; a lesson's have a few thousand
BUILTINS = frozenset(vars(builtins)) | {"__builtins__"}


def is_definition(node: ast.stmt) -> bool:
    """Imports, functions, classes and assignments of plain values; nothing that runs anything."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
        return True
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        return not any(isinstance(part, ast.Call | ast.Subscript) for part in ast.walk(node.value))
    return False


def bound_by(node: ast.stmt) -> set[str]:
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
        match statements(source)[:1]:
            case [ast.Expr(value=ast.Call(args=[_, _, ast.Constant(value=str(body))]))]:
                return body
    return source


@functools.lru_cache(maxsize=256)
def statements(source: str) -> list[ast.stmt]:
    """Return the statements of a cell; none if it is no valid Python, too long or too deep."""
    if len(source) > MAX_CODE:
        return []
    try:
        return ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


@functools.lru_cache(maxsize=256)
def bindings(source: str) -> list[tuple[ast.stmt, frozenset[str]]]:
    """Return the statements of a cell, each with the names that it binds."""
    return [(node, frozenset(bound_by(node))) for node in statements(source)]


def definitions(source: str) -> CodeType:
    """Compile only the definitions of a cell; raise SyntaxError if it is not valid Python."""
    return compile(definitions_in(source), "<definitions>", "exec")


def definitions_in(source: str) -> ast.Module:
    """Return the definitions of a cell; raise SyntaxError if it is not valid Python."""
    return ast.Module([node for node in ast.parse(source).body if is_definition(node)], [])


def modules_imported(lesson: Lesson) -> list[str]:
    """Return the names of the modules that a lesson imports at once, not in its functions."""
    sources = [strip_hidden(cell.source) for cell in lesson.cells if cell.kind == "code"]
    nodes = (node for source in sources for node in statements(source))
    return sorted({name for node in nodes for name in modules_of(node)})


def modules_of(node: ast.stmt) -> list[str]:
    """Return the modules that a statement imports, or imports from, by their whole names."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), level=0):
            return [module]
    return []


def names_defined(source: str) -> set[str]:
    """Return the functions and classes that a cell defines at its top level."""
    nodes = statements(source)
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def names_bound(source: str) -> set[str]:
    """Return the names that a cell gives a value to at its top level, and perhaps some inside."""
    return {name for _, names in bindings(source) for name in names}


def names_used(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that stand in some statements, however they are used."""
    return {part.id for node in nodes for part in ast.walk(node) if isinstance(part, ast.Name)}


def leftovers(lesson: Lesson, cells: Iterable[str]) -> set[str]:
    """Return the names that the lesson's plotting and checking cells leave behind in a notebook.

    What the student's cells define under such a name is not among them.
    """
    return names_known(lesson)[1].difference(*map(_names_given, cells))


def names_of(lesson: Lesson) -> set[str]:
    """Return the names that a lesson defines."""
    return names_known(lesson)[0]


@functools.lru_cache
def names_known(lesson: Lesson) -> tuple[set[str], set[str]]:
    """Return the names that a lesson defines, and those that its statements leave behind."""
    sources = [cell.source for cell in lesson.cells if cell.kind == "code"]
    defined = set().union(*map(_names_given, sources))
    return defined, set().union(*map(names_bound, sources)) - defined


@functools.lru_cache(maxsize=256)
def _names_given(source: str) -> frozenset[str]:
    return frozenset().union(*(names for node, names in bindings(source) if is_definition(node)))
