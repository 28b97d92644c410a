"""Random stacks: a lifting layer, then scale convolutions, ReLU between them, no bias.

Without bias such a stack is positively homogeneous: a factor on a layer's coefficients is a factor
on its response, and no relative error depends on it. So the coefficients, normal at first, are
divided layer by layer by the root mean square of the response to one batch of images. All responses
then have a mean square of 1, whatever the depth, and one factor for all scales leaves the filters
steerable.

Images are padded with zeros, as in the published networks, or continue periodically: then there is
no border, and a response is that of the infinite plane.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.panels.settings import WIDE_SUPPORT
from sesn_impl import LiftingConv2d, ScaleConv2d, SteerableBasis
from verification.reference.continuum import HermiteBasis, sampled_filters
from verification.reference.correlation import correlate

Layer = LiftingConv2d | ScaleConv2d


class Stack:
    """A random stack of L layers with the same basis, channels and scale extent.

    basis: its scales are those of all layers. depth: L, at least 1. extent: K_S of the scale
    convolutions. generator: of the coefficients. functions: where given, [N_b, n, n] of each scale,
    used by Fourier transforms in place of the layers' own: the same sums, cheap for wide filters.
    stride: of the first layer; may be changed.

    Raises ValueError for a depth below 1.
    """

    def __init__(
        self,
        basis: SteerableBasis,
        depth: int,
        channels: int,
        generator: torch.Generator,
        extent: int = 1,
        functions: Sequence[Tensor] | None = None,
    ) -> None:
        if depth < 1:
            raise ValueError(f"depth={depth!r}: must be at least 1 layer")
        self.basis = basis
        self.functions = functions
        self.stride = 1
        self.layers: list[Layer] = [LiftingConv2d(1, channels, basis, bias=False)]
        self.layers += [
            ScaleConv2d(channels, channels, basis, extent, bias=False) for _ in range(depth - 1)
        ]
        with torch.no_grad():
            for layer in self.layers:
                layer.weight.normal_(generator=generator)

    def with_extent(self, extent: int) -> Self:
        """The same coefficients as far as they reach over `extent` scales."""
        channels, generator = self.layers[0].weight.shape[0], torch.Generator()
        other = type(self)(
            self.basis, len(self.layers), channels, generator, extent, self.functions
        )
        for mine, its in zip(self.layers, other.layers, strict=True):
            weight = mine.weight if mine.weight.ndim == 3 else mine.weight[:, :, :extent]
            its.weight.data.copy_(weight)
        return other

    def not_cut_off(self) -> Self:
        """The same coefficients on filters that reach ±4 σ: the floor."""
        other = self.with_extent(1 if len(self.layers) == 1 else self.layers[1].weight.shape[2])
        other.functions = [f.float() for f in wide_functions(self.basis)]
        return other

    def calibrate(self, images: Tensor, periodic: bool = False) -> None:
        """Gives every response to images [B, 1, H, W] a mean square of 1."""
        x = images.float()
        with torch.no_grad():
            for layer in self.layers:
                y = self._apply(layer, x, periodic)
                size = y.square().mean().sqrt()
                layer.weight.div_(size)
                x = y.div_(size).relu_()

    def responses(self, images: Tensor, periodic: bool = False) -> Iterator[Tensor]:
        """Response of each layer, before its ReLU: [B, 1, H, H] -> [B, C, S, H, H] float32."""
        x = images.float()
        for i in range(len(self.layers)):
            y = self.respond(i, x, periodic)
            yield y
            x = y.relu()

    def last(self, images: Tensor, periodic: bool = False) -> Tensor:
        """Response of the last layer: [B, 1, H, H] -> [B, C, S, H, H] float32."""
        *_, response = self.responses(images, periodic)
        return response

    def respond(self, i: int, x: Tensor, periodic: bool = False) -> Tensor:
        """Response of layer number i to what reaches it, [B, (C,) S, H, W] float32."""
        with torch.no_grad():
            y = self._apply(self.layers[i], x, periodic)
        return y[..., :: self.stride, :: self.stride] if i == 0 else y

    def _apply(self, layer: Layer, x: Tensor, periodic: bool) -> Tensor:
        if self.functions is not None:
            return _by_transforms(layer.weight, x, self.functions, periodic)
        reach = self.basis.kernel_size // 2
        layer.padding = 0 if periodic else reach
        # A filter wider than the image goes around it more than once; none here does.
        frame = [reach] * 4 + [0] * 2 * (x.ndim - 4)
        y: Tensor = layer(F.pad(x, frame, mode="circular") if periodic else x)
        return y


def wide_functions(basis: HermiteBasis, support: float = WIDE_SUPPORT) -> list[Tensor]:
    """The basis functions on `support`·σ pixels at each scale: each [N_b, n, n] float64.

    They are evaluated by `verification`, not by the layers.
    """
    sides = [int(support * scale) // 2 * 2 + 1 for scale in basis.scales]
    return [torch.from_numpy(sampled_filters(basis, i, side)) for i, side in enumerate(sides)]


def _by_transforms(
    weight: Tensor, x: Tensor, functions: Sequence[Tensor], periodic: bool
) -> Tensor:
    """As a layer with coefficients [C_out, C_in, (K_S,) N_b]: -> [B, C_out, S, H, W]."""
    answers = []
    for scale, function in enumerate(functions):
        # A lifting layer has no scale axis, hence no neighbours to sum over.
        extent = 1 if weight.ndim == 3 else min(weight.shape[2], len(functions) - scale)
        inputs = x if weight.ndim == 3 else x[:, :, scale : scale + extent].flatten(1, 2)
        used = weight if weight.ndim == 3 else weight[:, :, :extent].flatten(1, 2)
        filters = torch.einsum("ocb,byx->ocyx", used, function)
        answers.append(correlate(inputs, filters, periodic))
    return torch.stack(answers, dim=2)
