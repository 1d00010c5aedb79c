"""Which cells run for grading: the answers, the checks, and what they need."""

from __future__ import annotations

import nbformat
import pytest
from conftest import ROOT, TINY, lesson_of
from nbformat.v4 import new_code_cell

from autograder.course import Course
from autograder.grading.needed import as_executed, names, needed_cells
from autograder.lesson import Lesson
from autograder.submissions.made import fill_in
from autograder.submissions.reading import read_notebook

LESSON = "01_regular_group_convolutions"


@pytest.mark.parametrize(
    ("source", "bound", "used"),
    [
        ("a = b + a", "a", "b a"),
        ("import os.path, sys as s\nfrom math import pi as p", "os s p", ""),
        ("def f(x, *y, k=d, **z):\n    t = x + g(y, z, k)\n    return t", "f", "d g"),
        ("def f():\n    global n\n    n = n + 1", "f", "n"),
        ("class A(B):\n    c = d\n    def m(self):\n        return self.c + e", "A", "B d e"),
        ("for i in r:\n    print(i, j)", "i", "print j r"),
        ("with open(p) as f:\n    t = f.read()\nprint(t)", "f t", "open p print"),
        ("x = [i for i in y if i > z]", "x", "y z"),
        ("f = lambda a: a + b", "f", "b"),
        ("model.weight = w", "model", "w model"),
        ("table[k] += 1", "table", "table k"),
        ("a, (b, *c) = d", "a b c", "d"),
        ("try:\n    import x\nexcept E as e:\n    x = None", "x", "E"),
        ("if (n := 3) > m:\n    pass", "n", "m"),
        ("this is no Python", "", ""),
        ("", "", ""),
    ],
)
def test_names_of_a_cell(source: str, bound: str, used: str) -> None:
    assert names(source) == (frozenset(bound.split()), frozenset(used.split()))


def test_magics_are_no_hindrance() -> None:
    assert names(as_executed("%matplotlib inline\nx = !ls\ny = x"))[0] == {"x", "y"}
    assert as_executed("'unclosed") == as_executed("'unclosed")


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("%%time\ndef f():\n    return 1", "\ndef f():\n    return 1"),
        (">>> a = 1\n>>> b = a", "a = 1\nb = a"),
        ("    a = 1\n    %who\n    b = a", "a = 1\npass\nb = a"),
        ("s = '''\n%x\n!y\n'''\n%time f(s)", "s = '''\n%x\n!y\n'''\npass"),
        ("x = 7 % 2\ny = [1,\n%x]\n!ls", "x = 7 % 2\ny = [1,\npass\npass"),
        ("x = 3\n/f x\n,f x", "x = 3\npass\npass"),
    ],
)
def test_what_ipython_alone_reads_is_left_out(source: str, made: str) -> None:
    assert as_executed(source) == made


NESTED = [
    "x = " + "[" * 190 + "a, b" + ", c" * 50_000 + "]" * 190,
    "x = " + "(lambda y: " * 90 + "a, b" + ", c" * 50_000 + ")" * 90,
    "".join(" " * depth + f"for i in a{depth}:\n" for depth in range(90))
    + "".join(" " * 90 + f"x{number} = y{number}\n" for number in range(1000)),
    "/a b\n" * 20_000,
    "a?\n" * 20_000,
    "\n" * 150_000 + "%",
    "x = " + " + ".join("a" * 5000),
    "x" * 300_000,
]


@pytest.mark.parametrize("source", NESTED, ids=range(len(NESTED)))
def test_no_cell_takes_long(source: str) -> None:
    # With sets put together at every level, or a text read anew for each command, these would take
    # from a minute to hours.
    bound, used = names(as_executed(source))
    assert len(bound) + len(used) <= 2200


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    return lesson_of(LESSON)


def chosen(notebook: nbformat.NotebookNode, lesson: Lesson, released: set[str]) -> list[str]:
    return [notebook.cells[index].id for index in sorted(needed_cells(notebook, lesson, released))]


def test_lesson_1_runs_neither_plots_nor_training(lesson: Lesson) -> None:
    release = read_notebook(Course(ROOT).release_notebook(LESSON))
    released = {cell.id for cell in release.cells}
    ran = chosen(fill_in(release, lesson), lesson, released)
    sources = {cell.id: cell.source for cell in release.cells}
    marked = [cell.id for cell in lesson.cells if cell.grade in ("solution", "tests")]
    assert set(marked) <= set(ran)
    for id in ran:
        assert "plt.subplots" not in sources[id] or id == "setup"
        assert "train_model(" not in sources[id] and "load_digits" not in sources[id]


def test_what_a_student_s_own_cell_needs_runs_too(lesson: Lesson) -> None:
    release = read_notebook(Course(ROOT).release_notebook(LESSON))
    released = {cell.id for cell in release.cells}
    notebook = fill_in(release, lesson)
    before = chosen(notebook, lesson, released)
    assert "cnn" not in before
    notebook.cells.append(new_code_cell("CNN", id="own-1"))
    after = chosen(notebook, lesson, released)
    assert set(after) - set(before) == {"own-1", "cnn"}


def test_a_cell_with_the_tag_runs(course: Course) -> None:
    path = course.lesson_path(TINY)
    text = path.read_text(encoding="utf-8")
    own = '# %% id="side-effect" grade="readonly"{}\nprint("nothing needs this")\n\n'
    head, first, rest = text.partition("# %%")
    for tags, expected in (("", False), (' tags=["needed"]', True)):
        path.write_text(head + own.format(tags) + first + rest, encoding="utf-8")
        lesson = Lesson.load(path)
        cells = [new_code_cell(cell.source, id=cell.id) for cell in lesson.cells if cell.id]
        notebook = nbformat.v4.new_notebook(cells=cells)
        assert ("side-effect" in chosen(notebook, lesson, {c.id for c in cells})) == expected
