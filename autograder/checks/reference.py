"""Definitions of a lesson in a fresh namespace, with a student's answers in place of some cells."""

from __future__ import annotations

import ast
import contextlib
import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType, ModuleType

from autograder.lesson import Lesson, code
from autograder.lesson.markers import strip_hidden, stub_blocks


def find_answer(lesson: Lesson, answer_id: str, cells: Iterable[str]) -> str | None:
    """Return the last of the executed cells that defines what the answer cell defines, if any."""
    wanted = code.names_defined(lesson.cell(answer_id).source)
    return next(
        (text for text in reversed(list(cells)) if wanted <= code.names_defined(text)), None
    )


@dataclass(frozen=True)
class Helpers:
    """What a student has added to the lesson: definitions, and values the notebook computed."""

    code: tuple[CodeType, ...] = ()
    values: Mapping[str, object] = field(default_factory=dict)


def find_helpers(lesson: Lesson, cells: Iterable[str], notebook: Mapping[str, object]) -> Helpers:
    """Return what the executed cells define under names that the lesson does not use."""
    nodes = _additions(lesson, cells)
    names = {name for node in nodes for name in code.bound_by(node)} - code.names_known(lesson)[1]
    return Helpers(
        tuple(code.compile_statements([node]) for node in nodes if code.is_definition(node)),
        {name: notebook[name] for name in names if name in notebook},
    )


def helper_sources(lesson: Lesson, cells: Iterable[str], answers: Iterable[str]) -> list[str]:
    """Return what `find_helpers` finds as statements, for a Python in which they have to be run.

    Statements that compute something are among them only if the answers need their names.
    """
    nodes, left_behind = _additions(lesson, cells), code.names_known(lesson)[1]
    chosen = {index for index, node in enumerate(nodes) if code.is_definition(node)}
    needed = {name for source in answers for name in code.names_used(code.statements(source))}
    size = -1
    while size != len(chosen):  # what is needed may need something itself
        size = len(chosen)
        needed |= code.names_used(nodes[index] for index in chosen)
        chosen |= {
            n for n, node in enumerate(nodes) if (code.bound_by(node) - left_behind) & needed
        }
    return [ast.unparse(nodes[index]) for index in sorted(chosen)]


def _additions(lesson: Lesson, cells: Iterable[str]) -> list[ast.stmt]:
    """Return the statements of a student's that bind no name of the lesson's or of Python's."""
    taken = code.names_of(lesson) | code.BUILTINS
    nodes = (node for source in cells for node in code.statements(source))
    return [node for node in nodes if not code.bound_by(node) & taken]


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

    def texts(answers: Mapping[str, str]) -> list[tuple[str, bool]]:
        cells = _cells(lesson, answers)
        return [(ast.unparse(p), matters) for text, matters in cells for p in _parts(text, matters)]

    helpers = [(text, False) for text in helper_sources(lesson, cells, answers.values())]
    before = texts(_stubs(lesson, answers)) if helpers else []
    return [*before, *helpers, *texts(answers)]


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
    names: dict = {"__name__": "lesson"}
    if helpers is not None:
        if helpers.code:  # a helper class may need the lesson's to be defined
            _define(lesson, _stubs(lesson, answers), names)
        names.update(helpers.values)
        for definition in helpers.code:
            with contextlib.suppress(Exception):
                exec(definition, names)
    _define(lesson, answers, names)
    return names


def _define(lesson: Lesson, answers: Mapping[str, str], names: dict) -> None:
    for text, matters in _cells(lesson, answers):
        for definition in _definitions(text, matters):
            with contextlib.nullcontext() if matters else contextlib.suppress(NameError):
                exec(definition, names)


def _stubs(lesson: Lesson, answers: Iterable[str]) -> dict[str, str]:
    """Return what students are given in place of these answers.

    Helpers may need the lesson's definitions. They must not see the solution of what is judged: it
    could be kept under another name and come back as the answer.
    """
    return {id: stub_blocks(lesson.cell(id).source) for id in answers}


@functools.lru_cache(maxsize=1024)
def _definitions(text: str, matters: bool) -> tuple[CodeType, ...]:
    return tuple(code.compile_statements(part.body) for part in _parts(text, matters))


def _parts(text: str, matters: bool) -> list[ast.Module]:
    """Return a cell's definitions, all in one if they matter, so that it holds as a whole."""
    module = code.definitions_in(text)
    return [module] if matters else [ast.Module([node], []) for node in module.body]


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
        if cell.id is not None and cell.id in answers:
            yield strip_hidden(answers[cell.id]), True
        elif cell.grade == "solution" and index > judged:
            yield stub_blocks(cell.source), True
        elif cell.kind == "code" and cell.grade != "tests":
            yield strip_hidden(code.MAGIC.sub("", cell.source)), cell.grade == "solution"
