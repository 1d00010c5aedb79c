"""Judge a variant as a notebook is judged: cell by cell in one namespace, without kernels.

A cell that raises does not keep the next from running. Only what draws or trains is left out: it
needs seconds and defines nothing.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import os
import zlib
from collections.abc import Collection, Iterator, Sequence
from types import CodeType

import pytest
from agents import forked
from nbformat import NotebookNode

from autograder.checks.examiner import run_hidden
from autograder.checks.places import SEED_VARIABLE, Outside
from autograder.grading.needed import needed_cells
from autograder.lesson import Lesson
from autograder.lesson.cells import Cell
from autograder.lesson.markers import BEGIN_HIDDEN, END_HIDDEN, strip_hidden
from variants import FOLDER, Variant, load

# Names whose statements draw, train or measure; what they make is not there for later statements
# either.
SLOW = {"display", "get_model", "plt", "show", "show_images", "smooth_images", "train_model"}
SLOW |= {"RotatedMNIST", "draw_pattern", "scale_errors", "train_small"}


STEMS = sorted(path.stem for path in FOLDER.glob("[0-9]*.py"))


def catalogue(every: int = 1) -> list:
    """Return the parameters `stem` and `variant`: all lessons' variants, or every so many-th."""
    found = [
        pytest.param(stem, variant, id=f"{stem[:2]}: {variant.name}")
        for stem in STEMS
        for variant in load(stem)
    ]
    return found[::every]


def full_points(lesson: Lesson) -> dict[str, float]:
    """Return the points of all exercises that are graded by tests."""
    return {exercise.id: exercise.points for exercise in lesson.tested}


def touched(variant: Variant) -> set[str]:
    """Return the ids of the cells that a variant changes."""
    return {id for id, _ in variant.blocks} | {*variant.edits, *variant.cells, *variant.before}


def own_exercises(lesson: Lesson, variant: Variant) -> set[str]:
    """Return those that a variant loses points in, or, if in none, those that it changes."""
    changed = touched(variant)
    return set(variant.points) or {
        exercise.id for exercise in lesson.tested if exercise.answer_cell_id in changed
    }


def to_judge(lesson: Lesson, variant: Variant, everything: bool = False) -> list[str]:
    """Return the exercises for which a variant is judged: its own and another, or everything.

    Its own are those that it loses points in, or, if it loses none, those whose answers it
    changes. Which other one is chosen by its name. The solution itself is judged for all.
    """
    tested = [exercise.id for exercise in lesson.tested]
    changed = touched(variant)
    if everything or not changed:
        return tested
    own = own_exercises(lesson, variant)
    others = [id for id in tested if id not in own]
    another = {others[zlib.crc32(variant.name.encode()) % len(others)]} if others else set()
    return [id for id in tested if id in own | another]


@functools.cache
def program(source: str) -> CodeType:
    """Compile a cell without its statements that draw or train."""
    tree, slow = ast.parse(source), set(SLOW)
    kept = []
    for node in tree.body:
        names = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
        if isinstance(node, ast.FunctionDef | ast.ClassDef) or not slow & {n.id for n in names}:
            kept.append(node)
        else:
            slow |= {name.id for name in names if isinstance(name.ctx, ast.Store)}
    return compile(ast.Module(kept, []), "<cell>", "exec", dont_inherit=True)


@functools.cache
def hidden_tests(source: str) -> tuple[CodeType, CodeType]:
    """Compile the hidden region of a tests cell: its statements, and its last expression."""
    region = source[source.index(BEGIN_HIDDEN) : source.index(END_HIDDEN)]
    *body, last = ast.parse(region).body
    assert isinstance(last, ast.Expr)
    module = compile(ast.Module(body, []), "<hidden tests>", "exec")
    return module, compile(ast.Expression(last.value), "<hidden tests>", "eval")


def cells_of(lesson: Lesson, variant: Variant) -> Iterator[tuple[Cell | None, str]]:
    """Yield the code cells of a student's notebook; cells of the student's own come with None."""
    answers, before = variant.answers(lesson), dict(variant.before)
    last = max(index for index, cell in enumerate(lesson.cells) if cell.grade == "tests")
    for cell in lesson.cells[: last + 1]:
        if cell.id in before:
            yield None, before.pop(cell.id)
        if cell.kind == "code":
            yield cell, answers.get(cell.name, cell.source) if cell.id else cell.source
    assert not before, f"no cell is called {', '.join(before)}"


def tests_reached(
    lesson: Lesson, variant: Variant, exercises: Collection[str], notebook: dict, ran: list[str]
) -> Iterator[tuple[Cell, str]]:
    """Run a student's cells in a namespace, noting them; yield these exercises' tests, not run.

    The lesson's own cells of which they need nothing are left out, as in grading.
    """
    cells = list(cells_of(lesson, variant))
    while cells[-1][0] is None or cells[-1][0].exercise not in exercises:
        cells.pop()
    made = [
        NotebookNode(
            cell_type="code", id=cell.id if cell and cell.id else f"cell-{index}", source=source
        )
        for index, (cell, source) in enumerate(cells)
    ]
    given = {one.id for one, (cell, _) in zip(made, cells, strict=True) if cell is not None}
    for index in sorted(needed_cells(NotebookNode(cells=made), lesson, given)):
        cell, source = cells[index]
        ran.append(source)
        if cell is None or cell.grade != "tests":
            with contextlib.suppress(Exception):
                exec(program(source), notebook)
        elif cell.exercise in exercises:
            yield cell, source


# What was run so far, and in which order, decides the points: they need not be found twice.
_inside: dict[tuple[str | None, ...], float] = {}
_outside: dict[tuple[str, ...], float] = {}


def points_inside(
    lesson: Lesson, variant: Variant, exercises: Collection[str] | None = None
) -> dict[str, float]:
    """Return the points of each exercise, or of these, its hidden tests run in the notebook."""
    notebook: dict = {"__name__": "__main__", "In": [""]}
    chosen = full_points(lesson) if exercises is None else exercises
    points: dict[str, float] = {}
    for cell, source in tests_reached(lesson, variant, chosen, notebook, notebook["In"]):
        history = (os.environ.get(SEED_VARIABLE), *notebook["In"])
        if history not in _inside:
            module, last = hidden_tests(source)
            exec(module, notebook)
            _inside[history] = eval(last, notebook)
        points[str(cell.exercise)] = _inside[history]
    return points


def points_outside(
    lesson: Lesson, variant: Variant, exercises: Collection[str]
) -> tuple[dict[str, float], str]:
    """Return the points of these exercises, judged from outside, and all reports."""
    ran: list[str] = []
    notebook: dict = {"__name__": "__main__", "In": ran}
    points: dict[str, float] = {}
    suspects: set[str] = set()
    reports = ""
    for cell, source in tests_reached(lesson, variant, exercises, notebook, ran):
        if tuple(ran) not in _outside:
            with forked(notebook) as session:
                outside = Outside(lesson, session, tuple(ran), forked, 0, suspects=suspects)
                verdict = run_hidden(source, cell.points or 0, outside).verdict
            _outside[tuple(ran)] = verdict.points
            reports += verdict.report + verdict.failure
        points[str(cell.exercise)] = _outside[tuple(ran)]
    return points, reports


def visible_failures(lesson: Lesson, variant: Variant) -> dict[str, str]:
    """Return what a student sees fail in the exercises that a variant is about: "" if nothing."""
    notebook: dict = {"__name__": "__main__", "In": [""]}
    found: dict[str, str] = {}
    own = own_exercises(lesson, variant) or set(full_points(lesson))  # of the solution itself all
    for cell, source in tests_reached(lesson, variant, own, notebook, notebook["In"]):
        found[str(cell.exercise)] = ""
        try:
            exec(program(strip_hidden(source)), notebook)
        except Exception as error:
            found[str(cell.exercise)] = f"{type(error).__name__}: {error}"
    return found


def gaps(lesson: Lesson, variants: Sequence[Variant]) -> list[str]:
    """Return what a catalogue lacks: each exercise needs right and wrong solutions, three each.

    Three of the wrong ones must lose nearly everything.
    """
    lacking = []
    for exercise in lesson.tested:
        lost = [
            exercise.points - item.points.get(exercise.id, exercise.points) for item in variants
        ]
        counts = {
            "wrong": sum(points > 0 for points in lost),
            "quite wrong": sum(points >= 0.75 * exercise.points for points in lost),
            "right": sum(v.right and exercise.answer_cell_id in touched(v) for v in variants),
        }
        lacking += [f"{exercise.id}: {kind}" for kind, count in counts.items() if count < 3]
    return lacking


def difference(
    lesson: Lesson, variant: Variant, points: dict[str, float]
) -> dict[str, tuple[float, float]]:
    """Return, by exercise, the points that a variant must get and has got, where they differ."""
    expected = full_points(lesson) | dict(variant.points)
    return {id: (expected[id], got) for id, got in points.items() if got != expected[id]}
