"""Read a lesson's text into cells, and check how they are marked.

A lesson is a Python file in jupytext's percent format. Short keys in the cell headers say what a
cell is for. The first mistake is one CourseError that names file and line.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import jupytext

from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson.cells import HIDE_TAG, Cell, Exercise, mistake
from autograder.lesson.markers import (
    BEGIN_HIDDEN,
    BEGIN_SCHEME,
    END_HIDDEN,
    END_MARKER,
    END_SCHEME,
    START_MARKER,
    STUB_PREFIX,
    RegionError,
    as_given,
    blocks,
    regions,
    stub_blocks,
)
from autograder.lesson.outline import title_of


@dataclass(frozen=True)
class Rule:
    """What a kind of cell is: its type, and the keys that its header must and may carry.

    needed: the former, each with how an error asks for it.
    """

    type: str
    needed: dict[str, str]
    optional: tuple[str, ...] = ("grade", "tags")

    @property
    def keys(self) -> list[str]:
        """All keys that the header may carry."""
        return sorted([*self.needed, *self.optional])


_ID_NEEDED = {"id": 'an id="…"'}
_GRADED = {**_ID_NEEDED, "points": "points=", "exercise": "exercise="}
RULES = {
    "readonly": Rule("code", _ID_NEEDED),
    "solution": Rule("code", _ID_NEEDED),
    "tests": Rule("code", {**_GRADED, "answer": 'answer="…", the id of the cell it tests'}),
    "answer": Rule("markdown", _GRADED),
}
PLAIN_RULES = {
    "code": Rule("code", {}, ("id", "tags")),
    "markdown": Rule("markdown", {}, ("id", "tags", "exercise", "title", "minutes")),
}
BORROWED_KEYS = ("cells", "from", "id", "tags")

_HEADER = re.compile(r"# %%(?=\s|$)(?P<markdown>\s+\[markdown\])?(?P<keys>.*)$")
_KEY = re.compile(r'\s+(?P<key>\w+)=(?P<value>"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^\s"\[]+)')
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Part:
    """A cell as it stands in the file: its header and its body, and the lines they begin in."""

    line: int
    header: re.Match[str]
    body_line: int
    body: Sequence[str]


class Reader:
    """Reads the text of one lesson; `path` stands in error messages."""

    def __init__(self, path: Path, course: Course) -> None:
        self.path, self.course = path, course
        self.earlier: dict[str, list[Cell]] = {}  # lessons that give code to this one, as written

    def error(self, line: int, message: str) -> CourseError:
        """Return the error to raise for a mistake in `line`."""
        return mistake(self.path, line, message)

    def read(self, text: str) -> list[Cell]:
        """Return the checked cells, templates as written; raise CourseError for a mistake."""
        cells = []
        # jupytext turns the text into cells; the headers are read here too, since it forgives what
        # should be an error, and knows no line numbers.
        parts = list(self.split(text))
        for part, parsed in zip(parts, jupytext.reads(text, fmt="py:percent").cells, strict=True):
            cell = self.read_cell(part, parsed.source)
            self.check_source(cell, part.body_line)
            cells.append(cell)
        self.check_ids(cells)
        return cells

    def split(self, text: str) -> Iterator[Part]:
        """Yield the cells as they stand in the text."""
        lines = text.splitlines()
        headers = {n: match for n, line in enumerate(lines) if (match := _HEADER.match(line))}
        starts = list(headers)
        if not starts:
            raise self.error(1, "the lesson has no cells; begin each with a line `# %%`")
        for index, line in enumerate(lines[: starts[0]]):
            if line.strip() and not line.startswith("#"):
                raise self.error(index + 1, "text before the first cell; put `# %%` before it")
        for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
            first, last = start + 1, stop
            while first < last and not lines[first].strip():
                first += 1
            while last > first and not lines[last - 1].strip():
                last -= 1
            yield Part(start + 1, headers[start], first + 1, lines[first:last])

    def read_cell(self, part: Part, source: str) -> Cell:
        """Return the cell with its keys checked."""
        kind = "markdown" if part.header["markdown"] else "code"
        keys = self.read_keys(part.line, part.header["keys"])
        if "from" in keys:
            return self.borrow(part.line, kind, keys, source)
        self.check_keys(part.line, kind, keys)
        for line, text in enumerate(part.body, start=part.body_line):
            if kind == "markdown" and not text.startswith("#"):
                raise self.error(line, "each line of a markdown cell must begin with `# `")
        return Cell(kind, source, part.line, **{**keys, "tags": tuple(keys.get("tags", ()))})

    def read_keys(self, line: int, text: str) -> dict:
        """Return the keys of a header; raise CourseError if they cannot be read."""
        keys: dict = {}
        rest = text.rstrip()
        while rest:
            match = _KEY.match(rest)
            unreadable = match[0].strip() if match else f"`{rest.strip()}`"
            try:
                value = json.loads(match["value"] if match else "")
            except ValueError:
                message = f'cannot read {unreadable}; write key="value" or key=1'
                raise self.error(line, message) from None
            assert match is not None  # nothing is no JSON
            if match["key"] in keys:
                raise self.error(line, f"{match['key']}= is given twice")
            keys[match["key"]] = value
            rest = rest[match.end() :]
        return keys

    def check_keys(self, line: int, kind: str, keys: dict) -> None:
        """Hold a header's keys against the rule for its kind of cell."""
        grade = keys.get("grade")
        if grade is not None and grade not in RULES:
            raise self.error(line, f"unknown grade {grade!r}; it is one of {', '.join(RULES)}")
        rule = RULES[grade] if grade else PLAIN_RULES[kind]
        if kind != rule.type:
            raise self.error(line, f'a cell with grade="{grade}" must be a {rule.type} cell')
        for key in keys:
            if key not in rule.keys:
                name, may = f"{grade or 'plain'} {kind} cell", ", ".join(rule.keys)
                raise self.error(line, f"{key}= means nothing in a {name}; it may carry: {may}")
        for key, asked in rule.needed.items():
            if keys.get(key) in (None, ""):
                raise self.error(line, f'a cell with grade="{grade}" needs {asked}')
        if "id" in keys and not _ID.fullmatch(str(keys["id"])):
            raise self.error(line, f"id {keys['id']!r}: use 1 to 64 letters, digits, - and _ only")
        for key in ("points", "minutes"):
            if key in keys and not _is_positive(keys[key]):
                raise self.error(line, f"{key}={keys[key]} must be a positive number")

    def borrow(self, line: int, kind: str, keys: dict, source: str) -> Cell:
        """Return a locked and folded cell with code of an earlier lesson's solution."""
        for key in keys:
            if key not in BORROWED_KEYS:
                may = ", ".join(BORROWED_KEYS)
                raise self.error(line, f"{key}= means nothing beside from=; there may be: {may}")
        if kind != "code" or source.strip():
            raise self.error(line, "a cell with from= is an empty code cell; the build fills it")
        if not _ID.fullmatch(str(keys.get("id", ""))):
            raise self.error(line, 'a cell with from= needs an id="…" of letters, digits, - and _')
        wanted = str(keys.get("cells", "")).split()
        if not wanted:
            raise self.error(line, 'a cell with from= needs cells="…", ids of that lesson\'s cells')
        stem = keys["from"]
        giving = self.earlier_cells(line, stem)
        code = {cell.id: cell for cell in giving if cell.kind == "code" and cell.grade != "tests"}
        for id in wanted:
            if id not in code:
                raise self.error(line, f"{stem} has no code cell with the id {id!r} to be given")
        title = title_of(giving) or stem
        parts = [f"# @title Given, from {title}. There is nothing to fill in: run the cell."]
        parts += [as_given(code[id].source) for id in wanted]
        tags = tuple(dict.fromkeys([*keys.get("tags", ()), HIDE_TAG]))
        text = "\n\n\n".join(parts)
        return Cell("code", text, line, id=keys["id"], grade="readonly", tags=tags)

    def earlier_cells(self, line: int, stem: str) -> list[Cell]:
        """Return the cells of an earlier lesson as they are written."""
        earlier = [other for other in self.course.lessons() if other < self.path.stem]
        if stem not in earlier:
            known = ", ".join(earlier) or "none"
            raise self.error(line, f"no earlier lesson is called {stem!r}; there are: {known}")
        if stem not in self.earlier:
            path = self.course.lesson_path(stem)
            text = path.read_text(encoding="utf-8")
            self.earlier[stem] = Reader(path, self.course).read(text)
        return self.earlier[stem]

    def check_source(self, cell: Cell, body_line: int) -> None:
        """Check markers, hidden regions, mark schemes and, in code, the Python."""
        lines = cell.source.split("\n")
        try:
            hidden = regions(lines, BEGIN_HIDDEN, END_HIDDEN)
            schemes = regions(lines, BEGIN_SCHEME, END_SCHEME)
            # Text may talk about the markers; only code can hold a block.
            filled = regions(lines, START_MARKER, END_MARKER) if cell.kind == "code" else []
        except RegionError as error:
            raise self.error(body_line + error.offset, str(error)) from None
        for spans, grade, stray in (
            (hidden, "tests", "hidden tests outside a tests cell"),
            (schemes, "answer", "a mark scheme outside an answer cell"),
            (filled, "solution", "a YOUR CODE block outside a solution cell"),
        ):
            if spans and cell.grade != grade:
                raise self.error(body_line + spans[0][0], stray)
        if cell.grade == "tests" and not hidden:
            raise self.error(cell.line, f"a tests cell without hidden tests; add `{BEGIN_HIDDEN}`")
        if cell.grade == "solution" and not filled:
            raise self.error(cell.line, f"a solution cell without a block; add `{START_MARKER}`")
        if cell.kind == "code":
            self.check_stubs(cell, body_line)
            self.check_python(cell, body_line)
        if cell.grade == "tests":
            self.check_points(cell)

    def check_points(self, cell: Cell) -> None:
        """The points of hidden properties add up to those of the cell, where they can be read."""
        points = _property_points(cell.source)
        if points and not math.isclose(sum(points), cell.points or 0):
            raise self.error(
                cell.line,
                f"the hidden properties are worth {sum(points):g} points, the cell "
                f"{cell.points:g}; make them agree",
            )

    def check_stubs(self, cell: Cell, body_line: int) -> None:
        """Every block begins with its stub, has a solution, and no stub stands elsewhere."""
        placed: set[int] = set()
        for block in blocks(cell.source):
            line = body_line + block.start
            placed.update(range(line + 1, line + 1 + len(block.stub)))
            if not block.stub:
                raise self.error(line, f"a block without a stub; add `{STUB_PREFIX} …` below")
            if not any(text.strip() for text in block.solution):
                raise self.error(line, "a block without a solution below its stub")
        for line, text in enumerate(cell.source.split("\n"), start=body_line):
            if text.lstrip().startswith(STUB_PREFIX) and line not in placed:
                message = f"`{STUB_PREFIX}` must stand directly below `{START_MARKER}`"
                raise self.error(line, message)

    def check_python(self, cell: Cell, body_line: int) -> None:
        """The cell, and the cell with its stubs, must be valid Python."""
        if error := _python_error(cell.source):
            line = body_line + (getattr(error, "lineno", None) or 1) - 1
            raise self.error(line, f"not valid Python: {getattr(error, 'msg', error)}")
        if cell.grade == "solution" and (error := _python_error(stub_blocks(cell.source))):
            raise self.error(cell.line, f"with its stubs the cell is not valid Python: {error}")

    def check_ids(self, cells: Sequence[Cell]) -> None:
        """Ids are unique; tests name a solution cell."""
        lines: dict[str, int] = {}
        answers = {cell.id for cell in cells if cell.grade == "solution"}
        for cell in cells:
            if cell.id and lines.setdefault(cell.id, cell.line) != cell.line:
                text = f"the id {cell.id!r} is already used in line {lines[cell.id]}"
                raise self.error(cell.line, text)
            if cell.answer is not None and cell.answer not in answers:
                raise self.error(cell.line, f'answer="{cell.answer}" names no solution cell')


def exercises_of(cells: Sequence[Cell], path: Path) -> list[Exercise]:
    """Return the exercises in order, numbered; questions are counted by themselves.

    Raises CourseError unless each has exactly one text and one graded cell.
    """
    exercises: list[Exercise] = []
    for text, graded in _pairs(cells, path):
        manual = graded.grade == "answer"
        assert text.exercise and text.title and text.minutes and graded.points
        exercises.append(
            Exercise(
                id=text.exercise,
                number=1 + sum(other.manual == manual for other in exercises),
                title=text.title,
                minutes=text.minutes,
                points=graded.points,
                manual=manual,
                test_cell_id=graded.name,
                answer_cell_id=graded.answer or graded.name,
            )
        )
    return exercises


def _pairs(cells: Sequence[Cell], path: Path) -> list[tuple[Cell, Cell]]:
    """Return the text and the graded cell of each exercise, in the order of the texts."""
    texts: dict[str, Cell] = {}
    graded: dict[str, Cell] = {}
    for cell in cells:
        if cell.exercise is None:
            if cell.title is not None or cell.minutes is not None:
                raise mistake(path, cell.line, 'title= and minutes= need an exercise="…"')
            continue
        group = graded if cell.grade else texts
        if cell.exercise in group:
            line = group[cell.exercise].line
            text = f"exercise {cell.exercise!r} already has such a cell in line {line}"
            raise mistake(path, cell.line, text)
        if not cell.grade and (not cell.title or cell.minutes is None):
            raise mistake(path, cell.line, "the text of an exercise needs title= and minutes=")
        group[cell.exercise] = cell
    for name in [*graded, *texts]:
        if name not in texts:
            text = f'exercise {name!r} has no text; add a markdown cell exercise="{name}"'
            raise mistake(path, graded[name].line, text)
        if name not in graded:
            text = f"exercise {name!r} has neither tests nor an answer cell"
            raise mistake(path, texts[name].line, text)
    return [(texts[name], graded[name]) for name in texts]


def _property_points(source: str) -> list[float]:
    """Return the points of all properties that a tests cell registers with a judge.

    Empty if not all of them are numbers in decorators at the top level: a judge adds those up.
    """
    tree = ast.parse(source)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    decorators = [part for function in functions for part in function.decorator_list]
    points: list[float] = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="property"), keywords=keywords):
                given = {keyword.arg: keyword.value for keyword in keywords}
                value = getattr(given.get("points"), "value", None)
                if node not in decorators or not isinstance(value, int | float):
                    return []
                points.append(value)
    return points


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def _python_error(source: str) -> Exception | None:
    """Return why a cell is not valid Python, None if it is; magics count as statements."""
    if source.lstrip().startswith("%%"):
        return None
    python = re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.MULTILINE)
    try:
        compile(python, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        return error
    return None
