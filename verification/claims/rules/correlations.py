"""Rule for correlations: do predictions rank what was measured?  By a permutation test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from verification.claims.claim import Correlation, Point
from verification.claims.fields import is_number
from verification.claims.records import Record
from verification.claims.rules.admission import by_richest_protocol
from verification.claims.rules.object_scales import error_at
from verification.claims.rules.verdict import (
    INCONCLUSIVE,
    LEVEL,
    REFUTED,
    SUPPORTED,
    Findings,
    Verdict,
    plural,
)

RESAMPLES = 2**14
Array = NDArray[np.float64]


def judge_correlation(claim: Correlation, findings: Findings) -> Verdict:
    """Judge by Spearman's rank correlation between predictions and mean test errors.

    The errors of a point are averaged over the realisations that all measured points have, under
    the protocol that has most points (among equals the heaviest).  Supported: the one-sided p of a
    positive correlation under exchange of the predictions is at most 5 %; refuted: that of a
    negative one is.  Otherwise, and where a point lacks realisations, inconclusive.  The interval
    is a bootstrap over points, for the reader: it decides nothing.
    """
    findings.keep([r for r in findings.counted if _measured(claim, [r])], claim.quantity)
    measure = partial(_measured, claim)
    found = by_richest_protocol(findings.counted, claim.protocol, measure, len)
    if found is None:
        return findings.not_run()
    protocol, values = found
    findings.counted = [r for r in findings.counted if r.protocol == protocol]
    shared = sorted(set.intersection(*(set(runs) for runs in values.values())))
    measured = {
        "protocol": protocol,
        "realisations": len(shared),
        "points": [
            {
                "model": point.model,
                "data": point.data,
                "scale": point.scale,
                "predicted": point.predicted,
                "error": float(np.mean([runs[k] for k in shared] or list(runs.values()))),
                "spread": float(np.std(list(runs.values()), ddof=len(runs) > 1)),
                "runs": len(runs),
            }
            for point, runs in values.items()
        ],
    }
    lacking = len(claim.points) - len(values)
    if lacking or len(shared) < claim.runs:
        reason = (
            f"{lacking} of {plural(len(claim.points), 'point')} not measured, {len(shared)} of "
            f"{plural(claim.runs, 'realisation')} shared by the others"
        )
        return findings.verdict(INCONCLUSIVE, reason, measured)
    predicted = np.array([point.predicted for point in values])
    errors = np.array([point["error"] for point in measured["points"]])  # type: ignore[attr-defined]
    rho, positive, negative = permutation_ps(predicted, errors)
    low, high = bootstrap_interval(predicted, errors)
    measured |= {"rho": rho, "p": positive, "p_negative": negative, "low": low, "high": high}
    status = SUPPORTED if positive <= LEVEL else REFUTED if negative <= LEVEL else INCONCLUSIVE
    reason = (
        f"rank correlation {rho:+.2f} (95 % interval {low:+.2f} to {high:+.2f}) over "
        f"{plural(len(values), 'point')}, {plural(len(shared), 'realisation')} each of protocol "
        f"{protocol}; p = {positive:.3f} for positive, {negative:.3f} for negative"
    )
    return findings.verdict(status, reason, measured)


def permutation_ps(predicted: Array, errors: Array) -> tuple[float, float, float]:
    """Spearman's ρ of values [P], and one-sided p of a positive and of a negative one.

    Under random exchange of the predictions, the identity among them.  Values that are all the
    same have ρ = 0 and p = 1.
    """
    x, y = (_standardised(stats.rankdata(values)) for values in (predicted, errors))
    rho = float(x @ y)
    rng = np.random.default_rng(0)
    drawn = rng.permuted(np.tile(x, (RESAMPLES, 1)), axis=1) @ y
    tolerance = 1e-12
    above, below = (drawn >= rho - tolerance).sum(), (drawn <= rho + tolerance).sum()
    return rho, float(above + 1) / (RESAMPLES + 1), float(below + 1) / (RESAMPLES + 1)


def bootstrap_interval(predicted: Array, errors: Array) -> tuple[float, float]:
    """Percentiles 2.5 and 97.5 of Spearman's ρ over points drawn with replacement."""
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(errors), size=(2000, len(errors)))
    ranks = (stats.rankdata(values[chosen], axis=1) for values in (predicted, errors))
    x, y = (_standardised(rows) for rows in ranks)
    low, high = np.percentile((x * y).sum(axis=1), [2.5, 97.5])
    return float(low), float(high)


def _standardised(ranks: Array) -> Array:
    """Ranks [..., P] with mean 0 and norm 1; zeros where all are the same."""
    centred = ranks - ranks.mean(axis=-1, keepdims=True)
    norm = np.linalg.norm(centred, axis=-1, keepdims=True)
    return np.asarray(centred / np.where(norm > 0, norm, 1.0))


def _measured(
    claim: Correlation, records: Sequence[Record]
) -> dict[Point, dict[tuple[int, int], float]]:
    """Errors of each point that was measured, by realisation and seed."""
    found: dict[Point, dict[tuple[int, int], float]] = defaultdict(dict)
    for record in records:
        what = record.configuration.get("model"), (record.data or {}).get("name")
        run = record.seeds.get("realisation", 0), record.seeds.get("seed", 0)
        for point in claim.points:
            if (point.model, point.data) != what:
                continue
            value = (
                record.numbers.get(claim.quantity)
                if point.scale is None
                else error_at(record, point.scale)
            )
            if is_number(value):
                found[point][run] = float(value)
    return dict(found)
