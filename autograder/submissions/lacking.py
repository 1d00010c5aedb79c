"""Imports of packages that are not there and that nothing in a cell needs.

Colab's own packages, trackers and plotting libraries are imported out of habit. Where they are
missing, the import alone would keep a right answer from being defined.
"""

from __future__ import annotations

import ast
import functools
import importlib.util

from autograder.lesson import code

IMPORTS = (ast.Import, ast.ImportFrom)
MOST_IMPORTS = 100  # of one cell: each is looked for in all folders of Python's


def without_needless_imports(source: str) -> str:
    """Return code with a `pass` in place of each import of what is not there and is not needed.

    Statements that only call something of it, such as `drive.mount("/content/drive")`, are left out
    with it. An import whose names stand anywhere else stays, and so does one that shares its line.
    """
    nodes = [part for statement in code.statements(source) for part in ast.walk(statement)]
    steps = [node for node in nodes if isinstance(node, ast.stmt)]
    if sum(len(step.names) for step in steps if isinstance(step, IMPORTS)) > MOST_IMPORTS:
        return source
    imports = {step: names for step in steps if (names := _missing(step))}
    if not imports:
        return source
    bound = set().union(*imports.values())
    calls = {step: name for step in steps if (name := _called(step)) in bound}
    inside = {part for call in calls for part in ast.walk(call)}
    needed = {node.id for node in nodes if isinstance(node, ast.Name) and node not in inside}
    lines = source.split("\n")
    alone = {step for step in (*imports, *calls) if _stands_alone(step, lines)}
    needed |= {name for call, name in calls.items() if call not in alone}
    idle = {step for step, names in imports.items() if not names & needed} & alone
    for step in idle | {call for call, name in calls.items() if name not in needed}:
        _leave_out(step, lines)
    return "\n".join(lines)


def _missing(node: ast.stmt) -> set[str]:
    """Return the names that an import binds, if nothing that it imports is there."""
    modules = code.modules_of(node)
    if not modules or any(map(_is_there, modules)):
        return set()
    return code.bound_by(node) - {"*"}


@functools.lru_cache(maxsize=256)
def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False


def _called(node: ast.stmt) -> str:
    """Return the first name of what a statement only calls, as `drive` in `drive.mount()`."""
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        return ""
    function = node.value.func
    while isinstance(function, ast.Attribute):
        function = function.value
    return function.id if isinstance(function, ast.Name) else ""


def _stands_alone(node: ast.stmt, lines: list[str]) -> bool:
    """Return whether nothing else stands on a statement's lines."""
    first, last = lines[node.lineno - 1].encode(), lines[(node.end_lineno or 0) - 1].encode()
    rest = last[node.end_col_offset :].decode().strip()
    return not first[: node.col_offset].strip() and (not rest or rest.startswith("#"))


def _leave_out(node: ast.stmt, lines: list[str]) -> None:
    text = lines[node.lineno - 1]
    indent = text[: len(text) - len(text.lstrip())]
    lines[node.lineno - 1] = f"{indent}pass  # left out: {text.strip()}"
    for number in range(node.lineno, node.end_lineno or node.lineno):
        lines[number] = f"{indent}# {lines[number].strip()}"
