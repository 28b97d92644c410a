"""What is wrong with filters that are no copies: the mistake that explains most of it.

Of causes that explain as much the simplest comes first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verification.checks.diagnosis.altered_copies import (
    amplitude,
    axes_confused,
    order_of_scales,
    orientation,
    ratio,
    shift,
)
from verification.checks.diagnosis.causes import Cause
from verification.checks.diagnosis.functions import weighed_otherwise
from verification.checks.diagnosis.pairs import Pair, difference, pairs_of
from verification.checks.diagnosis.resized import resized
from verification.checks.diagnosis.supports import cut_short, support
from verification.layer.reading import ReadFilters

ENOUGH = 0.5
"""A cause that explains less than half of the difference is none."""
_CLOSE = 0.1
"""A second cause is listed if it explains almost as much as the first."""
_NEARLY_ALL = 0.98
"""What a cause of many numbers has to explain."""


def diagnose(
    filters: ReadFilters, scales: Sequence[float], indices: Sequence[tuple[int, int]]
) -> list[Cause]:
    """Why the pairs (fine, coarse) of scales are no copies, the likeliest cause first.

    At least one where filters differ by more than the doubt of interpolation.
    """
    if one_kernel(filters):
        says = "one kernel for all scales: the filters of all scales are the same, pixel by pixel"
        return [Cause("one_kernel", says)]
    pairs = pairs_of(filters, scales, indices)
    declared = _beyond_extent(filters)
    bias = _bias_per_scale(filters)
    supports = support(filters, scales)
    if not any(pair.exceeds(filters.precision) for pair in pairs):
        return [*declared, *bias, *resized(pairs), *supports] or list(ratio(pairs))
    found = list(amplitude(pairs))
    found += [*order_of_scales(filters, scales), *orientation(pairs)]
    found += [*axes_confused(filters, scales), *shift(pairs), *ratio(pairs), *resized(pairs)]
    if max((h.share or 0.0 for h in found), default=0.0) < 1 - _CLOSE:
        # It has a number for each function, and so explains some of any mistake.
        found += [h for h in weighed_otherwise(pairs) if (h.share or 0.0) > _NEARLY_ALL]
    ranked = _ranked(found)
    if not ranked and not (declared or supports or bias):
        ranked = [_none_fits(pairs, found)]
    if ranked and ranked[0].name == "amplitude":
        # Filters that are cut short and divided by their sum differ by factors, too.
        ranked = [*cut_short(filters, scales), *ranked]
    # Scales out of order have supports out of proportion, not the other way round.
    explained = max((h.share or 0.0 for h in found), default=0.0) > 1 - _CLOSE
    ordered = [*ranked, *supports] if explained else [*supports, *ranked]
    return [*declared, *ordered, *bias]


def one_kernel(filters: ReadFilters) -> bool:
    """Whether all scales have the same filters, of more than one pixel."""
    off = np.abs(filters.taps - filters.taps[:1]).max(initial=0.0)
    return max(filters.reaches) > 0 and off <= filters.precision * np.abs(filters.taps).max()


def _ranked(causes: Sequence[Cause]) -> list[Cause]:
    """The two that explain most, to two hundredths; of equals the simpler, listed first."""
    found = [h for h in causes if (h.share or 0.0) >= ENOUGH]
    found.sort(key=lambda h: -round(50 * (h.share or 0.0)))
    best: dict[str, Cause] = {}
    for cause in found:
        best.setdefault(cause.name, cause)
    ranked = list(best.values())
    return [h for h in ranked[:2] if (h.share or 0.0) > (ranked[0].share or 0.0) - _CLOSE]


def _none_fits(pairs: Sequence[Pair], found: Sequence[Cause]) -> Cause:
    worst = max(pairs, key=difference)
    most = max(found, key=lambda h: h.share or 0.0, default=None)
    best = ""
    if most is not None and (most.share or 0.0) > 0:
        best = f"; the best, {most.name}, explains {100 * (most.share or 0.0):.0f} %"
    return Cause(
        "shape",
        f"the filters of scales {worst.fine} and {worst.coarse} differ in shape: no common factor, "
        f"ratio, shift, turn or order explains half of it{best}; look at how σ enters the filter: "
        "in every place, and unrounded; and whether each function is normalised at each scale by "
        "itself, by its sum, norm or maximum",
    )


def _beyond_extent(filters: ReadFilters) -> list[Cause]:
    """Input scales that no output scale should see, as declared, and which one sees."""
    if filters.whole is None or filters.elsewhere <= filters.precision:
        return []
    energy = (filters.whole**2).sum(axis=(1, 2, *range(4, filters.whole.ndim)))  # [S, S_in]
    seen = energy > filters.precision**2 * energy.max()
    steps = [int(j) - int(i) for i, j in np.argwhere(seen)]
    if min(steps) >= 0:
        advice = f"scale_extent is {max(steps) + 1}, or the layer reads too far"
    else:
        advice = "finer scales than its own, too, or the scale axis wraps around"
    return [
        Cause(
            "extent",
            f"extent: {100 * filters.elsewhere:.2g} % of the filters' energy lies on input scales "
            f"that were not declared, {min(steps):+d} to {max(steps):+d} from the output's: "
            f"{advice}",
        )
    ]


def _bias_per_scale(filters: ReadFilters) -> list[Cause]:
    """A bias that is none of all scales."""
    size = float(np.abs(filters.bias).max())
    worst = float(np.abs(filters.bias - filters.bias[:1]).max())
    weights = float(
        np.abs(filters.taps).sum(axis=tuple(range(2, filters.taps.ndim))).max(initial=0.0)
    )
    if worst <= 10 * filters.precision * max(size, weights):
        return []
    says = f"bias: differs from scale to scale, by up to {worst:.3g} of {size:.3g}"
    return [Cause("bias_per_scale", says)]
