"""Filters are read once, and again when the weights have changed."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from sesn_impl import hermite_basis_a
from verification import check_scale_equivariance
from verification.layer.reading import NotAffineError, read_filters
from verification.layer.targets import Target, describe
from verification.tests.layers import build_lifting


class Counted(nn.Module):
    """One pixel at two scales; counts how often filters are asked for, one gradient each."""

    def __init__(self, power=1):
        super().__init__()
        self.weight, self.power, self.reads = nn.Parameter(torch.ones(1).double()), power, 0

    def forward(self, x):
        self.reads += int(x.requires_grad and x.shape[0] == 1)
        return torch.stack([self.weight * x**self.power] * 2, 2)


def target(layer):
    return Target("counted", layer, (1.0, 1.5), in_channels=1, window=3, lifts=True)


def test_filters_are_read_again_only_if_weights_change():
    layer = Counted()
    described = target(layer)
    first = read_filters(described)
    assert read_filters(described, seed=1) is first
    assert layer.reads == 1
    with torch.no_grad():
        layer.weight.data *= 2
    changed = read_filters(described)
    assert layer.reads == 2
    assert changed.taps.sum() == pytest.approx(2 * first.taps.sum())


def test_that_a_layer_has_no_filters_is_found_once():
    layer = Counted(power=2)
    described = target(layer)
    for _ in range(2):
        with pytest.raises(NotAffineError, match="is not affine in its input"):
            read_filters(described)
    assert layer.reads == 1


def test_a_verdict_reads_the_filters_once():
    read, asked = Counted(), Counted()
    names = ["scale_equivariance", "scaled_copies", "supports", "scale_ratio", "input_gradient"]
    options = {"in_channels": 1, "lifts": True, "window": 3}
    check_scale_equivariance(asked, (1.0, 1.5), checks=["output"], **options)  # type: ignore[arg-type]
    check_scale_equivariance(read, (1.0, 1.5), checks=names, **options)  # type: ignore[arg-type]
    assert read.reads - asked.reads == 1


def test_documented_filters_are_read_as_well():
    """Of a target that holds arrays, and so has no hash."""
    described = describe(build_lifting(hermite_basis_a(7, (0.7, 1.4), 2), 0))
    assert read_filters(described) is read_filters(described)
    assert read_filters(replace(described, name="other")) is not read_filters(described)
