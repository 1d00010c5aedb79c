"""A new lesson, exercise or question works as it comes from the template."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, TINY
from variants.judging import difference, full_points, gaps, points_inside

from autograder import cli
from autograder.book.render import render
from autograder.build.generate import build
from autograder.build.new import TEMPLATES, new_exercise, new_lesson
from autograder.course import Course
from autograder.errors import CourseError
from autograder.grading.grade import grade_lesson
from autograder.lesson import Lesson
from autograder.submissions.check import PASSED, TO_DO, check_notebook
from autograder.submissions.made import fill_in, write_submission
from autograder.submissions.reading import read_notebook

STEM = "02_new_things"


@pytest.fixture
def begun(course: Course) -> Course:
    """The tiny course with a new lesson, a second exercise and a second question in it."""
    (course.root / "tests" / "variants").mkdir(parents=True)
    new_lesson(course, STEM)
    new_exercise(course, STEM, "the-basis", 'The "basis"')
    new_exercise(course, STEM, "q-basis", after="first-steps", question=True)
    return course


def test_the_command_line(course: Course, monkeypatch, capsys) -> None:
    monkeypatch.chdir(course.root)
    assert cli.main(["new", "lesson", STEM, "--title", "Lesson 2 · Things"]) == 0
    assert cli.main(["new", "exercise", STEM, "twice", "--title", "Twice more"]) == 0
    assert cli.main(["new", "question", STEM, "q-why"]) == 0
    out = capsys.readouterr().out
    assert out.count(f"wrote notebooks/{STEM}.py\nNext: edit notebooks/{STEM}.py, and run") == 3
    lesson = Lesson.load(course.lesson_path(STEM))
    assert lesson.title == "Lesson 2 · Things"
    titles = [exercise.title for exercise in lesson.exercises]
    assert titles == ["First steps", "Twice more", "Why is that so?", "Why"]


def test_exercises_stand_where_they_should(begun: Course) -> None:
    lesson = Lesson.load(begun.lesson_path(STEM))
    names = [exercise.id for exercise in lesson.exercises]
    assert names == ["first-steps", "q-basis", "the-basis", "q-first-steps"]
    assert lesson.title == "Lesson 2 · New things"
    assert lesson.exercise("the-basis").title == 'The "basis"'


def test_what_is_written_is_in_the_repository_s_style(begun: Course) -> None:
    (begun.root / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    for command in (["check"], ["format", "--check"]):
        result = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "notebooks", "tests"],
            cwd=begun.root,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert result.returncode == 0, result.stdout


def test_the_helpers_are_those_of_lesson_1() -> None:
    (stem, *_) = Course(ROOT).lessons()
    lesson = Course(ROOT).lesson_path(stem).read_text(encoding="utf-8")
    helpers = (TEMPLATES / "helpers.txt").read_text(encoding="utf-8")
    cells = re.split(r"^(?=# %%)", helpers, flags=re.MULTILINE)[1:]
    assert len(cells) == 2
    for cell in cells:
        body = cell.strip().split("\n", 1)[1]
        assert body.removeprefix("# @title The checks below the exercises\n") in lesson


def test_the_variants_get_their_points(begun: Course, monkeypatch) -> None:
    monkeypatch.chdir(begun.root)
    lesson = Lesson.load(begun.lesson_path(STEM))
    monkeypatch.syspath_prepend(ROOT / "tests")
    path = begun.root / "tests" / "variants" / f"{STEM}.py"
    variants = runpy.run_path(str(path))["VARIANTS"]
    assert full_points(lesson) == {"first-steps": 2, "the-basis": 2}
    for variant in variants:
        assert difference(lesson, variant, points_inside(lesson, variant)) == {}, variant.name
    assert gaps(lesson, variants) == []


@pytest.mark.slow
def test_it_builds_checks_grades_and_renders(begun: Course) -> None:
    (begun.lesson_path(TINY)).unlink()
    build(begun)
    lesson = Lesson.load(begun.lesson_path(STEM))
    release = read_notebook(begun.release_notebook(STEM))
    solved = fill_in(release, lesson)
    report = check_notebook(solved, lesson, release)
    assert report.passed and (report.blocks_done, report.blocks) == (2, 2)
    untouched = check_notebook(release, lesson, release)
    assert [f.state for f in untouched.findings if not f.exercise.manual] == [TO_DO] * 2
    assert PASSED not in {finding.state for finding in untouched.findings}
    write_submission(begun, "ada", STEM, solved)
    write_submission(begun, "bob", STEM, release)
    results = {result.student: result for result in grade_lesson(begun, STEM)}
    assert (results["ada"].auto_total, results["bob"].auto_total) == (4, 0)
    render(begun, lesson, "fast")
    rendered = begun.solutions_notebook(STEM).read_text(encoding="utf-8")
    assert "All visible checks of Exercise 2 passed." in rendered


@pytest.mark.parametrize("stem", ["steerable", "2_x", "02_Steerable", "02_a b", "02_", "../02_x"])
def test_a_bad_name_of_a_lesson(course: Course, stem: str) -> None:
    with pytest.raises(CourseError, match="cannot be a lesson's name"):
        new_lesson(course, stem)


def test_a_number_that_is_taken(course: Course) -> None:
    with pytest.raises(CourseError, match=f"notebooks/{TINY}.py has the number 00 already"):
        new_lesson(course, "00_other")


@pytest.mark.parametrize(
    ("name", "after", "message"),
    [
        ("double", None, "has an 'double' already"),
        ("given", None, "has an 'given' already"),
        ("The Basis", None, "cannot be the id of an exercise"),
        ("a" * 31, None, "cannot be the id of an exercise"),
        ("basis", "nothing", "no exercise is called 'nothing'"),
    ],
)
def test_bad_exercises(course: Course, name: str, after: str | None, message: str) -> None:
    before = course.lesson_path(TINY).read_bytes()
    with pytest.raises(CourseError, match=message):
        new_exercise(course, TINY, name, after=after)
    assert course.lesson_path(TINY).read_bytes() == before


def test_a_title_has_one_line_and_a_lesson_must_be_there(course: Course) -> None:
    with pytest.raises(CourseError, match="one line"):
        new_exercise(course, TINY, "basis", "two\nlines")
    with pytest.raises(CourseError, match="no lesson is called '09_x'"):
        new_exercise(course, "09_x", "basis")


def test_the_templates_are_in_the_package() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    pages = ROOT / "autograder" / "pages" / "templates"
    for folder, suffixes in ((TEMPLATES, {".txt"}), (pages, {".j2", ".js"})):
        assert {path.suffix for path in Path(folder).iterdir()} == suffixes
        for suffix in suffixes:
            assert f'"{Path(folder).relative_to(ROOT / "autograder").as_posix()}/*{suffix}"' in text
