"""What lessons carry of an earlier one, and that no two of them can be taken for each other."""

from __future__ import annotations

import itertools

import pytest
from conftest import ROOT, lesson_of

from autograder.course import Course

COURSE = Course(ROOT)
LESSONS = {stem: lesson_of(stem) for stem in COURSE.lessons()}
FIRST, *LATER = LESSONS


@pytest.mark.parametrize("stem", LATER)
def test_what_is_given_of_lesson_1_is_one_folded_locked_cell(stem):
    setup, first = LESSONS[stem].cell("setup"), LESSONS[FIRST]
    assert setup.grade == "readonly" and "hide-input" in setup.tags
    assert "## YOUR CODE" not in setup.source
    layer = first.cell("lifting-convolution").source
    assert "class LiftingConvolution" in layer and "class LiftingConvolution" in setup.source
    own = {cell.id for cell in LESSONS[stem].cells if cell.id} - {"setup"}
    assert not any(cell_id.startswith("given-") for cell_id in own)


def test_no_two_lessons_have_a_graded_cell_of_one_name():
    """So that a notebook of the one is never taken for one of the other."""
    graded = {
        stem: {cell.id for cell in lesson.cells if cell.grade in ("solution", "tests", "answer")}
        for stem, lesson in LESSONS.items()
    }
    for one, other in itertools.combinations(graded, 2):
        assert not graded[one] & graded[other], (one, other)
