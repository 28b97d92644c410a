"""Every broken module is rejected, and a finding names the cause; intact ones pass everything."""

import pytest
import torch

from verification.broken_layers import BROKEN_LAYERS, EQUIVALENT_LAYERS, BrokenLayer
from verification.broken_layers.intact_layers import SPECIMENS
from verification.broken_layers.table import judge
from verification.checks.diagnosis import CAUSES
from verification.checks.registry import CHECKS
from verification.reference.errors import equivariance_error
from verification.runner.layer_verdict import Answer, Status
from verification.tolerances import tolerance

CASES = [
    pytest.param(mutant, intact, id=f"{intact}-{mutant.name}")
    for mutant in BROKEN_LAYERS
    for intact in mutant.intact
]


@pytest.mark.parametrize(("mutant", "intact"), CASES)
def test_mutant_is_rejected_by_checks_that_name_the_cause(mutant: BrokenLayer, intact: str):
    row = judge(intact, mutant, mutant.rejected_by)
    assert {o.check for o in row.killers} == set(mutant.rejected_by), row.verdict
    assert row.naming, row.verdict
    assert mutant.cause in row.verdict.causes


@pytest.mark.parametrize("name", SPECIMENS)
def test_intact_module_passes_every_check(name):
    row = judge(name)
    assert not row.verdict.complaints, row.verdict
    assert not row.verdict.causes
    # A nonlinear answer without scales, or of pixels alone, has nothing to be compared with.
    open_ = name in {"block", "pooling"}
    assert row.verdict.answer is (Answer.UNDECIDED if open_ else Answer.PASSED)
    # Every check that a mutant of it is rejected by applies.
    applied = {o.check for o in row.outcomes}
    assert {check for m in BROKEN_LAYERS if name in m.intact for check in m.rejected_by} <= applied


def test_there_are_enough_mutants_and_each_is_one_of_its_kind():
    names = [mutant.name for mutant in BROKEN_LAYERS]
    assert len(set(names)) == len(names) >= 36
    assert len({mutant.story for mutant in BROKEN_LAYERS}) == len(BROKEN_LAYERS)
    known = {*CAUSES, *(check.name for check in CHECKS)}
    assert all(mutant.cause in known and mutant.rejected_by for mutant in BROKEN_LAYERS)
    assert {name for mutant in BROKEN_LAYERS for name in mutant.intact} <= set(SPECIMENS)


@pytest.mark.parametrize("equivalent", EQUIVALENT_LAYERS, ids=lambda case: case.name)
@pytest.mark.parametrize("seed", [0, 1])
def test_equivalent_mutants_give_the_intact_outputs_and_gradients(equivalent, seed):
    intact, changed, shape = equivalent.build(seed)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    outputs, gradients = [], []
    for module in (intact, changed):
        image = x.clone().requires_grad_()
        y = module(image)
        outputs.append(y.detach())
        gradients.append(torch.autograd.grad(y.square().sum(), image)[0])
    allowed = tolerance("response", torch.float64)
    assert equivariance_error(*outputs) <= allowed
    assert equivariance_error(*gradients) <= allowed


def test_equivalent_mutants_are_argued():
    assert len(EQUIVALENT_LAYERS) >= 10
    assert all(len(case.reason) > 40 for case in EQUIVALENT_LAYERS)


def test_consistent_mistakes_keep_the_equivariance_and_need_another_check():
    """Why a low error alone proves nothing: filters with swapped axes are just as equivariant."""
    for mutant in BROKEN_LAYERS:
        if mutant.name in {"axes_swapped", "filter_flipped"}:
            row = judge("lifting", mutant, ["scale_equivariance", "response"])
            error = row.verdict.of("scale_equivariance").error
            assert error is not None
            assert error < 1e-3
            assert "response" in {o.check for o in row.killers}


def test_a_crash_inside_a_check_is_no_catch():
    shapeless = BrokenLayer(
        "no_scale_axis", "squeezed", ("response",), "axes", lambda layer: Squeezed()
    )
    row = judge("lifting", shapeless, ["response"])
    assert row.verdict.of("response").status is Status.ERROR
    assert not row.killers
    assert not row.naming


class Squeezed(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x
