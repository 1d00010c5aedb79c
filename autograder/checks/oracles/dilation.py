"""Kernels that are enlarged, written independently of the lesson: linearly between the pixels."""

from __future__ import annotations

import torch
from torch import Tensor


def enlarged(weight: Tensor, h: float, size: int) -> Tensor:
    """Return weights [..., k, k] enlarged by h, on size × size pixels: [..., size, size]."""
    places = torch.arange(size) - size // 2
    centres = torch.arange(weight.shape[-1]) - weight.shape[-1] // 2
    tents = (1 - (places[:, None] / h - centres).abs()).clamp(min=0)
    return tents @ weight @ tents.T
