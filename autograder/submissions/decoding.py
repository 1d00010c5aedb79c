"""From a file's bytes to what its JSON holds, or to one clear clause about what it is instead.

The clause goes on from the file's name: "is empty: save the notebook again …".
"""

from __future__ import annotations

import json
import re

from autograder.errors import CourseError

MAX_BYTES = 50_000_000
# A file of nothing but brackets would take many times its size in memory.
MAX_BRACKETS = 2_000_000
_AGAIN = "hand in the notebook itself (in Colab: File, Download, Download .ipynb)"
_UTF8_LETTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}")
_CONFLICT = re.compile(rb"^(?:<{7}|>{7})(?: |\r?$)", re.MULTILINE)

# How files begin that students hand in under a notebook's name.
_SIGNATURES = {
    b"PK\x03\x04": "a zip archive",
    b"PK\x05\x06": "an empty zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a rar archive",
    b"%PDF": "a PDF file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"<!doctype": "a web page",
    b"<html": "a web page",
}
_PYTHON = re.compile(rb"\s*(?:#!|# %%|# coding|# -\*-|# In\[|# ---|import\s|from\s+\w|def\s|\"{3})")


def _decode(data: bytes) -> tuple[str, str | None]:
    """Return a file's text, and a sentence if it is not in UTF-8 but could be read without loss.

    Raises CourseError if it could not.
    """
    encoding = json.detect_encoding(data)
    names = {"utf-8": None, "utf-8-sig": "UTF-8 with a byte order mark"}
    try:
        text, label = data.decode(encoding), names.get(encoding, encoding[:6].upper())
    except UnicodeDecodeError:
        # Letters of UTF-8 would turn into others, so a file that holds some was damaged.
        if encoding != "utf-8" or _UTF8_LETTER.search(data):
            raise CourseError(
                "is not text in UTF-8, perhaps damaged on its way: download it again or save it "
                "from Jupyter"
            ) from None
        text, label = _western(data)
    note = f"The file is in {label} instead of plain UTF-8; it was read all the same."
    return text.removeprefix("\ufeff"), note if label else None


def _western(data: bytes) -> tuple[str, str]:
    try:
        return data.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "Latin-1"


def load_json(data: bytes) -> tuple[object, str | None]:
    """Return what the file's JSON holds, and a sentence if its encoding is unusual.

    Raises CourseError, saying what the file seems to be, if it holds no JSON.
    """
    if len(data) > MAX_BYTES or data.count(b"[") + data.count(b"{") > MAX_BRACKETS:
        raise CourseError(
            f"is larger than {MAX_BYTES // 1_000_000} MB or holds too much to be read: clear its "
            "outputs, save it, and try again"
        )
    if problem := other_kind(data):
        raise CourseError(problem)
    text, note = _decode(data)
    try:
        return json.loads(text), note
    except (ValueError, RecursionError):
        raise CourseError(
            "is not valid JSON, perhaps cut off or merged by hand: download or save it again, or "
            "go back to an earlier copy"
        ) from None


def other_kind(data: bytes) -> str | None:
    """Return what a file is that is no notebook, and what to do; None if it may be one."""
    if not data.strip(b" \t\r\n\0"):
        return "is empty: save the notebook again and look at it before handing it in"
    start = data[:200].lstrip().lower()
    for signature, kind in _SIGNATURES.items():
        if start.startswith(signature.lower()):
            what = "unpack it and " if kind.endswith("archive") else ""
            return f"is {kind}: {what}{_AGAIN}"
    if _CONFLICT.search(data):
        return (
            "holds the marks of a merge conflict (<<<<<<<): open it as text, settle each conflict, "
            "and see that Jupyter opens it"
        )
    if _PYTHON.match(data[:200]):
        return f"is a Python script: {_AGAIN}"
    return None
