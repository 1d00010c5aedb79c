"""Make what a student's notebook holds harmless to whoever looks at it in a browser.

formgrader and nbconvert show notebooks as HTML and trust them: raw HTML in text cells, scripts in
outputs and even an execution count go into the page as they are. So what a student's notebook and
Python can decide is made plain before the graded notebook is written: text, and pictures that were
decoded and encoded again. What comes from the course stays as it is. Doing it twice changes nothing
more.
"""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Collection
from urllib.parse import unquote

import nbformat
from nbformat import NotebookNode
from PIL import Image, ImageOps

from autograder.errors import LOG
from autograder.submissions.values import as_dict, as_list
from autograder.texts import UNSEEN, safe_text

MAX_OUTPUTS = 100  # outputs of one cell
MAX_PICTURES = 20  # pictures of one text cell
MAX_PIXELS = 16_000_000  # of a picture before it is decoded
MAX_ALL_PIXELS = 100_000_000  # of all pictures of a notebook together
MAX_SIDE = 3000  # pixels; a larger picture is made smaller
LEFT_OUT = "[An output that is neither text nor a PNG or JPEG picture was left out.]"
_NAME_BREAKERS = '<>"&`\n\t'
_PICTURE = re.compile(
    r"(?<!\\)!\[(?P<alt>[^\[\]\n]*)\]\([ ]*"
    r"(?:attachment:(?P<name>[^\s()<>]+)|data:image/(?:png|jpe?g);base64,(?P<data>[\w+/=]+))[ ]*\)"
)
# A space after `<` leaves `a < b` in text, code and formulas, but no tag.
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_WEB = r"(?:[Hh][Tt][Tt][Pp][Ss]?://|mailto:|\#)"
_LINK = rf"!\[|\]\((?!{_WEB})"
_REFERENCE = re.compile(rf"\]:(?!\s*{_WEB})")
# What lets a formula link, load, or change the page around it, in MathJax or KaTeX.
_TEX = re.compile(
    r"\\(?=(?:href|url|require|class|style|cssId|bbox|enclose|mmlToken|includegraphics|html[A-Z]\w*)"
    r"(?![A-Za-z]))"
)
# nbconvert makes a heading's text its id, and formgrader finds the fields for points by their ids:
# a heading called like a question would take them over. An invisible space makes it another id.
_NOT_AN_ID = "\u200b"
_HEADING = re.compile(rf"^([ \t>*+\-.:\d)]*#{{1,6}}[ \t]*)(?=[^\s#{_NOT_AN_ID}])", re.MULTILINE)
_FENCE = re.compile(r"^.*(?:```|~~~).*$", re.MULTILINE)
_UNDERLINE = re.compile(r"(?<=\S)[ \t]*\n(?=[ \t>]*[=-]+[ \t]*$)", re.MULTILINE)


class Allowance:
    """How many pixels of pictures may still be decoded."""

    def __init__(self) -> None:
        self.pixels = MAX_ALL_PIXELS

    def allows(self, pixels: int) -> bool:
        """Whether a picture of so many may be decoded; it then counts."""
        if pixels > min(MAX_PIXELS, self.pixels):
            return False
        self.pixels -= pixels
        return True


def safe_notebook(notebook: NotebookNode, trusted: Collection[str]) -> NotebookNode:
    """Return the notebook with everything harmless that a student or a kernel has put into it.

    Text cells whose source is in `trusted`, the texts of the course, stay as they are. Of the
    notebook's metadata, the kernel's name and what grading wrote itself are kept.
    """
    metadata = {
        key: value
        for key, value in notebook.metadata.items()
        if key == "kernelspec" or key.startswith("course_")
    }
    allowance = Allowance()
    return nbformat.from_dict(
        {
            "cells": [safe_cell(cell, trusted, allowance) for cell in notebook.cells],
            "metadata": {**metadata, "language_info": {"name": "python"}},
            "nbformat": notebook.nbformat,
            "nbformat_minor": notebook.nbformat_minor,
        }
    )


def safe_cell(
    cell: NotebookNode, trusted: Collection[str] = (), allowance: Allowance | None = None
) -> NotebookNode:
    """Return a cell with harmless text, attachments and outputs; code is left as it is."""
    allowance = allowance or Allowance()
    safe = nbformat.from_dict({key: value for key, value in cell.items() if key != "attachments"})
    if cell.cell_type == "code":
        safe.execution_count = _whole(cell.get("execution_count"))
        safe.outputs = safe_outputs(cell.get("outputs"), allowance)
    elif cell.source not in trusted:
        source = cell.source if isinstance(cell.source, str) else ""
        text = source.replace("\r\n", "\n").replace("\r", "\n")
        text, pictures = _collect_pictures(text, as_dict(cell.get("attachments")), allowance)
        safe.source = _break_markup(safe_text(text), pictures)
        if pictures:
            safe.attachments = nbformat.from_dict(
                {name: {"image/png": picture} for name, picture in pictures.items()}
            )
    return safe


def safe_outputs(outputs: object, allowance: Allowance | None = None) -> list[NotebookNode]:
    """Return a cell's outputs as text and PNG pictures only, limited in number and length.

    Streams, errors and `text/plain` are kept, without terminal codes; PNG and JPEG pictures are
    decoded and encoded again. HTML, scripts, SVG, LaTeX, widgets and everything else is dropped.
    """
    kept, allowance = as_list(outputs), allowance or Allowance()
    if len(kept) > MAX_OUTPUTS:
        count = len(kept) - MAX_OUTPUTS + 1
        note = nbformat.v4.new_output("stream", text=f"[{count} outputs were left out.]\n")
        first = MAX_OUTPUTS // 2
        kept = [*kept[:first], note, *kept[first + count :]]
    return [_safe_output(output, allowance) for output in kept if isinstance(output, dict)]


def safe_picture(encoded: object, allowance: Allowance | None = None) -> str | None:
    """Return a PNG or JPEG picture in base64 as PNG in base64; None if it is not one, or too large.

    The picture is decoded and encoded again, so that nothing but its pixels is left. One of more
    than MAX_SIDE pixels is made smaller.
    """
    if not isinstance(encoded, str | list):
        return None
    try:
        data = base64.b64decode("".join(encoded))
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
                if not (allowance or Allowance()).allows(image.width * image.height):
                    return None
                picture = ImageOps.exif_transpose(image)
                picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
        if picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (255, 255):
            picture = picture.convert("RGB")
        picture.thumbnail((MAX_SIDE, MAX_SIDE))
        picture.info.clear()
        file = io.BytesIO()
        # Three times as fast as the default, and hardly larger.
        picture.save(file, format="PNG", compress_level=3)
    except Exception:  # whatever a broken or hostile file makes a decoder raise
        LOG.info("a picture is left out:", exc_info=True)
        return None
    return base64.b64encode(file.getvalue()).decode("ascii")


def name_problem(student: str) -> str | None:
    """Return in one clause why a student's name cannot be taken, or None if it can.

    formgrader puts the names of students and their folders into its pages as they are.
    """
    bad = sorted({c for c in student if c in _NAME_BREAKERS or ord(c) in UNSEEN})
    if not bad:
        return None
    named = ", ".join(c if c.isprintable() else f"U+{ord(c):04X}" for c in bad)
    return f"a name with {named} could act as a program in formgrader: rename the folder"


def _safe_output(output: dict, allowance: Allowance) -> NotebookNode:
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return nbformat.v4.new_output("stream", name=name, text=safe_text(output.get("text")))
    if kind == "error":
        lines = output.get("traceback")
        text = safe_text("\n".join(map(str, as_list(lines))))
        return nbformat.v4.new_output(
            "error",
            ename=safe_text(output.get("ename"), 200),
            evalue=safe_text(output.get("evalue")),
            traceback=text.split("\n") if isinstance(lines, list) else [],
        )
    data = as_dict(output.get("data"))
    kept, metadata = {}, {}
    for mime in ("image/jpeg", "image/png"):
        if picture := safe_picture(data.get(mime), allowance):
            kept["image/png"] = picture
            about = as_dict(as_dict(output.get("metadata")).get(mime))
            metadata["image/png"] = _picture_metadata(about)
    if "text/plain" in data:
        kept["text/plain"] = safe_text(data["text/plain"])
    elif not kept:
        kept["text/plain"] = LEFT_OUT
    if kind == "execute_result":
        count = _whole(output.get("execution_count"))
        return nbformat.v4.new_output(kind, data=kept, metadata=metadata, execution_count=count)
    return nbformat.v4.new_output("display_data", data=kept, metadata=metadata)


def _picture_metadata(about: dict) -> dict[str, object]:
    """Return a picture's alternative text and size, if that is what they are."""
    kept: dict[str, object] = {}
    if isinstance(about.get("alt"), str):
        kept["alt"] = safe_text(about["alt"], 1000)
    for name in ("width", "height"):
        size = _whole(about.get(name))
        if size is not None and 0 < size <= MAX_SIDE:
            kept[name] = size
    return kept


def _whole(value: object) -> int | None:
    return value if type(value) is int else None


def _collect_pictures(
    text: str, attachments: dict, allowance: Allowance
) -> tuple[str, dict[str, str]]:
    """Return the text with its pictures as attachments under new names, and these as PNG.

    Jupyter attaches a pasted picture to the cell; Colab writes it into the text.
    """
    pictures: dict[str, str] = {}

    def attach(match: re.Match) -> str:
        picture = None
        if len(pictures) < MAX_PICTURES:
            bundle = as_dict(attachments.get(match["name"] and unquote(match["name"])))
            candidates = (match["data"], bundle.get("image/png"), bundle.get("image/jpeg"))
            found = (safe_picture(candidate, allowance) for candidate in candidates)
            picture = next(filter(None, found), None)
        if picture is None:
            return f"[{match['alt'] or 'a picture'}: left out]"
        name = f"picture-{len(pictures) + 1}.png"
        pictures[name] = picture
        return f"![{match['alt']}](attachment:{name})"

    return _PICTURE.sub(attach, text), pictures


def _break_markup(text: str, pictures: Collection[str]) -> str:
    """Put a space where raw HTML, a picture, or a harmful link, formula or diagram would begin."""
    known = "|".join(map(re.escape, pictures)) or r"(?!)"
    kept = rf"(?<!\\)!\[[^\[\]\n]*\]\(attachment:(?:{known})\)"
    text = _TAG.sub("< ", text)
    text = re.sub(
        rf"(?P<kept>{kept})|{_LINK}", lambda match: match["kept"] or " ".join(match[0]), text
    )
    text = _REFERENCE.sub("] :", text)
    text = _TEX.sub(r"\\ ", text)
    # nbconvert leaves the text of a diagram to a program as it is.
    text = _FENCE.sub(lambda match: match[0].replace("mermaid", "text"), text)
    text = _UNDERLINE.sub("\n\n", text)
    return _HEADING.sub(rf"\1{_NOT_AN_ID}", text)
