"""What a lesson asks for, counted from its cells: chapters with their minutes.

The lesson's templates and headings take their numbers from here, so that none is typed in.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from autograder.lesson.cells import Cell, Exercise
from autograder.texts import plural


@dataclass(frozen=True)
class Chapter:
    """A part of a lesson below one heading of the second level (`## …`) and what it asks for.

    cell: the index of the cell that holds the heading; line: its line there; both from 0.
    """

    cell: int
    line: int
    title: str
    exercises: tuple[Exercise, ...] = ()

    @property
    def minutes(self) -> float:
        """Minutes of its exercises and questions together."""
        return sum(exercise.minutes for exercise in self.exercises)

    @property
    def summary(self) -> str:
        """One line for below the heading, such as "3 exercises, 1 question · about 19 minutes"."""
        written = sum(exercise.manual for exercise in self.exercises)
        counts = ((len(self.exercises) - written, "exercise"), (written, "question"))
        parts = [plural(number, word) for number, word in counts if number]
        return f"{', '.join(parts)} · about {plural(self.minutes, 'minute')}"


def chapters(cells: Sequence[Cell], exercises: Iterable[Exercise]) -> list[Chapter]:
    """Return the chapters of a lesson in order, also those that ask for nothing."""
    by_name = {exercise.id: exercise for exercise in exercises}
    found: list[Chapter] = []
    for index, cell in enumerate(cells):
        if cell.kind == "markdown":
            found += [Chapter(index, line, title) for line, title in _headings(cell.source)]
        if found and cell.exercise in by_name and not cell.grade:
            asked = (*found[-1].exercises, by_name[cell.exercise])
            found[-1] = replace(found[-1], exercises=asked)
    return found


def _headings(source: str) -> list[tuple[int, str]]:
    """Return the lines, from 0, and titles of the second level's headings; not those in code."""
    found, in_code = [], False
    for index, line in enumerate(source.split("\n")):
        in_code ^= line.startswith("```")
        if line.startswith("## ") and not in_code:
            found.append((index, line.removeprefix("## ").strip()))
    return found


def minutes_by_chapter(found: Iterable[Chapter]) -> str:
    """Return "17 in section 1, 70 in section 2 and 15 in section 4"; "" if there is nothing to do.

    A chapter is named by the number that its title begins with, else by the title.
    """
    parts = []
    for chapter in found:
        if chapter.exercises:
            first = chapter.title.split()[0]
            name = f"section {first}" if first.isdigit() else f"“{chapter.title}”"
            parts.append(f"{chapter.minutes:g} in {name}")
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def title_of(cells: Iterable[Cell]) -> str | None:
    """Return the first heading of a lesson, None without one."""
    texts = (cell.source for cell in cells if cell.kind == "markdown")
    lines = (line for text in texts for line in text.split("\n"))
    return next((line[2:].strip() for line in lines if line.startswith("# ")), None)


def defined_name(source: str) -> str | None:
    """Return the name of the first function or class that a cell defines, None without one."""
    nodes = ast.parse(source).body
    names = (node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef))
    return next(names, None)
