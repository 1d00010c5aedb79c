"""A lesson's pictures for the README and the book: still, and moving where the lesson has it."""

from __future__ import annotations

import base64
import io
import re
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
    shown = [
        content
        for cell in notebook.cells
        if TAG in cell.metadata.get("tags", [])
        for output in cell.outputs
        for content in output.get("data", {}).items()
    ]
    if shown:
        stem.parent.mkdir(parents=True, exist_ok=True)
    if figures := [_image(content) for kind, content in shown if kind == "image/png"]:
        _stacked(figures).save(stem.with_suffix(".png"), optimize=True)
    for page in (content for kind, content in shown if kind == "text/html"):
        # The first is there twice: as what is seen before the animation starts.
        if frames := [_image(content) for content in _FRAME.findall(page)[1:]]:
            first, *others = _labelled(frames, _LABEL.findall(page))
            path = stem.with_suffix(".gif")
            first.save(
                path, save_all=True, append_images=others, loop=0, duration=FRAME, optimize=True
            )


def _image(content: str) -> Image.Image:
    """Return a picture on white."""
    picture = Image.open(io.BytesIO(base64.b64decode(content))).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def _stacked(figures: list[Image.Image]) -> Image.Image:
    """Return the figures one above the other, no wider than a page needs it."""
    size = (max(figure.width for figure in figures), sum(figure.height for figure in figures))
    cover = Image.new("RGB", size, "white")
    top = 0
    for figure in figures:
        cover.paste(figure, ((cover.width - figure.width) // 2, top))
        top += figure.height
    cover.thumbnail((WIDTH, cover.height))
    return cover


def _labelled(frames: list[Image.Image], labels: list[str]) -> list[Image.Image]:
    """Return the frames with the labels above them, spread over the width."""
    width, height = frames[0].size
    blank = Image.new("RGB", (width, HEAD + height), "white")
    draw, font = ImageDraw.Draw(blank), ImageFont.load_default(HEAD // 2)
    for index, label in enumerate(labels):
        place = ((index + 0.5) * width / len(labels), HEAD / 2)
        draw.text(place, label, fill="black", font=font, anchor="mm")
    pictures = []
    for frame in frames:
        picture = blank.copy()
        picture.paste(frame, (0, HEAD))
        pictures.append(picture.quantize(64, dither=Image.Dither.NONE))
    return pictures
