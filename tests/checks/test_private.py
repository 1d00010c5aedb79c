"""Private hidden tests: their file, their mistakes, and how they share an exercise's points."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from conftest import PYPROJECT, ROOT
from made import mistake

from autograder.build.generate import build
from autograder.checks import Judge, private
from autograder.checks.rehearsal import rehearse
from autograder.course import Course
from autograder.errors import CourseError
from autograder.grading import grade
from autograder.lesson import Lesson
from autograder.pages import feedback
from autograder.submissions.made import fill_in, write_submission
from autograder.submissions.reading import read_notebook

LESSON = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] exercise="sum" title="A sum" minutes=1
# Write `add`.


# %% id="add" grade="solution"
def add(a, b):
    ## YOUR CODE STARTS HERE ##
    # STUB: total = ...
    total = a + b
    ## AND ENDS HERE ##
    return total


# %% id="add-test" grade="tests" points=3 exercise="sum" answer="add"
assert add(1, 1) == 2
### BEGIN HIDDEN TESTS
from autograder.checks import Judge

judge = Judge("{{lesson}}", "sum", globals())


@judge.property("adds", points=3)
def _(lesson, given):
    given.equal("1 + 1", lesson.add(1, 1), 2)


judge.score()
### END HIDDEN TESTS

# %% [markdown] exercise="why" title="Why?" minutes=1
# Why?

# %% [markdown] id="why-answer" grade="answer" points=2 exercise="why"
# Because.
"""
HEAD = """from autograder.checks.private import Properties

properties = Properties()

"""
ONE = """
@properties.add("sum", name="adds negative numbers")
def _(lesson, given):
    given.equal("-2 + -3", lesson.add(-2, -3), -5)
"""
TWO = """
@properties.add("sum", name="adds nothing", weight=0.5)
def _(lesson, given):
    given.equal("0 + 0", lesson.add(0, 0), 0)
"""


@pytest.fixture
def lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lesson:
    """A lesson `sums` in a course of its own, which is the working directory."""
    root = tmp_path / "course"
    (root / "notebooks").mkdir(parents=True)
    (root / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    shutil.copy(ROOT / "nbgrader_config.py", root)
    path = root / "notebooks" / "sums.py"
    path.write_text(LESSON, encoding="utf-8")
    monkeypatch.chdir(root)
    monkeypatch.delenv(private.VARIABLE, raising=False)
    return Lesson.load(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder outside the course."""
    path = tmp_path / "private tests"
    path.mkdir()
    return path


def write(folder: Path, *parts: str) -> Path:
    """Write the private properties of the lesson `sums`."""
    path = folder / "sums.py"
    path.write_text("".join(parts), encoding="utf-8")
    return path


def score(add, names: dict | None = None) -> float:
    """Return the points of a notebook with this `add`; the lesson itself has one property."""
    judge = Judge("sums", "sum", {"add": add}, seed=1)

    @judge.property("adds", points=3)
    def _(lesson, given):
        given.equal("1 + 1", lesson.add(1, 1), 2)

    return judge.score()


def test_without_a_folder_nothing_changes(lesson: Lesson, folder: Path) -> None:
    assert private.for_exercise(lesson, "sum") == []
    assert private.load(folder, lesson) == []
    rehearse(folder, lesson, seed=1)
    assert score(lambda a, b: a + b) == 3


def test_private_and_public_properties_share_the_points_by_weight(
    lesson: Lesson, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    write(folder, HEAD, ONE, TWO)
    rehearse(folder, lesson, seed=1)
    monkeypatch.setenv(private.VARIABLE, str(folder))
    assert score(lambda a, b: a + b) == 3
    # The public property has the weight 3, its points; 3 + 1 + 0.5 share three points.
    capsys.readouterr()
    assert score(lambda a, b: abs(a) + abs(b)) == pytest.approx(3 * 3.5 / 4.5, abs=0.01)
    out = capsys.readouterr().out
    assert "✗ adds negative numbers (0 of 0.67)" in out and "expected -5, got 5" in out
    assert score(lambda a, b: 7) == 0


def test_other_exercises_are_left_alone(
    lesson: Lesson, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, HEAD, ONE)
    monkeypatch.setenv(private.VARIABLE, str(folder))
    assert [item.name for item in private.for_exercise(lesson, "sum")] == ["adds negative numbers"]
    assert private.for_exercise(lesson, "why") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + ONE.replace('"sum"', '"sums"'), r":6: .* of 'sums': .* has: sum$"),
        (HEAD + ONE.replace('"sum"', '"why"'), r":6: .* of 'why': sums has no tested exercise"),
        (HEAD + TWO.replace("0.5", "0"), r":6: .* of 'sum': its weight must be .* not 0"),
        (HEAD + TWO.replace("0.5", "'a'"), r":6: .* of 'sum': its weight must be .* not 'a'"),
        (HEAD + ONE + ONE, r":10: .* of 'sum': there is another one of this name"),
        (HEAD + "1 / 0", r":5: stopped with ZeroDivisionError"),
        (HEAD + "def (", r":5: not valid Python"),
        ("properties = []", "make a list of properties with"),
        ("", "make a list of properties with"),
        (HEAD + ONE.replace("-5)", "-6)"), r":6: .* 'sum' does not hold .* expected -6, got -5"),
        (HEAD + ONE.replace("lesson.add", "lesson.ad"), r":6: .* 'sum' does not hold .*`ad`"),
        (HEAD + ONE.replace("given.", "give."), r":6: .* 'sum' does not hold .* NameError"),
    ],
)
def test_each_mistake_is_one_error_with_file_and_line(
    lesson: Lesson, folder: Path, text: str, message: str
) -> None:
    path = write(folder, text)
    with pytest.raises(CourseError, match=re.escape(str(path)) + ".*" + message) as caught:
        rehearse(folder, lesson, seed=1)
    assert "\n" not in str(caught.value)


def test_a_wrong_folder_or_file_name_is_an_error(lesson: Lesson, folder: Path) -> None:
    with pytest.raises(CourseError, match=r"there is no folder .*c\.GradingExecute"):
        rehearse(folder / "gone", lesson, seed=1)
    write(folder, HEAD, ONE).rename(folder / "sum.py")
    with pytest.raises(CourseError, match="no lesson is called 'sum'"):
        rehearse(folder, lesson, seed=1)


@pytest.mark.slow
def test_grading_uses_the_configured_folder(
    lesson: Lesson, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = Course(lesson.path.parent.parent)
    build(course)
    release = read_notebook(course.release_notebook("sums"))
    wrong = mistake(lesson, "add", "a + b", "abs(a) + abs(b)")
    write_submission(course, "right", "sums", fill_in(release, lesson))
    write_submission(course, "wrong", "sums", fill_in(release, lesson, wrong))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def points() -> list[float]:
        results = grade.grade_lesson(course, "sums")
        return [result.points(lesson.exercise("sum")) for result in results]

    assert points() == [3, 3]
    write(folder, HEAD, ONE)
    with (course.root / "nbgrader_config.py").open("a", encoding="utf-8", newline="\n") as file:
        file.write(f"c.GradingExecute.private_tests = {str(folder)!r}\n")
    assert points() == [3, 2.25]
    page = feedback.feedback_page(course, "sums", "wrong").read_text(encoding="utf-8")
    assert "adds negative numbers (0 of 0.75)" in page and "expected -5, got 5" in page
    assert "given.equal" not in page and str(folder) not in page
    write(folder, HEAD, ONE.replace("-5)", "-6)"))
    with pytest.raises(CourseError, match=r"sums\.py:6: .* 'sum' does not hold"):
        points()
