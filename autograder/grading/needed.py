"""Which cells of a submission have to run for its grading.

Answers, checks and the student's own cells run, and of the lesson's other cells those that define
what these need. What is there to look at something or to train a network is left out. A lesson
marks a cell that must run although no name says so with the tag `needed`.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Collection, Iterable

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from autograder.lesson import Lesson
from autograder.lesson.markers import strip_hidden

TAG = "needed"
MAGIC = re.compile(r"^\s*[%!?]|\?\s*$|=\s*[%!]", re.MULTILINE)
MOST_MAGICS = 20


def needed_cells(notebook: NotebookNode, lesson: Lesson, released: Collection[str]) -> set[int]:
    """Return the indices of the code cells of a restored submission that have to run.

    `released` are the ids of the release's cells; all others are the student's own.
    """
    kept = {
        cell.id for cell in lesson.cells if cell.grade in ("solution", "tests") or TAG in cell.tags
    }
    chosen: set[int] = set()
    wanted: set[str] = set()
    # From the last to the first: what a cell needs can only come from cells above it.
    for index, cell in reversed(list(enumerate(notebook.cells))):
        if cell.cell_type != "code":
            continue
        bound, used = names(strip_hidden(as_executed(cell.source)))
        if cell.id in kept or cell.id not in released:
            chosen.add(index)
            wanted |= used
        elif bound & wanted:
            chosen.add(index)
            wanted = (wanted - bound) | used
    return chosen


@functools.lru_cache(maxsize=4096)
def names(source: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names that a cell gives to the notebook, and those that it takes from it.

    Both are empty for a cell that is not valid Python, which stops before it does anything, or is
    nested too deeply.
    """
    try:
        body = ast.parse(source).body
        return frozenset(_all(map(_bound, body))), frozenset(_used_by(body))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset(), frozenset()


def _bound(node: ast.AST) -> set[str]:
    """Return the names that a statement binds at the top level, or whose objects it changes."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        return set()
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {part.asname or part.name.partition(".")[0] for part in node.names}
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Store) else set()
    if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
        return {part.id for part in ast.walk(node.value) if isinstance(part, ast.Name)}
    return _all(_bound(part) for part in ast.iter_child_nodes(node))


def _used_by(body: Iterable[ast.stmt], bound: Iterable[str] = ()) -> set[str]:
    """Return the names that statements read before one of them has bound them."""
    known, used = set(bound), set()
    for node in body:
        used |= _used(node) - known
        known |= _bound(node)
    return used


def _used(node: ast.AST) -> set[str]:
    """Return the names that a part of a program reads from around it.

    Sometimes a few too many: a cell that runs in vain costs time, one that is missing costs points.
    """
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        body = node.body if isinstance(node.body, list) else [node.body]
        shared = _all(set(part.names) for part in ast.walk(node) if isinstance(part, ast.Global))
        own = {part.arg for part in ast.walk(node.args) if isinstance(part, ast.arg)}
        own |= _all(map(_bound, body))
        inside = _all(map(_used, body)) - (own - shared)
        return inside | _all(map(_used, (node.args, *getattr(node, "decorator_list", ()))))
    if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        own = _all(_bound(part.target) for part in node.generators)
        return _all(map(_used, ast.iter_child_nodes(node))) - own
    if isinstance(node, ast.For):
        return _used(node.iter) | _used_by([*node.body, *node.orelse], _bound(node.target))
    if isinstance(node, ast.With):
        return _all(map(_used, node.items)) | _used_by(node.body, _all(map(_bound, node.items)))
    if isinstance(node, ast.Name):
        return set() if isinstance(node.ctx, ast.Store) else {node.id}
    return _all(map(_used, ast.iter_child_nodes(node)))


def _all(sets: Iterable[set[str]]) -> set[str]:
    return set().union(*sets)


@functools.lru_cache(maxsize=4096)
def as_executed(source: str) -> str:
    """Return what IPython makes of a cell's text: magics become calls.

    IPython reads all of the text again for each of them, so a text with very many is left as it is.
    """
    if len(MAGIC.findall(source)) > MOST_MAGICS:
        return source
    try:
        return TransformerManager().transform_cell(source)
    except Exception:  # whatever IPython makes of a text that is no Python
        return source
