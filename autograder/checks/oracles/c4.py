"""Exact C₄ convolutions, written independently of the lesson: quarter turns and shifts only.

Nothing here interpolates and nothing comes from the lesson's solution, so that hidden tests do not
compare the solution with itself. Formulas: Cohen and Welling, Group Equivariant Convolutional
Networks, ICML 2016, section 6.

B batch, O output channels, I input channels, k kernel size, X and Y height and width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

PLANE = (-2, -1)


def lifting_kernels(weight: Tensor, sense: int = 1) -> Tensor:
    """Return the four poses of a kernel [O, I, k, k]: [O, 4, I, k, k]; sense -1 turns clockwise."""
    return torch.stack([torch.rot90(weight, sense * h, PLANE) for h in range(4)], dim=1)


def lifting(x: Tensor, weight: Tensor, padding: int = 0, sense: int = 1) -> Tensor:
    """Lifting convolution of x [B, I, X, Y] with [O, I, k, k]: [B, O, 4, X', Y']."""
    kernels = lifting_kernels(weight, sense)
    slices = [F.conv2d(x, kernels[:, h], padding=padding) for h in range(4)]
    return torch.stack(slices, dim=2)


def group_kernels(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the kernels of [O, I, 4, k, k] in both right orders: each [O, 4, I, 4, k, k].

    The group axis may be sampled at h⁻¹h̃ or at h̃⁻¹h. The second is the first for weights whose
    group axis is reversed, so both give an equivariant layer.
    """
    first, second = [], []
    for h in range(4):
        turned = torch.rot90(weight, h, PLANE)
        first.append(turned[:, :, [(pose - h) % 4 for pose in range(4)]])
        second.append(turned[:, :, [(h - pose) % 4 for pose in range(4)]])
    return torch.stack(first, dim=1), torch.stack(second, dim=1)


def group(x: Tensor, weight: Tensor, padding: int = 0) -> tuple[Tensor, Tensor]:
    """Group convolution of x [B, I, 4, X, Y] with [O, I, 4, k, k], for both orders of the kernels.

    Each is [B, O, 4, X', Y'].
    """
    first, second = group_kernels(weight)
    return convolve(x, first, padding), convolve(x, second, padding)


def convolve(x: Tensor, kernels: Tensor, padding: int = 0) -> Tensor:
    """Group convolution of x [B, I, n, X, Y] with kernels [O, n, I, n, k, k]: [B, O, n, X', Y'].

    The sum over the n elements is written as a sum, not as a folding of axes.
    """
    n = range(x.shape[2])
    slices = [
        torch.stack([F.conv2d(x[:, :, j], kernels[:, h, :, j], padding=padding) for j in n]).sum(0)
        for h in n
    ]
    return torch.stack(slices, dim=2)
