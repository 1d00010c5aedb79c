"""A picture to move and turn, a kernel to edit, and the four maps that lesson 1's lifting makes.

What stands here is how it begins; without a script it is a still picture. With
`solutions/_static/lift.js`, which draws and says the same in the same words, it moves.
"""

from __future__ import annotations

import json

import numpy as np

from autograder.course import Course

ANGLES = ("0°", "90°", "180°", "270°")
LETTER = [[1, 1, 1], [1, 0, 0], [1, 1, 0], [1, 0, 0], [1, 0, 0]]  # an F, smaller than the lesson's
IMAGE = np.pad(LETTER, ((1, 3), (2, 4)))  # [9, 9]
KERNEL = np.array([[1, 1, 1], [1, -1, -1], [1, 1, -1]])  # the head of the F
MOVES = {"left": ("←", "0 -1"), "up": ("↑", "-1 0"), "down": ("↓", "1 0"), "right": ("→", "0 1")}


def poses(kernel: np.ndarray) -> list[np.ndarray]:
    """Return a kernel [k, k] turned by 0°, 90°, 180° and 270°, counter-clockwise."""
    return [np.rot90(kernel, h) for h in range(4)]


def lift(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return the lift [4, X, Y] of an image [X, Y] with a 3 × 3 kernel and padding 1."""
    patches = np.lib.stride_tricks.sliding_window_view(np.pad(image, 1), kernel.shape)
    return np.einsum("xyij,hij->hxy", patches, np.stack(poses(kernel)))


def markup(course: Course) -> str:
    """Return the picture, the kernel in four poses and the four maps as HTML, one line.

    It is the same for every `course`. The script shows what is hidden: all that can be pressed.
    """
    maps = lift(IMAGE, KERNEL)
    moves = "".join(
        f'<button type="button" data-move="{steps}" aria-label="Move the F {name}">{sign}</button>'
        for name, (sign, steps) in MOVES.items()
    )
    pixels = "".join(
        f'<button type="button" data-value="{value}" '
        f'aria-label="Row {row + 1}, column {column + 1}: {signed(value)}">{signed(value)}</button>'
        for (row, column), value in np.ndenumerate(KERNEL)
    )
    places = "".join(
        f'<div class="lift-place"><b>{angle}</b>{pose(kernel, angle)}{answer(maps, h)}</div>'
        for h, (angle, kernel) in enumerate(zip(ANGLES, poses(KERNEL), strict=True))
    )
    guesses = "".join(
        f'<label><input type="radio" name="guess" value="{h}" required> {angle}</label>'
        for h, angle in enumerate(ANGLES)
    )
    turns = "".join(f'<option value="{h}">{ANGLES[h]}</option>' for h in range(1, 4))
    return (
        '<form class="lift" autocomplete="off" aria-label="Lift it" '
        f'data-image="{json.dumps(IMAGE.tolist())}" data-kernel="{json.dumps(KERNEL.tolist())}">'
        '<div class="lift-given"><div class="lift-picture"><p hidden><b>Picture:</b> drag the F</p>'
        f'{picture(IMAGE)}<p class="lift-moves" hidden>{moves}</p></div>'
        '<fieldset class="lift-kernel" hidden><legend><b>Kernel:</b> press it</legend>'
        f'<div>{pixels}</div></fieldset><div class="lift-ask" hidden>'
        f'<p><label>Turn by <select name="by">{turns}</select> counter-clockwise</label></p>'
        "<fieldset><legend>Say first: which map will have the largest value then?</legend>"
        f'{guesses}</fieldset><p><button class="lift-turn">Turn by 90°</button> '
        '<button type="reset">Start again</button></p></div></div>'
        "<p>The kernel in its four poses, and the map of each:</p>"
        f'<div class="lift-maps">{places}</div><p><output class="lift-says">{found(maps)}</output>'
        '</p><p><output class="lift-verdict"></output></p></form>'
    )


def picture(image: np.ndarray) -> str:
    """Return the image [9, 9] as SVG."""
    rows, columns = (np.flatnonzero(image.any(axis=axis)) + 1 for axis in (1, 0))
    label = (
        f"An F in the pose 0°, in rows {rows[0]} to {rows[-1]} "
        f"and columns {columns[0]} to {columns[-1]} of 9 by 9 pixels"
    )
    return svg(image, label, cells(image, 1))


def pose(kernel: np.ndarray, angle: str) -> str:
    """Return a kernel in one of its poses [3, 3] as SVG."""
    rows = "; ".join(" ".join(signed(value) for value in row) for row in kernel)
    return svg(kernel, f"The kernel turned by {angle}: {rows}", cells(kernel, 1))


def answer(maps: np.ndarray, h: int) -> str:
    """Return one of the maps [4, 9, 9] as SVG, framed and with its peaks if it is the highest."""
    largest, drawn = int(maps[h].max()), cells(maps[h], int(abs(maps).max()))
    is_best = largest == maps.max()
    for row, column in np.argwhere(maps[h] == maps.max()):
        drawn += f'<circle cx="{column + 0.5}" cy="{row + 0.5}" r="0.8"></circle>'
    label = f"Map of {ANGLES[h]}, largest value {signed(largest)}"
    return (
        f'<div class="lift-map{" lift-best" if is_best else ""}">{svg(maps[h], label, drawn)}'
        f"<span>largest {signed(largest)}</span></div>"
    )


def found(maps: np.ndarray) -> str:
    """Return in words where the only largest value of the maps is."""
    ((h, row, column),) = np.argwhere(maps == maps.max())
    return (
        f"The largest value, {maps.max()}, is in the map of {ANGLES[h]}, "
        f"at row {row + 1}, column {column + 1}."
    )


def svg(values: np.ndarray, label: str, drawn: str) -> str:
    """Return what is drawn over the pixels of values [n, n], with a text for who cannot see it."""
    size = len(values)
    return f'<svg viewBox="0 0 {size} {size}" role="img" aria-label="{label}">{drawn}</svg>'


def cells(values: np.ndarray, scale: int) -> str:
    """Return the pixels of values [n, n] that are not 0 as paths, one for each value."""
    drawn = ""
    for value in np.unique(values[values != 0]):
        squares = "".join(f"M{x} {y}h1v1h-1z" for y, x in np.argwhere(values == value))
        kind, strength = "plus" if value > 0 else "minus", 0.2 + 0.8 * abs(value) / scale
        drawn += (
            f'<path class="lift-{kind}" opacity="{strength:.2f}" d="{squares}">'
            f"<title>{signed(value)}</title></path>"
        )
    return drawn


def signed(value: int) -> str:
    """Return a number with a proper minus sign."""
    return str(value).replace("-", "−")
