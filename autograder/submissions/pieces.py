"""Code taken apart by its lines: what a cell defines, and where.

Python's own parser gives up at the first syntax error, and a submission's cell may hold one, or
text that is no Python at all. Its lines are enough to find functions, classes and assignments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

# Strings and comments. A string that is never closed reaches to the end of its line, or of the
# cell: what begins like one always matches, so that no text takes long to search.
_LITERAL = re.compile(
    r"""(?P<long>"{3}|'{3})(?:\\.|(?!(?P=long)).)*(?P=long)?"""
    r"""|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|\#[^\n]*""",
    re.DOTALL,
)
_ODD_SPACE = re.compile("[\u00a0\u1680\u2000-\u200b\u202f\u205f\u2060\u3000\ufeff]")
# What formulas, word processors and other keyboards have in place of the signs of Python. None of
# them can stand in Python's code outside of strings and comments.
_SIGNS = {
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63",
    "*": "\u00d7\u2217\u22c5\u2715\u2062",
    "/": "\u00f7\u2044\u2215",
    "'": "\u2018\u2019\u201a\u201b\u2032\u2039\u203a\u00b4",
    '"': "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb",
    ",": "\u3001",
    ".": "\u3002",
    "...": "\u2026",
    "->": "\u2192",
    "<=": "\u2264",
    ">=": "\u2265",
    "!=": "\u2260",
    "**2": "\u00b2",
    "**3": "\u00b3",
    "[": "\u3010",
    "]": "\u3011",
    "": "\u00ad\u200c\u200d\u200e\u200f\u2061\u2063\u2064",
}
_PLAIN = {odd: sign for sign, odds in _SIGNS.items() for odd in odds}
# The wide forms of East Asia, but for letters, digits and `_`, which Python reads.
_PLAIN |= {chr(c + 0xFEE0): chr(c) for c in range(33, 127) if not f"a{chr(c)}".isidentifier()}
_QUOTES = {quote: "".join(o for o, sign in _PLAIN.items() if sign == quote) for quote in "\"'"}
_ODD = re.compile(
    f"{_LITERAL.pattern}"
    + "".join(f"|[{odd}][^{odd}{quote}\\n]*[{odd}]" for quote, odd in _QUOTES.items())
    + f"|[{''.join(_PLAIN)}]",
    re.DOTALL,
)
_LITERAL_OR_SPACE = re.compile(f"{_LITERAL.pattern}|{_ODD_SPACE.pattern}", re.DOTALL)
_DEFINITION = re.compile(r"(?:async\s+)?(?:def|class)\s+(\w+)")
_METHOD = re.compile(r"\s+(?:async\s+)?def\s+(\w+)")
_CLASS = re.compile(r"class\s+(\w+)\s*(?:\(([^)]*)\))?")
_ASSIGNMENT = re.compile(r"(\w+(?:\s*,\s*\w+)*|\w+\.\w+)\s*(?::[^=]*)?=(?!=)")
_IMPORT = re.compile(r"(?:from\s+[\w.]+\s+)?import\s+(.+)", re.DOTALL)
_IMPORTED = re.compile(r"([^,()\s]+)(?:\s+as\s+([^,()\s]+))?")  # a name, and a new one for it
_GOES_ON = re.compile(r"[)\]}]|(?:else|elif|except|finally)\b")


@dataclass(frozen=True)
class Piece:
    """A statement at the top level of a cell, with decorators and comments right above it.

    start, end: its first line, and the first line behind it, counted from 0.
    kind: import, function, class, assignment or, for anything else, empty.
    names: what it defines: functions, classes, variables and imported names.
    parts: the text of each function, class and method that it defines, a method as `Class.method`.
    reopens: whether it adds to a class that is there already: `class A(A):` or `A.method = …`.
    """

    start: int
    end: int
    text: str
    kind: str = ""
    names: frozenset[str] = frozenset()
    parts: Mapping[str, str] = field(default_factory=dict)
    reopens: bool = False


def code_only(source: str) -> str:
    """Return the source with strings and comments blanked out, all but a string's first letter."""

    def blank(match: re.Match) -> str:
        text = re.sub(r"[^\n]", " ", match[0])
        return text if match[0].startswith("#") else f'"{text[1:]}'

    return _LITERAL.sub(blank, source)


def words(source: str) -> set[str]:
    """Return the names that code uses or defines."""
    return set(re.findall(r"[^\W\d]\w*", code_only(source)))


def plain_spaces(source: str) -> str:
    """Return code with blanks in place of spaces that Python does not read.

    Such spaces come from web pages and word processors. Those in strings and comments stay.
    """

    def blank(match: re.Match) -> str:
        return " " if _ODD_SPACE.match(match[0]) else match[0]

    return _LITERAL_OR_SPACE.sub(blank, source) if _ODD_SPACE.search(source) else source


def plain_signs(source: str) -> str:
    """Return code with Python's own signs in place of those that only look like them.

    Such signs come from formulas, word processors and other keyboards: − for -, “ for ", （ for (.
    Those in strings and comments stay. The fence of a block of code in Markdown is taken away.
    """

    def plain(match: re.Match) -> str:
        text = match[0]
        if text[0] not in _PLAIN:
            return text
        inner = text[1:-1] if len(text) > 1 else ""
        return _PLAIN[text[0]] + inner + (_PLAIN[text[-1]] if len(text) > 1 else "")

    return _ODD.sub(plain, _without_fence(source))


def _without_fence(source: str) -> str:
    first, *lines = source.strip().split("\n")
    is_fenced = first.startswith("```") and lines[-1:] and lines[-1].strip() == "```"
    return "\n".join(lines[:-1]) if is_fenced else source


def pieces(source: str) -> list[Piece]:
    """Return a cell's statements; what stands above the first one is a piece without names."""
    lines, masked = source.split("\n"), code_only(source).split("\n")
    bounds = sorted({0, *_starts(lines, masked), len(lines)})
    return [
        _piece(first, lines[first:last], masked[first:last])
        for first, last in pairwise(bounds)
        if any(line.strip() for line in lines[first:last])
    ]


def parts(statements: Iterable[Piece]) -> dict[str, str]:
    """Return the text of each function, class and method, the last one of each name."""
    return {name: text for piece in statements for name, text in piece.parts.items()}


def defined(statements: Iterable[Piece]) -> set[str]:
    """Return the functions and classes that are defined anew."""
    names = (name for piece in statements if not piece.reopens for name in piece.parts)
    return {name for name in names if "." not in name}


def _starts(lines: list[str], masked: list[str]) -> list[int]:
    """Return the first line of each statement at the top level."""
    starts: list[int] = []
    depth, decorated = 0, False
    for index, line in enumerate(masked):
        opens = line[:1].strip()
        if opens and (line[0] == "@" or _DEFINITION.match(line)):
            depth = 0  # whatever was left open above, a definition begins anew
        continued = index > 0 and masked[index - 1].endswith("\\")
        if opens and depth == 0 and not continued and not _GOES_ON.match(line):
            if not decorated:
                starts.append(index)
            decorated = line[0] == "@"
        depth += sum(line.count(sign) for sign in "([{") - sum(line.count(sign) for sign in ")]}")
        depth = max(depth, 0)
    return [_with_comments(lines, start) for start in starts]


def _with_comments(lines: list[str], start: int) -> int:
    while start > 0 and lines[start - 1].startswith("#"):
        start -= 1
    return start


def _piece(start: int, lines: list[str], masked: list[str]) -> Piece:
    text = "\n".join(lines).rstrip()
    place = (start, start + len(lines), text)
    head = next((index for index, line in enumerate(masked) if line[:1].strip(" @")), 0)
    code = "\n".join(masked[head:])
    if match := _CLASS.match(code):
        name = match[1]
        defined = {name: text} | _methods(name, lines[head:], masked[head:])
        reopens = name in re.findall(r"\w+", match[2] or "")
        return Piece(*place, "class", frozenset({name}), defined, reopens)
    if match := _DEFINITION.match(code):
        return Piece(*place, "function", frozenset({match[1]}), {match[1]: text})
    if match := _IMPORT.match(code):
        imported = _IMPORTED.findall(match[1])
        names = frozenset(alias or name.split(".")[0] for name, alias in imported if name != "as")
        return Piece(*place, "import", names)
    if match := _ASSIGNMENT.match(masked[head]):
        names = frozenset(re.split(r"\s*,\s*", match[1]))
        is_method = "." in match[1]
        return Piece(*place, "assignment", names, {match[1]: text} if is_method else {}, is_method)
    return Piece(*place)


def _methods(name: str, lines: list[str], masked: list[str]) -> dict[str, str]:
    """Return the texts of a class's methods, the class's first line being the first of `lines`."""
    inside = [_indent(line) for line in masked[1:] if line.strip()]
    indent = min((depth for depth in inside if depth), default=0)
    heads = [
        index
        for index, line in enumerate(masked)
        if index and line.strip() and _indent(line) <= indent and not _GOES_ON.match(line.strip())
    ]
    return {
        f"{name}.{match[1]}": "\n".join(lines[first:last]).rstrip()
        for first, last in pairwise([*heads, len(lines)])
        if (match := _METHOD.match(masked[first]))
    }


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
