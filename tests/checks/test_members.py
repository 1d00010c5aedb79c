"""What a student has added to the lesson's classes goes along with the answer that needs it."""

from __future__ import annotations

import pytest
from conftest import lesson_of

from autograder.checks import members, reference
from autograder.lesson import Lesson
from autograder.submissions.made import solutions

BASE = "lifting-kernel-base"


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    return lesson_of("01_regular_group_convolutions")


def changed(lesson: Lesson, old: str, new: str) -> str:
    """Return a student's answer: the solution with something else in one place."""
    source = solutions(lesson)[BASE]
    assert source.count(old) == 1
    return source.replace(old, new)


def names(lesson: Lesson, student: str, *cells: str) -> dict:
    """Return the definitions around an answer of a student who has changed an earlier class."""
    answer = solutions(lesson)["lifting-kernel"]
    return reference.namespace(lesson, {"lifting-kernel": answer}, [student, *cells])


def made(space: dict, kind: str = "LiftingKernelBase"):
    return space[kind](space["CyclicGroup"](4), 3, 1, 1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    def sample(", "    def mine(self):\n        return 7\n\n    def sample("),
        ("    def sample(", "    mine = staticmethod(lambda: 7)\n\n    def sample("),
        ("        self.group, ", "        self.mine = lambda: 7\n        self.group, "),
    ],
)
def test_methods_and_attributes_go_along(lesson: Lesson, old: str, new: str) -> None:
    assert made(names(lesson, changed(lesson, old, new))).mine() == 7


def test_what_a_cell_gives_a_class_afterwards_goes_along(lesson: Lesson) -> None:
    cell = "def mine(self):\n    return 7\n\n\nLiftingKernelBase.mine = mine"
    space = names(lesson, solutions(lesson)[BASE], cell, "LiftingKernelBase.sample = None")
    assert made(space).mine() == 7
    assert space["LiftingKernelBase"].sample is not None


def test_the_lesson_s_own_stays_as_it_is(lesson: Lesson) -> None:
    wrong = changed(lesson, "self.group.inverse(group_elements)", "group_elements")
    right = made(reference.namespace(lesson, {})).transformed_grid_R2
    assert made(names(lesson, wrong)).transformed_grid_R2.equal(right)
    source = lesson.cell(BASE).source
    assert members.with_own_members(lesson, source, wrong) == source
    magic = changed(
        lesson, "    def sample(", "    def __bool__(self):\n        pass\n\n    def sample("
    )
    assert members.with_own_members(lesson, source, magic) == source


def test_an_attribute_that_needs_what_is_left_out_is_missing(lesson: Lesson) -> None:
    needs = changed(
        lesson,
        "        self.group, ",
        "        local = 3\n        self.mine = local\n        self.group, ",
    )
    assert not hasattr(made(names(lesson, needs)), "mine")


def test_a_member_that_cannot_be_compiled_costs_a_later_answer_nothing(lesson: Lesson) -> None:
    old = "class LiftingKernelBase(nn.Module):"
    student = changed(lesson, old, f"{old}\n    def helper(self):\n        break\n")
    assert made(names(lesson, student), "InterpolativeLiftingKernel").sample().shape[1] == 4
