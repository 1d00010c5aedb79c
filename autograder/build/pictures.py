"""Pictures in a text, `![what it shows](picture:NAME)`: drawn, kept as PNG files, put in."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import re
import sys
from base64 import b64encode
from dataclasses import replace
from functools import partial
from pathlib import Path

from PIL import Image, PngImagePlugin

from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson import Lesson
from autograder.lesson.cells import Cell, mistake

DRAW = "python -m autograder build --draw"
DPI, COLOURS = 100, 128
# Words may hold a pair of brackets; without any words the name is found too, and refused.
_PICTURE = re.compile(r"(?:!\[(?P<alt>(?:[^][]|\[[^][]*\])*)\])?\(picture:(?P<name>[^)]*)\)")


def embedded(lesson: Lesson) -> list[Cell]:
    """Return the lesson's cells, in which the pictures that texts name are data: images.

    Raises CourseError, with file and line, for an unknown picture and one without a description.
    """

    def filled(cell: Cell, match: re.Match[str]) -> str:
        path = lesson.path.parent / "pictures" / f"{match['name']}.png"
        if not path.is_file():
            text = f"no picture {path.stem!r}: draw it in notebooks/pictures/, then run {DRAW}"
            raise mistake(lesson.path, cell.line, text)
        if not (match["alt"] or "").strip():
            raise mistake(lesson.path, cell.line, f"say what {path.stem!r} shows, between ![ and ]")
        return f"![{match['alt']}](data:image/png;base64,{b64encode(path.read_bytes()).decode()})"

    texts = {cell: cell.source for cell in lesson.cells if cell.kind == "markdown"}
    texts = {cell: _PICTURE.sub(partial(filled, cell), text) for cell, text in texts.items()}
    return [replace(cell, source=texts.get(cell, cell.source)) for cell in lesson.cells]


def named_pictures(course: Course, text: str) -> list[Path]:
    """Return the course's pictures that a text names."""
    names = {match["name"] for match in _PICTURE.finditer(text)}
    return [path for path in sorted(course.pictures.glob("*.png")) if path.stem in names]


def require_all_named(course: Course, text: str) -> None:
    """Raise CourseError for a picture that no text of the lessons names."""
    for path in sorted(set(course.pictures.glob("*.png")) - set(named_pictures(course, text))):
        raise CourseError(
            f"{path.relative_to(course.root).as_posix()}: no lesson shows this picture; write "
            f"![…](picture:{path.stem}) in a text, or delete its function and the file"
        )


def find_stale_pictures(course: Course) -> list[str]:
    """Return one line for each picture that was drawn by other code than there is now."""
    code, paths = _code(course.pictures), sorted(course.pictures.glob("*.png"))
    stale = [path.relative_to(course.root) for path in paths if code and _other(path, code)]
    return [f"{path.as_posix()} was drawn by other code; run: {DRAW}" for path in stale]


def draw(course: Course) -> list[Path]:
    """Draw the pictures whose code has changed; raise CourseError for a file that none draws."""
    folder, code = course.pictures, _code(course.pictures)
    if not code:
        return []
    # A name of its own for each state of the code: Python imports a name once.
    spec = importlib.util.spec_from_file_location(f"pictures_{code}", folder / "__init__.py")
    assert spec and spec.loader
    sys.modules[spec.name] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    files = {folder / f"{name}.png": function for name, function in package.PICTURES.items()}
    for path in sorted({*folder.glob("*.png")} - {*files}):
        raise CourseError(f"{path}: no function in {folder.name}/ draws it; delete the file")
    stale = [path for path in files if _other(path, code)]
    for path in stale:
        drawn, note = io.BytesIO(), PngImagePlugin.PngInfo()
        files[path]().savefig(drawn, format="png", dpi=DPI)
        note.add_text("drawn-by", code)
        few = Image.open(drawn).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, 2)
        few.save(path, optimize=True, pnginfo=note)
    return stale


def _code(folder: Path) -> str:
    """Return the SHA-256 of the drawing code and the results that it names, "" without any."""
    texts = [f"{path.name}\n{path.read_text('utf-8')}" for path in sorted(folder.glob("*.py"))]
    results = sorted((folder.parents[1] / "data" / "results").glob("*.csv"))
    texts += [path.read_text("utf-8") for path in results if f'"{path.stem}"' in "".join(texts)]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest() if texts else ""


def _other(path: Path, code: str) -> bool:
    return not path.is_file() or f"drawn-by\0{code}".encode() not in path.read_bytes()
