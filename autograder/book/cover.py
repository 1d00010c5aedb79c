"""A lesson's pictures for the README and the book: still, and moving where the lesson has it."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from nbformat import NotebookNode
from PIL import Image

TAG = "cover"
WIDTH = 1400  # of the still picture, in pixels


def save_covers(notebook: NotebookNode, stem: Path) -> None:
    """Write `<stem>.png` and `<stem>.gif` from the outputs of the cells with the tag `cover`.

    The figures are stacked to the still picture; an animated image is the moving one. What the
    notebook does not have is not written.
    """
    shown = [
        (kind, base64.b64decode(content))
        for cell in notebook.cells
        if TAG in cell.metadata.get("tags", [])
        for output in cell.outputs
        for kind, content in output.get("data", {}).items()
        if kind in ("image/png", "image/gif")
    ]
    if shown:
        stem.parent.mkdir(parents=True, exist_ok=True)
    if figures := [_on_white(content) for kind, content in shown if kind == "image/png"]:
        _stacked(figures).save(stem.with_suffix(".png"), optimize=True)
    for moving in (content for kind, content in shown if kind == "image/gif"):
        stem.with_suffix(".gif").write_bytes(moving)


def _on_white(content: bytes) -> Image.Image:
    """Return a picture on white."""
    picture = Image.open(io.BytesIO(content)).convert("RGBA")
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
