"""The catalogues of variants with the verdict outside: each gets the same points.

A process of its own for every exercise takes its time, so every sixth variant is tried; with
COURSE_ALL_VARIANTS=1 all of them.
"""

from __future__ import annotations

import contextlib
import os
import sys

import pytest
from agents import forked
from test_variants import CATALOGUE, cells_of, full_points, lesson_of, program
from variants import Variant

from autograder.checks.examiner import run_hidden
from autograder.checks.places import Outside
from autograder.lesson import Lesson

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
SAMPLE = CATALOGUE[:: 1 if os.environ.get("COURSE_ALL_VARIANTS") == "1" else 6]
_known: dict[tuple[str, ...], float] = {}


def points_of(lesson: Lesson, variant: Variant) -> tuple[dict[str, float], str]:
    """Return the points of each exercise, and all reports."""
    notebook: dict = {"__name__": "__main__"}
    ran: list[str] = []
    points, reports = {}, ""
    for cell, source in cells_of(lesson, variant):
        ran.append(source)
        if cell is None or cell.grade != "tests":
            with contextlib.suppress(Exception):
                exec(program(source), notebook)
            continue
        if tuple(ran) not in _known:
            with forked(notebook) as session:
                outside = Outside(lesson, session, tuple(ran), forked, 0)
                verdict = run_hidden(source, cell.points, outside)
            _known[tuple(ran)] = verdict.points
            reports += verdict.report + verdict.failure
        points[cell.exercise] = _known[tuple(ran)]
    return points, reports


@pytest.mark.slow
@pytest.mark.parametrize(("stem", "variant"), SAMPLE)
def test_a_variant_gets_the_same_points_outside(
    stem: str, variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_FAST_RUN", "1")
    lesson = lesson_of(stem)
    got, reports = points_of(lesson, variant)
    expected = full_points(lesson) | variant.points
    wrong = {id: (expected[id], got[id]) for id in expected if got[id] != expected[id]}
    assert not wrong, f"{variant.why}\n(expected, got): {wrong}\n{reports}"
