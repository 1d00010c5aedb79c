"""Read a lesson's text and check its marking.

A lesson is a Python file in jupytext's percent format. Short keys in the cell headers say what a
cell is for; `Lesson.load` resolves them, numbers the exercises, fills in the templates and raises
one CourseError, with file and line, for the first mistake it finds.
"""

from __future__ import annotations

import ast
import hashlib
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import jupytext

from autograder.course import Course
from autograder.errors import CourseError
from autograder.outline import (
    Chapter,
    chapters,
    count_checks,
    defined_name,
    minutes_by_chapter,
    plural,
)

START_MARKER = "## YOUR CODE STARTS HERE ##"
END_MARKER = "## AND ENDS HERE ##"
STUB_PREFIX = "# STUB:"
BEGIN_HIDDEN = "### BEGIN HIDDEN TESTS"
END_HIDDEN = "### END HIDDEN TESTS"
BEGIN_SCHEME = "=== BEGIN MARK SCHEME ==="
END_SCHEME = "=== END MARK SCHEME ==="
HIDE_TAG = "hide-input"
TEXT_STUB = "*Replace this line with your answer.*"

# Per kind of cell: the type it must have and the keys its header may carry.
_KEYS = {
    "readonly": ("code", {"id", "grade", "tags"}),
    "solution": ("code", {"id", "grade", "tags"}),
    "tests": ("code", {"id", "grade", "tags", "points", "exercise", "answer"}),
    "answer": ("markdown", {"id", "grade", "tags", "points", "exercise"}),
}
_BORROWED_KEYS = {"id", "from", "cells", "tags"}
_PLAIN_KEYS = {"code": {"id", "tags"}, "markdown": {"id", "tags", "exercise", "title", "minutes"}}

_HEADER = re.compile(r"# %%(?=\s|$)(?P<markdown>\s+\[markdown\])?(?P<keys>.*)$")
_KEY = re.compile(r'\s+(?P<key>\w+)=(?P<value>"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^\s"\[]+)')
_TEMPLATE = re.compile(r"(?<!\{)\{\{\s*(\w+)(?:\s+([\w-]+))?\s*\}\}(?!\})")
# A displayed formula that ends with its name.
_EQUATION = re.compile(
    r"^\$\$(?P<tex>(?:(?!\$\$).)*?)\s*\{\{\s*equation\s+(?P<name>[\w-]+)\s*\}\}\s*\$\$$",
    re.DOTALL | re.MULTILINE,
)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
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
class Cell:
    """One cell; `line` is the line of its header, `source` is complete but keeps its solutions."""

    kind: str
    source: str
    line: int
    id: str | None = None
    grade: str | None = None
    points: float | None = None
    exercise: str | None = None
    answer: str | None = None
    title: str | None = None
    minutes: float | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exercise:
    """One exercise or written question, with the ids of its graded cell and its answer cell."""

    id: str
    number: int
    label: str
    title: str
    minutes: float
    points: float
    manual: bool
    test_cell_id: str
    answer_cell_id: str


@dataclass(frozen=True)
class Block:
    """A YOUR CODE block: its marker lines (counted from 0), the stub and the solution between."""

    start: int
    end: int
    indent: str
    stub: tuple[str, ...]
    solution: tuple[str, ...]


def _regions(lines: Sequence[str], begin: str, end: str) -> list[tuple[int, int]]:
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
    for first, last in reversed(_regions(lines, begin, end)):
        del lines[first : last + 1]
    return "\n".join(lines).rstrip()


def strip_hidden(source: str) -> str:
    """Return `source` without its hidden tests."""
    return _cut(source, BEGIN_HIDDEN, END_HIDDEN)


def strip_scheme(source: str) -> str:
    """Return a written answer without its mark scheme."""
    return _cut(source, BEGIN_SCHEME, END_SCHEME)


def mark_scheme(source: str) -> str:
    """Return the text of a written answer's mark scheme, empty if it has none."""
    lines = source.split("\n")
    regions = _regions(lines, BEGIN_SCHEME, END_SCHEME)
    return "\n".join("\n".join(lines[first + 1 : last]) for first, last in regions).strip()


def blocks(source: str) -> list[Block]:
    """Return the YOUR CODE blocks of a cell in order (of a lesson, a release or a submission)."""
    lines = source.split("\n")
    found = []
    for start, end in _regions(lines, START_MARKER, END_MARKER):
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
    """Return a solution as plain code: no markers, no stubs, and nothing that asks for a block."""
    lines = []
    for line in strip_stubs(source).split("\n"):
        match = _FILLED_IN.fullmatch(line)
        if match and match["back"]:
            lines.append(f"{match['indent']}return {match['result']}")
        elif not match and line.strip() not in (START_MARKER, END_MARKER):
            lines.append(line)
    return "\n".join(lines)


def _released(cell: Cell) -> str:
    """Return a graded, locked or answer cell as the student gets it."""
    if cell.grade == "answer":
        return TEXT_STUB
    return stub_blocks(cell.source) if cell.grade == "solution" else strip_hidden(cell.source)


@dataclass(frozen=True)
class Lesson:
    """A checked lesson; `cells` have their headings and templates filled in."""

    stem: str
    path: Path
    cells: tuple[Cell, ...]
    exercises: tuple[Exercise, ...]

    @classmethod
    def load(cls, path: Path) -> Lesson:
        """Read a lesson's text; raise CourseError if it cannot be read or is marked wrongly."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CourseError(f"{path} cannot be read: {error}") from error
        return cls.parse(text, path)

    @classmethod
    def parse(cls, text: str, path: Path, course: Course | None = None) -> Lesson:
        """Return the lesson in `text`; `path` gives its name and stands in error messages.

        Addresses in templates come from `course` (default: the folder above the lesson's own).
        """
        return _Parser(Path(path), course).parse(text)

    @property
    def title(self) -> str:
        """The first heading of the lesson."""
        for cell in self.cells:
            for line in cell.source.split("\n"):
                if cell.kind == "markdown" and line.startswith("# "):
                    return line.removeprefix("# ").strip()
        return self.stem

    @property
    def total_points(self) -> float:
        """Points of all exercises and questions together."""
        return sum(exercise.points for exercise in self.exercises)

    @property
    def chapters(self) -> list[Chapter]:
        """The lesson's chapters in order, with the exercises and questions in each."""
        return chapters(self.cells, self.exercises)

    @property
    def version(self) -> str:
        """A short checksum of what a student gets to answer and is tested with.

        Text, pictures and hidden tests may change without a new version.
        """
        shown = [[cell.id, cell.kind, _released(cell)] for cell in self.cells if cell.grade]
        return hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:12]

    def cell(self, id: str) -> Cell:
        """Return the cell with this id; raise CourseError if there is none."""
        for cell in self.cells:
            if cell.id == id:
                return cell
        raise CourseError(f"{self.path}: no cell has the id {id!r}")

    def exercise(self, id: str) -> Exercise:
        """Return the exercise with this id; raise CourseError if there is none."""
        for exercise in self.exercises:
            if exercise.id == id:
                return exercise
        raise CourseError(f"{self.path}: no exercise is called {id!r}")


def _property_points(source: str) -> list[float]:
    """Return the points of all properties that a tests cell registers with a judge.

    Empty if not all of them are numbers in decorators at the top level: a judge adds those up.
    """
    tree = ast.parse(source)
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "property"
    ]
    decorators = [
        part
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        for part in node.decorator_list
    ]
    points = [
        keyword.value.value
        for call in calls
        for keyword in call.keywords
        if call in decorators
        and keyword.arg == "points"
        and isinstance(keyword.value, ast.Constant)
        and isinstance(keyword.value.value, int | float)
    ]
    return points if len(points) == len(calls) else []


class _Parser:
    """Turns the text of one lesson into a Lesson; holds the path for error messages."""

    def __init__(self, path: Path, course: Course | None) -> None:
        self.path = path
        self.course = course or Course(path.resolve().parent.parent)
        self.earlier: dict[str, Lesson] = {}  # those that give code to this one, as written

    def error(self, line: int, message: str) -> CourseError:
        """Return the error to raise for a mistake in `line`."""
        return CourseError(f"{self.path.parent.name}/{self.path.name}:{line}: {message}")

    def parse(self, text: str) -> Lesson:
        """Parse, check, number and fill in."""
        cells = self.read(text)
        exercises = self.collect_exercises(cells)
        lesson = Lesson(self.path.stem, self.path, tuple(cells), tuple(exercises))
        self.equations = self.number_equations(cells)
        filled = [self.fill_in(cell, lesson) for cell in cells]
        for chapter in reversed(chapters(filled, exercises)):
            if chapter.exercises:
                filled[chapter.cell] = summed_up(filled[chapter.cell], chapter)
        return replace(lesson, cells=tuple(filled))

    def read(self, text: str) -> list[Cell]:
        """Return the cells, checked, with their templates as they are written."""
        cells = []
        # jupytext turns the text into cells; the headers are read here too, since it forgives what
        # should be an error, and knows no line numbers.
        parts = list(self.split(text))
        for part, made in zip(parts, jupytext.reads(text, fmt="py:percent").cells, strict=True):
            cell = self.read_cell(*part, made.source)
            self.check_source(cell, part[2])
            cells.append(cell)
        self.check_ids(cells)
        return cells

    def split(self, text: str) -> Iterator[tuple[int, str, int, list[str]]]:
        """Yield header line, header, first line of the body, and body of each cell."""
        lines = text.splitlines()
        starts = [index for index, line in enumerate(lines) if _HEADER.match(line)]
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
            yield start + 1, lines[start], first + 1, lines[first:last]

    def read_cell(
        self, line: int, header: str, body_line: int, body: list[str], source: str
    ) -> Cell:
        """Return the cell with its keys checked; `body` is its text in the file."""
        match = _HEADER.match(header)
        kind = "markdown" if match["markdown"] else "code"
        keys = self.read_keys(line, match["keys"])
        if "from" in keys:
            return self.borrow(line, kind, keys, source)
        grade = keys.get("grade")
        if grade is not None and grade not in _KEYS:
            raise self.error(line, f"unknown grade {grade!r}; it is one of {', '.join(_KEYS)}")
        expected, allowed = _KEYS[grade] if grade else (kind, _PLAIN_KEYS[kind])
        name = f"{grade or 'plain'} {kind} cell"
        if kind != expected:
            raise self.error(line, f'a cell with grade="{grade}" must be a {expected} cell')
        for key in keys:
            if key not in allowed:
                may = ", ".join(sorted(allowed))
                raise self.error(line, f"{key}= means nothing in a {name}; it may carry: {may}")
        if grade and not keys.get("id"):
            raise self.error(line, f'a cell with grade="{grade}" needs an id="…"')
        if "id" in keys and not _ID.fullmatch(str(keys["id"])):
            raise self.error(line, f"id {keys['id']!r}: use 1 to 64 letters, digits, - and _ only")
        if grade in ("tests", "answer"):
            for key in ("points", "exercise"):
                if key not in keys:
                    raise self.error(line, f'a cell with grade="{grade}" needs {key}=')
        if grade == "tests" and "answer" not in keys:
            raise self.error(line, 'a tests cell needs answer="…", the id of the cell it tests')
        for key in ("points", "minutes"):
            if key in keys and not _is_positive(keys[key]):
                raise self.error(line, f"{key}={keys[key]} must be a positive number")
        if kind == "markdown":
            for offset, text in enumerate(body):
                if not text.startswith("#"):
                    raise self.error(
                        body_line + offset, "each line of a markdown cell must begin with `# `"
                    )
        return Cell(kind, source, line, **{**keys, "tags": tuple(keys.get("tags", ()))})

    def borrow(self, line: int, kind: str, keys: dict, source: str) -> Cell:
        """Return a locked and folded cell with code of an earlier lesson's solution."""
        for key in keys:
            if key not in _BORROWED_KEYS:
                may = ", ".join(sorted(_BORROWED_KEYS))
                raise self.error(line, f"{key}= means nothing beside from=; there may be: {may}")
        if kind != "code" or source.strip():
            raise self.error(line, "a cell with from= is an empty code cell; the build fills it")
        if not _ID.fullmatch(str(keys.get("id", ""))):
            raise self.error(line, 'a cell with from= needs an id="…" of letters, digits, - and _')
        wanted = str(keys.get("cells", "")).split()
        if not wanted:
            raise self.error(line, 'a cell with from= needs cells="…", ids of that lesson\'s cells')
        stem = keys["from"]
        earlier = [one for one in self.course.lessons() if one < self.path.stem]
        if stem not in earlier:
            known = ", ".join(earlier) or "none"
            raise self.error(line, f"no earlier lesson is called {stem!r}; there are: {known}")
        if stem not in self.earlier:
            path = self.course.lesson_path(stem)
            cells = _Parser(path, self.course).read(path.read_text(encoding="utf-8"))
            self.earlier[stem] = Lesson(stem, path, tuple(cells), ())
        giving = self.earlier[stem]
        code = {one.id: one for one in giving.cells if one.kind == "code" and one.grade != "tests"}
        for id in wanted:
            if id not in code:
                raise self.error(line, f"{stem} has no code cell with the id {id!r} to be given")
        parts = [f"# Given, from {giving.title}. There is nothing to fill in: run the cell."]
        parts += [as_given(code[id].source) for id in wanted]
        tags = tuple(dict.fromkeys([*keys.get("tags", ()), HIDE_TAG]))
        text = "\n\n\n".join(parts)
        return Cell("code", text, line, id=keys["id"], grade="readonly", tags=tags)

    def read_keys(self, line: int, text: str) -> dict:
        """Return the keys of a header; raise CourseError if they cannot be read."""
        keys: dict = {}
        rest = text.rstrip()
        while rest:
            match = _KEY.match(rest)
            if match is None:
                raise self.error(line, f'cannot read `{rest.strip()}`; write key="value" or key=1')
            if match["key"] in keys:
                raise self.error(line, f"{match['key']}= is given twice")
            try:
                keys[match["key"]] = json.loads(match["value"])
            except ValueError:
                raise self.error(
                    line, f'cannot read {match[0].strip()}; write key="value" or key=1'
                ) from None
            rest = rest[match.end() :]
        return keys

    def check_source(self, cell: Cell, body_line: int) -> None:
        """Check markers, hidden regions, mark schemes and, in code, the Python."""
        lines = cell.source.split("\n")
        try:
            hidden = _regions(lines, BEGIN_HIDDEN, END_HIDDEN)
            schemes = _regions(lines, BEGIN_SCHEME, END_SCHEME)
            # Text may talk about the markers; only code can hold a block.
            found = blocks(cell.source) if cell.kind == "code" else []
        except RegionError as error:
            raise self.error(body_line + error.offset, str(error)) from None
        if hidden and cell.grade != "tests":
            raise self.error(body_line + hidden[0][0], "hidden tests outside a tests cell")
        if cell.grade == "tests" and not hidden:
            raise self.error(cell.line, f"a tests cell without hidden tests; add `{BEGIN_HIDDEN}`")
        if schemes and cell.grade != "answer":
            raise self.error(body_line + schemes[0][0], "a mark scheme outside an answer cell")
        if found and cell.grade != "solution":
            raise self.error(
                body_line + found[0].start, "a YOUR CODE block outside a solution cell"
            )
        if cell.grade == "solution" and not found:
            raise self.error(cell.line, f"a solution cell without a block; add `{START_MARKER}`")
        if cell.kind == "code":
            self.check_stubs(lines, found, body_line)
            self.check_python(cell, body_line)
        if cell.grade == "tests":
            self.check_points(cell)

    def check_points(self, cell: Cell) -> None:
        """The points of hidden properties add up to those of the cell, where they can be read."""
        points = _property_points(cell.source)
        if points and not math.isclose(sum(points), cell.points):
            raise self.error(
                cell.line,
                f"the hidden properties are worth {sum(points):g} points, the cell "
                f"{cell.points:g}; make them agree",
            )

    def check_stubs(self, lines: list[str], found: list[Block], body_line: int) -> None:
        """Every block begins with its stub, has a solution, and no stub stands elsewhere."""
        placed = set()
        for block in found:
            placed.update(range(block.start + 1, block.start + 1 + len(block.stub)))
            if not block.stub:
                raise self.error(
                    body_line + block.start, f"a block without a stub; add `{STUB_PREFIX} …` below"
                )
            if not any(line.strip() for line in block.solution):
                raise self.error(
                    body_line + block.start, "a block without a solution below its stub"
                )
        for index, line in enumerate(lines):
            if line.lstrip().startswith(STUB_PREFIX) and index not in placed:
                raise self.error(
                    body_line + index, f"`{STUB_PREFIX}` must stand directly below `{START_MARKER}`"
                )

    def check_python(self, cell: Cell, body_line: int) -> None:
        """The cell, and the cell with its stubs, must be valid Python."""
        try:
            _compile(cell.source)
        except (SyntaxError, ValueError) as error:
            line = body_line + (getattr(error, "lineno", None) or 1) - 1
            raise self.error(line, f"not valid Python: {getattr(error, 'msg', error)}") from None
        if cell.grade == "solution":
            try:
                _compile(stub_blocks(cell.source))
            except (SyntaxError, ValueError) as error:
                message = f"with its stubs the cell is not valid Python: {error}"
                raise self.error(cell.line, message) from None

    def check_ids(self, cells: list[Cell]) -> None:
        """Ids are unique; tests name a solution cell."""
        seen: dict[str, int] = {}
        for cell in cells:
            if cell.id in seen:
                raise self.error(
                    cell.line, f"the id {cell.id!r} is already used in line {seen[cell.id]}"
                )
            if cell.id is not None:
                seen[cell.id] = cell.line
        answers = {cell.id for cell in cells if cell.grade == "solution"}
        for cell in cells:
            if cell.answer is not None and cell.answer not in answers:
                raise self.error(cell.line, f'answer="{cell.answer}" names no solution cell')

    def collect_exercises(self, cells: list[Cell]) -> list[Exercise]:
        """Return the exercises in order; each has exactly one text and one graded cell."""
        texts: dict[str, Cell] = {}
        graded: dict[str, Cell] = {}
        for cell in cells:
            if cell.exercise is None:
                if cell.title is not None or cell.minutes is not None:
                    raise self.error(cell.line, 'title= and minutes= need an exercise="…"')
                continue
            group = graded if cell.grade else texts
            if cell.exercise in group:
                other = group[cell.exercise].line
                raise self.error(
                    cell.line, f"exercise {cell.exercise!r} already has such a cell in line {other}"
                )
            if not cell.grade and (cell.title is None or cell.minutes is None):
                raise self.error(cell.line, "the text of an exercise needs title= and minutes=")
            group[cell.exercise] = cell
        for name, cell in graded.items():
            if name not in texts:
                raise self.error(
                    cell.line,
                    f'exercise {name!r} has no text; add a markdown cell exercise="{name}"',
                )
        exercises = []
        counts = {"Exercise": 0, "Question": 0}
        for name, text in texts.items():
            if name not in graded:
                raise self.error(
                    text.line, f"exercise {name!r} has neither tests nor an answer cell"
                )
            test = graded[name]
            word = "Question" if test.grade == "answer" else "Exercise"
            counts[word] += 1
            exercises.append(
                Exercise(
                    id=name,
                    number=counts[word],
                    label=f"{word} {counts[word]}",
                    title=text.title,
                    minutes=text.minutes,
                    points=test.points,
                    manual=test.grade == "answer",
                    test_cell_id=test.id,
                    answer_cell_id=test.answer or test.id,
                )
            )
        return exercises

    def number_equations(self, cells: list[Cell]) -> dict[str, int]:
        """Return the numbers of the named equations, counted through the lesson."""
        numbers: dict[str, int] = {}
        for cell in cells:
            for match in _EQUATION.finditer(cell.source) if cell.kind == "markdown" else ():
                if match["name"] in numbers:
                    raise self.error(cell.line, f"two equations are called {match['name']!r}")
                numbers[match["name"]] = len(numbers) + 1
        return numbers

    def numbered(self, match: re.Match) -> str:
        """Return an equation with its number, below an anchor for links to it.

        Both are written out, since notebooks number nothing themselves and know no labels.
        """
        tag = f"\\tag{{{self.equations[match['name']]}}}"
        return f'<a id="eq-{match["name"]}"></a>\n\n$${match["tex"]} {tag} $$'

    def fill_in(self, cell: Cell, lesson: Lesson) -> Cell:
        """Return the cell with its heading and its templates filled in."""

        def value(match: re.Match) -> str:
            text = self.template(match[1], match[2], lesson)
            if text is None:
                raise self.error(
                    cell.line,
                    f"unknown template {match[0]}; write `{{ {{` with a space if braces are meant",
                )
            return text

        source = cell.source
        if cell.kind == "markdown":
            source = _EQUATION.sub(self.numbered, source)
        source = _TEMPLATE.sub(value, source)
        if cell.exercise is not None and not cell.grade:
            exercise = lesson.exercise(cell.exercise)
            points, minutes = plural(exercise.points, "point"), plural(exercise.minutes, "minute")
            heading = f"#### {exercise.label} · {exercise.title}\n\n*{points} · about {minutes}*"
            source = f"{heading}\n\n{source}".rstrip()
        return replace(cell, source=source)

    def quoted(self, path: Path) -> bytes:
        """Read a file of measurements or weights that the lesson's text quotes."""
        try:
            return path.read_bytes()
        except OSError as error:
            raise CourseError(
                f"{self.path}: the text quotes {path}, which cannot be read ({error.strerror}); "
                "data/README.md says which command writes it (begin with an empty file)"
            ) from error

    def template(self, name: str, argument: str | None, lesson: Lesson) -> str | None:
        """Return what a template stands for, None if there is no such template."""
        exercises = {exercise.id: exercise for exercise in lesson.exercises}
        if argument is not None and name == "measured":
            return self.quoted(self.course.results_table(argument)).decode().strip()
        if argument is not None and name == "sha256":
            return hashlib.sha256(self.quoted(self.course.network(argument))).hexdigest()
        if argument in self.equations and name == "eq":
            return f"[({self.equations[argument]})](#eq-{argument})"
        if argument is not None:
            if argument not in exercises:
                return None
            exercise = exercises[argument]
            values = {
                "number": exercise.label,
                "points": f"{exercise.points:g}",
                "minutes": f"{exercise.minutes:g}",
                "title": exercise.title,
            }
            return values.get(name)
        if name == "colab":
            return self.course.colab_url(lesson.stem)
        if name == "repository":
            return self.course.repository_url

        def points(manual: bool) -> float:
            return sum(item.points for item in lesson.exercises if item.manual == manual)

        answers = [cell for cell in lesson.cells if cell.grade == "solution"]
        values = {
            "total_points": f"{lesson.total_points:g}",
            "exercise_points": f"{points(manual=False):g}",
            "question_points": f"{points(manual=True):g}",
            "total_minutes": f"{sum(exercise.minutes for exercise in lesson.exercises):g}",
            "n_exercises": str(sum(not exercise.manual for exercise in lesson.exercises)),
            "n_questions": str(sum(exercise.manual for exercise in lesson.exercises)),
            "n_blocks": str(sum(len(blocks(cell.source)) for cell in answers)),
            "lesson": lesson.stem,
            "minutes_by_chapter": minutes_by_chapter(lesson.chapters),
        }
        if name == "blocks_of_cells":
            counts = {_name(cell): len(blocks(cell.source)) for cell in answers}
            return json.dumps(counts, indent=1)
        if name == "checks_of_exercises":
            return json.dumps(self.count_visible(lesson), indent=1, ensure_ascii=False)
        return values.get(name)

    def count_visible(self, lesson: Lesson) -> dict[str, int]:
        """Return the number of visible checks of each exercise, by its label and title."""
        found = {}
        for exercise in lesson.exercises:
            if not exercise.manual:
                cell = lesson.cell(exercise.test_cell_id)
                try:
                    number = count_checks(strip_hidden(cell.source))
                except CourseError as error:
                    raise self.error(cell.line, str(error)) from None
                found[f"{exercise.label} · {exercise.title}"] = number
        return found


def summed_up(cell: Cell, chapter: Chapter) -> Cell:
    """Return the cell with what the chapter asks for below the chapter's heading."""
    lines = cell.source.split("\n")
    lines[chapter.line + 1 : chapter.line + 1] = ["", f"*{chapter.summary}*"]
    return replace(cell, source="\n".join(lines))


def _name(cell: Cell) -> str:
    """Return what an answer cell is called in a table: by what it defines, else by its id."""
    return defined_name(cell.source) or cell.id


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def _compile(source: str) -> None:
    """Raise SyntaxError unless `source` is a valid cell; magics count as statements."""
    if source.lstrip().startswith("%%"):
        return
    python = re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.MULTILINE)
    compile(python, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
