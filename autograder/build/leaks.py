"""Find what must not be in a release: solutions, hidden tests, mark schemes, outputs, pairing.

The search goes through the release line by line and does not rely on what built it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.errors import CourseError
from autograder.lesson import Lesson
from autograder.lesson.cells import Cell
from autograder.lesson.markers import (
    BEGIN_HIDDEN,
    BEGIN_SCHEME,
    END_HIDDEN,
    END_MARKER,
    END_SCHEME,
    START_MARKER,
    STUB_PREFIX,
    blocks,
)

# A picture in a text is one long word, in which a short secret may stand by chance.
_PICTURE = re.compile(r"\(data:image/png;base64,[\w+/=]*\)")
_SECRET_REGIONS = {
    START_MARKER: (END_MARKER, "solution"),
    BEGIN_HIDDEN: (END_HIDDEN, "hidden test"),
    BEGIN_SCHEME: (END_SCHEME, "mark scheme"),
}


def find_leaks(release: NotebookNode, lesson: Lesson) -> list[str]:
    """Return one sentence for each thing in the release that a student must not get."""
    leaks = []
    if "jupytext" in release.metadata:
        leaks.append("the notebook carries jupytext's pairing metadata")
    secrets, public = _split_secrets(lesson)
    for cell in release.cells:
        where = f"cell {cell.get('id', '?')}"
        if "jupytext" in cell.metadata:
            leaks.append(f"{where} carries jupytext's pairing metadata")
        if cell.get("outputs") or cell.get("execution_count") is not None:
            leaks.append(f"{where} has outputs")
        for words in (STUB_PREFIX, BEGIN_HIDDEN, BEGIN_SCHEME):
            if words.strip("#= ") in cell.source:
                leaks.append(f"{where} holds `{words}`")
        text = _PICTURE.sub("", cell.source)
        for secret, kind in secrets.items():
            # A line that the lesson shows elsewhere is no secret.
            if secret in text and secret not in public:
                leaks.append(f"{where} holds a line of a {kind}: {secret}")
    return [*leaks, *_filled_blocks(release, lesson)]


def check_release(path: Path, lesson: Lesson) -> None:
    """Raise CourseError if a release notebook, or a file beside it, gives something away."""
    stray = [
        other.name
        for other in sorted(path.parent.iterdir())
        if other != path and other.name != ".ipynb_checkpoints"
    ]
    leaks = [f"{name} lies beside the release" for name in stray]
    leaks.extend(find_leaks(nbformat.read(path, as_version=4), lesson))
    if leaks:
        listed = "".join(f"\n  {leak}" for leak in leaks)
        raise CourseError(f"the release of {lesson.stem} gives something away:{listed}")


def _split_secrets(lesson: Lesson) -> tuple[dict[str, str], str]:
    """Return the lesson's secret lines with what they are, and all of its public text."""
    secrets: dict[str, str] = {}
    public: list[str] = []
    for cell in lesson.cells:
        for line, kind in _lines(cell):
            if kind is None:
                public.append(line)
            elif sum(letter.isalnum() for letter in line) > 2:
                secrets[line.strip()] = kind
    return secrets, "\n".join(public)


def _lines(cell: Cell) -> Iterator[tuple[str, str | None]]:
    """Yield the lines of a lesson's cell, each with the kind of secret it is, or None."""
    usual = "model answer" if cell.grade == "answer" else None
    kind, end = usual, None
    for line in cell.source.split("\n"):
        text = line.strip()
        if text == end:
            kind, end = usual, None
        elif end is None and text in _SECRET_REGIONS and (cell.kind == "code" or usual):
            end, kind = _SECRET_REGIONS[text]
        elif text.startswith(STUB_PREFIX):
            yield text.removeprefix(STUB_PREFIX).strip(), None
        elif text:
            yield line, kind


def _filled_blocks(release: NotebookNode, lesson: Lesson) -> Iterator[str]:
    """Yield a sentence for each block of the release that holds anything but its stub."""
    released = {cell.get("id"): cell.source for cell in release.cells}
    for cell in lesson.answers:
        try:
            given = blocks(released.get(cell.id, ""))
        except CourseError as error:
            yield f"cell {cell.id}: {error}"
            continue
        wanted = blocks(cell.source)
        if len(given) != len(wanted):
            yield f"cell {cell.id} has {len(given)} blocks instead of {len(wanted)}"
            continue
        for number, (block, original) in enumerate(zip(given, wanted, strict=True), start=1):
            inside = [line.removeprefix(block.indent).rstrip() for line in block.solution]
            if inside != [line.rstrip() for line in original.stub]:
                yield f"cell {cell.id}: block {number} holds more than its stub"
