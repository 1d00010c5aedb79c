"""Pictures for feedback: what came beside what was expected."""

from __future__ import annotations

import io
import math

from IPython.display import Image, display
from matplotlib.figure import Figure
from torch import Tensor

SHOWN = 6  # slices side by side
ALT = "In the upper row what your code gave, in the lower row what was expected."


def show(got: Tensor, expected: Tensor) -> None:
    """Display the picture of `compare` in a notebook, if there is one."""
    picture = png(got, expected)
    if picture is not None:
        display(Image(picture, alt=ALT))


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

    Tensors [2, N, k, k] with N > 1 are drawn as grids of points, others [..., k, k] as images. None
    if there is nothing to draw: other shapes, or too large.
    """
    if got.shape != expected.shape or got.dim() < 3 or not 3 <= got.shape[-1] <= 32:
        return None
    got, expected = got.detach().float(), expected.detach().float()
    if got.shape[0] == 2 and got.dim() == 4 and expected.abs().max() <= math.sqrt(2) + 1e-3:
        return _grids(got, expected)
    return _images(got.flatten(0, -3), expected.flatten(0, -3))


def _most_different(got: Tensor, expected: Tensor) -> list[int]:
    """Return the indices of at most SHOWN slices [N, ...] that differ most, in order."""
    apart = (got - expected).abs().flatten(1).amax(dim=1)
    return sorted(apart.argsort(descending=True, stable=True)[:SHOWN].tolist())


def _panels(columns: int, title: str):
    # Not pyplot, whose state belongs to the student.
    figure = Figure(figsize=(1.7 * columns + 0.6, 4))
    axes = figure.subplots(2, columns, squeeze=False)
    figure.suptitle(title)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    axes[0, 0].set_ylabel("yours")
    axes[1, 0].set_ylabel("expected")
    return figure, axes


def _grids(got: Tensor, expected: Tensor) -> Figure:
    chosen = _most_different(got.transpose(0, 1), expected.transpose(0, 1))
    figure, axes = _panels(len(chosen), "Grids, the corner of the first row and column marked")
    for column, index in enumerate(chosen):
        axes[0, column].set_title(f"element {index}")
        for row, grid in enumerate((got, expected)):
            axis = axes[row, column]
            down, along = grid[:, index].flatten(1).numpy()
            axis.scatter(along, down, s=8, color="#0040b3")
            axis.scatter(along[0], down[0], s=60, color="#cc5f00")
            axis.set(xlim=(-1.6, 1.6), ylim=(1.6, -1.6), aspect="equal")
    figure.tight_layout()
    return figure


def _images(got: Tensor, expected: Tensor) -> Figure:
    chosen = _most_different(got, expected)
    figure, axes = _panels(len(chosen), "The slices that differ most")
    low, high = expected[chosen].min().item(), expected[chosen].max().item()
    for column, index in enumerate(chosen):
        axes[0, column].set_title(f"slice {index}")
        for row, images in enumerate((got, expected)):
            axes[row, column].imshow(images[index].numpy(), cmap="viridis", vmin=low, vmax=high)
    figure.tight_layout()
    return figure
