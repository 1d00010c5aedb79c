"""Which cells of a submission have to run for its grading.

Answers, checks and the student's own cells run, and of the lesson's other cells those that define
what these need. What is there to look at something or to train a network is left out. A lesson
marks a cell that must run although no name says so with the tag `needed`.
"""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from nbformat import NotebookNode

from autograder.lesson import Lesson, code
from autograder.lesson.markers import strip_hidden
from autograder.submissions.pieces import code_only, words

TAG = "needed"
# What IPython alone reads, on a line without strings and comments: a prompt before the code, a line
# that is a command, a command whose result is given to a name.
_PROMPT = re.compile(r"[ \t]*(?:>>>|\.\.\.|In \[\d*\]:|\.{3,}:)(?: |$)")
_COMMAND = re.compile(r"[ \t]*[%!,;/?]|.*\?[ \t]*$")
_RESULT = re.compile(r"[^=]*=[ \t]*(?=[%!])")


def needed_cells(notebook: NotebookNode, lesson: Lesson, released: Collection[str]) -> set[int]:
    """Return the indices of the code cells of a restored submission that have to run.

    `released` are the ids of the release's cells; all others are the student's own.
    """
    kept = {
        cell.id for cell in lesson.cells if cell.grade in ("solution", "tests") or TAG in cell.tags
    }
    chosen: set[int] = set()
    wanted: set[str] = set()
    # From the last to the first: what a cell needs can only come from cells above it.
    for index, cell in reversed(list(enumerate(notebook.cells))):
        if cell.cell_type != "code":
            continue
        bound, used = names(strip_hidden(as_executed(cell.source)))
        if cell.id in kept or cell.id not in released:
            chosen.add(index)
            wanted |= used
        elif bound & wanted:
            chosen.add(index)
            wanted = (wanted - bound) | used
    return chosen


@functools.lru_cache(maxsize=256)
def names(source: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names that a cell gives to the notebook, and those that it takes from it.

    Both are empty for a cell that is not valid Python, which stops before it does anything. Of one
    that is too long, or nested too deeply, all words count as taken.
    """
    reader = _Reader()
    try:
        if len(source) > code.MAX_CODE:
            raise RecursionError
        reader.read(ast.parse(source).body)
    except (RecursionError, MemoryError):
        return frozenset(), frozenset(words(source))
    except (SyntaxError, ValueError):
        return frozenset(), frozenset()
    return frozenset(reader.known), frozenset(reader.used)


class _Reader:
    """Reads statements in their order, and each part of them once, however they are nested.

    known: the names bound so far at the top level, or whose objects were changed.
    used: the names read before they were bound.
    hidden: names that are a function's own, as often as the functions around have them.
    """

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.used: set[str] = set()
        self.hidden: Counter[str] = Counter()

    def read(self, body: Iterable[ast.stmt]) -> None:
        """Read statements that are run one after the other."""
        for node in body:
            if isinstance(node, ast.For):
                self.use(node.iter)
                self.known |= _bound([node.target])
                self.read([*node.body, *node.orelse])
            elif isinstance(node, ast.With):
                self.use(*node.items)
                self.known |= _bound(node.items)
                self.read(node.body)
            else:
                self.use(node)
                self.known |= _bound([node])

    def use(self, *nodes: ast.AST) -> None:
        """Note the names that parts of a program read from around them.

        Sometimes a few too many: a cell that runs in vain costs time, one that is missing costs
        points.
        """
        for node in nodes:
            if isinstance(node, ast.Name):
                free = node.id not in self.known and not self.hidden[node.id]
                if free and not isinstance(node.ctx, ast.Store):
                    self.used.add(node.id)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                body = node.body if isinstance(node.body, list) else [node.body]
                own = {part.arg for part in _arguments(node.args)} | _bound(body)
                self.use(node.args, *getattr(node, "decorator_list", ()))
                with self.hiding(own, _shared(body)):
                    self.use(*body)
            elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
                with self.hiding(_bound(part.target for part in node.generators)):
                    self.use(*ast.iter_child_nodes(node))
            elif isinstance(node, ast.For):
                self.use(node.iter)
                with self.hiding(_bound([node.target])):
                    self.use(*node.body, *node.orelse)
            else:
                self.use(*ast.iter_child_nodes(node))

    @contextmanager
    def hiding(self, own: set[str], shared: Collection[str] = ()) -> Iterator[None]:
        """Hide names while a part is read in which they are its own, but not the `shared` ones."""
        before = {name: self.hidden[name] for name in own.union(shared)}
        self.hidden.update(own)
        for name in shared:
            self.hidden[name] = 0
        try:
            yield
        finally:
            for name, count in before.items():
                self.hidden[name] = count


def _bound(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that statements bind at their level, or whose objects they change."""
    found: set[str] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {part.asname or part.name.partition(".")[0] for part in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            found |= {part.id for part in ast.walk(node.value) if isinstance(part, ast.Name)}
        elif not isinstance(node, _SCOPES):
            waiting += ast.iter_child_nodes(node)
    return found


_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def _shared(body: Iterable[ast.AST]) -> set[str]:
    """Return the names that a function's statements declare to be the notebook's."""
    found: set[str] = set()
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Global):
            found |= set(node.names)
        elif isinstance(node, ast.stmt) and not isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ):
            waiting += ast.iter_child_nodes(node)
    return found


def _arguments(args: ast.arguments) -> list[ast.arg]:
    optional = [arg for arg in (args.vararg, args.kwarg) if arg is not None]
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *optional]


@functools.lru_cache(maxsize=256)
def as_executed(source: str) -> str:
    """Return a cell's text as Python: what IPython alone reads is left out.

    IPython's own way would be to read all of the text again for each of its commands.
    """
    try:
        if len(source) <= code.MAX_CODE:
            ast.parse(source)
        return source
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    lines, masked = source.split("\n"), code_only(source).split("\n")
    first = next((index for index, line in enumerate(lines) if line.strip()), 0)
    indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
    if lines[first].strip().startswith("%%"):
        lines[first] = masked[first] = ""
    made = []
    for line, mask in zip(lines, masked, strict=True):
        if indent and line.startswith(indent):
            line, mask = line[len(indent) :], mask[len(indent) :]
        if prompt := _PROMPT.match(mask):
            line, mask = line[prompt.end() :], mask[prompt.end() :]
        if _COMMAND.match(mask):
            line = f"{line[: len(line) - len(line.lstrip())]}pass"
        elif result := _RESULT.match(mask):
            line = f"{line[: result.end()]} None"
        made.append(line)
    return "\n".join(made)
