"""Lesson 4: scales, kernels that are functions, and steerable kernels."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from conftest import lesson_of

from autograder.book.names import lesson_names

STEM = "04_scale_continuous_steerable"


@pytest.fixture(scope="module")
def names() -> SimpleNamespace:
    """What the solution defines."""
    with torch.random.fork_rng():
        return lesson_names(lesson_of(STEM))


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


# ------------------------------------------------------------ scale


def test_a_network_keeps_its_weights_when_it_gets_more_scales(names):
    """The slice of scale 1 is the ordinary CNN; that of scale 2 reads what is twice as large."""
    torch.manual_seed(0)
    small = names.ScaleNetwork(names.DilationGroup(1), channels=3, num_hidden=1).eval()
    large = names.ScaleNetwork(names.DilationGroup(2, 2.0), channels=3, num_hidden=1).eval()
    large.load_state_dict(small.state_dict())
    pattern, twice = names.draw_pattern(2.0, 33), names.draw_pattern(4.0, 65)
    with torch.no_grad():
        once = small(pattern)[0, 0]
        torch.testing.assert_close(large(pattern)[0, 0], once)
        torch.testing.assert_close(large(twice)[0, 1], once, rtol=0.05, atol=0.02)


@pytest.mark.parametrize("step", [1.2, 2.0])
def test_steps_count_from_either_side(names, step):
    group = names.DilationGroup(4, step)
    scales = group.elements()
    assert group.steps(scales).tolist() == [0, 1, 2, 3]
    assert group.steps(group.inverse(scales)).tolist() == [0, -1, -2, -3]
    assert group.normalize_group_elements(scales[-1] * step) > 1  # nothing comes round


# ------------------------------------------------------------ kernels that are functions


@pytest.mark.parametrize("waves", [0, 2])
def test_a_function_turns_with_all_its_angles(names, waves):
    """k for h and h̃ turned by 90° more is the kernel turned by 90°."""
    torch.manual_seed(0)
    kernel = names.ContinuousKernel(2, 3, 5, waves)
    outer, inner = 3 * noise(4), 3 * noise(2)
    with torch.no_grad():
        kernels = kernel.sample(outer, inner)
        turned = kernel.sample(outer + math.pi / 2, inner + math.pi / 2)
    assert kernels.std() > 0.01
    torch.testing.assert_close(turned, kernels.rot90(1, (-2, -1)), rtol=1e-4, atol=1e-5)


def test_a_continuous_network_is_invariant_to_quarter_turns_in_a_test(names):
    torch.manual_seed(0)
    network = names.ContinuousCNN(1, 10, 5, num_hidden=1, hidden_channels=4)
    images = noise(2, 1, 28, 28)
    network(images)  # in training mode: batch norm now has statistics
    network.eval()
    with torch.no_grad():
        output, turned = network(images), network(images.rot90(1, (-2, -1)))
    assert (turned - output).norm() / output.norm() < 1e-4


# ------------------------------------------------------------ steerable kernels


@pytest.mark.parametrize("frequency", [-2, 0, 1, 3])
def test_a_harmonic_is_the_formula_and_turns_by_a_factor(names, frequency):
    """Position by position, rows down and columns across; the angle is counter-clockwise."""
    places = noise(2, 40)
    got = names.circular_harmonics(places, 5, frequency)
    for place, (row, column) in enumerate(places.T.tolist()):
        radius, angle = math.hypot(row, column), math.atan2(-row, column)
        for ring in range(3):
            size = min(max(2.5 - radius, 0), 1) * math.exp(-((radius - ring) ** 2) / (2 * 0.6**2))
            size *= min(radius, 1) if frequency else 1
            expected = size * complex(math.cos(frequency * angle), math.sin(frequency * angle))
            assert complex(got[ring, place]) == pytest.approx(expected, abs=1e-5)
    theta = 0.7
    turned_back = torch.tensor(
        [[math.cos(theta), math.sin(theta)], [-math.sin(theta), math.cos(theta)]]
    )
    factor = complex(math.cos(frequency * theta), -math.sin(frequency * theta))
    there = names.circular_harmonics(turned_back @ places, 5, frequency)
    torch.testing.assert_close(there, factor * got, rtol=1e-4, atol=1e-5)


def test_the_layer_is_its_sum_written_out(names):
    """From each field of frequency m to each of n, over the kernel's positions and rings."""
    torch.manual_seed(0)
    inputs, outputs = [0, 2], [1]
    layer = names.HarmonicConvolution(inputs, outputs, 2, 3, kernel_size=3)
    weight = torch.view_as_complex(layer.weight.detach())
    x = torch.view_as_complex(noise(1, 2, 2, 5, 5, 2))
    rings = [names.circular_harmonics(names.pixel_grid(3), 3, 1 - m) for m in inputs]
    expected = torch.zeros(1, 3, 1, 3, 3, dtype=torch.complex64)
    for row in range(3):
        for column in range(3):
            part = x[..., row : row + 3, column : column + 3]
            for m, basis in enumerate(rings):
                kernel = torch.einsum("oir,rxy->oixy", weight[:, :, 0, m], basis.to(weight))
                expected[0, :, 0, row, column] += (kernel * part[0, :, m]).sum(dim=(1, 2, 3))
    with torch.no_grad():
        torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_relu_of_sizes_commutes_with_a_turn_and_relu_of_parts_does_not(names):
    z, factor = torch.view_as_complex(noise(200, 2)), complex(math.cos(1), math.sin(1))
    sizes, parts = names.relu_of_sizes, names.relu_of_parts
    torch.testing.assert_close(sizes(factor * z), factor * sizes(z), rtol=1e-4, atol=1e-6)
    assert (sizes(z).abs() == 0).any() and (sizes(z).abs() > 0).any()
    assert (parts(factor * z) - factor * parts(z)).abs().max() > 0.5


def test_a_steerable_network_is_invariant_to_quarter_turns(names):
    torch.manual_seed(0)
    network = names.HarmonicNetwork(channels=3)
    x = noise(2, 1, 21, 21)
    with torch.no_grad():
        output, turned = network(x), network(x.rot90(1, (-2, -1)))
    assert output.std() > 1e-3
    torch.testing.assert_close(turned, output, rtol=1e-4, atol=1e-5)


def test_where_escnn_is_installed_its_network_has_the_sizes_that_the_table_names(names, escnn):
    sizes = dict(order=8, in_channels=1, out_channels=10, kernel_size=5, num_hidden=4)
    for channels, weights in ((11, 42_943), (17, 102_265)):
        # In float64: escnn keeps what layers share in the type that one was last turned into.
        network = names.SteerableCNN(**sizes, hidden_channels=channels).double().eval()
        assert sum(weight.numel() for weight in network.parameters()) == weights
        with torch.no_grad():
            x = noise(2, 1, 28, 28).double()
            output, turned = network(x), network(x.rot90(1, (-2, -1)))
        torch.testing.assert_close(turned, output, rtol=1e-3, atol=1e-4)
