"""A small course in a temporary folder, for all tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from autograder.build import build
from autograder.course import Course
from autograder.lesson import Lesson

SANDBOX_VARIABLE = "COURSE_SANDBOX_TESTS"
ROOT = Path(__file__).resolve().parent.parent
TINY = "00_tiny"
PYPROJECT = '[project.urls]\nRepository = "https://github.com/someone/some-course"\n'


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of the sandbox unless they are asked for: they take many minutes."""
    if os.environ.get(SANDBOX_VARIABLE) != "1":
        for item in items:
            if item.get_closest_marker("sandbox"):
                item.add_marker(pytest.mark.skip(reason=f"run with {SANDBOX_VARIABLE}=1"))


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
