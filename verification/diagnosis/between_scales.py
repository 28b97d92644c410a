"""What is wrong with filters that are no copies: the mistake that explains most of it.

Of suspicions that explain as much the simplest comes first.
"""

from __future__ import annotations

from collections.abc import Sequence

from verification.diagnosis.functions import weighed_otherwise
from verification.diagnosis.hypotheses import (
    Suspicion,
    amplitude,
    axes_confused,
    order_of_scales,
    orientation,
    ratio,
    shift,
)
from verification.diagnosis.pairs import Pair, difference
from verification.diagnosis.supports import support
from verification.layer.reading import ReadFilters

ENOUGH = 0.5
"""A suspicion that explains less than half of the difference is none."""
_CLOSE = 0.1
"""A second suspicion is told if it explains almost as much as the first."""
_NEARLY_ALL = 0.98
"""What a suspicion of many numbers has to explain."""


def diagnose(filters: ReadFilters, scales: Sequence[float], pairs: Sequence[Pair]) -> list[str]:
    """Sentences on why the pairs are no copies, the likeliest cause first; at least one."""
    supports = support(filters, scales)
    if not any(pair.exceeds(filters.precision) for pair in pairs):
        return [supports] if supports else [s.says for s in ratio(pairs)]
    suspicions = list(amplitude(pairs))
    suspicions += [*order_of_scales(filters, scales), *orientation(pairs)]
    suspicions += [*axes_confused(filters, scales), *shift(pairs), *ratio(pairs)]
    if max((s.share for s in suspicions), default=0.0) < 1 - _CLOSE:
        # It has a number for each function, and so explains some of any mistake.
        suspicions += [s for s in weighed_otherwise(pairs) if s.share > _NEARLY_ALL]
    told = _told(suspicions)
    if not supports:
        return told or [_none_fits(pairs, suspicions)]
    # Scales out of order have supports out of proportion, not the other way round.
    explained = max((s.share for s in suspicions), default=0.0) > 1 - _CLOSE
    return [*told, supports] if explained else [supports, *told]


def diagnose_against(found: ReadFilters, documented: ReadFilters) -> list[str]:
    """Sentences on how filters differ from their documentation, scale by scale; may be none."""
    reaches = [max(both) for both in zip(found.reaches, documented.reaches, strict=True)]
    pairs = [
        Pair(i, i, found.taps[i], documented.taps[i], (reaches[i], reaches[i]), 1.0)
        for i in range(len(reaches))
    ]
    return _told([*orientation(pairs), *amplitude(pairs), *shift(pairs)])


def _told(suspicions: Sequence[Suspicion]) -> list[str]:
    """The two that explain most, to two hundredths; of equals the simpler, listed first."""
    found = [s for s in suspicions if s.share >= ENOUGH]
    found.sort(key=lambda s: -round(50 * s.share))
    best: dict[str, Suspicion] = {}
    for suspicion in found:
        best.setdefault(suspicion.cause, suspicion)
    ranked = list(best.values())
    return [str(s) for s in ranked[:2] if s.share > ranked[0].share - _CLOSE]


def _none_fits(pairs: Sequence[Pair], found: Sequence[Suspicion]) -> str:
    worst = max(pairs, key=difference)
    most = max(found, key=lambda s: s.share, default=None)
    best = "" if most is None else f"; the best, {most.cause}, explains {100 * most.share:.0f} %"
    return (
        f"the filters of scales {worst.fine} and {worst.coarse} differ in shape: no common factor, "
        f"ratio, shift, turn or order explains half of it{best}; look at how σ enters the filter: "
        "in every place, and unrounded; and whether each function is normalised at each scale by "
        "itself, by its sum, norm or maximum"
    )
