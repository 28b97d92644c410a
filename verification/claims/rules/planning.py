"""How many runs a verdict needs, from the spread and the difference that are known beforehand.

Normal approximations, for planning only: no verdict rests on them. Plans are remembered, since a
report asks for the same ones many times.
"""

from __future__ import annotations

import math
from functools import cache

from scipy import stats

from verification.claims.rules.verdict import LEVEL

POWER = 0.8
"""Chance of a verdict that a plan asks for."""
MOST_RUNS = 100


@cache
def runs_for_cell(
    std: float, published_std: float, published_runs: int, margin: float, difference: float = 0.0
) -> int | None:
    """Fewest runs that support agreement, or refute it, with a chance of 80 %.

    `difference` is the true one: 0 if the publication is right.  None: more than 100, which is so
    wherever the published mean itself is not known well enough.
    """
    for runs in range(2, MOST_RUNS + 1):
        error = math.hypot(std / math.sqrt(runs), published_std / math.sqrt(published_runs))
        freedom = min(runs, published_runs) - 1
        if cell_power(abs(difference), error, freedom, margin) >= POWER:
            return runs
    return None


def cell_power(difference: float, error: float, freedom: int, margin: float) -> float:
    """Chance that a cell is supported, or that it is refuted, whichever is larger."""
    reach = margin - error * float(stats.t.ppf(1 - LEVEL, freedom))
    inside = stats.norm.cdf((reach - difference) / error) - stats.norm.cdf(
        (-reach - difference) / error
    )
    beyond = margin + error * float(stats.t.ppf(1 - LEVEL / 2, freedom))
    outside = stats.norm.sf((beyond - difference) / error)
    return max(float(inside), float(outside), 0.0)


def fewest_pairs(family: int) -> int:
    """Fewest pairs with which any claim of a family can be supported, whatever the data.

    All differences must point one way, which by chance they do once in 2ⁿ, and Holm's correction
    multiplies that by the size of the family.
    """
    return math.ceil(math.log2(family / LEVEL))


@cache
def pairs_for_ranking(difference: float, std: float, family: int) -> int | None:
    """Fewest pairs that support a ranking with a chance of 80 %.

    difference: how much better the model truly is; std: of the paired differences.  None: it is not
    better, or more than 100 pairs.  The t test stands in for the sign flips.
    """
    if difference <= 0:
        return None
    for pairs in range(max(2, fewest_pairs(family)), MOST_RUNS + 1):
        critical = stats.t.ppf(1 - LEVEL / family, pairs - 1)
        shift = difference / std * math.sqrt(pairs)
        if float(stats.nct.sf(critical, pairs - 1, shift)) >= POWER:
            return pairs
    return None
