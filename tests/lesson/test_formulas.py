"""Formulas of the lessons become MathML."""

import re

import nbformat
import pytest
from conftest import ROOT

from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson.formulas import mathml

FORMULA = re.compile(r"\$\$(.*?)\$\$|\$([^$]+)\$", re.DOTALL)
CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)


def flat(tex, **options):
    """Return a formula's MathML without the spaces between its elements."""
    return re.sub(r">\s+<", "><", mathml(tex, **options))


@pytest.mark.parametrize("stem", Course(ROOT).lessons())
def test_every_formula_of_a_lesson_is_known(stem):
    cells = nbformat.read(Course(ROOT).solutions_notebook(stem), as_version=4).cells
    text = "\n".join(CODE.sub("", cell.source) for cell in cells if cell.cell_type == "markdown")
    found = FORMULA.findall(text)
    assert len(found) > 30
    for block, inline in found:
        made = mathml(re.sub(r"\\tag\{\d+\}", "", block) or inline, block=bool(block))
        assert made.startswith("<math") and "\\" not in made


def test_what_docutils_lacks():
    made = flat(r"\tilde h_m")
    assert made.index("<msub>") < made.index("<mover") < made.index("<mi>m</mi>")
    assert "<mo>′</mo>" in flat("f'") and "'" not in flat("f'")
    assert '<mo>,</mo><mo form="prefix">−</mo>' in flat("(-1, -1)")
    assert flat(r"\big(x\big)") == flat("(x)")
    assert flat(r"a, \dots") == flat(r"a, \ldots")
    assert "<mtr>" in flat(r"\begin{pmatrix} 1 \cr 2 \end{pmatrix}")
    assert "°" in flat("90°") or "∘" in flat("90°")


def test_an_unknown_command_is_an_error():
    with pytest.raises(CourseError, match=r"'\\\\nosuch x' cannot be set: .*nosuch"):
        mathml(r"\nosuch x")
