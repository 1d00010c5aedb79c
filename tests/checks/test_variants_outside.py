"""Every catalogued solution gets the same points where the verdict is reached outside of it.

That is in processes of their own, and takes six times as long as inside: every forty-eighth
is judged, in `make proof` all of them, for its own exercise and for one more.
"""

from __future__ import annotations

import sys

import pytest
from conftest import is_proof, lesson_of
from variants import Variant
from variants.judging import catalogue, difference, points_outside, to_judge

pytestmark = pytest.mark.usefixtures("in_the_course")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
@pytest.mark.parametrize(("stem", "variant"), catalogue(1 if is_proof() else 48))
def test_a_variant_gets_the_same_points_outside(stem: str, variant: Variant) -> None:
    lesson = lesson_of(stem)
    exercises = to_judge(lesson, variant)
    points, reports = points_outside(lesson, variant, exercises)
    assert sorted(points) == sorted(exercises)
    wrong = difference(lesson, variant, points)
    assert not wrong, f"{variant.why}\n(expected, got): {wrong}\n{reports}"
