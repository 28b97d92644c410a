"""How many runs an open cell or ranking still needs, by what is known of its spread."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import stats

from reports.readers.material import OPEN, Material
from verification.claims.claim import Cell, Ranking
from verification.claims.rules.planning import pairs_for_ranking, runs_for_cell
from verification.claims.rules.verdict import LEVEL

PUBLISHED = 6
"""Data realisations behind the published tables."""


@dataclass(frozen=True)
class RunsNeeded:
    """Runs or pairs in all for a verdict (None: no number helps), and how many there are."""

    total: int | None
    there: int

    def __str__(self) -> str:
        """Return for example "6 (2)"."""
        return f"{'never' if self.total is None else self.total} ({self.there})"


def cell_need(material: Material, claim: Cell) -> RunsNeeded:
    """What a cell needs if the publication is right, or else if our runs so far are typical."""
    measured = material.verdict(claim).measured
    units = int(measured.get("units", 0))
    if claim.std is None or claim.runs is None:
        return RunsNeeded(None, units)
    own = units >= 2
    total = runs_for_cell(
        measured["std"] if own else claim.std,
        claim.std,
        claim.runs,
        claim.margin,
        measured["difference"] if own else 0.0,
    )
    return RunsNeeded(total, units)


def ranking_need(material: Material, claim: Ranking) -> RunsNeeded:
    """What a ranking needs against its hardest rival, as published or as measured so far.

    The published spreads take two models for independent, so that pairing is not reckoned with.
    """
    family = sum(other.family == claim.family for other in material.select(Ranking))
    measured = material.verdict(claim).measured
    pairs = int(measured.get("pairs", 0))
    if pairs >= 3 and measured["high"] > measured["low"]:
        half = (measured["high"] - measured["low"]) / 2
        std = half / float(stats.t.ppf(1 - LEVEL / 2, pairs - 1)) * math.sqrt(pairs)
        return RunsNeeded(pairs_for_ranking(-measured["difference"], std, family), pairs)
    cells = {
        cell.model: cell
        for cell in material.select(Cell)
        if (cell.data, cell.column) == (claim.data, claim.column)
    }
    mine = cells.get(claim.better)
    needs = [_published(mine, cells.get(name), family) for name in claim.worse]
    return RunsNeeded(None if None in needs else max(n for n in needs if n is not None), pairs)


def open_rankings(material: Material) -> tuple[list[Ranking], int]:
    """Rankings on MNIST-scale that are open, and how many need more than the published data."""
    claims = material.with_status(material.select(Ranking, "ranking.mnist"), *OPEN)
    needs = [ranking_need(material, claim).total for claim in claims]
    return claims, sum(total is None or total > PUBLISHED for total in needs)


def _published(mine: Cell | None, rival: Cell | None, family: int) -> int | None:
    if mine is None or rival is None or mine.std is None or rival.std is None:
        return None
    return pairs_for_ranking(rival.value - mine.value, math.hypot(mine.std, rival.std), family)
