"""What a hidden property is given: seeded inputs, and comparisons that explain a failure."""

from __future__ import annotations

import contextlib
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from autograder.checks import remote
from autograder.checks.oracles import c4 as oracle
from autograder.checks.oracles import dihedral, dilation
from autograder.checks.properties import PropertyFailed

MOST_WEIGHTS = 1000  # of a layer whose weights are tried one by one
# How modules are used: whether in training, what becomes of gradients, and whether in float64.
USES: dict[str, tuple[bool, str, bool]] = {
    "in training": (True, "kept", False),
    "in evaluation": (False, "off", False),
    "in inference mode": (False, "unknown", False),
    "for the first alone": (False, "kept", False),
    "in float64": (False, "kept", True),
}
MAY_STOP: dict[str, Callable[[Tensor], Tensor]] = {
    "for the first alone": operator.itemgetter(slice(1)),
    "in float64": Tensor.double,
}
# By how much a turned slope may be off, relative to itself: every way to interpolate is below, a
# kernel that stands still where it should turn by 30° or more is above.
LARGEST_SLIP = 0.5


class Given:
    """Inputs from one seed, and comparisons; every method that compares raises PropertyFailed.

    `mistakes` maps the likely cause of a mistake to the wrong result it leads to; the failure names
    the cause if the result is that one.
    """

    oracle = oracle
    dihedral = dihedral
    dilation = dilation

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    # Inputs

    def noise(self, *shape: int) -> Tensor:
        """Return normally distributed numbers of this shape."""
        return torch.randn(*shape, generator=self.generator)

    def elements(self, order: int, count: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return `count` elements of the cyclic group of this order, angles in radians."""
        index = torch.randint(order, (count,), generator=self.generator)
        return index.to(dtype) * (2 * math.pi / order)

    def pairs(self, n: int, *shape: int, flip: float | None = None) -> Tensor:
        """Return elements of the dihedral group D_n, pairs (angle, flip): [*shape, 2].

        All of them are reflections (`flip` 1), rotations (0), or, without it, some are.
        """
        count = math.prod(shape)
        angles = self.elements(n, count).reshape(shape)
        flips = torch.randint(2, shape, generator=self.generator).float()
        return torch.stack([angles, flips if flip is None else torch.full(shape, flip)], dim=-1)

    def all_pairs(self, n: int) -> Tensor:
        """Return all elements of the dihedral group D_n in a random order, [2n, 2]."""
        place = torch.randperm(2 * n, generator=self.generator)
        return torch.stack([place % n * (2 * math.pi / n), (place // n).float()], dim=-1)

    def rotations(self, angles: Tensor, sense: float = 1) -> Tensor:
        """Return the matrices [..., 2, 2] that turn counter-clockwise by sense · angle [...]."""
        turns = sense * angles.double()
        c, s = turns.cos(), turns.sin()
        return torch.stack([c, -s, s, c], dim=-1).reshape(*angles.shape, 2, 2).to(angles.dtype)

    def turned_grids(self, order: int, size: int, sense: float) -> Tensor:
        """Return a grid turned by sense · h for all h of C_order: [2, order, size, size]."""
        axis = torch.linspace(-1, 1, size, dtype=torch.float64)
        points = torch.cartesian_prod(axis, axis)
        angles = torch.arange(order, dtype=torch.float64) * (2 * math.pi / order)
        turned = self.rotations(angles, sense) @ points.T  # [order, 2, size²]
        return turned.movedim(1, 0).reshape(2, order, size, size).float()

    def turned(self, x: Tensor, turns: int) -> Tensor:
        """Return images turned counter-clockwise by turns · 90°."""
        return torch.rot90(x, turns, (-2, -1))

    def acted(self, x: Tensor, turns: int, step: int | None = None) -> Tensor:
        """Return lifted features [B, C, |H|, X, Y] after the action of turns · 90°.

        `step` slices to a quarter turn, |H| / 4 by default.
        """
        step = x.shape[2] // 4 if step is None else step
        return self.turned(x, turns).roll(turns * step, dims=2)

    def steps(self, order: int) -> tuple[int, ...]:
        """Return by how many slices a quarter turn may move the features, order / 4 first.

        Interpolated kernels move by order / 4. Kernels made with `rot90` know quarter turns only:
        for C₈ the h-th one is turned by h · 90°, so C₈ acts through C₄, and a quarter turn moves by
        one slice. Exact quarter turns are a right answer, so this is no mistake.
        """
        return (order // 4, 1) if order > 4 else (1,)

    def randomize(self, kernel: nn.Module) -> Tensor:
        """Give a kernel new random weights, and return a copy of them."""
        weight: Any = getattr(kernel, "weight", None)
        shape = self.tensor("the weight", weight).shape
        if not weight.is_floating_point():
            raise PropertyFailed(f"the weight holds {weight.dtype}, where only floats can learn.")
        values = self.noise(*shape).to(weight)
        remote.assign(weight, values)
        return values

    def slopes(self, kernel: nn.Module) -> Tensor:
        """Give a kernel [..., k, k] weights that rise evenly, each of its slices in a direction.

        Returns the slopes along rows and columns, [..., 2]: turned weights have turned slopes, in
        whatever way they are interpolated.
        """
        weight: Any = kernel.weight
        *channels, size, _ = self.tensor("the weight", weight).shape
        slopes, axis = self.noise(*channels, 2), torch.arange(size) - (size - 1) / 2
        rising = slopes[..., :1, None] * axis[:, None] + slopes[..., 1:, None] * axis
        remote.assign(weight, rising.to(weight))
        return slopes

    def response(
        self, layer: Callable[[Tensor], Tensor], order: int, channels: int, size: int, lifted: bool
    ) -> Tensor:
        """Return a layer's kernels [O, |H|, I, (|H|,) k, k], from its answers to single pixels."""
        inputs = (channels, order) if lifted else (channels,)
        count = math.prod(inputs)
        pixels = torch.zeros(count, *inputs, 2 * size - 1, 2 * size - 1)
        pixels.flatten(1, -3)[range(count), range(count), size - 1, size - 1] = 1
        maps = self.middle(self.tensor("the result for single pixels", layer(pixels)), size, size)
        self.shape(
            "the result for single pixels", maps, (count, *maps.shape[1:2], order, size, size)
        )
        return maps.flip(-2, -1).unflatten(0, inputs).movedim((-4, -3), (0, 1))

    def middle(self, maps: Tensor, height: int, width: int) -> Tensor:
        """Return the middle [..., height, width] of larger maps, other maps as they are.

        For properties that hold with any padding: what the padding is has a property of its own.
        """
        rows, columns = maps.shape[-2] - height, maps.shape[-1] - width
        if rows != columns or rows <= 0 or rows % 2:
            return maps
        edge = rows // 2
        return maps[..., edge:-edge, edge:-edge]

    # Comparisons

    def true(self, what: str, holds: bool, cause: str = "") -> None:
        """Fail unless `holds`."""
        if not holds:
            raise _failure(what, "this does not hold", cause)

    def equal(self, what: str, got: object, expected: object, cause: str = "") -> None:
        """Fail unless the two are equal."""
        if got != expected:
            raise _failure(what, f"expected {expected}, got {got}", cause)

    def among(self, what: str, got: object, values: Iterable[object], cause: str = "") -> None:
        """Fail unless one of the values is the very object `got`."""
        self.true(what, remote.identity(got) in map(remote.identity, values), cause)

    def tensor(self, what: str, got: object) -> Tensor:
        """Return `got` without its gradient; fail unless it is a finite tensor.

        A tensor that student code has changed in place counts as changed.
        """
        got = remote.as_left(got)
        if got is ...:
            raise _failure(what, "a block still holds `...`")
        if not isinstance(got, Tensor):
            raise _failure(what, f"expected a tensor, got {remote.type_name(got)}")
        return _finite(what, got)

    def shape(self, what: str, got: object, expected: Sequence[int], cause: str = "") -> None:
        """Fail unless `got` is a tensor of this shape."""
        shape = tuple(self.tensor(what, got).shape)
        if shape != tuple(expected):
            raise _failure(what, f"expected the shape {tuple(expected)}, got {shape}", cause)

    def kernels(self, got: object, *shape: int) -> Tensor:
        """Return sampled kernels in this shape; fail if they do not have it.

        Group axes may already be folded into the channels: then this was moved here from the layer.
        """
        kernels = self.tensor("the kernels k_h", got)
        outputs, order, inputs, *group, height, width = shape
        folded = (outputs * order, inputs * math.prod(group), height, width)
        if tuple(kernels.shape) == folded:
            return kernels.reshape(shape)
        self.shape("the kernels k_h", kernels, shape)
        return kernels

    def turns_with(self, what: str, kernels: Tensor, slopes: Tensor) -> None:
        """Fail unless kernels [O, n, I, (n,) k, k] of C_n for weights with these slopes turn by h.

        On a group they also move on along the group axis, in either order of h⁻¹h̃. Either sense of
        turning will do, and quarter turns in place of the elements: see `steps`.
        """
        n, middle = kernels.shape[1], kernels.shape[-1] // 2
        near = kernels[..., middle - 1 : middle + 2, middle - 1 : middle + 2]
        got = torch.stack(
            [near[..., 2, 1] - near[..., 0, 1], near[..., 1, 2] - near[..., 1, 0]], -1
        )
        got, least = got.transpose(0, 1) / 2, math.inf
        places = torch.arange(n)
        for step in (2 * math.pi / n, math.pi / 2, -2 * math.pi / n, -math.pi / 2):
            for shift in (1, -1) if slopes.dim() == 4 else (0,):
                turned = torch.einsum(
                    "hxy,h...y->h...x",
                    self.rotations(places * step),
                    torch.stack(
                        [slopes[:, :, shift * (places - h)] if shift else slopes for h in range(n)]
                    ),
                )
                slips = (got - turned).flatten(1).norm(dim=1) / slopes.norm()
                least = min(least, slips.max().item())
        if least > LARGEST_SLIP:
            moves = "turned and moved on" if slopes.dim() == 4 else "turned"
            text = f"for some h in C_{n} the kernel is not the weight, {moves} by h"
            raise _failure(what, text, "quarter turns are right, or k_e, and no other element is")

    def close(
        self,
        what: str,
        got: object,
        expected: Tensor,
        mistakes: Mapping[str, Tensor] | None = None,
        tolerance: float = 1e-4,
    ) -> None:
        """Fail unless shapes agree, and values up to `tolerance` times the largest expected one."""
        self.shape(what, got, expected.shape)
        # What is expected may come from the student's code as well, and nothing differs from NaN.
        result, expected = self.tensor(what, got).double(), _finite(what, expected).double()
        difference = _difference(result, expected)
        if difference > tolerance * max(1.0, expected.abs().max().item()):
            text = f"values differ from what is expected by up to {difference:.3g}"
            if result.numel() <= 9:
                text = f"expected {_numbers(expected)}, got {_numbers(result)}"
            cause = _recognized(result, mistakes, _difference)
            raise _failure(what, text, cause, (result, expected))

    def close_to_one(
        self,
        what: str,
        got: object,
        alternatives: Iterable[Tensor],
        mistakes: Mapping[str, Tensor] | None = None,
        tolerance: float = 1e-4,
    ) -> None:
        """Fail unless `got` is close to one of several right results; the first is reported."""
        first, *others = alternatives
        for expected in others:
            with contextlib.suppress(PropertyFailed):
                return self.close(what, got, expected, tolerance=tolerance)
        return self.close(what, got, first, mistakes, tolerance)

    def equivariant(self, layer: nn.Module, x: Tensor, turns: int) -> None:
        """Fail unless layer(L_g x) = L_g layer(x) for lifted features x and g = turns · 90°."""
        first, *others = self.steps(x.shape[2])
        result = layer(x)

        def compare(step: int) -> None:
            got = layer(self.acted(x, turns, step))
            self.close(f"conv(L_g x), g = {90 * turns}°", got, self.acted(result, turns, step))

        for step in others:
            with contextlib.suppress(PropertyFailed):
                return compare(step)
        return compare(first)

    def as_used(
        self,
        what: str,
        ask: Callable[..., object],
        right: Callable[..., Tensor],
        *x: Tensor,
        modules: Sequence[nn.Module] = (),
        cause: str = "",
        tolerance: float = 1e-4,
    ) -> None:
        """Fail unless ask(x) is right(x), in whatever way the modules that it uses are used.

        That is in training, in evaluation, in inference mode, for the first of a batch x [B, ...]
        alone, and in float64, in which the modules are left. Without x, ask() has to be right().
        Both draw the same random numbers. `cause` is the likely one, if there is only one.

        What stops, or has another shape, in the last two is a mistake that has a property of its
        own, and none here.
        """
        for how, way in USES.items():
            if how == "for the first alone" and not x:
                continue
            change = MAY_STOP.get(how, lambda x: x)
            results = []
            try:
                for function in (ask, right):
                    remote.use((*modules, ask)[0], modules, way)
                    results.append(self.tensor(what, function(*map(change, x))))
            except Exception as error:
                if how in MAY_STOP and not isinstance(error, PropertyFailed):
                    continue
                raise
            got, expected = results
            if how not in MAY_STOP or got.shape == expected.shape:
                mistakes = {cause: got} if cause else {}
                self.close(f"{what}, {how}", got, expected, mistakes, tolerance)

    def nothing_else(self, what: str, layer: nn.Module, plain: nn.Module, x: Tensor) -> None:
        """Fail unless a layer does what a plain one does with the same parameters."""
        mine, theirs = list(layer.parameters()), list(plain.parameters())
        shapes = [parameter.shape for parameter in mine], [parameter.shape for parameter in theirs]
        self.equal(f"the shapes of the parameters of {what}", *shapes)
        for parameter, other in zip(mine, theirs, strict=True):
            remote.assign(other, parameter.detach())
        cause = "there is more in it, such as an activation, a norm or a dropout"
        what, expected = f"{what}, as the plain convolution", plain(x)
        self.as_used(what, layer, lambda x: expected[: len(x)], x, modules=[layer], cause=cause)

    def as_exact(self, what: str, got: object, expected: Tensor) -> None:
        """Fail unless a result has the precision of what is expected, float64 say."""
        self.of_type(what, got, expected.dtype)
        self.close(what, got, expected, tolerance=1e-10)

    def of_type(self, what: str, got: object, dtype: torch.dtype) -> None:
        """Fail unless the result's numbers are of this type."""
        cause = "a cast such as .float(), or a new tensor that is made without a dtype"
        self.equal(f"the type of {what}", self.tensor(what, got).dtype, dtype, cause)

    def padded(self, plain: nn.Module, padded: nn.Module, padding: int, *channels: int) -> None:
        """Fail unless a layer with padding does what one without does on a padded input."""
        padded.load_state_dict(plain.state_dict())
        x = self.noise(2, *channels, 7, 6)
        expected = plain(nn.functional.pad(x, (padding,) * 4))
        what = f"the result for padding={padding}"
        cause = "pass padding=self.padding to the convolution"
        self.shape(what, padded(x), expected.shape, cause)
        self.close(what, padded(x), expected)

    def angles(
        self,
        what: str,
        got: object,
        expected: Tensor,
        mistakes: Mapping[str, Tensor] | None = None,
        tolerance: float = 1e-4,
    ) -> None:
        """Fail unless two tensors of angles in radians agree modulo 2π."""
        self.shape(what, got, expected.shape)
        result, expected = self.tensor(what, got).double(), _finite(what, expected).double()
        apart = _apart(result, expected)
        if apart.max() <= tolerance:
            return
        right, wrong = (t.flatten()[apart.argmax()].item() for t in (expected, result))
        text = f"expected {math.degrees(right) % 360:.1f}°, got {math.degrees(wrong) % 360:.1f}°"
        cause = _recognized(result, mistakes, lambda a, b: _apart(a, b).max().item())
        if not cause and _apart(torch.deg2rad(result), expected).max() < 1e-4:
            turn = 2 * math.pi
            text = f"in radians, expected {right % turn:.3f} (modulo 2π), got {wrong:.3f}"
            cause = "the angle is in degrees; it has to be in radians"
        raise _failure(what, text, cause)

    def same_pairs(
        self, what: str, got: object, expected: Tensor, mistakes: Mapping[str, Tensor] | None = None
    ) -> None:
        """Fail unless pairs (angle, flip) agree, their angles modulo 2π."""
        self.shape(what, got, expected.shape)
        pairs = self.tensor(what, got)
        angles, flips = (
            {cause: wrong[..., part] for cause, wrong in (mistakes or {}).items()}
            for part in (0, 1)
        )
        self.close(f"the flip of {what}", pairs[..., 1], expected[..., 1], flips)
        self.angles(f"the angle of {what}", pairs[..., 0], expected[..., 0], angles)

    def in_circle(self, what: str, got: object) -> None:
        """Fail unless all angles lie in [0, 2π], up to rounding."""
        angles, turn = self.tensor(what, got), 2 * math.pi
        if angles.min() < -1e-4 or angles.max() > turn + 1e-4:
            low, high = angles.min().item() + 0.0, angles.max().item() + 0.0  # no "-0.00"
            text = f"in radians, expected angles from 0 to {turn:.2f}, got {low:.2f} to {high:.2f}"
            cause = "the remainder modulo 2π is missing"
            if low > -1e-4 and 3 * turn < high < 361:
                cause = "the angles are in degrees; 360° is 2π in radians"
            raise _failure(what, text, cause)

    def varies(self, what: str, got: object) -> None:
        """Fail if the parts of a result [N, ...] are all the same."""
        parts = self.tensor(what, got)
        if not parts.std(dim=0).max() >= 1e-6:
            raise _failure(what, f"expected {len(parts)} different ones, all are the same")

    def learns(
        self,
        what: str,
        result: Tensor,
        weight: Tensor,
        again: Callable[[], Tensor] | None = None,
        name: str = "the weight",
    ) -> None:
        """Fail unless every number of a weight gets a gradient from the result.

        The gradient is computed where the student's code is, and so may be made up. With a function
        that computes the result again, it has to agree with how that changes with the weight.
        """
        self.tensor(what, result)
        direction = self.noise(*result.shape)
        (gradient,) = remote.gradients(result, direction, [weight])
        if gradient is None or not gradient.abs().min() > 0:
            never = "it never learns" if name == "the weight" else "no layer before this one learns"
            raise PropertyFailed(
                f"{name} gets no gradient from {what}, so {never}. Likely cause: the graph is cut "
                "by .data, .detach(), .numpy() or torch.tensor(...)."
            )
        if again is None:
            return
        start, step = weight.detach().clone(), self.noise(*weight.shape).to(weight)
        change = 0.0
        for sign in (1, -1):
            remote.assign(weight, start + sign * step)
            change += sign * (self.tensor(what, again()).double() * direction).sum().item() / 2
        remote.assign(weight, start)
        gradient, step = gradient.double(), step.double()
        if not abs(change - (gradient * step).sum()) <= 1e-3 * gradient.norm() * step.norm():
            raise PropertyFailed(f"the gradient of {what} is not how it changes with the weight.")

    def passes_on(self, what: str, layer: nn.Module, x: Tensor, *more: object) -> None:
        """Fail unless what goes into a layer gets a gradient from what comes out.

        Else no layer before it learns. `more` are further arguments; of several results, the first.
        """
        leaf = remote.leaf(layer, x)

        def result() -> Tensor:
            out = layer(remote.original(leaf), *more)
            return out[0] if isinstance(out, tuple) else out

        self.learns(what, result(), leaf, result, "the input")

    def gradient_of(
        self,
        what: str,
        function: Callable[[Tensor], Tensor],
        right: Callable[[Tensor], Tensor],
        x: Tensor,
        mistakes: Mapping[str, Callable[[Tensor], Tensor]] | None = None,
        tolerance: float = 1e-3,
    ) -> None:
        """Fail unless a function has the same gradient at x as a right one.

        Some of a gradient may be missing, where values computed from x are taken for constants.
        `mistakes` are functions with the gradients of likely mistakes.
        """
        leaf, ours = remote.leaf(function, x), x.clone().requires_grad_()
        there: Any = remote.original(leaf)
        result, expected = function(there), right(ours)
        self.shape(what, result, expected.shape)
        direction = self.noise(*expected.shape)

        def ours_of(out: Tensor) -> Tensor:
            return torch.autograd.grad(out, ours, direction)[0]

        (gradient,) = remote.gradients(result, direction, [leaf])
        if gradient is None:
            raise _failure(
                what, "it passes no gradient on", "the graph is cut by .data or .detach()"
            )
        known = {cause: ours_of(wrong(ours)) for cause, wrong in (mistakes or {}).items()}
        self.close(f"the gradient of {what}", gradient, ours_of(expected), known, tolerance)

    def influence(self, sample: Callable[[], Tensor], weight: Tensor) -> None:
        """Fail unless every weight has an influence of its own on the kernels, and can learn.

        Sampling is linear in the weights: its matrix must have full rank.
        """
        if weight.numel() > MOST_WEIGHTS:
            raise PropertyFailed(f"{weight.numel()} weights are far too many.")
        self.learns("the kernels k_h", sample(), weight, sample)
        rows = []
        for single in torch.eye(weight.numel()).to(weight):
            remote.assign(weight, single.reshape(weight.shape))
            rows.append(self.tensor("the kernels k_h", sample()).flatten().clone())
        rank = torch.linalg.matrix_rank(torch.stack(rows)).item()
        if rank < weight.numel():
            raise PropertyFailed(
                f"only {rank} of {weight.numel()} weights have an influence of their own."
            )

    def has_weights_of(self, what: str, module: nn.Module, parts: Iterable[nn.Module]) -> None:
        """Fail unless a module has weights of the shapes that these parts have, all of them."""
        left = [tuple(parameter.shape) for parameter in module.parameters()]
        for shape in (tuple(it.shape) for part in parts for it in part.parameters()):
            cause = "a layer is missing, has other sizes, or is there several times"
            self.true(
                f"{what} has all the weights {list(shape)} that were asked for",
                shape in left,
                cause,
            )
            left.remove(shape)

    def trained(self, out: Tensor, network: nn.Module, layers: Iterable[nn.Module]) -> None:
        """Fail unless the network's parameters include those of the layers and all get gradients.

        The gradient is that of a random combination of `out`.
        """
        self.tensor("the output", out)
        named = dict(network.named_parameters())
        inner = {remote.identity(parameter) for layer in layers for parameter in layer.parameters()}
        if inner - set(map(remote.identity, named.values())):
            raise PropertyFailed(
                "some layers are not registered in the network, so they are never trained. "
                "Likely cause: a plain list in place of nn.ModuleList."
            )
        gradients = remote.gradients(out, self.noise(*out.shape), list(named.values()))
        for name, gradient in zip(named, gradients, strict=True):
            if gradient is None or not gradient.abs().max() > 0:
                raise PropertyFailed(f"the parameter {name} has no influence on the output.")


def _failure(
    what: str, text: str, cause: str = "", tensors: tuple[Tensor, Tensor] | None = None
) -> PropertyFailed:
    likely = f" Likely cause: {cause}." if cause else ""
    return PropertyFailed(f"{what}: {text}.{likely}", tensors)


def _finite(what: str, values: Tensor) -> Tensor:
    if not torch.isfinite(values).all():
        raise _failure(what, "some values are infinite or not numbers")
    return values.detach()


def _difference(got: Tensor, expected: Tensor) -> float:
    return (got - expected.double()).abs().max().item()


def _apart(got: Tensor, expected: Tensor) -> Tensor:
    """Return the angles between two angles each, without their sign: at most π."""
    return (torch.remainder(got - expected.double() + math.pi, 2 * math.pi) - math.pi).abs()


def _recognized(
    got: Tensor, mistakes: Mapping[str, Tensor] | None, distance: Callable[[Tensor, Tensor], float]
) -> str:
    """Return the cause whose wrong result `got` is, if any."""
    for cause, wrong in (mistakes or {}).items():
        if wrong.shape == got.shape and distance(got, wrong.detach()) < 1e-4:
            return cause
    return ""


def _numbers(values: Tensor) -> object:
    """Return a small tensor as nested lists of short numbers, without negative zeros."""
    return ((values * 1e4).round() / 1e4 + 0.0).tolist()
