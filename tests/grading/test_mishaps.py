"""The catalogue of honest mishaps: each gets the marks its answers earn, and a word about it.

Each is read and made whole; those go through kernels that need one, and in `make proof` all.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Collection

import nbformat
import pytest
from conftest import TINY, is_proof
from graded import checksums, rows, scores
from mishaps import FULL, MISHAPS, NAME, as_bytes
from nbformat import NotebookNode

from autograder.course import Course
from autograder.errors import CourseError
from autograder.grading import grade
from autograder.grading.plan import GradeOptions
from autograder.lesson import Lesson
from autograder.submissions.made import fill_in
from autograder.submissions.matching import NOTES, require_lesson
from autograder.submissions.reading import parse_notebook, read_notebook, read_submission
from autograder.submissions.restore import restore

TIMEOUT = 8
NEIGHBOURS = ("a-honest", "m-honest", "z-honest")
GRADED = [name for name, one in MISHAPS.items() if one.points is not None]
REFUSED = [name for name, one in MISHAPS.items() if one.points is None]
# What these do, or what is said of them, only shows when they are run.
NEEDS_A_KERNEL = {
    "a_library_exchanged",
    "endless_loop_in_an_answer",
    "endless_loop_in_an_own_cell",
    "magics",
    "names_of_python_used_for_variables",
    "names_of_the_lesson_used_for_something_else",
    "names_reset",
    "names_deleted",
    "needs_a_graphics_card",
    "asks_for_input_in_an_answer",
    "asks_for_a_password_in_an_answer",
    "compiles_its_functions",
    "imports_what_only_colab_has",
    "reads_a_file_of_its_own",
    "own_cell_swallows_interrupts",
    "slow_in_the_visible_check_alone",
}
# Of the others, one that can be graded and one that cannot stand for all.
WITH_KERNELS = list(MISHAPS) if is_proof() else [*sorted(NEEDS_A_KERNEL), GRADED[0], REFUSED[0]]


class Handed:
    """A course in which mishaps are handed in, between honest students."""

    def __init__(self, course: Course, mishaps: Collection[str] = tuple(MISHAPS)) -> None:
        self.course = course
        self.lesson = Lesson.load(course.lesson_path(TINY))
        self.release = read_notebook(course.release_notebook(TINY))
        self.students = {name: name.replace("_", "-") for name in mishaps}
        honest = {NAME: as_bytes(fill_in(self.release, self.lesson))}
        handed = dict.fromkeys(NEIGHBOURS, honest)
        for name, student in self.students.items():
            handed[student] = MISHAPS[name].files(self.release, self.lesson)
        for student, files in handed.items():
            folder = course.submitted_notebook(student, TINY).parent
            folder.mkdir(parents=True)
            for name, data in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(data)
        self.before = checksums(course.submitted)

    def read(self, name: str) -> NotebookNode:
        """Return a mishap's notebook as it would be run; raise CourseError if there is none."""
        folder = self.course.submitted_notebook(self.students[name], TINY).parent
        found = read_submission(folder, TINY)
        notebook = parse_notebook(found.data, found.name, found.notes)
        require_lesson(notebook, found.name, TINY, self.release)
        return restore(notebook, self.release)


@pytest.fixture(scope="module")
def handed(_built: Course, tmp_path_factory: pytest.TempPathFactory) -> Handed:
    """The class, not yet graded."""
    root = tmp_path_factory.mktemp("mishaps") / "course"
    return Handed(Course(shutil.copytree(_built.root, root)))


# ------------------------------------------------------------------------------ without a kernel


def points_without_kernel(notebook: NotebookNode) -> dict[str, float]:
    """Return what the definitions in a notebook would earn, running little else."""
    names: dict = {}
    for cell in notebook.cells:
        runs = cell.cell_type == "code" and ("def " in cell.source or "=" in cell.source)
        if runs and "nbgrader" in cell.metadata or cell.source.startswith("def "):
            with contextlib.suppress(Exception):
                exec(cell.source, names)

    def holds(text: str) -> bool:
        try:
            return bool(eval(text, names))
        except Exception:
            return False

    inverse = "mod(Numbers().inverse({0}) + {0}) == 0 and 0 <= Numbers().inverse({0}) < 5"
    return {
        "double": holds("Numbers().double(3) == 6") + holds("Numbers().double(-4) == -8"),
        "inverse": sum(holds(inverse.format(number)) for number in (0, 2, 3)),
        "evens": holds("evens(6) == [0, 2, 4]"),
    }


@pytest.mark.parametrize("name", [one for one in GRADED if one not in NEEDS_A_KERNEL])
def test_answers_are_found(handed: Handed, name: str) -> None:
    mishap = MISHAPS[name]
    made = handed.read(name)
    nbformat.validate(made)
    assert points_without_kernel(made) == mishap.points
    for note in made.metadata[NOTES]:
        assert any(part in note for part in mishap.says), note
    stub = next(cell for cell in handed.release.cells if cell.id == "why-answer").source
    written = next(cell for cell in made.cells if cell.id == "why-answer").source
    assert (written != stub) == mishap.written


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_graded_gets_a_clear_word(handed: Handed, name: str) -> None:
    with pytest.raises(CourseError) as error:
        handed.read(name)
    text = str(error.value)
    for part in MISHAPS[name].says:
        assert part in text
    assert "\n" not in text and ": " in text, "one sentence that says what to do"


# ---------------------------------------------------------------------------------- with kernels


class Graded(Handed):
    """The class after grading."""

    def __init__(self, course: Course) -> None:
        super().__init__(course, WITH_KERNELS)
        results = grade.grade_lesson(course, TINY, GradeOptions(timeout=TIMEOUT))
        self.points = scores(results)
        self.results = {result.student: result for result in results}


@pytest.fixture(scope="module")
def graded(_built: Course, tmp_path_factory: pytest.TempPathFactory) -> Graded:
    """The class, graded once for all tests."""
    root = tmp_path_factory.mktemp("graded-mishaps") / "course"
    return Graded(Course(shutil.copytree(_built.root, root)))


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_KERNELS)
def test_each_gets_its_points_and_its_word(graded: Graded, name: str) -> None:
    mishap, student = MISHAPS[name], graded.students[name]
    assert graded.points[student] == mishap.points
    remarks = graded.results[student].remarks
    for part in mishap.says:
        assert any(part in remark for remark in remarks), remarks
    assert bool(remarks) == bool(mishap.says), remarks
    assert (graded.results[student].unread == 1) == mishap.written


@pytest.mark.slow
def test_honest_neighbours_and_the_submitted_files_are_untouched(graded: Graded) -> None:
    table = rows(graded.course)
    for student in NEIGHBOURS:
        assert graded.points[student] == FULL
        assert graded.results[student].remarks == []
        assert table[student]["auto_total"] == "6"
    assert len(table) == len(WITH_KERNELS) + len(NEIGHBOURS)
    assert checksums(graded.course.submitted) == graded.before
