"""What a layer does is read off its answers, and its mistake named by what it does."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from verification.checks.diagnosis import documented_filters, explain, measure_filters
from verification.layer.probe import known_filters, random_probe
from verification.layer.targets import Target, describe
from verification.reference.bases import BasisArguments
from verification.reference.errors import equivariance_error
from verification.tests.layers import build_basis, build_lifting, build_scale_conv
from verification.tests.tools.profiles import cases
from verification.tests.tools.strategies import cut_off_bases, seeds
from verification.tolerances import rounding_error


def target_of(drawn, extent: int, seed: int, stride: int = 1, padding: int = 0) -> Target:
    basis = build_basis(drawn)
    if extent == 0:
        return describe(build_lifting(basis, seed, stride=stride, padding=padding))
    extent = min(extent, basis.num_scales)
    return describe(build_scale_conv(basis, seed, extent, stride=stride, padding=padding))


@given(cut_off_bases(), st.integers(0, 2), st.integers(1, 2), st.integers(0, 2), seeds())
@cases(0.03)
def test_measured_filters_are_the_documented_ones(drawn, extent, stride, padding, seed):
    target = target_of(drawn, extent, seed, stride, padding)
    measured, documented = measure_filters(target), documented_filters(target)
    channels = measured.kernels.shape[1]
    error = equivariance_error(documented.kernels[:, :channels], measured.kernels)
    assert error <= rounding_error(target.dtype)
    np.testing.assert_allclose(measured.bias, documented.bias, rtol=0, atol=1e-12)
    assert explain(target, random_probe(target, seed)) == []


def broken(target: Target, change) -> Target:
    return replace(target, layer=lambda x: change(target.layer(x)))


@given(cut_off_bases(), st.integers(0, 2), st.floats(0.2, 0.9), seeds())
@cases(0.03)
def test_a_gain_of_any_size_is_read_off(drawn, extent, gain, seed):
    target = target_of(drawn, extent, seed)
    bias = torch.from_numpy(known_filters(target).bias)[:, None, None, None]
    found = explain(broken(target, lambda y: (y - bias) * gain + bias), random_probe(target, seed))
    assert f"all answers are {gain:.6g} times as large" in map(str, found)


@given(cut_off_bases(), st.sampled_from([1, 3, 0.5]), seeds())
@cases(0.03)
def test_the_bias_is_judged_by_itself(drawn, times, seed):
    target = target_of(drawn, 0, seed)
    bias = torch.from_numpy(known_filters(target).bias)[:, None, None, None]
    other = broken(target, lambda y: y + (times - 1) * bias)
    found = explain(other, random_probe(target, seed))
    assert [str(each) for each in found] == (
        [] if times == 1 else [f"the bias is added {times:g} times"]
    )


def test_two_mistakes_at_once_are_both_named():
    target = target_of(_small(), 0, 0)
    bias = torch.from_numpy(known_filters(target).bias)[:, None, None, None]
    other = broken(target, lambda y: y.flip(2) - bias)
    found = explain(other, random_probe(target, 0))
    assert [each.name for each in found] == ["bias_missing", "order"]
    assert str(found[1]).startswith("scales in another order: outputs")


def test_what_has_no_simple_cause_is_said_to_have_none():
    target = target_of(_small(), 0, 0)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(target.window, target.window, generator=generator, dtype=torch.float64)

    def other(x: torch.Tensor) -> torch.Tensor:
        y = target.layer(x).clone()
        y[:, :, 1] += (x[:, :1] * noise).sum((-1, -2))[..., None, None]
        return y

    (found,) = explain(replace(target, layer=other), random_probe(target, 0))
    assert str(found) == "filters differ most at scale 1, by none of the simple mistakes"


def test_what_is_not_linear_has_no_filters():
    target = target_of(_small(), 0, 0)
    (found,) = explain(broken(target, torch.relu), random_probe(target, 0))
    assert found.name == "nonlinear"
    assert found.says.startswith("the answers are not those of any fixed filters")


def test_filters_must_be_known():
    target = replace(target_of(_small(), 0, 0), filters=None)
    with pytest.raises(ValueError, match="must be known for a prediction"):
        documented_filters(target)


def _small():
    return BasisArguments("b", 11, (1.2, 1.8, 2.5), 3)
