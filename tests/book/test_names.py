"""The names of a lesson: what is run for them, and what is not."""

from __future__ import annotations

from conftest import ROOT, TINY

from autograder.book.names import lesson_names
from autograder.course import Course
from autograder.lesson import Lesson

PATH = ROOT / "tests" / "lessons" / f"{TINY}.py"
TEXT = PATH.read_text(encoding="utf-8")


def names(addition: str):
    """Return the names of the tiny lesson with one more cell at its end."""
    text = f"{TEXT}\n\n# %%\n{addition}\n"
    return lesson_names(Lesson.parse(text, PATH, Course(ROOT)))


def test_answers_and_set_up_are_there():
    found = names("")
    assert found.Numbers().inverse(2) == 3
    assert found.mod(7) == 2 and found.MODULUS == 5


def test_a_cell_that_sets_something_is_run():
    assert names("import os\nHOME = os.fspath('here')").HOME == "here"


def test_of_a_cell_that_uses_the_lesson_only_definitions_are_taken():
    found = names(
        "made = Numbers()\n\ndef later():\n    return 1\n\nraise SystemExit('it was run')"
    )
    assert found.later() == 1
    assert not hasattr(found, "made")
