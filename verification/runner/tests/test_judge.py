"""The engine: every layer gets an outcome for every check, whatever it does."""

import copy
import json
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from sesn_impl import hermite_basis_a
from verification import check_scale_equivariance
from verification.checks.needs import Need
from verification.checks.registry import CHECKS, Check, named
from verification.checks.result import CheckResult
from verification.layer.targets import OptionError, Target, describe
from verification.runner.engine import UnmatchedExpectationWarning, judge, run_check
from verification.runner.layer_verdict import Answer, Status, Verdict
from verification.tests.layers import Wrapped, build_lifting, build_scale_conv

BASIS = hermite_basis_a(11, (1.0, 1.5, 2.25), 3)
_CUDA = {"device"} if torch.cuda.is_available() else set()
BY_NAME = {check.name: check for check in CHECKS}


def intact(kind: str, dtype: torch.dtype = torch.float64) -> Target:
    if kind == "lifting":
        return describe(build_lifting(BASIS, 0, dtype, padding=3))
    return describe(build_scale_conv(BASIS, 0, 2, dtype, padding=2, stride=2))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("kind", ["lifting", "scale"])
def test_intact_layers_pass_all_checks_that_apply(kind, dtype):
    verdict = judge(intact(kind, dtype))
    verdict.require()
    assert [o.check for o in verdict] == [c.name for c in CHECKS if not c.optional]
    ran = [o for o in verdict if o.status is Status.PASSED]
    assert len(ran) > 15
    assert all((o.error or 0.0) <= (o.threshold or 0.0) for o in ran)
    assert all(o.reason for o in verdict)


def test_optional_checks_are_left_out_unless_named():
    optional = {c.name for c in CHECKS if c.optional}
    assert optional == {"exported", "compiled", "max_projection", "zero_border"} | (
        {"device"} - _CUDA
    )
    assert not optional & {o.check for o in judge(intact("scale"))}


def test_names_are_unique_and_every_check_says_what_it_is():
    assert len(BY_NAME) == len(CHECKS)
    assert all(check.says and check.points_at for check in CHECKS)
    with pytest.raises(ValueError, match="check='nonsense': must be one of output,"):
        named(["nonsense"], CHECKS)


# --- What layers do -------------------------------------------------------------------------------


def altered(alter, kind: str = "lifting") -> Target:
    target = intact(kind)
    return replace(target, layer=Wrapped(target.layer, alter))


def in_place(layer, x):
    x.mul_(0.5)
    return layer(x)


def nan(layer, x):
    y = layer(x).clone()
    y[..., 0, 0, 0] = float("nan")
    return y


def crash(layer, x):
    raise ZeroDivisionError("as layers do")


@pytest.mark.parametrize(
    ("alter", "check", "status", "said"),
    [
        (in_place, "input_unchanged", Status.FAILED, "changed in place"),
        (nan, "output", Status.FAILED, "output values are NaN or infinite"),
        (nan, "response", Status.ERROR, "must be finite"),
        (lambda f, x: f(x).float(), "output_dtype", Status.FAILED, "output of dtype torch.float32"),
        (lambda f, x: f(x)[:, :, :2], "output", Status.FAILED, "2 entries on axis 2"),
        (lambda f, x: f(x)[:, :2].transpose(1, 2), "output", Status.FAILED, "the scale axis"),
        (lambda f, x: f(x).flatten(1, 2), "output", Status.FAILED, r"must be [B, C, S, H, W]"),
        (lambda f, x: [f(x)], "output", Status.FAILED, "is a list, not a tensor"),
        (lambda f, x: f(x)[:1], "output", Status.FAILED, "1 entries for 3 images"),
        (lambda f, x: f(x) + torch.rand(()), "determinism", Status.FAILED, "a dropout that is"),
        (lambda f, x: f(x - x.mean(0)), "batch_independence", Status.FAILED, "images are mixed"),
        (crash, "output", Status.ERROR, "raised ZeroDivisionError: as layers do"),
    ],
)
def test_what_a_layer_does_is_a_finding_and_no_crash(alter, check, status, said):
    verdict = judge(altered(alter), [check])
    assert not verdict.passed
    assert verdict.of(check).status is status
    assert said in verdict.of(check).reason
    assert verdict.of(check) in verdict.complaints


def test_a_cast_that_the_layer_does_not_show_in_its_own_dtype_is_found():
    target = intact("lifting", torch.float32)
    cast = replace(target, layer=Wrapped(target.layer, lambda f, x: f(x).float()))
    outcome = run_check(BY_NAME["output_dtype"], cast, 0)
    assert outcome.status is Status.FAILED
    assert "output of dtype torch.float32 for an input of torch.float64" in outcome.reason


@pytest.mark.parametrize("alter", [crash, nan, lambda f, x: [f(x)]])
def test_every_check_has_an_outcome_whatever_the_layer_does(alter):
    target, checks = altered(alter), [c for c in CHECKS if not c.optional]
    alone = [run_check(check, target, 0) for check in checks]
    assert sum(o.status is Status.ERROR for o in alone) > 5
    assert all(o.reason for o in alone)
    verdict = judge(target)
    assert [o.check for o in verdict] == [check.name for check in checks]
    assert [o.check for o in verdict.complaints] == ["output"]
    assert all(o.reason for o in verdict)


def test_a_layer_is_left_as_it_was_found():
    layer = build_lifting(BASIS, 0, padding=3)
    target = describe(layer)
    layer.train()
    layer.weight.grad = torch.ones_like(layer.weight)
    state = copy.deepcopy(layer.state_dict())
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    judge(target)
    assert torch.equal(torch.rand(3), expected)
    assert layer.training
    assert layer.weight.grad is not None
    assert bool((layer.weight.grad == 1).all())
    assert all(torch.equal(value, state[key]) for key, value in layer.state_dict().items())


# --- Expected failures ----------------------------------------------------------------------------


def test_expected_failures_are_accepted_with_their_reason():
    expected = {"input_unchanged": "the memory is short"}
    target = altered(in_place)
    only = ["input_unchanged", "output"]
    verdict = judge(target, only, expected)
    assert not verdict.complaints
    outcome = verdict.of("input_unchanged")
    assert outcome.status is Status.EXPECTED_FAILURE
    assert outcome.reason.startswith("expected: the memory is short (")
    assert not judge(target, only).passed


def test_an_exception_may_be_expected_as_well():
    verdict = judge(altered(crash), ["output", "dtype"], {"output": "broken", "dtype": "broken"})
    assert [o.status for o in verdict] == [Status.EXPECTED_FAILURE] * 2
    assert verdict.answer is Answer.UNDECIDED


def test_an_expected_failure_that_passes_is_reported():
    verdict = judge(intact("scale"), ["output"], {"output": "it used to"})
    assert verdict.of("output").status is Status.UNEXPECTED_PASS
    assert not verdict.passed
    with pytest.raises(AssertionError, match="passes, though it was expected to fail: it used to"):
        verdict.require()


def test_an_expectation_that_matches_nothing_warns():
    with pytest.warns(UnmatchedExpectationWarning, match="no check is called 'boarder'"):
        judge(intact("scale"), ["output"], {"boarder": "zero padding, by design"})


# --- Verdicts -------------------------------------------------------------------------------------


def test_a_verdict_of_nothing_is_no_pass():
    assert not Verdict("layer", ()).passed
    assert Verdict("layer", ()).summary == "UNDECIDED: layer: no check ran"
    table = replace(intact("scale"), output="map")
    assert not judge(table, ["response"]).passed


def test_a_verdict_is_told_in_words_and_json():
    verdict = judge(altered(nan), ["output", "input_unchanged", "response"], origin="a.b:c", seed=7)
    assert verdict.summary == "FAILED: LiftingConv2d: 1 failed, 2 not applicable"
    assert "python -m verification judge a.b:c --check output --seed 7" in str(verdict)
    told = json.loads(verdict.to_json())
    assert told["passed"] is False
    assert [o["status"] for o in told["outcomes"]] == ["failed", "not applicable", "not applicable"]
    assert told["outcomes"][0]["threshold"] == 0.0
    with pytest.raises(ValueError, match="check='border': must be one of output, input_unchanged"):
        verdict.of("border")


def test_needs_are_told_where_they_are_not_met():
    unknown = replace(intact("scale"), filters=None)
    verdict = judge(unknown, ["response", "local_winner"])
    assert verdict.of("response").reason == "the documented filters are not given"
    assert verdict.of("local_winner").reason == "the documented filters are not given"
    assert verdict.answer is Answer.UNDECIDED
    assert "no check of scale could be made" in verdict.missing[0]
    used = {need for check in CHECKS for need in check.needs}
    assert used == set(Need)


# --- Thresholds -----------------------------------------------------------------------------------


def test_results_are_judged_by_their_threshold():
    """The engine adds no rule of its own: at the threshold a check passes, above it fails."""
    target = intact("scale")
    for error, status in ((1.0, Status.PASSED), (1.0 + 1e-9, Status.FAILED)):
        result = CheckResult("own", target.name, error, 1.0, "finding")
        outcome = run_check(Check("own", "", "", returning(result)), target, 0)
        assert outcome.status is status
    nothing = CheckResult("own", target.name, float("nan"), 1.0, "finding")
    outcome = run_check(Check("own", "", "", returning(nothing)), target, 0)
    assert outcome.status is Status.FAILED


def returning(result):
    return lambda target, seed: result


# --- The caller's situation -----------------------------------------------------------------------

FEW = ["output", "scale_equivariance", "input_gradient", "gradients", "gradient_equivariance"]


@pytest.mark.parametrize("situation", [torch.no_grad, torch.inference_mode])
def test_gradients_that_the_caller_has_turned_off_are_no_fault_of_the_layer(situation):
    layer = build_lifting(BASIS, 0, padding=3)
    with situation():
        check_scale_equivariance(layer, checks=FEW).require()


def test_a_layer_in_training_mode_is_judged_as_after_eval_and_left_as_found():
    layer = nn.Sequential(build_lifting(BASIS, 0, padding=5), nn.BatchNorm3d(3).double()).train()
    layer[1].register_buffer("running_var", torch.full((3,), 2.0).double())
    layer[1].weight.grad = torch.ones(3).double()
    before = copy.deepcopy(layer.state_dict())
    verdict = check_scale_equivariance(layer, BASIS.scales, checks=[*FEW, "batch_independence"])
    verdict.require()
    assert "eval()" in verdict.notes[-1]
    assert all(torch.equal(value, before[key]) for key, value in layer.state_dict().items())
    assert layer[1].training
    assert bool((layer[1].weight.grad == 1).all())
    layer.eval()
    assert "eval()" not in str(check_scale_equivariance(layer, BASIS.scales, checks=FEW).notes)


def test_frozen_layers_and_those_that_cannot_be_copied_are_judged():
    layer = build_lifting(BASIS, 0, padding=3).requires_grad_(False)
    check_scale_equivariance(layer, checks=FEW).require()
    held = Wrapped(build_lifting(BASIS, 0, padding=3), lambda f, x: f(x))
    setattr(held, "lock", threading.Lock())  # noqa: B010
    verdict = check_scale_equivariance(held, BASIS.scales, checks=[*FEW, "state_round_trip"])
    verdict.require()
    assert "cannot be copied" in verdict.of("state_round_trip").reason


def test_a_layer_without_autograd_is_not_asked_for_gradients():
    layer = build_lifting(BASIS, 0, padding=5)

    def by_numpy(x):
        return layer(torch.from_numpy(x.numpy())).detach()

    verdict = check_scale_equivariance(by_numpy, BASIS.scales, in_channels=2, window=11, checks=FEW)
    verdict.require()
    assert verdict.of("input_gradient").status is Status.NOT_APPLICABLE


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "3"])
def test_a_seed_that_is_none_is_the_callers_mistake(seed):
    with pytest.raises(OptionError, match=r"seed=.*: must be a whole number from 0"):
        check_scale_equivariance(build_lifting(BASIS, 0), seed=seed, checks=["output"])


def test_seeds_of_numpy_are_plain_numbers_in_json():
    seed: Any = np.int64(3)
    verdict = check_scale_equivariance(build_lifting(BASIS, 0), seed=seed, checks=["output"])
    assert json.loads(verdict.to_json())["outcomes"][0]["seed"] == 3


def test_a_layer_whose_error_begins_like_an_option_is_still_the_layers():
    def layer(x):
        raise ValueError("window=3: the layer's own words")

    verdict = check_scale_equivariance(layer, BASIS.scales, checks=["output"])
    assert verdict.failed
    with pytest.raises(OptionError, match="scale_extent=9"):
        check_scale_equivariance(build_scale_conv(BASIS, 0, 2).forward, BASIS.scales,
                                 scale_extent=9, dtype=torch.float64)  # fmt: skip
