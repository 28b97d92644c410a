"""Filters that are no copies, and yet made of copied functions: other weights at other scales.

A steerable filter is Σ_b w_b ψ_b. Where the scales weigh the functions differently, no filter of
one scale is a copy of one of another, but the space that all filters of a scale span is: the copies
of the coarse filters give the fine ones by a matrix. That matrix tells what happened. If each
function has a factor of its own, its eigenvalues are these factors, whatever the weights; if the
weights are others at each scale, it is any matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from verification.checks.diagnosis.causes import Cause
from verification.checks.diagnosis.copies import Copy
from verification.checks.diagnosis.pairs import Pair, difference, explained
from verification.reference.analytic import FloatArray
from verification.tolerances import DOUBT

_PIXELS_PER_FUNCTION = 4
"""So many pixels must be common for each function: a space that is nearly whole holds anything."""
_PHASE = 0.05
"""In radians: how far a factor may be from a positive number by what interpolation leaves open."""


@dataclass(frozen=True, eq=False)
class _Respun:
    """The copies nearest to the fine filters among all sums of the copies of the coarse ones."""

    nearest: Copy
    doubt: FloatArray
    factors: np.ndarray


def weighed_otherwise(pairs: Sequence[Pair]) -> Iterator[Cause]:
    """Found are other sums of the same functions; nothing if there are too few pixels to tell."""
    fits = [_respun(pair) for pair in pairs]
    known = [fit for fit in fits if fit is not None]
    if len(known) < len(pairs):
        return
    share = explained(pairs, lambda n: known[n].nearest, [fit.doubt for fit in known])
    worst = max(range(len(pairs)), key=lambda n: difference(pairs[n]))
    pair, factors = pairs[worst], known[worst].factors
    says = (
        f"functions: the filters of scales {pair.fine} and {pair.coarse} are made of the same "
        "functions"
    )
    own_factors = bool((np.abs(np.angle(factors)) < _PHASE).all())
    if own_factors:
        sizes = np.abs(factors)
        says += (
            f", each with a factor of its own, from {sizes.min():.3g} to {sizes.max():.3g}: every "
            "function is normalised at each scale by itself, or σ enters only a part of it"
        )
    else:
        says += " in other proportions: weights that are not shared over scales"
    yield Cause("normalised" if own_factors else "unshared", says, share)


def _respun(pair: Pair) -> _Respun | None:
    copy = pair.copied()
    count = int(copy.common.sum())
    found, wanted = (
        taps[..., copy.common].reshape(-1, count) for taps in (pair.found, copy.wanted)
    )
    left, sizes, right = np.linalg.svd(wanted, full_matrices=False)
    # A direction that is weaker than the interpolation's error is that error.
    rank = int((sizes > np.linalg.norm(copy.doubt) / DOUBT).sum())
    if not 0 < rank * _PIXELS_PER_FUNCTION <= count:
        return None
    left, sizes, right = left[:, :rank], sizes[:rank], right[:rank]
    along = found @ right.T
    nearest = np.zeros_like(copy.wanted)
    nearest[..., copy.common] = (along @ right).reshape(*copy.wanted.shape[:2], count)
    factors = np.linalg.eigvals(left.T @ along / sizes)
    return _Respun(Copy(nearest, copy.doubt, copy.common), copy.doubt, factors)
