"""Layers as users write them, each with one mistake, judged by nothing but the user's call.

No documentation of an intact layer stands beside them, as it does for the broken layers of the
other modules: the mistake has to be found, and named, from the layer's own answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
from verification.signals.analytic import FloatArray

SCALES = (1.5, 1.5 * 2**0.5, 3.0)
OCTAVES = (1.0, 2.0, 4.0)
_BASIS = hermite_basis_a(17, (1.5, 2.1, 2.94), 2)

Layer = Callable[[Any], Any]


@dataclass(frozen=True)
class UserLayer:
    """A layer with a mistake, and the call by which a user has it judged.

    story: how the mistake happens in life. causes: identifiers of the diagnosis' catalogue, or
    names of checks, one of which the verdict has to give. make: seed -> layer.
    options: keyword arguments of `check_scale_equivariance` besides scales.
    """

    name: str
    story: str
    causes: tuple[str, ...]
    make: Callable[[int], Layer]
    scales: tuple[float, ...] = SCALES
    options: Mapping[str, Any] = field(default_factory=dict)


def _bank(
    change: Callable[[int, Tensor], Tensor] = lambda i, k: k,
    sigmas: Sequence[float] = SCALES,
    power: float = 2.0,
) -> Callable[[int], Layer]:
    """Two random functions at three scales, and what is done to the kernels of each."""

    def make(seed: int) -> Layer:
        kernels = kernels_of([blobs(seed), blobs(seed + 50)], sigmas, 3.0, power)
        return Bank([change(i, kernel) for i, kernel in enumerate(kernels)])

    return make


def _last(turn: Callable[[Tensor], Tensor]) -> Callable[[int], Layer]:
    return _bank(lambda i, kernel: turn(kernel) if i == 2 else kernel)


def _after(change: Callable[[Tensor], Tensor], make: Callable[[int], Layer] | None = None) -> Any:  # noqa: ANN401
    inner = _bank() if make is None else make
    return lambda seed: Then(inner(seed), change)  # type: ignore[arg-type]


def _by_scale(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None, None]


def _middle(kernel: Tensor, reach: int) -> Tensor:
    centre = kernel.shape[-1] // 2
    inside = slice(centre - reach, centre + reach + 1)
    return kernel[..., inside, inside].contiguous()


# --- Amplitude, widths, order ---------------------------------------------------------------------


def _norm(kernel: Tensor) -> Tensor:
    return kernel / kernel.square().sum((-1, -2), keepdim=True).sqrt()


def _sum_of_magnitudes(kernel: Tensor) -> Tensor:
    return kernel / kernel.abs().sum()


def _narrow_polynomials(seed: int) -> Layer:
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


def _copies(seed: int) -> Layer:
    kernel = kernels_of([blobs(seed), blobs(seed + 50)], [2.0])[0]
    return Bank([kernel] * 3)


def _unshared(seed: int) -> Layer:
    return Bank([kernels_of([blobs(seed + 100 * i)], [s])[0] for i, s in enumerate(SCALES)])


def _fixed_surround(seed: int) -> Layer:
    del seed
    wide = sampled(gaussian, 4.0, 4.0)
    return Bank([_padded(wide, sampled(gaussian, s, 4.0)) for s in SCALES])


def _padded(wide: Tensor, kernel: Tensor) -> Tensor:
    margin = (wide.shape[-1] - kernel.shape[-1]) // 2
    return wide - F.pad(kernel, [margin] * 4)


def _resized(sizes: Sequence[int], mode: str, *, factor: bool) -> Callable[[int], Layer]:
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


def _dilated(
    steps: Sequence[int], change: Callable[[int, Tensor], Tensor] = lambda i, k: k
) -> Callable[[int], Layer]:
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


def _reshaped(y: Tensor) -> Tensor:
    b, c, s, h, w = y.shape
    return y.transpose(1, 2).reshape(b, c, s, h, w)


def _scale_conv(seed: int) -> nn.Module:
    pad = _BASIS.kernel_size // 2
    return seeded(lambda: ScaleConv2d(2, 2, _BASIS, 2, padding=pad), seed)


def _lifting(seed: int) -> nn.Module:
    pad = _BASIS.kernel_size // 2
    return seeded(lambda: LiftingConv2d(1, 2, _BASIS, padding=pad), seed)


class _Stack(nn.Module):
    """A lifting, a gain for each scale, and a scale convolution."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        pad = _BASIS.kernel_size // 2
        self.first = _lifting(seed)
        self.second = seeded(lambda: ScaleConv2d(2, 2, _BASIS, padding=pad), seed + 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x)) * _by_scale((1.0, 1.5, 2.25)).to(x.dtype)
        return y


def _coarse_on_half(seed: int) -> Layer:
    kernel = kernels_of([blobs(seed), blobs(seed + 50)], [1.5])[0]

    def run(x: Tensor) -> Tensor:
        half = F.avg_pool2d(x, 2, ceil_mode=True)
        coarse = F.interpolate(correlated(half, kernel.to(x.dtype)), scale_factor=2)
        fine = correlated(x, kernel.to(x.dtype))
        return torch.stack([fine, coarse[..., : x.shape[-2], : x.shape[-1]]], dim=2)

    return run


def _reflected(seed: int) -> Layer:
    kernels = kernels_of([blobs(seed), blobs(seed + 50)], SCALES)

    def run(x: Tensor) -> Tensor:
        maps = []
        for i, kernel in enumerate(kernels):
            reach = kernel.shape[-1] // 2
            mode = "reflect" if i == 1 else "constant"
            maps.append(F.conv2d(F.pad(x, [reach] * 4, mode=mode), kernel.to(x.dtype)))
        return torch.stack(maps, dim=2)

    return run


def _global_norm(y: Tensor) -> Tensor:
    return y / (0.1 + y.flatten(1).square().mean(1).sqrt()[:, None, None, None, None])


def _batch_maximum(y: Tensor) -> Tensor:
    return y / (1 + y.abs().max())


def _in_place(seed: int) -> Layer:
    bank = _bank()(seed)

    def run(x: Tensor) -> Tensor:
        x.relu_()
        return torch.as_tensor(bank(x))

    return run


def _plain(seed: int) -> nn.Module:
    return seeded(lambda: nn.Conv2d(1, 4, 3, padding=1), seed)


def _gained(seed: int) -> Layer:
    mix = seeded(lambda: ScaleConv1x1(2, 3), seed)
    return Then(mix, lambda y: y * _by_scale((1.0, 1.1, 1.3)).to(y.dtype))


def _norm_by_scale(seed: int) -> Layer:
    norm = seeded(lambda: nn.BatchNorm2d(6), seed)
    return lambda x: norm(x.flatten(1, 2)).unflatten(1, (2, 3))


def _channels_swapped(seed: int) -> Layer:
    kernels = [
        torch.stack([sampled(blobs(seed + c), s, 3.0) for c in (0, 50)])[None] for s in SCALES
    ]
    kernels[1] = kernels[1].flip(1)
    return Bank(kernels)


def _own_factors(seed: int) -> Layer:
    """Each of three functions divided by its own sum at each scale, then combined."""
    weights = np.random.default_rng(seed).standard_normal(3)
    kernels = []
    for s in (1.0, 1.5, 2.25):
        parts = [sampled(p, s, 4.0) for p in (gaussian, edge, laplacian)]
        parts[2] = parts[2] * (1.2 if s == 1.5 else 1.0)
        kernels.append(sum(float(w) * part for w, part in zip(weights, parts, strict=True)))
    return Bank(kernels)  # type: ignore[arg-type]


def _turned_wave(seed: int) -> Layer:
    """A wave that is turned by 20° at the second scale, an angle of a loop over scales."""

    def wave(angle: float) -> Callable[[FloatArray, FloatArray], FloatArray]:
        c, s = np.cos(angle + seed), np.sin(angle + seed)
        return lambda y, x: gaussian(y, x) * np.cos(2 * (c * x + s * y))

    return Bank([sampled(wave(0.35 * (i == 1)), s, 4.0) for i, s in enumerate(SCALES)])


def _rows_alone(seed: int) -> Layer:
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


class _Run(nn.Module):
    """A callable as a module."""

    def __init__(self, run: Layer) -> None:
        super().__init__()
        self.run = run

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.run(x)
        return y


_STACKED = {"lifts": False}
_WINDOW = {"window": 19}
"""Of the filters alone: a norm over everything reaches everywhere, which takes long to find out."""
_MIXED = {"lifts": False, "in_channels": 2}
_EXTENT = {"lifts": False, "in_channels": 2}
USER_LAYERS = (
    UserLayer("ratio_2_percent", "√2 typed as 1.443.", ("ratio",),
              _bank(sigmas=[1.5 * (1.02 * 2**0.5) ** i for i in range(3)])),
    UserLayer("ratio_5_percent", "Widths fitted by eye.", ("ratio",),
              _bank(sigmas=[1.5 * (0.95 * 2**0.5) ** i for i in range(3)])),
    UserLayer("square_root_of_ratio", "Variances in place of widths: σ² doubles where σ should.",
              ("ratio",), _bank(sigmas=[1.5 * 2 ** (i / 4) for i in range(3)])),
    UserLayer("ratio_squared", "The ratio is applied twice in a loop.", ("ratio",),
              _bank(sigmas=[1.0, 2.0, 4.0])),
    UserLayer("widths_rounded", "int(σ) in the width.", ("ratio",), _bank(sigmas=[2.0, 2.0, 3.0])),
    UserLayer("last_width_off", "One number of a table mistyped: 3.3 for 3.0.", ("ratio",),
              _bank(sigmas=[1.5, 1.5 * 2**0.5, 3.3])),
    UserLayer("one_kernel", "The kernel is built outside the loop over scales.",
              ("one_kernel",), _copies),
    UserLayer("unshared", "`nn.ModuleList` of one convolution for each scale.",
              ("unshared", "shape"),
              _unshared),
    UserLayer("power_missing", "σ⁻² left out.", ("amplitude",), _bank(power=0.0)),
    UserLayer("power_one", "σ⁻¹, as in one dimension.", ("amplitude",), _bank(power=1.0)),
    UserLayer("power_three", "σ⁻³: the factor of a derivative left in.", ("amplitude",),
              _bank(power=3.0)),
    UserLayer("unit_norm", "Every filter divided by its norm.", ("amplitude", "normalised"),
              _bank(lambda i, k: _norm(k))),
    UserLayer("unit_sum_of_magnitudes", "Every scale divided by its sum of magnitudes, then "
              "multiplied by σ.", ("amplitude", "normalised"),
              _bank(lambda i, k: _sum_of_magnitudes(k) * SCALES[i])),
    UserLayer("gain_of_one_scale", "A gain learned for each scale.", ("amplitude", "normalised"),
              _bank(lambda i, k: k * (1.0, 1.1, 1.0)[i])),
    UserLayer("gain_of_5_percent", "An average over one pixel too few.",
              ("amplitude", "normalised"), _bank(lambda i, k: k * (1.0, 1.0, 0.95)[i])),
    UserLayer("laplacian_unnormalised", "∇²G_σ without σ².", ("amplitude",),
              lambda seed: Bank(kernels_of([laplacian], SCALES, 5.0, 4.0))),
    UserLayer("gradient_unnormalised", "∇G_σ without σ.", ("amplitude",),
              lambda seed: Bank(kernels_of([edge], SCALES, 5.0, 3.0))),
    UserLayer("envelope_alone_scaled", "σ rounded in the polynomial, not in the envelope.",
              ("functions", "shape", "normalised"), _narrow_polynomials),
    UserLayer("function_of_one_scale", "One basis function has a factor of its own at one scale.",
              ("functions", "normalised", "ratio"), _own_factors),
    UserLayer("scales_reversed", "Outputs from large to small.", ("order",),
              _after(lambda y: y.flip(2))),
    UserLayer("two_scales_exchanged", "Sorted by name: 1.5, 3.0, 2.12.", ("order",),
              _after(lambda y: y[:, :, [0, 2, 1]])),
    UserLayer("fixed_surround", "A difference of Gaussians with one surround for all scales.",
              ("shape", "ratio", "functions", "support"), _fixed_surround),
    UserLayer("blurred_along_rows", "σ used for one of two axes.", ("shape", "ratio", "unshared"),
              _rows_alone),
    UserLayer("transposed_at_one_scale", "`meshgrid` with another indexing at one scale.",
              ("transposed",), _last(lambda k: k.mT.contiguous())),
    UserLayer("mirrored_at_one_scale", "Left and right exchanged at one scale.", ("mirrored",),
              _last(lambda k: k.flip(-1))),
    UserLayer("upside_down_at_one_scale", "The rows counted upwards at one scale.",
              ("upside_down",), _last(lambda k: k.flip(-2))),
    UserLayer("turned_at_one_scale", "A convolution among correlations.", ("turned",),
              _last(lambda k: k.flip(-1, -2))),
    UserLayer("quarter_turn_at_one_scale", "`rot90` at one scale.", ("rotated",),
              _last(lambda k: torch.rot90(k, 1, (-2, -1)))),
    UserLayer("sign_at_one_scale", "The sign of a derivative at one scale.", ("sign",),
              _last(lambda k: -k)),
    UserLayer("turned_by_20_degrees", "An angle that depends on the index of the scale.",
              ("shape", "unshared", "orientation"), _turned_wave),
    UserLayer("shifted_by_one_pixel", "Padding rounded the wrong way at one scale.", ("shift",),
              _bank(lambda i, k: F.pad(k, [1] * 4).roll((1, 1), (-2, -1)) if i == 1 else k)),
    UserLayer("shifted_by_half_a_pixel", "An even grid of coordinates at one scale.", ("shift",),
              _bank(lambda i, k: F.avg_pool2d(F.pad(k, [1, 0, 1, 0]), 2, 1) if i == 2 else k)),
    UserLayer("one_support", "7 × 7 pixels at every scale.", ("support",),
              _bank(lambda i, k: _middle(k, 3), sigmas=[0.75 * s for s in SCALES])),
    UserLayer("blur_cut_short", "A blur whose kernel is 9 × 9 at every σ, then normalised.",
              ("support",), lambda seed: Bank(
                  [k / k.sum() for k in (_middle(sampled(gaussian, s, 4.0), 4) for s in SCALES)])),
    UserLayer("largest_cut_short", "The largest kernel cut to the image of a small data set.",
              ("support",), _bank(lambda i, k: _middle(k, 5) if i == 2 else k)),
    UserLayer("resized_without_factor", "Kernels resized bilinearly, without 1/k².", ("resized",),
              _resized((5, 7, 11), "bilinear", factor=False), (1.0, 1.4, 2.2),
              {"in_channels": 1}),
    UserLayer("nearest_without_factor", "Kernels resized by nearest neighbour, without 1/k².",
              ("resized",), _resized((5, 15, 25), "nearest", factor=False), (1.0, 3.0, 5.0),
              {"in_channels": 1}),
    UserLayer("resized_to_even_size", "One kernel has an even size.", ("resized", "shift"),
              _resized((5, 8, 11), "bicubic", factor=True), (1.0, 1.6, 2.2), {"in_channels": 1}),
    UserLayer("dilated_with_power", "σ⁻² times dilated taps, as for sampled functions.",
              ("amplitude",), lambda seed: Then(
                  _Run(_dilated((1, 2, 4))(seed)),
                  lambda y: y * _by_scale((1.0, 0.25, 0.0625)).to(y.dtype)), OCTAVES),
    UserLayer("dilation_counts_up", "Dilations of 1, 2, 3 for scales of 1, 2, 4.",
              ("ratio", "support"), _dilated((1, 2, 3)), OCTAVES),
    UserLayer("dilated_transposed", "Taps transposed at one scale.", ("transposed",),
              _dilated((1, 2, 4), lambda i, k: k.mT if i == 1 else k), OCTAVES),
    UserLayer("bias_per_scale", "A bias of shape [C, S].", ("bias_per_scale",),
              _after(lambda y: y + _by_scale((0.0, 0.3, 0.6)).to(y.dtype))),
    UserLayer("bias_with_sigma", "The bias multiplied by σ⁻² with the filters.",
              ("bias_per_scale",),
              _after(lambda y: y + 0.5 * _by_scale([s**-2 for s in SCALES]).to(y.dtype))),
    UserLayer("bias_per_scale_then_relu", "The same in front of a ReLU.", ("bias_per_scale",),
              _after(lambda y: (y + _by_scale((0.0, 0.2, 0.4)).to(y.dtype)).relu())),
    UserLayer("threshold_with_sigma", "Noise is cut off at a threshold that grows with σ.",
              ("bias_per_scale",),
              _after(lambda y: (y - _by_scale([s / 3 for s in SCALES]).to(y.dtype)).relu())),
    UserLayer("reshape_without_permute", "[B, S, C, …] reshaped to [B, C, S, …].", ("axes",),
              _after(_reshaped)),
    UserLayer("extent_forgotten", "A scale convolution with K_S = 2, judged as one of K_S = 1.",
              ("extent",), _scale_conv, (1.5, 2.1, 2.94), _EXTENT),
    UserLayer("gain_after_mixing", "A gain of each scale after channels are mixed.",
              ("amplitude", "normalised"), _gained, SCALES, _MIXED),
    UserLayer("norm_per_scale", "`BatchNorm2d` on C·S channels.",
              ("bias_per_scale", "amplitude", "normalised"), _norm_by_scale, SCALES, _MIXED),
    UserLayer("channels_swapped_at_one_scale", "A concatenation in another order at one scale.",
              ("unshared", "shape"), _channels_swapped),
    UserLayer("gain_in_a_stack", "Two layers, with a gain of each scale.",
              ("amplitude", "normalised"), _Stack, (1.5, 2.1, 2.94)),
    UserLayer("sums_along_reversed_scales", "`flip` and `cumsum` on the scale axis.",
              ("extent", "neighbours", "order", "scale_equivariance"),
              lambda seed: lambda x: x.flip(2).cumsum(2), SCALES, _STACKED),
    UserLayer("coarse_from_half_the_pixels", "The coarse scale computed on a pooled image.",
              ("integer_translation",), _coarse_on_half, (1.5, 3.0)),
    UserLayer("reflected_at_one_scale", "`padding_mode` set at one scale alone.",
              ("padding", "border"), _reflected),
    UserLayer("norm_over_the_image", "`LayerNorm` over the whole image.",
              ("isolation", "integer_translation", "border", "nonlinear"), _after(_global_norm),
              options=_WINDOW),
    UserLayer("norm_over_the_batch", "Divided by the maximum of the batch.",
              ("batch_independence",), _after(_batch_maximum), options=_WINDOW),
    UserLayer("changes_its_input", "`relu_` on the image.", ("input_unchanged",), _in_place),
    UserLayer("plain_convolution", "A `Conv2d` taken for an invariant layer.",
              ("scale_invariance",), _plain, (1.0, 1.5)),
    UserLayer("maximum_of_copies", "The maximum over four copies of one kernel.",
              ("scale_invariance",), lambda seed: Then(
                  _plain(seed), lambda y: torch.stack([y] * 4, dim=2).amax(2)), (1.0, 1.5)),
)  # fmt: skip
_MISSED: set[str] = set()
MISSED = tuple(layer for layer in USER_LAYERS if layer.name in _MISSED)
"""Those that were not rejected with their cause when last measured: what the judge has to learn."""
