"""Gradescope's zip grades in a folder tree of its form; the workflow for Actions runs `check`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
import yaml
from conftest import TINY

from autograder import cli
from autograder.checks import private
from autograder.course import Course
from autograder.exchange.hosted import workflow
from autograder.grading.assess import Assessment
from autograder.grading.hosted import as_results, results_of
from autograder.lesson import Lesson
from autograder.submissions.made import fill_in
from autograder.submissions.reading import read_notebook

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the places are Linux machines")


@pytest.fixture(scope="module")
def autograder(_built: Course, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder tree as Gradescope makes it, with the zip unpacked."""
    root = tmp_path_factory.mktemp("gradescope")
    course = Course(shutil.copytree(_built.root, root / "course"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(course.root)
        words = ["export", "--for", "gradescope", "--visibility", "after_published"]
        assert cli.main(words) == 1, "which lesson?"
        assert cli.main([*words, TINY]) == 0
    home = root / "autograder"
    with zipfile.ZipFile(course.root / "_build" / f"{TINY}-gradescope.zip") as pack:
        assert {"setup.sh", "run_autograder"} <= set(pack.namelist())
        pack.extractall(home / "source")
    shutil.copy(home / "source" / "run_autograder", home)
    for name in ("submission", "results"):
        (home / name).mkdir()
    subprocess.run(["bash", "-n", str(home / "source" / "setup.sh")], check=True)
    return home


def hand_in(home: Path, files: dict[str, str]) -> Path:
    """Write some files as the submission; return their folder."""
    folder = home / "submission"
    shutil.rmtree(folder)
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def graded(home: Path, files: dict[str, str]) -> dict:
    """Hand in some files and run the zip's own script; return results.json."""
    hand_in(home, files)
    env = {"AUTOGRADER_ROOT": str(home), "AUTOGRADER_PYTHON": sys.executable, "PYTHONPATH": ""}
    done = subprocess.run(
        ["bash", str(home / "run_autograder")],
        env=os.environ | env,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads((home / "results" / "results.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_gradescope_s_zip_grades_in_its_own_folders(autograder: Path) -> None:
    course = Course(autograder / "source")
    lesson = Lesson.load(course.lesson_path(TINY))
    release = read_notebook(course.release_notebook(TINY))
    right = fill_in(release, lesson)
    result = graded(autograder, {f"{TINY}.ipynb": nbformat.writes(right)})
    points = sum(ex.points for ex in lesson.tested)
    assert sum(test["score"] for test in result["tests"]) == points
    assert sum(test["max_score"] for test in result["tests"]) == points
    assert {test["visibility"] for test in result["tests"]} == {"after_published"}
    assert result["visibility"] == "visible" and "written answer" in result["output"]
    # Nothing that can be graded is no crash.
    result = graded(autograder, {})
    assert result["score"] == 0 and result["output"].startswith("Not graded: ")
    # What follows is called as the script does, without another Python for each.
    for files in ({"essay.pdf": "%PDF"}, {f"{TINY}.ipynb": "{"}):
        result = results_of(course, TINY, hand_in(autograder, files), "after_published")
        assert result["score"] == 0 and result["output"].startswith("Not graded: ")
    # Left open, under another name: no points, and a word about the name.
    folder = hand_in(autograder, {"mine.ipynb": nbformat.writes(release)})
    result = results_of(course, TINY, folder, "after_published")
    assert sum(test["score"] for test in result["tests"]) == 0
    assert "mine.ipynb" in result["output"]
    assert {test["status"] for test in result["tests"]} == {"failed"}


def test_each_property_is_a_test_of_its_own(built_course: Course) -> None:
    lesson = Lesson.load(built_course.lesson_path(TINY))
    first = lesson.tested[0]
    report = f"Hidden tests of {first.label}, {first.title}:\n✓ positive numbers (1.5 of 1.5)\n"
    report += "✗ negative numbers (0 of 0.5)\n    expected -8, got 8\n"
    notebook = read_notebook(built_course.release_notebook(TINY))
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == first.test_cell_id:
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=report)]
    graded = Assessment("", "1", 1, notebook=nbformat.writes(notebook), notes=("Mended.",))
    found = as_results(graded, lesson, "hidden")
    tests = [test for test in found["tests"] if test["name"].startswith(f"{first.label} ·")]
    assert [
        (t["name"], t["score"], t["max_score"], t["output"], t["visibility"]) for t in tests
    ] == [
        (f"{first.label} · positive numbers", 1.5, 1.5, "", "hidden"),
        (f"{first.label} · negative numbers", 0, 0.5, "expected -8, got 8", "hidden"),
    ]
    assert found["output"].startswith("Mended.")


def test_what_the_workflow_holds(built_course: Course) -> None:
    text = workflow(built_course, TINY)
    assert "someone/some-course" in text and private.__name__ not in text
    assert "HIDDEN" not in text and "solution" not in text
    steps = yaml.safe_load(text)["jobs"]["check"]["steps"]
    assert [step.get("uses", "run").partition("@")[0] for step in steps] == [
        *("actions/checkout", "actions/checkout", "actions/setup-python", "run", "run"),
    ]


@pytest.mark.slow
def test_the_workflow_puts_what_check_says_into_the_summary(
    built_course: Course, tmp_path: Path
) -> None:
    step = yaml.safe_load(workflow(built_course, TINY))["jobs"]["check"]["steps"][-1]
    work, tools = tmp_path / "work", tmp_path / "tools"
    (work / "hw").mkdir(parents=True)
    tools.mkdir()
    (tools / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    (tools / "python").chmod(0o755)
    shutil.copy(built_course.release_notebook(TINY), work / "hw")
    shutil.copytree(built_course.root, work / ".course")
    for words in (["init", "--quiet"], ["add", "hw"]):
        subprocess.run(["git", *words], cwd=work, check=True)
    summary = tmp_path / "summary.md"
    env = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "GITHUB_STEP_SUMMARY": str(summary)}
    env |= {"PYTHONPATH": str(Path(cli.__file__).parent.parent)} | step["env"]
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", step["run"]],
        cwd=work,
        env=os.environ | env,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1, "not everything is done"
    said = summary.read_text(encoding="utf-8")
    assert said.startswith("```\n") and said.endswith("```\n") and "still to do" in said
