"""Hidden tests are fair: every catalogued solution gets exactly the points it is worth.

Each is judged for its own exercise and for one more; `make proof` judges all of them for all
exercises. Here the verdict is reached in the notebook; see test_variants_outside.py.
"""

from __future__ import annotations

import contextlib
import io

import pytest
from conftest import is_proof, lesson_of
from variants import Variant, load
from variants.judging import (
    STEMS,
    catalogue,
    difference,
    full_points,
    gaps,
    points_inside,
    to_judge,
)

from autograder.checks.places import SEED_VARIABLE
from autograder.lesson.code import names_defined

pytestmark = pytest.mark.usefixtures("in_the_course")


@pytest.mark.slow
@pytest.mark.parametrize(("stem", "variant"), catalogue())
def test_a_variant_gets_exactly_its_points(stem: str, variant: Variant) -> None:
    lesson = lesson_of(stem)
    exercises = to_judge(lesson, variant, everything=is_proof())
    with contextlib.redirect_stdout(io.StringIO()) as report:
        points = points_inside(lesson, variant, exercises)
    assert sorted(points) == sorted(exercises)
    wrong = difference(lesson, variant, points)
    assert not wrong, f"{variant.why}\n(expected, got): {wrong}\n{report.getvalue()}"


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("seed", range(1, 4))
def test_the_solution_gets_everything_with_any_seed(
    stem: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SEED_VARIABLE, str(seed))
    lesson = lesson_of(stem)
    assert points_inside(lesson, Variant("solution", "")) == full_points(lesson)


@pytest.mark.parametrize("stem", STEMS)
def test_nobody_is_graded_for_the_lesson_s_own_solution(stem: str) -> None:
    """An answer that is what its name stood for before: not the solution, in any surroundings."""
    lesson = lesson_of(stem)
    kept: list[str] = []
    answers: dict[str, str] = {}
    for cell in lesson.answers:
        names = sorted(names_defined(cell.source))
        kept += [f"kept_{name} = {name}" for name in names]
        answers[cell.name] = "\n".join(
            f"class {name}(kept_{name}):\n    pass"
            if name[0].isupper()
            else f"def {name}(*args):\n    return kept_{name}(*args)"
            for name in names
        )
    first = next(iter(answers))
    thief = Variant("keeps the solution", "", cells=answers, before={first: "\n".join(kept)})
    assert set(points_inside(lesson, thief).values()) == {0}


@pytest.mark.parametrize("stem", STEMS)
def test_the_catalogue_is_wide_enough(stem: str) -> None:
    """Every exercise has its right and its wrong variants, some of which lose nearly everything."""
    variants = load(stem)
    assert len({variant.name for variant in variants}) == len(variants)
    assert gaps(lesson_of(stem), variants) == []


@pytest.mark.parametrize("stem", STEMS)
def test_every_variant_is_judged_for_what_it_changes(stem: str) -> None:
    lesson = lesson_of(stem)
    for variant in load(stem):
        chosen = to_judge(lesson, variant)
        assert set(variant.points) <= set(chosen), variant.name
        assert len(chosen) >= 2, variant.name
