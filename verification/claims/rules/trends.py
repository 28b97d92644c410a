"""Rule for trends: bounds with simultaneous confidence bands.

Errors of random networks spread over factors and not over differences: their logarithm has a
standard deviation of up to 1.5.  A t band of plain means would then support a bound wrongly in up
to a fifth of all cases, so that the median is judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from verification.claims.claim import Claim, Trend
from verification.claims.fields import is_number
from verification.claims.records import Record
from verification.claims.rules.object_scales import error_by_distance
from verification.claims.rules.verdict import (
    INCONCLUSIVE,
    LEVEL,
    REFUTED,
    SUPPORTED,
    Findings,
    Verdict,
    plural,
)

Array = npt.NDArray[np.float64]
Curve = tuple[tuple[float, ...], list[list[float]]]


@dataclass(frozen=True)
class Series:
    """One subject at the same points: x [P] ascending and y [R, P], a row for each seed."""

    subject: str
    x: Array
    y: Array


@dataclass(frozen=True)
class Demand:
    """What must hold of the middle of `samples` [R]: above `lower` and below `upper`."""

    what: str
    samples: Array
    lower: float = -np.inf
    upper: float = np.inf


def judge_trend(claim: Trend, findings: Findings, claims: Sequence[Claim]) -> Verdict:
    """Judge a trend, or, where it leaves its settings open, its readings.

    With readings the level is shared among them.  Supported: every reading on a published
    configuration is, and none is refuted: what nobody published cannot speak for the method.
    Refuted: all readings are.  Otherwise inconclusive.  `claims` are all claims.
    """
    if not claim.readings:
        return _judged(claim, findings, LEVEL)
    trends = {trend.id: trend for trend in claims if isinstance(trend, Trend)}
    if not findings.counted:
        return findings.not_run()
    verdicts = []
    for name in claim.readings:
        part = Findings(trends[name], [r for r in findings.counted if trends[name].selects(r)])
        verdicts.append(_judged(trends[name], part, LEVEL / len(claim.readings)))
    statuses = [verdict.status for verdict in verdicts]
    reason = ", ".join(f"{verdict.claim_id}: {verdict.status}" for verdict in verdicts)
    measured = {"readings": {verdict.claim_id: verdict.status for verdict in verdicts}}
    published = [verdict.status for verdict in verdicts if trends[verdict.claim_id].published]
    if set(statuses) == {REFUTED}:
        return findings.verdict(REFUTED, reason, measured)
    if set(published) == {SUPPORTED} and REFUTED not in statuses:
        return findings.verdict(SUPPORTED, reason, measured)
    if not published:
        reason = f"{reason}; no reading is on a published configuration"
    return findings.verdict(INCONCLUSIVE, reason, measured)


def _judged(claim: Trend, findings: Findings, level: float) -> Verdict:
    """Judge how y, a row for each seed, behaves over x; a record holds both under these names.

    The claim is turned into demands: for "stays" the bounds at every point in the range, for
    "grows" and "shrinks" a total change beyond `change` and no single step of that size against
    it.  Each is a demand on the median over seeds, tested on either side, one-sided and
    Bonferroni-corrected over all bounds of all subjects: by the sign test, which holds for every
    distribution.  Where the seeds are too few for it to decide, bounds of positive values are
    tested by the t test of their logarithms, which takes them to be log-normal.
    Supported: every demand is met, the ends of the range and all subjects were measured.
    Refuted: one demand is surely not met.  Otherwise inconclusive.
    """
    curves = {record.digest: _curve(record, claim) for record in findings.counted}
    usable = [record for record in findings.counted if curves[record.digest]]
    findings.keep(usable, f"x and rows {claim.values} of the same length")
    found = _series([(r.subject, *c) for r in usable if (c := curves[r.digest])])
    series = [part for whole in found if (part := _within(whole, claim))]
    if not series:
        return findings.not_run()
    demands = [demand for part in series for demand in _demands(claim, part)]
    rows = min(len(part.y) for part in series)
    means = [part.y.mean(axis=0).tolist() for part in series]
    measured = {
        "series": [
            {"subject": part.subject, "seeds": len(part.y), "x": part.x.tolist(), "mean": mean}
            for part, mean in zip(series, means, strict=True)
        ]
    }
    if rows < 2 or not demands:
        return findings.verdict(INCONCLUSIVE, "one seed or one point shows no trend", measured)
    met, broken = _test(demands, level)
    if broken:
        return findings.verdict(REFUTED, ", ".join(broken), measured)
    if met < len(demands):
        reason = f"the tests decide {met} of {plural(len(demands), 'demand')}"
        return findings.verdict(INCONCLUSIVE, reason, measured)
    if missing := _missing(claim, series):
        return findings.verdict(INCONCLUSIVE, f"not measured: {missing}", measured)
    reason = f"all {plural(len(demands), 'demand')} met, at least {plural(rows, 'seed')} each"
    return findings.verdict(SUPPORTED, reason, measured)


def _curve(record: Record, claim: Trend) -> Curve | None:
    """The points of a record and a row for each seed; None where it has no such curve."""
    if claim.trained:
        distances, errors = error_by_distance(record, claim.trained)
        return (tuple(distances), [errors]) if distances else None
    x, y = record.numbers.get("x"), record.numbers.get(claim.values)
    if not (isinstance(x, list) and isinstance(y, list) and x and y and all(map(is_number, x))):
        return None
    if sorted(set(x)) != x:
        return None
    whole = all(isinstance(r, list) and len(r) == len(x) and all(map(is_number, r)) for r in y)
    return (tuple(x), y) if whole else None


def _series(curves: Sequence[tuple[str, tuple[float, ...], list[list[float]]]]) -> list[Series]:
    """Stack the rows of the same subject and points."""
    rows: dict[tuple[str, tuple[float, ...]], list[list[float]]] = defaultdict(list)
    for subject, points, values in curves:
        rows[subject, points].extend(values)
    return [
        Series(subject, np.array(x, dtype=float), np.array(rows[subject, x], dtype=float))
        for subject, x in sorted(rows)
    ]


def _within(series: Series, claim: Trend) -> Series | None:
    inside = (series.x >= claim.start) & (series.x <= claim.stop)
    if not inside.any():
        return None
    return Series(series.subject, series.x[inside], series.y[:, inside])


def _demands(claim: Trend, series: Series) -> list[Demand]:
    if claim.direction == "stays":
        lower = -np.inf if claim.lower is None else claim.lower
        upper = np.inf if claim.upper is None else claim.upper
        return [
            Demand(f"{series.subject} at {x:g}", series.y[:, i], lower, upper)
            for i, x in enumerate(series.x)
        ]
    if len(series.x) < 2 or claim.change is None:
        return []
    y = series.y if claim.direction == "grows" else -series.y
    steps = np.diff(y, axis=1)
    total = Demand(f"{series.subject} in total", y[:, -1] - y[:, 0], lower=claim.change)
    return [
        total,
        *(
            Demand(f"{series.subject} from {x:g}", steps[:, i], lower=-claim.change)
            for i, x in enumerate(series.x[:-1])
        ),
    ]


def _test(demands: Sequence[Demand], level: float) -> tuple[int, list[str]]:
    """Return how many demands are met for sure, and a text for each that is surely not."""
    met, broken = 0, []
    level /= sum(int(np.isfinite([demand.lower, demand.upper]).sum()) for demand in demands)
    for demand in demands:
        below_lower, above_lower = side_ps(demand.samples, demand.lower, level)
        below_upper, above_upper = side_ps(demand.samples, demand.upper, level)
        if below_lower <= level or above_upper <= level:
            bound = demand.lower if below_lower <= level else demand.upper
            side = "below" if below_lower <= level else "above"
            middle = float(np.median(demand.samples))
            broken.append(f"{demand.what}: median {middle:.3g}, {side} {bound:g}")
        elif above_lower <= level and below_upper <= level:
            met += 1
    return met, broken


def side_ps(samples: Array, bound: float, level: float) -> tuple[Array, Array]:
    """One-sided p that the middle of samples [..., R] lies below the bound, and above it.

    By the sign test, or, where that could not decide at this level, by the t test of logarithms, of
    which the p are doubled, in reserve for logarithms that are not quite normal.
    """
    if np.isinf(bound):
        sure = np.array(0.0 if bound > 0 else 1.0)
        return sure, 1.0 - sure
    rows = samples.shape[-1]
    if 0.5**rows > level and bound > 0 and bool((samples > 0).all()):
        below, above = _t_ps(np.log(samples) - np.log(bound))
        return 2 * below, 2 * above
    below, above = (samples < bound).sum(axis=-1), (samples > bound).sum(axis=-1)
    # A sample on the bound speaks for neither side.
    return stats.binom.sf(below - 1, rows, 0.5), stats.binom.sf(above - 1, rows, 0.5)


def _t_ps(distances: Array) -> tuple[Array, Array]:
    """One-sided p that the mean of distances [..., R] is negative, and positive."""
    count = distances.shape[-1]
    mean, std = distances.mean(axis=-1), distances.std(axis=-1, ddof=1)
    # Samples that are all the same leave no doubt about their side.
    error = np.maximum(std / np.sqrt(count), np.finfo(float).tiny)
    below = stats.t.cdf(np.clip(mean / error, -1e300, 1e300), count - 1)
    return below, 1.0 - below


def _missing(claim: Trend, series: Sequence[Series]) -> str:
    """Say which subjects or ends of the range were not measured."""
    absent = [name for name in claim.subjects if name not in {part.subject for part in series}]
    ends = [
        f"{claim.variable} {end:g}"
        for end in (claim.start, claim.stop)
        if not any(end in part.x for part in series)
    ]
    return ", ".join([*absent, *ends])
