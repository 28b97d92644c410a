"""The power of a decisive check: what a layer that ignores scale would show in the very case.

A small error proves nothing where every layer has one: on a smooth image a plain convolution is
nearly equivariant. So each decisive check measures, with the same layer and the same signal, the
errors of the nearest wrong layers: filters of one scale used at both, scales exchanged, responses
off by one power of σ. It passes only if its own error is at most `POWER` of the least of these.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from verification.layer.probe import Probe, responses
from verification.layer.targets import Target
from verification.reference.analytic import FloatArray
from verification.reference.errors import NothingToCompareError
from verification.tolerances import rounding_error

POWER = 0.25
"""A layer is told from one that ignores scale if its error is at most this share of that one's: at
most half of it in amplitude."""


def varying_error(reference: ArrayLike, measured: ArrayLike, offset: ArrayLike = 0.0) -> float:
    """‖reference − measured‖²/‖reference − offset‖²: a large bias hides no error.

    offset: the answers to an image of zeros. Raises NothingToCompareError if nothing varies.
    """
    near = np.asarray(reference, dtype=np.float64)
    varying = float(((near - np.asarray(offset)) ** 2).sum())
    if not varying:
        raise NothingToCompareError("answers are zero, or constant, to every image tried")
    return float(((near - np.asarray(measured)) ** 2).sum()) / varying


def ignoring_scale(target: Target, probe: Probe, fine: int, coarse: int) -> float:
    """The least error between two scales of the layers next to this one that ignore scale.

    FloatArray of one scale stand for both, or for each other; or go with another power of σ.
    """
    step = target.scales[coarse] / target.scales[fine]
    return min(frozen_error(target, probe, fine, coarse), (1 - 1 / step) ** 2)


def frozen_error(target: Target, probe: Probe, fine: int, coarse: int) -> float:
    """The least of those whose filters are not rescaled, or are exchanged."""
    step, steps = target.scales[coarse] / target.scales[fine], coarse - fine
    near = responses(target, probe)[..., fine].numpy()
    # Moved along the scale axis alone, and rescaled in space alone.
    moved = responses(target, probe.rescaled(1.0, steps))[..., coarse].numpy()
    rescaled = responses(target, probe.rescaled(step, 0))[..., fine].numpy()
    far = responses(target, probe.rescaled(step, steps))[..., coarse].numpy()
    frozen = [(near, rescaled), (moved, far), (moved, rescaled)]
    least = min(_change(before, after) for before, after in frozen)
    if target.lifts or least > rounding_error(target.dtype):
        return least
    # Filters of one pixel are of every scale: what is left is to take them in another order.
    other = responses(target, probe.rescaled(step, 0))[..., coarse].numpy()
    return _change(near, other)


def _change(before: FloatArray, after: FloatArray) -> float:
    """Of the part that varies from point to point, where there are several."""
    varying = before - before.mean(axis=0) if len(before) > 1 else before
    size = float((varying**2).sum())
    return min(float(((before - after) ** 2).sum()) / size, 1.0) if size else 0.0
