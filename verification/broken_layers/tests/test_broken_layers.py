"""Every broken module is rejected, and a finding names the cause; intact ones pass everything."""

import pytest
import torch

from verification.broken_layers import EQUIVALENT_MUTANTS, GROUPS, MUTANTS, Mutant
from verification.broken_layers.intact_layers import BASIS_CHECKS, SPECIMENS, Subject
from verification.broken_layers.table import Row, judge
from verification.reference.errors import equivariance_error
from verification.tolerances import tolerance

CASES = [
    pytest.param(mutant, intact, id=f"{intact}-{mutant.name}")
    for mutant in MUTANTS
    for intact in mutant.intact
]
INTACT: dict[str, Row] = {}


def intact_row(name: str) -> Row:
    """Judged once, by every check."""
    if name not in INTACT:
        INTACT[name] = judge(name)
    return INTACT[name]


@pytest.mark.parametrize(("mutant", "intact"), CASES)
def test_mutant_is_killed_by_checks_that_name_the_cause(mutant: Mutant, intact: str):
    specimen = SPECIMENS[intact]
    findings = []
    for check in mutant.killed_by:
        subject = specimen.subject(mutant)
        result = _result(check, subject)
        result.require_failure(f"broken layer: {mutant.name}")
        findings.append(result.finding)
    assert any(mutant.names in finding for finding in findings), findings


def _result(check: str, subject: Subject):
    if check in BASIS_CHECKS:
        assert subject.basis is not None
        return BASIS_CHECKS[check](subject.basis, subject.name)
    return SPECIMENS_CHECKS[check](subject)


SPECIMENS_CHECKS = {name: check for s in SPECIMENS.values() for name, check in s.checks.items()}


@pytest.mark.parametrize("name", SPECIMENS)
def test_intact_module_passes_every_check(name):
    row = intact_row(name)
    assert not row.killers, [o for o in row.outcomes if o.killed]
    assert len(row.outcomes) == len(SPECIMENS[name].checks) + (
        len(BASIS_CHECKS) if SPECIMENS[name].subject().basis else 0
    )


def test_the_response_names_a_cause_only_where_there_is_one():
    """The words that name a mistake are found, not always said."""
    row = intact_row("lifting")
    (finding,) = (o.finding for o in row.outcomes if o.check == "response")
    assert finding == "response against the documented filters"
    assert not any(m.names in finding for m in MUTANTS)


def test_no_finding_of_the_response_names_the_cause_of_another_mutant():
    """One cause for each: bar those that share their words because they share their cause."""
    mutants = [m for m in GROUPS["filters"] if "response" in m.killed_by]
    for mutant in mutants:
        finding = _result("response", SPECIMENS["lifting"].subject(mutant)).finding
        assert [m.name for m in mutants if m.names in finding] == [mutant.name], finding


def test_there_are_enough_mutants_and_each_is_one_of_its_kind():
    names = [mutant.name for mutant in MUTANTS]
    assert len(set(names)) == len(names) >= 36
    assert len({mutant.story for mutant in MUTANTS}) == len(MUTANTS)
    assert all(mutant.names and mutant.killed_by for mutant in MUTANTS)
    assert {name for mutant in MUTANTS for name in mutant.intact} <= set(SPECIMENS)


@pytest.mark.parametrize("equivalent", EQUIVALENT_MUTANTS, ids=lambda case: case.name)
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
    assert len(EQUIVALENT_MUTANTS) >= 10
    assert all(len(case.reason) > 40 for case in EQUIVALENT_MUTANTS)


def test_consistent_mistakes_keep_the_equivariance_and_need_another_check():
    """Why a low error alone proves nothing: filters with swapped axes are just as equivariant."""
    for mutant in MUTANTS:
        if mutant.name in {"axes_swapped", "filter_flipped"}:
            row = judge("lifting", mutant)
            (equivariance,) = (o for o in row.outcomes if o.check == "scale_equivariance")
            assert equivariance.error is not None
            assert equivariance.error < 1e-3
            assert "response" in row.killers


def test_a_check_that_cannot_be_done_rejects_the_module():
    shapeless = Mutant(
        "no_scale_axis", "squeezed", ("response",), "must be", lambda layer: Squeezed()
    )
    row = judge("lifting", shapeless)
    (response,) = (o for o in row.outcomes if o.check == "response")
    assert response.killed
    assert response.error is None
    assert response.finding.startswith("ValueError: output of no_scale_axis of shape")


class Squeezed(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x
