"""Lesson 3: elements that are pairs, the kernel for every finite group, and its networks."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from conftest import lesson_of
from steerable import TOLERANCE, Theirs

from autograder.book.names import lesson_names
from autograder.checks.oracles import dihedral

STEM = "03_any_rotation_and_reflections"
LESSON = lesson_of(STEM)


@pytest.fixture(scope="module")
def names() -> SimpleNamespace:
    """What the solution defines."""
    with torch.random.fork_rng():
        return lesson_names(LESSON)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


# ------------------------------------------------------------ what the hidden tests compare with


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_the_tables_of_the_checks_are_those_of_matrices(n):
    """Products of 2 × 2 matrices decide; the lesson's solution has no part in it."""
    turns, flips = torch.arange(2 * n) % n, torch.arange(2 * n) // n
    pairs = torch.stack([turns * (2 * math.pi / n), flips], dim=1).double()
    matrices = dihedral.matrices(pairs)
    products = matrices[:, None] @ matrices[None, :]
    apart = (products[:, :, None] - matrices).abs().amax(dim=(-2, -1))
    assert apart.argmin(dim=-1).tolist() == dihedral.table(n)
    assert apart.amin() < 1e-12
    pair_products = dihedral.matrices(dihedral.product(pairs[:, None], pairs[None, :]))
    torch.testing.assert_close(pair_products, products)
    inverses = dihedral.matrices(dihedral.inverse(pairs))
    torch.testing.assert_close(inverses, matrices.mT.contiguous())
    back = inverses[:, None] @ matrices[None, :]
    apart = (back[:, :, None] - matrices).abs().amax(dim=(-2, -1))
    assert apart.argmin(dim=-1).tolist() == dihedral.places_back(n)


def test_the_checks_convolution_is_equivariant():
    x, weight, back = noise(2, 2, 8, 6, 6), noise(3, 2, 8, 3, 3), dihedral.places_back(4)
    result = dihedral.group(x, weight, padding=1)
    for h in range(8):
        moved = dihedral.act_on_features(x, h % 4, h // 4, back[h])
        expected = dihedral.act_on_features(result, h % 4, h // 4, back[h])
        torch.testing.assert_close(dihedral.group(moved, weight, padding=1), expected)


# ---------------------------------------------------------------------------------- the solution


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6, 8])
def test_the_dihedral_group_agrees_with_its_matrices(names, n):
    group = names.DihedralGroup(n).double()
    elements = group.elements()
    assert group.order == len(elements) == 2 * n
    assert names.group_index(group, elements).tolist() == list(range(2 * n))
    matrices = group.matrix_representation(elements)
    torch.testing.assert_close(matrices, dihedral.matrices(elements))
    assert names.cayley_table(group).tolist() == dihedral.table(n)
    assert torch.equal(group.determinant(elements), torch.ones(2 * n).double())


@pytest.mark.parametrize("order", [1, 2, 3, 4, 6, 8])
def test_for_cyclic_groups_it_is_the_kernel_of_lesson_1(names, order):
    group = names.CyclicGroup(order)
    old, new = (
        names.InterpolativeGroupKernel(group, 5, 2, 3),
        names.PermutedGroupKernel(group, 5, 2, 3),
    )
    new.weight.data.copy_(old.weight.data)
    torch.testing.assert_close(
        new.sample(), old.sample(), rtol=0, atol=1e-6 * (order not in (1, 2, 4))
    )


def test_the_group_convolution_over_d4_is_the_sum_over_its_elements(names):
    layer = names.PermutedGroupConvolution(names.DihedralGroup(4), 2, 3, 3, padding=1)
    x = noise(2, 2, 8, 7, 5)
    torch.testing.assert_close(layer(x), dihedral.group(x, layer.kernel.weight, padding=1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_network_is_invariant_to_its_group(names, dtype):
    network = names.FiniteGroupCNN(names.DihedralGroup(4), 1, 10, 5, 2, 4).to(dtype)
    x = noise(2, 1, 28, 28).to(dtype)
    network(x)
    network.eval()
    with torch.no_grad():
        expected = network(x)
        for turns, flip in ((1, 0), (0, 1), (3, 1)):
            got = network(dihedral.act(x, turns, flip))
            torch.testing.assert_close(
                got, expected, rtol=0, atol=1e-5 if dtype == torch.float32 else 1e-12
            )


def test_the_three_networks_have_about_as_many_weights(names):
    sizes = {}
    for name, recipe in names.RECIPES.items():
        model = names.make_network(recipe)
        sizes[name] = sum(parameter.numel() for parameter in model.parameters())
    assert sizes == {"CNN, no group": 104_010, "p4": 103_130, "p4m": 97_305}


def test_the_disk_is_the_disk_in_every_pose(names):
    group, size = names.CyclicGroup(16), 7
    turned = group.left_action_on_R2(group.elements(), names.create_grid_R2(size))
    masks = names.disk_mask(turned, size)
    torch.testing.assert_close(masks, masks[:1].expand_as(masks))


def test_errors_are_small_where_the_grid_is_a_symmetry_only(names):
    group = names.CyclicGroup(8)
    layers, images = names.two_layers(group), names.smooth_images(1, 25, 2.0)
    with torch.no_grad():
        errors = [names.equivariance_error(layers, group, g, images) for g in group.elements()]
    assert max(errors[::2]) < 1e-5
    assert min(errors[1::2]) > 0.05


def test_poses_rolled_at_random_lose_the_direction_and_nothing_else(names):
    features = noise(50, 3, 4)
    torch.manual_seed(0)
    rolled = names.shuffled(features)
    steps = [
        [torch.equal(new, old.roll(step, dims=-1)) for step in range(4)].index(True)
        for old, new in zip(features, rolled, strict=True)
    ]
    assert set(steps) == {0, 1, 2, 3}


def test_confusions_are_counted_by_pairs(names):
    read, labels = torch.tensor([6, 9, 9, 1, 3]), torch.tensor([9, 6, 9, 7, 3])
    assert names.confusions(read, labels, most=2) == "6 with 9: 2, 1 with 7: 1"


# ------------------------------------------------------------ against escnn


def for_turns_and_mirrors(escnn, group):
    """escnn's layers for D_n, in the order of our elements: those with the same matrices."""
    space = escnn.gspaces.flipRot2dOnR2(group.n, axis=math.pi / 2)
    # Coordinates (x, y) with y upwards, in place of our (row, column) with rows downwards.
    change = torch.tensor([[0.0, 1], [-1, 0]]).double()
    ours = change @ group.matrix_representation(group.elements()) @ change.T
    elements = space.fibergroup.elements
    theirs = torch.stack([torch.as_tensor(space.basespace_action(one)) for one in elements])
    apart = (ours[:, None] - theirs.to(ours)).abs().amax(dim=(-2, -1))
    assert apart.amin(dim=1).max() < 1e-6
    places = apart.argmin(dim=1)
    assert sorted(places.tolist()) == list(range(group.order))
    return Theirs(escnn, space, 2, 3, 5, places)


def copied(names, theirs, group):
    """Return our two layers with the weights that escnn's filters of the identity are."""
    sizes = (theirs.inputs, theirs.outputs, theirs.lifting_kernels.shape[-1])
    lifting = names.LiftingConvolution(group, *sizes, 0).double()
    convolution = names.PermutedGroupConvolution(group, *sizes, 0).double()
    lifting.kernel.weight.data.copy_(theirs.lifting_kernels[:, 0])
    convolution.kernel.weight.data.copy_(theirs.group_kernels[:, 0])
    return lifting, convolution


@pytest.mark.parametrize("n", [1, 2, 4])
@torch.no_grad()
def test_equal_weights_give_what_escnn_gives_for_turns_and_mirrors(names, escnn, n):
    group = names.DihedralGroup(n)
    theirs = for_turns_and_mirrors(escnn, group)
    lifting, convolution = copied(names, theirs, group)
    for ours, other, kernels, shape in (
        (lifting, theirs.lifting, theirs.lifting_kernels, (2, 2, 9, 8)),
        (convolution, theirs.group, theirs.group_kernels, (2, 2, group.order, 9, 8)),
    ):
        torch.testing.assert_close(ours.kernel.sample(), kernels, **TOLERANCE)
        x = noise(*shape).double()
        torch.testing.assert_close(ours(x), other(x), **TOLERANCE)
        assert kernels.abs().max() > 0.01


@torch.no_grad()
def test_where_weights_are_interpolated_escnn_s_slices_are_most_like_ours(names, escnn):
    group = names.DihedralGroup(8)
    theirs = for_turns_and_mirrors(escnn, group)
    quarters = [0, 2, 4, 6, 8, 10, 12, 14]
    for ours, other, shape in zip(
        copied(names, theirs, group),
        (theirs.lifting, theirs.group),
        ((2, 2, 9, 8), (2, 2, 16, 9, 8)),
        strict=True,
    ):
        x = noise(*shape).double()
        got, expected = ours(x), other(x)
        torch.testing.assert_close(got[:, :, quarters], expected[:, :, quarters], **TOLERANCE)
        likeness = torch.cosine_similarity(
            got.transpose(0, 2).flatten(1)[:, None], expected.transpose(0, 2).flatten(1), dim=2
        )
        assert likeness.argmax(dim=1).tolist() == list(range(16))
        assert likeness.diagonal().min() > 0.9
