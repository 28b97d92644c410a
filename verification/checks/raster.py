"""Equivariance on raster images, as the paper measured it: with the warp's own error in it.

Compares, at valid pixels, the rescaled response of scale σ with the response of scale rσ to the
rescaled image, r the realised ratio. Three lines make the figure readable: the layer; the *floor*,
the ideal filter bank (documented filters, nothing cut off) under the same warps, whose error is the
warp's and the pixel grid's; and the *ceiling*, the same filters used at one fixed scale, as in a
plain convolution.

What a layer may lose is known beforehand. With T the part of its documented filters that is cut
off, W the warp, and norms over the same pixels,

    ‖WΨf − Ψ'Wf‖ ≤ ‖WIf − I'Wf‖ + ‖WTf − T'Wf‖ = floor + truncation,

Ψ = I − T the layer's filters before the warp, Ψ' after it, I the ideal ones.

Warps may shrink or enlarge, and move the image as well. If rows and columns are rescaled unequally
no scale fits: equivariance is not promised, and the layer must be found to fail. The ideal filters
of the floor are then stretched as the image is, so that it stays what the warp alone does.

Local scale-invariance on raster images: real objects on one canvas, each rescaled by itself.

Object j is shown at side_j pixels in place of n; the ratio side_j/n is q^k_j, q that of the layer's
scales, so that its response belongs at the scale k_j steps up. Compared, at the pixels of each
object, are the maximum over scales on the canvas and that of the unscaled object's responses,
resampled to the object's size there. Floor and ceiling as in above: the ideal filter bank
under the same warps, and one fixed scale.

The maximum of what is cut off bounds what a cut-off can do to a maximum, so that

    ‖max Ψf − max Ψ'f'‖ ≤ ‖max If − max I'f'‖ + ‖max |Tf|‖ + ‖max |T'f'|‖

with the letters of above, maxima over scales: the layer's error has a bound beforehand.
It is sharp for wide filters (at 8 σ about 1.5 times the floor); filters cut at 2 σ lose so much
that it lies above the ceiling and excludes nothing.

Where the winner leaves the range of scales or another enters, invariance is not promised. These
pixels are predicted from the ideal filters, and measured apart.

Convention: as in `reference.warps`; an object stands in a frame of zeros three times its side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from verification.checks.result import CheckResult
from verification.layer.probe import known_filters
from verification.layer.scenes import grid_ratio
from verification.layer.targets import Target
from verification.reference.continuum import sampled_filters
from verification.reference.correlation import correlate
from verification.reference.errors import equivariance_error
from verification.reference.warps import Warp, random_patches, rescale
from verification.tolerances import bound_and_rounding

IDEAL_REACH = 6.0
"""Half support of the ideal filters in σ; what lies beyond is below 1e-6 of a filter's peak."""

_SAME_RATIO = 1e-9

Responder = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class RasterMeasurement:
    """Δ of a layer, of the floor and of the ceiling for one warp; ratio is out/in.

    truncation: what the documented filters' cut-off adds, in the same unit; bound: what Δ of a
    layer with these filters cannot exceed.
    """

    ratio: float
    error: float
    floor: float
    ceiling: float
    truncation: float
    bound: float


def measure_raster(target: Target, image: Tensor, warp: Warp) -> RasterMeasurement:
    """Warps square images [B, C, n, n]; the ratio of the target's first two scales must be warp's.

    The layer must keep the image size (padding). Raises ValueError if the scales do not fit the
    warp's ratio or its inverse, or if the filters are not known.
    """
    before, after = _scales_about(target, warp.ratio)
    ideal = ideal_filters(target, before), ideal_filters(target, before, warp.ratios)
    lost = lost_filters(target, before), lost_filters(target, after)
    before_window, after_window = (
        max(target.window, wide.shape[-1], cut_off.shape[-1])
        for wide, cut_off in zip(ideal, lost, strict=True)
    )
    mask = warp.mask(after_window, before_window)

    def both(at_before: Responder, at_after: Responder) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            expected, found = warp.of_response(at_before(image)), at_after(warp(image))
        return expected[..., mask], found[..., mask]

    def answer(scale: int) -> Responder:
        return lambda x: target.layer(x.to(target.dtype))[:, :, scale].double()

    perfect, cut_off = (
        both(*(partial(correlate, filters=bank) for bank in banks)) for banks in (ideal, lost)
    )
    bias = torch.from_numpy(known_filters(target).bias)[:, None]
    energy = float((perfect[0] - cut_off[0] + bias).square().sum())
    floor, truncation = (float((a - b).square().sum()) / energy for a, b in (perfect, cut_off))
    return RasterMeasurement(
        ratio=warp.ratio,
        error=equivariance_error(*both(answer(before), answer(after))),
        floor=equivariance_error(*perfect),
        ceiling=equivariance_error(*both(answer(before), answer(before))),
        truncation=truncation,
        bound=(math.sqrt(floor) + math.sqrt(truncation)) ** 2,
    )


def check_raster_equivariance(target: Target, image: Tensor, warp: Warp) -> CheckResult:
    """The layer's error stays within what warp, pixel grid and cut-off explain, and rounding."""
    before, after = _scales_about(target, warp.ratio)
    measured = measure_raster(target, image, warp)
    return CheckResult(
        "raster_equivariance",
        target.name,
        measured.error,
        bound_and_rounding(measured.bound, target.dtype),
        f"images rescaled by {measured.ratio:.4f} ({warp}): floor {measured.floor:.3g}, truncation "
        f"{measured.truncation:.3g}, ceiling (one fixed scale) {measured.ceiling:.3g}; a larger "
        "error means that the layer, not the warp, fails, or that the warp is no rescaling",
        floor=measured.floor,
        requested=target.scales[after] / target.scales[before],
        realised=measured.ratio,
        configuration=target.configuration,
    )


def ideal_filters(target: Target, scale: int, stretch: tuple[float, float] = (1.0, 1.0)) -> Tensor:
    """The documented filters with nothing cut off: [C_out, C_in, n, n].

    stretch: factors on their width along rows and columns.
    """
    filters = known_filters(target)
    reach = math.ceil(IDEAL_REACH * target.scales[scale] * max(stretch))
    functions = torch.from_numpy(sampled_filters(filters.basis, scale, 2 * reach + 1, stretch))
    coefficients = torch.from_numpy(filters.coefficients[:, :, 0])
    return torch.einsum("ocb,byx->ocyx", coefficients, functions)


def lost_filters(target: Target, scale: int) -> Tensor:
    """What the documented support cuts off of the ideal filters: [C_out, C_in, n, n]."""
    lost = ideal_filters(target, scale)
    support = known_filters(target).basis.supports[scale]
    kept = torch.ones(support, support, dtype=torch.bool)
    margin = (lost.shape[-1] - support) // 2
    return lost.masked_fill(F.pad(kept, [margin] * 4), 0.0)


def _scales_about(target: Target, ratio: float) -> tuple[int, int]:
    """Which of the first two scales is used before a warp by `ratio`, and which after it."""
    fine, coarse = target.scales[:2]
    before, after = (1, 0) if ratio < 1 else (0, 1)
    wanted = target.scales[after] / target.scales[before]
    if abs(wanted - ratio) > _SAME_RATIO:
        raise ValueError(
            f"ratio={ratio:.6f}: must be that of the scales {fine:.6g} and {coarse:.6g}, "
            f"{wanted:.6f}"
        )
    return before, after


_SOURCE_MAXIMUM = 16.0
"""Largest grey value of scikit-learn's digits."""


@dataclass(frozen=True)
class LocalRasterMeasurement:
    """Relative squared errors of the maxima over scales, all with the same pixels.

    error, floor: at pixels whose winner stays in range, the layer's and the ideal filters'; bound:
    what the former cannot exceed with the documented filters;
    ceiling: one fixed scale there; mean: the mean over scales there in place of the maximum;
    beyond: the layer's error at pixels predicted to fail; share: of pixels that must hold, 0 … 1;
    winner_shift: share of those at which the layer's winner moves by exactly the object's step;
    steps: k_j of each object.
    """

    steps: tuple[int, ...]
    error: float
    floor: float
    bound: float
    ceiling: float
    mean: float
    beyond: float
    share: float
    winner_shift: float


def digit_objects(rng: np.random.Generator, count: int, side: int) -> Tensor:
    """scikit-learn's handwritten digits, upscaled: [count, 1, side, side] in about 0 … 1."""
    from sklearn.datasets import load_digits  # noqa: PLC0415 (not on every GPU node)

    images = load_digits().images
    chosen = images[rng.integers(len(images), size=count)] / _SOURCE_MAXIMUM
    # Zeros around the strokes, so that they fade out inside the object.
    small = F.pad(torch.from_numpy(chosen)[:, None], [2] * 4)
    return rescale(small, side).image


def photo_objects(rng: np.random.Generator, count: int, side: int) -> Tensor:
    """Patches of photographs under a Hann window: [count, 1, side, side], each of variance 1.

    The window lets them fade out; equal variances let every object count, a flat sky as well.
    """
    window = torch.hann_window(side, periodic=False, dtype=torch.float64)
    faded = random_patches(rng, count, side) * window[:, None] * window
    return faded / faded.std(dim=(-1, -2), keepdim=True)


def measure_local_raster(
    target: Target, objects: Tensor, sides: tuple[int, ...]
) -> LocalRasterMeasurement:
    """Shows each of J objects [J, 1, n, n] at its own side in one image, next to each other.

    The layer must keep the image size (padding), and its filters must be known.

    Objects that keep their size are seen but not counted: they would only dilute the errors.

    Raises ValueError if a side is not n·q^k for a whole number k, if sides and objects differ in
    number, or if no object is rescaled.
    """
    if len(sides) != len(objects):
        raise ValueError(f"sides={sides!r}: must be one for each of {len(objects)} objects")
    steps = tuple(_step(target, side, objects.shape[-1]) for side in sides)
    if not any(steps):
        raise ValueError(f"sides={sides!r}: one or more must differ from {objects.shape[-1]}")
    scales = range(len(target.scales))
    ideal, lost = (
        _responder([filters(target, scale) for scale in scales])
        for filters in (ideal_filters, lost_filters)
    )

    def layer(x: Tensor) -> Tensor:
        with torch.no_grad():
            return target.layer(x.to(target.dtype)).double()

    pairs = [_answers(answer, objects, sides) for answer in (ideal, lost, layer)]
    (ideal_alone, ideal_shown), (lost_alone, lost_shown), (alone, shown) = pairs
    last = len(target.scales) - 1
    channels = len(known_filters(target).bias)
    counts = torch.tensor([channels * side**2 for side in sides])
    moved = torch.tensor(steps).repeat_interleave(counts)
    away = ideal_alone.argmax(1) + moved
    back = ideal_shown.argmax(1) - moved
    # The winner is in range at both sizes, so each maximum bounds the other: they are equal.
    rescaled = moved != 0
    holds = rescaled & (away >= 0) & (away <= last) & (back >= 0) & (back <= last)

    def error(expected: Tensor, found: Tensor, at: Tensor = holds) -> float:
        return equivariance_error(expected[at], found[at]) if at.any() else 0.0

    def size(maxima: Tensor) -> float:
        return float(maxima[holds].norm())

    allowed = size(ideal_alone.amax(1) - ideal_shown.amax(1))
    allowed += size(lost_alone.abs().amax(1)) + size(lost_shown.abs().amax(1))
    shifts = (shown.argmax(1) - alone.argmax(1) == moved)[holds]
    middle = len(target.scales) // 2
    return LocalRasterMeasurement(
        steps=steps,
        error=error(alone.amax(1), shown.amax(1)),
        floor=error(ideal_alone.amax(1), ideal_shown.amax(1)),
        bound=(allowed / size(alone.amax(1))) ** 2 if holds.any() else 0.0,
        ceiling=error(alone[:, middle], shown[:, middle]),
        mean=error(alone.mean(1), shown.mean(1)),
        beyond=error(alone.amax(1), shown.amax(1), rescaled & ~holds),
        share=float(holds[rescaled].double().mean()),
        winner_shift=float(shifts.double().mean()) if len(shifts) else 0.0,
    )


def check_local_raster(target: Target, objects: Tensor, sides: tuple[int, ...]) -> CheckResult:
    """The layer's error stays within what warps, pixel grid and cut-off explain, and rounding."""
    measured = measure_local_raster(target, objects, sides)
    return CheckResult(
        "local_raster",
        target.name,
        measured.error,
        bound_and_rounding(measured.bound, target.dtype),
        f"objects moved by {measured.steps} scales: floor {measured.floor:.3g}, ceiling (one fixed "
        f"scale) {measured.ceiling:.3g}; a larger error means that the layer, not the warp, fails",
        floor=measured.floor,
        configuration=target.configuration,
    )


def _responder(bank: list[Tensor]) -> Responder:
    return lambda x: torch.stack([correlate(x, filters) for filters in bank], dim=2)


def _step(target: Target, side: int, size: int) -> int:
    ratio = grid_ratio(target.scales)
    step = round(float(np.log(side / size) / np.log(ratio)))
    if abs(ratio**step * size - side) > 1e-6:
        raise ValueError(f"side={side!r}: must be {size} pixels times a power of q = {ratio:.6f}")
    return step


def _answers(answer: Responder, objects: Tensor, sides: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Responses at the pixels of all objects: alone and resampled, and on the canvas: [N, S] both.

    N counts the pixels of all objects times the output channels.
    """
    size = objects.shape[-1]
    framed = F.pad(objects, [size] * 4)  # [J, 1, 3n, 3n]
    frames = [rescale(framed[j : j + 1], 3 * side).image for j, side in enumerate(sides)]
    height = max(frame.shape[-1] for frame in frames)
    canvas = torch.cat(
        [F.pad(frame, [0, 0, 0, height - frame.shape[-1]]) for frame in frames], dim=-1
    )
    on_canvas = answer(canvas)[0]  # [C_out, S, H, W]
    answers: tuple[list[Tensor], list[Tensor]] = ([], [])
    left = 0
    for j, side in enumerate(sides):
        by_itself = answer(framed[j : j + 1])[0]
        inside = slice(side, 2 * side)
        resampled = rescale(by_itself, 3 * side).image[..., inside, inside]
        seen = on_canvas[..., inside, left + side : left + 2 * side]
        for found, values in zip(answers, (resampled, seen), strict=True):
            found.append(values.movedim(1, -1).reshape(-1, by_itself.shape[1]))
        left += 3 * side
    return torch.cat(answers[0]), torch.cat(answers[1])
