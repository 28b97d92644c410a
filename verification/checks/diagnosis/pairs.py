"""Pairs of scales whose filters should be copies, and how much of their difference a fit explains.

    share = 1 − ‖found − fitted‖² / ‖found − wanted‖²,

beyond the doubt of the interpolation. A fit that leaves no more than a spline's single doubt
explains all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from verification.checks.diagnosis.alike import best_factor
from verification.checks.diagnosis.copies import Copy, copy_of
from verification.layer.reading import ReadFilters
from verification.reference.analytic import FloatArray
from verification.tolerances import DOUBT

_RESOLVED = 2
"""Reach in pixels of a filter through which a spline of degree 4, and its control, can be laid."""


@dataclass(frozen=True)
class Pair:
    """Two scales that should be copies: their filters [C_out, I, W, …], reaches and claimed ratio.

    fine, coarse: indices of the scales.
    """

    fine: int
    coarse: int
    found: FloatArray
    source: FloatArray
    reaches: tuple[float, float]
    ratio: float

    @property
    def resolved(self) -> bool:
        """Whether the coarse filters have so many taps that a spline through them has a control."""
        return self.reaches[1] >= _RESOLVED

    def exceeds(self, precision: float) -> bool:
        """Whether the filters differ by more than the doubt of interpolation and rounding."""
        copy = self.copied()
        allowed = math.sqrt(copy.bound(self.found)) + precision
        return math.sqrt(copy.error(self.found)) > allowed

    def copied(
        self,
        ratio: float | None = None,
        shift: tuple[float, ...] | None = None,
        source: FloatArray | None = None,
    ) -> Copy:
        """What a copy would be; by default by the claimed ratio, centred."""
        return copy_of(
            self.source if source is None else source,
            self.reaches[1],
            self.ratio if ratio is None else ratio,
            shift,
            self.reaches[0],
        )


def pairs_of(
    filters: ReadFilters, scales: Sequence[float], indices: Sequence[tuple[int, int]]
) -> list[Pair]:
    """The pairs (fine, coarse) of a layer whose filters were read."""
    reaches = filters.reaches
    return [
        Pair(
            i, j, filters.taps[i], filters.taps[j], (reaches[i], reaches[j]), scales[j] / scales[i]
        )
        for i, j in indices
    ]


def difference(pair: Pair) -> float:
    """Relative squared error of a pair beyond what the spline leaves open."""
    return _beyond(pair.copied(), pair)


def _beyond(copy: Copy, pair: Pair, doubt: FloatArray | None = None) -> float:
    off = (pair.found - copy.wanted) * copy.common
    size = float((pair.found**2).sum())
    open_ = copy.doubt if doubt is None else doubt
    granted = math.sqrt(float((open_**2).sum())) / DOUBT
    left = max(0.0, math.sqrt(float((off**2).sum())) - granted)
    return left**2 / size if size else 0.0


def explained(
    pairs: Sequence[Pair],
    fitted: Callable[[int], Copy],
    doubts: Sequence[FloatArray] | None = None,
) -> float:
    """The share of all pairs' differences that vanishes with the fitted copies.

    doubts: of each pair, so that a fit cannot grow its own.
    """
    before = sum(map(difference, pairs))
    after = sum(
        _beyond(fitted(n), pair, None if doubts is None else doubts[n])
        for n, pair in enumerate(pairs)
    )
    return 1 - after / before if before else 0.0


def scaled(copy: Copy, factor: float) -> Copy:
    """The copy and its doubt times a factor."""
    return Copy(factor * copy.wanted, factor * copy.doubt, copy.common)


def gain(pair: Pair, copy: Copy) -> float:
    """The factor on the copy that comes closest to what was found."""
    return best_factor(pair.found * copy.common, copy.wanted)


def best_scaled(pair: Pair, copy: Copy) -> Copy:
    """The copy, with the factor that fits best."""
    return scaled(copy, gain(pair, copy))
