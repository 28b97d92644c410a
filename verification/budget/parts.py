"""The parts of an error as numbers: relative squared norms, contributions and bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise

import numpy as np

from verification.reference.analytic import FloatArray

PARTS = ("sampling", "truncation", "border", "scale_axis", "precision")
"""In the order of the models; see `verification.budget`."""


@dataclass(frozen=True)
class PairBudget:
    """Relative squared errors between two scales, all with the divisor ‖L_s Φ(f)‖².

    fine, coarse: indices of the scales; ratio: s = σ_coarse/σ_fine.
    total: Δ; sampling … precision: its parts, 0 where a cause was not asked for.
    rank: share of sampling and truncation that is due to fewer independent functions at the fine
    scale. cut_off: of the fine response, by its own grid alone.
    residual: of the relation in the continuum, which is rounding.
    contributions: of each part to the total, by name; they add up to it.
    """

    fine: int
    coarse: int
    ratio: float
    total: float
    sampling: float
    truncation: float
    border: float = 0.0
    scale_axis: float = 0.0
    precision: float = 0.0
    rank: float = 0.0
    cut_off: float = 0.0
    residual: float = 0.0
    contributions: Mapping[str, float] = field(default_factory=dict)

    @property
    def parts(self) -> dict[str, float]:
        """All parts by name."""
        return {name: float(getattr(self, name)) for name in PARTS}

    @property
    def bound(self) -> float:
        """What Δ cannot exceed, by the triangle inequality: (Σ √part)²."""
        return float(np.sqrt([*self.parts.values()]).sum() ** 2)

    @property
    def limited_by(self) -> str:
        """The largest part; the earlier one of equal parts."""
        return max(PARTS, key=self.parts.__getitem__)


def budget_of(
    ends: tuple[int, int], ratio: float, errors: Sequence[FloatArray], energy: float,
    rank: float, cut_off: float,
) -> PairBudget:  # fmt: skip
    """The budget of errors E_0, … E_3 or further; rank and cut_off not yet divided by the energy.

    Raises ValueError for an energy of zero.
    """
    if energy == 0:
        raise ValueError("response: is zero everywhere, so no relative error exists")
    parts = {
        name: after - before for name, (before, after) in zip(PARTS, pairwise(errors), strict=False)
    }
    squares = {name: float((part**2).sum()) / energy for name, part in parts.items()}
    return PairBudget(
        fine=ends[0],
        coarse=ends[1],
        ratio=ratio,
        total=float((errors[-1] ** 2).sum()) / energy,
        sampling=squares["sampling"],
        truncation=squares["truncation"],
        border=squares["border"],
        scale_axis=squares.get("scale_axis", 0.0),
        precision=squares.get("precision", 0.0),
        rank=rank / energy,
        cut_off=cut_off / energy,
        residual=float((errors[0] ** 2).sum()) / energy,
        contributions={
            name: float((part * errors[-1]).sum()) / energy for name, part in parts.items()
        },
    )


def mean_budget(budgets: Sequence[PairBudget]) -> PairBudget:
    """The mean over several signals of budgets of one pair. Raises ValueError for none."""
    if not budgets:
        raise ValueError("budgets: must be at least one")
    first = budgets[0]
    numbers = [
        entry.name
        for entry in fields(PairBudget)
        if entry.name not in ("fine", "coarse", "ratio", "contributions")
    ]
    return PairBudget(
        fine=first.fine,
        coarse=first.coarse,
        ratio=first.ratio,
        contributions={
            name: float(np.mean([budget.contributions[name] for budget in budgets]))
            for name in first.contributions
        },
        **{name: float(np.mean([getattr(b, name) for b in budgets])) for name in numbers},
    )
