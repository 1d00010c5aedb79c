"""The course folder: finding it, its paths, its addresses."""

from __future__ import annotations

import pytest
from conftest import ROOT, TINY

from autograder.course import Course
from autograder.errors import CourseError


def test_find_walks_up_from_a_folder_inside(course):
    assert Course.find(course.notebooks).root == course.root


def test_find_falls_back_to_the_folder_of_the_package(tmp_path):
    assert Course.find(tmp_path).root == ROOT


def test_find_says_what_to_do_when_there_is_no_course(tmp_path, monkeypatch):
    monkeypatch.setattr("autograder.course.PACKAGE", tmp_path / "site" / "a")
    with pytest.raises(CourseError, match="change to the folder that holds nbgrader_config.py"):
        Course.find(tmp_path)


def test_lessons_are_sorted_and_leave_out_private_files(course):
    for name in ("02_b.py", "01_a.py", "_style.py", "notes.md"):
        (course.notebooks / name).touch()
    assert course.lessons() == [TINY, "01_a", "02_b"]


def test_an_unknown_lesson_is_answered_with_the_known_ones(course):
    assert course.known_lesson(TINY) == TINY
    with pytest.raises(CourseError, match=f"'nine'; the lessons are: {TINY}"):
        course.known_lesson("nine")


def test_addresses_come_from_pyproject(course):
    assert course.repository_url == "https://github.com/someone/some-course"
    assert course.book_url == "https://someone.github.io/some-course/"
    assert course.colab_url("01_a") == (
        "https://colab.research.google.com/github/someone/some-course"
        "/blob/main/release/01_a/01_a.ipynb"
    )


@pytest.mark.parametrize("text", [None, "not toml [", "[project]\n"])
def test_a_missing_address_is_one_clear_error(course, text):
    path = course.root / "pyproject.toml"
    path.unlink() if text is None else path.write_text(text, encoding="utf-8")
    with pytest.raises(CourseError, match=r"Repository` under \[project.urls\]"):
        _ = course.repository_url


def test_the_edition_and_where_its_files_are(course: Course) -> None:
    assert course.edition == "2026.1"
    assert course.edition_url == "https://github.com/someone/some-course/raw/v2026.1"
    (course.root / "pyproject.toml").write_text("[tool.course]\n", encoding="utf-8")
    with pytest.raises(CourseError, match=r"give the edition .* `edition` under \[tool.course\]"):
        _ = course.edition
