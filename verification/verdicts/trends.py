"""Rule for trends: bounds with simultaneous confidence bands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from verification.claims import Claim, Trend
from verification.evidence import Record
from verification.fields import is_number
from verification.verdicts.verdict import (
    INCONCLUSIVE,
    LEVEL,
    REFUTED,
    SUPPORTED,
    Findings,
    Verdict,
    plural,
)

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """One subject at the same points: x [P] ascending and y [R, P], a row for each seed."""

    subject: str
    x: Array
    y: Array


@dataclass(frozen=True)
class Demand:
    """What must hold of the mean of `samples` [R]: above `lower` and below `upper`."""

    what: str
    samples: Array
    lower: float = -np.inf
    upper: float = np.inf


def judge_trend(claim: Trend, findings: Findings, claims: Sequence[Claim]) -> Verdict:
    """Judge a trend, or, where it leaves its settings open, its readings.

    With readings the level is shared among them.  Supported: one of them is, so that the method can
    do what is stated.  Refuted: all of them are.  Otherwise inconclusive.  `claims` are all claims.
    """
    if not claim.readings:
        return _judged(claim, findings, LEVEL)
    trends = {trend.id: trend for trend in claims if isinstance(trend, Trend)}
    named = [r for r in findings.counted if set(r.claims) & set(claim.readings)]
    findings.keep(named, "a reading of the claim")
    if not named:
        return findings.not_run()
    verdicts = []
    for name in claim.readings:
        part = Findings(trends[name], [record for record in named if name in record.claims])
        verdicts.append(_judged(trends[name], part, LEVEL / len(claim.readings)))
    statuses = [verdict.status for verdict in verdicts]
    reason = ", ".join(f"{verdict.claim_id}: {verdict.status}" for verdict in verdicts)
    measured = {"readings": {verdict.claim_id: verdict.status for verdict in verdicts}}
    if SUPPORTED in statuses:
        return findings.verdict(SUPPORTED, f"one reading is enough; {reason}", measured)
    status = REFUTED if set(statuses) == {REFUTED} else INCONCLUSIVE
    return findings.verdict(status, reason, measured)


def _judged(claim: Trend, findings: Findings, level: float) -> Verdict:
    """Judge how y, a row for each seed, behaves over x; a record holds both under these names.

    The claim is turned into demands on means: for "stays" the bounds at every point in the range,
    for "grows" and "shrinks" a total change beyond `change` and no single step of that size against
    it.  Each mean gets a one-sided t band, Bonferroni-corrected over all bounds of all subjects.
    Supported: every band meets its demand, the ends of the range and all subjects were measured.
    Refuted: one band lies wholly on the wrong side.  Otherwise inconclusive.
    """
    usable = [record for record in findings.counted if _is_curve(record)]
    findings.keep(usable, "x and rows y of the same length")
    series = [part for whole in _series(findings.counted) if (part := _within(whole, claim))]
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
        reason = f"the bands decide {met} of {plural(len(demands), 'demand')}"
        return findings.verdict(INCONCLUSIVE, reason, measured)
    if missing := _missing(claim, series):
        return findings.verdict(INCONCLUSIVE, f"not measured: {missing}", measured)
    reason = f"all {plural(len(demands), 'demand')} met, at least {plural(rows, 'seed')} each"
    return findings.verdict(SUPPORTED, reason, measured)


def _is_curve(record: Record) -> bool:
    x, y = record.numbers.get("x"), record.numbers.get("y")
    if not (isinstance(x, list) and isinstance(y, list) and x and y and all(map(is_number, x))):
        return False
    if sorted(set(x)) != x:
        return False
    return all(isinstance(r, list) and len(r) == len(x) and all(map(is_number, r)) for r in y)


def _series(records: Sequence[Record]) -> list[Series]:
    """Stack the rows of records with the same subject and points."""
    rows: dict[tuple[str, tuple[float, ...]], list[list[float]]] = defaultdict(list)
    for record in records:
        rows[record.subject, tuple(record.numbers["x"])].extend(record.numbers["y"])
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
    tests = sum(int(np.isfinite([demand.lower, demand.upper]).sum()) for demand in demands)
    for demand in demands:
        count, mean = len(demand.samples), float(demand.samples.mean())
        quantile = float(stats.t.ppf(1 - level / tests, count - 1))
        half = quantile * float(demand.samples.std(ddof=1)) / np.sqrt(count)
        if mean + half < demand.lower or mean - half > demand.upper:
            broken.append(f"{demand.what}: {mean:.3g} ± {half:.2g}")
        elif demand.lower < mean - half and mean + half < demand.upper:
            met += 1
    return met, broken


def _missing(claim: Trend, series: Sequence[Series]) -> str:
    """Say which subjects or ends of the range were not measured."""
    absent = [name for name in claim.subjects if name not in {part.subject for part in series}]
    ends = [
        f"{claim.variable} {end:g}"
        for end in (claim.start, claim.stop)
        if not any(end in part.x for part in series)
    ]
    return ", ".join([*absent, *ends])
