"""Initialisation: kept variance, against white noise too, and coefficients from given filters."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sesn_impl import (
    LiftingConv2d,
    ScaleConv2d,
    SteerableBasis,
    bspline_basis,
    fourier_bessel_basis,
    hermite_basis_a,
    init_from_filters,
    init_variance_keeping,
)
from sesn_impl.networks.mnist import SESN_CONFIGURATIONS
from sesn_impl.tests.against_textbook import bases, seeds

MNIST = [c.basis() for c in SESN_CONFIGURATIONS.values()]
BASES = [hermite_basis_a(7, [0.9 * 1.41**i for i in range(3)], 3), *MNIST]
OTHERS = [make(13, (1.5, 2.6, 4.5), 3) for make in (bspline_basis, fourier_bessel_basis)]


def natural_images(count: int, size: int, seed: int) -> Tensor:
    """[count, 1, size, size] of zero mean and unit variance, with the spectrum |ω|⁻²."""
    frequency = torch.fft.fftfreq(size)
    amplitude = (frequency[:, None] ** 2 + frequency**2).sqrt().reciprocal()
    amplitude[0, 0] = 0
    noise = torch.randn(count, 1, size, size, generator=torch.Generator().manual_seed(seed))
    images: Tensor = torch.fft.ifft2(torch.fft.fft2(noise) * amplitude).real
    return images.div_(images.square().mean().sqrt())


def deviations(y: Tensor) -> Tensor:
    """Standard deviations of each scale: [B, C, S, H, W] -> [S]."""
    return y.square().mean((0, 1, 3, 4)).sqrt()


@given(basis=bases(), extent=st.integers(1, 3), seed=seeds)
def test_variance_of_a_second_layer_by_sums_over_pixels(
    basis: SteerableBasis, extent: int, seed: int
) -> None:
    """Σ_d r(d) (ψ_n ⋆ ψ_n)(d) by convolutions: its mean over the scales is gain², whatever basis.

    r is the autocorrelation of what the basis makes of white noise, (Σ_m ψ_m ⋆ ψ_m)(d), and
    Σ_n v_n of coefficients is taken from many that were drawn.
    """
    torch.manual_seed(seed)
    conv = ScaleConv2d(1, 3000, basis, min(extent, basis.num_scales))
    init_variance_keeping(conv, gain=1.3)
    variances = conv.weight.detach().double().square().mean((0, 1)).sum(0)  # [N_b]
    side = basis.kernel_size - 1
    totals = []
    for functions in basis.functions.unbind(1):
        one, padded = functions[:, None], F.pad(functions, [side] * 4)[None]
        own = F.conv2d(padded, one, groups=len(one))[0]  # [N_b, 2V−1, 2V−1]
        seen = own.sum(0) / own.sum(0)[side, side]
        totals.append((own * seen).sum((-1, -2)))
    norms = torch.stack(totals, 1)  # [N_b, S]
    shares = variances[:, None] * norms
    torch.testing.assert_close(
        shares.mean(1).sum(), torch.tensor(1.3**2).double(), rtol=0.1, atol=0
    )
    equal = torch.full((len(shares),), 1.3**2 / len(shares), dtype=torch.float64)
    torch.testing.assert_close(shares.mean(1), equal, rtol=0.2, atol=0)


@pytest.mark.parametrize("basis", BASES)
def test_natural_images_keep_their_variance_at_every_scale(basis: SteerableBasis) -> None:
    torch.manual_seed(0)
    lift = LiftingConv2d(1, 300, basis)
    init_variance_keeping(lift, gain=1.0)
    with torch.no_grad():
        y = lift(natural_images(16, 40, 0))
    assert (deviations(y) - 1).abs().max() < 0.2
    lift.reset_parameters()  # the published one
    with torch.no_grad():
        published = deviations(lift(natural_images(16, 40, 0)))
    assert (published - 1).abs().min() > 0.1


def test_white_noise_is_no_kept_variance() -> None:
    """Norms fall as 1/σ and the coefficients are shared: see `sesn_impl.initialise`."""
    torch.manual_seed(0)
    lift = LiftingConv2d(1, 200, BASES[1])
    init_variance_keeping(lift)
    with torch.no_grad():
        fine, *_, coarse = deviations(lift(torch.randn(8, 1, 40, 40)))
    assert fine > 2 * coarse


def through(layers: int, basis: SteerableBasis, init: Callable[..., object]) -> Tensor:
    """Standard deviations of each scale after a lifting and further layers with ReLU, [S]."""
    torch.manual_seed(0)
    padding, channels = basis.kernel_size // 2, 16
    lift = LiftingConv2d(1, channels, basis, padding=padding)
    init(lift)
    with torch.no_grad():
        y = lift(natural_images(8, 32, 1))
        for _ in range(layers - 1):
            conv = ScaleConv2d(channels, channels, basis, padding=padding)
            init(conv)
            y = conv(torch.relu(y))
    return deviations(y)


@pytest.mark.parametrize("basis", [BASES[0], MNIST[4], *OTHERS])
def test_eight_layers_without_normalisation(basis: SteerableBasis) -> None:
    kept = through(8, basis, init_variance_keeping)
    assert kept.min() > 0.3
    assert kept.max() < 8
    assert through(8, basis, lambda conv: conv.reset_parameters()).max() < 0.02


def test_default_stays_the_published_initialisation() -> None:
    """Kaiming-uniform with a = √5: bounded by 1/√fan_in, which the other one exceeds."""
    bound = 1 / math.sqrt(4 * 49)
    conv = LiftingConv2d(4, 8, MNIST[0])
    assert conv.weight.abs().max() <= bound
    init_variance_keeping(conv)
    assert conv.weight.abs().max() > bound


@pytest.mark.parametrize("lifts", [True, False])
@pytest.mark.parametrize("scale", [0, 1])
def test_filters_that_the_basis_holds_are_found(lifts: bool, scale: int) -> None:
    torch.manual_seed(0)
    basis = hermite_basis_a(9, (1.2, 1.8), 3)
    conv = LiftingConv2d(2, 3, basis) if lifts else ScaleConv2d(2, 3, basis, 2)
    wanted = torch.randn(3, 2, 9)
    filters = torch.einsum("ocn,nyx->ocyx", wanted.double(), basis.functions[:, scale])
    residual = init_from_filters(conv, filters, scale)
    assert residual.shape == (3, 2)
    assert residual.max() < 1e-12
    found = conv.weight.detach() if lifts else conv.weight.detach()[:, :, 0]
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    assert lifts or not conv.weight.detach()[:, :, 1].any()


def test_the_response_is_that_of_the_pretrained_convolution_up_to_the_residual() -> None:
    torch.manual_seed(0)
    plain = torch.nn.Conv2d(3, 4, 5, padding=2)
    basis = hermite_basis_a(9, (1.1, 1.7), 3)
    conv = LiftingConv2d(3, 4, basis, padding=4)
    residual = init_from_filters(conv, plain.weight)
    with torch.no_grad():
        conv.bias.copy_(plain.bias)  # type: ignore[union-attr, arg-type]
        x = torch.randn(64, 3, 9, 9)
        error = (conv(x)[:, :, 0] - plain(x))[..., 4, 4].square().mean(0)
        expected = (residual * plain.weight.double().square().sum((-1, -2))).sum(1)
    assert 0 < residual.min() < residual.max() < 1
    torch.testing.assert_close(error.double(), expected, rtol=0.6, atol=0)


def test_more_functions_leave_less_and_zeros_leave_nothing() -> None:
    torch.manual_seed(0)
    filters = torch.randn(2, 1, 5, 5)
    filters[1] = 0
    left = []
    for effective_size in (2, 3, 5):
        conv = LiftingConv2d(1, 2, hermite_basis_a(5, (1.0,), effective_size))
        left.append(init_from_filters(conv, filters))
    assert left[0][0] > left[1][0] > left[2][0]
    assert left[2][0] < 1e-12
    assert all(residual[1] == 0 for residual in left)


@pytest.mark.parametrize(
    ("shape", "scale", "message"),
    [
        ((3, 2, 5, 3), 0, r"filters of shape \(3, 2, 5, 3\): must be \[C_out=3, C_in=2, k, k\]"),
        ((2, 2, 5, 5), 0, r"filters of shape \(2, 2, 5, 5\): must be \[C_out=3, C_in=2, k, k\]"),
        ((3, 2, 4, 4), 0, r"filters of shape \(3, 2, 4, 4\): must be .* with k odd"),
        ((3, 2, 11, 11), 0, "filters of 11 pixels: must be at most V=9"),
        ((3, 2, 5, 5), 2, "scale=2: must be from 0 to 1"),
        ((3, 2, 5, 5), -1, "scale=-1: must be from 0 to 1"),
    ],
)
def test_filters_that_do_not_fit(shape: tuple[int, ...], scale: int, message: str) -> None:
    conv = LiftingConv2d(2, 3, hermite_basis_a(9, (1.2, 1.8), 3))
    before = copy.deepcopy(conv.state_dict())
    with pytest.raises(ValueError, match=message):
        init_from_filters(conv, torch.zeros(shape), scale)
    assert torch.equal(conv.weight, before["weight"])
