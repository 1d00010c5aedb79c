"""The pictures of lesson 2: what its trainings gave, and how its kernels differ."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from .drawing import PALETTE, accuracies, canvas, label, over_angle, picture, tiles

LESSON = "02_from_90_to_98"
STEPS = {
    "lesson 1": "lesson 1",
    "1 normalise over the group": "1\nnormalise over\nthe group",
    "2 learning rate": "2\nlearning\nrate",
    "3 eight smooth poses": "3\neight smooth\nposes",
    "4 round maps": "4\nround\nmaps",
    "5 kernels at every angle": "5\nkernels at\nevery angle",
}
FULL = {
    "steps 1 to 5": ("orange", "-"),
    "steps 1 to 4": ("blue", "-"),
    "steps 1 to 4, turned training digits": ("slate", "--"),
}


@picture
def ladder() -> Figure:
    """The accuracy after each step, mean and deviation over the seeds, each seed a dot."""
    fig = Figure(figsize=(9.6, 4.2), layout="constrained")
    axis = fig.add_subplot()
    kinds = (("upright", "blue", "s", -0.12, -9), ("turned", "orange", "o", 0.12, 9))
    for column, colour, marker, shift, aside in kinds:
        for place, name in enumerate(STEPS):
            values = accuracies(LESSON, name, column)
            seeds = [place + shift] * len(values)
            axis.plot(seeds, values, ".", color=PALETTE[colour], markersize=3, zorder=3)
            deviation = values.std() if len(values) > 1 else 0
            look: dict[str, Any] = {"color": PALETTE[colour], "marker": marker, "capsize": 4}
            axis.errorbar(place + shift, values.mean(), deviation, markersize=7, **look)
            text, at = f"{values.mean():.1f}", (place + shift, values.mean())
            ha = "left" if aside > 0 else "right"
            side: dict[str, Any] = {"ha": ha, "va": "center", "size": 9}
            axis.annotate(text, at, (aside, 0), textcoords="offset points", **side)
        axis.plot([], [], color=PALETTE[colour], marker=marker, label=f"{column} digits")
    axis.set_xticks(range(len(STEPS)), STEPS.values())
    axis.set_xlim(-0.5, len(STEPS) - 0.5)  # room for the numbers beside the marks
    axis.set(ylabel="read correctly, in %", ylim=(None, 104), title="One step after the other")
    axis.grid(axis="y", color=PALETTE["line"], linewidth=0.5)
    axis.legend(loc="lower right")
    return fig


@picture
def full_over_angle() -> Figure:
    """The accuracy over the angle of the digit after the full training, ± a deviation."""
    return over_angle(LESSON, "Trained in full: accuracy over the angle", FULL)


def one_weight(smooth: bool) -> Tensor:
    """Return one weight's part in a kernel of 5 × 5 for the eight elements of C8: [8, 5, 5]."""
    axis = torch.arange(5.0) - 2
    x = torch.stack(torch.meshgrid(axis, axis, indexing="ij"))  # [2, 5, 5]
    kernels = []
    for h in range(8):
        c, s = math.cos(h * math.pi / 4), math.sin(h * math.pi / 4)
        back = torch.einsum("ij,jxy->ixy", torch.tensor([[c, s], [-s, c]]), x)  # h⁻¹x
        if smooth:
            squared = (back - torch.tensor([-1.0, -1.0])[:, None, None]).square().sum(dim=0)
            kernels.append(torch.exp(-squared / (2 * 0.7**2)) * (2.5 - x.norm(dim=0)).clamp(0, 1))
        else:
            weight = torch.zeros(1, 1, 5, 5)
            weight[0, 0, 1, 1] = 1
            points = (back / 2).flip(0).permute(1, 2, 0)[None]
            kernels.append(F.grid_sample(weight, points, align_corners=True)[0, 0])
    return torch.stack(kernels)


@picture
def smooth_kernels() -> Figure:
    """One weight in eight poses: interpolated on the grid, and as a Gaussian bump."""
    fig, ax = canvas(9.9, 3.5, "One weight, sampled for the eight elements of $C_8$")
    for h in range(8):
        label(ax, 1.85 + 1.02 * h, 2.92, f"{45 * h}°")
    for row, (name, smooth) in enumerate((("interpolated", False), ("a bump", True))):
        kernels = one_weight(smooth)
        label(ax, 1.2, 2.25 - 1.3 * row, name, ha="right")
        for h in range(8):
            tiles(
                ax, kernels[h][None, None], 1.38 + 1.02 * h, 2.72 - 1.3 * row, 0.95, cmap="viridis"
            )
            total = f"sum {kernels[h].sum():.2f}".replace("sum 1.00", "sum 1")
            label(ax, 1.85 + 1.02 * h, 1.66 - 1.3 * row, total, "muted", 9)
    return fig
