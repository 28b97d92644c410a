"""Changes that look like mistakes and are none: no input tells them from the intact module.

They are kept beside the broken layers, each with the reason why no check can reject it; a test
shows that outputs and gradients are the intact ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from sesn_impl.basis import hermite_basis_a
from sesn_impl.layers import LiftingConv2d, ScaleConv2d, ScaleMaxProjection
from verification.broken_layers.broken_layer import (
    Altered,
    SteerableConv,
    with_basis,
    with_functions,
)
from verification.broken_layers.filters import BROKEN_FILTERS
from verification.broken_layers.intact_layers import seeded
from verification.broken_layers.inter_scale import BROKEN_NEIGHBOURS


@dataclass(frozen=True)
class Equivalent:
    """A change without effect, and why it has none.

    build: a seed -> the intact module, the changed one, and the shape of their input.
    """

    name: str
    reason: str
    build: Callable[[int], tuple[nn.Module, nn.Module, tuple[int, ...]]]


_SCALES = (1.5, 2.25, 3.0)
_BASIS = hermite_basis_a(9, _SCALES, 2)
_EVEN = hermite_basis_a(9, _SCALES, 1)
_IMAGE, _STACK = (2, 2, 9, 9), (2, 2, 3, 9, 9)


def _broken(name: str) -> Callable[[Any], nn.Module]:
    return next(m.make for m in (*BROKEN_FILTERS, *BROKEN_NEIGHBOURS) if m.name == name)


def _lifting(seed: int) -> SteerableConv:
    return seeded(lambda: LiftingConv2d(2, 3, _BASIS, padding=4))(seed)


def _even_lifting(name: str) -> Callable[[int], tuple[nn.Module, nn.Module, tuple[int, ...]]]:
    def build(seed: int) -> tuple[nn.Module, nn.Module, tuple[int, ...]]:
        layer = seeded(lambda: LiftingConv2d(2, 3, _EVEN, padding=4))(seed)
        return layer, _broken(name)(layer), _IMAGE

    return build


def _single_extent(name: str) -> Callable[[int], tuple[nn.Module, nn.Module, tuple[int, ...]]]:
    def build(seed: int) -> tuple[nn.Module, nn.Module, tuple[int, ...]]:
        layer = seeded(lambda: ScaleConv2d(2, 3, _BASIS, padding=4))(seed)
        return layer, _broken(name)(layer), _STACK

    return build


def _padded_filters(seed: int) -> tuple[nn.Module, nn.Module, tuple[int, ...]]:
    layer = _lifting(seed)
    whole = replace(layer.basis, supports=(layer.basis.kernel_size,) * layer.basis.num_scales)
    return layer, with_basis(layer, whole), _IMAGE


def _relu_after_projection(seed: int) -> tuple[nn.Module, nn.Module, tuple[int, ...]]:
    layer, projection = _lifting(seed), ScaleMaxProjection()
    before = nn.Sequential(layer, nn.ReLU(), projection)
    return before, nn.Sequential(layer, projection, nn.ReLU()), _IMAGE


def _bias_after_projection(seed: int) -> tuple[nn.Module, nn.Module, tuple[int, ...]]:
    layer, projection = _lifting(seed), ScaleMaxProjection()

    def late(x: Tensor) -> Tensor:
        assert layer.bias is not None
        y: Tensor = torch.func.functional_call(layer, {"bias": torch.zeros_like(layer.bias)}, (x,))
        projected: Tensor = projection(y) + layer.bias[:, None, None]
        return projected

    class Late(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Tensor:
            return late(x)

    return nn.Sequential(layer, projection), Late(), _IMAGE


def _projection_backwards(seed: int) -> tuple[nn.Module, nn.Module, tuple[int, ...]]:
    layer, projection = _lifting(seed), ScaleMaxProjection()
    backwards = Altered(projection, before=lambda y: y.flip(2))
    return nn.Sequential(layer, projection), nn.Sequential(layer, backwards), _IMAGE


def _gain_in_weights(seed: int) -> tuple[nn.Module, nn.Module, tuple[int, ...]]:
    layer = _lifting(seed)
    other = with_functions(layer, layer.basis.functions * 4.0)
    with torch.no_grad():
        other.weight.div_(4.0)
    return layer, other, _IMAGE


EQUIVALENT_LAYERS = (
    Equivalent(
        "filter_flipped_even",
        "Flipping turns He_n(x) into (−1)ⁿ He_n(x): with the order 0 alone nothing changes.",
        _even_lifting("filter_flipped"),
    ),
    Equivalent(
        "axes_swapped_even",
        "Swapping axes exchanges the orders n and m: with both 0 nothing changes.",
        _even_lifting("axes_swapped"),
    ),
    Equivalent(
        "physicists_polynomials_even",
        "H_0 = He_0, and H_1 = 2 He_1 loses its factor in the norm; they differ from order 2 on.",
        _even_lifting("physicists_polynomials"),
    ),
    Equivalent(
        "padded_at_fine_end_single",
        "With K_S = 1 a scale convolution reads no neighbour, so nothing enters at either end.",
        _single_extent("padded_at_fine_end"),
    ),
    Equivalent(
        "neighbours_reversed_single",
        "With K_S = 1 there is one order of neighbours.",
        _single_extent("neighbours_reversed"),
    ),
    Equivalent(
        "filters_of_input_scale_single",
        "With K_S = 1 the input scale is the output scale.",
        _single_extent("filters_of_input_scale"),
    ),
    Equivalent(
        "filters_padded",
        "Filters padded with zeros to V×V multiply what lies beyond their support by zero.",
        _padded_filters,
    ),
    Equivalent(
        "relu_after_projection",
        "A ReLU never changes an order, so it commutes with the maximum over scales.",
        _relu_after_projection,
    ),
    Equivalent(
        "bias_after_projection",
        "A bias shared by all scales moves all of them alike, and their maximum with them.",
        _bias_after_projection,
    ),
    Equivalent(
        "projection_backwards",
        "A maximum has no order; where scales tie, only the choice of the gradient would differ.",
        _projection_backwards,
    ),
    Equivalent(
        "gain_in_weights",
        "A factor on all functions and its inverse on all weights cancel: what is learned differs, "
        "the layer does not.",
        _gain_in_weights,
    ),
)
