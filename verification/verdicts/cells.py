"""Rule for cells of published tables: two one-sided tests against a margin fixed beforehand."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from verification.claims import Cell
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


def judge_cell(claim: Cell, findings: Findings) -> Verdict:
    """Compare our mean over runs with the published mean ± std over n, by Welch's t.

    Supported: two one-sided tests at 5 % each both say that the true means differ by less than the
    margin.  Refuted: the 95 % interval of the difference lies wholly beyond the margin.  The two
    means share the data realisations, which Welch ignores, so both errors are rarer than stated.

    A published single run has no spread: it is compared with the interval in which one more run of
    ours would fall, which can refute it but can never support it.
    """
    findings.keep(
        [record for record in findings.counted if is_number(record.numbers.get(claim.quantity))],
        claim.quantity,
    )
    if not findings.counted:
        return findings.not_run()
    values = np.array([_value(record, claim) for record in findings.counted])
    runs, mean = len(values), float(values.mean())
    difference = mean - claim.value
    measured = {"runs": runs, "mean": mean, "difference": difference}
    if runs < 2:
        return findings.verdict(INCONCLUSIVE, "one run of ours shows no spread", measured)
    std = float(values.std(ddof=1))
    error, freedom = _standard_error(std, runs, claim)
    half = error * float(stats.t.ppf(1 - LEVEL / 2, freedom))
    measured |= {"std": std, "low": difference - half, "high": difference + half}
    reason = (
        f"mean {mean:.3f} ± {std:.3f} {claim.unit} over {plural(runs, 'run')}; difference "
        f"{difference:+.3f}, 95 % interval {difference - half:+.3f} to {difference + half:+.3f}, "
        f"margin ±{claim.margin:g}"
    )
    if abs(difference) - half > claim.margin:
        return findings.verdict(REFUTED, reason, measured)
    if claim.std is None or claim.runs is None:
        why = "published without a spread over known runs, so that agreement cannot be shown"
        return findings.verdict(INCONCLUSIVE, f"{reason}; {why}", measured)
    measured["p"] = p = _equivalence_p(difference, error, freedom, claim.margin)
    return findings.verdict(SUPPORTED if p <= LEVEL else INCONCLUSIVE, reason, measured)


def _value(record: Record, claim: Cell) -> float:
    return float(record.numbers[claim.quantity])


def _standard_error(std: float, runs: int, claim: Cell) -> tuple[float, float]:
    """Return the standard error of the difference and its degrees of freedom."""
    if claim.std is None or claim.runs is None or claim.runs < 2:
        return std * math.sqrt(1 + 1 / runs), runs - 1
    ours, theirs = std**2 / runs, claim.std**2 / claim.runs
    freedom = (ours + theirs) ** 2 / (ours**2 / (runs - 1) + theirs**2 / (claim.runs - 1))
    return math.sqrt(ours + theirs), freedom


def _equivalence_p(difference: float, error: float, freedom: float, margin: float) -> float:
    """Return the larger p of the two one-sided tests against −margin and +margin."""
    return float(stats.t.cdf((abs(difference) - margin) / error, freedom))
