"""Lesson 1 through the real thing: notebooks, kernels, nbgrader, gradebook and feedback pages."""

from __future__ import annotations

import html
import re
import shutil

import nbformat
import pytest
from conftest import lesson_of
from mishaps import saved_by_colab
from variants import Variant, load

from autograder.course import Course
from autograder.demo import copy_course
from autograder.grading.grade import grade_lesson
from autograder.marks.results import Result
from autograder.submissions.made import fill_in, write_submission

STEM = "01_regular_group_convolutions"
COURSE = Course.find(__file__)
LESSON = lesson_of(STEM)
FULL = {item.id: item.points for item in LESSON.exercises if not item.manual}
SAMPLE = ("group kernel: rot90 and roll", "lifting grid: no inverse", "lifting layer: not folded")


def variant(name: str) -> Variant:
    return next(one for one in load(STEM) if one.name == name)


def student(name: str) -> str:
    return re.sub(r"\W+", "-", name)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A copy of the course with a few submissions.

    They are right, right and saved by Colab, untouched, and three of the catalogue.
    """
    copy = copy_course(COURSE, STEM, tmp_path_factory.mktemp("graded") / "course")
    for folder in ("source", "release"):
        shutil.copytree(COURSE.root / folder / STEM, copy.root / folder / STEM)
    release = nbformat.read(COURSE.release_notebook(STEM), as_version=4)
    write_submission(copy, "solution", STEM, fill_in(release, LESSON))
    write_submission(copy, "untouched", STEM, release)
    write_submission(copy, "colab", STEM, saved_by_colab(release, LESSON))
    for name in SAMPLE:
        answers = variant(name).answers(LESSON)
        write_submission(copy, student(name), STEM, fill_in(release, LESSON, answers))
    return copy


@pytest.fixture(scope="module")
def marks(course: Course) -> dict[str, Result]:
    """The results, by student."""
    return {result.student: result for result in grade_lesson(course, STEM)}


def page(course: Course, who: str) -> str:
    path = course.feedback / who / STEM / f"{STEM}.html"
    return html.unescape(path.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_solution_gets_everything_and_the_untouched_release_nothing(marks):
    assert marks["solution"].auto_total == sum(FULL.values()) == 30
    assert marks["colab"].auto_total == 30 and not marks["colab"].notes
    assert marks["untouched"].auto_total == marks["untouched"].total == 0
    assert not any(result.problem for result in marks.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE)
def test_variants_get_the_points_of_the_catalogue(marks, name):
    result = marks[student(name)]
    got = {item.id: result.points(item) for item in result.exercises if not item.manual}
    assert got == FULL | dict(variant(name).points)


@pytest.mark.slow
def test_feedback_explains_and_gives_nothing_away(course, marks):
    mistaken = page(course, student("lifting grid: no inverse"))
    assert "Likely cause: " in mistaken
    assert "✗ " in mistaken and "✓ " in mistaken
    assert mistaken.count("In the upper row what your code gave") >= 1
    for who in marks:
        text = page(course, who)
        for secret in (
            "autograder.checks",
            "judge.property",
            "given.close",
            "MARK SCHEME",
            "# STUB",
        ):
            assert secret not in text, (who, secret)
