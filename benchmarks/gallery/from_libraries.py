"""Kernels that people really use, from the libraries that they take them from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from importlib import import_module

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.gallery.entry import Entry, Layer, Make, Truth
from benchmarks.gallery.parts import gabor, held, then
from verification.broken_layers.plain import (
    Bank,
    Profile,
    Then,
    blobs,
    edge,
    gaussian,
    kernels_of,
    laplacian,
    sampled,
)

ROOT = (1.5, 1.5 * 2**0.5, 3.0)
OCTAVES = (1.0, 2.0, 4.0)
_GAUSS = "normalised Gaussians of width σ"


def _side(sigma: float, cut: float = 4.0) -> int:
    return 2 * math.ceil(cut * sigma) + 1


def by_scale(one: Callable[[Tensor, float], Tensor], scales: Sequence[float] = ROOT) -> Make:
    """Makes a layer that gives a list, one tensor for each σ."""
    return lambda _, fineness: lambda x: [one(x, s * fineness) for s in scales]


def kornia_blur(x: Tensor, sigma: float) -> Tensor:
    """Kornia's Gaussian blur, 4σ on each side."""
    from kornia.filters import gaussian_blur2d  # noqa: PLC0415

    blurred: Tensor = gaussian_blur2d(
        x, (_side(sigma),) * 2, (sigma, sigma), border_type="constant"
    )
    return blurred


def kornia_edge(power: float) -> Callable[[Tensor, float], Tensor]:
    """Kornia's gradient of kornia's blur, times σ^power."""

    def one(x: Tensor, sigma: float) -> Tensor:
        from kornia.filters import spatial_gradient  # noqa: PLC0415

        gradient = spatial_gradient(kornia_blur(x, sigma), mode="diff", normalized=False)
        found: Tensor = gradient.flatten(1, 2) * sigma**power
        return found

    return one


def torchvision_blur(x: Tensor, sigma: float) -> Tensor:
    """Torchvision's Gaussian blur, 4σ on each side."""
    from torchvision.transforms.functional import gaussian_blur  # noqa: PLC0415

    blurred: Tensor = gaussian_blur(x, [_side(sigma)] * 2, [sigma, sigma])
    return blurred


def torchvision_blur_of_5_pixels(_: int, fineness: int) -> Layer:
    """The same with one kernel size for all σ, as augmentations have it."""
    from torchvision.transforms.functional import gaussian_blur  # noqa: PLC0415

    return lambda x: [gaussian_blur(x, [5 * fineness] * 2, [s * fineness] * 2) for s in ROOT]


def by_scipy(name: str, power: float) -> Callable[[Tensor, float], Tensor]:
    """A filter of scipy.ndimage times σ^power; numpy inside, so without gradients."""

    def one(x: Tensor, sigma: float) -> Tensor:
        from scipy import ndimage  # noqa: PLC0415

        images = x.detach().cpu().numpy().reshape(-1, *x.shape[-2:])
        run = getattr(ndimage, name)
        found = np.stack([run(image, sigma, mode="constant") for image in images])
        return torch.from_numpy(found * sigma**power).reshape(x.shape).to(x.dtype)

    return one


def maximum(x: Tensor, sigma: float) -> Tensor:
    """Grey-scale dilation: the maximum of a square of 2σ + 1 pixels."""
    reach = round(sigma)
    return F.max_pool2d(x, 2 * reach + 1, stride=1, padding=reach)


def box(x: Tensor, sigma: float) -> Tensor:
    """The mean of a square of σ pixels, σ odd."""
    return F.avg_pool2d(x, round(sigma), stride=1, padding=round(sigma) // 2)


def fixed_surround(_: int, fineness: int) -> Layer:
    """A difference of Gaussians whose surround is the same at all scales."""
    return lambda x: [kornia_blur(x, 4.0 * fineness) - kornia_blur(x, s * fineness) for s in ROOT]


class Octave(nn.Module):
    """The first octave of kornia's pyramid: [B, 1, H, W] -> [B, 1, 4, H, W], float32."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        from kornia.geometry.transform import ScalePyramid  # noqa: PLC0415

        self.pyramid = ScalePyramid(n_levels=3, init_sigma=sigma, min_size=15)

    def forward(self, x: Tensor) -> Tensor:
        """Its four blurs."""
        y: Tensor = self.pyramid(x)[0][0][:, :, :4]
        return y


_PYRAMID = tuple(math.sqrt((1.6 * 2 ** (i / 3)) ** 2 - 0.25) for i in range(4))


def bank(*profiles: Profile) -> Make:
    """Makes a bank of these functions at all scales."""
    return lambda _, fineness: Bank(kernels_of(profiles, [s * fineness for s in ROOT], 4.0))


def random_bank(scales: Sequence[float] = ROOT, power: float = 2.0) -> Make:
    """Makes a bank of random smooth functions."""
    return lambda seed, fineness: Bank(
        kernels_of([blobs(seed), blobs(seed + 50)], [s * fineness for s in scales], power=power)
    )


def _modulus(y: Tensor) -> Tensor:
    real, imaginary = y.reshape(len(y), -1, 2, *y.shape[2:]).unbind(2)
    return torch.sqrt(real**2 + imaginary**2)


waves = bank(
    *(gabor(angle, 2.5, phase) for angle in (0.0, math.pi / 3) for phase in (0.0, math.pi / 2))
)


def scattering(seed: int, fineness: int) -> nn.Module:
    """First-order scattering: |x ∗ ψ_σ| ∗ φ with one φ for all scales."""
    blur = sampled(gaussian, 3.0 * fineness, 2.5)[None, None]

    def averaged(y: Tensor) -> Tensor:
        flat = _modulus(y).flatten(0, 2)[:, None]
        z = F.conv2d(flat, blur.to(flat.dtype), padding=blur.shape[-1] // 2)
        return z.reshape(len(y), 2, 3, *z.shape[-2:])

    return Then(waves(seed, fineness), averaged)


def kymatio(_: int, fineness: int) -> Layer:
    """Kymatio's first order, one direction for each scale; images of one size."""
    Scattering2D = import_module("kymatio.torch").Scattering2D  # noqa: N806

    side = 2 * (32 * fineness) + 1
    transform = Scattering2D(J=3, shape=(side, side), L=1, max_order=1)
    return lambda x: transform(x)[:, :, 1:4]


def dilated_kernel(seed: int, fineness: int) -> Layer:
    """One random 3×3 kernel with taps 1, 2 and 4 pixels apart."""
    weight = torch.from_numpy(np.random.default_rng(seed).standard_normal((2, 1, 3, 3)))

    def run(x: Tensor) -> Tensor:
        steps = [fineness * d for d in (1, 2, 4)]
        return torch.stack(
            [F.conv2d(x, weight.to(x.dtype), padding=d, dilation=d) for d in steps], dim=2
        )

    return run


def dilated_with_power(seed: int, fineness: int) -> Layer:
    """The same with the factor σ⁻² that taps do not need."""
    run = dilated_kernel(seed, fineness)
    return lambda x: run(x) * x.new_tensor([1.0, 0.25, 0.0625])[:, None, None]


def resized_nearest(power: float) -> Make:
    """A random 3×3 kernel resized to 3, 9 and 27 pixels, times k^power."""

    def make(seed: int, fineness: int) -> nn.Module:
        weight = torch.from_numpy(np.random.default_rng(seed).standard_normal((2, 1, 3, 3)))
        return Bank([held(weight, k * fineness) * (k * fineness) ** power for k in (1, 3, 9)])

    return make


_T, _E = Truth.EXACT, Truth.EQUIVARIANT
ENTRIES = (
    Entry("kornia_gaussian_blur", "kornia", _E, _GAUSS, by_scale(kornia_blur), ROOT, 13, 1.5,
          layout="list"),
    Entry("torchvision_gaussian_blur", "torchvision", _E, _GAUSS, by_scale(torchvision_blur), ROOT,
          13, 1.5, package="torchvision", finest=1, layout="list"),
    Entry("scipy_gaussian", "scipy", _E, _GAUSS, by_scale(by_scipy("gaussian_filter", 0)), ROOT,
          14, 1.5, layout="list"),
    Entry("scipy_laplacian_normalised", "scipy", _E, "σ²∇²G_σ: derivatives in units of σ",
          by_scale(by_scipy("gaussian_laplace", 2)), ROOT, 14, 1.5, layout="list"),
    Entry("scipy_gradient_magnitude_normalised", "scipy", _E,
          "σ|∇G_σ ∗ f|: a pointwise function of derivatives in units of σ",
          by_scale(by_scipy("gaussian_gradient_magnitude", 1)), ROOT, 14, 1.5, layout="list"),
    Entry("kornia_gradient_normalised", "kornia", _E,
          "σ times central differences of a blur, which tend to derivatives: within 0.5 %",
          by_scale(kornia_edge(1)), ROOT, 14,
          1.5, given={"tolerance": 5e-3}, layout="list"),
    Entry("kornia_scale_pyramid", "kornia", _E,
          "blurs of widths √(σ² − ½²), which are the scales given",
          lambda _, fineness: Octave(1.6 * fineness), _PYRAMID, 22, 1.6, finest=1),
    Entry("difference_of_gaussians", "kornia", _E, "blurs of 1.6σ and σ",
          by_scale(lambda x, s: kornia_blur(x, 1.6 * s) - kornia_blur(x, s)), ROOT, 20, 1.5,
          layout="list"),
    Entry("gaussian_derivatives", "torch", _E, "σ⁻²ψ(t/σ) of derivatives up to order two",
          bank(gaussian, edge, laplacian), ROOT, 12, 1.5),
    Entry("gabor_bank", "torch", _E, "σ⁻²ψ(t/σ) of Gabors", waves, ROOT, 12, 1.2),
    Entry("random_filters", "torch", _E, "σ⁻²ψ(t/σ) of one random smooth ψ", random_bank(),
          ROOT, 10, 1.0),
    Entry("wavelet_modulus", "torch", _E, "the modulus of σ⁻²ψ(t/σ) ∗ f, pointwise",
          then(waves, _modulus), ROOT, 12, 1.2),
    Entry("gabor_energy", "torch", _E, "the energy of σ⁻²ψ(t/σ) ∗ f, pointwise",
          then(waves, lambda y: _modulus(y) ** 2), ROOT, 12, 1.2),
    Entry("dilated_kernel", "torch", _T, "taps at σ times the same places, with the same weights",
          dilated_kernel, OCTAVES, 4, 1.0),
    Entry("box_means", "torch", _E, "means over squares of sides in proportion to σ",
          by_scale(box, (3.0, 5.0, 9.0)), (3.0, 5.0, 9.0), 5, 1.5, layout="list"),
    Entry("dilation_by_squares", "torch", _E, "maxima over squares of sides in proportion to σ",
          by_scale(maximum, (2.0, 4.0, 8.0)), (2.0, 4.0, 8.0), 9, 1.5, layout="list"),
    Entry("identity", "torch", _T, "the value of the pixel itself at every scale",
          lambda seed, fineness: lambda x: torch.stack([x] * 3, dim=2), ROOT, 2, 1.5),
    Entry("constant", "torch", _T, "the same answer to everything",
          lambda seed, fineness: lambda x: torch.ones_like(torch.stack([x] * 3, dim=2)), ROOT, 2,
          1.5),
    Entry("nearest_kernels", "torch", _E,
          "a kernel of constant squares of sides in proportion to σ, times k⁻²",
          resized_nearest(0), (1.0, 3.0, 9.0), 14, 1.0),
)  # fmt: skip
