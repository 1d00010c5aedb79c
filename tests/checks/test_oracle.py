"""The oracle of the hidden tests: against sums written out, its own symmetries, and escnn."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

import pytest
import torch
from steerable import TOLERANCE, Theirs
from torch import Tensor

from autograder.checks import reference
from autograder.checks.oracles import c4 as oracle
from autograder.course import Course
from autograder.lesson import Lesson

PLANE = (-2, -1)
LESSON = "01_regular_group_convolutions"


def noise(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return reproducible random numbers, other ones for each shape."""
    generator = torch.Generator().manual_seed(hash(shape) % 2**31)
    return torch.randn(*shape, generator=generator, dtype=dtype)


def turned(x: Tensor, turns: int) -> Tensor:
    """Return images turned counter-clockwise by turns · 90°."""
    return torch.rot90(x, turns, PLANE)


def acted(x: Tensor, turns: int) -> Tensor:
    """Return lifted features [B, C, |H|, X, Y] after a turn: slices turn, and move along H."""
    return turned(x, turns).roll(turns * x.shape[2] // 4, dims=2)


def quarter_turn(row: int, column: int, size: int, turns: int) -> tuple[int, int]:
    """Return the cell of a square grid that a counter-clockwise turn brings to (row, column)."""
    for _ in range(turns):
        row, column = column, size - 1 - row
    return row, column


def padded(image: Tensor, row: int, column: int) -> float:
    """Return a pixel of an image [X, Y], or zero outside of it."""
    height, width = image.shape
    inside = 0 <= row < height and 0 <= column < width
    return image[row, column].item() if inside else 0.0


def lifting_by_loops(x: Tensor, weight: Tensor, padding: int) -> Tensor:
    """The definition as a sum over positions: no conv2d, no rot90."""
    (batch, inputs, height, width), (outputs, _, size, _) = x.shape, weight.shape
    out = torch.zeros(batch, outputs, 4, *(n + 2 * padding - size + 1 for n in (height, width)))
    out = out.to(x.dtype)
    for b, o, h, row, column in torch.cartesian_prod(*map(torch.arange, out.shape)).tolist():
        for c, i, j in torch.cartesian_prod(*map(torch.arange, (inputs, size, size))).tolist():
            pixel = padded(x[b, c], row + i - padding, column + j - padding)
            k, l = quarter_turn(i, j, size, h)  # h⁻¹ x  # noqa: E741
            out[b, o, h, row, column] += weight[o, c, k, l] * pixel
    return out


def group_by_loops(x: Tensor, weight: Tensor, padding: int, order: int) -> Tensor:
    """The definition as a sum over positions and poses; order 1 is h⁻¹h̃ and order -1 is h̃⁻¹h."""
    outputs, inputs, _, size, _ = weight.shape
    shape = (x.shape[0], outputs, 4, *(n + 2 * padding - size + 1 for n in x.shape[-2:]))
    out = torch.zeros(shape, dtype=x.dtype)
    for b, o, h, row, column in torch.cartesian_prod(*map(torch.arange, shape)).tolist():
        terms = torch.cartesian_prod(*map(torch.arange, (inputs, 4, size, size)))
        for c, pose, i, j in terms.tolist():
            pixel = padded(x[b, c, pose], row + i - padding, column + j - padding)
            k, l = quarter_turn(i, j, size, h)  # noqa: E741
            out[b, o, h, row, column] += weight[o, c, order * (pose - h) % 4, k, l] * pixel
    return out


# Against the definitions


@pytest.mark.parametrize("size", [2, 3, 5])
def test_a_kernel_is_turned_counter_clockwise_cell_by_cell(size: int) -> None:
    weight = noise(1, 1, size, size)
    kernels = oracle.lifting_kernels(weight)
    for h in range(4):
        for i, j in torch.cartesian_prod(torch.arange(size), torch.arange(size)).tolist():
            assert kernels[0, h, 0, i, j] == weight[0, 0][quarter_turn(i, j, size, h)]


def test_a_kernel_that_points_right_points_up_after_a_quarter_turn() -> None:
    right = torch.tensor([[0.0, 0, 0], [0, 0, 1], [0, 0, 0]])
    up = torch.tensor([[0.0, 1, 0], [0, 0, 0], [0, 0, 0]])
    kernels = oracle.lifting_kernels(right[None, None])
    assert torch.equal(kernels[0, 1, 0], up)
    assert torch.equal(oracle.lifting_kernels(right[None, None], sense=-1)[0, 3, 0], up)


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize(("height", "width"), [(4, 4), (3, 5)])
def test_lifting_is_the_sum_over_positions(height: int, width: int, padding: int) -> None:
    x, weight = noise(2, 2, height, width), noise(3, 2, 3, 3)
    expected = lifting_by_loops(x, weight, padding)
    torch.testing.assert_close(oracle.lifting(x, weight, padding), expected)


@pytest.mark.parametrize("padding", [0, 1])
def test_group_is_the_sum_over_positions_and_poses(padding: int) -> None:
    x, weight = noise(1, 2, 4, 3, 4), noise(3, 2, 4, 3, 3)
    first, second = oracle.group(x, weight, padding)
    torch.testing.assert_close(first, group_by_loops(x, weight, padding, order=1))
    torch.testing.assert_close(second, group_by_loops(x, weight, padding, order=-1))


# Its own symmetries


def test_the_identity_has_the_weight_for_its_kernel() -> None:
    weight, lifted = noise(3, 2, 5, 5), noise(3, 2, 4, 5, 5)
    assert torch.equal(oracle.lifting_kernels(weight)[:, 0], weight)
    first, second = oracle.group_kernels(lifted)
    assert torch.equal(first[:, 0], lifted)
    assert torch.equal(second[:, 0], lifted[:, :, [0, 3, 2, 1]])


def test_the_two_orders_differ_by_a_reversed_group_axis() -> None:
    x, weight = noise(2, 2, 4, 7, 6), noise(3, 2, 4, 3, 3)
    reversed_axis = weight[:, :, [0, 3, 2, 1]]
    for one, other in zip(
        oracle.group_kernels(weight), reversed(oracle.group_kernels(reversed_axis)), strict=True
    ):
        assert torch.equal(one, other)
    assert torch.equal(oracle.group(x, weight)[1], oracle.group(x, reversed_axis)[0])
    assert not torch.allclose(*oracle.group(x, weight))


def test_the_other_sense_reverses_the_group_axis() -> None:
    x, weight = noise(2, 2, 7, 6), noise(3, 2, 3, 3)
    forward, backward = oracle.lifting(x, weight), oracle.lifting(x, weight, sense=-1)
    assert torch.equal(backward, forward[:, :, [0, 3, 2, 1]])


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 2])
@pytest.mark.parametrize("size", [(8, 8), (9, 6)])
def test_both_layers_are_equivariant(size: tuple[int, int], padding: int, turns: int) -> None:
    image, lifted = noise(2, 2, *size), noise(2, 2, 4, *size)
    small, large = noise(3, 2, 3, 3), noise(3, 2, 4, 5, 5)
    got = oracle.lifting(turned(image, turns), small, padding)
    torch.testing.assert_close(got, acted(oracle.lifting(image, small, padding), turns))
    for order in (0, 1):
        got = oracle.group(acted(lifted, turns), large, padding)[order]
        expected = acted(oracle.group(lifted, large, padding)[order], turns)
        torch.testing.assert_close(got, expected)
    # Neither holds without the shift along the group axis.
    assert not torch.allclose(got, turned(oracle.group(lifted, large, padding)[order], turns))


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_two_layers_after_each_other_are_equivariant(turns: int) -> None:
    image, first, second = noise(2, 2, 9, 7), noise(3, 2, 3, 3), noise(2, 3, 4, 3, 3)

    def both(x: Tensor) -> Tensor:
        return oracle.group(oracle.lifting(x, first, 1), second, 1)[0]

    torch.testing.assert_close(both(turned(image, turns)), acted(both(image), turns))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("padding", [0, 1, 3])
def test_shapes_and_number_types(padding: int, dtype: torch.dtype) -> None:
    image, lifted = noise(1, 2, 9, 6, dtype=dtype), noise(1, 2, 4, 9, 6, dtype=dtype)
    shape = (1, 3, 4, 9 + 2 * padding - 4, 6 + 2 * padding - 4)
    outputs = [oracle.lifting(image, noise(3, 2, 5, 5, dtype=dtype), padding)]
    outputs += oracle.group(lifted, noise(3, 2, 4, 5, 5, dtype=dtype), padding)
    for out in outputs:
        assert tuple(out.shape) == shape
        assert out.dtype == dtype


# Against escnn, a library of equivariant layers written by others
#
# Its regular representation and ours agree as they are. A field of C_n takes n channels in a row;
# the element h, a counter-clockwise turn by h · 360°/n, has the place h. An element g moves the
# slice h to the place g + h. A filter [C_out · n, C_in · n, k, k] is our [C_out, n, C_in, n, k, k],
# so the filter in the identity's place is our weight, in the first of the oracle's two orders.

INPUTS, OUTPUTS, SIZE = 3, 2, 5


@pytest.fixture(scope="module")
def definitions() -> SimpleNamespace:
    """What the lesson's solution defines."""
    lesson = Lesson.load(Course.find().lesson_path(LESSON))
    return SimpleNamespace(**reference.namespace(lesson, {}))


def for_rotations(escnn: ModuleType, order: int) -> Theirs:
    """escnn's layers for C_n."""
    return Theirs(escnn, escnn.gspaces.rot2dOnR2(order), INPUTS, OUTPUTS, SIZE)


@pytest.fixture(scope="module", params=[4, 8], ids=["C4", "C8"])
def theirs(request: pytest.FixtureRequest, escnn: ModuleType) -> Theirs:
    """escnn's layers for one group."""
    return for_rotations(escnn, request.param)


def images(order: int) -> tuple[Tensor, Tensor]:
    """Return inputs of a lifting and of a group convolution, not square."""
    return noise(2, INPUTS, 9, 8), noise(2, INPUTS, order, 9, 8)


def test_equal_weights_give_what_escnn_gives_for_c4(escnn: ModuleType) -> None:
    theirs = for_rotations(escnn, 4)
    image, lifted = images(4)
    weight = theirs.lifting_kernels[:, 0]
    torch.testing.assert_close(oracle.lifting_kernels(weight), theirs.lifting_kernels, **TOLERANCE)
    torch.testing.assert_close(oracle.lifting(image, weight), theirs.lifting(image), **TOLERANCE)
    weight = theirs.group_kernels[:, 0]
    torch.testing.assert_close(oracle.group_kernels(weight)[0], theirs.group_kernels, **TOLERANCE)
    torch.testing.assert_close(oracle.group(lifted, weight)[0], theirs.group(lifted), **TOLERANCE)


def test_an_element_acts_on_escnn_s_channels_as_on_our_group_axis(theirs: Theirs) -> None:
    channels = noise(INPUTS, theirs.order)
    for step, element in enumerate(theirs.lifted.fibergroup.elements):
        matrix = torch.as_tensor(theirs.lifted.representation(element)).to(channels)
        got = (matrix @ channels.flatten()).reshape(INPUTS, theirs.order)
        torch.testing.assert_close(got, channels.roll(step, dims=1))


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_escnn_s_kernels_and_layers_obey_the_same_relation(theirs: Theirs, turns: int) -> None:
    steps = turns * theirs.order // 4
    kernels = turned(theirs.lifting_kernels, turns).roll(steps, dims=1)
    torch.testing.assert_close(kernels, theirs.lifting_kernels, **TOLERANCE)
    kernels = turned(theirs.group_kernels, turns).roll((steps, steps), dims=(1, 3))
    torch.testing.assert_close(kernels, theirs.group_kernels, **TOLERANCE)

    image, lifted = images(theirs.order)
    got, expected = theirs.lifting(turned(image, turns)), acted(theirs.lifting(image), turns)
    torch.testing.assert_close(got, expected, **TOLERANCE)
    got, expected = theirs.group(acted(lifted, turns)), acted(theirs.group(lifted), turns)
    torch.testing.assert_close(got, expected, **TOLERANCE)


@torch.no_grad()
def test_equal_weights_give_the_lesson_s_layers_what_escnn_gives(
    theirs: Theirs, definitions: SimpleNamespace
) -> None:
    group = definitions.CyclicGroup(theirs.order)
    lifting = definitions.LiftingConvolution(group, INPUTS, OUTPUTS, SIZE, 0).double()
    convolution = definitions.GroupConvolution(group, INPUTS, OUTPUTS, SIZE, 0).double()
    lifting.kernel.weight.copy_(theirs.lifting_kernels[:, 0])
    convolution.kernel.weight.copy_(theirs.group_kernels[:, 0])
    image, lifted = images(theirs.order)
    quarter = theirs.order // 4
    for ours, other in (
        (lifting(image), theirs.lifting(image)),
        (convolution(lifted), theirs.group(lifted)),
    ):
        # Exact at quarter turns, where no weight is interpolated …
        torch.testing.assert_close(ours[:, :, ::quarter], other[:, :, ::quarter], **TOLERANCE)
        # … and alike between them: each slice resembles escnn's slice of the same element most.
        likeness = torch.cosine_similarity(
            ours.transpose(0, 2).flatten(1)[:, None], other.transpose(0, 2).flatten(1)[None], dim=2
        )
        assert likeness.argmax(dim=1).tolist() == list(range(theirs.order))
        assert likeness.diagonal().min() > 0.9
