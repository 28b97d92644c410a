"""The budget of real layers: it explains all of their error but rounding, part by part."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sesn_impl import LiftingConv2d, ScaleConv2d, hermite_basis_a, hermite_basis_b
from sesn_impl.networks.mnist import SESN_CONFIGURATIONS
from verification.budget import PARTS
from verification.budget.layers import (
    expected_precision,
    layer_budget,
    layer_responses,
    predict_pair,
)
from verification.checks import check_error_budget
from verification.layer.probe import Probe, measure_pair, random_probe
from verification.layer.targets import Target, describe
from verification.reference.bases import BasisArguments
from verification.reference.errors import equivariance_error
from verification.tests.layers import build_basis, build_lifting, build_scale_conv
from verification.tests.tools.profiles import cases
from verification.tests.tools.strategies import cut_off_bases, seeds

DTYPES = [torch.float64, torch.float32, torch.bfloat16]
VANISHING = 1e-24
WIDE = hermite_basis_a(101, (2.5, 3.5, 4.5), 3)


def build_target(drawn: BasisArguments, seed: int, extent: int, dtype: torch.dtype) -> Target:
    """A lifting convolution for extent 0, else a scale convolution; same padding."""
    basis = build_basis(drawn)
    padding = basis.kernel_size // 2
    if extent == 0:
        return describe(build_lifting(basis, seed, dtype, padding))
    extent = min(extent, basis.num_scales)
    return describe(build_scale_conv(basis, seed, extent, dtype, padding))


@given(cut_off_bases(), seeds(), st.integers(0, 3), st.sampled_from(DTYPES), st.booleans())
@cases(0.3)
def test_budget_explains_any_layer(drawn, seed, extent, dtype, finite):
    target = build_target(drawn, seed, extent, dtype)
    drawn_probe = random_probe(target, seed, points=2)
    probe = replace(drawn_probe, points=np.concatenate([drawn_probe.points, [[-4.0, 4.0]]]))
    for fine in range(len(target.scales) - 1):
        # Just large enough for all points, which are within 4 pixels, to stay inside.
        ratio = target.scales[fine + 1] / target.scales[fine]
        size = 2 * int(4 * ratio) + 3 if finite else None
        check_error_budget(target, probe, fine, fine + 1, size).require()
        budget = layer_budget(target, probe, fine, fine + 1, size)
        slack = (budget.residual * budget.total) ** 0.5 + 1e-12 * budget.bound
        assert abs(sum(budget.contributions.values()) - budget.total) <= slack
        assert budget.total <= budget.bound * (1 + 1e-9)
        assert tuple(budget.contributions) == PARTS
        assert (budget.border > 0) == finite
        assert (budget.scale_axis > 0) == (fine + 1 + target.scale_extent > len(target.scales))


@given(cut_off_bases(), seeds(), st.integers(0, 2))
@cases(0.25)
def test_total_is_the_measured_error(drawn, seed, extent):
    target = build_target(drawn, seed, extent, torch.float64)
    probe = random_probe(target, seed)
    budget = layer_budget(target, probe, 0, 1)
    assert budget.total == measure_pair(target, probe, 0, 1).error
    if target.scale_extent + 1 <= len(target.scales):
        predicted = predict_pair(target, probe, 0, 1)
        assert budget.total == pytest.approx(predicted.total, rel=1e-6, abs=VANISHING)
        assert budget.rank == pytest.approx(predicted.rank, rel=1e-6, abs=VANISHING)


@pytest.mark.parametrize(
    ("layer", "dtype", "size", "cause"),
    [
        (ScaleConv2d(2, 3, WIDE, scale_extent=2), torch.float64, None, "scale_axis"),
        (ScaleConv2d(2, 3, WIDE, scale_extent=1, padding=50), torch.float64, 15, "border"),
        (LiftingConv2d(2, 3, WIDE, padding=50), torch.float64, 15, "border"),
        (LiftingConv2d(2, 3, WIDE), torch.float32, None, "precision"),
        (LiftingConv2d(2, 3, WIDE), torch.bfloat16, None, "precision"),
    ],
)
def test_each_part_appears_with_its_cause_alone(layer, dtype, size, cause):
    target = describe(layer.to(dtype))
    budget = layer_budget(target, random_probe(target, 0), 1, 2, size)
    assert budget.limited_by == cause
    assert budget.parts[cause] > 1e10 * VANISHING
    assert all(part < VANISHING for name, part in budget.parts.items() if name != cause)


def test_without_any_cause_nothing_is_left():
    target = describe(LiftingConv2d(2, 3, WIDE).double())
    budget = layer_budget(target, random_probe(target, 0), 1, 2)
    assert max(budget.parts.values()) < VANISHING


def test_a_missing_scale_loses_exactly_its_response():
    """With all weight on the upper neighbour the top scale has nothing to sum: the error is 1."""
    layer = ScaleConv2d(2, 3, WIDE, scale_extent=2, bias=False).double()
    with torch.no_grad():
        layer.weight[:, :, 0] = 0
    target = describe(layer)
    probe = random_probe(target, 0)
    budget = layer_budget(target, probe, 1, 2)
    assert budget.total == pytest.approx(1, rel=1e-12)
    assert budget.scale_axis == pytest.approx(1, rel=1e-9)
    assert layer_budget(target, probe, 0, 1).scale_axis == 0


def test_scales_that_both_ends_miss_are_no_error():
    """K_S = 3 of three scales: scale 1 lacks one input, scale 2 two; their difference is one."""
    layer = ScaleConv2d(1, 2, WIDE, scale_extent=3, bias=False).double()
    with torch.no_grad():
        layer.weight[:, :, 1] = 0
    target = describe(layer)
    # The third slice is missing at both scales and the second has no weight: nothing is lost.
    assert layer_budget(target, random_probe(target, 0), 1, 2).total < VANISHING


def test_border_reaches_as_far_as_the_filters():
    basis = hermite_basis_b(15, (1.7, 2.45, 3.54, 5.1), 7)
    target = describe(LiftingConv2d(2, 3, basis, padding=7).double())
    probe = random_probe(target, 0)
    reach = int(np.abs(np.rint(probe.points * 5.1 / 3.54)).max()) + 7
    enough, one_less = (
        layer_budget(target, probe, 2, 3, image_size=2 * side + 1) for side in (reach, reach - 1)
    )
    assert enough.border == 0 < one_less.border
    assert enough.total == pytest.approx(layer_budget(target, probe, 2, 3).total, rel=1e-9)


def test_answers_on_a_finite_image_are_those_of_the_layer():
    """Against the layer applied by hand to an even-sided image with whole points."""
    layer = LiftingConv2d(2, 3, hermite_basis_b(9, (1.5, 2.4), 3), padding=4).double()
    target = describe(layer)
    probe = random_probe(target, 0)
    points = np.array([[0.0, 0.0], [-6.0, 5.0]])
    found = layer_responses(target, replace(probe, points=points), image_size=12)
    with torch.no_grad():
        y = layer(probe.signal[0].sample(12)[None])
    expected = torch.stack([y[0, ..., 6, 6], y[0, ..., 0, 11]])
    assert equivariance_error(expected, found) < VANISHING


@pytest.mark.parametrize("dtype", DTYPES)
def test_expected_precision_is_near_the_measured_one(dtype):
    """An expectation from above: never below the mean, and not a thousandfold above in bfloat16."""
    basis = hermite_basis_b(15, (1.7, 2.45, 3.54, 5.1), 7)
    ratios = []
    for seed in range(4):
        target = describe(build_lifting(basis, seed, dtype))
        probe = random_probe(target, seed)
        expected = expected_precision(target, probe, 1, 2)
        ratios.append(layer_budget(target, probe, 1, 2).precision / expected)
    # Sums of magnitudes stand for partial sums, which matters where u is that of accumulation.
    assert (1e-2 if dtype == torch.bfloat16 else 1e-5) < np.mean(ratios) < 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("finite", [False, True])
def test_a_layer_that_is_not_as_documented_is_rejected(dtype, finite):
    layer = build_lifting(hermite_basis_b(15, (1.7, 2.45, 3.54, 5.1), 7), 0, dtype, padding=7)
    target = describe(layer)
    # Relative errors of a thousand roundings (of 8 in bfloat16), at one scale alone.
    excess = {torch.float64: 1e-12, torch.float32: 1e-4, torch.bfloat16: 0.06}[dtype]

    def broken(x):
        y = layer(x)
        y[:, :, 1] *= 1 + excess
        return y

    size = 21 if finite else None
    probe = random_probe(target, 0)
    check_error_budget(target, probe, 1, 2, size).require()
    result = check_error_budget(replace(target, layer=broken), probe, 1, 2, size)
    result.require_failure("a layer that is not as documented")
    assert "more than rounding" in str(result)


@pytest.mark.parametrize("mode", ["circular", "replicate"])
def test_another_padding_is_rejected(mode):
    """The border part is that of zeros around the image."""
    layer = LiftingConv2d(2, 3, hermite_basis_b(9, (1.5, 2.4), 3)).double()
    target = describe(layer)
    padded = replace(target, layer=lambda x: layer(torch.nn.functional.pad(x, [4] * 4, mode=mode)))
    probe = random_probe(target, 0)
    result = check_error_budget(padded, probe, 0, 1, image_size=15)
    result.require_failure("another padding than zeros")
    zeros = replace(target, layer=lambda x: layer(torch.nn.functional.pad(x, [4] * 4)))
    check_error_budget(zeros, probe, 0, 1, image_size=15).require()


def test_scales_above_the_largest_must_count_as_zero():
    """The scale-axis part is that of missing scales; a repeated one is another layer."""
    layer = ScaleConv2d(2, 3, WIDE, scale_extent=2).double()
    target = describe(layer)

    def repeating(x):
        y = layer(x)
        shifted = torch.cat([x[:, :, 1:], x[:, :, -1:]], dim=2)
        top = layer(shifted)[:, :, -1] - layer(torch.zeros_like(x))[:, :, -1]
        return torch.cat([y[:, :, :-1], (y[:, :, -1] + top)[:, :, None]], dim=2)

    probe = random_probe(target, 0)
    check_error_budget(target, probe, 1, 2).require()
    result = check_error_budget(replace(target, layer=repeating), probe, 1, 2)
    result.require_failure("a scale axis that does not end with zeros")


@pytest.mark.parametrize("name", ["sesn_scalar_28", "sesn_vector_56p"])
def test_published_first_layers_are_explained_at_their_image_size(name):
    basis = SESN_CONFIGURATIONS[name].basis()
    layer = LiftingConv2d(1, 8, basis, padding=basis.kernel_size // 2)
    target = describe(layer)
    probe = random_probe(target, 0)
    points = np.random.default_rng(0).uniform(-7, 7, (4, 2))
    for fine in range(basis.num_scales - 1):
        moved = Probe(probe.signal, points, probe.entering)
        check_error_budget(target, moved, fine, fine + 1, image_size=28).require()


def test_points_without_an_output_are_named():
    target = describe(LiftingConv2d(1, 1, hermite_basis_a(9, (1.5, 2.0), 3)).double())
    probe = replace(random_probe(target, 0), points=np.array([[5.0, 0.0]]))
    message = r"point \(5.0, 0.0\) with image_size=17: LiftingConv2d has no output there \(output"
    with pytest.raises(ValueError, match=message):
        layer_budget(target, probe, 0, 1, image_size=17)


def test_a_finite_image_needs_a_stride_of_1():
    layer = LiftingConv2d(1, 1, hermite_basis_a(9, (1.5, 2.0), 3), stride=2, padding=4).double()
    target = describe(layer)
    probe = random_probe(target, 0)
    check_error_budget(target, probe, 0, 1).require()
    with pytest.raises(ValueError, match="stride=2: must be 1 on a finite image"):
        layer_budget(target, probe, 0, 1, image_size=17)


def test_unknown_filters_are_named():
    target = Target("strange", lambda x: x, (1.0, 2.0), in_channels=1, window=5, lifts=True)
    with pytest.raises(ValueError, match="filters of strange: must be known"):
        layer_budget(target, random_probe(target, 0), 0, 1)
