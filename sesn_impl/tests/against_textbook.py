"""Random layers and inputs, and the comparison of two forms of a layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from sesn_impl import LiftingConv2d, ScaleConv2d, SteerableBasis, hermite_basis_a, hermite_basis_b
from sesn_impl.basis import support_at
from sesn_impl.fast.cost import Algorithm

# Inputs and weights are of unit size, so errors are compared with the larger of 1 and the result.
# Both forms sum the same products in another order: a few hundred roundings of 2⁻²⁴ or 2⁻⁵³.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-13}

Layer = LiftingConv2d | ScaleConv2d
LayerType = type[LiftingConv2d] | type[ScaleConv2d]
BASIS = hermite_basis_a(7, (1.0, 1.5, 2.0), 3)


@st.composite
def bases(draw: st.DrawFn) -> SteerableBasis:
    """Bases of both kinds with 1-3 scales, V up to 9, supports down to a single pixel."""
    smallest, ratio = draw(st.floats(0.8, 2.0)), draw(st.floats(1.1, 2.0))
    scales = [smallest * ratio**i for i in range(draw(st.integers(1, 3)))]
    kernel_size = draw(st.sampled_from([1, 3, 5, 7, 9]))
    if support_at(scales[0], kernel_size, scales[-1]) == 1:  # odd functions vanish on one pixel
        return hermite_basis_a(kernel_size, scales, 1)
    effective_size = draw(st.integers(1, 3))
    if draw(st.booleans()):
        return hermite_basis_a(kernel_size, scales, effective_size)
    max_order, mult = draw(st.integers(0, 2)), draw(st.floats(1.2, 2.0))
    return hermite_basis_b(kernel_size, scales, effective_size, max_order=max_order, mult=mult)


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    """Lifting and scale convolutions with random coefficients, float32 or float64."""
    basis = draw(bases())
    in_channels, out_channels = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    options: dict[str, Any] = {
        "stride": draw(st.integers(1, 3)),
        "padding": draw(st.integers(0, basis.kernel_size)),
        "bias": draw(st.booleans()),
    }
    layer: Layer
    if draw(st.booleans()):
        layer = LiftingConv2d(in_channels, out_channels, basis, **options)
    else:
        extent = draw(st.integers(1, basis.num_scales))
        layer = ScaleConv2d(in_channels, out_channels, basis, extent, **options)
    return randomise(layer.to(draw(st.sampled_from(list(TOLERANCE)))), draw(seeds))


seeds = st.integers(0, 2**32 - 1)


def randomise(layer: Layer, seed: int) -> Layer:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(generator=generator)
    return layer


def input_for(layer: Layer, seed: int, extra: tuple[int, int] = (5, 3)) -> Tensor:
    """[B, C_in, H, W] or [B, C_in, S, H, W], `extra` pixels larger than the layer's smallest."""
    smallest = max(1, layer.basis.kernel_size - 2 * layer.padding)
    scales = [layer.basis.num_scales] if isinstance(layer, ScaleConv2d) else []
    shape = [2, layer.in_channels, *scales, smallest + extra[0], smallest + extra[1]]
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=layer.weight.dtype, generator=generator)


def response_and_gradients(layer: nn.Module, x: Tensor, seed: int) -> list[Tensor]:
    """The layer's response to x, and the gradients of a random functional of it."""
    x = x.clone().requires_grad_()
    y: Tensor = layer(x)
    functional = torch.randn(y.shape, dtype=y.dtype, generator=torch.Generator().manual_seed(seed))
    return [y.detach(), *torch.autograd.grad((y * functional).sum(), [x, *layer.parameters()])]


def assert_same(actual: Iterable[Tensor], expected: Iterable[Tensor]) -> None:
    for a, e in zip(actual, expected, strict=True):
        assert a.shape == e.shape
        assert a.dtype == e.dtype
        error, size = (a - e).abs().max().item(), max(1.0, e.abs().max().item())
        assert error <= TOLERANCE[a.dtype] * size


@contextmanager
def computed_by(way: Algorithm | None) -> Iterator[None]:
    """All layers correlate in this way, whatever it costs; None: as they choose."""
    with pytest.MonkeyPatch.context() as patch:
        if way is not None:
            patch.setattr("sesn_impl.fast.correlation.choose", lambda *_: way)
        yield


ways = st.sampled_from([None, "direct", "spectral"])
