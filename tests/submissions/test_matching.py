"""Whether a notebook is of this lesson, and of which one else."""

from __future__ import annotations

import shutil
from copy import deepcopy

import pytest
from conftest import ROOT, TINY
from mishaps import stripped
from nbformat.v4 import new_notebook

from autograder.course import Course
from autograder.errors import CourseError
from autograder.grading.assess import How, assess
from autograder.grading.plan import read_assignment
from autograder.lesson import Lesson
from autograder.sandbox.limits import Limits
from autograder.submissions.made import write_submission
from autograder.submissions.matching import named_version, require_lesson, shared_cells
from autograder.submissions.reading import read_notebook, read_submission

LESSON_1 = "01_regular_group_convolutions"
PLAIN = How(sandboxed=False)
FIRST = read_notebook(Course(ROOT).release_notebook(LESSON_1))


@pytest.fixture
def release(built_course):
    return read_notebook(built_course.release_notebook(TINY))


def refusal(notebook, release, others=None) -> str:
    with pytest.raises(CourseError) as error:
        require_lesson(notebook, "a.ipynb", TINY, release, lambda: others or {})
    return str(error.value)


def test_cells_are_counted_however_they_are_known(release):
    assert shared_cells(release, release) == 7
    assert shared_cells(stripped(deepcopy(release)), release) == 6, "a stub alone says nothing"
    assert shared_cells(FIRST, release) == 1, "both lessons have a cell inverse-test"
    assert shared_cells(stripped(deepcopy(FIRST)), release) == 0


def test_another_lesson_is_named(release):
    assert refusal(FIRST, release, {LESSON_1: FIRST}) == (
        f"the file a.ipynb seems to be of another lesson, {LESSON_1} (Lesson 1 · Regular group "
        f"convolutions): hand in the notebook of {TINY} here"
    )
    # Where only the metadata know it.
    assert f"another lesson, {LESSON_1}: hand in" in refusal(FIRST, release)
    lost = stripped(deepcopy(FIRST))
    assert f"another lesson, {LESSON_1} (Lesson 1" in refusal(lost, release, {LESSON_1: FIRST})
    assert "holds no cell of this lesson" in refusal(lost, release)


def test_a_little_of_this_lesson_in_another_is_not_enough(release):
    mixed = deepcopy(FIRST)
    mixed.cells += release.cells[:3]
    assert "seems to be of another lesson" in refusal(mixed, release, {LESSON_1: FIRST})
    mixed.cells += release.cells[3:]
    require_lesson(mixed, "a.ipynb", TINY, release, lambda: {LESSON_1: FIRST})


def test_a_little_of_this_lesson_alone_is_enough(release):
    require_lesson(new_notebook(cells=release.cells[2:3]), "a.ipynb", TINY, release, dict)
    assert "holds no cell" in refusal(new_notebook(), release)


def test_other_lessons_are_not_read_without_need(release):
    def others():
        raise AssertionError

    require_lesson(release, "a.ipynb", TINY, release, others)


def test_metadata_are_not_taken_at_their_word(release):
    assert named_version(release)[0] == TINY
    for about in (None, 3, "x", {"lesson": 3, "version": ["a"]}, {"lesson": "<b>\n" * 99}):
        assert named_version({"metadata": {"course": about}}) == (None, None)
    assert named_version({"metadata": 3}) == named_version({}) == (None, None)


def test_the_grader_names_the_lesson(built_course, release):
    for name in (f"notebooks/{LESSON_1}.py", f"release/{LESSON_1}/{LESSON_1}.ipynb"):
        (built_course.root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, built_course.root / name)
    write_submission(built_course, "ann", TINY, FIRST)
    assignment = read_assignment(built_course, Lesson.load(built_course.lesson_path(TINY)))
    submission = read_submission(built_course.submitted_notebook("ann", TINY).parent, TINY)
    assessment = assess(submission, assignment, 1, Limits(), PLAIN)
    assert assessment.problem is not None
    assert f"another lesson, {LESSON_1} (Lesson 1" in assessment.problem
