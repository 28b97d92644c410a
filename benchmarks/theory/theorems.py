"""Theorems, by attempted falsification: many random cases each, the worst error is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from benchmarks.theory.cases import random_basis, random_layer, random_rng, random_stack
from benchmarks.theory.session import Session
from sesn_impl import ScaleConv1x1, ScaleMaxProjection, hermite_basis_a, hermite_basis_b
from verification.checks import (
    check_closed_form,
    check_commutes_with_scale_shift,
    check_field_invariance,
    check_field_response,
    check_integer_translation,
    check_local_invariance,
    check_local_response,
    check_local_winner,
    check_max_projection,
    check_scale_axis_shift,
    check_sigma_law,
)
from verification.checks.local import local_error
from verification.claims.claim import Theorem
from verification.claims.reading import load_claims
from verification.layer.probe import Probe, complete_pairs, measure_pair, random_probe
from verification.layer.scaling_field import random_field_scene
from verification.layer.scenes import random_scene
from verification.layer.targets import Target, describe

Case = Callable[[np.random.Generator], float]


@dataclass(frozen=True)
class Attempt:
    """How one case of a theorem is made: from a generator to its relative squared error."""

    claim: str
    case: Case


def measure_theorems(session: Session) -> None:
    """One record for each theorem that can be tried on `sesn_impl`."""
    bounds = {claim.id: claim.bound for claim in load_claims() if isinstance(claim, Theorem)}
    for attempt in ATTEMPTS:
        name = attempt.claim.removeprefix("theorem.")
        with session.measuring(
            "theorem", name, {"cases": session.cases, "dtype": "float64"}
        ) as measurement:
            errors = [
                attempt.case(random_rng(session.seed, name, case)) for case in range(session.cases)
            ]
            measurement.numbers.update(
                cases=len(errors), worst_error=max(errors), bound=bounds[attempt.claim]
            )


def _probed(rng: np.random.Generator, extent: int) -> tuple[Target, Probe]:
    target = describe(random_layer(rng, extent))
    seed = int(rng.integers(2**32))
    return target, random_probe(target, seed, points=2, bumps=3, widths=(3.0, 8.0))


def _scale_equivariance(extents: tuple[int, ...]) -> Case:
    def case(rng: np.random.Generator) -> float:
        target, probe = _probed(rng, int(rng.choice(extents)))
        pairs = complete_pairs(target)
        # K_S = S leaves no pair of complete scales: nothing is promised there.
        return max((measure_pair(target, probe, *pair).error for pair in pairs), default=0.0)

    return case


def _scale_shift(rng: np.random.Generator) -> float:
    target, probe = _probed(rng, int(rng.integers(2)))
    return check_scale_axis_shift(target, probe, wanted=0.0).error


def _translation(rng: np.random.Generator) -> float:
    target, probe = _probed(rng, int(rng.integers(3)))
    row, column = (int(offset) for offset in rng.integers(-3, 4, 2))
    return check_integer_translation(target, probe, (row, column)).error


def _local_scale_invariance(rng: np.random.Generator) -> float:
    """The error of the responses that must hold; 1 if others fail than the closed form predicts."""
    target = describe(random_layer(rng, 0, scales=3))
    # One object goes up, one comes down, one stays or goes further: no common factor.
    steps = (1, -1, int(rng.integers(-2, 3)))
    scene = random_scene(target, int(rng.integers(2**32)), steps)
    projection = ScaleMaxProjection()
    sets = (check_local_invariance(target, scene, projection), check_local_winner(target, scene))
    if not all(result.passed for result in sets):
        return 1.0
    error = local_error(target, scene, projection)
    return max(error, check_local_response(target, scene).error)


def _smooth_scaling_field(rng: np.random.Generator) -> float:
    target = describe(random_layer(rng, 0))
    gradient = float(10 ** rng.uniform(-5.0, -2.7))
    steps = tuple(range(len(target.scales)))
    scene = random_field_scene(target, int(rng.integers(2**32)), steps, gradient)
    projected = check_field_invariance(target, scene, ScaleMaxProjection())
    return check_field_response(target, scene).error if projected.passed else 1.0


def _steerability(rng: np.random.Generator) -> float:
    smallest, ratio = rng.uniform(1, 3), int(rng.integers(2, 4))
    make = hermite_basis_a if rng.random() < 0.5 else hermite_basis_b
    kernel_size = int(6 * smallest * ratio) // 2 * 2 + 1
    basis = make(kernel_size, (smallest, smallest * ratio), int(rng.integers(1, 6)))
    return check_sigma_law(basis, "random").error


def _basis_functions(rng: np.random.Generator) -> float:
    return check_closed_form(random_basis(rng), "random").error


def _normalisation(rng: np.random.Generator) -> float:
    """Largest squared deviation from 1 of a function's norm at the smallest scale."""
    basis = random_basis(rng)
    norms = basis.functions[:, 0].square().sum(dim=(-1, -2)).sqrt()
    return float((norms - 1).square().max())


def _module(make: Callable[[int], nn.Module]) -> Case:
    def case(rng: np.random.Generator) -> float:
        x = random_stack(rng)
        torch.manual_seed(int(rng.integers(2**31)))
        return check_commutes_with_scale_shift(make(x.shape[1]).double(), x, "module").error

    return case


def _projection(rng: np.random.Generator) -> float:
    return check_max_projection(ScaleMaxProjection(), random_stack(rng), "projection").error


ATTEMPTS = (
    Attempt("theorem.steerability", _steerability),
    Attempt("theorem.basis_functions", _basis_functions),
    Attempt("theorem.normalisation", _normalisation),
    Attempt("theorem.lifting_equivariance", _scale_equivariance((0,))),
    Attempt("theorem.scale_conv_equivariance", _scale_equivariance((1, 2))),
    Attempt("theorem.scale_shift", _scale_shift),
    Attempt("theorem.local_scale_invariance", _local_scale_invariance),
    Attempt("theorem.smooth_scaling_field", _smooth_scaling_field),
    Attempt("theorem.translation", _translation),
    Attempt("theorem.scale_conv_1x1", _module(lambda channels: ScaleConv1x1(channels, 3))),
    Attempt("theorem.batch_norm", _module(nn.BatchNorm3d)),
    Attempt("theorem.max_projection", _projection),
    Attempt("theorem.nonlinearity", _module(lambda _: nn.ReLU())),
    Attempt("theorem.pooling", _module(lambda _: nn.MaxPool3d((1, 2, 2)))),
)
