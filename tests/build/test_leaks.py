"""The leak check catches what is planted in a good release."""

from __future__ import annotations

import nbformat
import pytest
from conftest import TINY

from autograder.build.leaks import check_release, find_leaks
from autograder.errors import CourseError
from autograder.lesson import Lesson


@pytest.fixture
def lesson(built_course):
    return Lesson.load(built_course.lesson_path(TINY))


@pytest.fixture
def release(built_course):
    return nbformat.read(built_course.release_notebook(TINY), as_version=4)


def cell(notebook, id):
    return next(one for one in notebook.cells if one.id == id)


def test_a_good_release_has_no_leaks(release, lesson, built_course):
    assert find_leaks(release, lesson) == []
    check_release(built_course.release_notebook(TINY), lesson)


BLOCK = """            ## YOUR CODE STARTS HERE ##
            ...
            ## AND ENDS HERE ##
"""
SCHEME = "2 points: names the group. 1 point: says that 5 counts as 0."
# What is planted: the cell, what is replaced there, by what, and a part of the message.
PLANTED = {
    "solution in its block": ("numbers", "doubled = ...", "doubled = 2 * a", "line of a solution"),
    "other solution in its block": ("numbers", "doubled = ...", "doubled = a + a", "more than its"),
    "solution in a text": ("a-tiny-lesson", "# A", "`doubled = 2 * a`\n# A", "line of a solution"),
    "hidden test": (
        "double-test",
        "assert",
        "double_points += Numbers().double(3) == 6\nassert",
        "line of a hidden test",
    ),
    "hidden region": ("double-test", "assert", "### BEGIN HIDDEN TESTS\nassert", "BEGIN HIDDEN"),
    "stub line": ("numbers", "doubled = ...", "# STUB: doubled = ...", "`# STUB:`"),
    "model answer": (
        "why-answer",
        "*Replace",
        "Because the numbers then form a group.\n*Replace",
        "line of a model answer",
    ),
    "mark scheme": ("why-answer", "*Replace", SCHEME, "line of a mark scheme"),
    "mark scheme region": ("why-answer", "*Re", "=== BEGIN MARK SCHEME ===\n*Re", "BEGIN MARK"),
    "open marker": ("evens-answer", BLOCK, BLOCK.rpartition("  ##")[0], "closed"),
    "block removed": ("evens-answer", BLOCK, "", "0 blocks instead of 1"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_text_is_found(release, lesson, name):
    id, old, new, message = PLANTED[name]
    target = cell(release, id)
    assert old in target.source
    target.source = target.source.replace(old, new, 1)
    leaks = find_leaks(release, lesson)
    assert any(message in leak and id in leak for leak in leaks), leaks


def test_outputs_are_found(release, lesson):
    cell(release, "given").outputs = [nbformat.v4.new_output("stream", text="3")]
    assert find_leaks(release, lesson) == ["cell given has outputs"]
    cell(release, "given").outputs = []
    cell(release, "given").execution_count = 1
    assert find_leaks(release, lesson) == ["cell given has outputs"]


def test_pairing_metadata_is_found(release, lesson):
    release.metadata["jupytext"] = {"formats": "ipynb,py:percent"}
    cell(release, "given").metadata["jupytext"] = {}
    assert find_leaks(release, lesson) == [
        "the notebook carries jupytext's pairing metadata",
        "cell given carries jupytext's pairing metadata",
    ]


def test_other_files_beside_the_release_are_found(built_course, lesson):
    path = built_course.release_notebook(TINY)
    (path.parent / ".ipynb_checkpoints").mkdir()
    check_release(path, lesson)
    path.with_suffix(".py").touch()
    with pytest.raises(CourseError, match=f"{TINY}.py lies beside the release"):
        check_release(path, lesson)


def test_a_line_that_the_lesson_shows_is_no_secret(course, release):
    text = course.lesson_path(TINY).read_text(encoding="utf-8")
    shown = text.replace("# That was all.", "# That was `doubled = 2 * a`.")
    lesson = Lesson.parse(shown, course.lesson_path(TINY))
    cell(release, "why-2").source = "That was `doubled = 2 * a`."
    assert find_leaks(release, lesson) == []


def test_a_picture_s_data_are_no_text(release, lesson):
    """A short line of a solution may stand in them by chance."""
    text = lesson.path.read_text(encoding="utf-8")
    wanted = "        doubled = 2 * a"
    other = Lesson.parse(text.replace(wanted, f"        pass\n{wanted}"), lesson.path)
    heading = cell(release, "a-tiny-lesson")
    heading.source += "\n![a dot](data:image/png;base64,AApassAA)"
    assert find_leaks(release, other) == []
    heading.source += " pass"
    assert len(find_leaks(release, other)) == 1
