"""Docstrings say what a caller needs: errors and shapes. (That there is one, ruff's D1 sees to.)"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, lesson_of

from autograder.course import Course
from autograder.lesson import Lesson
from autograder.lesson.code import MAGIC

Definition = ast.FunctionDef | ast.ClassDef
FILES = sorted(ROOT.glob("autograder/**/*.py"))
LESSONS = [lesson_of(stem) for stem in Course(ROOT).lessons()]
ERRORS = {"CourseError", "ValueError"}
SHAPE = re.compile(r"\[[^\]]*\]|[Ss]hape")


def definitions(body: list[ast.stmt], inside: str = "") -> Iterator[tuple[str, Definition]]:
    """Yield the public functions, classes and methods with their names."""
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield inside + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from definitions(node.body, f"{inside}{node.name}.")


def raised(function: ast.FunctionDef) -> set[str]:
    """Return which of the errors for users a function raises itself."""
    errors: set[str] = set()
    left: list[ast.AST] = list(function.body)
    while left:
        node = left.pop()
        if isinstance(node, Definition | ast.Lambda):
            continue
        if isinstance(node, ast.Raise) and node.exc is not None:
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            errors |= {ast.unparse(error)} & ERRORS
        left += ast.iter_child_nodes(node)
    return errors


def silent(tree: ast.Module) -> list[str]:
    """Return the public functions that raise such an error and do not say so."""
    return [
        name
        for name, node in definitions(tree.body)
        if isinstance(node, ast.FunctionDef)
        and raised(node)
        and not re.search(r"\b[Rr]aises?\b", ast.get_docstring(node) or "")
    ]


def lesson_trees(lesson: Lesson) -> Iterator[ast.Module]:
    """Yield the code of a lesson's cells, without its tests."""
    for cell in lesson.cells:
        if cell.kind == "code" and cell.grade != "tests":
            yield ast.parse(MAGIC.sub("", cell.source))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_public_functions_say_which_errors_they_raise(path: Path) -> None:
    assert silent(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
def test_a_lesson_s_functions_say_what_they_do_and_their_shapes(lesson: Lesson) -> None:
    wanting = []
    for tree in lesson_trees(lesson):
        for name, node in definitions(tree.body):
            text = ast.get_docstring(node) or ""
            if "." not in name and not text:
                wanting.append(f"{name}: no docstring")
            takes_tensors = isinstance(node, ast.FunctionDef) and "Tensor" in signature(node)
            if takes_tensors and text and not SHAPE.search(text):
                wanting.append(f"{name}: no shape")
        wanting += [f"{name}: errors" for name in silent(tree) if "." not in name]
    assert wanting == []


def signature(node: ast.FunctionDef) -> str:
    """Return the types of a function's arguments and of its result."""
    return ast.unparse(node.args) + (ast.unparse(node.returns) if node.returns else "")


def test_what_the_tests_above_look_for_is_found() -> None:
    source = "def f():\n    '''Do it.'''\n    if 1:\n        raise CourseError('x')"
    assert silent(ast.parse(source)) == ["f"]
    assert silent(ast.parse(source.replace("Do it.", "Raises CourseError."))) == []
    assert silent(ast.parse(source.replace("def f", "def _f"))) == []


def test_examples_of_the_style_guide_are_the_lesson_s_own() -> None:
    """So that they cannot go stale: each stands in a lesson, word for word."""
    guide = (ROOT / "STYLE_GUIDE.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```(python|markdown)\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)
    assert len(examples) >= 8
    texts = [lesson.path.read_text(encoding="utf-8") for lesson in LESSONS]
    for kind, example in examples:
        if kind == "markdown":
            example = "".join(f"# {line}".rstrip() + "\n" for line in example.splitlines())
        assert any(example in text for text in texts), example
