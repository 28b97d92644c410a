"""Mistakes in what a scale convolution reads along the scale axis, for K_S = 2 or more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from sesn_impl.layers import ScaleConv2d
from verification.broken_layers.broken_layer import (
    Altered,
    BrokenLayer,
    bias_of,
    with_basis,
    with_functions,
)

_SCALE = ("scale",)


def _padded_at_fine_end(layer: ScaleConv2d) -> nn.Module:
    # Reversing the scale axis of input, filters and output moves the zeros to the fine end.
    mirrored = with_functions(layer, layer.basis.functions.flip(1))
    supports = tuple(reversed(layer.basis.supports))
    mirrored = with_basis(layer, replace(mirrored.basis, supports=supports))
    return Altered(mirrored, before=lambda x: x.flip(2), after=lambda y: y.flip(2))


class _SteppedBy(nn.Module):
    """Each step k of the scale axis by itself, with input scales chosen by a rule.

    reads: (i, k, K_S, S) -> the input scale whose image output scale i sees at step k, or none.
    filters_of_input: whether the image is filtered at its own scale, not at the output's.
    """

    def __init__(
        self,
        layer: ScaleConv2d,
        reads: Callable[[int, int, int, int], int | None],
        filters_of_input: bool = False,
    ) -> None:
        super().__init__()
        self.layer = layer
        self.reads = reads
        self.filters_of_input = filters_of_input

    def forward(self, x: Tensor) -> Tensor:
        """The sum over steps of what each adds."""
        extent, scales = self.layer.scale_extent, x.shape[2]
        zero = torch.zeros_like(x[:, :, 0])
        total: Tensor = bias_of(self.layer)
        for step in range(extent):
            seen = [self.reads(i, step, extent, scales) for i in range(scales)]
            images = torch.stack([zero if s is None else x[:, :, s] for s in seen], 2)
            filters_at = [
                s if self.filters_of_input and s is not None else i for i, s in enumerate(seen)
            ]
            total = total + self._added(images, step, filters_at)
        return total

    def _added(self, images: Tensor, step: int, filters_at: list[int]) -> Tensor:
        basis = self.layer.basis
        chosen = replace(
            basis,
            functions=basis.functions[:, filters_at],
            supports=(basis.kernel_size,) * basis.num_scales,
        )
        single = ScaleConv2d(
            self.layer.in_channels, self.layer.out_channels, chosen, 1, self.layer.stride,
            self.layer.padding, bias=False,
        ).to(self.layer.weight)  # fmt: skip
        weights = {"weight": self.layer.weight[:, :, step : step + 1]}
        y: Tensor = torch.func.functional_call(single, weights, (images,))
        return y


def _reading(
    reads: Callable[[int, int, int, int], int | None], filters_of_input: bool = False
) -> Callable[[ScaleConv2d], nn.Module]:
    return lambda layer: _SteppedBy(layer, reads, filters_of_input)


BROKEN_NEIGHBOURS = (
    BrokenLayer(
        "padded_at_fine_end",
        "The scale axis padded below the smallest scale in place of above the largest.",
        ("response", "scale_equivariance"),
        "neighbours",
        _padded_at_fine_end,
        _SCALE,
    ),
    BrokenLayer(
        "padded_by_wrap_around",
        "`roll` along the scale axis, which brings the smallest scale above the largest.",
        ("response",),
        "neighbours",
        _reading(lambda i, k, extent, scales: (i + k) % scales),
        _SCALE,
    ),
    BrokenLayer(
        "padded_by_repetition",
        "Mode 'replicate' when the scale axis is padded.",
        ("response",),
        "neighbours",
        _reading(lambda i, k, extent, scales: min(i + k, scales - 1)),
        _SCALE,
    ),
    BrokenLayer(
        "neighbours_reversed",
        "The weight's axis K_S counted from the coarse end.",
        ("response",),
        "neighbours",
        _reading(lambda i, k, extent, scales: _inside(i + extent - 1 - k, scales)),
        _SCALE,
    ),
    BrokenLayer(
        "neighbours_left_out",
        "An option `scale_extent` that is stored, and K_S = 1 in the loop.",
        ("response",),
        "neighbours",
        _reading(lambda i, k, extent, scales: None if k else i),
        _SCALE,
    ),
    BrokenLayer(
        "next_scale_read",
        "Scales counted from 1, so that each output starts at the next coarser input.",
        ("response", "scale_equivariance"),
        "neighbours",
        _reading(lambda i, k, extent, scales: _inside(i + k + 1, scales)),
        _SCALE,
    ),
    BrokenLayer(
        "filters_of_input_scale",
        "Every input scale filtered once, at its own scale, and the results added.",
        ("response",),
        "neighbours",
        _reading(lambda i, k, extent, scales: _inside(i + k, scales), filters_of_input=True),
        _SCALE,
    ),
)


def _inside(scale: int, scales: int) -> int | None:
    return scale if scale < scales else None
