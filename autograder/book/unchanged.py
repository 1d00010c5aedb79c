"""Whether code must give the outputs that it gave: comments, layout and docstrings change none."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from IPython.core.displayhook import DisplayHook
from IPython.core.inputtransformer2 import TransformerManager

# As names or words of their own in a syntax tree: what tells a program about its own text.
_READS_ITSELF = re.compile(r"'(inspect|help|traceback|pinfo2?|pdoc|psource|__doc__|__code__)'")


def same_outputs(before: Sequence[str], after: Sequence[str]) -> bool:
    """Say whether code cells must give the same as before, run one after the other.

    They must if nothing but comments, layout and docstrings differs, and if no cell asks for those
    (with `inspect` or `help`, for example).
    """
    if list(before) == list(after):
        return True
    meanings = [_meaning(source) for source in after]
    return meanings == [_meaning(source) for source in before] and not any(
        _READS_ITSELF.search(meaning) for meaning in meanings
    )


def _meaning(source: str) -> str:
    """Return a cell's syntax tree as text, without docstrings; the cell if it is no Python."""
    code = TransformerManager().transform_cell(source)  # lines for IPython become calls
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return source
    for node in ast.walk(tree):
        # Not the cell's own first text, which is shown if it is the last as well.
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            node.body = node.body[1:] if ast.get_docstring(node) else node.body
    # A semicolon at the end keeps the last value from being shown.
    return f"{ast.dump(tree)} {DisplayHook.semicolon_at_end_of_expression(code)}"
