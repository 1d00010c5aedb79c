"""A digit to turn on the book's home page, and what two networks say of it at every angle.

What they say is computed once, by lesson 1's own code with the networks that the course has
trained, for the first test digit of each class. The same command writes the networks' weights for
the digit that a reader draws:

    python -m autograder.book.turn
"""

from __future__ import annotations

import base64
import html
import io
import json
import math
import os
from types import SimpleNamespace
from typing import Any
from unittest import mock

from PIL import Image

from autograder.book.names import lesson_names
from autograder.book.weights import packed, weights_file
from autograder.course import Course
from autograder.lesson import Lesson
from autograder.texts import replaced, write_text

STEM = "01_regular_group_convolutions"
STEP = 5  # degrees
NETWORKS = {"CNN": "ordinary network", "GCNN": "group network"}
SIDE, RADIUS = 28, 90
Digit = dict[str, Any]


def main() -> None:
    """Compute the scores anew, and keep them and the weights."""
    course = Course.find()
    with mock.patch.dict(os.environ, COURSE_TRAINING="none", COURSE_DATA=str(course.data_folder())):
        names = lesson_names(Lesson.load(course.lesson_path(STEM)))
    images, labels = names.load_digits(train=False)
    first = [int((labels == label).nonzero()[0]) for label in range(10)]
    digits = [
        {"label": int(labels[i]), "pixels": encoded(images[i].numpy().tobytes())} for i in first
    ]
    networks = {name: trained(names, course, name) for name in NETWORKS}
    for digit in digits:
        digit["scores"] = {name: scores(names, it, digit) for name, it in networks.items()}
    write_text(course.turning, json.dumps(digits, indent=1) + "\n")
    with replaced(weights_file(course)) as new:
        new.write_bytes(b"".join(packed(network) for network in networks.values()))


def trained(names: SimpleNamespace, course: Course, name: str) -> Any:
    """Return a network of the lesson as the course has trained it."""
    recipe = dict(names.RECIPES[name])
    network = names.create_model(recipe.pop("model_name"), recipe).eval()
    path = course.network(names.file_name(name))
    kept = names.torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict(kept["weights"])
    return network


def scores(names: SimpleNamespace, network: Any, digit: Digit) -> str:
    """Return what a network gives to the ten classes, 0 to 255, at one angle after the other."""
    torch = names.torch
    pixels = torch.tensor(list(base64.b64decode(digit["pixels"])), dtype=torch.uint8)
    angles = torch.arange(0.0, 360.0, STEP)
    turned = names.rotate_each(pixels.view(1, SIDE, SIDE).expand(len(angles), -1, -1), angles)
    with torch.no_grad():
        given = network(names.normalize(turned)).softmax(dim=1)
    return encoded((255 * given).round().byte().numpy().tobytes())


def encoded(data: bytes) -> str:
    """Return bytes as text."""
    return base64.b64encode(data).decode()


def kept_digits(course: Course) -> list[Digit]:
    """Return the digits as `main` keeps them; none where it has not run."""
    if not course.turning.is_file():
        return []
    digits: list[Digit] = json.loads(course.turning.read_text(encoding="utf-8"))
    return digits


def markup(course: Course) -> str:
    """Return the digit, its dial and its curve as HTML; without a script it is a still picture.

    Nothing where no scores are kept.
    """
    digits = kept_digits(course)
    if not digits:
        return ""
    shown = next(digit for digit in digits if digit["label"] == 7)
    page_data = [
        {
            "label": digit["label"],
            "picture": picture(digit),
            "scores": digit["scores"],
            "curves": {name: path(digit, name) for name in NETWORKS},
        }
        for digit in digits
    ]
    options = "".join(
        f"<option{' selected' if digit is shown else ''}>{digit['label']}</option>"
        for digit in digits
    )
    data = html.escape(json.dumps(page_data, separators=(",", ":")), quote=True)
    return (
        f'<div class="turn" data-step="{STEP}" data-digits="{data}">'
        f'<div class="turn-left"><img src="{picture(shown)}" width="140" height="140" '
        f'alt="A handwritten {shown["label"]}, upright">'
        '<p><label>Turn it: <input type="range" min="0" max="359" value="0" step="1"></label> '
        f"<label>digit <select>{options}</select></label></p>{said('turn')}</div>"
        f'<div class="turn-right">{curve(shown)}</div></div>'
    )


def picture(digit: Digit) -> str:
    """Return a digit as a data: image."""
    pixels = base64.b64decode(digit["pixels"])
    return data_image(Image.frombytes("L", (SIDE, SIDE), pixels))


def data_image(picture: Image.Image) -> str:
    """Return a picture as a data: image."""
    buffer = io.BytesIO()
    picture.save(buffer, "png", optimize=True)
    return f"data:image/png;base64,{encoded(buffer.getvalue())}"


def said(box: str) -> str:
    """Return lines for what each network says, in a box of this class."""
    return "".join(
        f'<p class="{box}-said {box}-{name}" data-network="{name}"><b>{words}:</b> '
        "<output></output></p>"
        for name, words in NETWORKS.items()
    )


def curve(digit: Digit) -> str:
    """Return a polar curve: how sure each network is of the right class, over the angle."""
    lines = {name: path(digit, name) for name in NETWORKS}
    summary = "; ".join(f"{NETWORKS[name]} {sure(digit, name)} of 72 angles" for name in NETWORKS)
    title = (
        f"How sure the networks are of the right digit, over the angle. Read rightly: {summary}."
    )
    return (
        f"{polar('turn', title, lines)}"
        "<p>Sure of the right digit, from not at all (centre) to quite (outer ring), "
        "at each angle.</p>"
    )


def polar(box: str, title: str, lines: dict[str, str]) -> str:
    """Return a polar diagram with a line for each network, perhaps empty, and a hand.

    0° is up, angles run counter-clockwise. `box` is the class of the box that it stands in.
    """
    drawn = ""
    for name, line in lines.items():
        points = f' d="{line}"' if line else ""
        drawn += f'<path class="{box}-{name}"{points}></path>'
    drawn += f'<line class="{box}-hand" y2="-{RADIUS}"></line>'
    rings = "".join(f'<circle r="{RADIUS * share}"></circle>' for share in (0.5, 1))
    texts = "".join(
        f'<text x="{x}" y="{y}">{angle}°</text>'
        for angle, x, y in ((0, 0, -98), (90, -108, 4), (180, 0, 107), (270, 108, 4))
    )
    return (
        '<svg viewBox="-125 -115 250 230" width="250" height="230" role="img">'
        f"<title>{title}</title>{rings}{texts}{drawn}</svg>"
    )


def path(digit: Digit, name: str) -> str:
    """Return the points of a network's curve in the diagram."""
    given = base64.b64decode(digit["scores"][name])
    points = []
    for number in range(360 // STEP):
        radius = RADIUS * given[10 * number + digit["label"]] / 255
        angle = math.radians(STEP * number)
        points.append(f"{-radius * math.sin(angle):.1f} {-radius * math.cos(angle):.1f}")
    return f"M{'L'.join(points)}Z"


def sure(digit: Digit, name: str) -> int:
    """Return at how many angles a network reads a digit rightly."""
    given = base64.b64decode(digit["scores"][name])
    rows = [given[start : start + 10] for start in range(0, len(given), 10)]
    return sum(max(range(10), key=row.__getitem__) == digit["label"] for row in rows)


if __name__ == "__main__":
    main()
