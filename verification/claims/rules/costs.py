"""Rule for costs: a ratio of times measured in one run, with a bootstrap interval."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

from verification.claims.claim import Cost
from verification.claims.fields import is_number
from verification.claims.records import Record
from verification.claims.rules.verdict import (
    INCONCLUSIVE,
    LEVEL,
    REFUTED,
    SUPPORTED,
    Findings,
    Verdict,
)

FEWEST_TIMES = 5
_RESAMPLES = 4999

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ratio:
    """Ratio of median times with its 95 % interval, on one device."""

    device: str
    value: float
    low: float
    high: float


def judge_cost(claim: Cost, findings: Findings) -> Verdict:
    """Compare the ratio of median times with the claim's range.

    A record holds `seconds`: for each thing timed in that one run the list of its times.  Each side
    is resampled (percentile bootstrap).  Supported: in every record the 95 % interval lies inside
    the range; refuted: in every record wholly outside; otherwise, also where machines disagree,
    inconclusive.
    """
    usable = [record for record in findings.counted if _is_timed(record, claim)]
    findings.keep(usable, f"{FEWEST_TIMES} times of {claim.numerator} and {claim.denominator}")
    if not findings.counted:
        return findings.not_run()
    ratios = [measure_ratio(record, claim) for record in findings.counted]
    inside = [claim.lower <= ratio.low and ratio.high <= claim.upper for ratio in ratios]
    outside = [ratio.high < claim.lower or ratio.low > claim.upper for ratio in ratios]
    reason = ", ".join(
        f"{ratio.value:.2f} (95 % interval {ratio.low:.2f} to {ratio.high:.2f}) on {ratio.device}"
        for ratio in ratios
    )
    measured = {
        "ratio": [ratio.value for ratio in ratios],
        "low": [ratio.low for ratio in ratios],
        "high": [ratio.high for ratio in ratios],
    }
    status = SUPPORTED if all(inside) else REFUTED if all(outside) else INCONCLUSIVE
    return findings.verdict(status, reason, measured)


def measure_ratio(record: Record, claim: Cost) -> Ratio:
    """Return the ratio of median times with its bootstrap interval, the same at every call."""
    numerator, denominator = _times(record, claim.numerator), _times(record, claim.denominator)
    return Ratio(record.provenance.device, *_interval(tuple(numerator), tuple(denominator)))


@lru_cache(maxsize=1024)
def _interval(
    numerator: tuple[float, ...], denominator: tuple[float, ...]
) -> tuple[float, float, float]:
    value, low, high = ratio_interval(np.array(numerator), np.array(denominator))
    return float(value), float(low), float(high)


def ratio_interval(numerator: Array, denominator: Array) -> tuple[Array, Array, Array]:
    """Ratio of medians of times [..., N] and [..., M], and the ends of its 95 % interval."""
    interval = stats.bootstrap(
        (numerator, denominator),
        _ratio_of_medians,
        n_resamples=_RESAMPLES,
        batch=_RESAMPLES if numerator.ndim == 1 else 100,  # many samples at once fill the memory
        axis=-1,
        vectorized=True,
        confidence_level=1 - LEVEL,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return _ratio_of_medians(numerator, denominator), interval.low, interval.high


def _ratio_of_medians(numerator: Array, denominator: Array, axis: int = -1) -> Array:
    ratio: Array = np.median(numerator, axis=axis) / np.median(denominator, axis=axis)
    return ratio


def _times(record: Record, name: str) -> Array:
    return np.array(record.numbers["seconds"][name], dtype=float)


def _is_timed(record: Record, claim: Cost) -> bool:
    seconds = record.numbers.get("seconds")
    if not isinstance(seconds, dict):
        return False
    sides = [seconds.get(name) for name in (claim.numerator, claim.denominator)]
    return all(
        isinstance(s, list) and len(s) >= FEWEST_TIMES and all(map(_is_time, s)) for s in sides
    )


def _is_time(value: object) -> bool:
    return is_number(value) and value > 0
