"""The demonstration, with the tiny lesson."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from rich.console import Console

from autograder import cli, demo
from autograder.course import Course
from autograder.errors import CourseError
from autograder.marks.gradebook import open_api, read_marks

TINY = "00_tiny"


@pytest.mark.slow
def test_demo(
    course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(course.root)
    monkeypatch.setattr(demo, "TIMEOUT", 5)
    before = sorted(path for path in course.root.rglob("*") if path.is_file())
    assert cli.main(["demo"]) == 0

    folder = course.root / "_demo"
    outside = (path for path in course.root.rglob("*") if folder not in path.parents)
    assert sorted(path for path in outside if path.is_file()) == before
    out = capsys.readouterr().out
    assert "7 of 8 submissions graded" in out
    report = folder / "reports" / f"{TINY}.html"
    assert report.is_file()
    for line in ("grades.csv", "feedback", "Formgrader", str(report)):
        assert line in out
    with (folder / "grades.csv").open(encoding="utf-8", newline="") as file:
        totals = {row["student"]: row["auto_total"] for row in csv.DictReader(file)}
    assert totals == {
        "perfect": "6",
        "untouched": "0",
        "own-way": "6",
        "one-mistake": "5",
        "syntax-error": "5",
        "broken-file": "",
        "copied-test": "6",
        "endless-loop": "5",
    }
    page = folder / "feedback" / "one-mistake" / TINY / f"{TINY}.html"
    assert str(page) in out and page.is_file()
    marks = read_marks(open_api(Course(folder)), TINY, "one-mistake")
    assert marks["evens-test"].auto == 0

    # The class is already graded, so this is quick.
    assert cli.main(["demo", "--keep"]) == 0
    assert "Not graded again, because nothing changed: perfect, " in capsys.readouterr().out


def test_demo_says_what_a_sandbox_would_give(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert not demo.has_sandbox(Console())
    out = capsys.readouterr().out
    assert "no file, no network" in out and "install the package bubblewrap" in out


def test_demo_works_only_in_a_folder_of_its_own(course: Course, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(CourseError, match="no demo made it"):
        demo.copy_course(course, TINY, folder)
    assert (folder / "thesis.txt").is_file()


def test_demo_needs_a_lesson(
    course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(course.root)
    assert cli.main(["demo", "--lesson", "99_none"]) == 1
    assert "no lesson is called '99_none'" in capsys.readouterr().err
    course.lesson_path(TINY).unlink()
    assert cli.main(["demo"]) == 1
    assert "there is no lesson" in capsys.readouterr().err
