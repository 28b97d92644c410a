"""The theorem and its failures: translation, scaling, the scale axis and its ends."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sesn_impl import LiftingConv2d, ScaleConv2d, hermite_basis_a, hermite_basis_b
from sesn_impl.networks.mnist import SESN_CONFIGURATIONS
from verification.budget.layers import predict_pair
from verification.checks import (
    check_integer_translation,
    check_response,
    check_scale_axis_shift,
    check_scale_equivariance,
    check_theorem,
    expected_failures,
    failing_pairs,
)
from verification.layer.probe import complete_pairs, measure_pair, random_probe
from verification.layer.targets import Target, describe
from verification.reference.bases import BasisArguments
from verification.tests.layers import build_basis, build_lifting, build_scale_conv
from verification.tests.tools.profiles import cases
from verification.tests.tools.strategies import complete_bases, cut_off_bases, offsets, seeds
from verification.tolerances import rounding_error, tolerance

THEOREM = tolerance("scale_axis_shift", torch.float64)
"""What the relation is held to in float64 when nothing is cut off or undersampled."""

STRIDES = st.integers(1, 3)
PADDINGS = st.integers(0, 4)
DTYPES = st.sampled_from([torch.float64, torch.float32])
LOST = "the scale axis ends: its top K_S − 1 scales have an incomplete input"


def build_target(
    drawn: BasisArguments,
    seed: int,
    extent: int,
    dtype: torch.dtype,
    stride: int = 1,
    padding: int = 0,
) -> Target:
    """A lifting convolution for extent 0, else a scale convolution."""
    basis = build_basis(drawn)
    if extent == 0:
        return describe(build_lifting(basis, seed, dtype, padding, stride))
    extent = min(extent, basis.num_scales)
    return describe(build_scale_conv(basis, seed, extent, dtype, padding, stride))


@given(cut_off_bases(), seeds(), st.integers(0, 3), offsets(), STRIDES, PADDINGS)
@cases(2)
def test_translation_by_whole_strides_is_exact(drawn, seed, extent, offset, stride, padding):
    target = build_target(drawn, seed, extent, torch.float64, stride, padding)
    shift = (stride * offset[0], stride * offset[1])
    check_integer_translation(target, random_probe(target, seed), shift).require()


@given(cut_off_bases(), seeds(), st.integers(0, 3), STRIDES, PADDINGS)
@cases(2)
def test_layers_answer_as_documented(drawn, seed, extent, stride, padding):
    target = build_target(drawn, seed, extent, torch.float64, stride, padding)
    check_response(target, random_probe(target, seed)).require()


@given(complete_bases(), seeds(), st.integers(0, 2), STRIDES)
def test_scaling_holds_to_float64_precision(drawn, seed, extent, stride):
    target = build_target(drawn, seed, extent, torch.float64, stride)
    probe = random_probe(target, seed, points=2, bumps=3, widths=(3.0, 8.0))
    for fine, coarse in complete_pairs(target):
        check_theorem(target, probe, fine, coarse).require()


@given(complete_bases(counts=(4, 4), ratios=(1.2, 1.25)), seeds(), STRIDES)
@cases(0.2)
def test_scaling_holds_for_the_interaction_of_three_scales(drawn, seed, stride):
    target = build_target(drawn, seed, 3, torch.float64, stride)
    probe = random_probe(target, seed, points=2, bumps=3, widths=(3.0, 8.0))
    assert complete_pairs(target) == [(0, 1)]
    check_theorem(target, probe, 0, 1).require()


@given(complete_bases(), seeds(), st.integers(0, 1))
def test_rescaling_by_q_shifts_the_scale_axis_by_one(drawn, seed, extent):
    target = build_target(drawn, seed, extent, torch.float64)
    probe = random_probe(target, seed, points=2, bumps=3, widths=(3.0, 8.0))
    check_scale_axis_shift(target, probe).require()


@given(cut_off_bases(), seeds(), st.integers(0, 3), DTYPES, STRIDES, PADDINGS)
@cases(2)
def test_scaling_holds_within_the_budget(drawn, seed, extent, dtype, stride, padding):
    target = build_target(drawn, seed, extent, dtype, stride, padding)
    probe = random_probe(target, seed)
    for fine, coarse in complete_pairs(target):
        check_scale_equivariance(target, probe, fine, coarse).require()


@given(cut_off_bases(), seeds(), st.integers(0, 2))
def test_budget_predicts_the_error_without_running_the_layer(drawn, seed, extent):
    target = build_target(drawn, seed, extent, torch.float64)
    probe = random_probe(target, seed)
    for fine, coarse in complete_pairs(target):
        measured = measure_pair(target, probe, fine, coarse).error
        predicted = predict_pair(target, probe, fine, coarse).total
        assert measured == pytest.approx(predicted, rel=1e-6, abs=1e-24)


@pytest.mark.parametrize("kind", ["a", "b"])
@pytest.mark.parametrize("extent", [0, 1, 2])
def test_theorem_at_the_stated_configuration(kind, extent):
    """V = 121, σ = 3, 3√2, 6: basis A with e = 5, basis B with mult 1.2."""
    scales = (3.0, 3.0 * 2**0.5, 6.0)
    basis = (
        hermite_basis_a(121, scales, 5)
        if kind == "a"
        else hermite_basis_b(121, scales, 7, mult=1.2)
    )
    target = describe(
        build_lifting(basis, 0) if extent == 0 else build_scale_conv(basis, 0, extent)
    )
    probe = random_probe(target, 0)
    errors = [measure_pair(target, probe, *pair).error for pair in complete_pairs(target)]
    assert errors
    assert max(errors) < THEOREM


@pytest.mark.parametrize("name", SESN_CONFIGURATIONS)
def test_published_configurations_stay_within_their_budget(name):
    basis = SESN_CONFIGURATIONS[name].basis()
    for target in (describe(build_lifting(basis, 0)), describe(build_scale_conv(basis, 0, 2))):
        probe = random_probe(target, 0)
        for fine, coarse in complete_pairs(target):
            result = check_scale_equivariance(target, probe, fine, coarse)
            result.require()
            # What is published is not the theorem: the cut-off shows.
            assert result.error > THEOREM


@given(complete_bases(), seeds(), st.integers(1, 3))
def test_exactly_the_top_scales_fail(drawn, seed, extent):
    target = build_target(drawn, seed, extent, torch.float64)
    probe = random_probe(target, seed, points=2, bumps=3, widths=(3.0, 8.0))
    failed = [(pair.fine, pair.coarse) for pair in failing_pairs(target, probe, 1e-6)]
    assert failed == expected_failures(target)
    assert len(failed) == target.scale_extent - 1
    for pair in failed:
        check_theorem(target, probe, *pair).require_failure(LOST)


def test_a_layer_with_one_filter_for_all_scales_fails():
    """The negative control of the theorem: a plain convolution, repeated along the scale axis."""
    basis = hermite_basis_a(61, (2.0, 3.0), 3)
    target = describe(LiftingConv2d(1, 2, basis).double())
    plain = replace(target, layer=lambda x: target.layer(x)[:, :, :1].expand(-1, -1, 2, -1, -1))
    probe = random_probe(target, 0)
    reason = "one filter for all scales"
    check_scale_equivariance(plain, probe, 0, 1).require_failure(reason)
    check_scale_axis_shift(plain, probe, 1e-3).require_failure(reason)
    check_scale_equivariance(target, probe, 0, 1).require()


def test_a_strided_layer_moves_by_whole_strides_only():
    """Said to have stride 1, its response does not move by one pixel."""
    layer = LiftingConv2d(1, 2, hermite_basis_a(9, (1.0, 2.0), 3), stride=2).double()
    target = describe(layer)
    probe = random_probe(target, 0)
    check_integer_translation(target, probe, (2, -4)).require()
    with pytest.raises(ValueError, match=r"offset=\(1, 0\): must be multiples of the stride, 2"):
        check_integer_translation(target, probe, (1, 0))

    def enlarged(x: torch.Tensor) -> torch.Tensor:
        y = layer(torch.nn.functional.pad(x, [4] * 4))  # an odd number of pixels, twice each
        twice: torch.Tensor = y.repeat_interleave(2, -1).repeat_interleave(2, -2)
        return twice[..., :-1, :-1]

    claimed = replace(target, layer=enlarged, stride=1)
    result = check_integer_translation(claimed, probe, (1, 0))
    result.require_failure("a strided layer said to have stride 1")


def test_scale_axis_shift_needs_a_geometric_grid():
    target = describe(LiftingConv2d(1, 1, hermite_basis_a(15, (1.0, 2.0, 3.0), 3)).double())
    with pytest.raises(ValueError, match=r"scales=\(1.0, 2.0, 3.0\): must be a geometric grid"):
        check_scale_axis_shift(target, random_probe(target, 0))


def test_prediction_refuses_scales_with_incomplete_input():
    layer = ScaleConv2d(1, 1, hermite_basis_a(15, (1.0, 2.0, 4.0), 3), scale_extent=2).double()
    target = describe(layer)
    with pytest.raises(ValueError, match="coarse=2: with scale_extent=2 the largest"):
        predict_pair(target, random_probe(target, 0), 1, 2)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda x: x, "must be \\[B=4, C_out, S=2, H', W'\\]"),
        (lambda x: x[:, :, None].expand(-1, -1, 3, -1, -1), "S=2"),
        (lambda x: x[:, :, None, 1:, 1:].expand(-1, -1, 2, -1, -1), "must have odd sides"),
        (lambda x: (x / 0)[:, :, None].expand(-1, -1, 2, -1, -1), "must be finite"),
    ],
)
def test_outputs_that_cannot_be_judged_are_named(layer, message):
    target = Target("strange", layer, (1.0, 2.0), in_channels=1, window=5, lifts=True)
    with pytest.raises(ValueError, match=f"output of strange.*{message}"):
        measure_pair(target, random_probe(target, 0), 0, 1)


def test_rounding_error_of_float32_is_far_from_that_of_float64():
    assert rounding_error(torch.float64) < 1e-24 < 1e-10 < rounding_error(torch.float32) < 1e-7
    assert np.isfinite(rounding_error(torch.bfloat16))
