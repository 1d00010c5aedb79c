"""Definitions of a lesson in a fresh namespace, with a student's answers in place of some cells."""

from __future__ import annotations

import ast
import builtins
import contextlib
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType, ModuleType

from autograder.lesson import Lesson, strip_hidden, stub_blocks

# A line for IPython in a lesson's own cell; none of them defines anything.
MAGIC = re.compile(r"^[%!].*$", re.MULTILINE)
BUILTINS = frozenset(vars(builtins)) | {"__builtins__"}


def _is_definition(node: ast.stmt) -> bool:
    """Imports, functions, classes and assignments of plain values; nothing that runs anything."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
        return True
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        return not any(isinstance(part, ast.Call | ast.Subscript) for part in ast.walk(node.value))
    return False


def _bound(node: ast.stmt) -> set[str]:
    """Return the names that a statement binds in the notebook, and perhaps some inside it."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    names = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            names.add(part.id)
        elif isinstance(part, ast.alias):
            names.add(part.asname or part.name.partition(".")[0])
    return names


def without_magic(source: str) -> str:
    """Return the body of a cell that IPython has turned into a call of a magic such as %%time."""
    if source.startswith("get_ipython().run_cell_magic("):
        with contextlib.suppress(SyntaxError, ValueError, TypeError, AttributeError, IndexError):
            return str(ast.literal_eval(ast.parse(source).body[0].value.args[2]))
    return source


@functools.lru_cache(maxsize=1024)
def _statements(source: str) -> list[ast.stmt]:
    """Return the statements of a cell, none if it is not valid Python or nested too deeply."""
    try:
        return ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _compile(nodes: Iterable[ast.stmt]) -> CodeType:
    return compile(ast.Module(list(nodes), []), "<definitions>", "exec")


@functools.lru_cache(maxsize=1024)
def definitions(source: str) -> CodeType:
    """Compile only the definitions of a cell; raise SyntaxError if it is not valid Python."""
    return compile(_kept(source), "<definitions>", "exec")


@functools.lru_cache(maxsize=1024)
def _kept(source: str) -> ast.Module:
    return ast.Module([node for node in ast.parse(source).body if _is_definition(node)], [])


def names_defined(source: str) -> set[str]:
    """Return the functions and classes that a cell defines at its top level."""
    nodes = _statements(source)
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def names_bound(source: str) -> set[str]:
    """Return the names that a cell gives a value to at its top level, and perhaps some inside."""
    return {name for node in _statements(source) for name in _bound(node)}


def find_answer(lesson: Lesson, answer_id: str, cells: Iterable[str]) -> str | None:
    """Return the last of the executed cells that defines what the answer cell defines, if any."""
    wanted = names_defined(lesson.cell(answer_id).source)
    return next((text for text in reversed(list(cells)) if wanted <= names_defined(text)), None)


@dataclass(frozen=True)
class Helpers:
    """What a student has added to the lesson: definitions, and values the notebook computed."""

    code: tuple[CodeType, ...] = ()
    values: Mapping[str, object] = field(default_factory=dict)


def find_helpers(lesson: Lesson, cells: Iterable[str], notebook: Mapping[str, object]) -> Helpers:
    """Return what the executed cells define under names that the lesson does not use."""
    defined, left_behind = _names_known(lesson)
    code, values = [], {}
    for node in (node for source in cells for node in _statements(source)):
        names = _bound(node)
        if names & (defined | BUILTINS):
            continue
        if _is_definition(node):
            code.append(_compile([node]))
        values |= {name: notebook[name] for name in names - left_behind if name in notebook}
    return Helpers(tuple(code), values)


def helper_sources(lesson: Lesson, cells: Iterable[str], answers: Iterable[str]) -> list[str]:
    """Return what `find_helpers` finds as statements, for a Python in which they have to be run.

    Statements that compute something are among them only if the answers need their names.
    """
    defined, left_behind = _names_known(lesson)
    nodes = [node for source in cells for node in _statements(source)]
    nodes = [node for node in nodes if not _bound(node) & (defined | BUILTINS)]
    chosen = {index for index, node in enumerate(nodes) if _is_definition(node)}
    needed = {name for source in answers for name in _names_used(_statements(source))}
    size = -1
    while size != len(chosen):  # what is needed may need something itself
        size = len(chosen)
        needed |= _names_used(nodes[index] for index in chosen)
        chosen |= {n for n, node in enumerate(nodes) if (_bound(node) - left_behind) & needed}
    return [ast.unparse(nodes[index]) for index in sorted(chosen)]


def _names_used(nodes: Iterable[ast.AST]) -> set[str]:
    return {part.id for node in nodes for part in ast.walk(node) if isinstance(part, ast.Name)}


@functools.lru_cache
def modules(lesson: Lesson) -> dict[str, ModuleType]:
    """Return the modules that a lesson imports, by the names that it gives them."""
    names = namespace(lesson, {})
    return {name: value for name, value in names.items() if isinstance(value, ModuleType)}


def sources(
    lesson: Lesson, answers: Mapping[str, str], cells: Iterable[str]
) -> list[tuple[str, bool]]:
    """Return what `namespace` runs, as pairs: a text, and whether it matters if that stops.

    `cells` are the student's, for what the answers need besides the lesson. Raises SyntaxError if
    an answer is not valid Python.
    """

    def texts(answers: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
        for text, matters in _cells(lesson, answers):
            body = _kept(text).body
            parts = [ast.Module(body, [])] if matters else body
            yield from ((ast.unparse(part), matters) for part in parts)

    own = [(text, False) for text in helper_sources(lesson, cells, answers.values())]
    return [*(texts(_stubs(lesson, answers)) if own else ()), *own, *texts(answers)]


def _stubs(lesson: Lesson, answers: Iterable[str]) -> dict[str, str]:
    """Return what students are given in place of these answers.

    Helpers may need the lesson's definitions. They must not see the solution of what is judged: it
    could be kept under another name and come back as the answer.
    """
    return {id: stub_blocks(lesson.cell(id).source) for id in answers}


def leftovers(lesson: Lesson, cells: Iterable[str]) -> set[str]:
    """Return the names that the lesson's plotting and checking cells leave behind in a notebook.

    What the student's cells define under such a name is not among them.
    """
    defined = {
        name
        for source in cells
        for node in _statements(source)
        if _is_definition(node)
        for name in _bound(node)
    }
    return _names_known(lesson)[1] - defined


def names_of(lesson: Lesson) -> set[str]:
    """Return the names that a lesson defines."""
    return _names_known(lesson)[0]


@contextlib.contextmanager
def without_leftovers(lesson: Lesson, cells: Iterable[str], notebook: dict) -> Iterator[None]:
    """Take out of a notebook what the lesson's plotting and checking cells leave behind in it.

    An answer that only works with such a variable is not an answer. What the student defines
    under such a name stays.
    """
    names = leftovers(lesson, cells)
    taken = {name: notebook.pop(name) for name in names if name in notebook}
    try:
        yield
    finally:
        notebook.update(taken)


@functools.lru_cache
def _names_known(lesson: Lesson) -> tuple[set[str], set[str]]:
    """Return the names that a lesson defines, and those that its statements leave behind."""
    nodes = [
        node for cell in lesson.cells if cell.kind == "code" for node in _statements(cell.source)
    ]
    defined = {name for node in nodes if _is_definition(node) for name in _bound(node)}
    return defined, {name for node in nodes for name in _bound(node)} - defined


def namespace(lesson: Lesson, answers: Mapping[str, str], helpers: Helpers | None = None) -> dict:
    """Return the lesson's definitions, with the given answers in place of their cells.

    Plots, training and every other statement that does something is left out, so that neither they
    nor global variables they leave behind can help or hurt.

    Args:
        answers: cell id → source.
        helpers: what the answers may need besides the lesson.

    Raises:
        Exception: whatever a student's definitions raise.
    """
    result: dict = {"__name__": "lesson"}
    if helpers is not None and helpers.code:
        # A helper class may need the lesson's to be defined.
        _define(lesson, _stubs(lesson, answers), result)
    if helpers is not None:
        result.update(helpers.values)
        for code in helpers.code:
            with contextlib.suppress(Exception):
                exec(code, result)
    _define(lesson, answers, result)
    return result


def _define(lesson: Lesson, answers: Mapping[str, str], result: dict) -> None:
    for source, matters in _cells(lesson, answers):
        if matters:
            exec(definitions(source), result)
            continue
        for code in _single_definitions(source):
            with contextlib.suppress(NameError):
                exec(code, result)


@functools.lru_cache(maxsize=1024)
def _single_definitions(source: str) -> tuple[CodeType, ...]:
    return tuple(_compile([node]) for node in _kept(source).body)


def _cells(lesson: Lesson, answers: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
    """Yield the cells up to the last tests, with these answers, without the tests.

    With each comes whether all its definitions matter. Given code may need a value that only the
    whole notebook computes (how many epochs to train, say); what needs it is left out then.

    Behind the last of the answers stand stubs: no exercise needs what comes after it, and a
    solution could stand in for the answer, or be kept for the exercise that it belongs to.
    """
    last = max(index for index, cell in enumerate(lesson.cells) if cell.grade == "tests")
    places = [index for index, cell in enumerate(lesson.cells) if cell.id in answers]
    judged = max(places, default=last)
    for index, cell in enumerate(lesson.cells[:last]):
        if cell.id in answers:
            yield strip_hidden(answers[cell.id]), True
        elif cell.grade == "solution" and index > judged:
            yield stub_blocks(cell.source), True
        elif cell.kind == "code" and cell.grade != "tests":
            yield strip_hidden(MAGIC.sub("", cell.source)), cell.grade == "solution"
