"""What a hidden property is given: seeded inputs, and comparisons that explain a failure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from autograder.checks import oracle


class PropertyFailed(Exception):
    """A property does not hold; the message says what was expected, what came, and why maybe."""


class Given:
    """Inputs from one seed, and comparisons; every method that compares raises PropertyFailed."""

    oracle = oracle

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    # Inputs

    def noise(self, *shape: int) -> Tensor:
        """Return normally distributed numbers of this shape."""
        return torch.randn(*shape, generator=self.generator)

    def elements(self, order: int, count: int) -> Tensor:
        """Return `count` elements of the cyclic group of this order, angles in radians."""
        index = torch.randint(order, (count,), generator=self.generator)
        return index * (2 * math.pi / order)

    def rotation(self, angle: Tensor) -> Tensor:
        """Return the matrix [2, 2] that turns counter-clockwise by one angle in radians."""
        c, s = math.cos(float(angle)), math.sin(float(angle))
        return torch.tensor([[c, -s], [s, c]], dtype=angle.dtype)

    def turned_grids(self, order: int, size: int, sense: int) -> Tensor:
        """Return a grid turned by sense · h for all h of C_order: [2, order, size, size]."""
        axis = [2 * i / (size - 1) - 1 for i in range(size)]
        grids = torch.empty(2, order, size, size, dtype=torch.float64)
        for h in range(order):
            c = math.cos(sense * h * 2 * math.pi / order)
            s = math.sin(sense * h * 2 * math.pi / order)
            for i, down in enumerate(axis):
                for j, along in enumerate(axis):
                    grids[0, h, i, j] = c * down - s * along
                    grids[1, h, i, j] = s * down + c * along
        return grids.float()

    def acted(self, x: Tensor, turns: int, sense: int = 1) -> Tensor:
        """Return lifted features [B, C, |H|, X, Y] after the action of turns · 90°."""
        steps = sense * turns * x.shape[2] // 4
        return torch.rot90(x, turns, (-2, -1)).roll(steps, dims=2)

    def set_weight(self, kernel: nn.Module, *shape: int) -> None:
        """Give a kernel random weights of this shape."""
        weight = getattr(kernel, "weight", None)
        self.shape("the weight", weight, shape)
        weight.data.copy_(self.noise(*shape))

    def weight_of(self, kernel: nn.Module) -> Tensor:
        """Return a copy of a kernel's weight."""
        return kernel.weight.detach().clone()

    # Comparisons

    def true(self, what: str, holds: bool) -> None:
        """Fail unless `holds`."""
        if not holds:
            raise PropertyFailed(f"{what}: this does not hold.")

    def equal(self, what: str, got: object, expected: object) -> None:
        """Fail unless the two are equal."""
        if got != expected:
            raise PropertyFailed(f"{what}: expected {expected}, got {got}.")

    def tensor(self, what: str, got: object) -> Tensor:
        """Return `got` without its gradient; fail unless it is a finite tensor."""
        if got is ...:
            raise PropertyFailed(f"{what}: a block still holds `...`.")
        if not isinstance(got, Tensor):
            raise PropertyFailed(f"{what}: expected a tensor, got {type(got).__name__}.")
        if not torch.isfinite(got).all():
            raise PropertyFailed(f"{what}: some values are infinite or not numbers.")
        return got.detach()

    def shape(self, what: str, got: object, expected: Sequence[int]) -> None:
        """Fail unless `got` is a tensor of this shape."""
        shape = tuple(self.tensor(what, got).shape)
        if shape != tuple(expected):
            raise PropertyFailed(f"{what}: expected the shape {tuple(expected)}, got {shape}.")

    def close(
        self, what: str, got: object, expected: Tensor, cause: str = "", tolerance: float = 1e-4
    ) -> None:
        """Fail unless shapes agree, and values up to `tolerance` times the largest expected one."""
        self.shape(what, got, expected.shape)
        got, expected = self.tensor(what, got).double(), expected.detach().double()
        difference = (got - expected).abs().max().item()
        if difference > tolerance * max(1.0, expected.abs().max().item()):
            text = f"{what}: {_difference(got, expected, difference)}"
            raise PropertyFailed(f"{text} Likely cause: {cause}." if cause else text)

    def close_to_one(self, what: str, got: object, alternatives: Sequence[Tensor]) -> None:
        """Fail unless `got` is close to one of several right results."""
        for expected in alternatives[1:]:
            try:
                return self.close(what, got, expected)
            except PropertyFailed:
                continue
        self.close(what, got, alternatives[0])

    def angles(self, what: str, got: object, expected: Tensor) -> None:
        """Fail unless two tensors of angles agree modulo 2π."""
        self.shape(what, got, expected.shape)
        got = self.tensor(what, got).double()
        apart = torch.remainder(got - expected.double() + math.pi, 2 * math.pi) - math.pi
        if apart.abs().max() > 1e-4:
            worst = apart.abs().flatten().argmax()
            pair = (math.degrees(t.flatten()[worst]) for t in (expected, got))
            raise PropertyFailed("{}: expected {:.1f}°, got {:.1f}°.".format(what, *pair))

    def in_circle(self, what: str, got: object) -> None:
        """Fail unless all angles lie in [0, 2π], up to rounding."""
        got = self.tensor(what, got)
        if got.min() < -1e-4 or got.max() > 2 * math.pi + 1e-4:
            low, high = math.degrees(got.min()), math.degrees(got.max())
            raise PropertyFailed(
                f"{what}: expected angles from 0° to 360°, got {low:.0f}° to {high:.0f}°. "
                "Likely cause: the remainder modulo 2π is missing."
            )

    def varies(self, what: str, got: object) -> None:
        """Fail if the images of a batch [B, ...] all give the same result."""
        got = self.tensor(what, got)
        if got.std(dim=0).max() < 1e-6:
            raise PropertyFailed(f"{what}: it does not depend on the image.")

    def full_influence(self, what: str, sample: Callable[[], Tensor], kernel: nn.Module) -> None:
        """Fail unless every weight has an influence of its own on the sampled kernels.

        Sampling is linear in the weights; its matrix must have full rank.
        """
        weight = kernel.weight.data
        rows = []
        for index in range(weight.numel()):
            weight.zero_().view(-1)[index] = 1
            rows.append(self.tensor(what, sample()).flatten().clone())
        rank = torch.linalg.matrix_rank(torch.stack(rows)).item()
        if rank < weight.numel():
            raise PropertyFailed(
                f"{what}: only {rank} of {weight.numel()} weights have an influence of their own."
            )

    def gradients(self, what: str, out: Tensor, network: nn.Module) -> None:
        """Fail unless every parameter of the network receives a gradient from its output."""
        self.tensor(what, out)
        network.zero_grad()
        (out * self.noise(*out.shape)).sum().backward()
        for name, parameter in network.named_parameters():
            if parameter.grad is None or not parameter.grad.abs().max() > 0:
                raise PropertyFailed(f"{what}: the parameter {name} has no influence on it.")


def _difference(got: Tensor, expected: Tensor, difference: float) -> str:
    if got.numel() <= 9:
        pair = [[round(value, 4) for value in t.flatten().tolist()] for t in (expected, got)]
        return f"expected {pair[0]}, got {pair[1]}."
    return f"values differ from what is expected by up to {difference:.3g}."
