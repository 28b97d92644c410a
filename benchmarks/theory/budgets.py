"""The error budget of every published configuration, without running a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.theory.cases import random_rng
from benchmarks.theory.session import Session
from sesn_impl import SteerableBasis, hermite_basis_a, hermite_basis_b
from sesn_impl.models.mnist import SESN_CONFIGURATIONS
from verification.checks import basis_ranks
from verification.errors import PairBudget, pair_budget
from verification.signals import random_gabor_image

SIGNALS: dict[str, Any] = {
    "channels": 8,
    "bumps": 6,
    "extent": 4.0,
    "widths": [2.0, 8.0],
    "max_frequency": 0.5,
    "points": 16,
}
"""Smooth analytic images, in pixels of the finer scale; their frequencies are below 0.5 rad/px,
about those of a digit's strokes. Rougher images lose more."""
SEEDS = 5


@dataclass(frozen=True)
class Configuration:
    """A basis whose budget is measured, and the claims that speak of it."""

    name: str
    basis: SteerableBasis
    claims: tuple[str, ...] = ()


def configurations() -> list[Configuration]:
    """The eight MNIST-scale and three STL-10 configurations, and one wide basis beside them."""
    found = [
        Configuration(name, configuration.basis(), ("trend.budget.published",))
        for name, configuration in SESN_CONFIGURATIONS.items()
    ]
    for letter, smallest in (("a", 0.9), ("b", 0.9), ("c", 1.1)):
        basis = hermite_basis_a(7, [smallest * 1.41**i for i in range(3)], 3)
        found.append(Configuration(f"stl10_sesn_{letter}", basis))
    wide = hermite_basis_b(61, [3.0 * 1.26**i for i in range(4)], 7)
    return [*found, Configuration("wide_support", wide, ("trend.budget.wide_support",))]


def measure_budgets(session: Session) -> None:
    """One record for each configuration: every neighbouring pair of scales, over several seeds."""
    for configuration in configurations():
        basis = configuration.basis
        pairs = range(basis.num_scales - 1)
        described = {
            "scales": list(basis.scales),
            "kernel_size": basis.kernel_size,
            "num_functions": basis.num_functions,
            "signals": SIGNALS,
            "repetitions": SEEDS,
        }
        with session.measuring(
            "budget", configuration.name, configuration.claims, described
        ) as measurement:
            rows = [
                [_budget(basis, fine, session.seed, repetition) for fine in pairs]
                for repetition in range(SEEDS)
            ]
            measurement.numbers.update(
                x=list(pairs),
                y=[[budget.total for budget in row] for row in rows],
                supports=list(basis.supports),
                ranks=list(basis_ranks(basis)),
                pairs=[_mean([row[fine] for row in rows]) for fine in pairs],
            )


def _budget(basis: SteerableBasis, fine: int, seed: int, repetition: int) -> PairBudget:
    # One set of signals for all configurations and pairs: their figures can be compared.
    rng = random_rng(seed, "budget", repetition)
    image = random_gabor_image(
        rng,
        SIGNALS["channels"],
        SIGNALS["bumps"],
        SIGNALS["extent"],
        tuple(SIGNALS["widths"]),
        SIGNALS["max_frequency"],
    )
    points = rng.uniform(-SIGNALS["extent"], SIGNALS["extent"], (SIGNALS["points"], 2))
    return pair_budget(basis, fine, fine + 1, image, points)


def _mean(budgets: list[PairBudget]) -> dict[str, float | int]:
    first = budgets[0]
    return {
        "fine": first.fine,
        "coarse": first.coarse,
        "ratio": first.ratio,
        **{
            name: float(np.mean([getattr(budget, name) for budget in budgets]))
            for name in ("total", "sampling", "truncation", "bound")
        },
    }
