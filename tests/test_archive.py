"""Putting a term away."""

from __future__ import annotations

import pytest
from conftest import TINY

from autograder import cli
from autograder.archive import archive
from autograder.course import Course
from autograder.errors import CourseError


def fill(course: Course) -> None:
    """Write what a term leaves behind."""
    for name in ("gradebook.db", "grades.csv", "grades-canvas.csv", ".grading-seed"):
        (course.root / name).write_text(name, encoding="utf-8")
    for folder in (course.submitted, course.autograded, course.feedback, course.reports):
        (folder / "ada").mkdir(parents=True)
        (folder / "ada" / "file").write_text(folder.name, encoding="utf-8")


def test_a_term_is_put_away_whole(course: Course, monkeypatch, capsys) -> None:
    fill(course)
    for name in ("data/results/steps.md", "data/networks/cnn.pt", "data/MNIST/raw/images"):
        (course.root / name).parent.mkdir(parents=True)
        (course.root / name).write_text(name, encoding="utf-8")
    before = {path.name for path in course.root.iterdir()}
    monkeypatch.chdir(course.root)
    assert cli.main(["archive", "2026"]) == 0
    term = course.terms / "2026"
    moved = {"submitted", "autograded", "feedback", "reports"}
    moved |= {"gradebook.db", "grades.csv", "grades-canvas.csv", ".grading-seed"}
    shown = capsys.readouterr().out
    assert all(f"  {name}\n" in shown for name in moved)
    assert (term / "submitted" / "ada" / "file").read_text(encoding="utf-8") == "submitted"
    assert {path.name for path in course.root.iterdir()} == before - moved | {"terms"}
    # What the marks depend on is there as well, and stays in the course.
    kept = [f"notebooks/{TINY}.py", "nbgrader_config.py", "pyproject.toml"]
    for name in (*kept, "data/results/steps.md", "data/networks/cnn.pt"):
        assert (term / name).read_bytes() == (course.root / name).read_bytes()
    assert not (term / "data" / "MNIST").exists()
    assert Course.find(term / "submitted") == Course(term.resolve())


def test_what_is_put_away_stays(course: Course) -> None:
    fill(course)
    archive(course, "2026")
    fill(course)
    with pytest.raises(CourseError, match="is there already: choose another name"):
        archive(course, "2026")
    assert (course.submitted / "ada").is_dir()
    archive(course, "2027")


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", ".hidden", "-x", "two words"])
def test_a_term_s_name_is_a_folder_s(course: Course, name: str) -> None:
    fill(course)
    with pytest.raises(CourseError, match="cannot be called"):
        archive(course, name)
    assert not course.terms.exists()


def test_an_empty_course_has_nothing_to_put_away(course: Course) -> None:
    with pytest.raises(CourseError, match="nothing to put away"):
        archive(course, "2026")
    assert not course.terms.exists()


def test_a_gradebook_elsewhere_is_named(course: Course, monkeypatch, capsys) -> None:
    fill(course)
    with (course.root / "nbgrader_config.py").open("a", encoding="utf-8") as config:
        config.write('\nc.CourseDirectory.db_url = "postgresql+psycopg://u:pw@host/marks"\n')
    monkeypatch.chdir(course.root)
    assert cli.main(["archive", "2026"]) == 0
    shown = capsys.readouterr().out
    assert "u:***@host/marks" in shown and "pw@" not in shown
