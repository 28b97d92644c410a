"""Layers of this project in the gallery: SESN, and the methods that the paper compares it with."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from benchmarks.gallery.entry import Entry, Layer, Make, Truth
from benchmarks.gallery.parts import by_seed, chain
from sesn_impl import (
    LiftingConv2d,
    ScaleConv1x1,
    ScaleConv2d,
    ScaleMaxProjection,
    SteerableBasis,
    bspline_basis,
    fourier_bessel_basis,
    hermite_basis_a,
    hermite_basis_b,
)
from sesn_impl.baselines import (
    ColumnLiftingConv2d,
    DilatedScaleConv2d,
    GaussianScaleSpace,
    LogRadialConv2d,
    ScaleInvariantConv2d,
    VectorLiftingConv2d,
)
from verification.broken_layers.plain import Bank, blobs, sampled, seeded

MNIST = (1.7, 2.45, 3.54, 5.1)
STL10 = (0.9, 1.27, 1.79)
SMALL = (1.5, 2.1, 2.94)
_HERMITE = "σ⁻²ψ(t/σ) is sampled at every scale with the same coefficients (SESN, eq. 6)"


def basis(kind: str, fineness: int) -> SteerableBasis:
    """Published bases, and a small one: at a higher fineness the support is wider in σ as well."""
    wide = 1 if fineness == 1 else 3
    if kind == "mnist":
        side = 2 * (7 * fineness * wide // 2) + 1 if fineness > 1 else 15
        return hermite_basis_b(side, _times(MNIST, fineness), 7, max_order=4, mult=1.5)
    if kind == "stl10":
        return hermite_basis_a(6 * fineness * wide + 1, _times(STL10, fineness), 3)
    side = 14 * fineness + 1
    scales = _times(SMALL, fineness)
    if kind == "bspline":
        return bspline_basis(side, scales, 3)
    if kind == "bessel":
        return fourier_bessel_basis(side, scales, 2)
    return hermite_basis_a(side + (12 * fineness if fineness > 1 else 0), scales, 2)


def _times(scales: tuple[float, ...], factor: int) -> tuple[float, ...]:
    return tuple(s * factor for s in scales)


def lifting(kind: str) -> Make:
    """Makes a lifting convolution."""

    def make(fineness: int) -> nn.Module:
        chosen = basis(kind, fineness)
        return LiftingConv2d(1, 4, chosen, padding=chosen.kernel_size // 2)

    return by_seed(make)


def scale_conv(inner: int, extent: int = 1) -> Make:
    """Makes a scale convolution."""

    def make(fineness: int) -> nn.Module:
        chosen = basis("a", fineness)
        return ScaleConv2d(inner, 3, chosen, extent, padding=chosen.kernel_size // 2)

    return by_seed(make)


def second(seed: int, fineness: int) -> Any:  # noqa: ANN401
    """The scale convolution behind `lifting`."""
    return scale_conv(4)(seed + 1, fineness)


def columns(seed: int, fineness: int) -> nn.Module:
    """SiCNN on a smooth filter; where that is large, the same filters by frequencies."""
    layer = ColumnLiftingConv2d(1, 2, 9 * fineness, (1.0, 2 ** (1 / 2), 2.0)).double().eval()
    smooth = torch.stack([sampled(blobs(seed + i), 1.5 * fineness, 3) for i in (0, 10)])
    middle = smooth.shape[-1] // 2
    inside = slice(middle - 9 * fineness // 2, middle + 9 * fineness // 2 + 1)
    with torch.no_grad():
        layer.weight.copy_(smooth[:, None, inside, inside])
    return layer if fineness == 1 else filters_of_columns(layer)


def filters_of_columns(layer: ColumnLiftingConv2d) -> Bank:
    """The filters of SiCNN's columns: resized, and all of the norm L1 of the first."""
    kernels = []
    with torch.no_grad():
        for i in range(layer.num_columns):
            resizing = getattr(layer, f"resizing_{i}")
            kernels.append(resizing @ layer.weight @ resizing.T)
        norms = [kernel.abs().sum((2, 3), keepdim=True) for kernel in kernels]
        norm = layer.weight.abs().sum((2, 3), keepdim=True)
        return Bank([kernel * norm / own for kernel, own in zip(kernels, norms, strict=True)])


def _filled(layer: Any, seed: int) -> Any:  # noqa: ANN401
    side = layer.weight.shape[-1]
    half = side // 2
    u = torch.arange(-half, half + 1, dtype=torch.float64).numpy() / (side / 6)
    kernels = [torch.from_numpy(blobs(seed + i)(u[:, None], u)) for i in (0, 10)]
    with torch.no_grad():
        layer.weight.copy_(torch.stack(kernels)[:, None])
    return layer


def sevf(seed: int, fineness: int) -> Layer:
    """Responses of SEVF before its maximum."""
    layer = VectorLiftingConv2d(
        1, 2, 7 * fineness, padding=7 * fineness // 2, steps=(-2, -1, 0), base=1.26
    )
    made = _filled(layer.double().eval(), seed)
    return lambda x: made.responses(x).flip(2)


def si_convnet(seed: int, fineness: int) -> nn.Module:
    """SI-ConvNet: one filter on the image shrunk to three sizes, and the maximum over them."""
    scales = (1.26**-2, 1.26**-1, 1.0)
    layer = ScaleInvariantConv2d(1, 2, 7 * fineness, scales, padding=7 * fineness // 2, bias=False)
    filled: nn.Module = _filled(layer.double().eval(), seed)
    return filled


_SIZES = (7, 11, 15)


def ss_cnn(seed: int, fineness: int) -> Layer:
    """Responses of SS-CNN before its maximum."""
    sizes = tuple(s * fineness for s in _SIZES)
    made: Any = seeded(lambda: LogRadialConv2d(1, 2, sizes, float(sizes[0])), seed)
    respond: Layer = made.responses
    return respond


_RESAMPLES = dict.fromkeys(("integer_translation", "border"), "it resamples inside")
ENTRIES = (
    Entry("sesn_lifting_mnist", "sesn_impl", Truth.EQUIVARIANT, _HERMITE, lifting("mnist"),
          MNIST, 21, 1.2),
    Entry("sesn_lifting_mnist_documented", "sesn_impl", Truth.EQUIVARIANT,
          _HERMITE + "; judged by its own documentation", lifting("mnist"), MNIST, 21, 1.2,
          given={"scales": None}),
    Entry("sesn_lifting_stl10", "sesn_impl", Truth.EQUIVARIANT, _HERMITE, lifting("stl10"),
          STL10, 12, 0.9),
    Entry("sesn_lifting", "sesn_impl", Truth.EQUIVARIANT, _HERMITE, lifting("a"), SMALL, 14, 1.5),
    Entry("bspline_lifting", "sesn_impl", Truth.EQUIVARIANT,
          "B-splines of a width in proportion to σ, times σ⁻²", lifting("bspline"), SMALL, 8, 1.5),
    Entry("fourier_bessel_lifting", "sesn_impl", Truth.EQUIVARIANT,
          "modes of a disc of a radius in proportion to σ, times σ⁻²", lifting("bessel"), SMALL,
          8, 1.5),
    Entry("sesn_scale_conv_1", "sesn_impl", Truth.EQUIVARIANT, _HERMITE, scale_conv(2), SMALL,
          14, 1.5, lifts=False, channels=2),
    Entry("sesn_scale_conv_2", "sesn_impl", Truth.EQUIVARIANT,
          _HERMITE + ", each output sums over two input scales", scale_conv(2, 2), SMALL, 14, 1.5,
          lifts=False, channels=2, extent=2),
    Entry("scale_conv_1x1", "sesn_impl", Truth.EXACT, "one pixel, the same at all scales",
          by_seed(lambda _: ScaleConv1x1(2, 3)), SMALL, 3, 1.5,
          lifts=False, channels=2),
    Entry("batch_norm_3d", "torch", Truth.EXACT, "one gain and shift per channel for all scales",
          by_seed(lambda _: nn.BatchNorm3d(2)), SMALL, 3, 1.5,
          lifts=False, channels=2),
    Entry("lifting_norm_relu", "sesn_impl", Truth.EQUIVARIANT,
          "an equivariant lifting, then pointwise functions that are the same at all scales",
          chain(lifting("a"), by_seed(lambda _: nn.BatchNorm3d(4)), nn.ReLU()), SMALL, 14, 1.5),
    Entry("two_layers", "sesn_impl", Truth.EQUIVARIANT,
          "a lifting and a scale convolution, each equivariant", chain(lifting("a"), second), SMALL,
          28, 1.5),
    Entry("two_layers_relu", "sesn_impl", Truth.EQUIVARIANT,
          "a lifting, a ReLU and a scale convolution, each equivariant",
          chain(lifting("a"), nn.ReLU(), second), SMALL, 28, 1.5),
    Entry("lifting_max_projection", "sesn_impl", Truth.NOT_EQUIVARIANT,
          "the maximum over three scales alone: an end of the range leaves and another enters",
          chain(lifting("a"), ScaleMaxProjection()), SMALL, 14, 1.5, layout="map",
          given={"tolerance": 0.01}),
    Entry("norm_per_scale_relu", "sesn_impl", Truth.NOT_EQUIVARIANT,
          "BatchNorm2d on C·S channels gives each scale its own gain and shift",
          chain(lifting("a"), nn.Flatten(1, 2), by_seed(lambda _: nn.BatchNorm2d(12)),
                nn.Unflatten(1, (4, 3)), nn.ReLU()), SMALL, 14, 1.5),
    Entry("sicnn_columns", "sesn_impl", Truth.EQUIVARIANT,
          "one filter resized, with one norm L1: σ⁻²ψ(t/σ), each up to half a pixel off its place",
          columns, (1.0, 2**0.5, 2.0), 9, 1.0, finest=27),
    Entry("sevf_responses", "sesn_impl", Truth.EQUIVARIANT,
          "a filter on the image shrunk by s is one s times as wide, times s⁻²", sevf,
          (1.0, 1.26, 1.26**2), 21, 1.0,
          given={"expected_failures": _RESAMPLES}),
    Entry("si_convnet", "sesn_impl", Truth.NOT_EQUIVARIANT,
          "the maximum over three scales alone, of images that are resized without a filter",
          si_convnet, (1.0, 1.26), 21, 1.0, layout="map", given={"tolerance": 0.01}),
    Entry("ss_cnn_responses", "sesn_impl", Truth.NOT_EQUIVARIANT,
          "log-radial harmonics in pixels, cut to each size: not one function resized", ss_cnn,
          _SIZES, 9, 1.0),
    Entry("dss_scale_space", "sesn_impl", Truth.NOT_EQUIVARIANT,
          "blurs of z√(4ᵏ − 1): right for images already blurred by z, not for others",
          lambda _, fineness: GaussianScaleSpace(3, zero_scale=0.75 * fineness).double(),
          (1.0, 2.0, 4.0), 13, 0.75),
    Entry("dss_dilated_1", "sesn_impl", Truth.EXACT,
          "taps 2ᵏ pixels apart: each is the copy of the last, on functions of scale without σ⁻²",
          by_seed(lambda _: DilatedScaleConv2d(2, 3, 3, 3, 1)), (1.0, 2.0, 4.0), 4, 1.0,
          lifts=False, channels=2),
    Entry("dss_dilated_2", "sesn_impl", Truth.EXACT,
          "taps 2ᵏ pixels apart, over two input scales",
          by_seed(lambda _: DilatedScaleConv2d(2, 3, 3, 3, 2)), (1.0, 2.0, 4.0), 4, 1.0,
          lifts=False, channels=2, extent=2),
)  # fmt: skip
