"""The picture of lesson 4: a kernel that is turned by being multiplied."""

from __future__ import annotations

import math

import torch
from matplotlib.figure import Figure
from torch import Tensor

from .drawing import canvas, label, picture, tiles


def harmonic(angle: float, phase: float = 0.0) -> Tensor:
    """Return the real part of a ring with exp(2iα), turned by an angle and times exp(i · phase)."""
    axis = torch.linspace(-2.5, 2.5, 81)
    down, right = torch.meshgrid(axis, axis, indexing="ij")
    radius, direction = torch.hypot(down, right), torch.atan2(-down, right)
    ring = torch.exp(-((radius - 1.6) ** 2) / (2 * 0.5**2)) * (2.5 - radius).clamp(0, 1)
    return ring * radius.clamp(max=1) * torch.cos(2 * (direction - angle) + phase)


@picture
def steering() -> Figure:
    """A kernel turned by 20°, and the same as a mixture of its real and its imaginary part."""
    fig, ax = canvas(10.1, 3.1, "To turn this kernel by 20°, multiply it by a number")
    theta = math.radians(20)
    parts = (
        (1.2, harmonic(0.0), "real part of $k$"),
        (3.75, harmonic(theta), "real part of $k$,\nturned by 20°"),
        (6.3, harmonic(0.0), "real part of $k$"),
        (8.85, harmonic(0.0, -math.pi / 2), "imaginary part of $k$"),
    )
    for x, image, text in parts:
        tiles(ax, image[None, None], x - 0.75, 2.5, 1.5, cmap="PuOr_r", low=-1)
        label(ax, x, 0.7, text, size=10)
    label(ax, 2.48, 1.75, "→", size=20)
    label(ax, 5.03, 1.75, f"= {math.cos(2 * theta):.2f} ·", size=13)
    label(ax, 7.58, 1.75, f"+ {math.sin(2 * theta):.2f} ·", size=13)
    label(ax, 5.05, 0.2, "cos 40° = 0.77 and sin 40° = 0.64: the frequency is 2", "muted", 9)
    return fig
