"""A lesson gives code of an earlier one's solution: locked, folded, and always up to date."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT, TINY

from autograder.book.names import lesson_names
from autograder.build.fresh import find_stale
from autograder.build.generate import build, generate
from autograder.course import Course
from autograder.demo import copy_course
from autograder.errors import CourseError
from autograder.grading.needed import needed_cells
from autograder.lesson import Lesson
from autograder.lesson.code import MAGIC
from autograder.lesson.markers import as_given

TEXT = (ROOT / "tests" / "lessons" / f"{TINY}.py").read_text(encoding="utf-8")
LATER = "05_later"
GIVEN = '# %% id="given-numbers" from="00_tiny" cells="given numbers evens-answer"\n'


def later(given: str = GIVEN) -> str:
    """The tiny lesson once more, with its cell of definitions taken from the first."""
    start, end = TEXT.index('# %% id="given"'), TEXT.index("# %% [markdown]\n# ## Numbers")
    text = TEXT[:start] + given + "\n" + TEXT[end:]
    text = text.replace("# A tiny lesson", "# A later lesson")
    return text.replace("class Numbers:", "class More(Numbers):").replace("Numbers()", "More()")


@pytest.fixture
def two(course: Course) -> Course:
    """A course of two lessons."""
    course.lesson_path(LATER).write_text(later(), encoding="utf-8")
    return course


def lesson(course: Course) -> Lesson:
    return Lesson.load(course.lesson_path(LATER))


def test_the_solution_is_given_locked_and_folded(two: Course):
    cell = lesson(two).cell("given-numbers")
    assert (cell.kind, cell.grade, cell.tags) == ("code", "readonly", ("hide-input",))
    first, *lines = cell.source.split("\n")
    assert first == "# @title Given, from A tiny lesson. There is nothing to fill in: run the cell."
    assert "        doubled = 2 * a" in lines
    assert "result.append(i)" in cell.source
    for words in ("YOUR CODE", "AND ENDS", "STUB", "..."):
        assert words not in cell.source
    build(two)
    release = nbformat.read(two.release_notebook(LATER), as_version=4)
    (made,) = [one for one in release.cells if one.id == "given-numbers"]
    assert made.source == cell.source
    assert made.metadata.nbgrader.locked and not made.metadata.nbgrader.solution
    assert made.metadata.jupyter.source_hidden and made.metadata.cellView == "form"


def test_it_runs_and_counts_for_nothing(two: Course):
    found = lesson(two)
    assert lesson_names(found).More().double(4) == 8
    assert len(found.exercises) == 3 + 1
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(c.source, id=c.id or f"x{c.line}") for c in found.cells]
    )
    needed = needed_cells(notebook, found, {cell.id for cell in notebook.cells})
    assert any(notebook.cells[index].id == "given-numbers" for index in needed)


def test_what_asks_for_a_block_is_left_out():
    source = (
        "def f(x):\n"
        "    ## YOUR CODE STARTS HERE ##\n"
        "    # STUB: y = ...\n"
        "    y = x\n"
        "    ## AND ENDS HERE ##\n"
        '    filled_in("{{number one}}", y=y)\n'
        '    return filled_in("{{number one}}", y=g(y, 1))'
    )
    assert as_given(source) == "def f(x):\n    y = x\n    return g(y, 1)"


def test_a_change_in_the_first_lesson_makes_the_second_stale(two: Course):
    build(two)
    version = lesson(two).version
    assert not [line for line in find_stale(two) if "solutions/" not in line]
    path = two.lesson_path(TINY)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("doubled = 2 * a", "doubled = a + a"), encoding="utf-8")
    stale = [line for line in find_stale(two) if "release/" in line]
    assert [LATER in line for line in stale] == [True]  # the first one's release has no solution
    assert lesson(two).version != version
    # Its own text says nothing new to those who have it already.
    path.write_text(text.replace("# A tiny lesson\n", "# A tiny lesson\n#\n# New.\n"), "utf-8")
    assert lesson(two).version == version


def test_what_is_borrowed_may_itself_be_borrowed(two: Course):
    third = two.lesson_path("06_last")
    borrowed = '# %% id="given-numbers" from="05_later" cells="given-numbers"\n'
    third.write_text(later(borrowed), encoding="utf-8")
    assert "class Numbers:" in Lesson.load(third).cell("given-numbers").source


def test_a_release_with_a_borrowed_solution_gives_nothing_of_its_own_away(two: Course):
    generate(two)
    path = two.lesson_path(LATER)
    text = path.read_text(encoding="utf-8")
    text = text.replace("        doubled = 2 * a\n", "        doubled = sum([a, a])\n")
    path.write_text(text, encoding="utf-8")
    files = generate(two)
    assert b"sum([a, a])" not in files[f"release/{LATER}/{LATER}.ipynb"]


def test_the_demo_takes_the_earlier_lessons_along(two: Course, tmp_path: Path):
    demo = copy_course(two, LATER, tmp_path / "demo")
    assert demo.lessons() == [TINY, LATER]
    assert copy_course(two, TINY, tmp_path / "first").lessons() == [TINY]


MISTAKES = {
    "unknown lesson": ('from="00_tiny"', 'from="00_gone"', "no earlier lesson is called '00_gone'"),
    "itself": ('from="00_tiny"', 'from="05_later"', "no earlier lesson is called '05_later'"),
    "unknown cell": ("given numbers", "given none", "no code cell with the id 'none'"),
    "a text": ("given numbers", "given why-answer", "no code cell with the id 'why-answer'"),
    "tests": ("given numbers", "double-test", "no code cell with the id 'double-test'"),
    "no cells": (' cells="given numbers evens-answer"', "", 'needs cells="…"'),
    "no id": ('id="given-numbers" ', "", 'needs an id="…"'),
    "a grade": ("from=", 'grade="tests" from=', "grade= means nothing beside from="),
    "code of its own": ('evens-answer"\n', 'evens-answer"\nx = 1\n', "is an empty code cell"),
    "a text cell": ("# %% id", "# %% [markdown] id", "is an empty code cell"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_error_with_its_line(two: Course, mistake: str):
    old, new, message = MISTAKES[mistake]
    assert GIVEN.count(old) == 1
    text = later(GIVEN.replace(old, new))
    two.lesson_path(LATER).write_text(text, encoding="utf-8")
    line = next(n for n, one in enumerate(text.splitlines(), 1) if "from=" in one)
    with pytest.raises(CourseError) as caught:
        lesson(two)
    assert f"notebooks/{LATER}.py:{line}: " in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize("stem", Course(ROOT).lessons())
def test_a_lesson_uses_no_name_before_it_has_it(stem: str):
    """ruff itself sees only a lesson's own text, not what it takes from another."""
    cells = Lesson.load(Course(ROOT).lesson_path(stem)).cells
    code = "\n\n".join(MAGIC.sub("", cell.source) for cell in cells if cell.kind == "code")
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", "-"]
    found = subprocess.run(command, input=code, capture_output=True, encoding="utf-8", check=False)
    assert found.returncode == 0, found.stdout
