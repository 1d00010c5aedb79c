"""The dihedral groups, written independently of the lesson: pairs (angle, flip) number by number.

A pair acts by first mirroring, if its flip is 1, then turning by its angle; the mirror exchanges
left and right. Elements are ordered with all rotations first. On pixels, everything is done with
`rot90` and `flip`, exactly. B batch, O output channels, I input channels, k kernel size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from autograder.checks.oracles.c4 import convolve

PLANE = (-2, -1)


def product(a: Tensor, b: Tensor) -> Tensor:
    """Return the products of pairs [..., 2], angles not yet modulo 2π."""
    a, b = torch.broadcast_tensors(a, b)
    products = []
    for first, second in zip(a.reshape(-1, 2).tolist(), b.reshape(-1, 2).tolist(), strict=True):
        sign = -1 if first[1] else 1
        products.append([first[0] + sign * second[0], (first[1] + second[1]) % 2])
    return torch.tensor(products, dtype=a.dtype).reshape(a.shape)


def inverse(h: Tensor) -> Tensor:
    """Return the inverses of pairs [..., 2], angles not yet modulo 2π."""
    return torch.where(h[..., 1:] == 1, h, h * torch.tensor([-1.0, 1.0]).to(h))


def matrices(h: Tensor, turned_first: bool = False, other_axis: bool = False) -> Tensor:
    """Return the matrices [..., 2, 2] of pairs; or wrong ones, for messages."""
    acting = []
    for angle, flip in h.reshape(-1, 2).tolist():
        c, s = math.cos(angle), math.sin(angle)
        turn = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
        signs = [-1.0, 1.0] if other_axis else [1.0, -1.0]
        mirror = torch.diag(torch.tensor(signs if flip else [1.0, 1.0], dtype=torch.float64))
        acting.append(mirror @ turn if turned_first else turn @ mirror)
    return torch.stack(acting).to(h.dtype).reshape(*h.shape[:-1], 2, 2)


def table(n: int) -> list[list[int]]:
    """Return the places of all products a · b in D_n, a counting rows and b columns."""
    return [
        [
            (a + (-1 if a >= n else 1) * b) % n + n * ((a >= n) != (b >= n))  # a = turn + n · flip
            for b in range(2 * n)
        ]
        for a in range(2 * n)
    ]


def places_back(n: int, flipped: bool = True) -> list[list[int]]:
    """Return the places of h⁻¹ · h̃, h counting rows: in D_n, or in C_n if not `flipped`."""
    if not flipped:
        return [[(other - h) % n for other in range(n)] for h in range(n)]
    products = table(n)
    return [products[row.index(0)] for row in products]


def act(x: Tensor, turns: int, flip: int) -> Tensor:
    """Return images turned by turns · 90° after they were mirrored, if `flip`."""
    return torch.rot90(x.flip(-1) if flip else x, turns, PLANE)


def act_on_features(x: Tensor, turns: int, flip: int, places: Sequence[int]) -> Tensor:
    """Return L_g of features [B, C, |H|, X, Y]; `places` are those of g⁻¹h for all h."""
    return act(x, turns, flip)[:, :, places]


def group_kernels(weight: Tensor) -> Tensor:
    """Return the kernels of D₄ for a weight [O, I, 8, k, k]: [O, 8, I, 8, k, k]."""
    places = places_back(4)
    poses = [act(weight, h % 4, h // 4)[:, :, places[h]] for h in range(8)]
    return torch.stack(poses, dim=1)


def group(x: Tensor, weight: Tensor, padding: int = 0) -> Tensor:
    """Group convolution over D₄ of x [B, I, 8, X, Y] with [O, I, 8, k, k]: [B, O, 8, X', Y']."""
    return convolve(x, group_kernels(weight), padding)
