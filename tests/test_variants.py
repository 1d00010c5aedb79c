"""Hidden tests are fair: every catalogued solution gets exactly the points it is worth.

A solution runs as in a notebook, cell by cell in one namespace, where a cell that raises does not
keep the next from running. Only what draws or trains is left out: it needs seconds and defines
nothing.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import io
import os
from collections.abc import Iterator

import pytest
import torch
from variants import FOLDER, Variant, load

from autograder.checks.places import SEED_VARIABLE
from autograder.course import Course
from autograder.lesson import Lesson
from autograder.lesson.cells import Cell
from autograder.lesson.code import names_defined
from autograder.lesson.markers import BEGIN_HIDDEN, END_HIDDEN

COURSE = Course.find(__file__)
STEMS = sorted(path.stem for path in FOLDER.glob("[0-9]*.py"))
CATALOGUE = [
    pytest.param(stem, variant, id=f"{stem[:2]}: {variant.name}")
    for stem in STEMS
    for variant in load(stem)
]

# Names whose statements draw, train or measure; what they make is not there for later statements
# either.
SLOW = {"display", "draw_vegetable", "get_model", "plt", "show", "smooth_images", "train_model"}
SLOW |= {"draw_pattern", "train_small"}


@functools.cache
def lesson_of(stem: str) -> Lesson:
    """Return a lesson of this course."""
    return Lesson.load(COURSE.lesson_path(stem))


@functools.cache
def program(source: str) -> object:
    """Compile a cell without its statements that draw or train."""
    tree, slow = ast.parse(source), set(SLOW)
    kept = []
    for node in tree.body:
        names = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
        if isinstance(node, ast.FunctionDef | ast.ClassDef) or not slow & {n.id for n in names}:
            kept.append(node)
        else:
            slow |= {name.id for name in names if isinstance(name.ctx, ast.Store)}
    return compile(ast.Module(kept, []), "<cell>", "exec")


@functools.cache
def hidden_tests(source: str) -> tuple[object, object]:
    """Compile the hidden region of a tests cell: its statements, and its last expression."""
    region = source[source.index(BEGIN_HIDDEN) : source.index(END_HIDDEN)]
    *body, last = ast.parse(region).body
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
            yield cell, answers.get(cell.id, cell.source)
    assert not before, f"no cell is called {', '.join(before)}"


# What was run so far, and in which order, decides the points: they need not be found twice.
_known: dict[tuple[str | None, ...], float] = {}


def points_of(lesson: Lesson, variant: Variant) -> dict[str, float]:
    """Return the points that the hidden tests give to each exercise."""
    notebook: dict = {"__name__": "__main__", "In": [""]}
    points = {}
    for cell, source in cells_of(lesson, variant):
        notebook["In"].append(source)
        if cell is None or cell.grade != "tests":
            with contextlib.suppress(Exception):
                exec(program(source), notebook)
            continue
        history = (os.environ.get(SEED_VARIABLE), *notebook["In"])
        if history not in _known:
            module, last = hidden_tests(source)
            exec(module, notebook)
            _known[history] = eval(last, notebook)
        points[cell.exercise] = _known[history]
    return points


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(COURSE.root)
    monkeypatch.delenv(SEED_VARIABLE, raising=False)
    monkeypatch.setenv("COURSE_FAST_RUN", "1")
    with torch.enable_grad():  # a variant may leave it switched off
        yield


def full_points(lesson: Lesson) -> dict[str, float]:
    """Return the points of all exercises that are graded by tests."""
    return {item.id: item.points for item in lesson.exercises if not item.manual}


@pytest.mark.slow
@pytest.mark.parametrize(("stem", "variant"), CATALOGUE)
def test_a_variant_gets_exactly_its_points(stem: str, variant: Variant) -> None:
    lesson = lesson_of(stem)
    with contextlib.redirect_stdout(io.StringIO()) as report:
        got = points_of(lesson, variant)
    expected = full_points(lesson) | variant.points
    wrong = {id: (expected[id], got[id]) for id in expected if got[id] != expected[id]}
    assert not wrong, f"{variant.why}\n(expected, got): {wrong}\n{report.getvalue()}"


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("seed", range(1, 4))
def test_the_solution_gets_everything_with_any_seed(stem: str, seed: int, monkeypatch) -> None:
    monkeypatch.setenv(SEED_VARIABLE, str(seed))
    assert points_of(lesson_of(stem), Variant("solution", "")) == full_points(lesson_of(stem))


@pytest.mark.parametrize("stem", STEMS)
def test_nobody_is_graded_for_the_lesson_s_own_solution(stem: str) -> None:
    """An answer that is what its name stood for before: not the solution, in any surroundings."""
    lesson, kept, answers = lesson_of(stem), [], {}
    for cell in lesson.cells:
        if cell.grade == "solution":
            names = sorted(names_defined(cell.source))
            kept += [f"kept_{name} = {name}" for name in names]
            answers[cell.id] = "\n".join(
                f"class {name}(kept_{name}):\n    pass"
                if name[0].isupper()
                else f"def {name}(*args):\n    return kept_{name}(*args)"
                for name in names
            )
    first = next(iter(answers))
    thief = Variant("keeps the solution", "", cells=answers, before={first: "\n".join(kept)})
    assert set(points_of(lesson, thief).values()) == {0}


@pytest.mark.parametrize("stem", STEMS)
def test_the_catalogue_is_wide_enough(stem: str) -> None:
    """Every exercise has its right and its wrong variants, some of which lose nearly everything."""
    lesson, variants = lesson_of(stem), load(stem)
    assert len({variant.name for variant in variants}) == len(variants)
    for exercise, full in full_points(lesson).items():
        cell = lesson.exercise(exercise).answer_cell_id
        lost = [full - variant.points.get(exercise, full) for variant in variants]
        assert sum(points > 0 for points in lost) >= 3, exercise
        assert sum(points >= 0.75 * full for points in lost) >= 3, exercise
        right = [item for item in variants if item.right and cell in touched(item)]
        assert len(right) >= 3, exercise


def touched(variant: Variant) -> set[str]:
    """Return the ids of the cells that a variant changes."""
    return {id for id, _ in variant.blocks} | {*variant.edits, *variant.cells, *variant.before}
