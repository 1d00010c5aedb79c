"""The preprocessors in nbgrader's own steps: plain `autograde` and `generate_feedback`."""

from __future__ import annotations

from ast import literal_eval
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT, TINY, make_course
from nbgrader.apps import NbGraderAPI
from traitlets.config import PyFileConfigLoader

from autograder.build.generate import build
from autograder.course import Course
from autograder.grading.surviving import UNSTOPPABLE
from autograder.lesson import Lesson
from autograder.lesson.markers import fill_blocks
from autograder.nbgrader_plugins import HideHiddenTests

ALL = {"double-test": 2, "inverse-test": 3, "evens-test": 1}
NONE = dict.fromkeys(ALL, 0)
STUBBORN = """while True:
    try:
        while True:
            pass
    except KeyboardInterrupt:
        pass"""


def cell(notebook, id):
    return next(one for one in notebook.cells if one.id == id)


def drop(notebook, *ids):
    notebook.cells = [one for one in notebook.cells if one.id not in ids]


def copied(notebook):
    notebook.cells += deepcopy([cell(notebook, "numbers"), cell(notebook, "evens-test")])


def without_metadata(notebook):
    for one in notebook.cells:
        one.metadata = {}
        one.pop("id")
    notebook.metadata = {}
    notebook.nbformat_minor = 4


def odd_schema(notebook):
    for one, version in zip(notebook.cells, [99, None, 1] * 9, strict=False):
        if "nbgrader" in one.metadata:
            one.metadata.nbgrader["schema_version"] = version
            if version is None:
                del one.metadata.nbgrader["schema_version"]


def edit(id, old, new):
    def change(notebook):
        target = cell(notebook, id)
        assert old in target.source
        target.source = target.source.replace(old, new)

    return change


def insert_before(id, source):
    def change(notebook):
        index = notebook.cells.index(cell(notebook, id))
        notebook.cells.insert(index, nbformat.v4.new_code_cell(source))

    return change


def wrong_types(notebook):
    cell(notebook, "numbers").cell_type = "markdown"
    cell(notebook, "double-test").cell_type = "raw"


def skip(notebook):
    for one in notebook.cells:
        one.metadata["tags"] = ["skip-execution"]


def no_kernel(notebook):
    notebook.metadata["kernelspec"] = {"name": "gone", "display_name": "Gone"}


def hostile(notebook):
    insert_before(
        "evens-test",
        "from IPython.display import HTML, display\n"
        "display(HTML('<script>ran(1)</script>'))\nprint('\\x1b[31mred')",
    )(notebook)
    cell(notebook, "why-answer").source = "<script>ran(2)</script>Since $a<b$."
    cell(notebook, "why-answer").attachments = {"x.svg": {"image/svg+xml": "PHN2Zy8+"}}


# How the worked-out notebook is changed, and the marks it must then get.
SUBMISSIONS = {
    "solved": (lambda notebook: None, ALL),
    "deleted tests": (lambda notebook: drop(notebook, "double-test", "inverse-test"), ALL),
    "deleted answer": (lambda notebook: drop(notebook, "evens-answer"), {**ALL, "evens-test": 0}),
    "deleted given": (lambda notebook: drop(notebook, "given"), ALL),
    "copied": (copied, ALL),
    "without metadata": (without_metadata, ALL),
    "odd schema": (odd_schema, ALL),
    "wrong types": (wrong_types, ALL),
    "no kernel": (no_kernel, ALL),
    "edited tests": (
        lambda notebook: [
            edit("double-test", "assert Numbers().double(1) == 2", "assert True")(notebook),
            edit("numbers", "doubled = 2 * a", "doubled = 3")(notebook),
        ],
        {**ALL, "double-test": 0},
    ),
    "partial": (
        edit("numbers", "doubled = 2 * a", "doubled = abs(2 * a)"),
        {**ALL, "double-test": 1},
    ),
    "warns": (
        edit("numbers", "doubled = 2 * a", 'import warnings; warnings.warn("w"); doubled = 2 * a'),
        ALL,
    ),
    "syntax error": (edit("evens-answer", "result.append(i)", "("), {**ALL, "evens-test": 0}),
    "skipped": (
        lambda notebook: [skip(notebook), edit("numbers", "2 * a", "a")(notebook)],
        {**ALL, "double-test": 0},
    ),
    "endless": (
        edit("evens-answer", "result.append(i)", "while True: pass"),
        {**ALL, "evens-test": 0},
    ),
    "stubborn": (insert_before("evens-test", STUBBORN), {**ALL, "evens-test": 0}),
    "killed": (
        insert_before("inverse-test", "import os\nos._exit(1)"),
        {**NONE, "double-test": 2},
    ),
    "hostile": (hostile, ALL),
    "backend": (
        insert_before(
            "double-test",
            "import os\nfor name in ('COURSE_FAST_RUN', 'COURSE_GRADING'):\n"
            "    assert os.environ[name] == '1', os._exit(1)\n"
            "if 'inline' not in os.environ['MPLBACKEND']: os._exit(1)",
        ),
        ALL,
    ),
}


def open_api(course: Course) -> NbGraderAPI:
    """Return nbgrader's API with the course's configuration and short timeouts."""
    config = PyFileConfigLoader("nbgrader_config.py", path=str(course.root)).load_config()
    config.CourseDirectory.root = str(course.root)
    config.GradingExecute.timeout = 3
    config.GradingExecute.patience = 1
    return NbGraderAPI(config=config)


def submit(course: Course, student: str, notebook) -> None:
    path = course.submitted_notebook(student, TINY)
    path.parent.mkdir(parents=True)
    path.write_text(nbformat.writes(notebook), encoding="utf-8")


@pytest.fixture(scope="module")
def graded(tmp_path_factory) -> Course:
    """A course with all submissions graded by plain nbgrader."""
    course = make_course(tmp_path_factory.mktemp("graded") / "course")
    build(course)
    lesson = Lesson.load(course.lesson_path(TINY))
    release = nbformat.read(course.release_notebook(TINY), as_version=4)
    solved = deepcopy(release)
    for one in lesson.cells:
        if one.grade == "solution":
            bodies = ["doubled = 2 * a", "inverted = mod(-a)"]
            bodies = bodies if one.id == "numbers" else ["result.append(i)"]
            cell(solved, one.id).source = fill_blocks(cell(solved, one.id).source, bodies)
    cell(solved, "why-answer").source = "A group."
    for student, (change, _) in SUBMISSIONS.items():
        notebook = deepcopy(solved)
        change(notebook)
        submit(course, student, notebook)
    submit(course, "untouched", release)
    api = open_api(course)
    assert api.generate_assignment(TINY)["success"]
    result = api.autograde(TINY, "*")
    assert result["success"], result["log"]
    assert api.generate_feedback(TINY)["success"]
    return course


def grades(course: Course, student: str) -> dict:
    with open_api(course).gradebook as gradebook:
        notebook = gradebook.find_submission_notebook(TINY, TINY, student)
        return {one.name: (one.auto_score, one.needs_manual_grade) for one in notebook.grades}


def autograded(course: Course, student: str):
    path = course.autograded / student / TINY / f"{TINY}.ipynb"
    return nbformat.read(path, as_version=4)


def feedback(course: Course, student: str) -> str:
    path: Path = course.feedback / student / TINY / f"{TINY}.html"
    return path.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("student", SUBMISSIONS)
def test_each_submission_gets_its_marks(graded, student):
    marks = grades(graded, student)
    assert {id: marks[id][0] for id in ALL} == SUBMISSIONS[student][1]
    assert marks["why-answer"] == (None, True)


@pytest.mark.slow
def test_the_untouched_release_gets_nothing_and_needs_nobody(graded):
    assert grades(graded, "untouched") == {id: (0, False) for id in (*ALL, "why-answer")}


@pytest.mark.slow
def test_notes_stay_with_the_graded_notebook(graded):
    notes = autograded(graded, "deleted tests").metadata.course_notes
    assert notes == [
        f"The cell {id} was missing; it is back as released."
        for id in ("double-test", "inverse-test")
    ]
    assert autograded(graded, "solved").metadata.course_notes == []


@pytest.mark.slow
def test_a_lost_kernel_is_said_in_every_cell_it_leaves(graded):
    notebook = autograded(graded, "killed")
    assert cell(notebook, "inverse-test").outputs[0].ename == "KernelLost"
    assert (
        "Not run: Python was lost in cell own-1" in cell(notebook, "evens-test").outputs[0].evalue
    )
    assert cell(notebook, "own-1").outputs[0].evalue == "Python stopped in this cell."
    outputs = cell(autograded(graded, "stubborn"), "own-1").outputs
    assert outputs[-1].evalue == UNSTOPPABLE


@pytest.mark.slow
def test_the_seed_is_drawn_once_and_noted_in_each_notebook(graded):
    seed = int((graded.root / ".grading-seed").read_text(encoding="utf-8"))
    for student in ("solved", "partial", "untouched"):
        assert autograded(graded, student).metadata.course_seed == seed


@pytest.mark.slow
def test_the_kernel_is_told_the_seed_and_the_folder_of_private_tests(built_course, tmp_path):
    release = nbformat.read(built_course.release_notebook(TINY), as_version=4)
    names = ("COURSE_GRADING_SEED", "COURSE_PRIVATE_TESTS")
    insert_before("evens-test", f"import os\n[os.environ[name] for name in {names}]")(release)
    submit(built_course, "ann", release)
    api = open_api(built_course)
    assert api.generate_assignment(TINY)["success"]
    own = tmp_path / "own tests"
    for seed, folder, expected in ((5, "", ""), (0, "../own tests", str(own))):
        own.mkdir(exist_ok=True)
        api.config.GradingExecute.seed = seed
        api.config.GradingExecute.private_tests = folder
        result = api.autograde(TINY, "ann", force=True)
        assert result["success"], result["log"]
        made = autograded(built_course, "ann")
        assert made.metadata.course_seed == seed
        told = literal_eval(cell(made, "own-1").outputs[0].data["text/plain"])
        assert told == [str(seed), expected]
    assert not (built_course.root / ".grading-seed").exists()

    api.config.GradingExecute.private_tests = "../nowhere"
    result = api.autograde(TINY, "ann", force=True)
    assert not result["success"] and "there is no folder" in result["log"]


@pytest.mark.slow
def test_warnings_are_kept_as_output(graded):
    outputs = cell(autograded(graded, "warns"), "double-test").outputs
    assert [output.name for output in outputs if output.output_type == "stream"] == ["stdout"]
    assert "UserWarning: w" in outputs[0].text


@pytest.mark.slow
def test_graders_see_the_mark_scheme_and_hidden_tests_but_feedback_does_not(graded):
    text = nbformat.writes(autograded(graded, "syntax error"))
    page = feedback(graded, "syntax error")
    for secret in ("BEGIN HIDDEN TESTS", "names the group"):
        assert secret in text
        assert secret not in page
    assert "double_points" not in page
    assert "NameError" in page
    assert "evens(6)" not in page


@pytest.mark.slow
def test_what_graders_look_at_is_harmless(graded):
    notebook = autograded(graded, "hostile")
    shown, printed = cell(notebook, "own-1").outputs
    assert shown.data == {"text/plain": "<IPython.core.display.HTML object>"}
    assert printed.text == "red\n"
    answer = cell(notebook, "why-answer")
    assert answer.source == "< script>ran(2)< /script>Since $a< b$." and "attachments" not in answer
    assert "<script>ran" not in feedback(graded, "hostile")


def test_tracebacks_in_feedback_do_not_quote_hidden_tests():
    marks = {"grade": True, "solution": False, "locked": True, "grade_id": "t", "points": 1}
    failed = nbformat.v4.new_code_cell(
        "a = 1\n### BEGIN HIDDEN TESTS\nassert secret()\n### END HIDDEN TESTS",
        metadata={"nbgrader": marks},
        outputs=[
            nbformat.v4.new_output(
                "error", ename="AssertionError", evalue="why", traceback=["assert secret()"]
            )
        ],
    )
    notebook = nbformat.v4.new_notebook(cells=[failed])
    made, _ = HideHiddenTests().preprocess(notebook, {})
    assert made.cells[0].source == "a = 1"
    assert made.cells[0].outputs[0].traceback == ["AssertionError: why"]


def test_the_configuration_sets_no_environment_variables(monkeypatch):
    for name in ("COURSE_FAST_RUN", "COURSE_GRADING", "MPLBACKEND"):
        monkeypatch.delenv(name, raising=False)
    import os

    before = dict(os.environ)
    config = PyFileConfigLoader("nbgrader_config.py", path=str(ROOT)).load_config()
    assert config.GradingExecute.timeout == 60
    assert dict(os.environ) == before
