"""A small course in a temporary folder, for all tests."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

from autograder.book.names import lesson_names
from autograder.build.generate import build
from autograder.checks.places import SEED_VARIABLE
from autograder.course import Course
from autograder.errors import CourseError
from autograder.grading.plan import GradeOptions
from autograder.lesson import Lesson
from autograder.sandbox.bubblewrap import find_bwrap

# The workers of pytest-xdist, and what they start, share the processors. Threads that wait for each
# other can take thirty times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)

ROOT = Path(__file__).resolve().parent.parent
TINY = "00_tiny"
PROOF = "COURSE_PROOF"
PYPROJECT = """[project.urls]
Repository = "https://github.com/someone/some-course"

[tool.course]
edition = "2026.1"
"""


def is_proof() -> bool:
    """Return whether everything is to be run: `make proof`."""
    return os.environ.get(PROOF) == "1"


@functools.cache
def no_sandbox() -> str:
    """Return why there is no sandbox on this machine, "" if there is one."""
    try:
        find_bwrap()
    except CourseError as error:
        return str(error)
    return ""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare --proof."""
    parser.addoption("--proof", action="store_true", help="run everything, with no samples")


def pytest_configure(config: pytest.Config) -> None:
    """Let test modules know of --proof before they are imported, on every worker."""
    if config.getoption("--proof"):
        os.environ[PROOF] = "1"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only the proof runs; skip what needs the sandbox where there is none."""
    if not is_proof():
        left_out = [item for item in items if item.get_closest_marker("proof")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("proof")]
    for item in items:
        if item.get_closest_marker("sandbox") and no_sandbox():
            item.add_marker(pytest.mark.skip(reason=no_sandbox()))


@pytest.fixture(autouse=True, scope="session")
def _grade_where_there_is_no_sandbox() -> None:
    """Let tests that only need something graded do so without the sandbox where there is none."""
    if no_sandbox():
        GradeOptions.__init__.__kwdefaults__["sandbox"] = False


@pytest.fixture(autouse=True, scope="session")
def _ask_once_for_the_version_of_gradebooks() -> None:
    """Or else each new gradebook starts a Python of its own, alembic's, for what is the same."""
    from nbgrader import api

    api.get_alembic_version = functools.cache(api.get_alembic_version)


@functools.cache
def lesson_of(stem: str) -> Lesson:
    """Return a lesson of this course."""
    return Lesson.load(Course(ROOT).lesson_path(stem))


@pytest.fixture
def in_the_course(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where and how a catalogued solution is judged."""
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv(SEED_VARIABLE, raising=False)
    monkeypatch.setenv("COURSE_FAST_RUN", "1")
    with torch.enable_grad():  # a variant may leave it switched off
        yield


@contextlib.contextmanager
def names_with_small_digits(stem: str, folder: Path) -> Iterator[SimpleNamespace]:
    """Yield what a lesson of this course defines; nothing is downloaded, `folder` is its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_FAST_RUN", "1")
        patch.setenv("COURSE_DATA", str(folder / "data"))
        patch.chdir(folder)
        with torch.random.fork_rng():
            names = lesson_names(lesson_of(stem))
        yield names


def make_course(root: Path) -> Course:
    """Return a course in `root` with the tiny lesson, not yet built."""
    (root / "notebooks").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "lessons" / f"{TINY}.py", root / "notebooks")
    shutil.copy(ROOT / "nbgrader_config.py", root)
    (root / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    return Course(root)


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A course with the tiny lesson, not yet built."""
    return make_course(tmp_path / "course")


@pytest.fixture(scope="session")
def _built(tmp_path_factory: pytest.TempPathFactory) -> Course:
    made = make_course(tmp_path_factory.mktemp("built") / "course")
    build(made)
    return made


@pytest.fixture
def built_course(_built: Course, tmp_path: Path) -> Course:
    """A course with the tiny lesson, built; each test has its own copy."""
    shutil.copytree(_built.root, tmp_path / "built")
    return Course(tmp_path / "built")


@pytest.fixture
def tiny(course: Course) -> Lesson:
    """The tiny lesson."""
    return Lesson.load(course.lesson_path(TINY))


@pytest.fixture(scope="session")
def escnn() -> ModuleType:
    """escnn, a library of equivariant layers written by others, or a skipped test."""
    try:
        import escnn
        import escnn.gspaces
        import escnn.nn
    except ImportError as error:
        pytest.skip(
            f"escnn cannot be imported here ({error}); CONTRIBUTING.md, 'The oracle and escnn', "
            "says how to install it for this test"
        )
    return escnn
