"""What `check` tells a student."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from made import mistake, put_before, with_killed_kernel, without, without_cell

from autograder import cli
from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson import Lesson
from autograder.submissions.cells import known_cell
from autograder.submissions.check import (
    FAILED,
    NOT_RUN,
    PASSED,
    TO_DO,
    CheckReport,
    Finding,
    blamed_once,
    check_notebook,
    used_by,
)
from autograder.submissions.made import (
    BROKEN_JSON,
    fill_in,
    solutions,
    with_copied_cell,
    with_endless_loop,
    with_syntax_error,
    write_submission,
)
from autograder.submissions.reading import read_notebook

TINY = "00_tiny"


class Class:
    """A course with what is needed to check a notebook of the tiny lesson."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self.lesson = Lesson.load(course.lesson_path(TINY))
        self.release = read_notebook(course.release_notebook(TINY))
        self.perfect = fill_in(self.release, self.lesson)

    def filled(self, answers: dict[str, str]) -> nbformat.NotebookNode:
        """Return the release with these answers."""
        return fill_in(self.release, self.lesson, answers)

    def check(self, notebook: nbformat.NotebookNode, timeout: int = 60) -> CheckReport:
        """Check a notebook."""
        return check_notebook(notebook, self.lesson, self.release, timeout=timeout)


@pytest.fixture(scope="module")
def tiny_class(_built: Course) -> Class:
    """The built course; no test changes it."""
    return Class(_built)


def states(report: CheckReport) -> list[str]:
    """Return the states of the three exercises."""
    return [finding.state for finding in report.findings if not finding.exercise.manual]


@pytest.mark.slow
def test_command_line(
    tiny_class: Class,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tiny_class.course.root)
    path = tmp_path / "mine.ipynb"
    # A file that the notebook writes must not end up beside it.
    notebook = put_before(tiny_class.perfect, "numbers", "open('left-over.txt', 'w').close()")
    nbformat.write(notebook, path)
    before = path.read_bytes()
    assert cli.main(["check", str(path)]) == 0
    out = capsys.readouterr().out
    assert "Exercise 2 · The inverse   passed" in out
    assert "3 of 3 blocks done, 3 of 3 exercises passing their visible checks" in out
    assert "hidden tests" in out.splitlines()[-1]
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.ipynb"]
    assert path.read_bytes() == before

    nbformat.write(
        tiny_class.filled(without(tiny_class.lesson, "evens-answer", "why-answer")), path
    )
    assert cli.main(["check", str(path)]) == 1
    out = capsys.readouterr().out
    assert "Exercise 3 · Even numbers  still to do" in out
    assert "Question 1 · Why modulo?   not answered" in out
    assert "2 of 3 blocks done, 2 of 3 exercises passing" in out
    assert "Next: Exercise 3 · Even numbers." in out


@pytest.mark.slow
def test_the_untouched_release_is_all_to_do(tiny_class: Class) -> None:
    report = tiny_class.check(tiny_class.release)
    assert states(report) == [TO_DO] * 3
    assert (report.blocks_done, report.blocks, report.notes) == (0, 3, [])
    assert not any(finding.message for finding in report.findings)


@pytest.mark.slow
def test_a_failed_check_is_told_in_its_own_words(tiny_class: Class) -> None:
    report = tiny_class.check(
        tiny_class.filled(mistake(tiny_class.lesson, "numbers", "mod(negated)", "negated"))
    )
    assert states(report) == [PASSED, FAILED, PASSED]
    assert report.findings[1].message == "inverse(1) must be 4"
    assert report.blocks_done == 3


@pytest.mark.slow
def test_the_lessons_own_exceptions(tiny_class: Class) -> None:
    raising = "class {0}(Exception):\n    pass\n\nclass Numbers:\n    def __init__(self):\n"
    raising += "        raise {0}('Exercise 1: fill in `double`')"
    source = solutions(tiny_class.lesson)["numbers"].replace("class Numbers:", raising + "\n")
    for name, state in (("ExerciseToDo", TO_DO), ("CheckFailed", FAILED)):
        report = tiny_class.check(tiny_class.filled({"numbers": source.format(name)}))
        assert states(report) == [state, state, TO_DO]
        assert report.findings[0].message == "Exercise 1: fill in `double`"


@pytest.mark.slow
def test_errors_of_the_answer_cell_are_shown(tiny_class: Class) -> None:
    report = tiny_class.check(with_syntax_error(tiny_class.perfect, "evens-answer"))
    assert states(report) == [PASSED, PASSED, FAILED]
    assert report.findings[2].message == (
        "your answer cell stops with SyntaxError: invalid syntax (line 10)"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "message"),
    [(with_endless_loop, "took more than 5 s"), (with_killed_kernel, "the Python process ended")],
)
def test_a_run_that_stops_says_where(tiny_class: Class, spoil, message: str) -> None:
    report = tiny_class.check(spoil(tiny_class.perfect, "evens-answer"), timeout=5)
    assert states(report) == [PASSED, PASSED, NOT_RUN]
    assert message in report.findings[2].message


@pytest.mark.slow
def test_the_notebook_is_made_whole_as_for_grading(tiny_class: Class) -> None:
    notebook = without_cell(tiny_class.perfect, "double-test")
    notebook = with_copied_cell(notebook, "inverse-test")
    known_cell(notebook, "evens-test").source = "assert False"
    notebook.metadata.kernelspec.name = "a-kernel-of-their-own"
    report = tiny_class.check(notebook)
    assert states(report) == [PASSED] * 3
    assert len(report.notes) == 3


def test_files_that_cannot_be_checked(
    tiny_class: Class,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tiny_class.course.root)
    other = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])
    for content, message in (
        (None, "there is no notebook"),
        (BROKEN_JSON, "is not valid JSON"),
        ("[1, 2]", "is not a Jupyter notebook"),
        ('{"nbformat": 4, "cells": [1]}', "is not a Jupyter notebook"),
        (nbformat.writes(other), "holds no exercise of this course (its lessons: 00_tiny)"),
    ):
        path = tmp_path / "mine.ipynb"
        if content is not None:
            path.write_text(content, encoding="utf-8")
        assert cli.main(["check", str(path)]) == 1
        assert message in capsys.readouterr().err


def test_made_submissions_are_made_as_asked(tiny_class: Class, tmp_path: Path) -> None:
    """The functions that other tests build on do what they say, or refuse."""
    lesson, release = tiny_class.lesson, tiny_class.release
    answers = solutions(lesson)
    assert sorted(answers) == ["evens-answer", "numbers", "why-answer"]
    assert not any("STUB" in text or "MARK SCHEME" in text for text in answers.values())
    assert "YOUR CODE STARTS HERE" in answers["numbers"]
    assert fill_in(release, lesson, {}) == release
    assert known_cell(tiny_class.perfect, "why-answer").source == answers["why-answer"]
    with pytest.raises(KeyError):
        fill_in(release, lesson, {"no-such-cell": ""})
    with pytest.raises(ValueError, match="does not hold"):
        mistake(lesson, "numbers", "3 * a", "2 * a")
    with pytest.raises(KeyError):
        without_cell(release, "no-such-cell")
    path = write_submission(Course(tmp_path), "ann", TINY, tiny_class.perfect)
    assert read_notebook(path) == tiny_class.perfect
    with pytest.raises(CourseError, match="there is no notebook"):
        read_notebook(path.parent)


def found(lesson: Lesson, **messages: str) -> list[str]:
    """Return what is said under the exercises that fail with these messages."""
    findings = [
        Finding(exercise, FAILED, messages[exercise.id.replace("-", "_")])
        if exercise.id.replace("-", "_") in messages
        else Finding(exercise, PASSED)
        for exercise in lesson.tested
    ]
    return [finding.message for finding in blamed_once(findings, lesson) if not finding.done]


@pytest.mark.parametrize("stem", Course.find(__file__).lessons())
def test_what_one_exercise_does_to_later_ones_is_said_once(stem: str) -> None:
    lesson = Lesson.load(Course.find(__file__).lesson_path(stem))
    first, second, third, *_ = (exercise.label for exercise in lesson.tested)
    ids = [exercise.id.replace("-", "_") for exercise in lesson.tested]
    stops = {id: f"✗ {ex.label}: it stops." for id, ex in zip(ids, lesson.tested, strict=True)}
    alike = found(lesson, **{id: stops[id] for id in ids[:3]})
    assert alike == [stops[ids[0]], *[f"the same as under {first}: mend that first."] * 2]
    assert found(lesson, **{ids[2]: stops[ids[2]]}) == [stops[ids[2]]]
    last = found(lesson, **{ids[0]: "a", ids[-1]: "b"})[-1]
    assert last == (
        f"b\nIt uses the answer of {first}, which is not right yet: mend that first."
        if lesson.tested[0].id in used_by(lesson.tested[-1], lesson)
        else "b"
    )


def test_what_a_check_says_of_an_earlier_exercise_is_enough() -> None:
    lesson = Lesson.load(Course.find(__file__).lesson_path("01_regular_group_convolutions"))
    built = "✗ Exercise 5 builds on Exercise 2: mend it. What came out here:\n  a long error"
    said = found(lesson, inverse="the sign", lifting_grid=built)
    assert said == ["the sign", "✗ Exercise 5 builds on Exercise 2: mend it."]
    # A network uses every layer, and these the group.
    used = used_by(lesson.exercise("network"), lesson)
    assert {"product", "lifting-grid", "group-layer"} <= used and "act-on-lifted" not in used
    assert used_by(lesson.exercise("product"), lesson) == set()
