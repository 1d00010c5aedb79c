"""Marking written answers: one question of all students at a time, on a page that names nobody."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from browser import launch
from conftest import TINY

from autograder import cli
from autograder.course import Course
from autograder.errors import CourseError
from autograder.grading.grade import grade_lesson
from autograder.lesson import Lesson
from autograder.marks.gradebook import open_api, read_comments, read_marks
from autograder.pages.marking import COLUMNS, marking_page, read_sheets, take_marks
from autograder.submissions.made import fill_in
from autograder.submissions.reading import read_notebook

ANSWERS = {
    "ada": "Because <script>ran('answer')</script> $5 = 0$ in the group.",
    "bob": "I do not know.",
    "eve": None,
}


@pytest.fixture(scope="module")
def graded(_built: Course, tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A class of three, of whom one has left the question open."""
    course = Course(shutil.copytree(_built.root, tmp_path_factory.mktemp("marking") / "course"))
    lesson = Lesson.load(course.lesson_path(TINY))
    release = read_notebook(course.release_notebook(TINY))
    for name, text in ANSWERS.items():
        notebook = fill_in(release, lesson)
        for index, cell in enumerate(notebook.cells):
            if cell.metadata.get("nbgrader", {}).get("grade_id") == "why-answer":
                cell.source = release.cells[index].source if text is None else text
        path = course.submitted_notebook(name, TINY)
        path.parent.mkdir(parents=True)
        path.write_text(nbformat.writes(notebook), encoding="utf-8")
    grade_lesson(course, TINY)
    return course


@pytest.fixture
def taught(graded: Course, tmp_path: Path) -> Course:
    return Course(shutil.copytree(graded.root, tmp_path / "taught"))


def rows_of(course: Course, points: str = "1.5", comment: str = "Well said") -> list[dict]:
    """Return what the page saves if every answer gets the same."""
    (sheet,) = read_sheets(open_api(course), course, Lesson.load(course.lesson_path(TINY)))
    return [
        dict(zip(COLUMNS, (TINY, "why", a.token, a.text, points, comment), strict=True))
        for a in sheet.answers
    ]


def save(path: Path, rows: list[dict]) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.slow
def test_the_page_shows_all_answers_beside_the_rubric_and_names_nobody(taught: Course) -> None:
    lesson = Lesson.load(taught.lesson_path(TINY))
    (sheet,) = read_sheets(open_api(taught), taught, lesson)
    assert sheet.question.id == lesson.questions[0].id and len(sheet.answers) == 3
    assert [answer.shown for answer in sheet.answers].count(None) == 1, "left open"
    html = marking_page(taught, TINY, [sheet])
    assert "I do not know." in html and "says that 5 counts as 0" in html
    assert not re.search(r"\b(ada|bob|eve)\b", html)
    assert "<script>ran" not in html and html.count("<script>") == 1


@pytest.mark.slow
def test_marks_are_taken_and_what_cannot_be_is_said(taught: Course, tmp_path: Path) -> None:
    api = open_api(taught)
    rows = rows_of(taught)
    assert take_marks(api, taught, save(tmp_path / "m.csv", rows)) == (3, [])
    for name in ANSWERS:
        mark = read_marks(api, TINY, name)["why-answer"]
        assert (mark.score, mark.open) == (1.5, False)
        assert read_comments(api, TINY, name) == {"why-answer": "Well said"}
    # What was given is shown again, and a better mark takes its place.
    again = rows_of(taught, "2")
    (sheet,) = read_sheets(api, taught, Lesson.load(taught.lesson_path(TINY)))
    assert {(answer.points, answer.comment) for answer in sheet.answers} == {("1.5", "Well said")}
    again[0] |= {"points": "3"}
    again[1] |= {"text": "another"}
    taken, notes = take_marks(api, taught, save(tmp_path / "m.csv", again))
    assert taken == 1 and len(notes) == 2
    assert any("no mark from 0 to 2" in note for note in notes)
    assert any("has changed since" in note for note in notes)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(CourseError, match="not what the page saves"):
        take_marks(api, taught, tmp_path / "other.csv")


@pytest.mark.slow
def test_the_page_in_a_browser(
    taught: Course,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    """Keys give points, comments can be chosen again, and what is saved can be taken."""
    monkeypatch.chdir(taught.root)
    assert cli.main(["mark"]) == 0
    path = taught.reports / f"{TINY}-marking.html"
    errors: list[str] = []
    with launch() as browser:
        page = browser.new_page(accept_downloads=True)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.goto(path.as_uri())
        page.evaluate("() => { window.ran = (name) => { document.title = name; }; }")
        page.keyboard.press("2")
        page.keyboard.press("c")
        page.keyboard.type("A comment")
        page.keyboard.press("Escape")
        page.keyboard.press("9")  # more than there are points: nothing
        page.keyboard.press("1")
        assert page.locator("#count").text_content() == "2 of 3 here, 2 of 3 in all"
        page.locator(".again").nth(2).select_option("A comment")
        page.locator("input").nth(2).fill("0.5")
        page.reload()
        assert page.locator("#count").text_content() == "3 of 3 here, 3 of 3 in all", "kept"
        with page.expect_download() as download:
            page.click("#save")
        saved = tmp_path / "saved.csv"
        download.value.save_as(saved)
        assert page.title() == f"Marking · {TINY}"
    assert errors == []
    with saved.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["points"], row["comment"]) for row in rows] == [
        ("2", ""),
        ("1", "A comment"),
        ("0.5", "A comment"),
    ]
    capsys.readouterr()
    assert cli.main(["mark", "--take", str(saved)]) == 0
    assert "3 marks taken" in capsys.readouterr().out


def test_without_graded_answers_there_is_no_page(
    built_course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(built_course.root)
    assert cli.main(["mark"]) == 1
    assert "run `python -m autograder grade`" in capsys.readouterr().err
