"""Hidden tests of an instructor's own, from a folder outside the repository.

The folder is named once, as `c.GradingExecute.private_tests` in nbgrader_config.py. For a lesson it
holds a Python file of the lesson's name, which adds properties to exercises:

    from autograder.checks.private import Properties

    properties = Properties()


    @properties.add("product", name="three products in a row", weight=1)
    def _(lesson, given): ...

They are tested besides the lesson's own hidden properties. The exercise keeps its points, and all
its properties share them by weight; the points of the lesson's own are their weights.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autograder.checks.properties import Property
from autograder.errors import CourseError
from autograder.lesson import Lesson

VARIABLE = "COURSE_PRIVATE_TESTS"


@dataclass(frozen=True)
class PrivateProperty(Property):
    """A property of one exercise; `points` is its weight, `line` is where it stands in its file."""

    exercise: str
    line: int


class Properties:
    """The private properties of one lesson."""

    def __init__(self) -> None:
        self.items: list[PrivateProperty] = []

    def add(self, exercise: str, name: str, weight: float = 1) -> Callable:
        """Register the decorated function (lesson, given) as a property of an exercise."""

        def register(test: Callable) -> Callable:
            line = test.__code__.co_firstlineno
            self.items.append(PrivateProperty(name, weight, test, exercise, line))
            return test

        return register


def for_exercise(lesson: Lesson, exercise: str) -> list[PrivateProperty]:
    """Return the private properties of one exercise, from the folder $COURSE_PRIVATE_TESTS.

    Raises CourseError for a mistake in the lesson's file; [] if there is no folder or no file.
    """
    folder = os.environ.get(VARIABLE)
    items = load(Path(folder), lesson) if folder else []
    return [item for item in items if item.exercise == exercise]


def load(folder: Path, lesson: Lesson) -> list[PrivateProperty]:
    """Return the private properties of a lesson (see `parse`); [] if it has no file."""
    path = folder / f"{lesson.stem}.py"
    return parse(path.read_text(encoding="utf-8"), path, lesson) if path.is_file() else []


def parse(text: str, path: Path, lesson: Lesson) -> list[PrivateProperty]:
    """Return the private properties in the text of a lesson's file in their order.

    Raises CourseError, naming file, line and exercise, for the first mistake.
    """
    items = _execute(text, path).items
    known = {ex.id for ex in lesson.exercises if not ex.manual}
    seen = set()
    for item in items:
        where = f"{path}:{item.line}: the property {item.name!r} of {item.exercise!r}"
        if item.exercise not in known:
            raise CourseError(
                f"{where}: {lesson.stem} has no tested exercise of this name; it has: "
                + ", ".join(sorted(known))
            )
        if not isinstance(item.points, int | float) or not 0 < item.points < float("inf"):
            raise CourseError(f"{where}: its weight must be a number above 0, not {item.points!r}")
        if (item.exercise, item.name) in seen:
            raise CourseError(f"{where}: there is another one of this name; rename one of them")
        seen.add((item.exercise, item.name))
    return items


def _execute(text: str, path: Path) -> Properties:
    """Run a file of private properties; raise CourseError if it stops or has no `properties`."""
    names: dict = {"__name__": path.stem, "__file__": str(path)}
    try:
        exec(compile(text, str(path), "exec"), names)
    except SyntaxError as error:
        raise CourseError(f"{path}:{error.lineno}: not valid Python: {error.msg}") from error
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(path)]
        where = f"{path}:{lines[-1]}" if lines else str(path)
        raise CourseError(f"{where}: stopped with {type(error).__name__}: {error}") from error
    if not isinstance(names.get("properties"), Properties):
        raise CourseError(f"{path}: make a list of properties with `properties = Properties()`")
    return names["properties"]
