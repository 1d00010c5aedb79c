"""Rendering: what is run, what is kept, what is refused."""

from __future__ import annotations

import argparse

import nbformat
import pytest
from conftest import TINY

from autograder import render as render_module
from autograder.errors import CourseError
from autograder.lesson import Lesson
from autograder.render import render, solution_notebook

PICTURE = """# %matplotlib inline
from IPython.display import display
import matplotlib.pyplot as plt
figure, _ = plt.subplots(figsize=(1, 1))
plt.close(figure)
display(figure, metadata={"image/png": {"alt": "An empty figure"}})
display(figure, metadata={"image/png": {"alt": "Another"}})"""


def change(course, code: str) -> Lesson:
    """Return the tiny lesson with `code` in its last code cell."""
    text = course.lesson_path(TINY).read_text(encoding="utf-8").replace("math.sqrt(4)", code)
    return Lesson.parse(text, course.lesson_path(TINY))


def cell(notebook, id):
    return next(one for one in notebook.cells if one.id == id)


def rendered(course, code: str):
    return nbformat.read(render(course, change(course, code), "fast"), as_version=4)


def test_solutions_hold_the_answers_and_nothing_of_the_grader(tiny):
    notebook = solution_notebook(tiny)
    answer = cell(notebook, "numbers").source
    assert "## YOUR CODE STARTS HERE ##\n        doubled = 2 * a\n        ## AND ENDS" in answer
    assert cell(notebook, "double-test").source.startswith("assert Numbers()")
    assert cell(notebook, "why-answer").source == "Because the numbers then form a group."
    text = nbformat.writes(notebook)
    for word in ("STUB", "HIDDEN", "MARK SCHEME", "nbgrader", "jupytext"):
        assert word not in text


def test_the_command_writes_executed_solutions(course, monkeypatch, capsys):
    monkeypatch.chdir(course.root)
    assert render_module.run(argparse.Namespace(lessons=[], training="short")) == 0
    assert capsys.readouterr().out == f"wrote solutions/{TINY}.ipynb\n"
    notebook = nbformat.read(course.solutions_notebook(TINY), as_version=4)
    nbformat.validate(notebook)
    assert cell(notebook, "evens-2").outputs[0].data["text/plain"] == "2.0"
    assert notebook.metadata.course.training == "short"
    assert "execution" not in nbformat.writes(notebook).replace("execution_count", "")


def test_an_unknown_lesson_is_a_course_error(course, monkeypatch):
    monkeypatch.chdir(course.root)
    with pytest.raises(CourseError, match="no lesson is called 'x'"):
        render_module.run(argparse.Namespace(lessons=["x"], training="fast"))


def test_the_lesson_sees_its_environment_in_an_empty_folder(course):
    code = 'import os\nprint(os.environ["COURSE_TRAINING"], os.listdir())'
    assert cell(rendered(course, code), "evens-2").outputs[0].text == "fast []\n"


def test_paths_of_this_machine_do_not_stay(course, monkeypatch):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    code = 'import os\nprint(os.environ["COURSE_DATA"], os.getcwd())'
    assert cell(rendered(course, code), "evens-2").outputs[0].text == "data .\n"


def test_a_failing_cell_is_an_error_with_its_line_and_writes_nothing(course):
    lesson = change(course, "1 / 0")
    line = next(one.line for one in lesson.cells if one.source == "1 / 0")
    with pytest.raises(CourseError, match=f"notebooks/{TINY}.py:{line}: .*(?s:.)*ZeroDivision"):
        render(course, lesson, "fast")
    assert not course.solutions_notebook(TINY).exists()


def test_a_dead_kernel_is_a_course_error(course):
    with pytest.raises(CourseError, match="Python stopped in this cell"):
        render(course, change(course, "import os\nos._exit(1)"), "fast")


def test_alternative_texts_go_where_the_book_reads_them(course):
    made = cell(rendered(course, PICTURE), "evens-2")
    assert made.metadata.mystnb == {"image": {"alt": "An empty figure Another"}}
    assert made.outputs[0].metadata["image/png"]["alt"] == "An empty figure"


def test_a_figure_without_alternative_text_is_refused(course):
    with pytest.raises(CourseError, match="a figure without alternative text"):
        render(course, change(course, PICTURE.replace("An empty figure", "")), "fast")


def test_warnings_and_widgets_are_left_out(course):
    code = (
        "import sys\nfrom IPython.display import display\nprint('kept')\n"
        "print('dropped', file=sys.stderr)\n"
        "display({'application/vnd.jupyter.widget-view+json': {'model_id': 'a'}}, raw=True)"
    )
    outputs = cell(rendered(course, code), "evens-2").outputs
    assert [output.text for output in outputs] == ["kept\n"]
