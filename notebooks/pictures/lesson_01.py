"""The pictures of lesson 1; a function's docstring describes what it draws."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from torch import Tensor

from .drawing import (
    CHANNEL_COLOURS,
    GROUP_COLOURS,
    MOTIF,
    PALETTE,
    TURNS,
    Look,
    accuracies,
    arrow,
    canvas,
    frame,
    label,
    lift_motif,
    number_table,
    over_angle,
    picture,
    place,
    tiles,
    tinted,
    turned_back,
)

KERNEL_LOOK: Look = {"cmap": "PuOr_r", "low": -0.15, "high": 0.15}
MAP_NOTE = "Maps, after ReLU: black is 0, the brightest yellow is 1, a perfect match."
ELEMENTS = list(zip(TURNS, GROUP_COLOURS, strict=True))


@picture
def cross_correlation() -> Figure:
    """Two numbers of a cross-correlation, each the inner product with a shifted kernel."""
    image = F.pad(2 * MOTIF[:, 1:], (1, 1, 1, 0))  # [6, 6]
    image[2, 2] = image[2, 4] = image[5, 3] = 1
    kernel = torch.tensor([[1, 1, 1], [1, 0, 0], [1, -1, -2]]).float()
    output = F.conv2d(image[None, None], kernel[None, None])[0, 0]
    fig, ax = canvas(9.9, 5.3, "Cross-correlation: the inner product with a shifted kernel")
    cell, left, top = 0.33, 8.45, 3.24  # left and top of the output table

    def outline(x: float, y: float, row: int, column: int, n: int, colour: str) -> None:
        frame(ax, x + cell * column, y - cell * row, cell * n, cell * n, colour, 3.2)

    number_table(ax, output, left, top, cell)
    label(ax, left - 0.12, top - 2 * cell, "output\n$k \\star f$", ha="right")
    # shift of the kernel, top of the tables, colour, end of the arrow (above or below a cell)
    first = ((0, 2), 4.55, "blue", (left + 2.5 * cell, top + 0.06))
    second = ((3, 1), 2.18, "orange", (left + 1.5 * cell, top - 4 * cell - 0.06))
    for (row, column), y, colour, end in (first, second):
        shifted = F.pad(kernel, (column, 3 - column, row, 3 - row))
        moved = f"kernel $k$, {row} down, {column} right"
        panels = {"image $f$": image, moved: shifted, "product, cell by cell": image * shifted}
        for x, (text, panel) in zip((0.15, 2.7, 5.25), panels.items(), strict=True):
            number_table(ax, panel, x, y, cell)
            outline(x, y, row, column, 3, colour)
            label(ax, x + 3 * cell, y + 0.17, text)
        middle = y - 3 * cell
        label(ax, 2.415, middle, "×", size=16)
        label(ax, 4.965, middle, "=", size=16)
        arrow(ax, (7.3, middle), end, colour, bend=-0.3 if row == 0 else 0.3)
        text, height = f"sum = {output[row, column]:.0f}", 0.5 if row == 0 else -0.5
        label(ax, 7.35, middle + height, text, colour, 12, "left", weight="bold")
        outline(left, top, row, column, 1, colour)
    return fig


@picture
def cyclic_group() -> Figure:
    """C4 as angles on a circle with one product, and the table of all products."""
    fig, ax = canvas(9.1, 4.6, "The cyclic group C₄: four rotations, and all their products")
    centre, radius = np.array([2.3, 2.1]), 1.25
    ax.add_patch(Circle((2.3, 2.1), radius, fill=False, ec=PALETTE["line"], lw=2))

    def point(turns: float, r: float) -> np.ndarray:
        return centre + r * np.array([np.cos(np.pi / 2 * turns), np.sin(np.pi / 2 * turns)])

    def sweep(
        first: float, last: float, r: float, colour: str, text: str, x: float, y: float, ls: str
    ) -> None:
        path = np.stack([point(turns, r) for turns in np.linspace(first, last, 60)])
        ax.plot(*path[:-3].T, color=PALETTE[colour], lw=2.5, ls=ls)
        arrow(ax, path[-5], path[-1], colour, lw=2.5)
        label(ax, x, y, text, colour, 11, weight="bold")

    def badge(x: float, y: float, h: int, edge: str = "white") -> None:
        look: Look = {"fc": PALETTE[GROUP_COLOURS[h]], "ec": PALETTE.get(edge, edge), "zorder": 5}
        ax.add_patch(Circle((x, y), 0.3, lw=2.5, **look))
        ax.text(x, y, TURNS[h], color="white", ha="center", va="center", weight="bold", zorder=6)

    for h in range(4):
        x, y = point(h, radius)
        badge(x, y, h)
    sweep(0.14, 0.86, 1.68, "orange", "first 90°", 3.95, 3.45, "-")
    sweep(1.14, 2.86, 1.68, "green", "then 180°", 0.6, 3.6, "-")
    sweep(0.2, 2.72, 0.78, "plum", "270° in all", 2.3, 2.1, ":")
    label(ax, 6.95, 3.98, "first $h'$", size=11, weight="bold")
    label(ax, 4.78, 1.62, "then $h$", size=11, weight="bold", rotation=90)
    label(ax, 5.3, 3.5, "$h \\cdot h'$", size=12)
    for h in range(4):
        badge(6.1 + 0.75 * h, 3.5, h)
        badge(5.3, 2.75 - 0.75 * h, h)
        for other in range(4):
            edge = "ink" if (h, other) == (2, 1) else "white"
            badge(6.1 + 0.75 * other, 2.75 - 0.75 * h, (h + other) % 4, edge)
    ax.plot([5.7, 5.7], [0.15, 3.85], color=PALETTE["muted"], lw=1.5)
    ax.plot([4.95, 8.75], [3.12, 3.12], color=PALETTE["muted"], lw=1.5)
    return fig


@picture
def look_back() -> Figure:
    """A letter F and the letter turned by 90°; a pixel of the new image looks back to the old."""
    size, cell, left, right, top = 7, 0.4, 0.9, 6.2, 3.75
    old = place((0, 3, 4), size=size)
    new = torch.rot90(old)
    line = torch.arange(size) - size // 2.0
    points = torch.stack(torch.meshgrid(line, line, indexing="ij"))
    rows, columns = (turned_back(points, 1) + size // 2).round().long()
    torch.testing.assert_close(new, old[rows, columns])  # for every pixel, not only for ours
    row, column = 1 - 1, 1  # in the new image
    from_row, from_column = int(rows[row, column]), int(columns[row, column])

    fig, ax = canvas(9.9, 4.85, "Why the inverse: every new pixel looks back")
    for x, image, text in (
        (left, old, "the old image $f$"),
        (right, new, "the new image $\\mathcal{L}_h f$,  $h$ = 90°"),
    ):
        label(ax, x + size * cell / 2, top + 0.28, text, size=12, weight="bold")
        shown = 0.12 + 0.88 * image  # so that the grid is seen
        tiles(ax, shown[None, None], x, top, size * cell, cmap="gray")
        for n in range(1, size):
            for ends in ((n, n), (0, size)), ((0, size), (n, n)):
                xs, ys = (np.array(end) * cell for end in ends)
                ax.plot(x + xs, top - ys, color=PALETTE["muted"], lw=0.5, zorder=1)
    for x, r, c in ((left, from_row, from_column), (right, row, column)):
        frame(ax, x + c * cell, top - r * cell, cell, cell, "orange", 4)
    start = right + column * cell - 0.06, top - (row + 0.5) * cell
    end = left + (from_column + 1) * cell + 0.05, top - (from_row + 0.5) * cell
    arrow(ax, start, end, "orange", bend=0.12, lw=2.6, mutation_scale=20)
    middle = (left + size * cell + right) / 2
    label(ax, middle, 3.85, "look back: $h^{-1}$", "orange", 12, weight="bold")
    arrow(ax, (left + size * cell + 0.3, 1.55), (right - 0.3, 1.55), "muted")
    label(ax, middle, 1.8, "the letter turns by $h$:", "muted")
    label(ax, middle, 1.3, "counter-clockwise", "muted")

    def at(r: int, c: int) -> str:
        return f"({r - size // 2}, {c - size // 2})".replace("-", "−")

    text = f"② … takes the value of the old one\nat $h^{{-1}}x$ = {at(from_row, from_column)}"
    label(ax, left + size * cell / 2, 0.6, text, size=11.5)
    text = f"① the new image\nat $x$ = {at(row, column)} …"
    label(ax, right + size * cell / 2, 0.6, text, size=11.5)
    note = "Positions $(r_0, r_1)$ in pixels from the centre: $r_0$ down, $r_1$ to the right."
    label(ax, 4.95, 0.14, note, "muted", 9.5)
    return fig


@picture
def lifting_overview() -> Figure:
    """An ordinary convolution above a lifting convolution of the same image."""
    image = place((1, 5, 7))
    kernels, maps = lift_motif(image)
    fig, ax = canvas(9.9, 5.15, "One kernel in one pose, and one kernel in four poses")
    tiles(ax, image[None, None], 0.15, 3.75, 2.2, cmap="gray")
    label(ax, 1.25, 3.92, "input image", size=11, weight="bold")
    label(ax, 1.25, 1.32, "one feature,\nin the pose 90°")
    arrow(ax, (2.45, 3.3), (3.0, 3.7))
    arrow(ax, (2.45, 2.2), (3.0, 2.05))

    label(ax, 3.15, 4.64, "Convolution: one kernel, one map", ha="left", size=11.5, weight="bold")
    tiles(ax, kernels[None, :1], 3.15, 4.35, 0.9, **KERNEL_LOOK)
    arrow(ax, (4.15, 3.9), (4.7, 3.9))
    tiles(ax, maps[None, :1], 4.8, 4.45, 1.1)
    text = f"largest value {maps[0].max():.2f}:\nthe kernel's pose\nis not the feature's"
    label(ax, 6.1, 3.9, text, ha="left")

    text = "Lifting convolution: the kernel in four poses, a stack of four maps"
    label(ax, 3.15, 3.1, text, ha="left", size=11.5, weight="bold")
    for h, (angle, colour) in enumerate(ELEMENTS):
        x, match = 3.15 + 1.7 * h, h == int(maps.amax((1, 2)).argmax())
        label(ax, x + 0.2, 2.38, angle, colour, 11, "right", weight="bold")
        tiles(ax, kernels[None, h : h + 1], x + 0.25, 2.83, 0.9, colour, **KERNEL_LOOK)
        arrow(ax, (x + 0.7, 1.9), (x + 0.7, 1.67))
        tiles(ax, maps[None, h : h + 1], x + 0.1, 1.62, 1.15, colour, 4.5 if match else 1.8)
        text, weight = f"largest {maps[h].max():.2f}", "bold" if match else "normal"
        label(ax, x + 0.7, 0.35, text, weight=weight)
    text = "Kernels: orange is positive, violet negative. " + MAP_NOTE
    label(ax, 0.15, 0.12, text, "muted", 10, "left")
    return fig


@picture
def three_poses() -> Figure:
    """Three images with the same feature in another pose and place, and their lifts."""
    poses = [(0, 3, 4), (1, 8, 6), (2, 5, 9)]
    fig, ax = canvas(9.5, 6.5, "The feature's pose decides which group element lights up")
    label(ax, 0.95, 5.95, "input image", size=11, weight="bold")
    for h, (angle, colour) in enumerate(ELEMENTS):
        label(ax, 3.5 + 1.65 * h, 5.95, f"slice h = {angle}", colour, 11, weight="bold")
    for y, (turns, row, column) in zip([5.75, 3.92, 2.09], poses, strict=True):
        image = place((turns, row, column))
        maps = lift_motif(image)[1]
        tiles(ax, image[None, None], 0.2, y, 1.5, cmap="gray")
        label(ax, 0.95, y - 1.65, f"pose {TURNS[turns]}", GROUP_COLOURS[turns], weight="bold")
        arrow(ax, (1.83, y - 0.75), (2.62, y - 0.75))
        label(ax, 2.2, y - 0.58, "lift")
        for h, colour in enumerate(GROUP_COLOURS):
            x, match = 2.75 + 1.65 * h, h == int(maps.amax((1, 2)).argmax())
            tiles(ax, maps[None, h : h + 1], x, y, 1.5, colour, 4.5 if match else 1.5)
            text, weight = f"largest {maps[h].max():.2f}", "bold" if match else "normal"
            label(ax, x + 0.75, y - 1.65, text, weight=weight)
    label(ax, 0.2, 0.15, MAP_NOTE, "muted", 10, "left")
    return fig


@picture
def two_senses() -> Figure:
    """For h = 90°: positions x, positions h⁻¹x (turned clockwise), and the kernel sampled there."""
    line = torch.linspace(-1, 1, 5)
    grid = torch.stack(torch.meshgrid(line, line, indexing="ij"))
    back = turned_back(grid, 1)
    rows, columns = ((back + 1) * 2).round().long()
    kernel = MOTIF[rows, columns]
    assert torch.equal(kernel, torch.rot90(MOTIF))
    fig, ax = canvas(9.9, 4.8, "The grid turns clockwise, and so the kernel counter-clockwise")
    size, top, cell = 2.3, 3.65, 2.3 / 5
    panels = [
        (0.4, "the grid: positions $x$", MOTIF, grid),
        (3.8, "$h$ = 90°: the grid of $h^{-1}x$", MOTIF, back),
        (7.2, "the kernel $k_h(x) = k(h^{-1}x)$", kernel, grid),
    ]
    for number, (x, text, shown, points) in enumerate(panels):
        label(ax, x + size / 2, top + 0.5, text, size=11.5, weight="bold")
        tiles(ax, shown[None, None], x, top, size, "slate", 2.2, cmap=tinted("slate"))
        if number < 2:
            spots = x + size / 2 + points[1] * 2 * cell, top - size / 2 - points[0] * 2 * cell
            ax.plot(*(part.flatten() for part in spots), "o", ms=5, mfc="white", mec="black")
            ax.plot(spots[0][0], spots[1][0], color=PALETTE["orange"], lw=3, zorder=4)
            ax.plot(spots[0][0], spots[1][0], "o", ms=8, color=PALETTE["orange"], zorder=5)
            ax.plot(spots[0][0, 0], spots[1][0, 0], "o", ms=15, color=PALETTE["orange"], zorder=5)
        else:
            frame(ax, x, top, 5 * cell, cell, "orange", 3)
            ax.plot(x + cell / 2, top - cell / 2, "o", ms=15, color=PALETTE["orange"], zorder=5)
    arrow(ax, (4.1, top + 0.08), (5.8, top + 0.08), "orange", bend=-0.15, lw=2.2)
    arrow(ax, (9.2, top + 0.08), (7.5, top + 0.08), "orange", bend=0.15, lw=2.2)
    arrow(ax, (2.85, 2.5), (3.65, 2.5))
    arrow(ax, (6.25, 2.5), (7.05, 2.5))
    label(ax, 3.25, 2.78, "turn\nby $h^{-1}$")
    label(ax, 6.65, 2.78, "sample\nthere")
    label(ax, 1.55, 1.06, "on the weights $k$; the first row\nbegins at the marked corner", size=10)
    label(ax, 4.95, 1.06, "on the same weights: the corner\nlooks at their upper right", size=10)
    label(ax, 8.35, 1.06, "the weights' upper right has\ncome to its upper left", size=10)
    text = (
        "The grid says where to look, not where to go. Look further clockwise, and what you see\n"
        "there arrives counter-clockwise of where it was: the letter turns by $h$ = 90°."
    )
    label(ax, 4.95, 0.38, text, size=11.5, weight="bold")
    return fig


# ---------------------------------------------------------------------------- how folding works


def draw_vegetable(size: int = 128) -> Tensor:
    """Return a picture [3, size, size] of a ripening chilli, with values in [0, 1].

    Every stroke is a disk swept along a curve with three control points, while its radius and
    its colour change from those at the start to those at the end.
    """
    red, gold, pink = (0.90, 0.06, 0.10), (1.00, 0.84, 0.10), (1.00, 0.80, 0.76)
    dark, green, lime = (0.05, 0.36, 0.18), (0.10, 0.58, 0.24), (0.66, 0.86, 0.24)
    strokes = [  # control points (x, y), radii, colours
        ([(0.26, 0.52), (0.06, 0.86), (-0.50, 0.62)], (0.04, 0.02), (dark, green)),  # leaf stalk
        ([(-0.14, 0.66), (-0.40, 0.66), (-0.68, 0.40)], (0.16, 0.00), (green, lime)),  # leaf
        ([(0.30, 0.50), (0.30, 0.74), (0.50, 0.76)], (0.07, 0.055), (green, lime)),  # stem
        ([(0.30, 0.26), (0.34, -0.50), (-0.62, -0.60)], (0.29, 0.00), (red, gold)),  # fruit
        ([(0.44, 0.14), (0.40, -0.20), (0.14, -0.38)], (0.035, 0.00), (pink, gold)),  # highlight
        ([(0.28, 0.46), (0.04, 0.46), (0.06, 0.20)], (0.11, 0.00), (green, lime)),  # calyx
        ([(0.30, 0.46), (0.26, 0.34), (0.28, 0.14)], (0.11, 0.00), (green, lime)),
        ([(0.32, 0.46), (0.54, 0.46), (0.54, 0.22)], (0.11, 0.00), (green, lime)),
    ]
    axis = (torch.arange(size) + 0.5) / size * 2 - 1
    pixels = torch.stack(torch.meshgrid(axis, -axis, indexing="xy"))  # x to the right, y up
    t = torch.linspace(0, 1, 200)
    image = torch.zeros(3, size, size)
    for points, radii, colours in strokes:
        bezier = torch.stack([(1 - t) ** 2, 2 * t * (1 - t), t**2])
        curve = torch.tensor(points).T @ bezier
        radius = radii[0] + (radii[1] - radii[0]) * t**1.5
        distance = (pixels[:, None] - curve[:, :, None, None]).norm(dim=0)
        depth, nearest = (radius[:, None, None] - distance).max(dim=0)
        start, end = torch.tensor(colours)[:, :, None, None]
        roundness = (0.6 + 0.8 * depth / (radius[nearest] + 0.02)).clamp(0.5, 1)
        cover = (0.5 + depth * size / 2).clamp(0, 1)  # the edge is soft: one pixel wide
        image = torch.lerp(image, torch.lerp(start, end, t[nearest]) * roundness, cover)
    return image


def blob_kernels(*shape: int, size: int = 5) -> Tensor:
    """Return kernels [*shape, size, size] with a bright and a dark blob at drawn positions."""
    generator = torch.Generator().manual_seed(3)
    line = torch.linspace(-1, 1, size)
    pixels = torch.stack(torch.meshgrid(line, line, indexing="ij"), dim=-1)
    centres = torch.rand(2, *shape, 1, 1, 2, generator=generator) * 1.8 - 0.9
    bright, dark = torch.exp(-4 * (pixels - centres).square().sum(-1))
    return bright - dark


def lift_vegetable() -> tuple[Tensor, Tensor, Tensor]:
    """Return a picture [3, 32, 32], kernels [2, 4, 3, 5, 5] and the lifted maps [8, 28, 28]."""
    image, weight = draw_vegetable(32), blob_kernels(2, 3)
    kernels = torch.stack([torch.rot90(weight, h, (-2, -1)) for h in range(4)], dim=1)
    maps = F.relu(F.conv2d(image[None], kernels.flatten(0, 1))[0])
    return image, kernels, maps / maps.max()


def group_header(ax: Axes, x: float, y: float, step: float) -> None:
    """Write the four group elements side by side, the first centred on (x, y)."""
    for h, (angle, colour) in enumerate(ELEMENTS):
        label(ax, x + step * h, y, angle, colour, 10, weight="bold")


def shape_label(
    ax: Axes, x: float, y: float, axes: str, name: str, tensor: Tensor, ha: str = "center"
) -> None:
    """Write the names of a tensor's axes and, beneath, its own name and the sizes."""
    label(ax, x, y, axes, ha=ha, size=11, weight="bold")
    label(ax, x, y - 0.22, f"{name} {list(tensor.shape)}", "muted", 10, ha)


def channel_rows(ax: Axes, maps: Tensor, x: float, y: float, size: float) -> None:
    """Draw maps [8, X, Y] as one row per channel and one column per group element."""
    group_header(ax, x + size / 2, y + 0.15, size)
    for c, colour in enumerate(CHANNEL_COLOURS):
        top = y - (size + 0.1) * c
        label(ax, x - 0.1, top - size / 2, f"channel {c}", colour, ha="right")
        tiles(ax, maps[None, 4 * c : 4 * c + 4], x, top, size, colour, 2.2)


def sheets(
    ax: Axes, front: Tensor, x: float, y: float, size: float, colour: str, gap: float
) -> None:
    """Draw the first of three channels [h, w], or all as colours [h, w, 3], on two more sheets."""
    for n in (2, 1):
        corner = x + n * gap, y + n * gap - size
        paper: Look = {"fc": "#dfe3e8", "ec": PALETTE[colour], "lw": 1.2, "zorder": -n}
        ax.add_patch(Rectangle(corner, size, size, **paper))
    look: Look = {"cmap": "PuOr_r", "low": -1, "high": 1}
    tiles(ax, front[None, None], x, y, size, colour, 2, **look)


@picture
def lifting_fold() -> Figure:
    """How a lifting convolution becomes one conv2d: C_out = 2, |H| = 4, C_in = 3."""
    image, kernels, maps = lift_vegetable()
    fig, ax = canvas(9.9, 6.15, "Lifting convolution: the group axis becomes output channels")
    shape_label(ax, 2.75, 5.5, "[C_out, |H|, C_in, k, k]", "kernels", kernels)
    shape_label(ax, 7.45, 5.5, "[C_out·|H|, C_in, k, k]", "kernels", kernels.flatten(0, 1))
    arrow(ax, (4.1, 5.5), (6.0, 5.5))
    label(ax, 5.05, 5.66, "fold the kernels")
    group_header(ax, 1.65, 4.98, 0.8)
    size, step, left = 0.44, 0.56, 5.2
    for c, colour in enumerate(CHANNEL_COLOURS):
        label(ax, 1.2, 4.41 - 0.82 * c, f"channel {c}", colour, ha="right")
        group_header(ax, left + size / 2 + (4 * step + 0.1) * c, 4.98, step)
        for h in range(4):
            x, n = left + step * h + (4 * step + 0.1) * c, 4 * c + h
            sheets(ax, kernels[c, h, 0], 1.32 + 0.8 * h, 4.72 - 0.82 * c, 0.62, colour, 0.05)
            sheets(ax, kernels[c, h, 0], x, 4.72, size, colour, 0.04)
            arrow(ax, (x + size / 2, 4.22), (x + size / 2, 3.72), mutation_scale=11, lw=1.3)
            tiles(ax, maps[None, n : n + 1], x - 0.03, 3.68, 0.5, colour, 2.2)
            label(ax, x + size / 2, 3.06, f"{n}")
    sheets(ax, image.movedim(0, -1), 1.32, 2.62, 1.6, "muted", 0.07)
    shape_label(ax, 2.12, 0.82, "[B, C_in, X, Y]", "input", image[None])
    label(ax, 0.15, 0.2, "Three sheets: C_in = 3. A kernel shows its first.", "muted", 9.5, "left")
    arrow(ax, (3.2, 2.15), (5.0, 3.7))
    label(ax, 3.95, 2.5, "one conv2d", size=11, ha="left", weight="bold")
    shape_label(ax, 7.45, 2.72, "[B, C_out·|H|, X′, Y′]", "maps", maps[None])
    arrow(ax, (6.1, 2.65), (5.6, 1.95))
    label(ax, 6.0, 2.22, "unfold\nthe maps", ha="left")
    shape_label(ax, 5.4, 1.6, "[B, C_out, |H|, X′, Y′]", "maps", maps.unflatten(0, (2, 4))[None])
    channel_rows(ax, maps, 7.4, 2.0, 0.58)
    text = "Channel c with element h has number n = c · |H| + h: c counts slowly, h counts fast."
    label(ax, 9.75, 0.2, text, ha="right", size=9.5)
    return fig


@picture
def twist_and_shift() -> Figure:
    """How a rotation by 90° acts on a function over the plane and C4, in two steps."""
    image = place((0, 3, 4), (3, 9, 9))
    rotated = torch.rot90(image, 1, (-2, -1))
    before = lift_motif(image)[1]
    twisted = torch.rot90(before, 1, (-2, -1))
    after = torch.roll(twisted, 1, dims=0)
    # the same as lifting the rotated image
    torch.testing.assert_close(after, lift_motif(rotated)[1])
    fig, ax = canvas(9.9, 6.8, "A rotation by 90° twists and shifts the slices of a lifted image")
    for y, shown in [(6.05, image), (2.05, rotated)]:
        tiles(ax, shown[None, None], 0.15, y, 1.4, cmap="gray")
        arrow(ax, (1.68, y - 0.7), (2.72, y - 0.7))
        label(ax, 2.2, y - 0.53, "lift")
    label(ax, 0.85, 6.22, "image $f$")
    label(ax, 0.85, 0.47, "image turned by 90°")
    arrow(ax, (0.85, 4.55), (0.85, 2.15))
    label(ax, 0.95, 3.35, "turn\nby 90°", ha="left")
    label(ax, 2.75, 4.38, "twist: turn\neach slice", ha="right", weight="bold")
    label(ax, 2.75, 2.4, "shift: next\ngroup index", ha="right", weight="bold")
    for h, (angle, colour) in enumerate(ELEMENTS):
        x, end = 2.9 + 1.78 * h, 2.9 + 1.78 * ((h + 1) % 4) + 0.7
        label(ax, x + 0.7, 6.22, f"slice h = {angle}", colour, weight="bold")
        tiles(ax, before[None, h : h + 1], x, 6.05, 1.4, colour, 4.5)
        arrow(ax, (x + 0.7, 4.57), (x + 0.7, 4.2), colour)
        tiles(ax, twisted[None, h : h + 1], x, 4.13, 1.4, colour, 4.5)
        arrow(ax, (x + 0.7, 2.67), (end, 2.13), colour)
        tiles(ax, after[None, h : h + 1], x, 2.05, 1.4, GROUP_COLOURS[h - 1], 4.5)
        label(ax, x + 0.7, 0.47, f"slice h = {angle}", weight="bold")
    text = "Twist and shift give exactly the lift of the turned image. "
    label(ax, 0.15, 0.15, text + "A frame keeps the colour of its first slice.", ha="left")
    return fig


@picture
def relative_pose() -> Figure:
    """For each output element h and slice h̃: the slice h⁻¹h̃ of the weights, turned by h."""
    fig, ax = canvas(9.9, 6.0, "Which slice of the weights: the relative pose $h^{-1}\\tilde{h}$")
    size, step, left, top = 0.86, 1.55, 3.65, 4.65
    slices = [MOTIF[None, None]] * 4  # the same letter in all: only the colour tells a slice

    label(ax, 1.25, 5.3, "slices of the weights $k$", size=11.5, weight="bold")
    text = "the kernels $k_h$: in slice $\\tilde{h}$, the weights' slice $h^{-1}\\tilde{h}$"
    label(ax, left + 1.5 * step + 0.5, 5.3, text + ", turned by $h$", size=11.5, weight="bold")
    for row, (angle, colour) in enumerate(ELEMENTS):
        y = top - 1.02 * row
        label(ax, 0.72, y - size / 2, angle, colour, 12, "right", weight="bold")
        tiles(ax, slices[row], 0.82, y, size, colour, 2.2, cmap=tinted(colour))
        label(ax, left - 0.15, y - size / 2, f"$\\tilde{{h}}$ = {angle}", ha="right", size=11)
        for h in range(4):
            x, source = left + step * h, (row - h) % 4  # h⁻¹h̃ in C4
            name, own = TURNS[source], GROUP_COLOURS[source]
            turned = torch.rot90(slices[source], h, (-2, -1))
            if row == 0:
                label(ax, x + size / 2, top + 0.2, f"$h$ = {TURNS[h]}", size=11)
            edge, line = ("ink", 4.0) if source == 0 else (own, 1.4)
            tiles(ax, turned, x, y, size, edge, line, tinted(own))
            label(ax, x + size + 0.1, y - size / 2, name, own, 12, "left", weight="bold")
    arrow(ax, (1.85, 2.7), (2.6, 2.7))
    text = (
        "From column to column each slice of the weights turns by 90° and moves one row on.\n"
        "On the diagonal $\\tilde{h} = h$, so the relative pose is 0°: there stands the weights' "
        "slice 0° (black frame)."
    )
    label(ax, 4.95, 0.3, text, size=10.5)
    return fig


@picture
def group_fold() -> Figure:
    """How a group convolution becomes one conv2d: C_out = 1, C_in = 2, |H| = 4."""
    inputs, weight = lift_vegetable()[2], blob_kernels(1, 2, 4)
    turned = [torch.rot90(weight.roll(h, dims=2), h, (-2, -1)) for h in range(4)]
    kernels = torch.stack(turned, dim=1)  # [C_out, |H|, C_in, |H|, k, k], twisted and shifted
    folded = kernels.flatten(0, 1).flatten(1, 2)  # [C_out·|H|, C_in·|H|, k, k]
    maps = F.relu(F.conv2d(inputs[None], folded)[0])
    maps = maps / maps.max()
    look: Look = {"cmap": "PuOr_r", "low": -1, "high": 1, "line": 2.2}
    fig, ax = canvas(9.9, 6.9, "Group convolution: the input's group axis is folded as well")
    shape_label(ax, 2.6, 6.25, "[C_out, |H|, C_in, |H|, k, k]", "kernels", kernels)
    shape_label(ax, 8.15, 6.25, "[C_out·|H|, C_in·|H|, k, k]", "kernels", folded)
    arrow(ax, (4.2, 6.25), (6.55, 6.25))
    label(ax, 5.4, 6.4, "fold the kernels")
    size, left, top, step = 0.45, 6.7, 5.5, 0.8
    for h, (angle, colour) in enumerate(ELEMENTS):
        x, y, x_column = 0.6 + 2.05 * (h % 2), top - 1.28 * (h // 2), left + step * h
        label(ax, x + 2 * size, y + 0.15, f"h = {angle}", colour, weight="bold")
        label(ax, x_column + size / 2, top + 0.15, angle, colour, 10, weight="bold")
        for c, own in enumerate(CHANNEL_COLOURS):
            tiles(ax, kernels[0, h, c][None], x, y - size * c, size, own, **look)
            tiles(ax, kernels[0, h, c][:, None], x_column, top - 1.88 * c, size, own, **look)
        arrow(ax, (x_column + 0.225, 1.77), (x_column + 0.225, 1.52), mutation_scale=11, lw=1.3)
        tiles(ax, maps[None, h : h + 1], x_column - 0.085, 1.48, 0.62, "ink", 2.2)
        label(ax, x_column + size / 2, 0.74, f"{h}")
    text = "In each block: a row for each input channel,\na column for each of its elements."
    label(ax, 2.55, 3.02, text, "muted", 10)
    for c, colour in enumerate(CHANNEL_COLOURS):
        y = top - 1.88 * c
        tiles(ax, inputs[4 * c : 4 * c + 4, None], 5.75, y, size, colour, 2.2)
        for h, (angle, own) in enumerate(ELEMENTS):
            label(ax, 5.67, y - size * (h + 0.5), angle, own, 10, "right", weight="bold")
    arrow(ax, (6.28, 3.66), (6.62, 3.66))
    shape_label(ax, 2.5, 2.55, "[B, C_in, |H|, X, Y]", "input", inputs.unflatten(0, (2, 4))[None])
    channel_rows(ax, inputs, 1.3, 1.9, 0.6)
    arrow(ax, (3.8, 1.5), (5.1, 2.6))
    label(ax, 4.55, 1.88, "fold\nthe input", ha="left")
    shape_label(ax, 5.5, 1.5, "[B, C_in·|H|, X, Y]", "input", inputs[None])
    label(ax, 6.5, 0.98, "one conv2d", ha="right", size=11, weight="bold")
    label(
        ax, 0.15, 0.22, "Input channel c with element h has number c · |H| + h.", "ink", 9.5, "left"
    )
    text = "maps [B, C_out·|H|, X′, Y′]"
    label(ax, 9.75, 0.44, f"{text} = {list(maps[None].shape)}", ha="right", weight="bold")
    text = f"unfolded: [B, C_out, |H|, X′, Y′] = {list(maps[None, None].shape)}"
    label(ax, 9.75, 0.2, text, ha="right", weight="bold")
    return fig


@picture
def accuracy_over_angle() -> Figure:
    """The accuracy of lesson 1's three networks over the angle of the digit, ± a deviation."""
    looks = {"CNN": ("blue", "-"), "GCNN": ("orange", "-")}
    looks["CNN, turned training digits"] = ("slate", "--")
    return over_angle(
        "01_regular_group_convolutions", "Accuracy over the angle, three trainings each", looks
    )


@picture
def fewer_digits() -> Figure:
    """Accuracy over the number of training digits, mean and deviation over the seeds."""
    fig = Figure(figsize=(9.6, 3.6), layout="constrained")
    axes = fig.subplots(1, 2, sharex=True)
    counts = {", 1,000 images": 1_000, ", 6,000 images": 6_000, "": 54_000}
    for ax, kind in zip(axes, ("turned", "upright"), strict=True):
        for network, colour, marker in (("CNN", "blue", "o"), ("GCNN", "orange", "s")):
            names = [f"{network}{count}" for count in counts]
            read = [accuracies("01_regular_group_convolutions", name, kind) for name in names]
            means = [values.mean() for values in read]
            deviations = [values.std() if len(values) > 1 else 0 for values in read]
            look = {"color": PALETTE[colour], "marker": marker, "capsize": 4}
            ax.errorbar(counts.values(), means, deviations, label=network, **look)
        ax.set_xscale("log")
        ax.set_xticks(list(counts.values()), [f"{count:,}" for count in counts.values()])
        ax.minorticks_off()
        ax.set(title=f"{kind} digits", xlabel="training digits", ylabel="read correctly, in %")
        ax.grid(axis="y", color=PALETTE["line"], linewidth=0.5)
    axes[0].legend()
    return fig
