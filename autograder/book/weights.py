"""Weights of lesson 1's networks in one small file, for the book's scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autograder.course import Course


def weights_file(course: Course) -> Path:
    """Return where the book keeps them."""
    return course.solutions / "_static" / "networks.bin"


def packed(network: Any) -> bytes:
    """Return a network's weights as 16-bit floats, little-endian, layer by layer.

    Of each layer first the weights, then one bias for each channel that it gives: zeros where it
    has none, so that a script reads all networks alike.
    """
    own = dict(network.named_parameters())
    arrays = []
    for name, weight in own.items():
        if name.endswith("weight"):
            bias = own.get(name.removesuffix("weight") + "bias", weight.new_zeros(len(weight)))
            arrays += [weight, bias]
    return b"".join(array.detach().numpy().astype("<f2").tobytes() for array in arrays)
