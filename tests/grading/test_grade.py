"""Grading a class of the tiny lesson with the real nbgrader."""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT
from graded import checksums, rows, scores
from made import mistake, put_after, with_killed_kernel, without_cell
from mishaps import FULL
from rich.console import Console

from autograder import cli
from autograder.build.generate import build
from autograder.course import Course
from autograder.errors import CourseError
from autograder.grading import grade
from autograder.grading.hidden_tests import course_seed
from autograder.grading.plan import GradeOptions
from autograder.lesson import Lesson
from autograder.marks.gradebook import open_api, read_marks
from autograder.marks.records import Record, read_records, write_record
from autograder.marks.results import grades_csv, print_results
from autograder.marks.submitted import submitted_students
from autograder.pages import feedback
from autograder.submissions.cells import cell_by_id
from autograder.submissions.made import (
    BROKEN_JSON,
    fill_in,
    with_copied_cell,
    with_endless_loop,
    with_helper_cell,
    with_syntax_error,
    write_submission,
)
from autograder.submissions.reading import read_notebook
from autograder.texts import number

TINY = "00_tiny"
TIMEOUT = 8

# Every submission of the class and the points it must get; None: it cannot be graded.
EXPECTED = {
    "endless-loop": FULL | {"evens": 0},
    "killed-kernel": FULL | {"evens": 0},
    "mended": FULL,
    "other-name": FULL,
    "partial": FULL | {"double": 1, "inverse": 2},
    "perfect": FULL,
    "syntax-error": FULL | {"double": 0, "inverse": 0},
    "tampered": FULL | {"evens": 0},
    "untouched": {"double": 0, "inverse": 0, "evens": 0},
    "wrong-double": FULL | {"double": 0},
    "wrong-evens": FULL | {"evens": 0},
    "wrong-inverse": FULL | {"inverse": 0},
    "broken-json": None,
    "empty-folder": None,
    "empty-student": None,
    "no-notebook": None,
    "not-utf8": None,
    "other-lesson": None,
    "odd [name]": None,
}


def make_class(course: Course) -> None:
    """Write the submissions of EXPECTED into the course."""
    lesson = Lesson.load(course.lesson_path(TINY))
    release = read_notebook(course.release_notebook(TINY))
    perfect = fill_in(release, lesson)

    def wrong(cell: str, old: str, new: str) -> dict[str, str]:
        return mistake(lesson, cell, old, new)

    def filled(answers: dict[str, str]) -> nbformat.NotebookNode:
        return fill_in(release, lesson, answers)

    # Right answers in a notebook that plain nbgrader would refuse or mark down.
    mended = put_after(perfect, "evens-answer", WARNS)
    mended = with_helper_cell(with_copied_cell(mended, "numbers"), "numbers")
    mended = without_cell(with_copied_cell(mended, "inverse-test"), "double-test")
    # The test says yes to anything, and the answer is gone.
    tampered = without_cell(perfect, "evens-answer")
    cell_by_id(tampered, "evens-test").source = "1"
    partial = wrong("numbers", "2 * a", "abs(2 * a)")
    partial["numbers"] = partial["numbers"].replace("mod(negated)", "mod(negated) if a != 3 else 9")
    other = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])
    contents = {
        "endless-loop": with_endless_loop(perfect, "evens-answer"),
        "killed-kernel": with_killed_kernel(perfect, "evens-answer"),
        "mended": mended,
        "partial": filled(partial),
        "perfect": perfect,
        "syntax-error": with_syntax_error(perfect, "numbers"),
        "tampered": tampered,
        "untouched": release,
        "wrong-double": filled(wrong("numbers", "2 * a", "3 * a")),
        "wrong-evens": filled(wrong("evens-answer", "append(i)", "append(i + 1)")),
        "wrong-inverse": filled(wrong("numbers", "mod(negated)", "negated")),
        "broken-json": BROKEN_JSON,
        "no-notebook": '["a list", "not a notebook"]',
        "other-lesson": other,
    }
    for student, content in contents.items():
        write_submission(course, student, TINY, content)
    (course.submitted / "empty-folder" / TINY).mkdir(parents=True)
    (course.submitted / "empty-student").mkdir()
    write_submission(course, "odd [name]", TINY, perfect)
    renamed = write_submission(course, "other-name", TINY, perfect)
    renamed.rename(renamed.with_name("my homework (1).ipynb"))
    write_submission(course, "not-utf8", TINY, "").write_bytes(b'{"cells": "\xc3\xa9\xff"}')


WARNS = """
import warnings
right = evens
def evens(n):
    warnings.warn("this is slow")
    return right(n)
"""


class Graded:
    """The class after grading, and how everything was before."""

    def __init__(self, course: Course) -> None:
        self.course = course
        make_class(course)
        self.before = checksums(course.submitted)
        self.release = checksums(course.release)
        self.results = grade.grade_lesson(course, TINY, GradeOptions(timeout=TIMEOUT))
        self.needs = {result.student: " ".join(result.needs_person) for result in self.results}


@pytest.fixture(scope="module")
def graded(_built: Course, tmp_path_factory: pytest.TempPathFactory) -> Graded:
    """The graded class; tests that change it take a copy."""
    root = tmp_path_factory.mktemp("graded") / "course"
    shutil.copytree(_built.root, root)
    return Graded(Course(root))


@pytest.fixture
def small(built_course: Course) -> Course:
    """A course with two submissions, not yet graded."""
    lesson = Lesson.load(built_course.lesson_path(TINY))
    release = read_notebook(built_course.release_notebook(TINY))
    write_submission(built_course, "ann", TINY, fill_in(release, lesson))
    write_submission(
        built_course,
        "bob",
        TINY,
        fill_in(release, lesson, mistake(lesson, "numbers", "2 *", "3 *")),
    )
    return built_course


@pytest.mark.slow
def test_every_submission_gets_exactly_its_points(graded: Graded) -> None:
    assert scores(graded.results) == EXPECTED


@pytest.mark.slow
def test_each_problem_is_said_in_a_sentence(graded: Graded) -> None:
    expected = {
        "endless-loop": "The cell evens-answer took too long",
        "killed-kernel": "The cell evens-answer was left out: Python stopped in this cell.",
        "syntax-error": "The cell numbers is not valid Python",
        "broken-json": "is not valid JSON",
        "empty-folder": "No notebook was handed in",
        "empty-student": "The folder holds no folder 00_tiny",
        "no-notebook": "is not a Jupyter notebook",
        "not-utf8": "is not text in UTF-8",
        "other-lesson": "holds no cell of this lesson",
        "odd [name]": "rename it",
        "other-name": "The file was called my homework (1).ipynb",
        "perfect": "1 written answer to mark",
    }
    assert {name: text for name, text in expected.items() if text not in graded.needs[name]} == {}
    assert graded.needs["untouched"] == ""
    for text in (
        "numbers was there 2 times",
        "inverse-test was there 2",
        "double-test was missing",
    ):
        assert text in graded.needs["mended"]
    for text in ("evens-answer was missing", "evens-test had been changed"):
        assert text in graded.needs["tampered"]


@pytest.mark.slow
def test_submissions_and_release_are_left_alone(graded: Graded) -> None:
    assert checksums(graded.course.submitted) == graded.before
    assert checksums(graded.course.release) == graded.release


@pytest.mark.slow
def test_grades_csv_has_a_row_for_everyone(graded: Graded) -> None:
    table = rows(graded.course)
    assert sorted(table) == sorted(EXPECTED)
    perfect = table["perfect"]
    assert [perfect[name] for name in ("double", "inverse", "evens", "why")] == ["2", "3", "1", ""]
    assert (perfect["auto_total"], perfect["auto_max"]) == ("6", "6")
    assert (perfect["total"], perfect["max"]) == ("6", "8")
    assert table["partial"]["auto_total"] == "4"
    assert table["untouched"]["why"] == "0", "an unanswered question needs no grader"
    assert table["broken-json"]["total"] == table["broken-json"]["double"] == ""
    assert "not valid JSON" in table["broken-json"]["needs_a_person"]


@pytest.mark.slow
def test_the_table_fits_into_80_columns(graded: Graded) -> None:
    printed = io.StringIO()
    print_results(Console(file=printed, width=80), graded.results)
    text = printed.getvalue()
    assert "wrong-inverse" in text and "out of" in text
    assert "is not valid JSON" in text


@pytest.mark.slow
def test_everyone_gets_a_feedback_page_without_hidden_tests(graded: Graded) -> None:
    for student in EXPECTED:
        page = feedback.feedback_page(graded.course, TINY, student).read_text(encoding="utf-8")
        assert "double_points" not in page and "HIDDEN" not in page
        assert "Mark scheme" not in page and "names the group" not in page
    page = feedback.feedback_page(graded.course, TINY, "broken-json").read_text(encoding="utf-8")
    assert "The file 00_tiny.ipynb is not valid JSON" in page
    files = {path.suffix for path in graded.course.feedback.rglob("*") if path.is_file()}
    assert files == {".html"}


@pytest.mark.slow
def test_records_say_what_was_graded(graded: Graded) -> None:
    api = open_api(graded.course)
    record = read_records(api, TINY)["perfect"]
    assert record.problem == "" and record.notes == [] and record.seconds > 0
    assert record.private == "" and record.limits == [] and record.verdicts == FULL
    assert record.seed == course_seed(graded.course.root)
    assert {row["seed"] for row in rows(graded.course).values()} == {str(record.seed)}
    data = graded.course.submitted_notebook("perfect", TINY).read_bytes()
    assert record.submitted == hashlib.sha256(data).hexdigest()
    assert read_records(api, TINY)["broken-json"].problem
    assert read_records(api, TINY)["endless-loop"].limits == ["time of the cell evens-answer"]
    log = (graded.course.autograded / "grading.log").read_text(encoding="utf-8").splitlines()
    assert len(log) == len(EXPECTED)
    (line,) = [line for line in log if " perfect: " in line]
    for fact in ("6 of 6 automatic points", record.version, f"seed {record.seed}"):
        assert fact in line


@pytest.fixture
def copied(graded: Graded, tmp_path: Path) -> Course:
    """A copy of the graded class, for a test to change."""
    return Course(shutil.copytree(graded.course.root, tmp_path / "copied"))


@pytest.mark.slow
@pytest.mark.proof  # test_plugins.py grades a larger class with nbgrader's own steps
def test_plain_nbgrader_gives_the_same_marks(graded: Graded, copied: Course) -> None:
    chosen = {"killed-kernel", "mended", "partial"}
    for folder in copied.submitted.iterdir():
        if folder.name not in chosen:
            shutil.rmtree(folder)
    (copied.root / "gradebook.db").unlink()
    shutil.rmtree(copied.autograded)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for command in (["generate_assignment", TINY, "--force"], ["autograde", TINY]):
        subprocess.run(
            [sys.executable, "-m", "nbgrader", *command],
            cwd=copied.root,
            env=environment,
            check=True,
            capture_output=True,
        )
    api = open_api(copied)
    for student in chosen:
        marks = read_marks(api, TINY, student)
        assert {name: marks[f"{name}-test"].auto for name in FULL} == EXPECTED[student]
    assert checksums(copied.release) == graded.release


@pytest.mark.slow
def test_runs_go_on_where_they_stopped_and_regrading_changes_nothing(small: Course) -> None:
    def interrupt(student: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grade.grade_lesson(small, TINY, on_end=interrupt)
    assert rows(small)["ann"]["auto_total"] == "6"
    assert rows(small)["bob"]["needs_a_person"] == "Not graded yet."
    results = grade.grade_lesson(small, TINY)
    assert [result.skipped for result in results] == [True, False]
    assert scores(results) == {"ann": FULL, "bob": FULL | {"double": 0}}

    # A new submission is graded, and only that one; --force grades what has not changed, too.
    write_submission(small, "bob", TINY, read_notebook(small.submitted_notebook("ann", TINY)))
    results = grade.grade_lesson(small, TINY)
    assert [result.skipped for result in results] == [True, False]
    assert scores(results)["bob"] == FULL
    (result,) = grade.grade_lesson(small, TINY, GradeOptions(force=True, students=["ann"]))
    assert not result.skipped and scores([result])["ann"] == FULL
    assert rows(small)["bob"]["auto_total"] == "6", "grades.csv is always about everyone"


@pytest.mark.slow
def test_another_seed_or_other_private_tests_are_graded_again(
    small: Course, tmp_path: Path
) -> None:
    def skipped(**options) -> bool:
        (result,) = grade.grade_lesson(small, TINY, GradeOptions(students=["ann"], **options))
        assert scores([result])["ann"] == FULL
        return result.skipped

    assert not skipped(seed=7) and rows(small)["ann"]["seed"] == "7"
    assert skipped(seed=7)
    assert not (small.root / ".grading-seed").exists()
    assert not skipped()
    seed = rows(small)["ann"]["seed"]
    assert not skipped(seed=0) and rows(small)["ann"]["seed"] == "0"
    assert not skipped() and rows(small)["ann"]["seed"] == seed and skipped()

    config = small.root / "nbgrader_config.py"
    with config.open("a", encoding="utf-8", newline="\n") as file:
        file.write(f"c.GradingExecute.private_tests = {str(tmp_path)!r}\n")
    assert skipped(), "the folder holds nothing for this lesson"
    own = tmp_path / f"{TINY}.py"
    text = "from autograder.checks.private import Properties\nproperties = Properties()\n"
    own.write_text(text, encoding="utf-8")
    assert not skipped() and skipped()
    own.write_text(text + "1 / 0\n", encoding="utf-8")
    with pytest.raises(CourseError, match=r"00_tiny\.py:3: stopped with ZeroDivisionError"):
        grade.grade_lesson(small, TINY)


@pytest.mark.slow
def test_a_broken_resubmission_loses_the_old_marks_but_not_the_graders(copied: Course) -> None:
    api = open_api(copied)
    with api.gradebook as gradebook:
        given = gradebook.find_grade("why-answer", TINY, TINY, "perfect")
        given.manual_score, given.needs_manual_grade = 1.5, False
        gradebook.db.commit()
    (result,) = grade.grade_lesson(copied, TINY, GradeOptions(students=["perfect"]))
    assert result.skipped and result.total == 7.5 and result.needs_person == []
    assert rows(copied)["perfect"]["why"] == "1.5"
    write_submission(copied, "perfect", TINY, BROKEN_JSON)
    (result,) = grade.grade_lesson(copied, TINY, GradeOptions(students=["perfect"]))
    assert not result.graded and result.total is None
    assert not (copied.autograded / "perfect" / TINY).exists()
    marks = read_marks(api, TINY, "perfect")
    assert marks["double-test"].auto is None and marks["why-answer"].score == 1.5


@pytest.mark.slow
def test_grading_again_keeps_what_a_person_has_settled(
    small: Course, capsys: pytest.CaptureFixture
) -> None:
    api = open_api(small)
    grade.grade_lesson(small, TINY, GradeOptions(students=["ann"]))
    with api.gradebook as gradebook:
        for name, score in (("why-answer", 1.5), ("double-test", 1.75), ("evens-test", 0.5)):
            given = gradebook.find_grade(name, TINY, TINY, "ann")
            given.manual_score, given.needs_manual_grade = score, False
        gradebook.db.commit()
    # A test is mended, or made stricter: these marks are for the same answers.
    path = small.lesson_path(TINY)
    text = path.read_text(encoding="utf-8")
    harder = text.replace("float(evens(6) == [0, 2, 4])", "float(evens(6) == [0, 2])")
    assert harder != text
    path.write_text(harder, encoding="utf-8")
    build(small)
    (result,) = grade.grade_lesson(small, TINY, GradeOptions(students=["ann"]))
    marks = read_marks(api, TINY, "ann")
    assert not result.skipped and result.unread == 0
    assert (marks["why-answer"].score, marks["why-answer"].open) == (1.5, False)
    assert (marks["double-test"].score, marks["double-test"].open) == (1.75, False)
    assert marks["evens-test"].open, "the tests find something else than what was overruled"
    assert result.changes == ["Exercise 3 1 → 0"]
    capsys.readouterr()
    grade.report(small, [result])
    shown = capsys.readouterr().out
    assert "Points from tests that are not what they were" in shown
    assert "ann: Exercise 3 1 → 0" in shown
    # Another notebook is another answer, although it is marked the same.
    notebook = read_notebook(small.submitted_notebook("ann", TINY))
    write_submission(small, "ann", TINY, with_helper_cell(notebook, "numbers"))
    (result,) = grade.grade_lesson(small, TINY, GradeOptions(students=["ann"]))
    assert result.unread == 1 and result.changes == []


@pytest.mark.slow
def test_command_line(
    small: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(small.root)
    (small.submitted / "ann").rename(small.submitted / "ann o'hara (1)")
    database = f"sqlite:///{(small.root / 'other.db').as_posix()}"
    student = ["--student", "ann o'hara (1)"]
    assert cli.main(["grade", "--db", database, *student]) == 0
    out = capsys.readouterr().out
    assert "1 of 1 submissions graded" in out and "grades.csv" in out and "other.db" in out
    assert not (small.root / "gradebook.db").exists()
    page = feedback.feedback_page(small, TINY, "ann o'hara (1)")
    page.unlink()
    assert cli.main(["feedback", "--db", database]) == 0
    assert page.is_file()
    assert cli.main(["grade", "--student", "nobody"]) == 1
    assert "'nobody' has submitted nothing" in capsys.readouterr().err


def test_nothing_to_grade(
    built_course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(built_course.root)
    assert cli.main(["grade"]) == 1
    assert "there is nothing to grade" in capsys.readouterr().err
    assert cli.main(["feedback"]) == 1
    assert "there is nothing to give feedback on" in capsys.readouterr().err
    write_submission(built_course, "ann", TINY, BROKEN_JSON)
    assert cli.main(["grade"]) == 1
    assert "0 of 1 submissions graded" in capsys.readouterr().out


def test_grading_needs_fresh_notebooks_and_a_gradebook(small: Course) -> None:
    with pytest.raises(CourseError, match="gradebook cannot be opened"):
        grade.grade_lesson(
            small, TINY, GradeOptions(db_url="sqlite:////no/such/folder/gradebook.db")
        )
    text = small.lesson_path(TINY).read_text(encoding="utf-8")
    small.lesson_path(TINY).write_text(text.replace("points=3", "points=4"), encoding="utf-8")
    with pytest.raises(CourseError, match="run `python -m autograder build`"):
        grade.grade_lesson(small, TINY)


def test_numbers_and_arguments() -> None:
    assert [number(value) for value in (2.0, 1.25, 1 / 3, None)] == ["2", "1.25", "0.33", ""]
    assert grades_csv([]).startswith("assignment,student,auto_total")
    parser = argparse.ArgumentParser()
    grade.add_arguments(parser)
    with pytest.raises(SystemExit) as stopped:
        parser.parse_args(["--timeout", "0"])
    assert stopped.value.code == 2
    assert parser.parse_args(["--seed", "0"]).seed == 0
    with pytest.raises(SystemExit):
        parser.parse_args(["--seed", "-1"])


def test_named_students_are_graded_where_they_have_submitted(course: Course) -> None:
    for stem, student in (("a", "ann"), ("b", "ben"), ("a", "cyd"), ("b", "cyd")):
        course.lesson_path(stem).touch()
        (course.submitted / student / stem).mkdir(parents=True)
    chosen = grade.chosen_submissions(course, ["a", "b"], ["cyd", "ann"])
    assert chosen == {"a": ["cyd", "ann"], "b": ["cyd"]}
    assert grade.chosen_submissions(course, ["a", "b"], ["ben"]) == {"b": ["ben"]}
    with pytest.raises(CourseError, match="'eve' has submitted nothing for a or b"):
        grade.chosen_submissions(course, ["a", "b"], ["ann", "eve"])


def test_a_folder_that_cannot_be_read_is_somebody_s_all_the_same(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = course.submitted / "ann"
    locked.mkdir(parents=True)
    iterdir = Path.iterdir

    def forbidden(self):
        if self == locked:
            raise PermissionError(13, "Permission denied")
        return iterdir(self)

    monkeypatch.setattr(Path, "iterdir", forbidden)
    assert submitted_students(course, TINY) == ["ann"]


@pytest.mark.slow
def test_a_gradebook_that_is_held_is_not_an_empty_one(built_course: Course) -> None:
    api = open_api(built_course)
    record = Record("sum", "", "v", 1, "", "now", 0.1)
    write_record(api, TINY, "ann", record)
    holder = sqlite3.connect(built_course.root / "gradebook.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(CourseError, match="cannot be read .*locked.*: close what else uses it"):
        read_records(api, TINY)
    holder.close()
    assert read_records(api, TINY) == {"ann": record}
