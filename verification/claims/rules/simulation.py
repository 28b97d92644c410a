"""The rules judged: how often each gives a wrong verdict where the truth is known.

Runs are drawn from normal distributions (times: log-normal) whose true difference is chosen.  They
are judged by the tests of the rules (`equivalence`, `decide`, `side_ps`, `ratio_interval`) on plain
arrays, without records; what the rules do around them is repeated here.  Each condition
is a mapping: what was drawn, its `effect`, and how many of the repetitions ended "supported",
"refuted" and "inconclusive".  `is_wrong` tells which of these contradict the truth.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from verification.claims.rules.cells import equivalence
from verification.claims.rules.costs import ratio_interval
from verification.claims.rules.rankings import decide
from verification.claims.rules.trends import side_ps
from verification.claims.rules.verdict import INCONCLUSIVE, LEVEL, REFUTED, SUPPORTED

Array = NDArray[np.float64]
Condition = dict[str, Any]

CELL_EFFECTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
CELL_RUNS = (2, 3, 4, 5, 6, 8, 10, 12)
RANKING_EFFECTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
RANKING_PAIRS = (3, 4, 5, 6, 7, 8, 10, 12)
RIVALS_OF_THE_BEST = 9
LARGE_EFFECT = 0.5
COST_TIMES = (5, 20)
COST_SPREADS = (0.05, 0.2)
TREND_ROWS = (5, 20)
TREND_POINTS = 9
TREND_SHAPES = (("log-normal", 0.5), ("log-normal", 1.5), ("gamma", 4.0), ("change", 1.5))
TREND_NEAR = (1, 9)
MARGIN = 0.2
_ROUNDING = 2  # decimals of the published tables


def simulate(repetitions: int, seed: int, spreads: Sequence[float]) -> dict[str, list[Condition]]:
    """Judge `repetitions` draws of every condition of cells, rankings, costs and trends.

    spreads: standard deviations over runs, in points: a usual one, a small and a large one.  Costs
    take a twentieth of the repetitions, since each is a bootstrap of thousands.
    """
    usual, small, large = spreads
    rng = np.random.default_rng(seed)
    pairs = ((usual, usual), (small, small), (large, large), (large, small), (small, large))
    return {
        "cells": [
            _cell(rng, repetitions, effect, runs, ours, theirs)
            for ours, theirs in pairs
            for runs in CELL_RUNS
            for effect in CELL_EFFECTS
        ],
        "rankings": list(_rankings(rng, repetitions, (usual, large))),
        "costs": [
            _cost(rng, max(1, repetitions // 20), times, spread)
            for times in COST_TIMES
            for spread in COST_SPREADS
        ],
        "trends": [
            _trend(rng, repetitions, (rows, *shape), near)
            for rows in TREND_ROWS
            for shape in TREND_SHAPES
            for near in TREND_NEAR
        ],
    }


def is_wrong(rule: str, condition: Mapping[str, Any], status: str) -> bool:
    """Whether a verdict contradicts the truth of a condition.

    Cells: the true means differ by `effect`, and less than `margin` is agreement.  Rankings: the
    model is truly better by `effect`.  Costs and trends: the truth is on the bound, where
    either verdict is wrong.
    """
    effect = condition["effect"]
    if rule == "cells":
        wrong = {SUPPORTED: effect >= condition["margin"], REFUTED: effect <= condition["margin"]}
    else:
        wrong = {SUPPORTED: effect <= 0, REFUTED: effect >= 0}
    return bool(wrong.get(status, False))


def _counts(supported: ArrayLike, refuted: ArrayLike) -> dict[str, int]:
    yes, no = int(np.sum(supported)), int(np.sum(refuted))
    number = int(np.size(supported))
    return {"repetitions": number, SUPPORTED: yes, REFUTED: no, INCONCLUSIVE: number - yes - no}


def _cell(
    rng: np.random.Generator, repetitions: int, effect: float, runs: int, ours: float, theirs: float
) -> Condition:
    """Six published runs, printed with two decimals, against ours: no realisation is shared."""
    published = rng.normal(0.0, theirs, (repetitions, 6))
    mine = rng.normal(effect, ours, (repetitions, runs))
    value = published.mean(axis=1).round(_ROUNDING)
    std = np.maximum(published.std(axis=1, ddof=1).round(_ROUNDING), 10.0**-_ROUNDING)
    found = equivalence(
        mine.mean(axis=1) - value,
        mine.std(axis=1, ddof=1),
        runs,
        published_std=std,
        published_runs=6,
        margin=MARGIN,
    )
    drawn = {"runs": runs, "spread": ours, "published_spread": theirs, "margin": MARGIN}
    counts = _counts(found.supports(MARGIN), found.refutes(MARGIN))
    return {**drawn, "effect": effect, **counts}


def _rankings(
    rng: np.random.Generator, repetitions: int, spreads: Sequence[float]
) -> Iterator[Condition]:
    """Families of two claims against one rival, and the claim to be best of ten.

    Of a family the first model is better by `effect` and the second by `companion`; the verdict is
    the first one's, or, where both effects are 0, so that any is wrong, whichever was given.  Of
    the best one rival is `effect` behind and the others `companion`.
    """
    for spread, pairs, effect in itertools.product(spreads, RANKING_PAIRS, RANKING_EFFECTS):
        # The number of sign flips doubles with each pair; rates of errors need the most draws, and
        # where all are equal they do not depend on the spread.
        share = min(repetitions, max(repetitions * 2**7 // 2**pairs, repetitions // 8, 1))
        number = repetitions if effect == 0 and spread == spreads[0] else share
        drawn = {"pairs": pairs, "spread": spread, "effect": effect}
        for companion in (0.0, LARGE_EFFECT) if effect == 0 else (effect,):
            counts = _family(rng, number, (effect, companion), pairs, spread)
            yield {**drawn, "family": 2, "rivals": 1, "companion": companion, **counts}
        number = max(share, number // 2)
        for companion in (0.0, LARGE_EFFECT) if effect == 0 else (LARGE_EFFECT,):
            counts = _best(rng, number, (effect, companion), pairs, spread)
            rivals = RIVALS_OF_THE_BEST
            yield {**drawn, "family": 1, "rivals": rivals, "companion": companion, **counts}


def _family(
    rng: np.random.Generator,
    repetitions: int,
    effects: tuple[float, float],
    pairs: int,
    spread: float,
) -> dict[str, int]:
    rival = rng.normal(0.0, spread, (repetitions, pairs))
    p_values = [
        sign_flip_ps(rng.normal(-effect, spread, (repetitions, pairs)) - rival)
        for effect in effects
    ]
    better, worse = (np.stack(side) for side in zip(*p_values, strict=True))
    supported, refuted = decide(better, worse)
    if effects == (0.0, 0.0):
        return _counts(supported.any(axis=0), refuted.any(axis=0) & ~supported.any(axis=0))
    return _counts(supported[0], refuted[0])


def _best(
    rng: np.random.Generator,
    repetitions: int,
    effects: tuple[float, float],
    pairs: int,
    spread: float,
) -> dict[str, int]:
    mine = rng.normal(0.0, spread, (repetitions, pairs))
    lags = [effects[0], *[effects[1]] * (RIVALS_OF_THE_BEST - 1)]
    p_values = [sign_flip_ps(mine - rng.normal(lag, spread, (repetitions, pairs))) for lag in lags]
    better = np.max([p for p, _ in p_values], axis=0)
    worse = np.minimum(1.0, len(lags) * np.min([p for _, p in p_values], axis=0))
    supported, refuted = decide(better[None], worse[None])
    return _counts(supported[0], refuted[0])


def sign_flip_ps(differences: Array) -> tuple[Array, Array]:
    """Exact one-sided p, for less and for greater, of each row [R, n] of paired differences.

    The same as `rankings.sign_flip_p`, of many rows at once.
    """
    pairs = differences.shape[1]
    flips = 1.0 - 2.0 * (np.arange(2**pairs)[:, None] >> np.arange(pairs) & 1)
    less, greater = np.empty(len(differences)), np.empty(len(differences))
    for start in range(0, len(differences), 1000):
        rows = slice(start, start + 1000)
        sums = differences[rows] @ flips.T
        slack = 1e-12 * np.abs(differences[rows]).sum(axis=1, keepdims=True)
        less[rows] = (sums <= sums[:, :1] + slack).mean(axis=1)
        greater[rows] = (sums >= sums[:, :1] - slack).mean(axis=1)
    return less, greater


def _cost(rng: np.random.Generator, repetitions: int, times: int, spread: float) -> Condition:
    """A true ratio of 1 that must not exceed 1: supported and refuted are both wrong."""
    sides = np.exp(rng.normal(0.0, spread, (2, repetitions, times)))
    _, low, high = ratio_interval(sides[0], sides[1])
    drawn = {"times": times, "spread": spread, "effect": 0.0}
    return {**drawn, **_counts(high <= 1.0, low > 1.0)}


def _trend(
    rng: np.random.Generator, repetitions: int, drawn: tuple[int, str, float], near: int
) -> Condition:
    """Values whose middle lies on an upper bound at `near` of nine points, far below elsewhere.

    A wrong "refuted" is easiest where all are on the bound, a wrong "supported" where one is.
    drawn: rows, shape of the distribution, and its spread: the standard deviation of the logarithm
    (log-normal), of the logarithms whose difference is a change, or the shape parameter (gamma).
    """
    rows, shape, spread = drawn
    size = (TREND_POINTS, repetitions, rows)
    if shape == "change":  # of two independent errors: its median is 0, its ends are far out
        samples = np.exp(rng.normal(0, spread, size)) - np.exp(rng.normal(0, spread, size))
        bound, far = 0.0, 1e3
    else:
        samples, bound = _positive(rng, shape, spread, size)
        far = 0.0
    away = np.arange(TREND_POINTS)[:, None, None] >= near
    samples = np.where(away, samples - far if far else samples / 1e9, samples)
    level = LEVEL / TREND_POINTS
    below, above = zip(*(side_ps(point, bound, level) for point in samples), strict=True)
    counts = _counts((np.array(below) <= level).all(axis=0), (np.array(above) <= level).any(axis=0))
    settings = {"rows": rows, "points": TREND_POINTS, "near": near, "shape": shape}
    return {**settings, "spread": spread, "effect": 0.0, **counts}


def _positive(
    rng: np.random.Generator, shape: str, spread: float, size: tuple[int, ...]
) -> tuple[Array, float]:
    """Positive samples and the median of their distribution."""
    if shape == "log-normal":
        return np.exp(rng.normal(0.0, spread, size)), 1.0
    return rng.gamma(spread, size=size), float(stats.gamma.median(spread))
