"""Scales that nobody gave: the ratios that fit a layer's own answers best."""

from __future__ import annotations

import math
from dataclasses import replace

from verification.checks.diagnosis.altered_copies import best_ratio, ratio_of_least
from verification.checks.diagnosis.pairs import pairs_of
from verification.layer.probe import complete_pairs, random_probe, responses
from verification.layer.reading import NotAffineError, read_filters
from verification.layer.targets import Target

_WIDEST = 4.0
"""The largest ratio of neighbouring scales that is looked for."""
_BETTER = 10
"""Times by which another ratio has to come nearer to a correlation of 1 than the claimed one does:
what is cut off or aliased favours others by a factor of 3."""
_FLAT, _FLAT_IF_NOT_AFFINE = 1e-6, 2e-3
"""Difference of two correlations that says nothing of the ratios. A maximum over two pixels leaves
the second at every ratio but 1, and has no scale to be wrong about."""
_UNRESOLVED = 1.0
"""Doubt of an interpolation, relative and squared, beyond which it says nothing."""
_DOUBTFUL = 0.01
"""Such a doubt from which answers to smooth images say more of the ratio than the filters."""


def with_estimated_scales(target: Target) -> tuple[Target, str]:
    """The target on the ratios that fit best, and a note; incomplete scales continue them.

    target: one whose scales are a guess (`estimated`).
    """
    ratios = [ratio for ratio in estimate_ratios(target, 0) if ratio is not None]
    found = ", ".join(f"{ratio:.4g}" for ratio in ratios)
    note = f"scales: not given; the ratios that fit best are {found}"
    if not ratios or min(ratios) <= 1:
        note = f"{note}, which do not grow, so {target.scales[1] / target.scales[0]:.3g} was used"
        return target, note
    ratios += [ratios[-1]] * (len(target.scales) - 1 - len(ratios))
    scales = [1.0]
    for ratio in ratios:
        scales.append(scales[-1] * ratio)
    return replace(target, scales=tuple(scales)), note


def estimate_ratios(
    target: Target, seed: int, *, where_claimed: bool = False
) -> list[float | None]:
    """For each complete pair of neighbouring scales, the ratio that fits best, up to a factor.

    None for filters that their pixels do not resolve at the claimed ratio.

    where_claimed: another than the claimed ratio only where answers to smooth images speak for it.
    Of filters that are cut off and rounded to one size a ratio near 1 would explain more, for it
    leaves nothing out of sight.
    """
    try:
        filters = read_filters(target, seed)
    except NotAffineError:
        return [
            _ratio_of_answers(target, seed, *pair, _FLAT_IF_NOT_AFFINE)
            for pair in complete_pairs(target)
        ]
    pairs = pairs_of(filters, target.scales, complete_pairs(target))
    if not where_claimed:
        return [best_ratio(pair) for pair in pairs]
    copies = [pair.copied() for pair in pairs]
    found: list[float | None] = []
    for pair, copy in zip(pairs, copies, strict=True):
        if not pair.resolved or copy.bound(pair.found) >= _UNRESOLVED:
            found.append(None)
        elif pair.exceeds(filters.precision) or copy.bound(pair.found) > _DOUBTFUL:
            # Of filters that are cut off, correlations have other maxima.
            found.append(_ratio_of_answers(target, seed, pair.fine, pair.coarse))
        else:
            # Nothing is left to explain, and of a flat objective the least says nothing.
            found.append(pair.ratio)
    return found


def _ratio_of_answers(
    target: Target, seed: int, fine: int, coarse: int, flat: float = _FLAT
) -> float:
    """As `altered_copies.best_ratio`, from responses to rescaled images alone."""
    probe = random_probe(target, seed, points=8)
    near = responses(target, probe)[..., fine]
    near = near - near.mean(dim=0)

    def misfit(ratio: float) -> float:
        moved = probe.rescaled(ratio, coarse - fine)
        far = responses(target, moved)[..., coarse]
        far = far - far.mean(dim=0)
        size = math.sqrt(float(near.square().sum()) * float(far.square().sum()))
        return -float((near * far).sum()) / size if size else 0.0

    claimed = target.scales[coarse] / target.scales[fine]
    best = ratio_of_least(misfit, _WIDEST, tried=29)
    # Of a flat objective, as that of a pooling over two pixels, the least says nothing.
    says_nothing = 1 + misfit(claimed) <= _BETTER * (1 + misfit(best)) + flat
    return claimed if says_nothing else best
