"""Check of what does not depend on the image: bias and thresholds are those of all scales.

An image of zeros is its own rescaling, so a layer that is scale-equivariant answers it alike at all
scales whose input is complete: no filter, sampling or cut-off enters. Behind a ReLU the answer to
zeros may be zero whatever the bias. There the layer is affine from kink to kink, and its *offset*

    b = Y(a·f) − a ∂Y(a·f)/∂a,      by finite differences  ((1 + ε)·Y(a·f) − Y((1 + ε)·a·f)) / ε,

is the bias where the unit is active, and zero where it is not, whatever the filters.

Where filters follow upon a bias, both are that bias times a sum of taps, which sampling and cut-off
do enter. Zeros beyond the border then show in the answers near it, so that answers which are the
same everywhere under zero padding are those of a bias alone. Of others only a large difference
fails.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from verification.checks.power import POWER
from verification.checks.result import CheckResult, NotApplicableError, about
from verification.layer.targets import Target
from verification.layer.windows import noise
from verification.reference.analytic import FloatArray
from verification.tolerances import rounding_error

_AMPLITUDES = (1.0, 8.0, 64.0)
"""Of the images: a threshold that none of their answers reaches is not seen."""
_STEP = 1 / 16
_SHARE, _AGREE = 0.2, 0.8
"""Shares of the offsets that one number, and all such numbers, must account for: kinks between the
two amplitudes give others."""


@dataclass(frozen=True, eq=False)
class _Offsets:
    """What each complete scale adds whatever the image.

    values: of each channel [S, K], K numbers as a modulus has two; channels that add no fixed
    numbers are left out. size: root mean square of the answers. alone: whether it is known that no
    filters follow.
    """

    values: list[FloatArray]
    size: float
    alone: bool

    @property
    def known(self) -> bool:
        """Whether there is anything to compare."""
        return bool(self.values) and self.size > 0

    @property
    def error(self) -> float:
        """The largest difference of two scales, relative and squared."""
        return float(max(np.ptp(each, axis=0).max() for each in self.values) / self.size) ** 2


def bias_per_scale(target: Target, seed: int) -> CheckResult:
    """Bias and thresholds are the same at all complete scales, relative to the answers.

    Raises NotApplicableError for a layer that does not answer zeros with finite numbers, or whose
    answers to all images are zero.
    """
    side = target.window + (0 if target.one_size else 4 * target.stride)
    x = noise(target, side, 2, seed)
    nothing, one = (_answers(target, image) for image in (0 * x, 0 * x + 1))
    if not np.isfinite(nothing).all():
        raise NotApplicableError("an image of zeros has no finite answers")
    padded = not target.centre_only and not _flat(one, _allowed(target, one))
    found = [_of_zeros(target, nothing, _answers(target, x), padded)]
    found += [_of_active(target, a * x, padded) for a in _AMPLITUDES]
    known = [each for each in found if each.known]
    if not known:
        raise NotApplicableError("answers are zero to every image tried")
    exact = [each for each in known if each.alone]
    worst = max(exact or known, key=lambda each: each.error)
    listed = "; ".join(", ".join(f"{v:.3g}" for v in row[:, 0]) for row in worst.values[:3])
    return CheckResult(
        "bias_per_scale",
        target.name,
        worst.error,
        4 * rounding_error(target.dtype) if worst.alone else POWER,
        f"what complete scales add whatever the image (of channels: {listed}), relative to answers "
        f"of {worst.size:.3g}; an image of zeros is its own rescaling, so a difference is a bias, "
        "threshold or norm of each scale's own",
        cause="bias_per_scale",
        **about(target, seed),
    )


def _answers(target: Target, x: Tensor) -> FloatArray:
    """Of complete scales: [B, C, S, …]."""
    with torch.no_grad():
        y = target.layer(x)
    count = len(target.scales) - target.scale_extent + 1
    return np.asarray(y[:, :, :count].double().cpu().numpy())


def _of_zeros(target: Target, nothing: FloatArray, usual: FloatArray, padded: bool) -> _Offsets:
    flat = _flat(nothing, _allowed(target, usual))
    middle = tuple(n // 2 for n in nothing.shape[3:])
    values = nothing[(0, slice(None), slice(None), *middle, None)]
    return _Offsets(list(values), _size(usual), _is_simple(target) or (padded and flat))


def _of_active(target: Target, x: Tensor, padded: bool) -> _Offsets:
    low, high = _answers(target, x), _answers(target, (1 + _STEP) * x)
    offsets = ((1 + _STEP) * low - high) / _STEP
    allowed = _allowed(target, low) / _STEP
    edge = np.zeros(offsets.shape[3:], dtype=bool)
    for axis in range(edge.ndim):
        np.moveaxis(edge, axis, 0)[[0, -1]] = True
    values, alone = [], padded
    for channel in np.moveaxis(offsets, 1, 0):
        of_scales = [_numbers(y, allowed) for y in np.moveaxis(channel, 1, 0)]
        if len({len(numbers) for numbers in of_scales}) == 1 and len(of_scales[0]):
            values.append(np.stack(of_scales))
            at_edge = [_numbers(y[:, edge], allowed) for y in np.moveaxis(channel, 1, 0)]
            alone = alone and all(map(len, at_edge))
    return _Offsets(values, _size(low), alone or _is_simple(target))


def _numbers(offsets: FloatArray, allowed: float) -> FloatArray:
    """The few numbers, growing, that those offsets are which are not zero; empty if many are."""
    active = np.sort(offsets[np.abs(offsets) > allowed])
    if not active.size or not np.isfinite(active).all():
        return active[:0]
    groups = np.split(active, np.flatnonzero(np.diff(active) > allowed) + 1)
    large = [group for group in groups if len(group) >= _SHARE * len(active)]
    if sum(map(len, large)) < _AGREE * len(active):
        return active[:0]
    return np.array([np.median(group) for group in large])


def _flat(y: FloatArray, allowed: float) -> bool:
    """Whether all pixels of each channel and scale are the same."""
    space = tuple(range(3, y.ndim))
    return bool(np.ptp(y, axis=space).max(initial=0.0) <= allowed)


def _allowed(target: Target, y: FloatArray) -> float:
    return float(rounding_error(target.dtype) ** 0.5 * _size(y))


def _size(y: FloatArray) -> float:
    return float(np.sqrt((y**2).mean()))


def _is_simple(target: Target) -> bool:
    """Whether a module has filters in one place alone, or none: so that none follow upon a bias."""
    parts = target.layer.modules() if isinstance(target.layer, nn.Module) else ()
    weighted = [any(p.ndim > 1 for p in part.parameters(recurse=False)) for part in parts]
    return target.window == 1 or sum(weighted) == 1
