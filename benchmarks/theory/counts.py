"""Exact facts: parameters of every model, size, rank and support of the bases, lost scales."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.theory.cases import random_layer, random_rng
from benchmarks.theory.session import Session
from sesn_impl import create_model, hermite_basis_a, hermite_basis_b, list_models
from sesn_impl.networks.mnist import SESN_CONFIGURATIONS
from verification.checks import basis_ranks, failing_pairs
from verification.claims.claim import Count
from verification.claims.reading import load_claims
from verification.layer.probe import random_probe
from verification.layer.targets import describe

CLEARLY_WRONG = 1e-3
"""Relative squared error far above any of a complete scale (1e-25), far below that of a cut one."""


def measure_counts(session: Session) -> None:
    """One record for each subject of a count claim that can be counted on `sesn_impl`."""
    measurable: dict[str, Callable[[], Any]] = {
        **{name: partial(_parameters, name) for name in list_models()},
        **_basis_facts(),
        **{
            f"scale_extent_{extent}": partial(_lost_scales, extent, session.seed)
            for extent in (1, 2, 3)
        },
    }
    counts = (claim for claim in load_claims() if isinstance(claim, Count))
    for subject in dict.fromkeys(subject for claim in counts for subject in claim.expected):
        if subject in measurable:
            with session.measuring("count", subject, seeds={}) as measurement:
                measurement.numbers["value"] = measurable[subject]()


def _parameters(name: str) -> int:
    parameters = create_model(name).parameters()
    return sum(parameter.numel() for parameter in parameters if parameter.requires_grad)


def _basis_facts() -> dict[str, Callable[[], Any]]:
    published = SESN_CONFIGURATIONS["sesn_scalar_28"].basis()
    ranks = dict(zip(published.supports, basis_ranks(published), strict=True))
    # Orders up to 4 at one width: as many functions as fit before the width shrinks.
    widths = [atom.relative_width for atom in published.atoms]
    return {
        "basis_a_3": lambda: hermite_basis_a(7, (1.0, 2.0), 3).num_functions,
        "basis_b_7": lambda: hermite_basis_b(15, (1.0, 2.0), 7).num_functions,
        "max_order_4": lambda: widths.count(1.0),
        "supports_15": lambda: list(published.supports),
        **{f"basis_b_{v}x{v}": partial(ranks.get, v) for v in ranks},
    }


def _lost_scales(extent: int, seed: int) -> int:
    """How many scales of a scale convolution fail where support and sampling suffice."""
    layer = random_layer(random_rng(seed, "lost_scales", extent), extent, scales=4)
    target = describe(layer)
    probe = random_probe(target, seed, points=2, bumps=3, widths=(3.0, 8.0))
    return len(failing_pairs(target, probe, CLEARLY_WRONG))
