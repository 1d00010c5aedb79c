"""The student notebook on Colab: alone in an empty folder, with what Colab brings and no more.

The kernel runs with a folder in front of its path whose `sitecustomize` hides what Colab does not
have, and whose `pip` writes down what is asked of it and then lets Lightning be found. Given cells
that only draw or train, of which no exercise or check needs anything, are run in the first lesson,
and in the proof.
"""

from __future__ import annotations

import json
import os
import re
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT, is_proof
from mishaps import saved_by_colab

from autograder.clients import SteadyClient
from autograder.course import Course
from autograder.grading.needed import needed_cells
from autograder.lesson import Lesson
from autograder.lesson.markers import stub_blocks
from autograder.submissions.cells import cell_by_id
from autograder.submissions.made import fill_in
from autograder.submissions.matching import NOTES
from autograder.submissions.restore import restore

COURSE = Course(ROOT)
# What checks itself without being an exercise.
FURTHER_CHECKS = {"01_regular_group_convolutions": ["The group axioms"]}

CHECK = re.compile(r"^with checking\(", re.MULTILINE)

SITECUSTOMIZE = """
import sys
from importlib.machinery import PathFinder
from pathlib import Path

ABSENT = {"autograder", "jupytext", "nbgrader"}  # the course's own tools: never on Colab
LATER = {"lightning", "lightning_utilities", "pytorch_lightning", "torchmetrics"}
INSTALLED = Path(__file__).with_name("installed.json")
find = PathFinder.find_spec


def find_spec(name, path=None, target=None):
    top = name.partition(".")[0]
    if top in ABSENT or (top in LATER and not INSTALLED.exists()):
        return None
    return find(name, path, target)


PathFinder.find_spec = staticmethod(find_spec)
"""
PIP = """
import json
import sys
from pathlib import Path

constraints = Path(sys.argv[sys.argv.index("-c") + 1]).read_text(encoding="utf-8")
asked = {"arguments": sys.argv[1:], "constraints": constraints.split()}
path = Path(__file__).parents[1] / "installed.json"
assert not path.exists(), "installed twice"
path.write_text(json.dumps(asked), encoding="utf-8")
"""


class Colab:
    """A notebook that was run there: its cells with outputs, the folder, and pip's orders."""

    def __init__(self, stem: str, site: Path, folder: Path) -> None:
        self.stem, self.lesson = stem, Lesson.load(COURSE.lesson_path(stem))
        self.further_checks = FURTHER_CHECKS.get(stem, [])
        site.mkdir()
        folder.mkdir()
        (site / "sitecustomize.py").write_text(SITECUSTOMIZE, encoding="utf-8")
        (site / "pip").mkdir()
        (site / "pip" / "__init__.py").touch()
        (site / "pip" / "__main__.py").write_text(PIP, encoding="utf-8")
        self.folder = folder
        self.notebook = fill_in(nbformat.read(COURSE.release_notebook(stem), 4), self.lesson)
        self.last = nbformat.v4.new_code_cell("progress()")
        self.notebook.cells.append(self.last)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("COURSE_")}
        environment |= {
            "COURSE_FAST_RUN": "1",
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "PYTHONPATH": str(site),
        }
        resources = {"metadata": {"path": str(folder)}}
        client = SteadyClient(self.notebook, timeout=600, resources=resources)
        with client.setup_kernel(env=environment):
            for index in self.to_run():
                client.execute_cell(self.notebook.cells[index], index)
        self.asked = json.loads((site / "installed.json").read_text(encoding="utf-8"))

    def to_run(self) -> list[int]:
        """Return which cells are run: of the first lesson, and in the proof, all."""
        cells = self.notebook.cells
        if is_proof() or self.stem == COURSE.lessons()[0]:
            return list(range(len(cells)))
        given = {cell.id for cell in cells[:-1] if not CHECK.search(cell.source)}
        return sorted(needed_cells(self.notebook, self.lesson, given))

    def printed(self, *ids: str) -> str:
        """Return what the cells with these ids printed, all cells' if none is named."""
        return "".join(
            output.text
            for cell in self.notebook.cells
            for output in cell.get("outputs", [])
            if output.output_type == "stream" and (not ids or cell.id in ids)
        )


@pytest.fixture(scope="module", params=COURSE.lessons())
def colab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Colab:
    """A worked-out student notebook, run once."""
    folder = tmp_path_factory.mktemp("colab")
    return Colab(request.param, folder / "site", folder / "content")


@pytest.mark.slow
def test_only_what_is_missing_is_installed(colab: Colab) -> None:
    arguments = colab.asked["arguments"]
    assert arguments[:3] == ["install", "--quiet", "-c"]
    assert arguments[4:] == ["pytorch-lightning>=2.2,<3"]
    assert colab.asked["constraints"] == [f"{name}=={version(name)}" for name in ("torch", "numpy")]


@pytest.mark.slow
def test_the_setup_prints_one_line_on_versions_and_device(colab: Colab) -> None:
    installing, line = colab.printed("setup").splitlines()
    assert installing == "Installing pytorch-lightning>=2.2,<3 …"
    assert re.fullmatch(
        r"Python 3\.\S+ · torch \S+ · torchvision \S+ · Lightning \S+ · device: (cpu|cuda)", line
    )
    assert f"torch {version('torch')}" in line
    outputs = [o for c in colab.notebook.cells if c.id == "setup" for o in c.outputs]
    assert [output.output_type for output in outputs] == ["stream", "stream"]


@pytest.mark.slow
def test_it_runs_to_its_end_and_all_visible_checks_pass(colab: Colab) -> None:
    printed = colab.printed()
    for exercise in colab.lesson.tested:
        assert f"All visible checks of {exercise.label} passed. The grader also" in printed
    for text in colab.further_checks:
        assert f"All visible checks of {text} passed.\n" in printed
    assert {path.name for path in colab.folder.iterdir()} <= {"data", "runs"}


@pytest.mark.slow
def test_progress_ends_with_everything_done(colab: Colab) -> None:
    number = len(colab.lesson.tested)
    answers = [cell.source for cell in colab.lesson.answers]
    blocks = "\n".join(answers).count("## YOUR CODE STARTS HERE ##")
    assert "".join(output.text for output in colab.last.outputs) == (
        f"{blocks} of {blocks} blocks done, {number} of {number} exercises pass their visible "
        "checks, next: the written questions\n"
    )


@pytest.mark.slow
def test_what_colab_saves_is_made_whole_again(colab: Colab) -> None:
    """Ids in the metadata, all other metadata collapsed, outputs; grading is tested elsewhere."""
    release = nbformat.read(COURSE.release_notebook(colab.stem), as_version=4)
    saved = saved_by_colab(release, colab.lesson)
    for cell, run in zip(saved.cells, colab.notebook.cells, strict=False):
        assert set(cell.metadata) <= {"id", "colab", "outputId", "executionInfo"}
        if cell.cell_type == "code":
            cell.outputs = run.outputs
    whole = restore(json.loads(json.dumps(saved)), release)
    assert whole.metadata[NOTES] == []
    for cell in colab.lesson.cells:
        if cell.grade == "solution":
            answer = cell_by_id(whole, cell.id)
            assert answer.source == cell_by_id(colab.notebook, cell.id).source
            assert answer.source != stub_blocks(cell.source)
        if cell.grade:
            assert cell_by_id(whole, cell.id).metadata == cell_by_id(release, cell.id).metadata
