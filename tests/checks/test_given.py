"""What hidden properties are given: comparisons, and the causes that they name."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.checks.given import Given
from autograder.checks.oracles import c4
from autograder.checks.places import here
from autograder.checks.properties import PropertyFailed


def fails(text: str):
    return pytest.raises(PropertyFailed, match=re.escape(text))


def place(names: dict):
    """Return the place of a property: what it does to PyTorch is undone behind it."""
    return here(lambda: names, 0)


class Kernel(nn.Module):
    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(*shape))


def turned(weight: Tensor, step: float, order: int, mode: str = "bilinear") -> Tensor:
    """Return kernels [O, n, I, 5, 5] of a weight [O, I, 5, 5], turned by multiples of a step."""
    axis = torch.linspace(-1, 1, 5)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij")).flatten(1)
    poses = []
    for h in range(order):
        c, s = math.cos(step * h), math.sin(step * h)
        back = (torch.tensor([[c, s], [-s, c]]) @ grid).reshape(2, 5, 5).permute(1, 2, 0).flip(-1)
        places = back.expand(len(weight), -1, -1, -1)
        poses.append(F.grid_sample(weight.detach(), places, mode=mode, align_corners=True))
    return torch.stack(poses, dim=1)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("order", [5, 8])
def test_kernels_turn_in_whatever_way_they_are_interpolated(mode: str, order: int) -> None:
    given, kernel = Given(0), Kernel(3, 2, 5, 5)
    slopes = given.slopes(kernel)
    for step in (2 * math.pi / order, -2 * math.pi / order, math.pi / 2):
        given.turns_with("k_h", turned(kernel.weight, step, order, mode), slopes)


@pytest.mark.parametrize("order", [5, 8])
def test_kernels_that_stand_still_or_know_quarter_turns_only_are_found(order: int) -> None:
    given, kernel = Given(0), Kernel(3, 2, 5, 5)
    slopes = given.slopes(kernel)
    with fails("is not the weight, turned by h"):
        given.turns_with("k_h", turned(kernel.weight, 0, order), slopes)
    nearest = [torch.rot90(kernel.weight, round(4 * h / order), (-2, -1)) for h in range(order)]
    with fails("is not the weight, turned by h"):
        given.turns_with("k_h", torch.stack(nearest, dim=1).detach(), slopes)


def test_group_kernels_have_to_move_on_along_the_group_axis() -> None:
    given, kernel = Given(0), Kernel(2, 1, 8, 5, 5)
    slopes = given.slopes(kernel)
    poses = turned(kernel.weight.flatten(0, 2)[:, None], math.pi / 4, 8)  # [16, 8, 1, 5, 5]
    poses = poses.unflatten(0, (2, 1, 8)).movedim(3, 1)[..., 0, :, :]  # [2, 8, 1, 8, 5, 5]
    moved = torch.stack([poses[:, h].roll(h, dims=2) for h in range(8)], dim=1)
    given.turns_with("k_h", moved, slopes)
    with fails("turned and moved on by h"):
        given.turns_with("k_h", poses, slopes)


def test_the_kernels_of_a_layer_are_found_from_its_answers() -> None:
    given = Given(0)
    weight, features = given.noise(3, 2, 3, 3), given.noise(3, 2, 4, 3, 3)
    lift: Callable = lambda x: c4.lifting(x, weight, padding=1)  # noqa: E731
    torch.testing.assert_close(
        given.response(lift, 4, 2, 3, lifted=False), c4.lifting_kernels(weight)
    )
    conv: Callable = lambda x: c4.group(x, features)[0]  # noqa: E731
    torch.testing.assert_close(
        given.response(conv, 4, 2, 3, lifted=True), c4.group_kernels(features)[0]
    )


def test_an_input_that_gets_no_gradient_is_found() -> None:
    given, conv = Given(0), nn.Conv2d(2, 3, 3)
    given.passes_on("conv(x)", conv, given.noise(1, 2, 5, 5))
    for cut in (torch.detach, lambda x: x.data, lambda x: torch.tensor(x.tolist())):
        layer = nn.Sequential(conv)
        layer.register_forward_pre_hook(lambda module, args, cut=cut: cut(args[0]))
        with fails("the input gets no gradient from conv(x), so no layer before this one learns"):
            given.passes_on("conv(x)", layer, given.noise(1, 2, 5, 5))


@pytest.mark.parametrize(
    "more",
    [nn.Dropout(0.5), nn.ReLU(), nn.Tanh(), nn.BatchNorm2d(3, affine=False), nn.AvgPool2d(1, 2)],
)
def test_what_else_is_in_a_layer_is_found(more: nn.Module) -> None:
    given, x = Given(0), Given(1).noise(2, 2, 6, 6)
    given.nothing_else("layer 1", nn.Sequential(nn.Conv2d(2, 3, 3)), nn.Conv2d(2, 3, 3), x)
    with pytest.raises(PropertyFailed):
        given.nothing_else(
            "layer 1", nn.Sequential(nn.Conv2d(2, 3, 3), more), nn.Conv2d(2, 3, 3), x
        )


class TwoFaced(nn.Module):
    """A convolution with a bias that is only there where it is asked for in some way."""

    def __init__(self, when: Callable[[nn.Module, Tensor], bool]) -> None:
        super().__init__()
        self.conv, self.when = nn.Conv2d(2, 3, 3), when

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) + self.when(self, x)


WHEN: dict[str, Callable[[nn.Module, Tensor], bool]] = {
    "in training": lambda module, x: module.training,
    "in evaluation": lambda module, x: not module.training,
    "with gradients": lambda module, x: torch.is_grad_enabled(),
    "without gradients": lambda module, x: not torch.is_grad_enabled(),
    "in inference mode": lambda module, x: torch.is_inference_mode_enabled(),
    "everywhere else": lambda module, x: not torch.is_inference_mode_enabled(),
    "in evaluation with gradients": lambda module, x: torch.is_grad_enabled() > module.training,
    "for one alone": lambda module, x: len(x) == 1,
    "for several": lambda module, x: len(x) > 1,
    "in float64": lambda module, x: x.dtype == torch.float64,
    "in float32": lambda module, x: x.dtype != torch.float64,
}


@pytest.mark.parametrize("when", WHEN.values(), ids=WHEN)
def test_a_layer_that_does_something_else_where_nobody_looks_is_found(when: Callable) -> None:
    given, x, layer = Given(0), Given(1).noise(2, 2, 6, 6), TwoFaced(when)
    with place({}), fails("there is more in it"):
        given.nothing_else("layer 1", layer, nn.Conv2d(2, 3, 3), x)
    with place({}), fails("the output, "):
        given.as_used("the output", layer, layer.float().conv, x, modules=[layer])
    assert not torch.is_inference_mode_enabled()


def test_a_kernel_is_compared_in_all_ways_but_one() -> None:
    given, kernel = Given(0), nn.Linear(2, 3)
    right = kernel.weight.detach().clone()
    for name, when in WHEN.items():
        ask = lambda when=when: kernel.weight + when(kernel, kernel.weight)  # noqa: E731
        with place({}), fails("k_h, ") if "one" not in name else contextlib.nullcontext():
            given.as_used("k_h", ask, lambda: right, modules=[kernel.float()])


def test_what_stops_in_float64_or_drops_an_axis_has_a_property_of_its_own() -> None:
    given, x, conv = Given(0), Given(1).noise(2, 2, 6, 6), nn.Conv2d(2, 3, 3)
    fixed = conv.weight.detach().clone()
    with place({}):
        given.as_used("x", lambda x: conv(x).squeeze(), lambda x: conv(x), x, modules=[conv])
    with place({}):
        given.as_used("x", lambda x: F.conv2d(x, fixed), lambda x: F.conv2d(x, fixed.to(x)), x)
    with place({}), pytest.raises(RuntimeError, match="size"):
        given.as_used("x", lambda x: conv(x).view(-1, 7), conv, x, modules=[conv.float()])


def test_the_same_random_numbers_give_the_same_result() -> None:
    given, x, layer = Given(0), torch.ones(4, 6), nn.Dropout(0.5)
    with place({}):
        given.as_used("x", layer, lambda x: layer(x), x, modules=[layer])
    with place({}), fails("values differ"):
        given.as_used("x", layer, lambda x: layer(layer(x)), x, modules=[layer])


def test_weights_that_are_missing_are_found() -> None:
    given, layer = Given(0), nn.Linear(3, 3)
    asked = [nn.Linear(3, 3), nn.Linear(3, 3)]
    given.has_weights_of("it", nn.ModuleList([layer, nn.BatchNorm1d(3), nn.Linear(3, 3)]), asked)
    for lacking in ([layer], [layer, layer], [layer, nn.Linear(3, 2)]):
        with fails("it has all the weights [3, 3] that were asked for"):
            given.has_weights_of("it", nn.ModuleList(lacking), asked)


def test_degrees_are_named_in_their_own_unit() -> None:
    given, right = Given(0), torch.tensor([0.0, math.pi / 2, math.pi])
    with fails("got 0.00 to 180.00. Likely cause: the angles are in degrees"):
        given.in_circle("the angles", torch.rad2deg(right))
    with fails("expected angles from 0 to 6.28, got 0.00 to 9.42. Likely cause: the remainder"):
        given.in_circle("the angles", 3 * right)
    with fails("got -3.14 to 0.00. Likely cause: the remainder"):
        given.in_circle("the angles", -right)
    with fails("it has to be in radians"):
        given.angles("h", torch.rad2deg(right), right)
    with fails("expected 90.0°, got 270.0°"):
        given.angles("h", right * torch.tensor([1.0, 3.0, 1.0]), right)


def test_precision_that_is_lost_is_found() -> None:
    given, right = Given(0), torch.tensor([1 / 3, 2 / 3], dtype=torch.float64)
    given.as_exact("x", right.clone(), right)
    with fails("expected torch.float64, got torch.float32. Likely cause: a cast"):
        given.as_exact("x", right.float(), right)
    with fails("expected"):
        given.as_exact("x", right.float().double(), right)
