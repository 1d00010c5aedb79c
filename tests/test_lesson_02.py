"""Lesson 2 itself: its public names, the mathematics of its solution, and what it gives."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from conftest import ROOT

from autograder.checks import dihedral
from autograder.course import Course
from autograder.lesson import Lesson
from autograder.names import lesson_names

STEM = "02_beyond_c4"
LESSON = Lesson.load(Course(ROOT).lesson_path(STEM))


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
    for name, recipe in names.MIRRORS.items():
        recipe = {
            k: v for k, v in recipe.items() if k not in ("epochs", "schedule", "data", "model_name")
        }
        model = names.MODELS[names.MIRRORS[name]["model_name"]](**recipe)
        sizes[name] = sum(parameter.numel() for parameter in model.parameters())
    assert sizes == {"CNN, no group": 104_010, "p4": 103_130, "p4m": 97_305}


def test_the_disk_is_the_disk_in_every_pose(names):
    group, size = names.CyclicGroup(16), 7
    turned = group.left_action_on_R2(group.elements(), names.create_grid_R2(size))
    masks = names.disk_mask(turned, size)
    torch.testing.assert_close(masks, masks[:1].expand_as(masks))


def test_errors_are_small_where_the_grid_is_a_symmetry_only(names):
    layer, group = names.two_layers(8, 5, on_disk=True)
    images = names.smooth_images(1, 25, 2.0)
    with torch.no_grad():
        errors = [names.equivariance_error(layer, group, g, images) for g in group.elements()]
    assert max(errors[::2]) < 1e-5
    assert min(errors[1::2]) > 0.05


# ------------------------------------------------------------------------------ what it gives


def test_what_is_given_is_folded_locked_and_says_where_it_comes_from():
    given = [cell for cell in LESSON.cells if (cell.id or "").startswith("given-")]
    assert len(given) >= 5
    for cell in given:
        assert cell.grade == "readonly" and "hide-input" in cell.tags
        assert cell.source.startswith("# Given, from Lesson 1 · ")
        assert "filled_in(" not in cell.source.replace("def filled_in(", "").replace(
            "filled_in(self.exercise, result=got)", ""
        )


def test_it_has_no_cell_of_lesson_1_s_name():
    """So that a notebook of the one is never taken for one of the other."""
    first = Lesson.load(Course(ROOT).lesson_path("01_regular_group_convolutions"))
    own = {cell.id for cell in first.cells if cell.grade}
    assert not own & {cell.id for cell in LESSON.cells if cell.grade}
