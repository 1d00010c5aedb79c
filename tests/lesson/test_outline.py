"""What a lesson asks for is counted from its text, and said where a student looks for it."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout

from conftest import ROOT, lesson_of

from autograder.course import Course
from autograder.lesson import Lesson
from autograder.lesson.markers import stub_blocks
from autograder.lesson.outline import defined_name, minutes_by_chapter

STEM = "01_regular_group_convolutions"
COURSE = Course(ROOT)
LESSON = lesson_of(STEM)


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
    assert titles[0] == "0 The idea"
    assert [title.split()[0] for title in titles] == [str(n) for n in range(len(titles))]
    assert not LESSON.chapters[0].exercises


def test_minutes_of_the_chapters_add_up() -> None:
    total = sum(exercise.minutes for exercise in LESSON.exercises)
    assert sum(chapter.minutes for chapter in LESSON.chapters) == total
    start = "\n".join(cell.source for cell in LESSON.cells[:9])
    assert f"About {total:g} minutes for exercises and questions" in start
    numbers = re.search(r"questions \((.*?)\)", start)[1]
    assert sum(int(number) for number in re.findall(r"(\d+) in section", numbers)) == total


def test_names_of_cells() -> None:
    assert defined_name("import a\n\n\nclass B:\n    pass\n\n\ndef c(): ...") == "B"
    assert defined_name("x = 1") is None


# ---------------------------------------------------------------------------------- progress


class Notebook:
    """Lesson 1's setup in a namespace of its own; cells are run as Jupyter does it."""

    def __init__(self) -> None:
        self.names: dict = {"__name__": "__main__", "In": [""]}
        self.run(LESSON.cell("setup").source)

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
        "0 of 17 blocks done, 0 of 12 exercises pass their visible checks, "
        "next: Exercise 1 · The product"
    )
    # Answers need not run to count as written, and the latest run of a cell counts.
    stub = stub_blocks(LESSON.cell("cyclic-group").source)
    notebook.run(stub)
    assert notebook.progress() == at_first
    notebook.run("CyclicGroup(4).product(1, 2)")  # uses it, does not write it
    assert notebook.progress() == at_first
    notebook.run(stub.replace("product = ...", "product = h + h_prime"))
    assert notebook.progress().startswith("1 of 17 blocks done")
    notebook.run(LESSON.cell("cyclic-group").source + "\n\n" + LESSON.cell("third-power").source)
    assert notebook.progress().startswith("4 of 17 blocks done, 0 of 12 exercises")
    # A stub may stay behind as a comment.
    notebook.run(stub.replace("product = ...", "# product = ...\nproduct = h + h_prime"))
    assert notebook.progress().startswith("2 of 17 blocks done")
    # Also without the marker lines.
    lines = stub.replace("product = ...", "product = h").splitlines()
    notebook.run("\n".join(line for line in lines if "##" not in line))
    assert notebook.progress().startswith("2 of 17 blocks done")


def test_progress_counts_the_exercises_whose_checks_hold() -> None:
    notebook = Notebook()
    two = CHECKS + "    check.true('a', 1)\n    check.true('b', {})"
    assert "✗ Exercise 1: b" in notebook.run(two.format(1, 0))
    assert ", 0 of 12 exercises pass their visible checks, next: Exercise 1 " in notebook.progress()
    assert "All visible checks of Exercise 1 passed. The grader" in notebook.run(two.format(1, 1))
    assert ", 1 of 12 exercises pass their visible checks, next: Exercise 2 " in notebook.progress()
    # Run twice, it is not counted twice; what belongs to no exercise is not counted.
    notebook.run(two.format(1, 1))
    axioms = two.format(1, 1).replace("Exercise 1", "The axioms")
    assert notebook.run(axioms).endswith("All visible checks of The axioms passed.\n")
    assert ", 1 of 12 exercises" in notebook.progress()
    # A later exercise does not stand in for an earlier one, and a broken answer is taken back.
    notebook.run(two.format(3, 1))
    assert ", 2 of 12 exercises pass their visible checks, next: Exercise 2 " in notebook.progress()
    notebook.run(CHECKS.format(1) + "    check.true('a', 1)\n    1 / 0")
    assert ", 1 of 12 exercises pass their visible checks, next: Exercise 1 " in notebook.progress()


def test_progress_at_the_end() -> None:
    notebook = Notebook()
    for cell in LESSON.answers:
        notebook.run(cell.source)  # fails for want of torch, and is written all the same
    for exercise in LESSON.tested:
        notebook.run(f"with checking({exercise.label!r}) as check:\n    check.true('a', 1)")
    assert notebook.progress() == (
        "17 of 17 blocks done, 12 of 12 exercises pass their visible checks, "
        "next: the written questions"
    )
