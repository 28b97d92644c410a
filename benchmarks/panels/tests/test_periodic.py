"""The panels' exact probe: images rescaled without resampling, and the theorem on them."""

import numpy as np
import pytest
import torch

from benchmarks.panels.networks import wide_functions
from benchmarks.panels.periodic import periodic_pair, probe_error, shared_points
from sesn_impl import hermite_basis_a
from verification.reference.analytic import GaborImage
from verification.reference.correlation import correlate
from verification.reference.errors import equivariance_error
from verification.tolerances import tolerance

LARGE, SMALL = 48, 34
"""Sides with the ratio 24/17, that of two of the grids."""


def patch(side=LARGE):
    return torch.from_numpy(np.random.default_rng(0).standard_normal((1, 1, side, side)))


def waves(rows, columns, size, phase=0.3):
    """One plane wave of whole periods in `size` pixels, as an analytic image."""
    frequency = 2 * np.pi * np.array([[[rows, columns]]]) / size
    one = np.ones((1, 1))
    return GaborImage(one, np.zeros((1, 1, 2)), one * np.inf, frequency, one * phase)


def sampled(image, size):
    return image.sample(size, (size // 2, size // 2))[None]


@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (3, -5), (16, 1), (-7, 0)])
def test_a_plane_wave_is_rescaled_as_a_function(rows, columns):
    image = waves(rows, columns, LARGE)
    large, small = periodic_pair(sampled(image, LARGE), SMALL)
    torch.testing.assert_close(large, sampled(image, LARGE))
    torch.testing.assert_close(small, sampled(image.rescaled(SMALL / LARGE), SMALL))


def test_what_the_smaller_grid_cannot_hold_is_left_out_of_both():
    large, small = periodic_pair(sampled(waves(17, 0, LARGE), LARGE), SMALL)
    assert max(large.abs().max(), small.abs().max()) < 1e-12


def test_shared_points_show_the_same_values():
    large, small = periodic_pair(patch(), SMALL)
    ours, theirs = shared_points(large, small)
    assert ours.shape[-1] == 2
    torch.testing.assert_close(ours, theirs)
    assert not torch.allclose(large[..., :2, :2], small[..., :2, :2])


def _responses(scales, cut=1.0):
    """Responses to a smooth patch at two scales of the ratio of the sides, float64."""
    basis = hermite_basis_a(2 * int(10 * scales[1]) + 1, scales, 3)
    fine, coarse = wide_functions(basis, 20.0 * cut)
    smooth, _ = periodic_pair(patch(), SMALL // 2)
    large, small = periodic_pair(smooth, SMALL)
    weight = torch.randn(2, 1, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    filters = [torch.einsum("ocb,byx->ocyx", weight, f) for f in (fine, coarse)]
    return [
        torch.stack([correlate(image, bank, periodic=True) for bank in filters], dim=2)
        for image in (large, small)
    ]


def test_the_theorem_holds_on_the_probe_to_rounding():
    scales = (2.5, 2.5 * 24 / 17)
    assert probe_error(*_responses(scales)) < tolerance("scale_axis_shift", torch.float64)


def test_cut_off_filters_unequal_ratios_and_a_border_are_found():
    """Negative controls: each breaks the relation that the probe measures."""
    scales = (2.5, 2.5 * 24 / 17)
    assert probe_error(*_responses(scales, cut=0.2)) > 1e-4
    assert probe_error(*_responses((2.5, 3.0))) > 1e-2
    large, small = _responses(scales)
    assert probe_error(large, small.roll(1, -1)) > 1e-2


def test_pairs_can_be_left_out():
    generator = torch.Generator().manual_seed(0)
    large = torch.randn(1, 2, 3, 24, 24, generator=generator).double()
    small = torch.randn(1, 2, 3, 17, 17, generator=generator).double()
    expected = equivariance_error(small[:, :, :1, :1, :1], large[:, :, 1:2, :1, :1])
    assert probe_error(large, small, pairs=1) == pytest.approx(expected)


@pytest.mark.parametrize("side", [1, 49])
def test_bad_sides_are_named(side):
    with pytest.raises(ValueError, match=f"side={side}: must be from 2 to 48 pixels"):
        periodic_pair(patch(), side)
