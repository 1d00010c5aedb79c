"""Code taken apart by its lines, compared with what Python's own parser finds where it can."""

from __future__ import annotations

import ast

import nbformat
import pytest

from autograder.course import Course
from autograder.submissions.pieces import (
    code_only,
    defined,
    parts,
    pieces,
    plain_signs,
    plain_spaces,
    words,
)

COURSE = Course.find(__file__)
NOTEBOOKS = [COURSE.source_notebook(stem) for stem in COURSE.lessons()]

CODE = '''"""Two words: def hidden(): pass"""
# about f
@decorated
def f(x=(1,
         2)):
    """Text
def not_code(): pass
"""
    return {
}

class A(B,
        C):
    size = 1

    def m(self):
        def inner():
            pass
        return inner

    @property
    def p(self):
        return 1

A.m = f
class A(A):
    def q(self): pass
x, y = 1, 2
x == 3
from math import (pi, sqrt as root)
import numpy.linalg, torch as t
if x:
    def g(): pass
else:
    y
'''


def test_statements_and_what_they_define():
    found = [(one.kind, set(one.names), one.reopens) for one in pieces(CODE)]
    assert found == [
        ("", set(), False),
        ("function", {"f"}, False),
        ("class", {"A"}, False),
        ("assignment", {"A.m"}, True),
        ("class", {"A"}, True),
        ("assignment", {"x", "y"}, False),
        ("", set(), False),
        ("import", {"pi", "root"}, False),
        ("import", {"numpy", "t"}, False),
        ("", set(), False),
    ]
    assert defined(pieces(CODE)) == {"f", "A"}
    assert set(parts(pieces(CODE))) == {"f", "A", "A.m", "A.p", "A.q"}
    assert pieces(CODE)[1].text.startswith("# about f\n@decorated\ndef f")


def test_pieces_are_the_whole_cell_in_order():
    lines = CODE.split("\n")
    found = pieces(CODE)
    assert [one.start for one in found[1:]] == [one.end for one in found[:-1]]
    assert "\n".join("\n".join(lines[one.start : one.end]) for one in found) == CODE


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_lessons_are_taken_apart_as_python_does(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code" or cell.source.startswith("%"):
            continue
        body = ast.parse(cell.source.replace("%config", "#")).body
        tops = [one for one in body if isinstance(one, ast.FunctionDef | ast.ClassDef)]
        methods = {
            f"{one.name}.{part.name}"
            for one in tops
            if isinstance(one, ast.ClassDef)
            for part in one.body
            if isinstance(part, ast.FunctionDef)
        }
        assert defined(pieces(cell.source)) == {one.name for one in tops}, cell.id
        assert {name for name in parts(pieces(cell.source)) if "." in name} == methods, cell.id


def test_code_that_is_no_python_is_taken_apart_all_the_same():
    text = (
        "def f(:\n    return (\n\nclass A\n    def m(self)\nThat is all, don't you think\ndef g():"
    )
    assert [set(one.names) for one in pieces(text)] == [{"f"}, {"A"}, set(), {"g"}]
    assert pieces("") == pieces(" \n\n") == []


def test_strings_and_comments_are_no_code():
    assert words("a = 'def b' + f(c)  # d\n'''e\ng'''") == {"a", "f", "c"}
    assert len(code_only(CODE)) == len(CODE)


def test_spaces_that_python_does_not_read_become_blanks_outside_strings():
    assert plain_spaces("x\u00a0=\u20031  # a\u00a0b") == "x = 1  # a\u00a0b"
    assert plain_spaces("x = 'a\u00a0b'\ufeff") == "x = 'a\u00a0b' "


@pytest.mark.parametrize(
    ("source", "plain"),
    [
        ("x = \u2212a \u00d7 2  # \u2212 x", "x = -a * 2  # \u2212 x"),
        ("s = \u201chello \u2212 you\u201d", 's = "hello \u2212 you"'),
        ("s = \u2018a\u2019 + 'b\u2212'", "s = 'a' + 'b\u2212'"),
        ("f\uff08a\uff0cb\uff09\uff1a \u2026", "f(a,b): ..."),
        ("x\u00b2 \u2264 3", "x**2 <= 3"),
        ("```python\nx = 1\n```\n", "x = 1"),
        ("```\nx = 1\ny = 2\n ```", "x = 1\ny = 2"),
        ("```python\nx = 1", "```python\nx = 1"),
        ("```", "```"),
        ("d[\u201ek\u201c]", 'd["k"]'),
        ("f'{a \u2212 b}'", "f'{a \u2212 b}'"),
        ("a\uff11, \u03b1\u00b7b", "a\uff11, \u03b1\u00b7b"),
    ],
)
def test_signs_that_only_look_like_python_s_are_put_right(source, plain):
    assert plain_signs(source) == plain
    assert plain_signs(plain) == plain


@pytest.mark.parametrize(
    "text",
    ["'" + "\\'" * 200_000, '"""' + '\\"' * 200_000, "import " + "a" * 400_000, "(" * 400_000]
    + ["a." * 200_000 + "=", "# \n" * 100_000, "class A:\n" + " def f(): pass\n" * 30_000],
)
def test_no_text_takes_long(text):
    # With a search that starts again at every letter each of these would take minutes.
    assert len(pieces(text)) == 1
    assert plain_signs(text + "\u201c" * 1000) == text + '"' * 1000 or text[:1] in "'\""
