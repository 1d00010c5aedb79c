"""What a student sees pass has its points: the visible checks beside the hidden tests."""

from __future__ import annotations

import pytest
from conftest import is_proof, lesson_of
from variants import ELSEWHERE, Variant
from variants.judging import catalogue, full_points, visible_failures

pytestmark = pytest.mark.usefixtures("in_the_course")

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


@pytest.mark.slow
@pytest.mark.parametrize(("stem", "variant"), catalogue(1 if is_proof() else 12))
def test_what_a_student_sees_pass_has_its_points(stem: str, variant: Variant) -> None:
    lesson = lesson_of(stem)
    full = full_points(lesson)
    for exercise, failure in visible_failures(lesson, variant).items():
        if variant.points.get(exercise, full[exercise]) < full[exercise]:
            unseen = variant.name in PASS_VISIBLY or variant.name.endswith(UNSEEN)
            assert failure or unseen, f"{exercise} passes: {variant.why}"
        else:
            assert not failure or variant.name in FAIL_VISIBLY, failure
