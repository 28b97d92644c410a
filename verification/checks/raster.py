"""Equivariance on raster images, as the paper measured it: with the warp's own error in it.

Compares, at valid pixels, the rescaled response of scale σ with the response of scale rσ to the
rescaled image, r the realised ratio. Three lines make the figure readable: the layer; the *floor*,
the ideal filter bank (documented filters, nothing cut off) under the same warps, whose error is the
warp's and the pixel grid's; and the *ceiling*, the same filters used at one fixed scale, as in a
plain convolution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from verification.checks.result import CheckResult
from verification.continuum import sampled_filters
from verification.errors import equivariance_error
from verification.probe import known_filters
from verification.targets import Target
from verification.warps import rescale, valid_margin, valid_mask

IDEAL_REACH = 6.0
"""Half support of the ideal filters in σ; what lies beyond is below 1e-6 of a filter's peak."""


@dataclass(frozen=True)
class RasterMeasurement:
    """Δ of a layer, of the floor and of the ceiling for one warp; ratio is out/in."""

    ratio: float
    error: float
    floor: float
    ceiling: float


def measure_raster(target: Target, image: Tensor, side: int) -> RasterMeasurement:
    """Rescales square images [B, C, n, n] to `side`; the target's first two scales must be (rσ, σ).

    The layer must keep the image size (padding). Raises ValueError if side/n is not the ratio of
    the scales, or if the filters are not known.
    """
    ratio = side / image.shape[-1]
    fine, coarse = target.scales[:2]
    if abs(fine / coarse - ratio) > 1e-9:
        raise ValueError(
            f"side={side!r}: ratio {ratio:.6f} must be that of the scales, {fine / coarse:.6f}"
        )
    bank = [ideal_filters(target, scale) for scale in (0, 1)]
    window = max(target.window, *(filters.shape[-1] for filters in bank))

    def error(at_fine: Callable[[Tensor], Tensor], at_coarse: Callable[[Tensor], Tensor]) -> float:
        with torch.no_grad():
            expected = rescale(at_coarse(image), side).image
            found = at_fine(rescale(image, side).image)
        mask = valid_mask(side, valid_margin(ratio, window))
        return equivariance_error(expected[..., mask], found[..., mask])

    def answer(scale: int) -> Callable[[Tensor], Tensor]:
        return lambda x: target.layer(x.to(target.dtype))[:, :, scale].double()

    def ideal(scale: int) -> Callable[[Tensor], Tensor]:
        return lambda x: F.conv2d(x, bank[scale], padding=bank[scale].shape[-1] // 2)

    return RasterMeasurement(
        ratio=ratio,
        error=error(answer(0), answer(1)),
        floor=error(ideal(0), ideal(1)),
        ceiling=error(answer(1), answer(1)),
    )


def check_raster_equivariance(
    target: Target, image: Tensor, side: int, factor: float
) -> CheckResult:
    """The layer's error stays below `factor` times the floor of the same warps.

    factor: 1 is what an ideal layer reaches; the caller states what truncation it grants.
    """
    measured = measure_raster(target, image, side)
    return CheckResult(
        "raster_equivariance",
        target.name,
        measured.error,
        factor * measured.floor,
        f"images rescaled by {measured.ratio:.4f}: floor {measured.floor:.3g}, ceiling (one fixed "
        f"scale) {measured.ceiling:.3g}; a larger error means that the layer, not the warp, fails",
    )


def ideal_filters(target: Target, scale: int) -> Tensor:
    """The documented filters with nothing cut off: [C_out, C_in, n, n]."""
    filters = known_filters(target)
    reach = round(IDEAL_REACH * target.scales[scale])
    functions = torch.from_numpy(sampled_filters(filters.basis, scale, 2 * reach + 1))
    coefficients = torch.from_numpy(filters.coefficients[:, :, 0])
    return torch.einsum("ocb,byx->ocyx", coefficients, functions)
