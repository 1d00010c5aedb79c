"""Mistakes that students make in lesson 1, and whether the first message they see names the cause.

Each is put into the solution. Then the answers and the visible checks run in the order of the
notebook, until a check fails.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stdout
from types import SimpleNamespace

import pytest
from conftest import lesson_of, names_with_small_digits
from variants import Variant

from autograder.lesson.markers import strip_hidden

LESSON = lesson_of("01_regular_group_convolutions")

PRODUCT, INVERSE, MATRIX = (("cyclic-group", number) for number in range(3))
LIFT_ELEMENTS, LIFT_GRID = (("lifting-kernel-base", number) for number in range(2))
LIFT_FOLD = ("lifting-kernel", 0)
LIFT_KERNELS, LIFT_CONV = (("lifting-convolution", number) for number in range(2))
SLICES = ("group-kernel-base", 0)
WEIGHT = ("group-kernel", 0)
INPUT, KERNELS = (("group-convolution", number) for number in range(2))
LIFTING, HIDDEN, PROJECTION = (("network", number) for number in range(3))

H_OUTERMOST = "conv_kernels = self.kernel.sample().transpose(0, 1).flatten(0, 1)"
GRIDS = "self.group.left_action_on_R2(self.group.inverse(h), self.grid_R2) for h in group_elements"
LAYERS = "GroupConvolution(group, hidden_channels, hidden_channels, kernel_size)"

# The mistake, what the student wrote, the exercise whose check speaks up first, words that name the
# cause. None: it is accepted on purpose.
MISTAKES = [
    ("no modulo", {PRODUCT: "product = h + h_prime"}, "product", "remainder modulo 2π"),
    ("modulo 360", {PRODUCT: "product = (h + h_prime) % 360"}, "product", "radians, not 360"),
    (
        "matrix clockwise",
        {
            MATRIX: """
c, s = torch.cos(h), torch.sin(h)
representation = torch.stack([torch.stack([c, s], -1), torch.stack([-s, c], -1)], -2)
"""
        },
        "matrix",
        "it turns clockwise",
    ),
    (
        "matrix stacked in front",
        {
            MATRIX: """
c, s = torch.cos(h), torch.sin(h)
representation = torch.stack([torch.stack([c, -s]), torch.stack([s, c])])
"""
        },
        "matrix",
        "stack along the last axes",
    ),
    ("minus h without modulo", {INVERSE: "inverse = -h"}, "inverse", "back to the circle"),
    ("h as its inverse", {INVERSE: "inverse = h"}, "inverse", "the inverse of the angle θ is −θ"),
    (
        "a list of angles",
        {LIFT_ELEMENTS: "group_elements = self.group.elements().tolist()"},
        "lifting-grid",
        "a list stands where one tensor is expected",
    ),
    (
        "grid without the inverse",
        {
            LIFT_GRID: """
transformed_grid_R2 = self.group.left_action_on_R2(group_elements, self.grid_R2)
"""
        },
        "lifting-grid",
        "looks back with the inverse",
    ),
    (
        "grid scrambled by reshape",
        {
            LIFT_GRID: f"""
grids = torch.stack([{GRIDS}])
transformed_grid_R2 = grids.reshape(2, -1, self.kernel_size, self.kernel_size)
"""
        },
        "lifting-grid",
        "view or reshape, which scrambles",
    ),
    (
        "grid of one element",
        {
            LIFT_GRID: """
h = self.group.inverse(group_elements)[1]
transformed_grid_R2 = self.group.left_action_on_R2(h, self.grid_R2)
"""
        },
        "lifting-grid",
        "one grid for every group element",
    ),
    (
        "weights not folded",
        {LIFT_FOLD: "weight = self.weight"},
        "lifting-fold",
        "not folded into one",
    ),
    (
        "weights folded the other way",
        {LIFT_FOLD: "weight = self.weight.transpose(0, 1).flatten(0, 1)"},
        "lifting-fold",
        "output channels come first",
    ),
    (
        "kernels not folded",
        {LIFT_KERNELS: "conv_kernels = self.kernel.sample()"},
        "lifting-layer",
        "they are not folded yet",
    ),
    (
        "H outermost in the lifting layer",
        {LIFT_KERNELS: H_OUTERMOST},
        "lifting-layer",
        "the group axis was folded outside",
    ),
    (
        "H outermost in the group layer",
        {KERNELS: f"{H_OUTERMOST}.flatten(1, 2)"},
        "group-layer",
        "the group axis was folded outside",
    ),
    (
        "H outermost in both layers",
        {LIFT_KERNELS: H_OUTERMOST, KERNELS: f"{H_OUTERMOST}.flatten(1, 2)"},
        "lifting-layer",
        "the group axis was folded outside",
    ),
    (
        "padding forgotten",
        {LIFT_CONV: "x = F.conv2d(x, conv_kernels)"},
        "lifting-layer",
        "padding=self.padding",
    ),
    (
        "result discarded",
        {LIFT_CONV: "F.conv2d(x, conv_kernels, padding=self.padding)"},
        "lifting-layer",
        "was not kept in x",
    ),
    (
        "h̃ moved by h",
        {SLICES: "transformed_grid_H = self.group.product(group_elements[:, None], self.grid_H)"},
        "group-grid",
        "with the inverse of h",
    ),
    (
        "h̃ not moved",
        {SLICES: "transformed_grid_H = self.grid_H.expand(self.group.order, -1)"},
        "group-grid",
        "the group axis does not move",
    ),
    (
        "h and h̃ exchanged",
        {
            SLICES: """
transformed_grid_H = self.group.product(inverses[None, :], self.grid_H[:, None])
"""
        },
        None,
        "",
    ),
    (
        "elements of another order",
        {LIFT_ELEMENTS: "group_elements = CyclicGroup(4).elements()"},
        "lifting-grid",
        "hard-coded",
    ),
    (
        "no parameter",
        {
            WEIGHT: """
self.weight = torch.zeros(out_channels, in_channels, group.order, kernel_size, kernel_size)
"""
        },
        "group-kernel",
        "wrapped in nn.Parameter",
    ),
    (
        "axes of the weight exchanged",
        {
            WEIGHT: """
sizes = in_channels, out_channels, group.order, kernel_size, kernel_size
self.weight = nn.Parameter(torch.zeros(sizes))
"""
        },
        "group-kernel",
        "in another order",
    ),
    (
        "input folded the other way",
        {INPUT: "x = x.transpose(1, 2).flatten(1, 2)"},
        "group-layer",
        "in the input and in the kernels alike",
    ),
    (
        "one layer too few",
        {HIDDEN: f"self.gconvs = nn.ModuleList([{LAYERS} for _ in range(num_hidden - 1)])"},
        "network",
        "num_hidden says how many",
    ),
    (
        "layers in a list",
        {HIDDEN: f"self.gconvs = [{LAYERS} for _ in range(num_hidden)]"},
        "network",
        "a plain list in place of nn.ModuleList",
    ),
    (
        "projection without the group",
        {PROJECTION: "self.projection_layer = nn.AdaptiveAvgPool3d((None, 1, 1))"},
        "network",
        "run over the group axis",
    ),
]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """What the solution defines."""
    folder = tmp_path_factory.mktemp("mistakes")
    with redirect_stdout(io.StringIO()), names_with_small_digits(LESSON.stem, folder) as result:
        yield result


def messages(names: SimpleNamespace, answers: dict[str, str]) -> list[str]:
    """Return the messages of the visible checks that fail, one after the other."""
    notebook = vars(names).copy()
    notebook["checking"].passed.clear()
    found = []
    for cell in LESSON.cells:
        if cell.grade == "solution":
            exec(answers.get(cell.name, cell.source), notebook)
        elif cell.kind == "code" and "\nwith checking(" in cell.source and cell.id != "setup":
            try:
                exec(strip_hidden(cell.source), notebook)
            except notebook["CheckFailed"] as error:
                found.append(str(error))
    return found


def test_the_solution_passes(names) -> None:
    assert messages(names, Variant("", "").answers(LESSON)) == []


@pytest.mark.parametrize(
    ("blocks", "exercise", "words"),
    [pytest.param(*rest, id=name) for name, *rest in MISTAKES],
)
def test_the_first_message_names_the_cause(names, blocks, exercise, words) -> None:
    found = messages(names, Variant("", "", blocks).answers(LESSON))
    if exercise is None:
        assert found == []
    else:
        first, *later = found
        assert first.startswith(f"✗ {LESSON.exercise(exercise).label}: ")
        assert words in first
        # Whoever goes on is sent back, and not to look for a cause where there is none.
        label = LESSON.exercise(exercise).label
        assert all(f"builds on {label}" in message for message in later)
