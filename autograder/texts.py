"""Words for people: plurals and numbers, text that is safe to print, and files written whole."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

MAX_TEXT = 20_000  # characters of one output, or of one text cell

# A spreadsheet takes a cell that begins so for a formula, the wide forms of East Asia included.
FORMULA = tuple("=+-@\t\r\n＝＋－＠")
PLAIN = re.compile(r"-|[+-]?\d+([.,]\d+)?%?")

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[ -/]*[0-~])"
)
# Characters that draw nothing: those that control a terminal, and those that turn the direction of
# writing, with which a text can look like another.
UNSEEN = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
UNSEEN |= {code: None for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def plural(number: float, unit: str) -> str:
    """Return "1 point", "2.5 points" and the like."""
    return f"{number:g} {unit}" if number == 1 else f"{number:g} {unit}s"


def listed(names: Iterable[str], most: int = 0) -> str:
    """Return names with commas between them; of more than `most`, unless that is 0, how many."""
    names = list(names)
    if not most or len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {plural(len(names) - most, 'other')}"


def number(points: float | None) -> str:
    """Return points as text without needless decimals: 2.0 → "2", 1.25 → "1.25", None → ""."""
    return "" if points is None else f"{round(points, 2):g}"


def printable(text: str) -> str:
    """Return text in one line for a terminal: without control characters, and not too long."""
    return " ".join(safe_text(text, 500).split())


def guarded(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula; numbers stay as they are."""
    if cell.lstrip(" ").startswith(FORMULA) and not PLAIN.fullmatch(cell):
        return f"'{cell}"
    return cell


def csv_text(rows: Iterable[Iterable[str]], delimiter: str = ",") -> str:
    """Return rows as CSV (RFC 4180), of which no cell is a formula."""
    buffer = io.StringIO(newline="")
    # With "\n" alone the writer would not quote a carriage return in a cell.
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\r\n")
    writer.writerows([guarded(cell) for cell in row] for row in rows)
    return buffer.getvalue()


def sentence(clause: str) -> str:
    """Return a clause as a sentence of its own."""
    return f"{clause[:1].upper()}{clause[1:]}."


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield where to write a file, so that a reader finds the old or the new one whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    yield new
    os.replace(new, path)


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader, or an interrupted run, finds the old or the new one whole."""
    # A file name that is no text, as Linux allows it, is written as the bytes that it has.
    with replaced(path) as new:
        new.write_text(text, encoding="utf-8", errors="surrogateescape", newline="\n")


def safe_text(value: object, limit: int = MAX_TEXT) -> str:
    """Return text without terminal codes and control characters, shortened in the middle."""
    if isinstance(value, list | tuple):
        value = "".join(part for part in value if isinstance(part, str))
    if not isinstance(value, str):
        return ""
    text = _ESCAPES.sub("", value).replace("\r\n", "\n")
    # As in a terminal, what follows a carriage return takes the place of the line so far.
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    text = "\n".join(lines).translate(UNSEEN)
    text = text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates cannot be written
    if len(text) <= limit:
        return text
    half = limit // 2 - 30
    return f"{text[:half]}\n[{len(text) - 2 * half} characters were left out.]\n{text[-half:]}"


def shown(name: str) -> str:
    """Return a file's name as it can be printed and written to a file in UTF-8."""
    text = name.encode("utf-8", "replace").decode("utf-8")
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def say(console: Console, text: str) -> None:
    """Print a line that may hold paths and names as it is."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def is_text(name: str) -> bool:
    """Return whether a file's name is text; on Linux it can be any bytes."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
