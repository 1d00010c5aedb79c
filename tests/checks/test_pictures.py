"""Pictures in the feedback: drawn where they help, and of what differs."""

from __future__ import annotations

import pytest
import torch

from autograder.checks import pictures


@pytest.mark.parametrize(
    ("shape", "panels"),
    [((3, 4, 2, 5, 5), 6), ((2, 4, 3, 3), 4), ((3, 2, 2), 0), ((5, 5), 0), ((2, 1, 64, 64), 0)],
)
def test_kernels_and_grids_are_drawn_and_nothing_else(shape, panels):
    expected = torch.linspace(-1, 1, torch.Size(shape).numel()).reshape(shape)
    figure = pictures.compare(expected + 1, expected)
    assert (len(figure.axes) // 2 if figure else 0) == panels


def test_the_slices_that_differ_are_shown():
    expected = torch.rand(20, 5, 5)
    got = expected.clone()
    got[17] += 1
    figure = pictures.compare(got, expected)
    assert "slice 17" in [axis.get_title() for axis in figure.axes]
    upper, lower = (
        next(a for a in figure.axes[row : row + 6] if a.images[0].get_array() is not None)
        for row in (0, 6)
    )
    assert upper.get_ylabel() == "yours"
    assert lower.get_ylabel() == "expected"


def test_different_shapes_are_not_compared():
    assert pictures.compare(torch.rand(2, 5, 5), torch.rand(3, 5, 5)) is None
