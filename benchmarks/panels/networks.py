"""Random stacks: a lifting layer, then scale convolutions, ReLU between them, no bias.

Without bias such a stack is positively homogeneous: a factor on a layer's coefficients is a factor
on its response, and no relative error depends on it. So the coefficients, normal at first, are
divided layer by layer by the root mean square of the response to one batch of images. All responses
then have a mean square of 1, whatever the depth, and one factor for all scales leaves the filters
steerable.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from sesn_impl import LiftingConv2d, ScaleConv2d, SteerableBasis

Layer = LiftingConv2d | ScaleConv2d


class Stack:
    """A random stack of L layers with the same basis, channels and scale extent.

    basis: its scales are those of all layers. depth: L, at least 1. extent: K_S of the scale
    convolutions. generator: of the coefficients. Padding keeps the image size unless `valid`.

    Raises ValueError for a depth below 1.
    """

    def __init__(
        self,
        basis: SteerableBasis,
        depth: int,
        channels: int,
        generator: torch.Generator,
        extent: int = 1,
    ) -> None:
        if depth < 1:
            raise ValueError(f"depth={depth!r}: must be at least 1 layer")
        padding = basis.kernel_size // 2
        self.basis = basis
        self.layers: list[Layer] = [LiftingConv2d(1, channels, basis, padding=padding, bias=False)]
        self.layers += [
            ScaleConv2d(channels, channels, basis, extent, padding=padding, bias=False)
            for _ in range(depth - 1)
        ]
        with torch.no_grad():
            for layer in self.layers:
                layer.weight.normal_(generator=generator)

    @property
    def window(self) -> int:
        """Side in pixels of an input whose centre output sees no border."""
        return len(self.layers) * (self.basis.kernel_size - 1) + 1

    @property
    def coefficients(self) -> list[Tensor]:
        """Coefficients of each layer, as `LiftingConv2d` and `ScaleConv2d` hold them."""
        return [layer.weight.detach() for layer in self.layers]

    def calibrate(self, images: Tensor) -> None:
        """Gives every response to images [B, 1, H, W] a mean square of 1."""
        x = images.float()
        with torch.no_grad():
            for layer in self.layers:
                y = layer(x)
                size = y.square().mean().sqrt()
                layer.weight.div_(size)
                x = y.div_(size).relu_()

    def responses(self, images: Tensor, valid: bool = False) -> Iterator[Tensor]:
        """Response of each layer, before its ReLU: [B, 1, H, W] -> [B, C, S, H', W'] float32.

        valid: no padding, so that each layer leaves a margin of V//2 pixels; else H' = H.
        """
        x = images.float()
        for layer in self.layers:
            layer.padding = 0 if valid else self.basis.kernel_size // 2
            with torch.no_grad():
                y = layer(x)
            yield y
            x = y.relu()
