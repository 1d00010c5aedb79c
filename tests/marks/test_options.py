"""The options that commands about marks share are declared once."""

from __future__ import annotations

import ast

from autograder.course import PACKAGE

OPTIONS = "marks/options.py"


def declared() -> dict[str, set[str]]:
    """Return the modules that declare each option of the command line."""
    modules: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("add_argument"):
                for word in node.args:
                    if isinstance(word, ast.Constant):
                        name = path.relative_to(PACKAGE).as_posix()
                        modules.setdefault(str(word.value), set()).add(name)
    return modules


def test_shared_options_are_declared_once() -> None:
    modules = declared()
    assert modules["--assignment"] == modules["--db"] == {OPTIONS}
    # Collecting is told whose the files are, which is another thing than whom to grade.
    assert modules["--student"] == {OPTIONS, "exchange/collect.py"}
