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
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from verification.checks.result import CheckResult
from verification.layer.probe import known_filters
from verification.layer.targets import Target
from verification.reference.continuum import sampled_filters
from verification.reference.correlation import correlate
from verification.reference.errors import equivariance_error
from verification.signals.warps import Warp
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
