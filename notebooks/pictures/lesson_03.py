"""The pictures of lesson 3: where a turned kernel looks, and what comes first with mirrors."""

from __future__ import annotations

import math
from typing import Any

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .drawing import PALETTE, arrow, canvas, label, picture, tiles

LETTER = torch.zeros(7, 7)
LETTER[1:6, 2], LETTER[1, 2:6], LETTER[3, 2:5] = 1, 1, 1


@picture
def mirror_and_turn() -> Figure:
    """Mirror and turn, turn and mirror, mirror and turn the other way round; a letter F."""
    fig, ax = canvas(8.6, 5.6, "With mirrors it matters what comes first")
    size, lefts = 1.35, (0.6, 3.6, 6.6)
    rows = (
        (("mirror", "(0°, 1)"), ("turn by 90°", "(90°, 0)"), "orange"),
        (("turn by 90°", "(90°, 0)"), ("mirror", "(0°, 1)"), "blue"),
        (("mirror", "(0°, 1)"), ("turn by 270°", "(270°, 0)"), "blue"),
    )
    ends = []
    for row, (first, then, colour) in enumerate(rows):
        top, image = 4.95 - 1.68 * row, LETTER
        for column, left in enumerate(lefts):
            last = column == 2
            look: dict[str, Any] = {"colour": colour, "line": 4} if last else {}
            tiles(ax, image[None, None], left, top, size, cmap="gray", **look)
            if last:
                ends.append(image)
                break
            what, pair = (first, then)[column]
            turns = round(float(what.split()[-1].rstrip("°")) / 90) if "turn" in what else 0
            image = torch.rot90(image, turns) if turns else image.flip(-1)
            start = left + size + 0.2, top - size / 2
            arrow(ax, start, (lefts[column + 1] - 0.2, start[1]))
            middle = (left + size + lefts[column + 1]) / 2
            label(ax, middle, start[1] + 0.25, what)
            label(ax, middle, start[1] - 0.25, pair, "muted", 9.5)
    assert not torch.equal(ends[0], ends[1]) and torch.equal(ends[1], ends[2])
    return fig


@picture
def turned_grids() -> Figure:
    """The positions at which a 5 × 5 kernel looks its weights up, for four elements of C8."""
    fig = Figure(figsize=(9.8, 3.5), layout="constrained")
    line = torch.linspace(-1, 1, 5, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(line, line, indexing="ij")).flatten(1)
    for axis, degrees in zip(fig.subplots(1, 4), (0, 45, 90, 135), strict=True):
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        r0, r1 = torch.tensor([[c, s], [-s, c]], dtype=torch.float64) @ grid  # h⁻¹x
        outside = torch.maximum(r0.abs(), r1.abs()) > 1 + 1e-6
        axis.add_patch(Rectangle((-1, -1), 2, 2, fill=False, ec=PALETTE["muted"], lw=1.5))
        axis.scatter(r1[~outside], r0[~outside], s=18, color=PALETTE["blue"], label="weights here")
        look = {"s": 32, "marker": "x", "color": PALETTE["orange"]}
        axis.scatter(r1[outside], r0[outside], label="outside: none", **look)
        axis.set(title=f"$h$ = {degrees}°", xlim=(-1.6, 1.6), ylim=(1.6, -1.6), xlabel="$r_1$")
        axis.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1), aspect="equal")
    fig.axes[0].set_ylabel("$r_0$ (down)")
    handles = fig.axes[1].get_legend_handles_labels()
    fig.legend(*handles, ncols=2, loc="outside lower center")
    fig.suptitle("Where a 5 × 5 kernel looks its weights up, $h^{-1}x$, for elements of $C_8$")
    return fig
