"""Values of a file's JSON, any of which may be of another type than is expected."""

from __future__ import annotations


def as_dict(value: object) -> dict:
    """Return a value of some JSON if it is a dictionary, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list:
    """Return a value of some JSON if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def clean_text(source: object) -> str:
    """Return a cell's source as text: in one piece, and of letters that any file can hold."""
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if not isinstance(source, str):
        return ""
    text = source.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    return text.encode("utf-8", "replace").decode("utf-8")
