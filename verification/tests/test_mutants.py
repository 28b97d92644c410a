"""Every broken layer is rejected by the checks that name its cause; the intact one passes all."""

from collections.abc import Callable

import pytest

from sesn_impl.models.mnist import SESN_CONFIGURATIONS
from verification.checks import (
    CheckResult,
    check_integer_translation,
    check_response,
    check_scale_equivariance,
)
from verification.mutants import LIFTING_MUTANTS, SCALE_CONV_MUTANTS, Mutant, SteerableConv
from verification.probe import complete_pairs, random_probe
from verification.targets import Target, describe
from verification.tests.layers import build_lifting, build_scale_conv

BASIS = SESN_CONFIGURATIONS["sesn_scalar_28"].basis()


def worst_scale_equivariance(target: Target) -> CheckResult:
    probe = random_probe(target, 0)
    results = [check_scale_equivariance(target, probe, *pair) for pair in complete_pairs(target)]
    return max(results, key=lambda result: result.error / result.threshold)


CHECKS: dict[str, Callable[[Target], CheckResult]] = {
    "integer_translation": lambda t: check_integer_translation(t, random_probe(t, 0), (2, -1)),
    "response": lambda t: check_response(t, random_probe(t, 0)),
    "scale_equivariance": worst_scale_equivariance,
}


def intact(kind: str) -> SteerableConv:
    return build_lifting(BASIS, 0) if kind == "lifting" else build_scale_conv(BASIS, 0, 2)


CASES = [
    *(pytest.param("lifting", mutant, id=f"lifting-{mutant.name}") for mutant in LIFTING_MUTANTS),
    *(
        pytest.param("scale", mutant, id=f"scale-{mutant.name}")
        for mutant in (*LIFTING_MUTANTS, *SCALE_CONV_MUTANTS)
    ),
]


@pytest.mark.parametrize(("kind", "mutant"), CASES)
def test_mutant_is_killed_by_every_check_that_names_it(kind: str, mutant: Mutant):
    target = mutant.target(intact(kind))
    for check in mutant.killed_by:
        result = CHECKS[check](target)
        result.require_failure(f"broken layer: {mutant.name}")
        # Not by a hair: a perturbation this large is orders of magnitude beyond the threshold
        # of the exact checks and well beyond the budget of the others.
        assert result.error > 1.5 * result.threshold, str(result)


@pytest.mark.parametrize("kind", ["lifting", "scale"])
@pytest.mark.parametrize("check", CHECKS)
def test_intact_layer_passes(kind, check):
    CHECKS[check](describe(intact(kind))).require()


def test_consistent_mistakes_keep_the_equivariance_and_need_another_check():
    """Why a low error alone proves nothing: filters with swapped axes are just as equivariant."""
    for mutant in LIFTING_MUTANTS:
        if mutant.name in {"axes_swapped", "filter_flipped"}:
            target = mutant.target(intact("lifting"))
            assert CHECKS["scale_equivariance"](target).error < 0.05
            CHECKS["response"](target).require_failure(f"broken layer: {mutant.name}")
