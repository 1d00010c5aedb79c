"""`diff` says what changes for students between two editions."""

from __future__ import annotations

import shutil
import subprocess
from copy import deepcopy

import pytest
from conftest import TINY
from nbformat.v4 import new_markdown_cell

from autograder import cli
from autograder.build import build
from autograder.course import Course
from autograder.diff import compare, match
from autograder.submissions import cell_by_id, read_notebook

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


@pytest.fixture
def release(built_course: Course):
    return read_notebook(built_course.release_notebook(TINY))


def git(course: Course, *arguments: str) -> None:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
    command = ["git", *who, *arguments]
    subprocess.run(command, cwd=course.root, check=True, capture_output=True)


@pytest.fixture
def editions(built_course: Course, monkeypatch: pytest.MonkeyPatch) -> Course:
    """A course with the edition v1 in git; the folder holds changes that are not committed."""
    git(built_course, "init", "--quiet")
    git(built_course, "add", "-A")
    git(built_course, "commit", "--quiet", "-m", "first")
    git(built_course, "tag", "v1")
    monkeypatch.chdir(built_course.root)
    return built_course


def edit(course: Course, old: str, new: str) -> None:
    path = course.lesson_path(TINY)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    build(course)


def shown(capsys: pytest.CaptureFixture, *arguments: str) -> str:
    assert cli.main(["diff", *arguments]) == 0
    return capsys.readouterr().out


def test_nothing_has_changed(editions: Course, capsys) -> None:
    assert shown(capsys, "v1") == "00_tiny: the same for students\n"
    # What students do not see is no change for them.
    edit(editions, "negated = -a\n", "negated = 0 - a\n")
    assert shown(capsys, "v1") == "00_tiny: the same for students\n"


def test_text_points_and_versions(editions: Course, capsys) -> None:
    edit(editions, "# Write `double`.", "# Write `double`, which doubles.")
    out = shown(capsys, "v1")
    assert out.startswith("00_tiny: 0 cells added, 0 removed, 1 changed, 8 points\n\nchanged text")
    assert "    -Write `double`.\n    +Write `double`, which doubles.\n" in out
    assert "with a note" not in out
    edit(
        editions,
        'id="double-test" grade="tests" points=2',
        'id="double-test" grade="tests" points=4',
    )
    out = shown(capsys, "v1")
    assert "points 8 → 10" in out.splitlines()[0]
    assert "changed code cell double-test, points 2 → 4\n" in out
    git(editions, "commit", "--quiet", "-am", "second")
    assert shown(capsys, "v1", "HEAD") == out
    assert "points 10 → 8" in shown(capsys, "HEAD", "v1")
    edit(editions, "    return a % MODULUS", "    return a % 5")
    assert "graded as the new one, with a note." in shown(capsys, "v1")


def test_a_lesson_that_is_new(editions: Course, capsys) -> None:
    text = editions.lesson_path(TINY).read_text(encoding="utf-8")
    editions.lesson_path("01_more").write_text(text, encoding="utf-8")
    build(editions)
    out = shown(capsys, "v1")
    cells = len(read_notebook(editions.release_notebook(TINY)).cells)
    assert f"01_more: {cells} cells added, 0 removed, 0 changed, points 0 → 8" in out
    assert "    +# A tiny lesson" in out


@pytest.mark.parametrize("revision", ["nothing", "-x", "v1:release"])
def test_unknown_revisions(editions: Course, capsys, revision: str) -> None:
    arguments = ["diff", "--", revision]
    if revision == "v1:release":
        (editions.root / ".git" / "HEAD").unlink()  # no longer a repository
    assert cli.main(arguments) == 1
    assert f"git knows no revision {revision!r} here" in capsys.readouterr().err


def test_a_cell_in_between_moves_the_ids_of_others_and_changes_nothing(release) -> None:
    """Cells without a grader's id are known by their text."""
    new = deepcopy(release)
    plain = [cell for cell in new.cells if "nbgrader" not in cell.metadata]
    new.cells.insert(1, new_markdown_cell("Quite another matter, on a line of its own.", id="x"))
    for number, cell in enumerate(plain):
        cell["id"] = f"moved-{number}"
    plain[0].source += "\nOne line more."
    compared = compare(TINY, release, new)
    assert [(change.old is None, change.new.id) for change in compared.changes] == [
        (False, "moved-0"),
        (True, "x"),
    ]
    assert len(match(release.cells, new.cells)) == len(new.cells)


def test_a_removed_cell(release) -> None:
    new = deepcopy(release)
    new.cells.remove(cell_by_id(new, "evens-test"))
    (change,) = compare(TINY, release, new).changes
    assert change.new is None
    assert change.lines()[0] == "removed code cell evens-test, points 1 → 0"
    assert compare(TINY, release, new).points == (8, 7)
