"""Reading a lesson: cells, exercises, templates, blocks, and each marking mistake."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import jupytext
import pytest
from conftest import PYPROJECT, ROOT, TINY

from autograder.errors import CourseError
from autograder.lesson import Lesson
from autograder.lesson.markers import (
    blocks,
    fill_blocks,
    mark_scheme,
    strip_hidden,
    strip_scheme,
    strip_stubs,
    stub_blocks,
)

TEXT = (ROOT / "tests" / "lessons" / f"{TINY}.py").read_text(encoding="utf-8")


@pytest.fixture
def parse(tmp_path: Path):
    """Parse a text as if it were the tiny lesson of a course."""
    (tmp_path / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    return lambda text: Lesson.parse(text, tmp_path / "notebooks" / f"{TINY}.py")


def test_cells_are_those_that_jupytext_reads(parse):
    notebook = jupytext.reads(TEXT, fmt="py:percent")
    lesson = parse(TEXT)
    assert len(lesson.cells) == len(notebook.cells)
    for ours, theirs in zip(lesson.cells, notebook.cells, strict=True):
        assert ours.kind == theirs.cell_type
        assert ours.id == theirs.metadata.get("id")
        assert list(ours.tags) == theirs.metadata.get("tags", [])
        if ours.exercise is None and "{{" not in theirs.source:
            # The build writes below a chapter's heading what the chapter asks for.
            asked = [chapter.summary for chapter in lesson.chapters if chapter.exercises]
            expected = {theirs.source, *(f"{theirs.source}\n\n*{text}*" for text in asked)}
            assert ours.source in expected
            assert ours.source == theirs.source or theirs.source.startswith("## ")


def test_line_is_that_of_the_header(parse):
    lines = TEXT.splitlines()
    for cell in parse(TEXT).cells:
        assert lines[cell.line - 1].startswith("# %%")


def test_exercises_and_questions_are_numbered_separately(parse):
    lesson = parse(TEXT)
    assert [(one.id, one.label, one.points, one.manual) for one in lesson.exercises] == [
        ("double", "Exercise 1", 2, False),
        ("inverse", "Exercise 2", 3, False),
        ("evens", "Exercise 3", 1, False),
        ("why", "Question 1", 2, True),
    ]
    inverse, why = lesson.exercise("inverse"), lesson.exercise("why")
    assert (inverse.test_cell_id, inverse.answer_cell_id) == ("inverse-test", "numbers")
    assert (why.test_cell_id, why.answer_cell_id) == ("why-answer", "why-answer")
    assert lesson.title == "A tiny lesson"


def test_headings_are_written_from_the_keys(parse):
    cells = {cell.exercise: cell for cell in parse(TEXT).cells if cell.title}
    assert cells["double"].source == (
        "#### Exercise 1 · Twice\n\n*2 points · about 1 minute*\n\nWrite `double`."
    )
    assert cells["evens"].source.startswith(
        "#### Exercise 3 · Even numbers\n\n*1 point · about 1 minute*\n\n"
    )


def test_templates_are_filled_in(parse):
    lesson = parse(TEXT)
    assert "3 exercises with 3 blocks, 1 question,\n8 points, about 6.5 minutes" in (
        lesson.cells[0].source
    )
    assert "Open `00_tiny` [in Colab](https://colab." in lesson.cells[0].source
    assert "(https://github.com/someone/some-course)" in lesson.cells[0].source
    text = next(cell for cell in lesson.cells if cell.exercise == "inverse").source
    assert 'See Exercise 1, "Twice", for 2 points and\n1 minute.' in text


def test_named_equations_are_numbered_and_linked(parse):
    text = TEXT.replace(
        "# That was all.",
        "# As {{eq sum}} and {{eq two}} say, this is all.\n#\n"
        "# $$ a + b\n#   = c . {{equation sum}} $$\n#\n# $$ d $$\n#\n# $$e{{ equation two }}$$",
    )
    (source,) = [cell.source for cell in parse(text).cells if "this is all" in cell.source]
    assert source.startswith("As [(1)](#eq-sum) and [(2)](#eq-two) say")
    assert source.endswith(
        '\n<a id="eq-sum"></a>\n\n$$ a + b\n  = c . \\tag{1} $$\n\n$$ d $$\n\n'
        '<a id="eq-two"></a>\n\n$$e \\tag{2} $$'
    )


def test_doubled_braces_of_code_are_left_alone(parse):
    text = TEXT.replace("math.sqrt(4)", 'f"{{{math.pi}}}", {"a": {"b": 1}}')
    assert any('f"{{{math.pi}}}"' in cell.source for cell in parse(text).cells)


def test_unknown_names_are_course_errors(parse):
    lesson = parse(TEXT)
    assert lesson.cell("numbers").grade == "solution"
    with pytest.raises(CourseError, match="no cell has the id 'x'"):
        lesson.cell("x")
    with pytest.raises(CourseError, match="no exercise is called 'x'"):
        lesson.exercise("x")


def test_a_file_that_cannot_be_read_is_a_course_error(tmp_path):
    with pytest.raises(CourseError, match=r"gone.py cannot be read"):
        Lesson.load(tmp_path / "gone.py")
    (tmp_path / "latin.py").write_bytes(b"# \xe9")
    with pytest.raises(CourseError, match=r"latin.py cannot be read"):
        Lesson.load(tmp_path / "latin.py")


SOURCE = """def f(x):
    if x:
        ## YOUR CODE STARTS HERE ##
        # STUB: for i in range(x):
        # STUB:     y = ...
        #
        for i in range(x):
            y = i
        ## AND ENDS HERE ##
    ## YOUR CODE STARTS HERE ##
    # STUB: z = ...
    z = 1
    ## AND ENDS HERE ##
    return z"""


def test_blocks_give_stub_and_solution():
    first, second = blocks(SOURCE)
    assert first.indent == " " * 8
    assert first.stub == ("for i in range(x):", "    y = ...")
    assert first.solution[1:] == ("        for i in range(x):", "            y = i")
    assert (second.start, second.end) == (9, 12)
    assert second.solution == ("    z = 1",)


def test_stub_blocks_keep_markers_and_indentation():
    assert (
        stub_blocks(SOURCE)
        == """def f(x):
    if x:
        ## YOUR CODE STARTS HERE ##
        for i in range(x):
            y = ...
        ## AND ENDS HERE ##
    ## YOUR CODE STARTS HERE ##
    z = ...
    ## AND ENDS HERE ##
    return z"""
    )


def test_strip_stubs_leaves_markers_and_solution():
    assert strip_stubs(SOURCE) == SOURCE.replace(
        "        # STUB: for i in range(x):\n", ""
    ).replace("        # STUB:     y = ...\n", "").replace("    # STUB: z = ...\n", "")


def test_fill_blocks_replaces_each_body():
    filled = fill_blocks(stub_blocks(SOURCE), ["y = 2\n\ny += 1", "z = 3"])
    assert "        y = 2\n\n        y += 1\n" in filled
    assert "    z = 3\n" in filled
    with pytest.raises(ValueError):
        fill_blocks(SOURCE, ["only one"])


def test_regions_are_cut_out():
    source = "a\n### BEGIN HIDDEN TESTS\nb\n### END HIDDEN TESTS\nc\n"
    assert strip_hidden(source) == "a\nc"
    answer = "A.\n\n=== BEGIN MARK SCHEME ===\n1 point.\n=== END MARK SCHEME ==="
    assert strip_scheme(answer) == "A."
    assert mark_scheme(answer) == "1 point."
    assert mark_scheme("A.") == ""


# Each mistake: what is replaced in the tiny lesson, by what, a part of the line that the error must
# name (or NEARBY, for a line at the change itself), and a part of the message.
NEARBY = -1
MISTAKES = {
    "exercise with two graded cells": (
        ' exercise="evens" answer="evens-answer"',
        ' exercise="double" answer="evens-answer"',
        'id="evens-test"',
        "exercise 'double' already has such a cell in line",
    ),
    "exercise without graded cell": (
        '# %% id="evens-test" grade="tests" points=1 exercise="evens" answer="evens-answer"\n'
        'assert isinstance(evens(4), list), "evens(4) must be a list"\n'
        "### BEGIN HIDDEN TESTS\nfloat(evens(6) == [0, 2, 4])\n### END HIDDEN TESTS\n",
        "",
        'title="Even numbers"',
        "exercise 'evens' has neither tests nor an answer cell",
    ),
    "tests for an exercise without text": (
        'points=1 exercise="evens"',
        'points=1 exercise="odds"',
        'id="evens-test"',
        "exercise 'odds' has no text",
    ),
    "tests without points": (" points=2", "", 'id="double-test"', "needs points="),
    "tests without exercise": (
        'points=2 exercise="double"',
        "points=2",
        'id="double-test"',
        "needs exercise=",
    ),
    "tests without answer": (
        'exercise="double" answer="numbers"',
        'exercise="double"',
        'id="double-test"',
        'needs answer="…"',
    ),
    "answer without points": (
        'points=2 exercise="why"',
        'exercise="why"',
        'id="why-answer"',
        "needs points=",
    ),
    "points zero": ("points=2", "points=0", 'id="double-test"', "positive number"),
    "points negative": ("points=2", "points=-1", 'id="double-test"', "positive number"),
    "points in words": ("points=2", 'points="two"', 'id="double-test"', "positive number"),
    "points unreadable": ("points=2", "points=two", 'id="double-test"', "cannot read points=two"),
    "minutes zero": ("minutes=2.5", "minutes=0", 'title="The inverse"', "positive number"),
    "no id": ('id="given" ', "", '%% grade="readonly"', 'needs an id="…"'),
    "bad id": ('id="given"', 'id="a b"', 'id="a b"', "letters, digits"),
    "duplicate id": ('id="evens-answer"', 'id="numbers"', "numbers", "already used in line"),
    "unknown grade": ('"readonly"', '"locked"', "locked", "unknown grade 'locked'"),
    "unknown key": (
        'title="Twice"',
        'title="Twice" level=1',
        "level=1",
        "level= means nothing in a plain markdown cell",
    ),
    "misplaced key": (
        'id="numbers" grade="solution"',
        'id="numbers" grade="solution" points=2',
        "points=2",
        "points= means nothing in a solution code cell",
    ),
    "key given twice": ("points=2", "points=2 points=3", "points=3", "points= is given twice"),
    "unquoted key": ('id="given"', "id=given", "id=given", "cannot read id=given"),
    "text in a header": ("# %%\nmath", "# %% a title\nmath", "a title", "cannot read `a title`"),
    "exercise text without minutes": (
        'title="Twice" minutes=1',
        'title="Twice"',
        'title="Twice"',
        "needs title= and minutes=",
    ),
    "title without exercise": (
        'exercise="double" title="Twice"',
        'title="Twice"',
        'title="Twice"',
        'need an exercise="…"',
    ),
    "answer of no cell": (
        'exercise="evens" answer="evens-answer"',
        'exercise="evens" answer="given"',
        'answer="given"',
        'answer="given" names no solution cell',
    ),
    "wrong type of cell": (
        '[markdown] id="why-answer"',
        'id="why-answer"',
        'id="why-answer"',
        "must be a markdown cell",
    ),
    "solution without block": (
        "            ## YOUR CODE STARTS HERE ##\n            # STUB: ...\n"
        "            result.append(i)\n            ## AND ENDS HERE ##\n",
        "            result.append(i)\n",
        'id="evens-answer"',
        "a solution cell without a block",
    ),
    "block outside a solution cell": (
        "math.sqrt(4)",
        "## YOUR CODE STARTS HERE ##\n# STUB: a = ...\na = 1\n## AND ENDS HERE ##",
        NEARBY,
        "a YOUR CODE block outside a solution cell",
    ),
    "open marker": (
        "            result.append(i)\n            ## AND ENDS HERE ##",
        "            result.append(i)",
        NEARBY,
        "is never closed",
    ),
    "nested marker": (
        "            result.append(i)\n",
        "            ## YOUR CODE STARTS HERE ##\n",
        NEARBY,
        "inside another",
    ),
    "end without start": (
        "            ## YOUR CODE STARTS HERE ##\n            # STUB: ...\n",
        "",
        NEARBY,
        "`## AND ENDS HERE ##` without",
    ),
    "misspelt marker": (
        "            # STUB: ...\n            result.append(i)\n            ## AND ENDS HERE ##",
        "            # STUB: ...\n            result.append(i)\n            # AND ENDS HERE",
        NEARBY,
        "write the marker alone on its line",
    ),
    "block without stub": ("            # STUB: ...\n", "", NEARBY, "a block without a stub"),
    "block without solution": (
        "            result.append(i)\n",
        "",
        NEARBY,
        "a block without a solution",
    ),
    "stub in a wrong place": (
        "result.append(i)\n",
        "result.append(i)\n            # STUB: ...\n",
        NEARBY,
        "must stand directly below",
    ),
    "stub that is not Python": (
        "# STUB: doubled = ...",
        "# STUB: doubled = (",
        'id="numbers"',
        "with its stubs the cell is not valid Python",
    ),
    "hidden tests outside a tests cell": (
        "math.sqrt(4)",
        "### BEGIN HIDDEN TESTS\n1\n### END HIDDEN TESTS",
        NEARBY,
        "hidden tests outside a tests cell",
    ),
    "open hidden tests": (
        "double_points\n### END HIDDEN TESTS",
        "double_points",
        "### BEGIN HIDDEN TESTS",
        "is never closed",
    ),
    "tests without hidden tests": (
        "### BEGIN HIDDEN TESTS\nfloat(evens(6) == [0, 2, 4])\n### END HIDDEN TESTS\n",
        "",
        'id="evens-test"',
        "a tests cell without hidden tests",
    ),
    "mark scheme outside an answer cell": (
        "# That was all.",
        "# === BEGIN MARK SCHEME ===\n# === END MARK SCHEME ===",
        NEARBY,
        "a mark scheme outside an answer cell",
    ),
    "not Python": ("return a % MODULUS", "return a %", NEARBY, "not valid Python"),
    "markdown not commented": ("# That was all.", "That was all.", NEARBY, "begin with `# `"),
    "unknown template": (
        "{{points double}}",
        "{{points treble}}",
        'title="The inverse"',
        "unknown template {{points treble}}",
    ),
    "unknown equation": ("# That was all.", "# See {{eq none}}.", NEARBY, "unknown template {{eq"),
    "equation outside a formula": (
        "# That was all.",
        "# $a$ {{equation a}}",
        NEARBY,
        "unknown template {{equation a}}",
    ),
    "two equations of one name": (
        "# That was all.",
        "# $$a {{equation x}}$$\n#\n# $$b {{equation x}}$$",
        NEARBY,
        "two equations are called 'x'",
    ),
    "text before the first cell": ("# ---\n\n# %%", "# ---\nx = 1\n# %%", "x = 1", "text before"),
}


def test_hidden_properties_have_to_add_up(parse):
    text = (ROOT / "tests" / "lessons" / "00_tensors.py").read_text(encoding="utf-8")
    first, second = (f'@judge.property("moves {name}' for name in ("the", "a sum"))

    def worth(cell: str, *points: str) -> str:
        changed = text.replace('grade="tests" points=2', f'grade="tests" points={cell}', 1)
        for start, one in zip((first, second), points, strict=True):
            before, after = changed.split(start)
            changed = before + start + after.replace("points=1", one, 1)
        return changed

    parse(worth("2", "points=1", "points=1"))
    parse(worth("0.3", "points=0.1", "points=0.2"))
    with pytest.raises(
        CourseError, match=r":\d+: the hidden properties are worth 2.5 points, .* 2;"
    ):
        parse(worth("2", "points=1.5", "points=1"))
    # What a text does not say, the judge adds up.
    parse(worth("2", "points=one", "points=1"))


@pytest.mark.parametrize("name", MISTAKES)
def test_a_marking_mistake_is_one_error_with_file_and_line(parse, name):
    old, new, where, message = MISTAKES[name]
    assert old in TEXT
    text = TEXT.replace(old, new, 1)
    lines = text.splitlines()
    with pytest.raises(CourseError) as caught:
        parse(text)
    shown = str(caught.value)
    match = re.match(rf"notebooks/{TINY}\.py:(\d+): (.*)", shown)
    assert match, shown
    assert "\n" not in shown
    assert message in match[2]
    line = int(match[1])
    if where == NEARBY:
        changed = TEXT[: TEXT.index(old)].count("\n") + 1
        assert changed - 2 <= line <= changed + max(old.count("\n"), new.count("\n")) + 1
    else:
        assert isinstance(where, str) and where in lines[line - 1]


def test_an_empty_text_is_a_course_error(parse):
    with pytest.raises(CourseError, match="the lesson has no cells"):
        parse("print(1)\n")


def test_magics_are_allowed(parse):
    text = TEXT.replace("math.sqrt(4)", "# %%time\n# !ls\nmath.sqrt(4)")
    assert any(cell.source == "%%time\n!ls\nmath.sqrt(4)" for cell in parse(text).cells)


QUOTES = "# # A tiny lesson\n#\n# {{measured speed}}\n#\n# Its sum is {{sha256 small}}."


def test_measurements_and_sums_of_networks_are_quoted(parse, tmp_path):
    table, network = (
        tmp_path / "data" / name for name in ("results/speed.md", "networks/small.pt")
    )
    for path in (table, network):
        path.parent.mkdir(parents=True)
    table.write_text("| a | b |\n|---|---|\n| 1 | 2 |\n", encoding="utf-8", newline="\n")
    network.write_bytes(b"weights")
    lesson = parse(TEXT.replace("# # A tiny lesson", QUOTES))
    first = lesson.cells[0].source
    assert "\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n" in first
    assert f"Its sum is {hashlib.sha256(b'weights').hexdigest()}." in first


def test_a_missing_file_that_is_quoted_is_named(parse):
    with pytest.raises(CourseError, match=r"quotes .*speed\.md.*data/README\.md"):
        parse(TEXT.replace("# # A tiny lesson", QUOTES))
