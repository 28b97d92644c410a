"""Whether the filters of two scales are copies by σ⁻²ψ(t/σ), from the filters alone.

The coarse filter is the better sampled of the two: with s = σ_coarse/σ_fine, the fine one should be

    g_fine(u) = s² g_coarse(s·u)      wherever both supports reach,

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

from verification.signals.analytic import FloatArray
from verification.tolerances import DOUBT

_DEGREE = 5
_SLACK = 1e-9
"""In pixels: a position this far beyond the last tap is on it."""


@dataclass(frozen=True, eq=False)
class Copy:
    """What the coarse filters say of the fine ones: arrays [C_out, I, W, W].

    wanted: s² g_coarse(s·u); doubt: how far it may be off; both are zero outside `common` [W, W],
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
    reach: int,
    ratio: float,
    shift: tuple[float, float] = (0.0, 0.0),
    limit: float | None = None,
) -> Copy:
    """The fine filters that would be copies of the coarse ones [C_out, I, W, W].

    reach: of the coarse filters, in pixels. ratio: s = σ_coarse/σ_fine; below 1 the "fine" one is
    the wider. shift: by how many pixels the coarse filters are off centre. limit: reach of the fine
    filters in pixels, if it ends the common pixels.
    """
    side = coarse.shape[-1]
    middle = side // 2
    inside = slice(middle - reach, middle + reach + 1)
    own = coarse[..., inside, inside]
    pixels = np.arange(side) - middle
    results = []
    axes = [ratio * pixels + offset for offset in shift]
    admitted = [np.abs(axis) <= reach + _SLACK for axis in axes]
    if limit is not None:
        admitted = [inside & (np.abs(pixels) <= limit) for inside in admitted]
    for degree in degrees(reach):
        rows, columns = (
            _interpolation(reach, degree, tuple(np.clip(axis, -reach, reach))) * valid[:, None]
            for axis, valid in zip(axes, admitted, strict=True)
        )
        results.append(ratio**2 * np.einsum("ya,oiab,xb->oiyx", rows, own, columns, optimize=True))
    doubt = DOUBT * (results[0] - results[1])
    return Copy(results[0], doubt, np.logical_and.outer(*admitted))


def degrees(reach: int) -> tuple[int, int]:
    """Degrees of the spline and of its control: 5 and 3, less where there are too few taps."""
    high = min(_DEGREE, 2 * reach)
    high -= 1 - high % 2 if high > 1 else 0
    return high, max(high - 2, 0)


@functools.lru_cache(maxsize=4096)
def _interpolation(reach: int, degree: int, positions: tuple[float, ...]) -> FloatArray:
    """From the taps at −reach … reach to values at positions: [positions, 2·reach + 1]."""
    taps = 2 * reach + 1
    if degree == 0:
        nearest = np.clip(np.rint(positions).astype(int) + reach, 0, taps - 1)
        return np.asarray(np.eye(taps)[nearest])
    spline = make_interp_spline(np.arange(-reach, reach + 1), np.eye(taps), k=degree)
    return np.asarray(spline(np.asarray(positions)))
