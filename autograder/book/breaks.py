"""Something to break on a lesson's page: does it matter whether one lifts before or after turning?

The script computes all that is shown; what stands here is the state it begins with, in which a
quarter turn and the lesson's own layer need no interpolation.
"""

from __future__ import annotations

import base64
import html
import json
import random

import numpy as np
from PIL import Image

from autograder.book.turn import SIDE, data_image, kept_digits
from autograder.course import Course

SIZES, SIZE = (3, 5, 7), 5
ORDERS, ORDER = (1, 4, 8, 16), 4
ANGLE, STEP = 90, 2.5  # degrees; a step of C16 is nine of these
MARGIN = 2  # pixels around a map, in which its frame is drawn
MIDDLE, LEFT, RIGHT, FRAME = (247, 247, 247), (84, 39, 136), (179, 88, 6), (74, 125, 255)
ROWS = {
    "kernel": ("the kernel’s poses", "The kernel in each of its poses"),
    "first": ("<i>lift</i>(<i>turn</i> <i>f</i>)", "The maps of the turned digit, one for a pose"),
    "then": ("<i>turn</i>(<i>lift</i> <i>f</i>)", "The digit’s maps, turned and moved on"),
    "difference": ("difference, × 2", "The difference of the two, white where there is none"),
}
HEIGHT, TOP = 147, 2.1  # of the curve: in the picture's units, and the error that stands there


def kernels() -> dict[int, np.ndarray]:
    """Return kernels [k, k] by their size: smooth noise; the smaller ones are its middle."""
    generator = random.Random(1)
    wide = max(SIZES) + 4
    noise = np.array([[generator.gauss(0, 1) for _ in range(wide)] for _ in range(wide)])
    bell = np.exp(-((np.arange(2, wide - 2)[:, None] - np.arange(wide)) ** 2) / 2)
    largest = (bell @ noise @ bell.T).round(2)
    edges = {size: (max(SIZES) - size) // 2 for size in SIZES}
    return {size: largest[e : e + size, e : e + size] for size, e in edges.items()}


def lift(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return the responses [4, X, Y] to a kernel in the poses of C4, with zeros around."""
    padded = np.pad(image, len(kernel) // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape)
    return np.stack([(windows * np.rot90(kernel, h)).sum(axis=(2, 3)) for h in range(4)])


def strip(maps: np.ndarray, limit: float, framed: int | None = None) -> str:
    """Return maps [N, k, k] beside each other as a data: image; white is 0, the ends are ±limit."""
    shares = np.clip(maps / limit, -1, 1)
    nearest = np.arange(SIDE) * maps.shape[-1] // SIDE
    shares = shares[:, nearest][:, :, nearest, None]
    ends = np.where(shares < 0, LEFT, RIGHT)
    cells = np.rint(MIDDLE + abs(shares) * (ends - MIDDLE)).astype(np.uint8)
    wide = SIDE + 2 * MARGIN
    picture = Image.new("RGBA", (wide * len(cells), wide))
    for number, cell in enumerate(cells):
        if number == framed:
            picture.paste((*FRAME, 255), (wide * number, 0, wide * (number + 1), wide))
        picture.paste(Image.fromarray(cell), (wide * number + MARGIN, MARGIN))
    return data_image(picture)


def pictures(image: np.ndarray) -> dict[str, str]:
    """Return the pictures of the first state: C4, a square of 5 × 5, and a quarter turn."""
    kernel = kernels()[SIZE]
    turned = np.rot90(image)
    first = lift(turned, kernel)
    then = np.roll(np.rot90(lift(image, kernel), axes=(1, 2)), 1, axis=0)
    limit = abs(then).max()
    poses = np.stack([np.rot90(kernel, h) for h in range(ORDER)])
    return {
        "digit": strip(turned[None], 1),
        "kernel": strip(poses, abs(poses).max(), framed=1),
        "first": strip(first, limit, framed=1),
        "then": strip(then, limit, framed=1),
        "difference": strip(first - then, limit / 2, framed=1),
    }


def markup(course: Course) -> str:
    """Return the switches, the maps and the curve as HTML; without a script they stand still.

    Nothing where no digits are kept.
    """
    digits = kept_digits(course)
    if not digits:
        return ""
    pixels = next(digit["pixels"] for digit in digits if digit["label"] == 7)
    image = np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(SIDE, SIDE) / 255
    shown = pictures(image)
    data = {
        "pixels": pixels,
        "weights": {size: kernel.ravel().tolist() for size, kernel in kernels().items()},
        "step": STEP,
        "margin": MARGIN,
        "colours": [MIDDLE, LEFT, RIGHT, FRAME],
        "height": HEIGHT,
        "top": TOP,
    }
    rows = "".join(
        f'<p class="breaks-row"><span>{label}</span>'
        f'<img data-row="{name}" src="{shown[name]}" alt="{alt}"></p>'
        for name, (label, alt) in ROWS.items()
    )
    switches = (
        choice("group", "order", {n: f"C<sub>{n}</sub>" for n in ORDERS}, ORDER)
        + choice("kernel", "size", {n: f"{n} × {n}" for n in SIZES}, SIZE)
        + choice("on a", "support", {"square": "square", "disk": "disk"}, "square")
    )
    return (
        f'<form class="breaks" autocomplete="off" data-state="{html.escape(json.dumps(data))}">'
        "<p>Is <i>lift</i>(<i>turn</i> <i>f</i>) the same as <i>turn</i>(<i>lift</i> <i>f</i>)?</p>"
        '<div class="breaks-controls"><p><label>Turn by <i>g</i> = '
        f'<span class="breaks-angle">{ANGLE}°</span> <input type="range" min="0" '
        f'max="{360 - STEP}" step="{STEP}" value="{ANGLE}"></label></p>{switches}'
        '<p><label><input type="checkbox" name="forget"> forget the inverse: sample at <i>hx</i>'
        "</label></p></div>"
        f'<div class="breaks-head"><img data-row="digit" src="{shown["digit"]}" width="96" '
        'height="96" alt="A handwritten 7, turned by g">'
        f"<p><output>At {ANGLE}° they differ by 0.0 %: the two are the same.</output></p></div>"
        f'<div class="breaks-rows" style="--columns: {ORDER}">{rows}</div>'
        '<p class="breaks-note">One picture for each pose <i>h</i>: '
        "<span>0°, 90°, 180°, 270°</span>. The frame shows where the shift takes the map of 0°. "
        "Orange is above zero, violet below. The number is the size of the difference within the "
        "largest circle, relative to <i>turn</i>(<i>lift</i> <i>f</i>).</p>"
        f"{curve()}</form>"
    )


def choice(legend: str, name: str, options: dict, chosen: object) -> str:
    """Return a group of radio buttons."""
    buttons = "".join(
        f'<label><input type="radio" name="{name}" value="{value}"'
        f"{' checked' if value == chosen else ''}> {label}</label> "
        for value, label in options.items()
    )
    return f"<fieldset><legend>{legend}</legend> {buttons}</fieldset>"


def curve() -> str:
    """Return the axes of the error over the angle; the script draws the curves."""
    grid = texts = ""
    for percent in range(0, int(100 * TOP) + 1, 50):
        y = HEIGHT * (1 - percent / 100 / TOP)
        grid += f"M0 {y:g}h360"
        texts += f'<text x="-6" y="{y + 4:g}" text-anchor="end">{percent} %</text>'
    for angle in range(0, 361, 90):
        texts += f'<text x="{angle}" y="{HEIGHT + 22}" text-anchor="middle">{angle}°</text>'
    return (
        f'<div class="breaks-curve"><svg viewBox="-44 -6 424 {HEIGHT + 36}" width="424" '
        f'height="{HEIGHT + 36}" role="img"><title>The difference over the angle</title>'
        f'<path class="breaks-grid" d="{grid}"></path>{texts}'
        '<path class="breaks-elements"></path><path class="breaks-before"></path>'
        '<path class="breaks-now"></path><circle class="breaks-hand" r="4"></circle></svg>'
        '<p class="breaks-note">The difference at every angle; dashed, as it was before your last '
        "change. The short strokes are the group’s elements.</p></div>"
    )
