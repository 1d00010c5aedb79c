"""Definitions of a lesson in a fresh namespace, with a student's answers in place of some cells."""

from __future__ import annotations

import ast
import contextlib
import functools
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, ModuleType

from autograder.checks import members
from autograder.lesson import Lesson, code
from autograder.lesson.markers import strip_hidden, stub_blocks


def find_answer(lesson: Lesson, answer_id: str, cells: Iterable[str]) -> str | None:
    """Return the last of the executed cells that defines what the answer cell defines, if any."""
    wanted = code.names_defined(lesson.cell(answer_id).source)
    return next(
        (text for text in reversed(list(cells)) if wanted <= code.names_defined(text)), None
    )


def helper_sources(lesson: Lesson, cells: Iterable[str], answers: Iterable[str]) -> list[str]:
    """Return the statements of a student's that bind no name of the lesson's or of Python's.

    Those that compute something are among them only if the answers need their names.
    """
    taken, left_behind = code.names_of(lesson) | code.BUILTINS, code.names_known(lesson)[1]
    nodes = [node for source in cells for node in code.statements(source)]
    nodes = [node for node in nodes if not code.bound_by(node) & taken]
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


@functools.lru_cache
def modules(lesson: Lesson) -> dict[str, ModuleType]:
    """Return the modules that a lesson imports, by the names that it gives them."""
    names = namespace(lesson, {})
    return {name: value for name, value in names.items() if isinstance(value, ModuleType)}


def sources(
    lesson: Lesson, answers: Mapping[str, str], cells: Iterable[str]
) -> list[tuple[str, bool]]:
    """Return what `namespace` runs, as pairs: a text, and whether it matters if that stops.

    Raises SyntaxError if an answer is not valid Python.
    """

    cells = list(cells)
    own = {
        cell.name: members.with_own_members(lesson, cell.source, student)
        for cell in lesson.answers
        if cell.name not in answers
        and (student := find_answer(lesson, cell.name, cells)) is not None
    }

    def texts(answers: Mapping[str, str]) -> list[tuple[str, bool]]:
        cells = _cells(lesson, answers, own)
        return [(part, matters) for text, matters in cells for part in _parts(text, matters)]

    needing = [*answers.values(), *own.values()]
    helpers = [(text, False) for text in helper_sources(lesson, cells, needing)]
    patches = [(text, False) for text in members.patches(lesson, cells)]
    before = texts(_stubs(lesson, answers)) if helpers or patches else []
    return [*before, *helpers, *texts(answers), *patches]


def namespace(lesson: Lesson, answers: Mapping[str, str], cells: Iterable[str] = ()) -> dict:
    """Return the lesson's definitions, with the given answers in place of their cells.

    Plots, training and every other statement that does something is left out, so that neither they
    nor global variables they leave behind can help or hurt. Raises what an answer raises.

    Args:
        answers: cell id → source.
        cells: the student's, for what the answers may need besides the lesson.
    """
    names: dict = {"__name__": "__main__"}  # as in a notebook
    for text, matters in sources(lesson, answers, cells):
        with contextlib.nullcontext() if matters else contextlib.suppress(Exception):
            exec(_compiled(text), names)
    return names


def _stubs(lesson: Lesson, answers: Iterable[str]) -> dict[str, str]:
    """Return what students are given in place of these answers.

    Helpers may need the lesson's definitions. They must not see the solution of what is judged: it
    could be kept under another name and come back as the answer.
    """
    return {id: stub_blocks(lesson.cell(id).source) for id in answers}


@functools.lru_cache(maxsize=1024)
def _compiled(text: str) -> CodeType:
    return compile(text, "<definitions>", "exec", dont_inherit=True)


@functools.lru_cache(maxsize=1024)
def _parts(text: str, matters: bool) -> list[str]:
    """Return a cell's definitions, all in one if they matter, so that it holds as a whole."""
    module = code.definitions_in(text)
    return list(map(ast.unparse, [module] if matters else module.body))


def _cells(
    lesson: Lesson, answers: Mapping[str, str], own: Mapping[str, str]
) -> Iterator[tuple[str, bool]]:
    """Yield the cells up to the last tests, with these answers, without the tests.

    `own` are the lesson's other answers with what the student has added to their classes.

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
            source = own.get(cell.id or "", cell.source)
            yield strip_hidden(code.MAGIC.sub("", source)), cell.grade == "solution"
