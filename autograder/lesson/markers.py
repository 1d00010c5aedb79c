"""The marks in a cell's text: YOUR CODE blocks and their stubs, hidden tests, mark schemes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from autograder.errors import CourseError

START_MARKER = "## YOUR CODE STARTS HERE ##"
END_MARKER = "## AND ENDS HERE ##"
MARKERS = (START_MARKER, END_MARKER)
STUB_PREFIX = "# STUB:"
BEGIN_HIDDEN = "### BEGIN HIDDEN TESTS"
END_HIDDEN = "### END HIDDEN TESTS"
BEGIN_SCHEME = "=== BEGIN MARK SCHEME ==="
END_SCHEME = "=== END MARK SCHEME ==="

# `filled_in` around a block's result, which is never missing in a solution.
_FILLED_IN = re.compile(
    r'(?P<indent>\s*)(?P<back>return )?filled_in\("[^"]*", \w+=(?P<result>.*)\)'
)


class RegionError(CourseError):
    """Delimiters that do not pair up; `offset` is the line in the cell, counted from 0."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset


@dataclass(frozen=True)
class Block:
    """A YOUR CODE block: its marker lines (counted from 0), the stub and the solution between."""

    start: int
    end: int
    indent: str
    stub: tuple[str, ...]
    solution: tuple[str, ...]


def regions(lines: Sequence[str], begin: str, end: str) -> list[tuple[int, int]]:
    """Return the index pairs of lines that hold the two delimiters; raise RegionError if unpaired.

    A line that holds a delimiter's words but is not the delimiter is a mistake too, for nbgrader
    goes by the words alone.
    """
    words = {name: name.strip("#= ") for name in (begin, end)}
    pairs: list[tuple[int, int]] = []
    opened: int | None = None
    for index, line in enumerate(lines):
        for name in (begin, end):
            if words[name] in line and line.strip() != name:
                raise RegionError(index, f"write the marker alone on its line: {name}")
        if line.strip() == begin:
            if opened is not None:
                raise RegionError(index, f"`{begin}` inside another; close the first with `{end}`")
            opened = index
        elif line.strip() == end:
            if opened is None:
                raise RegionError(index, f"`{end}` without `{begin}` before it")
            pairs.append((opened, index))
            opened = None
    if opened is not None:
        raise RegionError(opened, f"`{begin}` is never closed; add `{end}`")
    return pairs


def _cut(source: str, begin: str, end: str) -> str:
    """Return `source` without its regions, delimiters included."""
    lines = source.split("\n")
    for first, last in reversed(regions(lines, begin, end)):
        del lines[first : last + 1]
    return "\n".join(lines).rstrip()


def strip_hidden(source: str) -> str:
    """Return `source` without its hidden tests."""
    return _cut(source, BEGIN_HIDDEN, END_HIDDEN)


def strip_scheme(source: str) -> str:
    """Return a written answer without its mark scheme."""
    return _cut(source, BEGIN_SCHEME, END_SCHEME)


def scheme_points(source: str) -> float | None:
    """Return what the lines of a mark scheme add up to; None if they name no points, or shares."""
    items = re.findall(r"^\s*[-*] *(.*)", mark_scheme(source), re.MULTILINE)
    points = [re.match(r"(\d+(?:\.\d+)?) points?:", item) for item in items]
    known = [float(match[1]) for match in points if match]
    return sum(known) if known and len(known) == len(items) else None


def mark_scheme(source: str) -> str:
    """Return the text of a written answer's mark scheme, empty if it has none."""
    lines = source.split("\n")
    parts = [lines[first + 1 : last] for first, last in regions(lines, BEGIN_SCHEME, END_SCHEME)]
    return "\n".join("\n".join(part) for part in parts).strip()


def blocks(source: str) -> list[Block]:
    """Return the YOUR CODE blocks of a cell in order (of a lesson, a release or a submission)."""
    lines = source.split("\n")
    found = []
    for start, end in regions(lines, START_MARKER, END_MARKER):
        indent = lines[start][: len(lines[start]) - len(lines[start].lstrip())]
        inside = lines[start + 1 : end]
        count = 0
        while count < len(inside) and inside[count].lstrip().startswith(STUB_PREFIX):
            count += 1
        stub = tuple(
            line.lstrip().removeprefix(STUB_PREFIX).removeprefix(" ") for line in inside[:count]
        )
        found.append(Block(start, end, indent, stub, tuple(inside[count:])))
    return found


def fill_blocks(source: str, bodies: Sequence[str]) -> str:
    """Return `source` with `bodies` between its markers, one per block.

    A body is written without the block's own indentation.
    """
    lines = source.split("\n")
    for block, body in reversed(list(zip(blocks(source), bodies, strict=True))):
        filled = [(block.indent + line).rstrip() for line in body.split("\n")]
        lines[block.start + 1 : block.end] = filled
    return "\n".join(lines)


def stub_blocks(source: str) -> str:
    """Return an answer cell as the student gets it: markers kept, stubs between them."""
    return fill_blocks(source, ["\n".join(block.stub) for block in blocks(source)])


def strip_stubs(source: str) -> str:
    """Return an answer cell with its solution: markers kept, stub lines removed."""
    lines = source.split("\n")
    return "\n".join(line for line in lines if not line.lstrip().startswith(STUB_PREFIX))


def as_given(source: str) -> str:
    """Return a solution as plain code: no titles, markers, stubs, or requests for a block."""
    lines = []
    for line in strip_stubs(source).split("\n"):
        match = _FILLED_IN.fullmatch(line)
        if match and match["back"]:
            lines.append(f"{match['indent']}return {match['result']}")
        elif not match and not line.startswith("# @title ") and line.strip() not in MARKERS:
            lines.append(line)
    return "\n".join(lines)
