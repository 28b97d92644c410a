"""Rule for rankings: paired permutation over data realisations, Holm-corrected in a family."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from verification.claims.claim import Claim, Ranking
from verification.claims.fields import is_number
from verification.claims.records import Record
from verification.claims.rules.admission import by_richest_protocol, select_records
from verification.claims.rules.object_scales import error_outside
from verification.claims.rules.units import Unit, unit_of
from verification.claims.rules.verdict import (
    INCONCLUSIVE,
    LEVEL,
    REFUTED,
    SUPPORTED,
    Findings,
    Verdict,
)

Pairs = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """One ranking before correction: p of "better" and of "worse", and its hardest rival."""

    protocol: str
    rival: str
    differences: Pairs
    p_better: float
    p_worse: float


def judge_ranking(
    claim: Ranking, findings: Findings, records: Sequence[Record], claims: Sequence[Claim]
) -> Verdict:
    """Compare models on the same data by the sign flips of their paired differences.

    The unit is the data realisation (without realisations: the seed); several runs on it are
    averaged, equally many of each model.  A record that holds a list has a unit for each of its
    repetitions, which are the same draws for every model.  Both one-sided tests are made.  Several
    rivals must all be beaten, so the largest p counts; being beaten by one of k rivals takes k
    times its p.  The p of all claims of the family, measured or not, are then corrected by Holm.
    Supported: significantly better; refuted: significantly worse; no difference shown:
    inconclusive.
    """
    findings.keep([record for record in findings.counted if _values(record, claim)], claim.quantity)
    own = _compare(claim, findings.counted)
    if not findings.counted:
        return findings.not_run()
    if own is None:
        models = sorted({str(record.configuration["model"]) for record in findings.counted})
        reason = f"no data realisation has all models; trained were {', '.join(models)}"
        return findings.verdict(INCONCLUSIVE, reason)
    findings.counted = [r for r in findings.counted if r.protocol == own.protocol]
    others = [
        _compare(other, _usable(other, records))
        for other in claims
        if isinstance(other, Ranking) and other.family == claim.family and other.id != claim.id
    ]
    better = np.array([own.p_better, *(1.0 if o is None else o.p_better for o in others)])
    worse = np.array([own.p_worse, *(1.0 if o is None else o.p_worse for o in others)])
    supported, refuted = decide(better, worse)
    status = SUPPORTED if supported[0] else REFUTED if refuted[0] else INCONCLUSIVE
    corrected = {"better": float(holm(better)[0]), "worse": float(holm(worse)[0])}
    return _explain(findings, own, status, **corrected, family=1 + len(others))


def decide(better: Pairs, worse: Pairs) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which claims of a family [F, ...] are supported and which refuted, by their one-sided p."""
    supported = holm(better) <= LEVEL
    return supported, (holm(worse) <= LEVEL) & ~supported


def holm(p_values: Pairs) -> Pairs:
    """Correct p values [F, ...] for their number by Holm's step-down rule, in the order given."""
    order = np.argsort(p_values, axis=0, kind="stable")
    factors = len(p_values) - np.arange(len(p_values)).reshape(-1, *[1] * (p_values.ndim - 1))
    stepped = np.minimum(1.0, factors * np.take_along_axis(p_values, order, axis=0))
    corrected = np.empty_like(stepped)
    np.put_along_axis(corrected, order, np.maximum.accumulate(stepped, axis=0), axis=0)
    return corrected


def sign_flip_p(differences: Pairs, alternative: str) -> float:
    """One-sided p of the mean of paired differences under random exchange within each pair."""
    return _sign_flip_p(np.ascontiguousarray(differences, dtype=float).tobytes(), alternative)


@lru_cache(maxsize=1024)
def _sign_flip_p(content: bytes, alternative: str) -> float:
    differences = np.frombuffer(content)
    if len(differences) == 1:  # two exchanges, which scipy declines to count
        as_claimed = differences[0] < 0 if alternative == "less" else differences[0] > 0
        return 0.5 if as_claimed else 1.0
    result = stats.permutation_test(
        (differences, np.zeros_like(differences)),
        _mean_difference,
        permutation_type="samples",
        vectorized=True,
        alternative=alternative,
        n_resamples=2**14,
        rng=np.random.default_rng(0),
    )
    return float(result.pvalue)


def _mean_difference(a: Pairs, b: Pairs, axis: int = -1) -> Pairs:
    means: Pairs = np.mean(a - b, axis=axis)
    return means


def _usable(claim: Ranking, records: Sequence[Record]) -> list[Record]:
    counted = select_records(claim, records).counted
    return [record for record in counted if _values(record, claim)]


def _compare(claim: Ranking, records: Sequence[Record]) -> Comparison | None:
    """Compare under the protocol with most pairs (among equals the heaviest); None without any."""
    found = by_richest_protocol(records, claim.protocol, partial(_differences, claim), _fewest)
    if found is None:
        return None
    protocol, best = found
    tests = {
        rival: (sign_flip_p(pairs, "less"), sign_flip_p(pairs, "greater"))
        for rival, pairs in best.items()
    }
    hardest = max(tests, key=lambda rival: tests[rival][0])
    p_worse = min(1.0, len(tests) * min(worse for _, worse in tests.values()))
    return Comparison(protocol, hardest, best[hardest], tests[hardest][0], p_worse)


def _fewest(pairs: dict[str, Pairs]) -> int:
    return min((len(values) for values in pairs.values()), default=0)


def _differences(claim: Ranking, records: Sequence[Record]) -> dict[str, Pairs]:
    """Differences better − rival on every unit that both were trained on, for each rival."""
    values: dict[str, dict[Unit, list[tuple[int, float]]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        model, seed = str(record.configuration["model"]), record.seeds.get("seed", 0)
        for unit, value in _values(record, claim):
            values[model][unit].append((seed, value))
    mine = values[claim.better]
    return {
        rival: np.array(
            [
                _paired(mine[unit], values[rival][unit])
                for unit in sorted(mine)
                if unit in values[rival]
            ]
        )
        for rival in claim.worse
    }


def _values(record: Record, claim: Ranking) -> list[tuple[Unit, float]]:
    """What a record says of the claim's quantity, by unit; empty if it says nothing."""
    found = record.numbers.get(claim.quantity)
    if claim.trained:
        found = error_outside(record, claim.trained)
    if is_number(found):
        return [(unit_of(record), float(found))]
    if isinstance(found, list) and all(map(is_number, found)):
        return [((*unit_of(record), index), float(value)) for index, value in enumerate(found)]
    return []


def _paired(mine: list[tuple[int, float]], theirs: list[tuple[int, float]]) -> float:
    """Difference of means over equally many runs, those of the smallest seeds."""
    runs = min(len(mine), len(theirs))
    means = [np.mean([value for _, value in sorted(side)[:runs]]) for side in (mine, theirs)]
    return float(means[0] - means[1])


def _explain(
    findings: Findings, own: Comparison, status: str, *, better: float, worse: float, family: int
) -> Verdict:
    pairs, mean = len(own.differences), float(own.differences.mean())
    measured = {
        "protocol": own.protocol,
        "pairs": pairs,
        "rival": own.rival,
        "difference": mean,
        "p_better": better,
        "p_worse": worse,
    }
    reason = (
        f"{mean:+.3f} against {own.rival} over {pairs} paired runs of protocol {own.protocol}; "
        f"p = {better:.3f} for better, {worse:.3f} for worse"
    )
    if pairs > 1:
        half = stats.sem(own.differences) * stats.t.ppf(1 - LEVEL / 2, pairs - 1)
        measured |= {"low": mean - float(half), "high": mean + float(half)}
    if status == INCONCLUSIVE and family * 0.5**pairs > LEVEL:
        reason += f"; {pairs} pairs are too few for any verdict"
    return findings.verdict(status, reason, measured)
