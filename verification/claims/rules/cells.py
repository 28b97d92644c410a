"""Rule for cells of published tables: two one-sided tests against a margin fixed beforehand."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from verification.claims.claim import Cell
from verification.claims.fields import is_number
from verification.claims.records import Record
from verification.claims.rules.units import Unit, unit_of
from verification.claims.rules.verdict import (
    INCONCLUSIVE,
    LEVEL,
    REFUTED,
    SUPPORTED,
    Findings,
    Verdict,
    plural,
)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Equivalence:
    """Difference of our mean from the published one: its 95 % interval and the p of equivalence.

    Arrays of any shape, in the unit of the cell.
    """

    low: Array
    high: Array
    p: Array

    def refutes(self, margin: float) -> NDArray[np.bool_]:
        """Whether the interval lies wholly beyond the margin."""
        return (self.low > margin) | (self.high < -margin)

    def supports(self, margin: float) -> NDArray[np.bool_]:
        """Whether both one-sided tests say that the true difference is within the margin."""
        return (self.p <= LEVEL) & ~self.refutes(margin)


def judge_cell(claim: Cell, findings: Findings) -> Verdict:
    """Compare our mean over data realisations with the published mean ± std over n.

    Runs on one realisation are averaged first.  Supported: two one-sided tests at 5 % each both say
    that the true means differ by less than the margin.  Refuted: the 95 % interval of the
    difference lies wholly beyond the margin.  The two means share the data realisations, which the
    rule ignores, so both errors are rarer than stated.

    A published single run has no spread: it is compared with the interval in which one more run of
    ours would fall, which can refute it but can never support it.
    """
    findings.keep(
        [record for record in findings.counted if is_number(record.numbers.get(claim.quantity))],
        claim.quantity,
    )
    if not findings.counted:
        return findings.not_run()
    values = _values(findings.counted, claim)
    runs, units, mean = len(findings.counted), len(values), float(values.mean())
    difference = mean - claim.value
    measured = {"runs": runs, "units": units, "mean": mean, "difference": difference}
    if units < 2:
        what = "one run of ours" if runs == 1 else "one data realisation"
        return findings.verdict(INCONCLUSIVE, f"{what} shows no spread", measured)
    std = float(values.std(ddof=1))
    found = equivalence(
        np.array(difference),
        np.array(std),
        units,
        published_std=None if claim.std is None else np.array(claim.std),
        published_runs=claim.runs,
        margin=claim.margin,
    )
    low, high = float(found.low), float(found.high)
    measured |= {"std": std, "low": low, "high": high}
    over = plural(runs, "run") + (f" on {plural(units, 'realisation')}" if units < runs else "")
    reason = (
        f"mean {mean:.3f} ± {std:.3f} {claim.unit} over {over}; difference "
        f"{difference:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}, margin ±{claim.margin:g}"
    )
    if found.refutes(claim.margin):
        return findings.verdict(REFUTED, reason, measured)
    if claim.std is None or claim.runs is None:
        why = "published without a spread over known runs, so that agreement cannot be shown"
        return findings.verdict(INCONCLUSIVE, f"{reason}; {why}", measured)
    measured["p"] = float(found.p)
    status = SUPPORTED if found.supports(claim.margin) else INCONCLUSIVE
    return findings.verdict(status, reason, measured)


def equivalence(
    difference: Array,
    std: Array,
    units: int,
    *,
    published_std: Array | None,
    published_runs: int | None,
    margin: float,
) -> Equivalence:
    """Compare means over `units` of ours with published ones, arrays of one shape.

    Student's t with the degrees of freedom of the smaller side, which bounds the error of two means
    of unequal spread from above (Mickey and Brown, 1966); Welch's degrees of freedom exceed the
    level by up to half where one side has two or three units.  p is 1 where the published cell
    shows no spread.
    """
    if published_std is None or published_runs is None or published_runs < 2:
        error, freedom = std * math.sqrt(1 + 1 / units), units - 1
    else:
        error = np.sqrt(std**2 / units + published_std**2 / published_runs)
        freedom = min(units, published_runs) - 1
    half = error * float(stats.t.ppf(1 - LEVEL / 2, freedom))
    p = np.ones_like(difference)
    if published_std is not None and published_runs is not None:
        p = np.asarray(stats.t.cdf((np.abs(difference) - margin) / error, freedom))
    return Equivalence(difference - half, difference + half, p)


def _values(records: Sequence[Record], claim: Cell) -> Array:
    """Mean of each realisation, in their order."""
    values: dict[Unit, list[float]] = defaultdict(list)
    for record in records:
        values[unit_of(record)].append(float(record.numbers[claim.quantity]))
    return np.array([np.mean(values[unit]) for unit in sorted(values)])
