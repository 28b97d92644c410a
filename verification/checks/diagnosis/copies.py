"""Whether the filters of two scales are copies by σ⁻²ψ(t/σ), from the filters alone.

The coarse filter is the better sampled of the two: with s = σ_coarse/σ_fine, the fine one should be

    g_fine(u) = s² g_coarse(s·u)      wherever both supports reach   (s^D in D dimensions),

and the coarse one is known at whole pixels only. A spline through its taps gives the rest. How far
to trust it says the change from a spline two degrees lower, which errs more: a few times that is
the threshold (`tolerances.DOUBT`), and rounding. Where s·u are pixels themselves nothing is granted
but rounding. A coarse filter that its pixels do not resolve explains anything.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import make_interp_spline

from verification.reference.analytic import FloatArray
from verification.tolerances import DOUBT

_DEGREE = 5
_SLACK = 1e-9
"""In pixels: a position this far beyond the last tap is on it."""


@dataclass(frozen=True, eq=False)
class Copy:
    """What the coarse filters say of the fine ones: arrays [C_out, I, W, …].

    wanted: s² g_coarse(s·u); doubt: how far it may be off; both are zero outside `common` [W, …],
    the pixels of the fine scale that both supports reach.
    """

    wanted: FloatArray
    doubt: FloatArray
    common: np.ndarray

    def error(self, found: FloatArray) -> float:
        """‖g_fine − wanted‖²/‖g_fine‖² over the common pixels; 0 if both are zero there."""
        off = float((((found - self.wanted) * self.common) ** 2).sum())
        size = float(((found * self.common) ** 2).sum())
        return off / size if size else (0.0 if not off else float("inf"))

    def bound(self, found: FloatArray) -> float:
        """What the spline leaves open, in the same unit."""
        size = float(((found * self.common) ** 2).sum())
        return float((self.doubt**2).sum()) / size if size else 0.0


def copy_of(
    coarse: FloatArray,
    reach: float,
    ratio: float,
    shift: tuple[float, ...] | None = None,
    limit: float | None = None,
) -> Copy:
    """The fine filters that would be copies of the coarse ones [C_out, I, W, …].

    reach: of the coarse filters, in pixels; half a number if their middle lies between pixels.
    ratio: s = σ_coarse/σ_fine; below 1 the "fine" one is the wider. shift: by how many pixels the
    coarse filters are off centre. limit: reach of the fine filters, if it ends the common pixels.
    """
    side, dims = coarse.shape[-1], coarse.ndim - 2
    middle = (side - 1) / 2
    inside = slice(round(middle - reach), round(middle + reach) + 1)
    own = coarse[np.index_exp[...] + (inside,) * dims]
    pixels = np.arange(side) - middle
    results = []
    axes = [ratio * pixels + offset for offset in shift or [0.0] * dims]
    admitted = [np.abs(axis) <= reach + _SLACK for axis in axes]
    if limit is not None:
        admitted = [inside & (np.abs(pixels) <= limit) for inside in admitted]
    for degree in degrees(reach):
        values = own
        for axis, valid in zip(axes, admitted, strict=True):
            at = _interpolation(reach, degree, tuple(np.clip(axis, -reach, reach))) * valid[:, None]
            values = np.tensordot(values, at, (2, 1))  # takes one axis away and appends another
        results.append(ratio**dims * values)
    doubt = DOUBT * (results[0] - results[1])
    return Copy(results[0], doubt, functools.reduce(np.logical_and.outer, admitted))


def degrees(reach: float) -> tuple[int, int]:
    """Degrees of the spline and of its control: 5 and 3, less where there are too few taps."""
    high = min(_DEGREE, int(2 * reach))
    high -= 1 - high % 2 if high > 1 else 0
    return high, max(high - 2, 0)


@functools.lru_cache(maxsize=4096)
def _interpolation(reach: float, degree: int, positions: tuple[float, ...]) -> FloatArray:
    """From the taps at −reach … reach to values at positions: [positions, 2·reach + 1]."""
    taps = round(2 * reach) + 1
    if degree == 0:
        nearest = np.clip(np.rint(np.add(positions, reach)).astype(int), 0, taps - 1)
        return np.asarray(np.eye(taps)[nearest])
    spline = make_interp_spline(np.arange(taps) - reach, np.eye(taps), k=degree)
    return np.asarray(spline(np.asarray(positions)))
