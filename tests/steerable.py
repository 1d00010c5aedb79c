"""escnn's layers with random weights, in our layout, for the tests that compare ours with them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor

# escnn computes its filters from a basis in float32.
TOLERANCE: dict[str, Any] = {"rtol": 0, "atol": 1e-5}


class Theirs:
    """A lifting and a group convolution over the fibre group H of `space`, one of escnn's gspaces.

    `places` holds, for each of our elements, the place of theirs that it is; by default the two
    orders are the same. Kernels are [C_out, |H|, C_in, (|H|,) k, k].
    """

    def __init__(
        self,
        escnn: ModuleType,
        space: Any,
        inputs: int,
        outputs: int,
        size: int,
        places: Tensor | None = None,
    ) -> None:
        self.order, self.inputs, self.outputs = space.fibergroup.order(), inputs, outputs
        self.places = torch.arange(self.order) if places is None else places
        self.image = escnn.nn.FieldType(space, inputs * [space.trivial_repr])
        self.lifted = escnn.nn.FieldType(space, inputs * [space.regular_repr])
        out = escnn.nn.FieldType(space, outputs * [space.regular_repr])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.order)
            self.lifting_layer = escnn.nn.R2Conv(self.image, out, size, bias=False).double()
            self.group_layer = escnn.nn.R2Conv(self.lifted, out, size, bias=False).double()
        self.tensor = escnn.nn.GeometricTensor
        self.lifting_kernels = self._filters(self.lifting_layer)
        filters = self._filters(self.group_layer).unflatten(2, (inputs, self.order))
        self.group_kernels = filters[:, :, :, self.places]

    def _filters(self, layer: Any) -> Tensor:
        filters = layer.expand_parameters()[0].detach()
        return filters.unflatten(0, (self.outputs, self.order))[:, self.places]

    @torch.no_grad()
    def lifting(self, x: Tensor) -> Tensor:
        """[B, C_in, X, Y] to [B, C_out, |H|, X', Y']."""
        return self._in_our_order(self.lifting_layer(self.tensor(x, self.image)).tensor)

    @torch.no_grad()
    def group(self, x: Tensor) -> Tensor:
        """[B, C_in, |H|, X, Y] to [B, C_out, |H|, X', Y']."""
        x = x[:, :, self.places.argsort()].flatten(1, 2)
        return self._in_our_order(self.group_layer(self.tensor(x, self.lifted)).tensor)

    def _in_our_order(self, out: Tensor) -> Tensor:
        return out.unflatten(1, (self.outputs, self.order))[:, :, self.places]
