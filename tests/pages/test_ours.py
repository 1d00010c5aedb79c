"""What looks like the grader's or the platform's doing is flagged beside a submission."""

from __future__ import annotations

import pytest
from conftest import ROOT, TINY

from autograder.course import Course
from autograder.lesson import Lesson
from autograder.marks.gradebook import Mark
from autograder.marks.results import Result
from autograder.pages.ours import may_be_ours

PATH = ROOT / "tests" / "lessons" / f"{TINY}.py"
LESSON = Lesson.parse(PATH.read_text(encoding="utf-8"), PATH, Course(ROOT))
FIRST = LESSON.tested[0]


def result(points: float) -> Result:
    """Return a result with these points for the first exercise, and all for the others."""
    marks = {ex.test_cell_id: Mark(ex.points, ex.points, False) for ex in LESSON.tested}
    marks[FIRST.test_cell_id] = Mark(points, points, False)
    return Result("ada", TINY, LESSON.exercises, marks, [], None)


def notebook(source: str, *, own: bool = False, error: tuple[str, str] | None = None) -> dict:
    """Return a graded notebook with a cell: the first answer, or one of the student's own."""
    outputs = [{"output_type": "error", "ename": error[0], "evalue": error[1]}] if error else []
    grade = {} if own else {"nbgrader": {"grade_id": FIRST.answer_cell_id}}
    cell = {"cell_type": "code", "id": "own-1" if own else "x", "metadata": grade}
    given = {"cell_type": "code", "id": "setup", "metadata": {}, "source": "!pip install torch"}
    return {"cells": [given, cell | {"source": source, "outputs": outputs}]}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("from google.colab import drive\nx = 1", "uses google.colab"),
        ("drive.mount('/content/drive')", "uses google.colab"),
        ("%reset -f", "empties the namespace"),
        ("get_ipython().run_line_magic('reset', '-f')", "empties the namespace"),
        ("globals().clear()", "empties the namespace"),
        ("x = 1\n!pip install escnn", "a line for the shell or for IPython"),
        ("%matplotlib widget", "a line for the shell or for IPython"),
        ("import ipywidgets", "shows a widget"),
        ("@interact\ndef f(x): ...", "shows a widget"),
    ],
)
@pytest.mark.parametrize("own", [False, True])
def test_what_may_not_run_where_it_is_graded(source: str, said: str, own: bool) -> None:
    (found,) = may_be_ours(result(0), notebook(source, own=own), LESSON)
    assert found.startswith("May be ours: ") and said in found
    assert f"{FIRST.points} points" in found
    assert ("the student's own" in found) == own
    assert may_be_ours(result(FIRST.points), notebook(source, own=own), LESSON) == []


def test_what_is_missing_where_it_is_graded() -> None:
    lacking = notebook(
        "import my_utils", error=("ModuleNotFoundError", "No module named 'my_utils'")
    )
    (found,) = may_be_ours(result(1), lacking, LESSON)
    assert "needs my_utils, which is not there" in found
    (found,) = may_be_ours(result(1), lacking, LESSON, ["my_utils.py"])
    assert "needs my_utils, which was handed in beside the notebook" in found
    lacking = notebook("open('a.csv')", error=("FileNotFoundError", "No such file: 'a.csv'"))
    assert "needs a.csv" in may_be_ours(result(1), lacking, LESSON)[0]


@pytest.mark.parametrize(
    "source", ["return x % 2", "a = b \\\n  % c", "interaction(x)", "reset = 1", "x != y"]
)
def test_ordinary_code_is_not_flagged(source: str) -> None:
    assert may_be_ours(result(0), notebook(source), LESSON) == []


def test_a_wrong_answer_is_the_student_s() -> None:
    wrong = notebook("x = 1", error=("NameError", "name 'y' is not defined"))
    assert may_be_ours(result(0), wrong, LESSON) == []
