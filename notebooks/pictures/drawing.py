"""What the pictures share: a sheet in inches, its colours, and the letter F as a feature."""

from __future__ import annotations

import csv
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from torch import Tensor

Point = Sequence[float]
Look = dict[str, Any]  # matplotlib's keywords
# The colours are the lesson's. Those of the group differ in hue and in lightness; a label always
# says the same as a colour.
PALETTE = {
    "ink": "#1b1f24",
    "muted": "#6b7280",
    "line": "#b9c0ca",
    "blue": "#0040b3",
    "orange": "#cc5f00",
    "green": "#00936a",
    "plum": "#8a1f78",
    "slate": "#3f4a5a",
    "gold": "#9c7600",
}
RESULTS = Path(__file__).parents[2] / "data" / "results"
TURNS = ["0°", "90°", "180°", "270°"]
GROUP_COLOURS = ["blue", "orange", "green", "plum"]  # one for each element of C4
CHANNEL_COLOURS = ["slate", "gold"]
STYLE = {
    "figure.facecolor": "white",
    "font.size": 10.5,
    "text.color": PALETTE["ink"],
    "mathtext.fontset": "dejavusans",
}
PICTURES: dict[str, Callable[[], Figure]] = {}


def picture(function: Callable[[], Figure]) -> Callable[[], Figure]:
    """Register a function that draws a picture, by its name with hyphens, and give it our style."""

    @functools.wraps(function)
    def drawn() -> Figure:
        with matplotlib.style.context(["default", STYLE]):
            return function()

    PICTURES[function.__name__.replace("_", "-")] = drawn
    return drawn


def accuracies(lesson: str, network: str, kind: str) -> Tensor:
    """Return a network's accuracies on one kind of digits in per cent, one for each training."""
    with (RESULTS / f"{lesson}.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["network"] == network]
    return torch.tensor([float(row[kind]) for row in rows])


def over_angle(lesson: str, title: str, looks: dict[str, tuple[str, str]]) -> Figure:
    """Draw networks' accuracies over the angle of the digit, mean ± deviation over the seeds.

    looks: a colour of the palette and a style of line, by the network's name in the results.
    """
    fig = Figure(figsize=(9.6, 3.8), layout="constrained")
    axis, angles = fig.add_subplot(), range(0, 360, 15)
    for name, (colour, line) in looks.items():
        if not len(accuracies(lesson, name, "turned")):
            continue  # it has not been trained yet
        values = torch.stack([accuracies(lesson, name, f"{angle}°") for angle in angles])
        mean, spread = values.mean(dim=1), values.std(dim=1) if values.shape[1] > 1 else 0
        axis.plot(angles, mean, line, color=PALETTE[colour], marker="o", markersize=3, label=name)
        axis.fill_between(angles, mean - spread, mean + spread, color=PALETTE[colour], alpha=0.2)
    axis.set(xlabel="angle of the digit", ylabel="read correctly, in %")
    axis.set_xticks(range(0, 360, 45), [f"{angle}°" for angle in range(0, 360, 45)])
    axis.grid(color=PALETTE["line"], linewidth=0.5)
    axis.set_title(title)
    fig.legend(loc="outside lower center", ncols=3)
    return fig


def canvas(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    """Return a figure with a title and one invisible pair of axes whose unit is the inch."""
    fig = Figure(figsize=(width, height))
    ax = fig.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
    ax.set_axis_off()
    ax.text(width / 2, height - 0.1, title, ha="center", va="top", size=14, weight="bold")
    return fig, ax


def label(
    ax: Axes,
    x: float,
    y: float,
    text: str,
    colour: str = "ink",
    size: float = 10.5,
    ha: str = "center",
    **style: Any,
) -> None:
    """Write text, vertically centred on (x, y)."""
    ax.text(x, y, text, color=PALETTE[colour], size=size, ha=ha, va="center", zorder=6, **style)


def arrow(
    ax: Axes, start: Point, end: Point, colour: str = "ink", bend: float = 0.0, **style: Any
) -> None:
    """Draw an arrow from start to end; a positive bend curves it to its right."""
    look: Look = {"lw": 1.8, "mutation_scale": 15, "shrinkA": 0, "shrinkB": 0, "zorder": 5} | style
    look |= {"arrowstyle": "-|>", "connectionstyle": f"arc3,rad={bend}", "color": PALETTE[colour]}
    ax.add_patch(FancyArrowPatch((start[0], start[1]), (end[0], end[1]), **look))


def frame(
    ax: Axes, x: float, y: float, width: float, height: float, colour: str = "line", line: float = 1
) -> None:
    """Draw an empty rectangle with upper left corner (x, y)."""
    edge: Look = {"fill": False, "ec": PALETTE[colour], "lw": line, "zorder": 3 if line > 1 else 2}
    ax.add_patch(Rectangle((x, y - height), width, height, **edge))


def tiles(
    ax: Axes,
    images: Tensor,
    x: float,
    y: float,
    size: float,
    colour: str = "muted",
    line: float = 1.8,
    cmap: str | Colormap = "magma",
    low: float = 0.0,
    high: float = 1.0,
) -> None:
    """Draw images as touching squares in one frame with upper left corner (x, y).

    Args:
        ax: the canvas.
        images: [rows, columns, h, w], or [rows, columns, h, w, 3] for pictures in colour.
        x: left edge.
        y: upper edge.
        size: edge of a square.
        colour: of the frame.
        line: width of the frame's line.
        cmap: colour map of grey values.
        low: the value with its first colour.
        high: the value with its last colour.
    """
    limits: Look = {"xlim": ax.get_xlim(), "ylim": ax.get_ylim()}
    rows, columns = images.shape[:2]
    for row in range(rows):
        for column in range(columns):
            left, top = x + column * size, y - row * size
            extent = (left, left + size, top - size, top)
            look: Look = {"cmap": cmap, "vmin": low, "vmax": high, "interpolation": "nearest"}
            ax.imshow(images[row, column].numpy(), extent=extent, aspect="auto", **look)
            frame(ax, left, top, size, size, line=0.6)
    frame(ax, x, y, columns * size, rows * size, colour, line)
    ax.set(**limits)  # imshow moves them


def number_table(ax: Axes, values: Tensor, x: float, y: float, cell: float) -> None:
    """Draw a matrix [rows, columns] as a table of tinted numbers with upper left corner (x, y)."""
    for (row, column), value in np.ndenumerate(values.numpy().astype(int)):
        tint = to_rgba(PALETTE["green" if value > 0 else "plum"], min(0.12 * abs(value), 0.6))
        corner = x + cell * column, y - cell * (row + 1)
        ax.add_patch(Rectangle(corner, cell, cell, fc=tint, ec=PALETTE["line"], lw=0.8))
        text, colour = f"{value}".replace("-", "−"), "ink" if value else "muted"
        label(ax, corner[0] + cell / 2, corner[1] + cell / 2, text, colour)


def tinted(colour: str) -> Colormap:
    """Return a colour map from a light tint of a palette colour to the colour itself."""
    red, green, blue = (1 - 0.16 * (1 - part) for part in to_rgb(PALETTE[colour]))
    return LinearSegmentedColormap.from_list(colour, [(red, green, blue), to_rgb(PALETTE[colour])])


# ------------------------------------------------------------------------------ the letter F

# No rotation and no reflection maps it to itself.
MOTIF = torch.tensor(
    [
        [0, 1, 1, 1, 1],
        [0, 1, 0, 0, 0],
        [0, 1, 1, 1, 0],
        [0, 1, 0, 0, 0],
        [0, 1, 0, 0, 0],
    ]
).float()


def place(*poses: tuple[int, int, int], size: int = 13) -> Tensor:
    """Return an image [size, size] with one motif for each (quarter turns, row, column)."""
    image = torch.zeros(size, size)
    for turns, row, column in poses:
        image[row - 2 : row + 3, column - 2 : column + 3] += torch.rot90(MOTIF, turns)
    return image


def lift_motif(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the kernel in four poses [4, k, k] and the four response maps [4, X, Y] of [X, Y].

    The kernel is the motif less its mean, scaled so that a perfect match gives 1.
    """
    kernel = MOTIF - MOTIF.mean()
    kernel = kernel / (kernel * MOTIF).sum()
    kernels = torch.stack([torch.rot90(kernel, turns) for turns in range(4)])
    return kernels, F.relu(F.conv2d(image[None, None], kernels[:, None], padding=2)[0])


def turned_back(points: Tensor, quarter_turns: int) -> Tensor:
    """Return h⁻¹x for points x = (r0, r1), shape [2, ...], and h = quarter_turns · 90°.

    r0 runs down the rows and r1 along the columns, so that h turns counter-clockwise.
    """
    matrix = torch.tensor([[0.0, -1.0], [1.0, 0.0]])  # h = 90°
    inverse = torch.linalg.matrix_power(matrix.T, quarter_turns)
    return torch.einsum("ij,j...->i...", inverse, points)
