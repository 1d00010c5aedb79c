"""Definitions of a lesson in a fresh namespace, with a student's answers in place of some cells."""

from __future__ import annotations

import ast
import base64
import builtins
import contextlib
import functools
import marshal
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import CodeType, MappingProxyType, ModuleType
from typing import NamedTuple

from autograder.checks import agent, members
from autograder.lesson import Lesson, code
from autograder.lesson.markers import strip_hidden, stub_blocks

LIBRARIES = {"torch", "numpy", "math"}


class Step(NamedTuple):
    """Something to run among the definitions of a lesson.

    matters: whether it matters if that stops.
    given: whether it is the lesson's; or else it is a student's.
    """

    text: str
    matters: bool
    given: bool

    def sent(self) -> tuple[str, bool, bool]:
        """Return it as a student's Python gets it: what is the lesson's, as code without a text."""
        return (_wordless(self.text) if self.given else self.text, self.matters, self.given)


def find_answer(lesson: Lesson, answer_id: str, cells: Iterable[str]) -> str | None:
    """Return the last of the executed cells that defines what the answer cell defines, if any."""
    wanted = code.names_defined(lesson.cell(answer_id).source)
    return next(
        (text for text in reversed(list(cells)) if wanted <= code.names_defined(text)), None
    )


def is_stub(lesson: Lesson, answer_id: str, source: str) -> bool:
    """Whether an answer is still as students are given it."""
    stub = stub_blocks(lesson.cell(answer_id).source)
    return [*map(ast.dump, code.statements(source))] == [*map(ast.dump, code.statements(stub))]


def helper_sources(lesson: Lesson, cells: Iterable[str], answers: Iterable[str]) -> list[str]:
    """Return the statements of a student's that bind no name of the lesson's or of Python's.

    Those that compute something are among them only if the answers need their names.
    """
    taken, left_behind = code.names_of(lesson) | code.BUILTINS, code.names_known(lesson)[1]
    pairs = [pair for source in cells for pair in code.bindings(source) if not pair[1] & taken]
    nodes = [node for node, _ in pairs]
    chosen = {index for index, node in enumerate(nodes) if code.is_definition(node)}
    binding: dict[str, list[int]] = defaultdict(list)
    for index, (_, names) in enumerate(pairs):
        for name in names - left_behind:
            binding[name].append(index)
    needed = {name for source in answers for name in code.names_used(code.statements(source))}
    waiting = [*needed, *code.names_used(nodes[index] for index in chosen)]
    while waiting:  # what is needed may need something itself
        for index in set(binding.pop(waiting.pop(), ())) - chosen:
            chosen.add(index)
            waiting += code.names_used([nodes[index]])
    return [ast.unparse(nodes[index]) for index in sorted(chosen)]


@functools.lru_cache
def defined(lesson: Lesson) -> Mapping[str, object]:
    """Return what a lesson itself defines; running all of it takes its time, so it is kept."""
    return MappingProxyType(namespace(lesson, {}))


@functools.lru_cache
def modules(lesson: Lesson) -> dict[str, ModuleType]:
    """Return the modules that a lesson imports, by the names that it gives them."""
    return {name: it for name, it in defined(lesson).items() if isinstance(it, ModuleType)}


@functools.lru_cache
def kinds(lesson: Lesson) -> dict[str, str]:
    """Return of what kind the values of a lesson's names are, and of Python's that it uses.

    "" for names that answers define, which may be of any.
    """
    used = {name for cell in lesson.cells for name in code.names_used(code.statements(cell.source))}
    names = {name: getattr(builtins, name) for name in used if hasattr(builtins, name)}
    names |= defined(lesson)
    known = code.names_of(lesson) | used & code.BUILTINS
    answers = {name for cell in lesson.answers for name in code.names_bound(cell.source)}
    found = {
        name: "" if name in answers else agent.kind_of(value)
        for name, value in names.items()
        if name in known
    }
    libraries = {name: agent.kind_in(names, name) for name in _in_libraries(lesson)}
    return found | {name: kind for name, kind in libraries.items() if kind and "func" in kind}


def _in_libraries(lesson: Lesson) -> set[str]:
    """Return what a lesson uses of PyTorch, NumPy and math, such as `F.conv2d`."""
    roots = {
        name
        for name, module in modules(lesson).items()
        if module.__name__.partition(".")[0] in LIBRARIES
    }
    nodes = (node for cell in lesson.cells for node in code.statements(cell.source))
    parts = (part for node in nodes for part in ast.walk(node) if isinstance(part, ast.Attribute))
    return {text for text in map(ast.unparse, parts) if text.partition(".")[0] in roots}


def other_names(
    lesson: Lesson, cells: Iterable[str], kinds_of: Callable[[list[str]], object]
) -> list[str]:
    """Return names of the lesson's that are gone from a notebook, or have another meaning there.

    Of those that one of the cells has given to the notebook, with what the lesson uses of its
    libraries, and of Python's own. `kinds_of` returns of what kind they are there.
    """
    known = kinds(lesson)
    bound = {name for cell in cells for name in code.names_bound(cell)} | code.BUILTINS
    names = sorted(name for name in known if name.partition(".")[0] in bound)
    got = kinds_of(names)
    if type(got) is not list or len(got) != len(names):
        return []

    def is_other(name: str, kind: object) -> bool:
        if kind is None:
            return name not in code.BUILTINS
        return known[name] not in ("", kind)

    found = [name for name, kind in zip(names, got, strict=True) if is_other(name, kind)]
    # Where `F` is no longer the library, nothing is said of what it had.
    return [name for name in found if "." not in name or name.partition(".")[0] not in found]


def sources(
    lesson: Lesson, answers: Mapping[str, str], cells: Iterable[str], everything: bool = False
) -> list[Step]:
    """Return what `namespace` runs.

    Raises SyntaxError if an answer is not valid Python.
    """

    cells = list(cells)
    own = {
        cell.name: members.with_own_members(lesson, cell.source, student)
        for cell in lesson.answers
        if cell.name not in answers
        and (student := find_answer(lesson, cell.name, cells)) is not None
    }

    def steps(answers: Mapping[str, str]) -> list[Step]:
        return [
            step._replace(text=text)
            for step in _cells(lesson, answers, own)
            for text in _parts(step.text, step.matters)
        ]

    def students(texts: list[str]) -> list[Step]:
        return [Step(text, matters=False, given=False) for text in texts]

    helpers = students(helper_sources(lesson, cells, [*answers.values(), *own.values()]))
    patches = students(members.patches(lesson, cells))
    before = steps(_stubs(lesson, answers)) if helpers or patches else []
    after = students([*_changes(lesson, answers, cells)])
    if everything:
        after += students([*_own_statements(lesson, answers, cells)])
    return [*before, *helpers, *steps(answers), *patches, *after]


def _changes(lesson: Lesson, answers: Mapping[str, str], cells: list[str]) -> Iterator[str]:
    """Yield the statements that give a name or a class of these answers another value later.

    They are part of what an answer does in its notebook.
    """
    for id, answer in answers.items():
        names = code.names_defined(lesson.cell(id).source)
        at = len(cells) - 1 - cells[::-1].index(answer) if answer in cells else len(cells)
        for number, source in enumerate(cells[at:]):
            for node, bound in code.bindings(source):
                itself = number == 0 and isinstance(node, ast.FunctionDef | ast.ClassDef)
                if not itself and names & (bound | members.owners(node)):
                    yield ast.unparse(node)


def _own_statements(
    lesson: Lesson, answers: Mapping[str, str], cells: Iterable[str]
) -> Iterator[str]:
    """Yield all statements of a student's that are neither the lesson's nor an answer's."""
    given = [cell.source for cell in lesson.cells if cell.kind == "code"]
    known = {
        ast.dump(node) for source in (*given, *answers.values()) for node in code.statements(source)
    }
    for node in (node for source in cells for node in code.statements(source)):
        if ast.dump(node) not in known and not isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield ast.unparse(node)


def namespace(
    lesson: Lesson,
    answers: Mapping[str, str],
    cells: Iterable[str] = (),
    everything: bool = False,
) -> dict:
    """Return the lesson's definitions, with the given answers in place of their cells.

    Plots, training and every other statement that does something is left out, so that neither they
    nor global variables they leave behind can help or hurt. Raises what an answer raises.

    Args:
        answers: cell id → source.
        cells: the student's, for what the answers may need besides the lesson.
        everything: whether all that the student's own cells do is done, too.
    """
    names: dict = {"__name__": "__main__"}  # as in a notebook
    for step in sources(lesson, answers, cells, everything):
        with contextlib.nullcontext() if step.matters else contextlib.suppress(Exception):
            exec(_compiled(step.text), names)
    return names


def _stubs(lesson: Lesson, answers: Iterable[str]) -> dict[str, str]:
    """Return what students are given in place of these answers.

    Helpers may need the lesson's definitions. They must not see the solution of what is judged: it
    could be kept under another name and come back as the answer.
    """
    return {id: stub_blocks(lesson.cell(id).source) for id in answers}


@functools.lru_cache(maxsize=256)
def _compiled(text: str) -> CodeType:
    return compile(text, "<definitions>", "exec", dont_inherit=True)


@functools.lru_cache(maxsize=256)
def _wordless(text: str) -> str:
    """Return the lesson's own code as compiled, in base64, without its docstrings."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.fix_missing_locations(ast.Pass())]
    compiled = compile(ast.fix_missing_locations(tree), "<lesson>", "exec", dont_inherit=True)
    return base64.b64encode(marshal.dumps(compiled)).decode("ascii")


@functools.lru_cache(maxsize=256)
def _parts(text: str, matters: bool) -> list[str]:
    """Return a cell's definitions, all in one if they matter, so that it holds as a whole."""
    module = code.definitions_in(text)
    return list(map(ast.unparse, [module] if matters else module.body))


def _cells(lesson: Lesson, answers: Mapping[str, str], own: Mapping[str, str]) -> Iterator[Step]:
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
            yield Step(strip_hidden(answers[cell.id]), True, False)
        elif cell.grade == "solution" and index > judged:
            yield Step(stub_blocks(cell.source), True, True)
        elif cell.kind == "code" and cell.grade != "tests":
            text = strip_hidden(code.MAGIC.sub("", own.get(cell.id or "", cell.source)))
            yield Step(text, cell.grade == "solution", True)
