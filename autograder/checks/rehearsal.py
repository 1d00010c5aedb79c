"""Try private hidden tests on the lesson's own solution, before they meet a student's answer."""

from __future__ import annotations

import functools
from pathlib import Path

from autograder.checks import reference
from autograder.checks.judge import failure_of
from autograder.checks.places import here
from autograder.checks.private import load
from autograder.errors import CourseError
from autograder.lesson import Lesson


def rehearse(folder: Path, lesson: Lesson, seed: int) -> None:
    """Try the private properties on the lesson's own solution, before they meet a student's.

    Raises CourseError for a mistake in the folder or its file, and for a property that the solution
    does not have: every submission would lose its points.
    """
    if not folder.is_dir():
        raise CourseError(
            f"there is no folder {folder}: make it, or correct c.GradingExecute.private_tests in "
            "nbgrader_config.py"
        )
    stems = {path.stem for path in lesson.path.parent.glob("*.py")}
    for path in sorted(folder.glob("*.py")):
        if path.stem not in stems:
            raise CourseError(f"{path}: no lesson is called {path.stem!r}; rename the file")
    items = load(folder, lesson)
    solution = reference.namespace(lesson, {}) if items else {}
    place = functools.partial(here, lambda: solution)
    for item in items:
        failure = failure_of(item.exercise, item, place, seed)
        if failure:
            raise CourseError(
                f"{folder / lesson.stem}.py:{item.line}: the property {item.name!r} of "
                f"{item.exercise!r} does not hold for the lesson's own solution ({failure}): "
                "correct the property"
            )
