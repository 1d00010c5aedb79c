"""Places to look: pairs of submissions that share code which nobody else wrote.

A measure, never a verdict: it says where two people wrote the same unusual thing, not why. Code is
cut into pieces as for fingerprints of documents (Schleimer, Wilkerson and Aiken, Winnowing: local
algorithms for document fingerprinting, SIGMOD 2003); all are kept, since answers are short:

- Only what stands in the YOUR CODE blocks, and in cells of the student's own, is looked at.
- Comments, docstrings, spacing and line breaks are dropped, and the student's own names are all
  taken for the same, so that other names, comments or layout change nothing.
- A piece is LENGTH tokens in a row within one statement, so that the order of statements does not
  matter; a shorter statement is one piece.
- Pieces of the reference solution, of the stubs and of anything else in the released notebook do
  not count, nor do those that more than COMMON of the class have. Of the others, one that only two
  have weighs 1; the more have it, the less it weighs: log(n / owners) / log(n / 2).

Two submissions are a place to look if the pieces that they share weigh at least LEAST_WEIGHT, lie
in at least LEAST_CELLS answers, and weigh at least LEAST_SHARE of all that the one of the two has
that has less. How often that is right on made-up classes, benchmarks/similar.py measures.
"""

from __future__ import annotations

import ast
import functools
import itertools
import keyword
import math
import re
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autograder.errors import CourseError
from autograder.lesson import Lesson
from autograder.lesson.markers import blocks, strip_hidden, strip_stubs, stub_blocks
from autograder.submissions.cells import grade_id

LENGTH = 4  # tokens of a piece
COMMON = 0.25
LEAST_WEIGHT = 10
LEAST_CELLS = 3
LEAST_SHARE = 0.7
CHUNK = 4096  # pieces that are counted at once, to bound the memory
MAX_CODE = 20_000  # characters of one cell that are looked at
# Whatever stands in a Python text: a comment, the end of a statement, or a token.
TOKEN = re.compile(
    r"""
    (?P<skipped>\#[^\n]*|\\\n)
    |(?P<end>[\n;])
    |(?P<token>
        [rbfuRBFU]{0,2}(?:\"{3}(?:[^\\]|\\.)*?\"{3}|\'{3}(?:[^\\]|\\.)*?\'{3}
            |"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
        |\.?\d[\w.]*|\w+
        |\*\*=?|//=?|>>=?|<<=?|->|\.\.\.|[-+*/%@&|^=<>!:]=|[^\s\w]
    )
    """,
    re.VERBOSE | re.DOTALL,
)
OWN = ""  # stands for the student's own cells in the place of an answer cell's id

Piece = tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """Two submissions that share unusual code.

    share: of the unusual pieces of the one that has less, what both have, by weight, 0 to 1.
    cells: answer cell, or OWN for the students' own cells → how many of these pieces stand there.
    """

    first: str
    second: str
    share: float
    cells: Mapping[str, int]


def answers_of(notebook: Mapping, lesson: Lesson) -> dict[str, str]:
    """Return a graded notebook's code: id of an answer cell, or OWN, → source."""
    answers = {cell.id for cell in lesson.cells if cell.grade == "solution"}
    own = re.compile(r"own-\d+")  # how restoring a submission calls them
    found: dict[str, str] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        name, source = grade_id(cell), "".join(cell["source"])
        if name in answers:
            found[name] = source
        elif name is None and own.fullmatch(cell.get("id", "")):
            found[OWN] = f"{found.get(OWN, '')}\n{source}"
    return found


def places_to_look(
    classes: Mapping[str, Mapping[str, str]], lesson: Lesson, *, least_share: float = LEAST_SHARE
) -> list[Pair]:
    """Return the pairs of students to look at, the most alike first.

    Args:
        classes: student → what `answers_of` gives.
    """
    given, signatures = given_pieces(lesson), given_names(lesson)
    held = {student: unusual(answers, given, signatures) for student, answers in classes.items()}
    owners: dict[Piece, list[str]] = defaultdict(list)
    for student, pieces in held.items():
        for piece in pieces:
            owners[piece].append(student)
    most = max(2, COMMON * len(classes))
    counted = {piece: names for piece, names in owners.items() if len(names) <= most}
    shared = shared_weights(list(classes), counted)
    own = shared.diagonal()
    answers = len(signatures)
    found = []
    students = list(classes)
    for one, other in zip(*np.nonzero(np.triu(shared >= LEAST_WEIGHT, 1)), strict=True):
        share = float(shared[one, other] / min(own[one], own[other]))
        if share < least_share:
            continue
        first, second = students[one], students[other]
        both = held[first].keys() & held[second].keys() & counted.keys()
        cells = Counter(itertools.chain.from_iterable(held[first][piece] for piece in both))
        if len(cells) >= min(LEAST_CELLS, answers):
            found.append(Pair(first, second, share, dict(cells.most_common())))
    return sorted(found, key=lambda pair: (-pair.share, pair.first, pair.second))


def shared_weights(students: Sequence[str], owners: Mapping[Piece, Sequence[str]]) -> np.ndarray:
    """Return [n, n]: what the pieces weigh that two students have, on the diagonal one's own."""
    place = {student: number for number, student in enumerate(students)}
    total = np.zeros((len(students), len(students)))
    pieces = list(owners.values())
    for start in range(0, len(pieces), CHUNK):
        chunk = pieces[start : start + CHUNK]
        has = np.zeros((len(students), len(chunk)))
        for column, names in enumerate(chunk):
            has[[place[name] for name in names], column] = 1
        weights = np.array([weight_of(len(names), len(students)) for names in chunk])
        total += (has * weights) @ has.T
    return total


def weight_of(owners: int, students: int) -> float:
    """Return how much a piece tells that so many of the students have."""
    if owners <= 2:
        return 1.0
    return math.log(students / owners) / math.log(students / 2)


def unusual(
    answers: Mapping[str, str], given: Iterable[Piece], signatures: Mapping[str, Iterable[str]]
) -> dict[Piece, list[str]]:
    """Return a submission's pieces that are not given, each with the cells it stands in."""
    found: dict[Piece, list[str]] = defaultdict(list)
    for cell, source in answers.items():
        for piece in pieces_of(source, frozenset(signatures.get(cell, ()))) - given:
            found[piece].append(cell)
    return found


@functools.lru_cache(maxsize=64)
def given_pieces(lesson: Lesson) -> frozenset[Piece]:
    """Return the pieces of the reference solution and of all that students are given."""
    signatures = given_names(lesson)
    found: set[Piece] = set()
    for cell in lesson.cells:
        if cell.grade == "solution":
            names = frozenset(signatures[cell.id])
            for source in (strip_stubs(cell.source), stub_blocks(cell.source)):
                found |= pieces_of(source, names) | pieces_of(source, names, whole=True)
        elif cell.kind == "code":
            found |= pieces_of(strip_hidden(cell.source), frozenset(), whole=True)
        else:  # hints hold code, in words or in blocks
            for code in re.findall(r"```\w*\n(.*?)```|`([^`\n]+)`", cell.source, re.DOTALL):
                found |= pieces_of("".join(code), frozenset(), whole=True)
    return frozenset(found)


@functools.lru_cache(maxsize=64)
def given_names(lesson: Lesson) -> dict[str, frozenset[str]]:
    """Return, by answer cell, the names of arguments that the released notebook gives."""
    return {
        cell.id: frozenset(
            node.arg
            for node in ast.walk(ast.parse(stub_blocks(cell.source)))
            if isinstance(node, ast.arg)
        )
        for cell in lesson.cells
        if cell.grade == "solution"
    }


@functools.lru_cache(maxsize=4096)
def pieces_of(source: str, given: frozenset[str], whole: bool = False) -> frozenset[Piece]:
    """Return the pieces of a cell's YOUR CODE blocks; of all of it if it has none, or `whole`.

    `given` are names that the student has not chosen.
    """
    source = source[:MAX_CODE]
    own = own_names(source) - given
    found: set[Piece] = set()
    for statement in statements(source if whole else own_code(source)):
        tokens = ["name" if token in own else token for token in statement]
        if len(tokens) < 3:
            continue
        for start in range(max(1, len(tokens) - LENGTH + 1)):
            found.add(tuple(tokens[start : start + LENGTH]))
    return frozenset(found)


def own_code(source: str) -> str:
    """Return what stands in the YOUR CODE blocks, or all of it where there are none."""
    try:
        found = blocks(source)
    except CourseError:  # a marker is spoilt
        found = []
    lines = source.split("\n")
    parts = ["\n".join(lines[block.start + 1 : block.end]) for block in found]
    return "\n".join(map(textwrap.dedent, parts)) if parts else source


def own_names(source: str) -> frozenset[str]:
    """Return the names that a cell binds within it: variables and arguments."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        lines = re.findall(r"^\s*(?:for\s+)?([\w, ]+?)\s*(?:=(?!=)|\bin\b)", source, re.MULTILINE)
        names = set(re.findall(r"\w+", " ".join(lines)))
        return frozenset(name for name in names if not keyword.iskeyword(name))
    stored = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return frozenset(stored | {node.arg for node in nodes if isinstance(node, ast.arg)})


def statements(source: str) -> Iterator[list[str]]:
    """Yield the tokens of each statement, whatever the source is, without comments.

    Python's own tokenizer stops at the first mistake, and pygments takes five times as long.
    """
    statement: list[str] = []
    depth = 0
    for match in TOKEN.finditer(source):
        kind, text = match.lastgroup, match[0]
        if kind == "end":
            if depth <= 0 and statement:
                yield statement
                statement, depth = [], 0
        elif kind == "token":
            depth += (text in "([{") - (text in ")]}")
            statement.append(text)
    if statement:
        yield statement
