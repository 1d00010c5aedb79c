"""Pictures for feedback: what came beside what was expected."""

from __future__ import annotations

import io
import math

from matplotlib.figure import Figure
from torch import Tensor

SHOWN = 6  # slices side by side
ALT = "In the upper row what your code gave, in the lower row what was expected."


def png(got: Tensor, expected: Tensor) -> bytes | None:
    """Return the picture of `compare` as PNG, if there is one."""
    figure = compare(got, expected)
    if figure is None:
        return None
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110, facecolor="white")
    return file.getvalue()


def compare(got: Tensor, expected: Tensor) -> Figure | None:
    """Draw the slices in which two tensors differ most, the student's above the expected ones.

    Tensors [2, N, k, k] of coordinates are drawn as grids of points, others [..., k, k] as images.
    None if there is nothing to draw: other shapes, or too large.
    """
    if got.shape != expected.shape or got.dim() < 3 or not 3 <= got.shape[-1] <= 32:
        return None
    got, expected = got.detach().float(), expected.detach().float()
    if got.shape[0] == 2 and got.dim() == 4 and expected.abs().max() <= math.sqrt(2) + 1e-3:
        got, expected = got.transpose(0, 1), expected.transpose(0, 1)
        return _draw(
            got, expected, "Grids, the corner of the first row and column marked", "element"
        )
    got, expected = got.flatten(0, -3), expected.flatten(0, -3)
    return _draw(got, expected, "The slices that differ most", "slice")


def _draw(got: Tensor, expected: Tensor, title: str, name: str) -> Figure:
    """Draw at most SHOWN of grids [N, 2, k, k] or images [N, k, k], in order."""
    apart = (got - expected).abs().flatten(1).amax(dim=1)
    chosen = sorted(apart.argsort(descending=True, stable=True)[:SHOWN].tolist())
    low, high = expected[chosen].min().item(), expected[chosen].max().item()
    figure = Figure(figsize=(1.7 * len(chosen) + 0.6, 4))  # not pyplot's, which is the student's
    axes = figure.subplots(2, len(chosen), squeeze=False)
    figure.suptitle(title)
    for column, index in enumerate(chosen):
        axes[0, column].set_title(f"{name} {index}")
        for axis, values in zip(axes[:, column], (got[index], expected[index]), strict=True):
            axis.set(xticks=[], yticks=[])
            if values.dim() == 2:
                axis.imshow(values.numpy(), cmap="viridis", vmin=low, vmax=high)
                continue
            down, along = values.flatten(1).numpy()
            axis.scatter(along, down, s=8, color="#0040b3")
            axis.scatter(along[0], down[0], s=60, color="#cc5f00")
            axis.set(xlim=(-1.6, 1.6), ylim=(1.6, -1.6), aspect="equal")
    axes[0, 0].set_ylabel("yours")
    axes[1, 0].set_ylabel("expected")
    figure.tight_layout()
    return figure
