"""What a student has added to the lesson's classes: helper methods, and attributes they set.

An answer may need it, wherever it stands. What the lesson itself defines stays as the lesson has
it, so that a mistake made there costs nothing elsewhere.
"""

from __future__ import annotations

import ast
import copy
import functools
from collections.abc import Iterable, Iterator

from autograder.lesson import Lesson, code

REGISTERING = {"register_buffer", "register_parameter", "register_module", "add_module"}


@functools.lru_cache(maxsize=256)
def with_own_members(lesson: Lesson, source: str, student: str) -> str:
    """Return a cell of the lesson's whose classes have what the student's have besides.

    The cell itself if that is nothing, or nothing that can be compiled: a `break` outside a loop
    is no mistake of a later answer's.
    """
    theirs = {node.name: node for node in _classes_in(student)}
    module = ast.Module(copy.deepcopy(code.statements(source)), [])
    added = False
    for node in module.body:
        if isinstance(node, ast.ClassDef) and node.name in theirs:
            added |= _add(node, theirs[node.name], known(lesson))
    if not added:
        return source
    text = ast.unparse(ast.fix_missing_locations(module))
    try:
        compile(text, "<lesson>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError):
        return source
    return text


def patches(lesson: Lesson, cells: Iterable[str]) -> list[str]:
    """Return a student's statements that give the lesson's classes something they do not have."""
    classes = {node.name for node in _classes(lesson)}
    return [
        ast.unparse(node)
        for source in cells
        for node in code.statements(source)
        if (owner := _attribute(node)) and owner[0] in classes and owner[1] not in known(lesson)
    ]


def owners(node: ast.stmt) -> set[str]:
    """Return the name of the object that a statement gives an attribute, if it does."""
    owner = _attribute(node)
    return {owner[0]} if owner else set()


@functools.lru_cache
def known(lesson: Lesson) -> frozenset[str]:
    """Return the names of all attributes that the lesson's classes define or set."""
    names = set()
    for node in _classes(lesson):
        for part in ast.walk(node):
            if isinstance(part, ast.FunctionDef):
                names.add(part.name)
            elif isinstance(part, ast.stmt) and (owner := _attribute(part)):
                names.add(owner[1])
        names |= {name for part in node.body for name in code.bound_by(part)}
    return frozenset(names)


def _classes(lesson: Lesson) -> Iterator[ast.ClassDef]:
    for cell in lesson.cells:
        if cell.kind == "code":
            yield from _classes_in(cell.source)


def _classes_in(source: str) -> list[ast.ClassDef]:
    return [node for node in code.statements(source) if isinstance(node, ast.ClassDef)]


def _add(ours: ast.ClassDef, theirs: ast.ClassDef, known: frozenset[str]) -> bool:
    """Add to a class what another has besides; return whether that is anything."""
    methods = {node.name: node for node in ours.body if isinstance(node, ast.FunctionDef)}
    added = False
    for node in theirs.body:
        if isinstance(node, ast.FunctionDef) and node.name in methods:
            added |= _add_attributes(methods[node.name], node, known)
            continue
        names = code.bound_by(node)
        if names and not names & known and not any(name.startswith("__") for name in names):
            ours.body.append(node)
            added = True
    return added


def _add_attributes(ours: ast.FunctionDef, theirs: ast.FunctionDef, known: frozenset[str]) -> bool:
    """Let a method also set the attributes that a student's sets and the lesson does not know.

    What they need may not be there, for it may be part of what was left out: then they are missing.
    """
    own = [node for node in theirs.body if (o := _attribute(node)) and o[1] not in known]
    if not own:
        return False
    attempts = [
        ast.Try([node], [ast.ExceptHandler(ast.Name("Exception"), None, [ast.Pass()])], [], [])
        for node in own
    ]
    at = len(ours.body) - isinstance(ours.body[-1], ast.Return)
    ours.body[at:at] = attempts
    return True


def _attribute(node: ast.stmt) -> tuple[str, str] | None:
    """Return the names of an object and of the attribute that a statement gives it, if it does."""
    match node:
        case (
            ast.Assign(targets=[ast.Attribute(value=ast.Name(owner), attr=name)])
            | ast.AnnAssign(target=ast.Attribute(value=ast.Name(owner), attr=name))
        ):
            return owner, name
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=ast.Name(owner), attr=called),
                args=[ast.Constant(str(name)), *_],
            )
        ) if called in REGISTERING:
            return owner, name
        case ast.Expr(
            value=ast.Call(
                func=ast.Name("setattr"), args=[ast.Name(owner), ast.Constant(str(name)), _]
            )
        ):
            return owner, name
    return None
