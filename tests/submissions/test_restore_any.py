"""Restoring is total: whatever the notebook, out comes a whole one, and answers are found in it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from copy import deepcopy

import nbformat
import pytest
from conftest import TINY, is_proof
from mishaps import merged, place, stripped
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson import Lesson
from autograder.submissions.cells import known_cell
from autograder.submissions.made import fill_in, solutions
from autograder.submissions.matching import NOTES, require_lesson, same_text, templates_of
from autograder.submissions.reading import parse_notebook, read_notebook
from autograder.submissions.restore import restore

LESSON_1 = "01_regular_group_convolutions"
JUNK: list = [None, 0, -1, 1e400, True, "", "x", "\ud800", "\0", [], ["a", 1, None], {}]
JUNK += [{"a": [{}]}, {"nbgrader": {"grade": True, "grade_id": "own-1", "locked": True}}]
JUNK += ["own-1", "a" * 5000]
JUNK += [{"a.png": {"image/png": "!!", "text/html": "<b>"}}, {"x": "y"}, "'" * 99, "((((\ndef f(:"]


class Case:
    """A lesson, its release and its solution in it."""

    def __init__(self, course: Course, stem: str) -> None:
        self.lesson = Lesson.load(course.lesson_path(stem))
        self.release = read_notebook(course.release_notebook(stem))
        self.perfect = fill_in(self.release, self.lesson)
        self.answers = solutions(self.lesson)
        self.written = [one.name for one in self.lesson.cells if one.grade == "answer"]

    def lost(self, submission: NotebookNode) -> list[str]:
        """Return the answers that are not as in the solution once the submission is restored."""
        made = restore(submission, self.release)
        return [
            name
            for name, source in self.answers.items()
            if not same_text(known_cell(made, name).source, source)
        ]

    def check(self, submission: NotebookNode) -> None:
        """Assert that restoring gives a whole notebook to run, and nothing else."""
        made = restore(submission, self.release)
        nbformat.validate(made)
        json.dumps(made, allow_nan=False).encode()
        templates = {template.id: template for template in templates_of(self.release)}
        ids = [cell.id for cell in made.cells]
        assert len(set(ids)) == len(ids)
        known = [id for id in ids if id in templates]
        assert known == [id for id in templates if id in known], "the order of the release"
        assert {id for id, one in templates.items() if one.is_marked} <= set(known)
        for cell in made.cells:
            if cell.cell_type == "code":
                assert cell.outputs == [] and cell.execution_count is None
            if cell.id not in templates:
                assert cell.metadata == {} and cell.id.startswith("own-")
                continue
            assert cell.metadata == templates[cell.id].cell.metadata
            assert cell.cell_type == templates[cell.id].kind
            if templates[cell.id].is_locked:
                assert cell == templates[cell.id].cell
        assert {**made.metadata, NOTES: None} == {**self.release.metadata, NOTES: None}
        for note in made.metadata[NOTES]:
            assert note.endswith((".", "!")) and "\n" not in note


@pytest.fixture(scope="module")
def tiny_case(_built: Course) -> Case:
    """The tiny lesson."""
    return Case(_built, TINY)


@pytest.fixture(scope="module")
def first_case() -> Case:
    """Lesson 1."""
    return Case(Course.find(__file__), LESSON_1)


# ------------------------------------------------------------------------------------- mutants


def mutant(notebook: NotebookNode, rng: random.Random) -> dict:
    """Return the notebook with a few things done to it, from likely to absurd."""
    raw = json.loads(json.dumps(notebook))
    for _ in range(rng.choice([1, 2, 5, 20])):
        rng.choice(CHANGES)(raw, rng)
    return raw


def some(raw: dict, rng: random.Random) -> dict:
    """Return one of the cells that are still cells."""
    cells = [cell for cell in raw["cells"] if isinstance(cell, dict)]
    if not cells:
        cells = [{"cell_type": "code", "source": "1"}]
        raw["cells"].extend(cells)
    return rng.choice(cells)


def delete(raw: dict, rng: random.Random) -> None:
    del raw["cells"][rng.randrange(len(raw["cells"]) + 1) :][:1]
    raw["cells"].remove(some(raw, rng))


def copy_to(raw: dict, rng: random.Random) -> None:
    raw["cells"].insert(rng.randrange(len(raw["cells"]) + 1), deepcopy(some(raw, rng)))


def shuffle(raw: dict, rng: random.Random) -> None:
    rng.shuffle(raw["cells"])


def split(raw: dict, rng: random.Random) -> None:
    cell = some(raw, rng)
    lines = str(cell.get("source")).split("\n")
    at = rng.randrange(len(lines) + 1)
    lower = {"cell_type": "code", "source": "\n".join(lines[at:])}
    if rng.random() < 0.5:
        lower = deepcopy(cell) | lower
    cell["source"] = "\n".join(lines[:at])
    raw["cells"].insert(raw["cells"].index(cell) + 1, lower)


def merge(raw: dict, rng: random.Random) -> None:
    cell = some(raw, rng)
    start = raw["cells"].index(cell) + 1
    taken = raw["cells"][start : start + rng.randrange(1, 9)]
    texts = [str(one.get("source")) for one in (cell, *taken) if isinstance(one, dict)]
    cell["source"] = "\n\n".join(texts)
    del raw["cells"][start : start + len(taken)]


def strip(raw: dict, rng: random.Random) -> None:
    for cell in raw["cells"]:
        if isinstance(cell, dict):
            cell["metadata"] = {}
            cell.pop("id", None)


def swap_ids(raw: dict, rng: random.Random) -> None:
    one, two = some(raw, rng), some(raw, rng)
    for key in ("id", "metadata"):
        one[key], two[key] = two.get(key), one.get(key)


def cut(raw: dict, rng: random.Random) -> None:
    cell = some(raw, rng)
    text = str(cell.get("source"))
    cell["source"] = text[: rng.randrange(len(text) + 1)]


def spoil_cell(raw: dict, rng: random.Random) -> None:
    keys = ("source", "metadata", "id", "cell_type", "outputs", "attachments", "execution_count")
    some(raw, rng)[rng.choice(keys)] = deepcopy(rng.choice(JUNK))


def spoil_marks(raw: dict, rng: random.Random) -> None:
    metadata = some(raw, rng).get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    if isinstance(marks, dict):
        marks[rng.choice([*marks, "new"])] = deepcopy(rng.choice(JUNK))


def spoil_notebook(raw: dict, rng: random.Random) -> None:
    raw[rng.choice(["metadata", "nbformat", "nbformat_minor", "new"])] = rng.choice(JUNK)


def add_junk(raw: dict, rng: random.Random) -> None:
    raw["cells"].insert(rng.randrange(len(raw["cells"]) + 1), deepcopy(rng.choice(JUNK)))


CHANGES: list[Callable[[dict, random.Random], None]] = [
    delete,
    copy_to,
    shuffle,
    split,
    merge,
    strip,
    swap_ids,
    cut,
    spoil_cell,
    spoil_marks,
    spoil_notebook,
    add_junk,
]


def check_mutants(case: Case, count: int) -> None:
    """Restore mutants both as the grader reads them and as plain nbgrader hands them over."""
    graded = 0
    for seed in range(count):
        raw = mutant(case.perfect if seed % 3 else case.release, random.Random(seed))
        case.check(nbformat.from_dict(raw))
        try:
            parsed = parse_notebook(json.dumps(raw).encode(), "a.ipynb")
            require_lesson(parsed, "a.ipynb", case.lesson.stem, case.release)
        except CourseError:
            continue
        case.check(parsed)
        graded += 1
    assert graded > count * 0.9


def test_any_mutant_of_the_tiny_lesson_gives_a_whole_notebook(tiny_case: Case) -> None:
    check_mutants(tiny_case, 500 if is_proof() else 250)


@pytest.mark.slow
def test_any_mutant_of_lesson_1_gives_a_whole_notebook(first_case: Case) -> None:
    check_mutants(first_case, 120 if is_proof() else 40)


@pytest.mark.parametrize(
    "submission",
    [{}, {"cells": None}, {"cells": 3}, {"cells": [None]}, {"metadata": 1, "cells": []}],
)
def test_a_notebook_of_nothing_becomes_the_release(tiny_case: Case, submission: dict) -> None:
    made = restore(nbformat.from_dict(submission), tiny_case.release)
    marked = [one.cell for one in templates_of(tiny_case.release) if one.is_marked]
    assert made.cells == marked
    assert len(made.metadata[NOTES]) == len(marked)


# ----------------------------------------------------- the answers of lesson 1 are found again


def test_the_solution_stays_as_it_is(first_case: Case) -> None:
    made = restore(first_case.perfect, first_case.release)
    assert made.cells == first_case.perfect.cells
    assert made.metadata[NOTES] == []


@pytest.mark.parametrize("ids", [True, False])
def test_without_metadata(first_case: Case, ids: bool) -> None:
    assert first_case.lost(stripped(deepcopy(first_case.perfect), ids)) == []


def test_in_any_order(first_case: Case) -> None:
    for seed in range(3):
        made = deepcopy(first_case.perfect)
        random.Random(seed).shuffle(made.cells)
        assert first_case.lost(made) == []


def test_alone_in_a_notebook_without_metadata(first_case: Case) -> None:
    made = deepcopy(first_case.perfect)
    code = [id for id in first_case.answers if id not in first_case.written]
    made.cells = [new_code_cell(known_cell(made, id).source) for id in reversed(code)]
    assert first_case.lost(made) == first_case.written


@pytest.mark.parametrize("how", ["jupyter", "vs code", "stripped"])
def test_split_at_any_line(first_case: Case, how: str) -> None:
    rng = random.Random(how)
    for name in sorted(set(first_case.answers) - set(first_case.written)):
        count = known_cell(first_case.perfect, name).source.count("\n")
        for at in rng.sample(range(1, count + 1), 6 if is_proof() else 2):
            made = deepcopy(first_case.perfect)
            cell = known_cell(made, name)
            lines = cell.source.split("\n")
            lower = new_code_cell("\n".join(lines[at:]))
            lower.metadata = cell.metadata if how == "jupyter" else {}
            cell.source = "\n".join(lines[:at]).rstrip()
            made.cells.insert(made.cells.index(cell) + 1, lower)
            if how == "stripped":
                stripped(made)
            assert first_case.lost(made) == [], (name, at)


@pytest.mark.parametrize("how", ["kept", "stripped"])
def test_merged_with_any_neighbours(first_case: Case, how: str) -> None:
    """Written answers too; code that is given and short may stay with the answer above it."""
    rng = random.Random(how)
    ids = [cell.id for cell in first_case.perfect.cells]
    given = {one.source for one in first_case.lesson.cells if one.kind == "code" and not one.grade}
    for _ in range(40):
        made = deepcopy(first_case.perfect)
        for name in first_case.written:
            known_cell(made, name).source = f"What I think about {name}."
        first = rng.randrange(len(ids) - 1)
        last = min(len(ids) - 1, first + rng.choice([1, 2, 3, 5, 8, 20, 60]))
        merged(made, ids[first], ids[last])
        whole = restore(stripped(made) if how == "stripped" else made, first_case.release)
        for name, source in first_case.answers.items():
            wanted = f"What I think about {name}." if name in first_case.written else source
            got = known_cell(whole, name).source
            if not same_text(got, wanted):
                rest = got.replace(wanted, "").strip()
                assert got.startswith(wanted), (ids[first], ids[last], name)
                assert all(part in "\n\n".join(given) for part in rest.split("\n\n"))


def test_answers_that_changed_places(first_case: Case) -> None:
    """Each answer typed into the other's cell: the definitions say which is which."""
    made = deepcopy(first_case.perfect)
    one, two = known_cell(made, "lifting-kernel"), known_cell(made, "group-convolution")
    one.source, two.source = two.source, one.source
    assert first_case.lost(made) == []
    assert place(made, "lifting-kernel") < place(made, "group-convolution")
