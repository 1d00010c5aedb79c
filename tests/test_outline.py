"""What a lesson asks for is counted from its text, and said where a student looks for it."""

from __future__ import annotations

import io
import json
import re
from contextlib import redirect_stdout

import pytest
from conftest import ROOT

from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson import Lesson
from autograder.lesson.markers import stub_blocks
from autograder.lesson.outline import defined_name, minutes_by_chapter

STEM = "01_regular_group_convolutions"
COURSE = Course(ROOT)
LESSON = Lesson.load(COURSE.lesson_path(STEM))


# ---------------------------------------------------------------------------------- chapters


def test_chapters_of_the_tiny_lesson(tiny: Lesson) -> None:
    numbers, lists = tiny.chapters
    assert [exercise.id for exercise in numbers.exercises] == ["double", "inverse"]
    assert numbers.summary == "2 exercises · about 3.5 minutes"
    assert lists.summary == "1 exercise, 1 question · about 3 minutes"
    assert minutes_by_chapter(tiny.chapters) == "3.5 in “Numbers” and 3 in “Lists”"


def test_the_summary_stands_below_the_heading_only(tiny: Lesson) -> None:
    cells = [cell.source for cell in tiny.cells if cell.source.startswith("## ")]
    assert cells[0] == "## Numbers\n\n*2 exercises · about 3.5 minutes*"


def test_markers_in_a_text_are_no_chapters() -> None:
    titles = [chapter.title for chapter in LESSON.chapters]
    assert titles[0] == "0 Introduction"
    assert [title.split()[0] for title in titles] == [str(n) for n in range(len(titles))]
    assert not LESSON.chapters[0].exercises


def test_minutes_of_the_chapters_add_up() -> None:
    total = sum(exercise.minutes for exercise in LESSON.exercises)
    assert sum(chapter.minutes for chapter in LESSON.chapters) == total
    start = "\n".join(cell.source for cell in LESSON.cells[:3])
    assert f"About {total:g} minutes for the exercises and questions" in start
    numbers = re.search(r"questions \((.*?)\)", start)[1]
    assert sum(int(number) for number in re.findall(r"(\d+) in section", numbers)) == total


# ------------------------------------------------------------------------------------ checks


@pytest.mark.parametrize(
    ("body", "number"),
    [
        ("check.true('a', 1)", 1),
        ("x = f(check)\n    check.shape('a', x, (1,))\n    check.close('b', x, x)", 2),
        ("for a in (1, 2, 3):\n        check.true('a', a)\n        check.true('b', a)", 6),
        ("for a in range(4):\n        for b in [1, 2]:\n            check.true('a', b)", 8),
        ("for a in range(1, 9, 4):\n        check.true('a', a)\n    check.true('b', 1)", 3),
        ("for a in anything():\n        a.true()", 0),
    ],
)
def test_checks_are_counted_as_they_run(body: str, number: int) -> None:
    assert count_checks(f"with checking('E') as check:\n    {body}") == number


@pytest.mark.parametrize(
    "body",
    [
        "for a in anything():\n        check.true('a', a)",
        "for a in (1, *more):\n        check.true('a', a)",
        "for a in range(n):\n        check.true('a', a)",
        "if a:\n        check.true('a', a)",
        "while a:\n        check.true('a', a)",
        "[check.true('a', a) for a in (1, 2)]",
    ],
)
def test_checks_that_cannot_be_counted_are_an_error(body: str) -> None:
    with pytest.raises(CourseError, match="cannot be counted"):
        count_checks(f"with checking('E') as check:\n    {body}")


def test_the_error_names_the_line(tiny: Lesson) -> None:
    text = tiny.path.read_text(encoding="utf-8").replace("# ## Lists", "# {{checks_of_exercises}}")
    looped = "with checking('E') as check:\n    for a in b:\n        check.true('a', a)\n"
    text = text.replace("### BEGIN HIDDEN TESTS", f"{looped}### BEGIN HIDDEN TESTS", 1)
    with pytest.raises(CourseError, match=r"00_tiny\.py:\d+: checks in a loop over `b`"):
        Lesson.parse(text, tiny.path)


def test_names_of_cells() -> None:
    assert defined_name("import a\n\n\nclass B:\n    pass\n\n\ndef c(): ...") == "B"
    assert defined_name("x = 1") is None


# ---------------------------------------------------------------------------------- progress


class Notebook:
    """Lesson 1's helpers in a namespace of their own; cells are run as Jupyter does it."""

    def __init__(self) -> None:
        self.names: dict = {"__name__": "__main__", "json": json, "re": re, "os": __import__("os")}
        self.names["In"] = [""]
        for id in ("check-errors", "filled-in", "planned", "checking", "progress"):
            self.run(LESSON.cell(id).source)

    def run(self, source: str) -> str:
        """Run a cell, which may fail, and return what it prints."""
        self.names["In"].append(source)
        with redirect_stdout(io.StringIO()) as printed:
            try:
                exec(source, self.names)
            except Exception as error:
                print(error)
        return printed.getvalue()

    def progress(self) -> str:
        return self.run("progress()").strip()


CHECKS = 'with checking("Exercise {}") as check:\n'


def test_progress_counts_what_was_run() -> None:
    notebook = Notebook()
    at_first = notebook.progress()
    assert at_first == (
        "0 of 20 blocks done, 0 of 55 visible checks passing, next: Exercise 1 · The product"
    )
    # Answers need not run to count as written, and the latest run of a cell counts.
    stub = stub_blocks(LESSON.cell("cyclic-group").source)
    notebook.run(stub)
    assert notebook.progress() == at_first
    notebook.run("CyclicGroup(4).product(1, 2)")  # uses it, does not write it
    assert notebook.progress() == at_first
    notebook.run(stub.replace("product = ...", "product = h + h_prime"))
    assert notebook.progress().startswith("1 of 20 blocks done")
    notebook.run(LESSON.cell("cyclic-group").source + "\n\n" + LESSON.cell("third-power").source)
    assert notebook.progress().startswith("4 of 20 blocks done, 0 of 55 visible")
    # A stub may stay behind as a comment.
    notebook.run(stub.replace("product = ...", "# product = ...\nproduct = h + h_prime"))
    assert notebook.progress().startswith("2 of 20 blocks done")
    # Also without the marker lines.
    lines = stub.replace("product = ...", "product = h").splitlines()
    notebook.run("\n".join(line for line in lines if "##" not in line))
    assert notebook.progress().startswith("2 of 20 blocks done")


def test_progress_counts_the_checks_of_the_last_run() -> None:
    notebook = Notebook()
    three = CHECKS.format(1) + "    check.true('a', 1)\n    check.true('b', 2)\n"
    three += "    check.true('c', {})\n    check.true('d', 4)"
    assert "✗ Exercise 1: c" in notebook.run(three.format(0))
    assert ", 2 of 55 visible checks passing, next: Exercise 1 " in notebook.progress()
    assert "All visible checks of Exercise 1 passed. The grader" in notebook.run(three.format(1))
    assert ", 4 of 55 visible checks passing, next: Exercise 2 " in notebook.progress()
    # Run twice, they are not counted twice; what belongs to no exercise is not counted.
    notebook.run(three.format(1))
    assert notebook.run(three.format(1).replace("Exercise 1", "The axioms")).endswith(
        "All visible checks of The axioms passed.\n"
    )
    assert ", 4 of 55 visible checks passing" in notebook.progress()
    # A broken answer takes its checks back.
    notebook.run(CHECKS.format(1) + "    check.true('a', 1)\n    1 / 0")
    assert ", 1 of 55 visible checks passing, next: Exercise 1 " in notebook.progress()


def test_progress_at_the_end() -> None:
    notebook = Notebook()
    for cell in LESSON.cells:
        if cell.grade == "solution":
            notebook.run(cell.source)  # fails for want of torch, and is written all the same
    for name, number in notebook.names["CHECKS"].items():
        body = "".join(f"    check.true('{n}', 1)\n" for n in range(number))
        notebook.run(f'with checking("{name.partition(" · ")[0]}") as check:\n{body}')
    assert notebook.progress() == (
        "20 of 20 blocks done, 55 of 55 visible checks passing, next: the written questions"
    )
