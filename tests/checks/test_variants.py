"""Hidden tests are fair: every catalogued solution gets exactly the points it is worth.

Each is judged for its own exercise and for one more, with the verdict in the notebook; every
eighteenth also with the verdict outside, in processes of their own. `make proof` judges all of them
both ways, in the notebook for all exercises.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator

import pytest
import torch
from conftest import is_proof
from variants import ELSEWHERE, FOLDER, Variant, load
from variants.judging import (
    COURSE,
    difference,
    full_points,
    gaps,
    lesson_of,
    points_inside,
    points_outside,
    to_judge,
    visible_failures,
)

from autograder.checks.places import SEED_VARIABLE
from autograder.lesson.code import names_defined

STEMS = sorted(path.stem for path in FOLDER.glob("[0-9]*.py"))
CATALOGUE = [
    pytest.param(stem, variant, id=f"{stem[:2]}: {variant.name}")
    for stem in STEMS
    for variant in load(stem)
]
SEEN = CATALOGUE if is_proof() else CATALOGUE[::6]
OUTSIDE = CATALOGUE if is_proof() else CATALOGUE[::18]  # takes six times as long as inside


# What a student sees says something else than the hidden tests, and why it may.
PASS_VISIBLY = {
    "lifting grid: a variable of another cell": "it is there as long as the plotting cell was run",
    "group kernel: the two group axes exchanged": "code that is given was changed",
    "network: the mean of the image alone": "code that is given was changed",
    "network: the group layers are left out": "code that is given was changed",
    "network: a mean beside the layers": "code that is given was changed",
    "network: the mean of the image in training": "code that is given was changed",
    "network: the mean of the image in evaluation": "code that is given was changed",
    "network: the mean of the image without gradients": "code that is given was changed",
    "network: the mean of digits": "code that is given was changed",
    "network: the mean of all but digits": "code that is given was changed",
    "lifting layer: means without gradients": "what is done there is looked at by the grader",
    "monte-carlo-layer: a ReLU in training": "the same",
    "monte-carlo-layer: a dropout in training": "the same",
    "group layer: in float32, and one image after the other": "how precise it is, too",
    "round-window: the maps are detached": "and whether layers before it learn",
    "round-window: data of the maps": "the same",
    "steerable-layer: an input that is cut off": "the same",
}
# What modules do there is looked at by the grader.
UNSEEN = (*ELSEWHERE, "of one image", "of several images")
FAIL_VISIBLY = {
    "lifting fold: folded for the layer already": "work was moved to an earlier answer",
    "lifting fold: rot90, folded for the layer already": "work was moved to an earlier answer",
    "group kernel: folded for the layer already": "work was moved to an earlier answer",
    "group layer: rot90 and roll for h̃⁻¹h in the layer": "its kernels are not those of `sample`",
    "names shadowed in a scratch cell": "the checks need the names as well",
    "names shadowed late": "the checks need the names as well",
    "gradients switched off": "as they are for the check",
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(COURSE.root)
    monkeypatch.delenv(SEED_VARIABLE, raising=False)
    monkeypatch.setenv("COURSE_FAST_RUN", "1")
    with torch.enable_grad():  # a variant may leave it switched off
        yield


@pytest.mark.slow
@pytest.mark.parametrize(("stem", "variant"), CATALOGUE)
def test_a_variant_gets_exactly_its_points(stem: str, variant: Variant) -> None:
    lesson = lesson_of(stem)
    exercises = to_judge(lesson, variant, everything=is_proof())
    with contextlib.redirect_stdout(io.StringIO()) as report:
        points = points_inside(lesson, variant, exercises)
    assert sorted(points) == sorted(exercises)
    wrong = difference(lesson, variant, points)
    assert not wrong, f"{variant.why}\n(expected, got): {wrong}\n{report.getvalue()}"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
@pytest.mark.parametrize(("stem", "variant"), OUTSIDE)
def test_a_variant_gets_the_same_points_outside(stem: str, variant: Variant) -> None:
    lesson = lesson_of(stem)
    exercises = to_judge(lesson, variant)
    points, reports = points_outside(lesson, variant, exercises)
    assert sorted(points) == sorted(exercises)
    wrong = difference(lesson, variant, points)
    assert not wrong, f"{variant.why}\n(expected, got): {wrong}\n{reports}"


@pytest.mark.slow
@pytest.mark.parametrize(("stem", "variant"), SEEN)
def test_what_a_student_sees_pass_has_its_points(stem: str, variant: Variant) -> None:
    lesson = lesson_of(stem)
    full = full_points(lesson)
    for exercise, failure in visible_failures(lesson, variant).items():
        if variant.points.get(exercise, full[exercise]) < full[exercise]:
            unseen = variant.name in PASS_VISIBLY or variant.name.endswith(UNSEEN)
            assert failure or unseen, f"{exercise} passes: {variant.why}"
        else:
            assert not failure or variant.name in FAIL_VISIBLY, failure


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
