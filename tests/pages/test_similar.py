"""Similar answers: what counts, what does not, and how often it is right."""

from __future__ import annotations

import random
import runpy
import sys

import pytest
from conftest import ROOT, lesson_of

from autograder.course import Course
from autograder.lesson.markers import stub_blocks
from autograder.pages import similar
from autograder.pages.similar import OWN, answers_of, fragments_of, places_to_look, statements
from autograder.submissions.made import fill_in, solutions, with_helper_cell
from autograder.submissions.reading import read_notebook

STEM = "01_regular_group_convolutions"
COURSE = Course(ROOT)
LESSON = lesson_of(STEM)
NONE: frozenset[str] = frozenset()
CELL = """def f(h):
    ## YOUR CODE STARTS HERE ##
    {}
    ## AND ENDS HERE ##
    return result
"""


@pytest.fixture(scope="module")
def benchmark() -> dict:
    """The benchmark's functions."""
    before = list(sys.path)
    functions = runpy.run_path(str(ROOT / "benchmarks" / "similar.py"))
    sys.path[:] = before
    return functions


def block(*lines: str) -> frozenset:
    return fragments_of(CELL.format("\n    ".join(lines)), frozenset({"h"}))


def test_names_comments_layout_and_order_do_not_matter() -> None:
    plain = block("a = torch.cos(h)  # the cosine", "b = h.sum(dim=-1)", "result = a + b")
    disguised = block(
        "value = h.sum(", "    dim=-1)", "x=torch.cos( h )", '"""Why?"""', "result = x+value"
    )
    assert plain == disguised and len(plain) > 5


def test_what_is_computed_does_matter() -> None:
    cosine, sine = block("result = torch.cos(h) + 1"), block("result = torch.sin(h) - 1")
    assert {("cos", "(", "h", ")")} <= cosine - sine and {("sin", "(", "h", ")")} <= sine - cosine


def test_only_the_student_s_part_is_looked_at() -> None:
    assert block("result = ...") == fragments_of("result = ...", NONE)


@pytest.mark.parametrize(
    "text",
    [
        "x = = (",
        "'''never closed\nx = 1",
        "\\",
        "x = 'a\ny = \"b",
        ")))]]]",
        "é = ½ + \0",
        "## YOUR CODE STARTS HERE ##\nx = 1 + 2",
        '"""' * 5000,
        "(" * 50_000,
    ],
)
def test_any_text_is_taken(text: str) -> None:
    found = list(statements(text[:5000]))
    assert all(statement and all(token in text for token in statement) for statement in found)
    words = {token for fragment in fragments_of(text, NONE) for token in fragment}
    assert all(word in text for word in words - {"name"})


def test_the_reference_and_the_stubs_do_not_count() -> None:
    answers = {
        cell: source
        for cell, source in solutions(LESSON).items()
        if LESSON.cell(cell).grade == "solution"
    }
    stubs = {cell: stub_blocks(LESSON.cell(cell).source) for cell in answers}
    for answer in (answers, stubs):
        assert similar.unusual(answer, LESSON) == {}
    names = [f"student-{number}" for number in range(6)]
    assert places_to_look({name: answers for name in names}, LESSON) == []


def test_a_copy_is_found_and_said_where(benchmark: dict) -> None:
    chance = random.Random(1)
    students = benchmark["independent"](LESSON, 12, chance)
    students[3] = benchmark["disguised"](students[7], chance)
    (pair,) = places_to_look({f"s{n}": answers for n, answers in enumerate(students)}, LESSON)
    assert (pair.first, pair.second) == ("s3", "s7")
    assert pair.share > similar.LEAST_SHARE
    assert set(pair.cells) <= set(students[0]) and len(pair.cells) >= similar.LEAST_CELLS
    assert list(pair.cells.values()) == sorted(pair.cells.values(), reverse=True)


def test_a_disguise_changes_every_text_and_keeps_it_python(benchmark: dict) -> None:
    chance = random.Random(2)
    (answers,) = benchmark["independent"](LESSON, 1, chance)
    other = benchmark["disguised"](answers, chance)
    assert all(other[cell] != answers[cell] for cell in answers)


def test_a_class_of_two_and_of_none() -> None:
    source = CELL.format("result = sum(torch.roll(h, k, dims=0) * k ** 3 for k in range(7)) % 11")
    answers = {"cyclic-group": source, "lifting-kernel": source, OWN: source.replace("11", "13")}
    assert places_to_look({}, LESSON) == []
    assert places_to_look({"ada": answers}, LESSON) == []
    (pair,) = places_to_look({"ada": answers, "ben": dict(answers)}, LESSON)
    assert (pair.first, pair.second, pair.share) == ("ada", "ben", 1)


def test_what_many_have_does_not_count() -> None:
    source = CELL.format("result = sum(torch.roll(h, k, dims=0) * k ** 3 for k in range(7)) % 11")
    answers = {"cyclic-group": source, "lifting-kernel": source, OWN: source}
    assert places_to_look({f"s{n}": answers for n in range(10)}, LESSON) == []


def test_code_comes_from_answer_cells_and_the_student_s_own() -> None:
    release = read_notebook(COURSE.release_notebook(STEM))
    notebook = with_helper_cell(fill_in(release, LESSON), "network")
    for cell in notebook.cells:
        if "my_helper" in cell.source:
            cell["id"] = "own-1"
    answers = answers_of(notebook, LESSON)
    graded = {cell.id for cell in LESSON.cells if cell.grade == "solution"}
    assert set(answers) == graded | {OWN}
    assert "my_helper" in answers[OWN]


@pytest.mark.parametrize(
    "text",
    ["x !" + " " * 20_000 + "y", "x" + " " * 20_000 + "!", "\n" * 20_000 + "!", "a, " * 6000 + "!"]
    + ['"\\"' * 9000, "'''\\" * 5000, '"""\n' * 4999, "ªǅﬀ" * 6000 + "!", "\u0301 " * 9000],
    ids=range(9),
)
def test_no_cell_takes_long(text: str) -> None:
    """With a search that starts again at every letter some of these would take an hour."""
    tokens = [token for statement in similar.statements(text) for token in statement]
    assert sum(map(len, tokens)) <= len(text)
    assert len(similar.fragments_of(text, frozenset())) <= len(tokens)
    assert len(similar.own_names(text)) <= 3


def test_names_are_found_where_a_cell_is_no_python() -> None:
    text = "a, b = 1\nfor c in d:\n    e = f(g=h)\ni == j\nif k in m\nn += 1 !"
    assert similar.own_names(text) == {"a", "b", "c", "e", "k"}


@pytest.mark.slow
@pytest.mark.proof
def test_the_table_is_what_is_measured(benchmark: dict) -> None:
    text = COURSE.results_table("similar").read_text(encoding="utf-8")
    assert text == "\n".join(benchmark["rows"](LESSON)) + "\n"


def test_the_table_s_promise() -> None:
    """What the guide says of the measure: hardly a false alarm, and whole copies are found."""
    rows = COURSE.results_table("similar").read_text(encoding="utf-8").split("\n")
    cells = [[cell.strip() for cell in row.strip("| ").split("|")] for row in rows if "|" in row]
    nothing = next(row for row in cells if row[0] == "nothing")
    assert int(nothing[3]) <= 2
    whole = [row for row in cells if row[0] == "all answers"]
    assert len(whole) == 2
    assert all(float(row[5]) >= 0.95 and float(row[6]) >= 0.85 for row in whole)
