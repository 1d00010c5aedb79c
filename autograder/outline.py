"""What a lesson asks for, counted from its cells: chapters with their minutes, checks, blocks.

The lesson's templates and headings take their numbers from here, so that none is typed in.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autograder.errors import CourseError

if TYPE_CHECKING:
    from autograder.lesson import Cell, Exercise

CHECKING = "checking"


@dataclass(frozen=True)
class Chapter:
    """A part of a lesson below one heading of the second level (`## …`) and what it asks for.

    cell: the index of the cell that holds the heading; line: its line there; both from 0.
    """

    cell: int
    line: int
    title: str
    exercises: tuple[Exercise, ...]

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


def plural(number: float, unit: str) -> str:
    """Return "1 point", "2.5 points" and the like."""
    return f"{number:g} {unit}" if number == 1 else f"{number:g} {unit}s"


def chapters(cells: Sequence[Cell], exercises: Iterable[Exercise]) -> list[Chapter]:
    """Return the chapters of a lesson in order, also those that ask for nothing."""
    by_name = {exercise.id: exercise for exercise in exercises}
    found: list[tuple[int, int, str, list[Exercise]]] = []
    for index, cell in enumerate(cells):
        if cell.kind == "markdown":
            found += [(index, line, title, []) for line, title in _headings(cell.source)]
        if found and cell.exercise in by_name and not cell.grade:
            found[-1][3].append(by_name[cell.exercise])
    return [Chapter(cell, line, title, tuple(asked)) for cell, line, title, asked in found]


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


def count_checks(source: str) -> int:
    """Return how many checks (lines that begin with ✓) a tests cell makes if all of them hold.

    `source` is the cell without its hidden tests. Counted are the calls of the methods of `check`
    below `with checking(…) as check:`, in a loop over written-out values as often as it runs.

    Raises:
        CourseError: a check stands where its number cannot be told from the text.
    """
    total = 0
    for node in ast.parse(source).body:
        if isinstance(node, ast.With) and (name := _checking_as(node)):
            total += sum(_calls(inner, name) for inner in node.body)
    return total


def _checking_as(node: ast.With) -> str | None:
    """Return the name that `with checking(…) as name:` gives, None for another `with`."""
    for item in node.items:
        call, name = item.context_expr, item.optional_vars
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            return name.id if call.func.id == CHECKING and isinstance(name, ast.Name) else None
    return None


def _calls(node: ast.AST, name: str) -> int:
    """Return how often a statement calls a method of `name`."""
    inside = sum(_calls(child, name) for child in ast.iter_child_nodes(node))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        called = node.func.value
        return inside + (isinstance(called, ast.Name) and called.id == name)
    if not inside:
        return 0
    if isinstance(node, ast.For) and not node.orelse:
        return inside * _rounds(node)
    if isinstance(node, ast.Expr | ast.Call | ast.keyword | ast.Starred):
        return inside
    raise CourseError(
        f"checks below `{ast.unparse(node).splitlines()[0]}` cannot be counted: put them into the "
        "`with` itself, or into a `for` over written-out values or a range of numbers"
    )


def _rounds(loop: ast.For) -> int:
    """Return how often a loop over a list, a tuple or a range of written-out numbers runs."""
    values = loop.iter
    if isinstance(values, ast.Tuple | ast.List) and not any(
        isinstance(item, ast.Starred) for item in values.elts
    ):
        return len(values.elts)
    if isinstance(values, ast.Call) and ast.unparse(values.func) == "range":
        try:
            return len(range(*(ast.literal_eval(argument) for argument in values.args)))
        except (TypeError, ValueError):
            pass
    raise CourseError(
        f"checks in a loop over `{ast.unparse(values)}` cannot be counted: write its values out"
    )


def defined_name(source: str) -> str | None:
    """Return the name of the first function or class that a cell defines, None without one."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            return node.name
    return None
