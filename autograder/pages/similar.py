"""Places to look: pairs of submissions that share code which nobody else wrote.

A measure, never a verdict: it says where two people wrote the same unusual thing, not why. Code is
cut into fragments as for fingerprints of documents (Schleimer, Wilkerson and Aiken, Winnowing:
local algorithms for document fingerprinting, SIGMOD 2003); all are kept, since answers are short:

- Only what stands in the YOUR CODE blocks, and in cells of the student's own, is looked at.
- Comments, docstrings, spacing and line breaks are dropped, and the student's own names are all
  taken for the same, so that other names, comments or layout change nothing.
- A fragment is LENGTH tokens in a row within one statement, so that the order of statements does
  not matter; a shorter statement is one fragment.
- Fragments of the reference solution, of the stubs and of anything else in the released notebook
  do not count, nor do those that more than COMMON of the class have. Of the others, one that only
  two have weighs 1; the more have it, the less it weighs: log(n / owners) / log(n / 2).

Two submissions are a place to look if the fragments that they share weigh at least LEAST_WEIGHT,
lie in at least LEAST_CELLS answers, and weigh at least LEAST_SHARE of all that the one of the two
has that has less. How often that is right on made-up classes, benchmarks/similar.py measures.
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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from autograder.errors import CourseError
from autograder.lesson import Lesson
from autograder.lesson.markers import blocks, strip_hidden, strip_stubs, stub_blocks
from autograder.submissions.cells import grade_id

LENGTH = 4  # tokens of a fragment
COMMON = 0.25
LEAST_WEIGHT = 10
LEAST_CELLS = 3
LEAST_SHARE = 0.7
MAX_CODE = 20_000  # characters of one cell that are looked at
# Whatever stands in a Python text: a comment, the end of a statement, or a token. What begins like
# a string always is one, if need be to the end, so that no text takes long to search.
TOKEN = re.compile(
    r"""
    (?P<skipped>\#[^\n]*|\\\n)
    |(?P<end>[\n;])
    |(?P<token>
        [rbfuRBFU]{0,2}(?:\"{3}(?:[^\\]|\\.)*?(?:\"{3}|\\?\Z)|\'{3}(?:[^\\]|\\.)*?(?:\'{3}|\\?\Z)
            |"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?)
        |\.?\d[\w.]*|\w+
        |\*\*=?|//=?|>>=?|<<=?|->|\.\.\.|[-+*/%@&|^=<>!:]=|[^\s\w]
    )
    """,
    re.VERBOSE | re.DOTALL,
)
OWN = ""  # stands for the student's own cells in the place of an answer cell's id
OWN_CELL = re.compile(r"own-\d+")  # how restoring a submission calls them

Fragment = tuple[str, ...]


@dataclass(frozen=True)
class SimilarPair:
    """Two submissions that share unusual code.

    share: of the unusual fragments of the one that has less, what both have, by weight, 0 to 1.
    cells: answer cell, or OWN for the students' own cells → how many of these fragments stand
    there, most first.
    """

    first: str
    second: str
    share: float
    cells: Mapping[str, int]


def answers_of(notebook: Mapping, lesson: Lesson) -> dict[str, str]:
    """Return a graded notebook's code: id of an answer cell, or OWN, → source."""
    names = {cell.name for cell in lesson.answers}
    answers: dict[str, str] = {}
    own: list[str] = []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        name, source = grade_id(cell), "".join(cell["source"])
        if name in names:
            answers[name] = source
        elif name is None and OWN_CELL.fullmatch(cell.get("id", "")):
            own.append(source[:MAX_CODE])
    return answers | ({OWN: "\n".join(own)} if own else {})


def places_to_look(answers: Mapping[str, Mapping[str, str]], lesson: Lesson) -> list[SimilarPair]:
    """Return the pairs of students to look at, of whose `answers_of`, the most alike first."""
    places = {student: unusual(sources, lesson) for student, sources in answers.items()}
    owners: dict[Fragment, list[str]] = defaultdict(list)
    for student, fragments in places.items():
        for fragment in fragments:
            owners[fragment].append(student)
    size = len(answers)
    counted = {key: names for key, names in owners.items() if len(names) <= max(2, COMMON * size)}
    total: dict[str, float] = defaultdict(float)
    shared: dict[tuple[str, str], float] = defaultdict(float)
    for names in counted.values():
        weight = 1 if len(names) <= 2 else math.log(size / len(names)) / math.log(size / 2)
        for name in names:
            total[name] += weight
        for pair in itertools.combinations(names, 2):
            shared[pair] += weight
    pairs = []
    for (first, second), weight in shared.items():
        share = weight / min(total[first], total[second])
        if weight < LEAST_WEIGHT or share < LEAST_SHARE:
            continue
        both = places[first].keys() & places[second].keys() & counted.keys()
        cells = Counter(cell for fragment in both for cell in places[first][fragment])
        if len(cells) >= min(LEAST_CELLS, len(lesson.answers)):
            most_first = sorted(cells.items(), key=lambda item: (-item[1], item[0]))
            pairs.append(SimilarPair(first, second, share, dict(most_first)))
    return sorted(pairs, key=lambda pair: (-pair.share, pair.first, pair.second))


def unusual(answers: Mapping[str, str], lesson: Lesson) -> dict[Fragment, list[str]]:
    """Return a submission's fragments that are not given, each with the cells it stands in."""
    given, names = given_fragments(lesson), given_names(lesson)
    cells: dict[Fragment, list[str]] = defaultdict(list)
    for cell, source in answers.items():
        for fragment in fragments_of(source, names.get(cell, frozenset())) - given:
            cells[fragment].append(cell)
    return cells


@functools.lru_cache(maxsize=64)
def given_fragments(lesson: Lesson) -> frozenset[Fragment]:
    """Return the fragments of the reference solution and of all that students are given."""
    fragments: set[Fragment] = set()
    for cell in lesson.cells:
        if cell.grade == "solution":
            names = given_names(lesson)[cell.name]
            for source in (strip_stubs(cell.source), stub_blocks(cell.source)):
                fragments |= fragments_of(source, names) | fragments_of(source, names, whole=True)
        elif cell.kind == "code":
            fragments |= fragments_of(strip_hidden(cell.source), frozenset(), whole=True)
        else:  # hints hold code, in words or in blocks
            for code in re.findall(r"```\w*\n(.*?)```|`([^`\n]+)`", cell.source, re.DOTALL):
                fragments |= fragments_of("".join(code), frozenset(), whole=True)
    return frozenset(fragments)


@functools.lru_cache(maxsize=64)
def given_names(lesson: Lesson) -> dict[str, frozenset[str]]:
    """Return, by answer cell, the names of arguments that the released notebook gives."""
    trees = {cell.name: ast.parse(stub_blocks(cell.source)) for cell in lesson.answers}
    return {
        name: frozenset(node.arg for node in ast.walk(tree) if isinstance(node, ast.arg))
        for name, tree in trees.items()
    }


@functools.lru_cache(maxsize=4096)
def fragments_of(source: str, given: frozenset[str], whole: bool = False) -> frozenset[Fragment]:
    """Return the fragments of a cell's YOUR CODE blocks; of all of it if it has none, or `whole`.

    `given` are names that the student has not chosen.
    """
    source = source[:MAX_CODE]
    chosen = own_names(source) - given
    fragments: set[Fragment] = set()
    for statement in statements(source if whole else own_code(source)):
        if len(statement) >= 3:
            tokens = ["name" if token in chosen else token for token in statement]
            starts = range(max(1, len(tokens) - LENGTH + 1))
            fragments.update(tuple(tokens[start : start + LENGTH]) for start in starts)
    return frozenset(fragments)


def own_code(source: str) -> str:
    """Return what stands in the YOUR CODE blocks, or all of it where there are none."""
    lines = source.split("\n")
    try:
        parts = ["\n".join(lines[block.start + 1 : block.end]) for block in blocks(source)]
    except CourseError:  # a marker is spoilt
        return source
    return "\n".join(map(textwrap.dedent, parts)) if parts else source


def own_names(source: str) -> frozenset[str]:
    """Return the names that a cell binds within it: variables and arguments."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        heads = [
            itertools.takewhile(lambda token: token not in ("=", "in"), statement)
            for statement in statements(source)
            if "=" in statement or "in" in statement
        ]
        names = {token for head in map(list, heads) for token in head if _are_names(head)}
        return frozenset(
            name for name in names if name.isidentifier() and not keyword.iskeyword(name)
        )
    stored = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return frozenset(stored | {node.arg for node in nodes if isinstance(node, ast.arg)})


def _are_names(tokens: list[str]) -> bool:
    return all(token == "," or token.isidentifier() for token in tokens)


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
