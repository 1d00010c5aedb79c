"""Fill in a lesson's templates, `{{name}}` and `{{name argument}}`: no number is typed in."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson.cells import Cell, Exercise, mistake
from autograder.lesson.markers import blocks
from autograder.lesson.outline import Chapter, chapters, defined_name, minutes_by_chapter
from autograder.texts import plural

_TEMPLATE = re.compile(r"(?<!\{)\{\{\s*(\w+)(?:\s+([\w-]+))?\s*\}\}(?!\})")
# A displayed formula that ends with its name.
_EQUATION = re.compile(
    r"^\$\$(?P<tex>(?:(?!\$\$).)*?)\s*\{\{\s*equation\s+(?P<name>[\w-]+)\s*\}\}\s*\$\$$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Context:
    """What the templates of one lesson take their values from.

    cells: as they are written; equations: the numbers of the named ones.
    """

    path: Path
    course: Course
    cells: Sequence[Cell]
    exercises: Sequence[Exercise]
    equations: dict[str, int]

    @property
    def answers(self) -> list[Cell]:
        """The cells with YOUR CODE blocks."""
        return [cell for cell in self.cells if cell.grade == "solution"]

    def points(self, *, manual: bool) -> float:
        """Return the points of the written questions, or of the other exercises."""
        return sum(item.points for item in self.exercises if item.manual == manual)

    def count(self, *, manual: bool) -> int:
        """Return how many written questions there are, or other exercises."""
        return sum(item.manual == manual for item in self.exercises)


def _blocks_of_cells(context: Context) -> str:
    names = {cell: defined_name(cell.source) or cell.name for cell in context.answers}
    return json.dumps({names[cell]: len(blocks(cell.source)) for cell in names}, indent=1)


def _exercise_names(context: Context) -> str:
    names = [item.name for item in context.exercises if not item.manual]
    return json.dumps(names, indent=1, ensure_ascii=False)


# {{name}}
VALUES: dict[str, Callable[[Context], str]] = {
    "lesson": lambda context: context.path.stem,
    "colab": lambda context: context.course.colab_url(context.path.stem),
    "repository": lambda context: context.course.repository_url,
    "edition": lambda context: context.course.edition,
    "edition_files": lambda context: context.course.edition_url,
    "total_points": lambda context: f"{sum(item.points for item in context.exercises):g}",
    "exercise_points": lambda context: f"{context.points(manual=False):g}",
    "question_points": lambda context: f"{context.points(manual=True):g}",
    "total_minutes": lambda context: f"{sum(item.minutes for item in context.exercises):g}",
    "n_exercises": lambda context: str(context.count(manual=False)),
    "n_questions": lambda context: str(context.count(manual=True)),
    "n_blocks": lambda context: str(sum(len(blocks(cell.source)) for cell in context.answers)),
    "minutes_by_chapter": lambda context: minutes_by_chapter(
        chapters(context.cells, context.exercises)
    ),
    "blocks_of_cells": _blocks_of_cells,
    "exercise_names": _exercise_names,
}
# {{name exercise}}
OF_EXERCISE: dict[str, Callable[[Exercise], str]] = {
    "number": lambda exercise: exercise.label,
    "points": lambda exercise: f"{exercise.points:g}",
    "minutes": lambda exercise: f"{exercise.minutes:g}",
    "title": lambda exercise: exercise.title,
}
# {{name file}}
OF_FILE: dict[str, Callable[[Context, str], str]] = {
    "measured": lambda context, name: (
        _quoted(context, context.course.results_table(name)).decode().strip()
    ),
    "sha256": lambda context, name: hashlib.sha256(
        _quoted(context, context.course.network(name))
    ).hexdigest(),
}


def fill_in_all(context: Context) -> list[Cell]:
    """Return the cells with their headings and templates filled in, chapters summed up.

    Raises CourseError, with file and line, for a template that there is not.
    """
    filled = [_filled_in(cell, context) for cell in context.cells]
    for chapter in reversed(chapters(filled, context.exercises)):
        if chapter.exercises:
            filled[chapter.cell] = _summed_up(filled[chapter.cell], chapter)
    return filled


def number_equations(cells: Sequence[Cell], path: Path) -> dict[str, int]:
    """Return the numbers of the named equations; raise CourseError for a name that stands twice."""
    numbers: dict[str, int] = {}
    for cell in cells:
        for match in _EQUATION.finditer(cell.source) if cell.kind == "markdown" else ():
            if match["name"] in numbers:
                raise mistake(path, cell.line, f"two equations are called {match['name']!r}")
            numbers[match["name"]] = len(numbers) + 1
    return numbers


def _filled_in(cell: Cell, context: Context) -> Cell:
    def value(match: re.Match[str]) -> str:
        text = _value(match[1], match[2], context)
        if text is None:
            raise mistake(
                context.path,
                cell.line,
                f"unknown template {match[0]}; write `{{ {{` with a space if braces are meant",
            )
        return text

    def numbered(match: re.Match[str]) -> str:
        # Number and anchor are written out: notebooks number nothing and know no labels.
        tag = f"\\tag{{{context.equations[match['name']]}}}"
        return f'<a id="eq-{match["name"]}"></a>\n\n$${match["tex"]} {tag} $$'

    source = cell.source
    if cell.kind == "markdown":
        source = _EQUATION.sub(numbered, source)
    source = _TEMPLATE.sub(value, source)
    if cell.exercise is not None and not cell.grade:
        exercise = next(item for item in context.exercises if item.id == cell.exercise)
        points, minutes = plural(exercise.points, "point"), plural(exercise.minutes, "minute")
        heading = f"#### {exercise.name}\n\n*{points} · about {minutes}*"
        source = f"{heading}\n\n{source}".rstrip()
    return replace(cell, source=source)


def _value(name: str, argument: str | None, context: Context) -> str | None:
    """Return what a template stands for, None if there is no such template."""
    if argument is None:
        return VALUES[name](context) if name in VALUES else None
    if name in OF_FILE:
        return OF_FILE[name](context, argument)
    if name == "eq" and argument in context.equations:
        return f"[({context.equations[argument]})](#eq-{argument})"
    exercise = next((item for item in context.exercises if item.id == argument), None)
    return OF_EXERCISE[name](exercise) if exercise and name in OF_EXERCISE else None


def _quoted(context: Context, path: Path) -> bytes:
    """Return a file of measurements or weights that the lesson's text quotes."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise CourseError(
            f"{context.path}: the text quotes {path}, which cannot be read ({error.strerror}); "
            "data/README.md says which command writes it (begin with an empty file)"
        ) from error


def _summed_up(cell: Cell, chapter: Chapter) -> Cell:
    """Return the cell with what the chapter asks for below the chapter's heading."""
    lines = cell.source.split("\n")
    lines[chapter.line + 1 : chapter.line + 1] = ["", f"*{chapter.summary}*"]
    return replace(cell, source="\n".join(lines))
