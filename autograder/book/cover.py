"""A lesson's pictures for the README and the book: still, and moving where the lesson has it."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode
from PIL import Image, ImageDraw, ImageFont

TAG = "cover"
WIDTH = 1400  # of the still picture, in pixels
FRAME = 120  # how long a frame of the moving picture stays, in milliseconds
HEAD = 28  # height of the line of labels above it, in pixels
_FRAME = re.compile(r'"data:image/png;base64,([^"]+)"')
_LABEL = re.compile(r"<span[^>]*>([^<]*)</span>")


def save_covers(notebook: NotebookNode, stem: Path) -> None:
    """Write `<stem>.png` and `<stem>.gif` from the outputs of the cells with the tag `cover`.

    The figures are stacked to the still picture. An animation, which is an HTML output that holds
    its frames as PNG images, becomes the moving one, its labels above it. What the notebook does
    not have is not written.
    """
    figures, pages = [], []
    for kind, content in _outputs(notebook):
        if kind == "image/png":
            figures.append(_image(content))
        elif kind == "text/html":
            pages.append(content)
    if figures:
        _save_still(figures, stem.with_suffix(".png"))
    for page in pages:
        frames = [_image(found) for found in _FRAME.findall(page)]
        if len(frames) > 1:
            # The first is there twice: as what is seen before the animation starts.
            _save_moving(frames[1:], _LABEL.findall(page), stem.with_suffix(".gif"))


def _outputs(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    """Yield kind and content of what the tagged cells show."""
    for cell in notebook.cells:
        if TAG in cell.metadata.get("tags", []):
            for output in cell.outputs:
                yield from output.get("data", {}).items()


def _image(content: str) -> Image.Image:
    """Return a picture on white."""
    picture = Image.open(io.BytesIO(base64.b64decode(content))).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def _save_still(figures: list[Image.Image], path: Path) -> None:
    width, height = max(one.width for one in figures), sum(one.height for one in figures)
    cover = Image.new("RGB", (width, height), "white")
    top = 0
    for figure in figures:
        cover.paste(figure, ((width - figure.width) // 2, top))
        top += figure.height
    cover.thumbnail((WIDTH, cover.height))
    path.parent.mkdir(parents=True, exist_ok=True)
    cover.save(path, optimize=True)


def _save_moving(frames: list[Image.Image], labels: list[str], path: Path) -> None:
    width, height = frames[0].size
    head = Image.new("RGB", (width, HEAD), "white")
    draw, font = ImageDraw.Draw(head), ImageFont.load_default(HEAD // 2)
    for index, label in enumerate(labels):
        place = ((index + 0.5) * width / len(labels), HEAD / 2)
        draw.text(place, label, fill="black", font=font, anchor="mm")
    pictures = []
    for frame in frames:
        picture = Image.new("RGB", (width, HEAD + height), "white")
        picture.paste(head, (0, 0))
        picture.paste(frame, (0, HEAD))
        pictures.append(picture.quantize(64, dither=Image.Dither.NONE))
    path.parent.mkdir(parents=True, exist_ok=True)
    rest = {"save_all": True, "append_images": pictures[1:], "loop": 0}
    pictures[0].save(path, duration=FRAME, optimize=True, **rest)
