"""Rendering: what is run, what is kept, what is refused."""

from __future__ import annotations

import argparse
from dataclasses import replace

import nbformat
import pytest
from conftest import TINY
from nbclient.output_widget import OutputWidget
from PIL import Image

from autograder.book import render as render_module
from autograder.book.render import render
from autograder.build.fresh import find_stale_solutions
from autograder.build.notebooks import solution_notebook
from autograder.errors import CourseError
from autograder.lesson import Lesson

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
    assert render_module.run(argparse.Namespace(lessons=[], training="short", force=False)) == 0
    assert capsys.readouterr().out == f"wrote solutions/{TINY}.ipynb\n"
    notebook = nbformat.read(course.solutions_notebook(TINY), as_version=4)
    nbformat.validate(notebook)
    assert cell(notebook, "evens-2").outputs[0].data["text/plain"] == "2.0"
    assert notebook.metadata.course.keys() == {"lesson_sha256", "training"}
    assert notebook.metadata.course.training == "short"
    assert "execution" not in nbformat.writes(notebook).replace("execution_count", "")


def test_an_unknown_lesson_is_a_course_error(course, monkeypatch):
    monkeypatch.chdir(course.root)
    with pytest.raises(CourseError, match="no lesson is called 'x'"):
        render_module.run(argparse.Namespace(lessons=["x"], training="fast"))


def test_the_lesson_sees_its_environment_in_an_empty_folder(course):
    code = 'import os\nprint(os.environ["COURSE_FAST_RUN"], os.listdir())'
    assert cell(rendered(course, code), "evens-2").outputs[0].text == "1 []\n"


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


# Text in pieces, a warning in between, addresses, durations and pictures.
RESTLESS = f"""{PICTURE}
import sys, time
started = time.perf_counter()
print("one", flush=True)
time.sleep(0.3)
print("a warning", file=sys.stderr, flush=True)
time.sleep(0.3)
print("two", object(), flush=True)
took = round(1e3 * (time.perf_counter() - started), 4)
print("in", took, "ms")
from IPython.display import HTML
heads = "<th>it's</th><th>ms a step</th><th>digits</th>"
display(HTML(heads + 2 * f"<td>a</td><td>{{took}}</td><td>3</td>"))
object()"""


def test_two_runs_give_the_same_bytes(course):
    contents = []
    for _ in range(2):
        path = render(course, change(course, RESTLESS), "fast")
        contents.append(path.read_bytes())
        path.unlink()
    assert contents[0] == contents[1]
    outputs = cell(nbformat.reads(contents[0].decode(), as_version=4), "evens-2").outputs
    assert [output.output_type for output in outputs] == [
        "display_data",
        "display_data",
        "stream",
        "display_data",
        "execute_result",
    ]
    assert outputs[2].text == "one\ntwo <object object at 0x…>\nin … ms\n"
    assert outputs[3].data["text/html"].endswith(2 * "<td>a</td><td>…</td><td>3</td>")
    assert outputs[4].data["text/plain"] == "<object at 0x…>"


def test_text_before_and_after_a_figure_stays_there(course):
    code = PICTURE.replace("display(figure", "print('text')\ndisplay(figure")
    outputs = cell(rendered(course, code), "evens-2").outputs
    assert [output.output_type for output in outputs] == ["stream", "display_data"] * 2


def test_of_a_widget_s_outputs_nothing_is_sent_to_the_kernel(course, monkeypatch):
    sent = []
    monkeypatch.setattr(OutputWidget, "send", lambda *args, **_: sent.append(args))
    code = "from ipywidgets import interact\n_ = interact(lambda x: print(x), x=3)\nprint('kept')"
    outputs = cell(rendered(course, code), "evens-2").outputs
    assert [output.text for output in outputs] == ["kept\n"]
    assert sent == []


def test_new_text_is_taken_over_without_running_the_code_again(course, monkeypatch):
    path = course.lesson_path(TINY)
    render(course, Lesson.load(path), "full")
    before = nbformat.read(course.solutions_notebook(TINY), as_version=4)
    text = path.read_text(encoding="utf-8")
    monkeypatch.setattr(render_module, "SteadyClient", lambda *_, **__: pytest.fail("it was run"))
    path.write_text(
        text.replace("# %% [markdown]\n", "# %% [markdown]\n# New words.\n", 1), "utf-8"
    )
    assert render_module.update_text(course, Lesson.load(path), "full")
    after = nbformat.read(course.solutions_notebook(TINY), as_version=4)
    assert "New words." in after.cells[0].source
    outputs = [[cell.get("outputs") for cell in one.cells] for one in (before, after)]
    assert outputs[0] == outputs[1]
    assert find_stale_solutions(course) == []
    assert not render_module.update_text(course, Lesson.load(path), "short")
    assert not render_module.update_text(course, change(course, "math.sqrt(9)"), "full")


def test_comments_and_layout_are_taken_over_and_other_code_is_run(course, monkeypatch):
    path = course.lesson_path(TINY)
    render(course, Lesson.load(path), "full")
    text = path.read_text(encoding="utf-8")
    monkeypatch.chdir(course.root)
    args = argparse.Namespace(lessons=[], training="full", force=False)
    with monkeypatch.context() as patch:
        patch.setattr(render_module, "SteadyClient", lambda *_, **__: pytest.fail("it was run"))
        path.write_text(text.replace("math.sqrt(4)", "# Two.\nmath.sqrt( 4 )  # exactly"), "utf-8")
        assert render_module.run(args) == 0
    notebook = nbformat.read(course.solutions_notebook(TINY), as_version=4)
    assert cell(notebook, "evens-2").source == "# Two.\nmath.sqrt( 4 )  # exactly"
    assert cell(notebook, "evens-2").outputs[0].data["text/plain"] == "2.0"
    assert find_stale_solutions(course) == []
    path.write_text(text.replace("math.sqrt(4)", "math.sqrt(9)"), "utf-8")
    assert find_stale_solutions(course)
    assert render_module.run(args) == 0
    notebook = nbformat.read(course.solutions_notebook(TINY), as_version=4)
    assert cell(notebook, "evens-2").outputs[0].data["text/plain"] == "3.0"
    assert find_stale_solutions(course) == []


def test_of_what_an_older_rendering_holds_too_much_is_left_out(course):
    lesson = Lesson.load(course.lesson_path(TINY))
    path = render(course, lesson, "full")
    fresh = path.read_bytes()
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.course["run"] = {"seconds": 12}
    code = cell(notebook, "evens-2")
    code.outputs[:0] = [
        nbformat.v4.new_output("stream", name="stdout", text=text) for text in ("a in 5", " s\n")
    ]
    nbformat.write(notebook, path)
    assert render_module.update_text(course, lesson, "full")
    updated = nbformat.read(path, as_version=4)
    assert cell(updated, "evens-2").outputs.pop(0).text == "a in … s\n"
    assert (nbformat.writes(updated) + "\n").encode() == fresh


@pytest.mark.parametrize("training", ["none", "full"])
def test_solutions_with_networks_trained_in_full_are_fresh(course, training):
    render(course, Lesson.load(course.lesson_path(TINY)), training)
    assert find_stale_solutions(course) == []


def test_networks_have_to_lie_where_the_data_are(course, monkeypatch, tmp_path):
    course.network("small").parent.mkdir(parents=True)
    course.network("small").touch()
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "elsewhere"))
    with pytest.raises(CourseError, match="networks lie in"):
        render(course, Lesson.load(course.lesson_path(TINY)), "none")


def test_solutions_of_a_short_training_count_as_stale(course):
    render(course, Lesson.load(course.lesson_path(TINY)), "short")
    assert "comes from a short training" in find_stale_solutions(course)[0]


def test_tagged_figures_become_the_lessons_picture(course):
    lesson = change(course, PICTURE)
    cells = [replace(one, tags=("cover",)) if "fig" in one.source else one for one in lesson.cells]
    render(course, replace(lesson, cells=tuple(cells)), "fast")
    with Image.open(course.solutions / "images" / f"{TINY}.png") as picture:
        assert picture.height > 1.5 * picture.width  # two square figures, one above the other
