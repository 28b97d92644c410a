"""What goes wrong in `user_layers`, as users write it: functions seed -> layer, and their parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sesn_impl import LiftingConv2d, ScaleConv1x1, ScaleConv2d, hermite_basis_a
from verification.broken_layers.plain import (
    Bank,
    Then,
    blobs,
    correlated,
    edge,
    gaussian,
    kernels_of,
    laplacian,
    sampled,
    seeded,
)
from verification.reference.analytic import FloatArray

SCALES = (1.5, 1.5 * 2**0.5, 3.0)
OCTAVES = (1.0, 2.0, 4.0)
_BASIS = hermite_basis_a(17, (1.5, 2.1, 2.94), 2)

Layer = Callable[[Any], Any]


def bank(
    change: Callable[[int, Tensor], Tensor] = lambda i, k: k,
    sigmas: Sequence[float] = SCALES,
    power: float = 2.0,
) -> Callable[[int], Layer]:
    """Two random functions at three scales, and what is done to the kernels of each."""

    def make(seed: int) -> Layer:
        kernels = kernels_of([blobs(seed), blobs(seed + 50)], sigmas, 3.0, power)
        return Bank([change(i, kernel) for i, kernel in enumerate(kernels)])

    return make


def last(turn: Callable[[Tensor], Tensor]) -> Callable[[int], Layer]:
    """The two functions, with the kernels of the largest scale changed."""
    return bank(lambda i, kernel: turn(kernel) if i == 2 else kernel)


def after(change: Callable[[Tensor], Tensor], make: Callable[[int], Layer] | None = None) -> Any:  # noqa: ANN401
    """A layer, by default the two functions, and what is done to its answers."""
    inner = bank() if make is None else make
    return lambda seed: Then(inner(seed), change)  # type: ignore[arg-type]


def by_scale(values: Sequence[float]) -> Tensor:
    """Numbers of each scale, to be broadcast over [B, C, S, H, W]."""
    return torch.tensor(values, dtype=torch.float64)[:, None, None]


def middle(kernel: Tensor, reach: int) -> Tensor:
    """The pixels of a kernel up to `reach` from its centre."""
    centre = kernel.shape[-1] // 2
    inside = slice(centre - reach, centre + reach + 1)
    return kernel[..., inside, inside].contiguous()


# --- Amplitude, widths, order ---------------------------------------------------------------------


def norm(kernel: Tensor) -> Tensor:
    """Divided by its own norm, at every scale anew."""
    return kernel / kernel.square().sum((-1, -2), keepdim=True).sqrt()


def sum_of_magnitudes(kernel: Tensor) -> Tensor:
    """Divided by the sum of its magnitudes, at every scale anew."""
    return kernel / kernel.abs().sum()


def narrow_polynomials(seed: int) -> Layer:
    """Polynomials of a rounded σ in an envelope of the right one."""
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal(3)

    def profile(sigma: float) -> Callable[[FloatArray, FloatArray], FloatArray]:
        wrong = sigma / round(sigma)

        def inner(y: FloatArray, x: FloatArray) -> FloatArray:
            u, v = y * wrong, x * wrong
            polynomial = weights[0] + weights[1] * u + weights[2] * (u * v)
            return np.asarray(polynomial * gaussian(y, x))

        return inner

    return Bank([sampled(profile(s), s, 4.0) for s in SCALES])


def copies(seed: int) -> Layer:
    """One kernel for all three scales."""
    kernel = kernels_of([blobs(seed), blobs(seed + 50)], [2.0])[0]
    return Bank([kernel] * 3)


def unshared(seed: int) -> Layer:
    """Weights of its own at every scale."""
    return Bank([kernels_of([blobs(seed + 100 * i)], [s])[0] for i, s in enumerate(SCALES)])


def fixed_surround(seed: int) -> Layer:
    """Differences of Gaussians whose surround is of one width at every scale."""
    del seed
    wide = sampled(gaussian, 4.0, 4.0)
    return Bank([_padded(wide, sampled(gaussian, s, 4.0)) for s in SCALES])


def _padded(wide: Tensor, kernel: Tensor) -> Tensor:
    margin = (wide.shape[-1] - kernel.shape[-1]) // 2
    return wide - F.pad(kernel, [margin] * 4)


def resized(sizes: Sequence[int], mode: str, *, factor: bool) -> Callable[[int], Layer]:
    """One random kernel resized to all sizes; factor: divided by the growth of its area."""

    def make(seed: int) -> Layer:
        generator = torch.Generator().manual_seed(seed)
        kernel = torch.randn((2, 1, 5, 5), generator=generator, dtype=torch.float64)

        def run(x: Tensor) -> Tensor:
            maps = []
            for n in sizes:
                k = F.interpolate(kernel, size=(n, n), mode=mode).to(x.dtype)
                k = k * (5 / n) ** 2 if factor else k
                y = F.conv2d(x, k, padding=n // 2)
                maps.append(y[..., : x.shape[-2], : x.shape[-1]])
            return torch.stack(maps, dim=2)

        return run

    return make


def dilated(
    steps: Sequence[int], change: Callable[[int, Tensor], Tensor] = lambda i, k: k
) -> Callable[[int], Layer]:
    """Random 3×3 taps, that many pixels apart, and what is done to those of each scale."""

    def make(seed: int) -> Layer:
        generator = torch.Generator().manual_seed(seed)
        kernel = torch.randn((2, 1, 3, 3), generator=generator, dtype=torch.float64)

        def run(x: Tensor) -> Tensor:
            kernels = [change(i, kernel).to(x.dtype) for i in range(len(steps))]
            maps = [
                F.conv2d(x, k, padding=d, dilation=d) for k, d in zip(kernels, steps, strict=True)
            ]
            return torch.stack(maps, dim=2)

        return run

    return make


# --- Axes, neighbours, other modules --------------------------------------------------------------


def reshaped(y: Tensor) -> Tensor:
    """[B, C, S, H, W] read as if S came before C."""
    b, c, s, h, w = y.shape
    return y.transpose(1, 2).reshape(b, c, s, h, w)


def scale_conv(seed: int) -> nn.Module:
    """A right scale convolution over two scales."""
    pad = _BASIS.kernel_size // 2
    return seeded(lambda: ScaleConv2d(2, 2, _BASIS, 2, padding=pad), seed)


def _lifting(seed: int) -> nn.Module:
    pad = _BASIS.kernel_size // 2
    return seeded(lambda: LiftingConv2d(1, 2, _BASIS, padding=pad), seed)


class Stack(nn.Module):
    """A lifting, a gain for each scale, and a scale convolution."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        pad = _BASIS.kernel_size // 2
        self.first = _lifting(seed)
        self.second = seeded(lambda: ScaleConv2d(2, 2, _BASIS, padding=pad), seed + 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, S, H, W] -> the same."""
        y: Tensor = self.second(self.first(x)) * by_scale((1.0, 1.5, 2.25)).to(x.dtype)
        return y


def coarse_on_half(seed: int) -> Layer:
    """The coarse scale computed on an image of half the size."""
    kernel = kernels_of([blobs(seed), blobs(seed + 50)], [1.5])[0]

    def run(x: Tensor) -> Tensor:
        half = F.avg_pool2d(x, 2, ceil_mode=True)
        coarse = F.interpolate(correlated(half, kernel.to(x.dtype)), scale_factor=2)
        fine = correlated(x, kernel.to(x.dtype))
        return torch.stack([fine, coarse[..., : x.shape[-2], : x.shape[-1]]], dim=2)

    return run


def reflected(seed: int) -> Layer:
    """A bank that sees images reflected at their border at one scale, and zeros at the others."""
    kernels = kernels_of([blobs(seed), blobs(seed + 50)], SCALES)

    def run(x: Tensor) -> Tensor:
        maps = []
        for i, kernel in enumerate(kernels):
            reach = kernel.shape[-1] // 2
            mode = "reflect" if i == 1 else "constant"
            maps.append(F.conv2d(F.pad(x, [reach] * 4, mode=mode), kernel.to(x.dtype)))
        return torch.stack(maps, dim=2)

    return run


def global_norm(y: Tensor) -> Tensor:
    """Divided by the root mean square of the whole image."""
    return y / (0.1 + y.flatten(1).square().mean(1).sqrt()[:, None, None, None, None])


def batch_maximum(y: Tensor) -> Tensor:
    """Divided by the largest answer of the batch."""
    return y / (1 + y.abs().max())


def in_place(seed: int) -> Layer:
    """A right bank that changes the image it is given."""
    right = bank()(seed)

    def run(x: Tensor) -> Tensor:
        x.relu_()
        return torch.as_tensor(right(x))

    return run


def plain(seed: int) -> nn.Module:
    """A plain convolution."""
    return seeded(lambda: nn.Conv2d(1, 4, 3, padding=1), seed)


def gained(seed: int) -> Layer:
    """A right 1×1 scale convolution with a gain of each scale's own."""
    mix = seeded(lambda: ScaleConv1x1(2, 3), seed)
    return Then(mix, lambda y: y * by_scale((1.0, 1.1, 1.3)).to(y.dtype))


def norm_by_scale(seed: int) -> Layer:
    """Statistics of each scale's own in a batch norm."""
    norm = seeded(lambda: nn.BatchNorm2d(6), seed)
    return lambda x: norm(x.flatten(1, 2)).unflatten(1, (2, 3))


def channels_swapped(seed: int) -> Layer:
    """Two input channels, exchanged at one scale."""
    kernels = [
        torch.stack([sampled(blobs(seed + c), s, 3.0) for c in (0, 50)])[None] for s in SCALES
    ]
    kernels[1] = kernels[1].flip(1)
    return Bank(kernels)


def own_factors(seed: int) -> Layer:
    """Three functions, combined; the third has a factor of its own at one scale."""
    weights = np.random.default_rng(seed).standard_normal(3)
    kernels = []
    for s in (1.0, 1.5, 2.25):
        parts = [sampled(p, s, 4.0) for p in (gaussian, edge, laplacian)]
        parts[2] = parts[2] * (1.2 if s == 1.5 else 1.0)
        kernels.append(sum(float(w) * part for w, part in zip(weights, parts, strict=True)))
    return Bank(kernels)  # type: ignore[arg-type]


def turned_wave(seed: int) -> Layer:
    """A wave that is turned by 20° at the second scale, an angle of a loop over scales."""

    def wave(angle: float) -> Callable[[FloatArray, FloatArray], FloatArray]:
        c, s = np.cos(angle + seed), np.sin(angle + seed)
        return lambda y, x: gaussian(y, x) * np.cos(2 * (c * x + s * y))

    return Bank([sampled(wave(0.35 * (i == 1)), s, 4.0) for i, s in enumerate(SCALES)])


def rows_alone(seed: int) -> Layer:
    """A blur of rows by σ, and of columns by the smallest σ at every scale."""
    del seed
    column = sampled(lambda y, x: gaussian(0 * y, x), 1.5, 6.0, 1.0)
    middle = column.shape[-1] // 2
    kernels = []
    for s in SCALES:
        rows = sampled(gaussian, s, 3.0)
        reach = rows.shape[-1] // 2
        line = column[middle, middle - reach : middle + reach + 1]
        kernels.append(rows[:, reach : reach + 1] * line[None])
    return Bank(kernels)


class Run(nn.Module):
    """A callable as a module."""

    def __init__(self, run: Layer) -> None:
        super().__init__()
        self.run = run

    def forward(self, x: Tensor) -> Tensor:
        """What the callable answers."""
        y: Tensor = self.run(x)
        return y
