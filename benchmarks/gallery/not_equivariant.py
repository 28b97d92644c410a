"""Layers that are not equivariant: plain convolutions, and filters with mistakes of many kinds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.gallery.entry import Entry, Make, Truth
from benchmarks.gallery.from_libraries import (
    OCTAVES,
    ROOT,
    by_scale,
    by_scipy,
    dilated_with_power,
    fixed_surround,
    kornia_edge,
    kymatio,
    random_bank,
    resized_nearest,
    scattering,
    torchvision_blur_of_5_pixels,
)
from benchmarks.gallery.parts import chain, conv, held, then
from verification.broken_layers.plain import Bank, Then, blobs, kernels_of, sampled


def unshared(seed: int, fineness: int) -> nn.Module:
    """A function of its own at each scale."""
    return Bank([sampled(blobs(seed + 100 * i), s * fineness, 3.0) for i, s in enumerate(ROOT)])


def one_size(seed: int, fineness: int) -> nn.Module:
    """One random kernel at every scale, all of one size: widths in name only."""
    weight = torch.from_numpy(np.random.default_rng(seed).standard_normal((2, 1, 5, 5)))
    return Bank([held(weight, fineness)] * 3)


def _changed(change: Callable[[int, Tensor, int], Tensor]) -> Make:
    """Makes a bank of random functions with something done to the kernels of each scale."""

    def make(seed: int, fineness: int) -> nn.Module:
        sigmas = [s * fineness for s in ROOT]
        kernels = kernels_of([blobs(seed), blobs(seed + 50)], sigmas)
        return Bank([change(i, kernel, fineness) for i, kernel in enumerate(kernels)])

    return make


def _by_scale(y: Tensor, values: Sequence[float]) -> Tensor:
    """A number for each scale, to be added to [B, C, S, H, W]."""
    return y.new_tensor(values)[:, None, None]


def contrast(seed: int, fineness: int) -> nn.Module:
    """Divided by the local energy in a window of one size at all scales."""
    side = 9 * fineness

    def after(y: Tensor) -> Tensor:
        flat = y.flatten(0, 1)
        local = F.avg_pool2d(flat.square(), side, 1, side // 2).sqrt().reshape(y.shape)
        return y / (local + 0.01)

    return Then(random_bank()(seed, fineness), after)


def cut_to_one_size(i: int, kernel: Tensor, fineness: int) -> Tensor:
    """The middle of a kernel."""
    middle, reach = kernel.shape[-1] // 2, 3 * fineness
    return kernel[..., middle - reach : middle + reach + 1, middle - reach : middle + reach + 1]


_N = Truth.NOT_EQUIVARIANT
_WITHIN = {"tolerance": 0.01}
"""Of a map that is not linear, what is near enough is for the user to say."""
_CONV = "filters of one size in pixels, whatever the scale of the image"
ENTRIES = (
    Entry("plain_convolution", "torch", _N, _CONV, conv, (1.0, 1.5), 2, 1.0, layout="map"),
    Entry("pooled_convolution", "torch", _N, _CONV,
          chain(conv, nn.ReLU(), lambda _, f: nn.MaxPool2d(3 * f, 1, 3 * f // 2)), (1.0, 1.5), 4,
          1.0, layout="map", given=_WITHIN),
    Entry("plain_network", "torch", _N, _CONV,
          chain(conv, nn.ReLU(), lambda seed, f: conv(seed + 1, f, 3, 4)), (1.0, 1.5), 4, 1.0,
          layout="map", given=_WITHIN),
    Entry("max_over_channels", "torch", _N, _CONV,
          then(conv, lambda y: y.amax(1, keepdim=True)), (1.0, 1.5), 2, 1.0, layout="map",
          given=_WITHIN),
    Entry("max_over_copies", "torch", _N, _CONV,
          then(conv, lambda y: torch.stack([y] * 4, dim=2).amax(2)), (1.0, 1.5), 2, 1.0,
          layout="map"),
    Entry("copies_of_one_kernel", "torch", _N, _CONV,
          then(conv, lambda y: torch.stack([y] * 3, dim=2)), ROOT, 2, 1.0),
    Entry("kernels_of_one_size", "torch", _N, _CONV, one_size, ROOT, 3, 1.0),
    Entry("torchvision_blur_of_5_pixels", "torchvision", _N,
          "5×5 pixels at every σ cut the larger Gaussians off", torchvision_blur_of_5_pixels,
          ROOT, 3, 1.5, package="torchvision", layout="list"),
    Entry("filters_of_7_pixels", "torch", _N, "7×7 pixels at every σ", _changed(cut_to_one_size),
          ROOT, 4, 1.0),
    Entry("scipy_laplacian", "scipy", _N, "∇²G_σ without σ²: σ⁻⁴ in place of σ⁻²",
          by_scale(by_scipy("gaussian_laplace", 0)), ROOT, 14, 1.5, layout="list"),
    Entry("scipy_gradient_magnitude", "scipy", _N, "|∇G_σ ∗ f| without σ",
          by_scale(by_scipy("gaussian_gradient_magnitude", 0)), ROOT, 14, 1.5, layout="list"),
    Entry("kornia_gradient", "kornia", _N, "differences of blurs, not in units of σ",
          by_scale(kornia_edge(0)), ROOT, 14, 1.5, layout="list"),
    Entry("fixed_surround", "kornia", _N, "the surround has one width at all scales",
          fixed_surround, ROOT, 17, 1.5, layout="list"),
    Entry("first_order_scattering", "torch", _N, "|x ∗ ψ_σ| is averaged by one φ at all scales",
          scattering, ROOT, 20, 1.2),
    Entry("kymatio_first_order", "kymatio", _N, "averaged by one φ at all scales", kymatio,
          OCTAVES, 32, 1.0, package="kymatio", given={"window": 65}, finest=1),
    Entry("without_power", "torch", _N, "ψ(t/σ) without σ⁻²", random_bank(power=0.0), ROOT, 10,
          1.0),
    Entry("extra_power", "torch", _N, "σ⁻¹ψ(t/σ)", random_bank(power=1.0), ROOT, 10, 1.0),
    Entry("normalised_per_scale", "torch", _N, "every filter has norm 1: σ⁻¹ in place of σ⁻²",
          _changed(lambda i, k, f: k / k.square().sum((-1, -2), keepdim=True).sqrt()), ROOT, 10,
          1.0),
    Entry("unshared_filters", "torch", _N, "a filter of its own at each scale", unshared, ROOT, 10,
          1.0),
    Entry("swapped_scales", "torch", _N, "outputs from large to small",
          then(random_bank(), lambda y: y.flip(2)), ROOT, 10, 1.0),
    Entry("transposed_at_one_scale", "torch", _N, "rows and columns exchanged at the last scale",
          _changed(lambda i, k, f: k.mT.contiguous() if i == 2 else k), ROOT, 10, 1.0),
    Entry("shifted_at_one_scale", "torch", _N, "the second scale is off by a pixel",
          _changed(lambda i, k, f: k.roll((f, f), (-2, -1)) if i == 1 else k), ROOT, 11, 1.0),
    Entry("gain_per_scale", "torch", _N, "gains of 1, 1.15 and 0.9",
          _changed(lambda i, k, f: k * (1.0, 1.15, 0.9)[i]), ROOT, 10, 1.0),
    Entry("bias_per_scale_relu", "torch", _N, "a bias of its own at each scale, then a ReLU",
          then(random_bank(), lambda y: (y + _by_scale(y, (0.0, 0.2, 0.4))).relu()), ROOT, 10,
          1.0),
    Entry("threshold_with_sigma", "torch", _N, "a threshold that grows with σ",
          then(random_bank(), lambda y: (y - _by_scale(y, [s / 3 for s in ROOT])).relu()), ROOT,
          10, 1.0),
    Entry("ratio_off_by_2_percent", "torch", _N, "widths 1.5 (1.02 √2)ⁱ",
          random_bank([1.5 * (1.02 * 2**0.5) ** i for i in range(3)]), ROOT, 10, 1.0),
    Entry("contrast_in_one_window", "torch", _N, "divided by the energy in one window", contrast,
          ROOT, 15, 1.0),
    Entry("dilated_with_power", "torch", _N, "σ⁻² times taps that are exact without it",
          dilated_with_power, OCTAVES, 4, 1.0),
    Entry("nearest_without_factor", "torch", _N, "resized kernels without the factor k⁻²",
          resized_nearest(2), (1.0, 3.0, 9.0), 14, 1.0),
    Entry("flip_and_cumsum", "torch", _N, "sums over scales that the image's own scale decides",
          lambda *_: lambda x: x.flip(2).cumsum(2), ROOT, 2, 1.5, lifts=False),
)  # fmt: skip
