"""Hostile submissions in one class with honest ones: nothing gained, nobody hurt, nothing left."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
from conftest import TINY
from hostile import ATTACKS, source
from nbformat.v4 import new_code_cell
from test_grade import FULL, checksums, rows, scores

from autograder import grade
from autograder.course import Course
from autograder.lesson import Lesson
from autograder.submissions import fill_in, read_notebook, write_submission

pytestmark = [
    pytest.mark.slow,
    pytest.mark.sandbox,
    pytest.mark.skipif(
        sys.platform != "linux" or not shutil.which("bwrap"), reason="bubblewrap is not installed"
    ),
]
# The cells before which the attack stands.
PLACES = ("numbers-2", "double-test", "evens-test")


def planted() -> set[str]:
    """Return files where attacks leave some: temporary folders, homes, the environment."""
    folders = [tempfile.gettempdir(), Path.home() / ".ipython", *map(Path, sys.path)]
    found = set()
    for folder in map(Path, folders):
        for pattern in ("planted*", "sitecustomize.py"):
            found |= {str(path) for path in folder.glob(pattern)}
    startup = Path.home() / ".ipython" / "profile_default" / "startup"
    return found | {str(path) for path in startup.glob("*.py")}


class Attacked:
    """A class of attackers between two honest students, graded."""

    def __init__(self, course: Course) -> None:
        self.course = course
        lesson = Lesson.load(course.lesson_path(TINY))
        release = read_notebook(course.release_notebook(TINY))
        perfect = fill_in(release, lesson)
        self.students = {name: f"m{number:02}" for number, name in enumerate(ATTACKS)}
        for name, student in self.students.items():
            notebook = read_notebook(course.release_notebook(TINY))
            # Once before everything, and again behind each stub, which would undo it.
            for number, place in enumerate(PLACES):
                cell = new_code_cell(source(name, course.root), id=f"attack-{number}")
                cell.metadata = {"tags": ["skip-execution"]}
                index = [cell.get("id") for cell in notebook.cells].index(place)
                notebook.cells.insert(index, cell)
            for cell in notebook.cells:
                cell.metadata["tags"] = ["skip-execution"]
            write_submission(course, student, TINY, notebook)
        for student in ("a-honest", "z-honest"):
            write_submission(course, student, TINY, perfect)
        self.before = self.files()
        self.planted = planted()
        self.processes = set(psutil.Process().children(recursive=True))
        self.results = grade.grade_lesson(course, TINY, timeout=6, sandbox=True)
        self.scores = scores(self.results)

    def files(self) -> dict[str, bytes]:
        """Return what nobody may change."""
        folders = (self.course.submitted, self.course.source, self.course.release)
        found = {str(folder): checksums(folder) for folder in folders}
        for path in (self.course.root / "nbgrader_config.py", self.course.lesson_path(TINY)):
            found[str(path)] = path.read_bytes()
        return found


@pytest.fixture(scope="module")
def attacked(_built: Course, tmp_path_factory: pytest.TempPathFactory) -> Attacked:
    """The graded class."""
    root = tmp_path_factory.mktemp("attacked") / "course"
    shutil.copytree(_built.root, root)
    return Attacked(Course(root))


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_is_gained(attacked: Attacked, name: str) -> None:
    points = attacked.scores[attacked.students[name]]
    assert points is None or sum(points.values()) == 0, points


def test_nobody_else_s_marks_change(attacked: Attacked) -> None:
    table = rows(attacked.course)
    for student in ("a-honest", "z-honest"):
        assert attacked.scores[student] == FULL
        assert table[student]["auto_total"] == table[student]["total"] == "6"


def test_no_file_and_no_process_is_left(attacked: Attacked) -> None:
    assert attacked.files() == attacked.before
    assert planted() == attacked.planted
    assert set(psutil.Process().children(recursive=True)) == attacked.processes
