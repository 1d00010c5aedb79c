"""The judge: partial credit, surroundings of an answer, and what must not disturb it."""

from __future__ import annotations

import ast
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from conftest import lesson_of

from autograder.checks import Judge, PropertyFailed, reference
from autograder.checks.given import Given
from autograder.checks.places import SEED_VARIABLE, Inside
from autograder.course import Course
from autograder.errors import CourseError
from autograder.lesson import Lesson, code
from autograder.submissions.made import solutions

STEM = "01_regular_group_convolutions"
COURSE = Course.find(__file__)


@pytest.fixture(autouse=True)
def _in_the_course(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(COURSE.root)


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    return lesson_of(STEM)


def third_power(body: str) -> str:
    return f"def third_power(group):\n    e, g, g2 = group.elements()[:3]\n    return {body}"


def judge_of(*cells: str, **names: object) -> Judge:
    """Return a judge of `third-power` for a notebook in which these cells define nothing else."""
    notebook = {"In": ["", *cells], **names}
    for cell in cells:
        exec(cell, notebook)
    judge = Judge(STEM, "third-power", notebook)

    @judge.property("is the third power in C₅", points=1)
    def _(lesson: SimpleNamespace, given: Given) -> None:
        got = lesson.third_power(lesson.CyclicGroup(5))
        given.angles("g³", got, 3 * lesson.CyclicGroup(5).elements()[1])

    return judge


def test_an_answer_is_tried_among_the_lesson_s_definitions(capsys) -> None:
    assert judge_of(third_power("group.product(g2, g)")).score() == 1
    assert judge_of(third_power("group.product(g2, g2)")).score() == 0
    assert "expected 216.0°, got 288.0°" in capsys.readouterr().out


@pytest.mark.parametrize("stem", COURSE.lessons())
def test_no_solution_of_the_answer_or_of_a_later_one_is_where_it_is_tried(stem: str) -> None:
    lesson = lesson_of(stem)
    ids = [cell.id for cell in lesson.cells if cell.grade == "solution"]
    for number, id in enumerate(ids):
        sources = reference.sources(lesson, {id: "mine = 1"}, ["def helper():\n    pass"])
        texts = {part.text for part in sources}
        for place, other in enumerate(ids):
            solution = ast.unparse(ast.parse(lesson.cell(other).source))
            assert (solution in texts) == (place < number), (id, other)


@pytest.mark.parametrize(
    ("kind", "exercise", "points", "left"),
    [
        ("essential", "lifting-grid", 3, "1"),
        ("essential", "network", 4, "1"),
        ("general", "lifting-grid", 3, "1.5"),
        ("general", "third-power", 1, "0.5"),
    ],
)
def test_without_an_essential_property_a_third_is_left_without_a_general_one_half(
    kind: str, exercise: str, points: int, left: str, capsys
) -> None:
    judge = Judge(STEM, exercise, {"In": [""]})
    judge.property("is not what was asked for", points=0.25, **{kind: True})(
        lambda lesson, given: 1 / 0
    )
    judge.property("has the right shape", points=points - 0.25)(lambda lesson, given: None)
    assert judge.score() == float(left)
    said = f"not yet what the exercise asks for: {left} of {points} points at most"
    assert said in capsys.readouterr().out


GROUP = "class CyclicGroup(GroupBase):\n    {}"
# In the notebook alone there is a list of the cells that were run.
BY_PLACE = "group.product(g2, g) if ('In' in globals()) == {} else g"


def judge_of_two(*cells: str) -> Judge:
    """Return a judge with two properties for a notebook with the lesson's group in it."""
    lesson = lesson_of(STEM)
    names = reference.namespace(lesson, {})
    judge = judge_of(solutions(lesson)["cyclic-group"], *cells, **names)
    judge.properties[0] = replace(judge.properties[0], points=0.5)

    @judge.property("is an angle", points=0.5)
    def _(lesson: SimpleNamespace, given: Given) -> None:
        given.in_circle("g³", lesson.third_power(lesson.CyclicGroup(5)))

    return judge


def said(capsys) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_an_answer_that_asks_where_it_is_counts_where_it_does_worst(capsys) -> None:
    assert judge_of_two(third_power(BY_PLACE.format(False))).score() == 0.5
    assert "nothing else there is to blame. The lower points count" in said(capsys)
    assert judge_of_two(third_power(BY_PLACE.format(True))).score() == 1
    assert "to blame" not in said(capsys)


def test_what_comes_after_such_an_answer_keeps_its_points_and_is_named(capsys) -> None:
    answer = third_power(BY_PLACE.format(False))
    for suspects, points in (({"inverse"}, 1), ({"third-power", "group-grid"}, 0.5)):
        judge = judge_of_two(answer)
        # An earlier exercise; then itself, judged anew, and a later one.
        judge.where.suspects |= suspects
        assert judge.score() == points
        assert ("an earlier answer that does so may be to blame" in said(capsys)) == (points == 1)
        assert ("third-power" in judge.where.suspects) == (points < 1)


def test_suspects_are_those_of_one_notebook() -> None:
    judge = judge_of_two(third_power(BY_PLACE.format(False)))
    judge.score()
    assert Judge(STEM, "group-grid", judge.notebook).where.suspects == {"third-power"}
    assert Judge(STEM, "group-grid", dict(judge.notebook)).where.suspects == set()


BROKEN = "def broken(self, dimension, identity):\n    1 / 0\n\n\nGroupBase.__init__ = broken"


@pytest.mark.parametrize("own", [BROKEN, "math = None", "del math"])
def test_a_cell_of_the_student_s_own_may_be_to_blame(own: str, capsys) -> None:
    assert judge_of_two(third_power("group.product(g2, g)"), own).score() == 1
    assert "may be to blame. The higher points count" in said(capsys)


@pytest.mark.parametrize("name", ["third_power", "CyclicGroup.product"])
def test_an_answer_that_is_replaced_below_is_what_it_is_replaced_by(name: str, capsys) -> None:
    cells = [third_power("group.product(g2, g)"), f"{name} = lambda group, *others: others"]
    judge = judge_of_two(*cells)
    assert judge.score() == (0 if name == "third_power" else 1)
    assert "to blame" not in said(capsys)


def test_one_place_counts_for_all_properties() -> None:
    # Neither is the third power among the lesson's definitions, and the second is so nowhere.
    assert judge_of_two(third_power("-2 * g if 'In' in globals() else g")).score() == 0.5
    assert judge_of_two(third_power("-4 * g if 'In' in globals() else g")).score() == 0


def test_another_answer_that_is_to_blame_is_no_suspicion(capsys) -> None:
    lesson = lesson_of(STEM)
    wrong = solutions(lesson)["cyclic-group"].replace("h + h_prime", "h - h_prime")
    assert judge_of_two(wrong, third_power("group.product(g2, g)")).score() == 1
    assert "to blame" not in capsys.readouterr().out


def test_an_answer_that_guesses_anew_at_every_try_gains_nothing(capsys) -> None:
    # Defined once in the notebook, once alone, and once more when that is tried again.
    guesses = "__import__('sys').__dict__.setdefault('guesses', [])"
    for right in (2, 3):
        exec(f"{guesses}.clear()")
        answer = third_power(f"group.product(g2, g) if guess == {right} else None").replace(
            "(group)", f"(group, guess={guesses}.append(1) or len({guesses}))"
        )
        assert judge_of_two(answer).score() == 0
    assert "different results" in capsys.readouterr().out


def test_a_missing_answer_says_what_is_not_defined(capsys) -> None:
    assert judge_of("answer = 3").score() == 0
    assert "`third_power` is not defined." in capsys.readouterr().out


def test_helpers_of_the_student_count_and_leftovers_of_the_lesson_do_not() -> None:
    helper = (
        "import functools as ft\n\n\ndef power(group, *h):\n    return ft.reduce(group.product, h)"
    )
    assert judge_of(helper, third_power("power(group, g, g, g)")).score() == 1
    # c4 is bound by statements of the lesson that run something.
    assert judge_of(third_power("c4.product(g2, g)"), c4=object()).score() == 0


def test_what_a_student_s_cell_computes_is_computed_anew_as_outside_of_the_notebook() -> None:
    answer = third_power("my_turns * g + g")
    assert judge_of("my_turns = sum([1, 1])", answer).score() == 1
    assert judge_of("my_turns = len(c4)", answer, c4=[0, 0]).score() == 0


def test_helpers_are_found_however_long_their_chain_is(lesson: Lesson) -> None:
    """Looking through all statements again for each that is found would take an hour."""
    chain = "\n".join(f"a{number} = f(a{number + 1})" for number in range(8000))
    found = reference.helper_sources(lesson, [chain, "b = f(0)"], ["x = a0"])
    assert len(found) == 8000


def test_names_that_a_student_shadows_do_not_disturb_the_test() -> None:
    notebook = {"In": [""], "sum": 3, "torch": 5, "math": None}
    judge = Judge(STEM, "third-power", notebook)
    # As in a notebook, the property's globals are the student's.
    source = "def helper(*, start=0):\n    return sum([1, 2], start) + math.pi\n"
    source += "def test(lesson, given):\n    assert sum([1]) and torch.tensor(1) and helper() > 6"
    exec(source, notebook)
    judge.property("uses sum, math and torch, as its helper does", points=1)(notebook["test"])
    assert judge.score() == 1


def test_the_properties_add_up_to_the_exercise() -> None:
    judge = judge_of(third_power("g"))
    judge.property("one too many", points=1)(lambda lesson, given: None)
    with pytest.raises(CourseError, match=r"worth 2 points, the cell 1; make them agree"):
        judge.score()


def test_inputs_come_from_the_seed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def numbers(seed: str) -> list[tuple[float, float]]:
        monkeypatch.setenv(SEED_VARIABLE, seed)
        judge, seen = Judge(STEM, "third-power", {"In": [""]}), []

        def draw(lesson: SimpleNamespace, given: Given) -> None:
            seen.append((given.noise(1).item(), torch.rand(1).item()))

        judge.property("draws", points=1)(draw)
        judge.score()
        return seen

    assert numbers("1") == numbers("1")
    assert numbers("1") != numbers("2")


def test_leaving_the_notebook_costs_the_property_only() -> None:
    judge = judge_of(third_power("exit()"))
    assert judge.score() == 0


def test_the_last_definition_is_the_answer_and_a_magic_hides_none(lesson: Lesson) -> None:
    answer = solutions(lesson)["third-power"]
    timed = f"get_ipython().run_cell_magic('time', '', {answer!r})\n"
    cells = ["def third_power(group):\n    return 1", "x =", code.without_magic(timed)]
    assert reference.find_answer(lesson, "third-power", cells) == answer
    assert reference.find_answer(lesson, "third-power", cells[:2]) == cells[0]
    assert reference.find_answer(lesson, "third-power", ["x =", "y = 2"]) is None


def test_leftovers_are_back_after_the_judgement(lesson: Lesson) -> None:
    cells = ["mine = f(2)"]
    notebook = {"c4": 1, "mine": 2, "In": cells}
    with Inside(lesson, notebook, seed=0).without_leftovers():
        assert notebook == {"mine": 2, "In": cells}
    assert notebook == {"c4": 1, "mine": 2, "In": cells}


def test_a_recognized_mistake_is_named() -> None:
    given = Given(0)
    right, wrong = torch.zeros(3), torch.ones(3)
    with pytest.raises(PropertyFailed, match="Likely cause: the sign is wrong."):
        given.close("x", wrong, right, {"the sign is wrong": wrong})
    with pytest.raises(PropertyFailed) as failure:
        given.close("x", 2 * wrong, right, {"the sign is wrong": wrong})
    assert "Likely cause" not in str(failure.value)


@pytest.mark.parametrize("got", [..., None, [0.0], torch.tensor([float("nan")]), torch.zeros(1, 1)])
def test_what_is_no_such_tensor_fails(got: object) -> None:
    with pytest.raises(PropertyFailed):
        Given(0).close("x", got, torch.zeros(1))


def test_folded_kernels_are_unfolded_and_others_refused() -> None:
    given = Given(0)
    kernels = given.noise(3, 4, 2, 4, 5, 5)
    folded = kernels.flatten(0, 1).flatten(1, 2)
    assert torch.equal(given.kernels(folded, *kernels.shape), kernels)
    assert torch.equal(given.kernels(kernels, *kernels.shape), kernels)
    with pytest.raises(PropertyFailed):
        given.kernels(kernels.transpose(0, 1), *kernels.shape)


def test_given_code_that_needs_a_value_of_the_notebook_is_left_out(lesson: Lesson) -> None:
    """Such code may stand before the last tests, and must not keep them from being judged."""
    given = replace(
        lesson.cell("group-base"),
        id="training",
        source="EPOCHS = int(10)\ndef train(epochs=EPOCHS): pass\ndef after(): pass",
    )
    names = reference.namespace(replace(lesson, cells=(given, *lesson.cells)), {})
    assert "train" not in names
    assert {"after", "CyclicGroup", "GroupEquivariantCNN"} <= set(names)
    texts = reference.sources(replace(lesson, cells=(given, *lesson.cells)), {}, [])
    assert ("def train(epochs=EPOCHS):\n    pass", False, True) in texts
    with pytest.raises(ZeroDivisionError):  # an answer has to hold as a whole
        reference.namespace(lesson, {"third-power": "def third_power(g=1 / 0): pass"})
