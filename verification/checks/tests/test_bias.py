"""Bias and thresholds of each scale's own are found, and those of all scales are no mistake."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sesn_impl import LiftingConv2d, ScaleConv2d, hermite_basis_a
from verification import check_scale_equivariance
from verification.runner.layer_verdict import Status

SCALES = (1.5, 2.25, 3.375)
BASIS = hermite_basis_a(19, SCALES, 2)


def lifting(seed=0, outputs=2, padding=9):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layer = LiftingConv2d(1, outputs, BASIS, padding=padding).double()
        assert layer.bias is not None
        nn.init.uniform_(layer.bias, 0.2, 0.8)
    return layer


def by_scale(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None, None]


def outcome(layer, **options):
    given: dict[str, Any] = {"in_channels": 1, "lifts": True, "window": 41, **options}
    checks = ["bias_per_scale"]
    return check_scale_equivariance(layer, SCALES, checks=checks, dtype=torch.float64, **given)[0]


WRONG = {
    "bias": lambda y: y + by_scale(0.0, 0.01, 0.0),
    "bias, then ReLU": lambda y: (y + by_scale(0.0, 0.2, 0.4)).relu(),
    "bias, then sigmoid": lambda y: (y + by_scale(0.0, 0.1, 0.2)).sigmoid(),
    "threshold, then ReLU": lambda y: (y - by_scale(1.5, 2.0, 2.5)).relu(),
    "threshold of magnitudes": lambda y: (y.abs() - by_scale(1.5, 1.5, 2.0)).relu(),
    "bias, then maximum of pixels": lambda y: F.max_pool3d(
        (y - by_scale(2.0, 2.0, 2.2)).relu(), (1, 3, 3), 1, (0, 1, 1)),
}  # fmt: skip
RIGHT = {
    "bias": lambda y: y + 0.3,
    "bias, then ReLU": lambda y: (y - 0.3).relu(),
    "sigmoid": torch.sigmoid,
    "modulus": torch.abs,
    "another bias of each channel": lambda y: y + torch.tensor([0.1, -0.9])[:, None, None, None],
}


@pytest.mark.parametrize("padding", [0, 9])
@pytest.mark.parametrize("name", WRONG)
def test_a_bias_of_each_scale_is_rejected(name, padding):
    layer = lifting(padding=padding)
    found = outcome(nn.Sequential(layer, Applied(WRONG[name])))
    assert found.status is Status.FAILED, found
    assert found.cause == "bias_per_scale"


@pytest.mark.parametrize("name", RIGHT)
def test_a_bias_of_all_scales_is_not(name):
    assert outcome(nn.Sequential(lifting(), Applied(RIGHT[name]))).status is Status.PASSED


class Applied(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, y):
        return self.function(y)


@pytest.mark.parametrize("padding", [0, 9])
@pytest.mark.parametrize("between", [nn.Identity(), nn.ReLU()])
def test_a_bias_before_filters_is_no_mistake_though_they_are_cut_off(padding, between):
    """Its sum with each scale's filters depends on what sampling and cut-off leave of them."""
    second = ScaleConv2d(2, 2, BASIS, padding=padding).double()
    stack = nn.Sequential(lifting(padding=padding), between, second)
    answers = stack(torch.zeros(1, 1, 81, 81, dtype=torch.float64))[0, :, :, 20, 20]
    assert (answers[:, 0] - answers[:, 2]).abs().max() > 1e-4
    assert outcome(stack).status is not Status.FAILED
    # The same without a module that tells of its parts.
    assert outcome(stack.forward).status is not Status.FAILED


def test_what_has_no_answer_to_zeros_is_not_judged_by_them():
    layer = lifting()
    nn.init.zeros_(layer.bias)
    found = outcome(lambda x: F.normalize(layer(x), dim=1, eps=0.0))
    assert found.status is Status.NOT_APPLICABLE
    assert "zeros has no finite answers" in found.reason
    nothing = outcome(lambda x: layer(x).abs().neg().relu())
    assert nothing.status is Status.NOT_APPLICABLE
    assert "zero to every image tried" in nothing.reason


def test_the_largest_input_scale_may_be_missing():
    """A sum over neighbours has no bias of its own where they end."""
    conv = ScaleConv2d(1, 2, BASIS, 2, padding=9).double()
    assert conv.bias is not None
    nn.init.constant_(conv.bias, 0.5)
    options = {"lifts": False, "scale_extent": 2}
    ends = Applied(lambda y: y + by_scale(0.0, 0.0, 1.0))
    assert outcome(nn.Sequential(conv, ends), **options).status is Status.PASSED
    ends = Applied(lambda y: y + by_scale(0.0, 1.0, 0.0))
    assert outcome(nn.Sequential(conv, ends), **options).status is Status.FAILED
