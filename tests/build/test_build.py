"""Building source and release, the README's links, and the check for stale files."""

from __future__ import annotations

import argparse
import json

import nbformat
import pytest
from conftest import TINY
from nbgrader.nbgraderformat import MetadataValidator

from autograder.book.render import render
from autograder.build import command
from autograder.build.fresh import find_stale
from autograder.build.generate import build, generate
from autograder.build.notebooks import cell_ids, slug, source_notebook
from autograder.build.readme import links
from autograder.errors import CourseError
from autograder.lesson import Lesson


def sources(path) -> dict[str, str]:
    return {cell.id: cell.source for cell in nbformat.read(path, as_version=4).cells}


def test_source_holds_everything(built_course):
    cells = sources(built_course.source_notebook(TINY))
    assert "# STUB: doubled = ...\n        doubled = 2 * a" in cells["numbers"]
    assert "### BEGIN HIDDEN TESTS" in cells["double-test"]
    assert "Because the numbers" in cells["why-answer"]
    assert "=== BEGIN MARK SCHEME ===" in cells["why-answer"]


def test_release_has_stubs_between_markers_and_no_solution(built_course):
    cells = sources(built_course.release_notebook(TINY))
    assert (
        cells["numbers"]
        == '''class Numbers:
    """Two operations on numbers."""

    def double(self, a):
        """Return twice a."""
        ## YOUR CODE STARTS HERE ##
        doubled = ...
        ## AND ENDS HERE ##
        return doubled

    def inverse(self, a):
        """Return the number that gives 0 when added to a, modulo 5."""
        ## YOUR CODE STARTS HERE ##
        negated = ...
        inverted = ...
        ## AND ENDS HERE ##
        return inverted'''
    )
    assert cells["double-test"] == 'assert Numbers().double(1) == 2, "double(1) must be 2"'
    assert cells["why-answer"] == "*Replace this line with your answer.*"
    text = built_course.release_notebook(TINY).read_text(encoding="utf-8")
    for secret in ("2 * a", "HIDDEN", "MARK SCHEME", "STUB", "jupytext", "form a group"):
        assert secret not in text


def test_both_notebooks_name_the_lesson_its_version_and_the_edition(built_course):
    lesson = Lesson.load(built_course.lesson_path(TINY))
    for path in (built_course.source_notebook(TINY), built_course.release_notebook(TINY)):
        about = nbformat.read(path, as_version=4).metadata.course
        expected = {"lesson": TINY, "version": lesson.version, "edition": built_course.edition}
        assert about == expected
        assert len(lesson.version) == 12


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("MODULUS = 5", "MODULUS = 7", True),  # a locked cell
        ("# STUB: doubled = ...", "# STUB: twice = ...", True),
        ("assert Numbers().double(1) == 2", "assert Numbers().double(1) == 2.0", True),
        ("evens-answer", "evens-cell", True),
        ("# ## Numbers", "# ## About numbers", False),  # text
        ("math.sqrt(4)", "math.sqrt(9)", False),  # code that is given and not locked
        ("doubled = 2 * a", "doubled = a + a", False),  # the solution
        ("double(3) == 6", "double(5) == 10", False),  # hidden tests
        ("names the group", "names a group", False),  # the mark scheme
    ],
)
def test_the_version_changes_with_what_is_answered_and_tested(course, old, new, changes):
    path = course.lesson_path(TINY)
    text = path.read_text(encoding="utf-8")
    assert old in text
    changed = Lesson.parse(text.replace(old, new), path)
    assert (changed.version != Lesson.load(path).version) == changes


def test_a_rubric_that_does_not_follow_changed_points_is_named(built_course, capsys, monkeypatch):
    monkeypatch.chdir(built_course.root)
    path = built_course.lesson_path(TINY)
    old = "# 2 points: names the group. 1 point: says that 5 counts as 0."
    for rubric, said in (
        ("# - 1 point: names the group.\n# - 1.5 points: says that 5 counts as 0.", True),
        ("# - 1 point: names the group.\n# - 1 point: says that 5 counts as 0.", False),
        ("# Whatever is right.", False),
    ):
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, rubric), encoding="utf-8")
        old = rubric
        assert command.run(argparse.Namespace(check=False, draw=False)) == 0
        out = capsys.readouterr().out
        assert ("adds up to 2.5, and the question is worth 2 points" in out) == said


def test_generated_notebooks_are_valid(built_course):
    lesson = Lesson.load(built_course.lesson_path(TINY))
    for path in (built_course.source_notebook(TINY), built_course.release_notebook(TINY)):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        MetadataValidator().validate_nb(notebook)
        assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
        assert notebook.metadata.kernelspec.name == "python3"
        assert "jupytext" not in notebook.metadata
        ids = [cell.id for cell in notebook.cells]
        assert len(set(ids)) == len(ids)
        assert {cell.id for cell in lesson.cells if cell.id} <= set(ids)
        for cell in notebook.cells:
            assert not cell.get("outputs")
            if "nbgrader" in cell.metadata:
                assert cell.id == cell.metadata.nbgrader.grade_id
                assert cell.metadata.nbgrader.schema_version == 3
    assert notebook.cells[1].metadata.tags == ["hide-input"]


def test_each_kind_of_cell_gets_its_metadata(tiny):
    marks = {
        cell.id: cell.metadata.nbgrader
        for cell in source_notebook(tiny).cells
        if "nbgrader" in cell.metadata
    }
    kinds = {id: (one["grade"], one["locked"], one["solution"]) for id, one in marks.items()}
    assert kinds == {
        "given": (False, True, False),
        "numbers": (False, False, True),
        "double-test": (True, True, False),
        "inverse-test": (True, True, False),
        "evens-answer": (False, False, True),
        "evens-test": (True, True, False),
        "why-answer": (True, False, True),
    }
    points = {id: one["points"] for id, one in marks.items() if "points" in one}
    assert points == {"double-test": 2, "inverse-test": 3, "evens-test": 1, "why-answer": 2}


def test_cell_ids_are_readable_and_stable(tiny):
    ids = cell_ids(tiny)
    assert ids[:5] == ["a-tiny-lesson", "a-tiny-lesson-2", "given", "numbers-2", "double"]
    assert ids == cell_ids(tiny)
    assert slug("1.1 · What is a *group*, é?") == "1-1-what-is-a-group-e"


def test_two_builds_give_the_same_bytes(built_course):
    again = generate(built_course)
    assert set(again) == {f"source/{TINY}/{TINY}.ipynb", f"release/{TINY}/{TINY}.ipynb"}
    for name, content in again.items():
        assert (built_course.root / name).read_bytes() == content
        assert b"\r" not in content
        assert content.endswith(b"}\n")


def test_build_writes_only_what_has_changed_and_no_gradebook(built_course):
    assert build(built_course) == []
    path = built_course.release_notebook(TINY)
    path.unlink()
    assert build(built_course) == [path]
    assert not (built_course.root / "gradebook.db").exists()


def test_a_mistake_leaves_the_old_files_alone(built_course):
    before = built_course.release_notebook(TINY).read_bytes()
    lesson = built_course.lesson_path(TINY)
    text = lesson.read_text(encoding="utf-8")
    lesson.write_text(text.replace(" points=2", "", 1), encoding="utf-8")
    with pytest.raises(CourseError, match=f"notebooks/{TINY}.py:63: .*points="):
        build(built_course)
    assert built_course.release_notebook(TINY).read_bytes() == before


def test_a_course_without_lessons_is_a_course_error(course):
    course.lesson_path(TINY).unlink()
    with pytest.raises(CourseError, match="no lessons in"):
        build(course)


def test_links_in_the_readme_are_made_from_the_address(built_course):
    readme = built_course.root / "README.md"
    readme.write_text(
        "Before\n<!-- links:start -->\nold\n<!-- links:end -->\nAfter\n", encoding="utf-8"
    )
    assert build(built_course) == [readme]
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("Before\n<!-- links:start -->\n")
    assert text.endswith("<!-- links:end -->\nAfter\n")
    assert "old" not in text
    assert built_course.colab_url(TINY) in text
    assert f"[solutions](solutions/{TINY}.ipynb)" in text
    assert "| A tiny lesson |" in text
    assert "| Numbers | 2 exercises · about 3.5 minutes | 5 |\n" in text
    assert "| Lists | 1 exercise, 1 question · about 3 minutes | 3 |\n" in text
    readme.write_text("no markers\n", encoding="utf-8")
    with pytest.raises(CourseError, match="README.md needs one line"):
        build(built_course)


def test_each_lesson_s_contents_are_a_table_of_their_own(built_course):
    lesson = Lesson.load(built_course.lesson_path(TINY))
    text = links(built_course, [lesson, lesson])
    assert text.count("\n\n| What is in ") == 2


def test_a_strange_file_in_source_stops_the_build(built_course):
    (built_course.source / TINY / "twin.py").write_text("secret = 1\n", encoding="utf-8")
    with pytest.raises(CourseError, match=f"source/{TINY}/twin.py: not made by the build"):
        build(built_course)
    assert not (built_course.release / TINY / "twin.py").exists()


def test_check_accepts_a_fresh_course_and_names_each_stale_file(built_course, monkeypatch, capsys):
    monkeypatch.chdir(built_course.root)
    render(built_course, Lesson.load(built_course.lesson_path(TINY)), "full")
    args = argparse.Namespace(check=True)
    assert command.run(args) == 0
    assert "fresh" in capsys.readouterr().out

    source, release = built_course.source_notebook(TINY), built_course.release_notebook(TINY)
    source.write_text(source.read_text(encoding="utf-8") + " ", encoding="utf-8")
    release.unlink()
    (built_course.release / TINY / "more.txt").touch()
    (built_course.solutions / "old.ipynb").touch()
    checkpoints = built_course.release / TINY / ".ipynb_checkpoints"
    checkpoints.mkdir()
    (checkpoints / "x.ipynb").touch()
    assert command.run(args) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"source/{TINY}/{TINY}.ipynb is out of date; run: python -m autograder build",
        f"release/{TINY}/{TINY}.ipynb is missing; run: python -m autograder build",
        f"release/{TINY}/more.txt is not made by the build; delete it",
        "solutions/old.ipynb belongs to no lesson; delete it",
        "4 stale",
    ]


def test_check_notices_stale_solutions(built_course):
    command = f"run: python -m autograder render {TINY}"
    assert find_stale(built_course) == [f"solutions/{TINY}.ipynb is missing; {command}"]
    path = render(built_course, Lesson.load(built_course.lesson_path(TINY)), "full")
    assert find_stale(built_course) == []
    stale = [f"solutions/{TINY}.ipynb is out of date; {command}"]
    fresh = json.loads(path.read_text(encoding="utf-8"))
    for change in ("source", "hash"):
        changed = json.loads(json.dumps(fresh))
        if change == "source":
            changed["cells"][0]["source"] = ["other"]
        else:
            changed["metadata"]["course"]["lesson_sha256"] = "0"
        path.write_text(json.dumps(changed), encoding="utf-8")
        assert find_stale(built_course) == stale
    path.write_text("not a notebook", encoding="utf-8")
    assert find_stale(built_course) == stale
