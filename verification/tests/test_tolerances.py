"""The rounding tolerance covers the measured floor, and not by more than it says."""

import pytest
import torch

from sesn_impl import hermite_basis_b
from verification.errors import equivariance_error
from verification.probe import random_probe, reference_responses, responses
from verification.targets import describe
from verification.tests.layers import build_lifting, build_scale_conv
from verification.tolerances import rounding_error


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rounding_factor_still_fits_the_measured_floor(dtype):
    basis = hermite_basis_b(121, (3.0, 4.2, 6.0), 7, mult=1.2)
    floors = []
    for seed in range(3):
        for layer in (build_lifting(basis, seed, dtype), build_scale_conv(basis, seed, 2, dtype)):
            target = describe(layer)
            probe = random_probe(target, seed)
            floors.append(
                equivariance_error(
                    reference_responses(target, probe), responses(target, probe).numpy()
                )
            )
    worst = max(floors) ** 0.5
    allowed = rounding_error(dtype) ** 0.5
    assert worst < allowed < 1000 * worst


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_twice_the_tolerance_is_rejected(dtype):
    x = torch.randn(1000, dtype=torch.float64)
    perturbed = x * (1 + 2 * rounding_error(dtype) ** 0.5)
    assert equivariance_error(x, perturbed) > rounding_error(dtype)
