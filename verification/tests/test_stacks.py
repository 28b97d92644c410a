"""Stacks and residual blocks: equivariance survives composition, up to what each part lacks.

Whatever commutes with rescaling still does so in a sequence or a sum. Where the filters are
complete, the theorem therefore holds for the whole to rounding, provided that what stands between
two convolutions has no edges: a square keeps an image smooth, ReLU bends it, and the next layer
samples a kink. That error is one of sampling, and falls when everything is seen on a finer grid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from sesn_impl import (
    LiftingConv2d,
    ScaleConv1x1,
    ScaleConv2d,
    SteerableBasis,
    hermite_basis_a,
)
from sesn_impl.networks.wrn import Place, Plain, PreActivationBlock
from verification.checks import check_integer_translation, check_theorem
from verification.checks.tests.test_scale_axis import used_batch_norm
from verification.layer.probe import complete_pairs, measure_pair, random_probe
from verification.layer.receptive_field import (
    Stages,
    smallest_window,
    stages_of,
    steerable_window,
)
from verification.layer.targets import Target
from verification.tests.layers import build_basis
from verification.tests.tools.profiles import cases
from verification.tests.tools.strategies import complete_bases, seeds

FEW = complete_bases(counts=(2, 3), ratios=(1.2, 1.25))
WIDTHS = (3.0, 8.0)
LOST = "the scale axis ends: an inner layer misses the scales above the largest"


class Square(nn.Module):
    """A pointwise map without edges."""

    def forward(self, x: Tensor) -> Tensor:
        return x * x


class Scales(Plain):
    """What stands in a residual block of functions on scale and space, with complete filters."""

    def __init__(self, basis: SteerableBasis, extent: int) -> None:
        self.basis, self.extent = basis, extent

    def convolution(
        self, in_channels: int, out_channels: int, stride: int, place: Place
    ) -> nn.Module:
        extent = 1 if place.second else self.extent
        padding = self.basis.kernel_size // 2
        return ScaleConv2d(
            in_channels, out_channels, self.basis, extent, stride, padding, bias=False
        )

    def shortcut(self, in_channels: int, out_channels: int, stride: int, place: Place) -> nn.Module:
        return ScaleConv1x1(in_channels, out_channels, stride, bias=False)

    def norm(self, channels: int) -> nn.Module:
        return used_batch_norm(channels)


def without_relu(module: nn.Module, instead: Callable[[], nn.Module] = Square) -> nn.Module:
    """The module with something else, by default squares, in place of every ReLU."""
    for name, child in module.named_children():
        if isinstance(child, nn.ReLU):
            setattr(module, name, instead())
        else:
            without_relu(child, instead)
    return module


def window_of(module: nn.Module) -> int:
    """Side of the smallest input whose output has a centre that no border touches."""

    def of_block(block: nn.Module) -> Stages:
        assert isinstance(block, PreActivationBlock)
        return tuple(steerable_window(m) for m in block.residual if isinstance(m, ScaleConv2d))

    return smallest_window(stages_of(module, {Square: lambda _: (), PreActivationBlock: of_block}))


def target_of(module: nn.Module, basis: SteerableBasis, lifts: bool, extent: int) -> Target:
    """A stack of layers on one basis; extent: K_S of the whole, 1 + the sum of all K_S − 1."""
    return Target(
        name="stack",
        layer=module.double().eval(),
        scales=basis.scales,
        in_channels=2,
        window=window_of(module),
        lifts=lifts,
        scale_extent=extent,
    )


def block(basis: SteerableBasis, extent: int, out_channels: int, stride: int = 1) -> nn.Module:
    return PreActivationBlock(Scales(basis, extent), 2, out_channels, stride, 0, 0, dropout=0.3)


def stack(basis: SteerableBasis, extent: int, between: Callable[[], nn.Module]) -> nn.Module:
    padding = basis.kernel_size // 2
    return nn.Sequential(
        LiftingConv2d(2, 2, basis),
        used_batch_norm(2),
        between(),
        nn.Dropout(0.5),
        ScaleConv2d(2, 2, basis, extent, padding=padding),
    )


@given(FEW, seeds(), st.integers(1, 2))
@cases(0.05)
def test_stacks_keep_the_theorem(drawn, seed, extent):
    torch.manual_seed(seed)
    basis = build_basis(drawn)
    target = target_of(stack(basis, extent, Square), basis, lifts=True, extent=extent)
    probe = random_probe(target, seed, points=1, bumps=2, widths=WIDTHS)
    for fine, coarse in complete_pairs(target):
        check_theorem(target, probe, fine, coarse).require()


@given(FEW, seeds(), st.integers(1, 2), st.sampled_from([2, 3]))
@cases(0.03)
def test_residual_blocks_keep_the_theorem(drawn, seed, extent, out_channels):
    """With the identity as shortcut, or a 1×1 convolution where the width changes."""
    torch.manual_seed(seed)
    basis = build_basis(drawn)
    module = without_relu(block(basis, extent, out_channels))
    target = target_of(module, basis, lifts=False, extent=extent)
    probe = random_probe(target, seed, points=1, bumps=2, widths=WIDTHS)
    for fine, coarse in complete_pairs(target):
        check_theorem(target, probe, fine, coarse).require()


def small_basis(factor: float = 1.0) -> SteerableBasis:
    """Complete for lower orders: 10 σ to each side."""
    scales = tuple(factor * sigma for sigma in (2.5, 3.0, 3.6))
    return hermite_basis_a(2 * int(10.5 * scales[-1]) + 1, scales, 2)


@pytest.mark.parametrize("stride", [1, 2])
def test_strided_blocks_are_equivariant_and_move_by_whole_strides(stride):
    """Without nonlinearity: what a square doubles in frequency, a stride of 2 could not hold."""
    torch.manual_seed(0)
    basis = small_basis()
    module = without_relu(block(basis, 1, 3, stride), nn.Identity)
    target = replace(target_of(module, basis, lifts=False, extent=1), stride=stride)
    probe = random_probe(target, 0, points=1, bumps=2, widths=WIDTHS)
    for pair in complete_pairs(target):
        check_theorem(target, probe, *pair).require()
    check_integer_translation(target, probe, (stride, -2 * stride)).require()


def test_the_end_of_the_scale_axis_reaches_through_a_stack():
    """Two layers of K_S = 2 lose two scales, where the theorem promises one pair only."""
    torch.manual_seed(0)
    basis = small_basis()
    padding = basis.kernel_size // 2
    module = nn.Sequential(
        LiftingConv2d(2, 2, basis),
        ScaleConv2d(2, 2, basis, 2, padding=padding),
        ScaleConv2d(2, 2, basis, 2, padding=padding),
    )
    promised = target_of(module, basis, lifts=True, extent=3)
    assert complete_pairs(promised) == []
    probe = random_probe(promised, 0, points=1, bumps=2, widths=WIDTHS)
    check_theorem(promised, probe, 0, 1).require_failure(LOST)
    check_theorem(promised, probe, 1, 2).require_failure(LOST)


class Reversed(nn.Module):
    """A shortcut that hands scales on in the wrong order."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flip(2)


def test_a_shortcut_with_scales_out_of_order_is_rejected():
    torch.manual_seed(0)
    basis = small_basis()
    module = without_relu(block(basis, 1, 2))
    module.shortcut = Reversed()
    target = target_of(module, basis, lifts=False, extent=1)
    probe = random_probe(target, 0, points=1, bumps=2, widths=WIDTHS)
    result = check_theorem(target, probe, 0, 1)
    result.require_failure("the shortcut reverses the scales")


def test_kinks_cost_what_sampling_costs():
    """ReLU in place of the square: far above rounding, and less on a grid twice as fine.

    Aliases of a kink fall with the square of the frequency, so that a grid twice as fine leaves a
    sixteenth of the energy or less; a quarter is demanded, since kinks differ from case to case.
    """

    def errors(factor: float) -> list[float]:
        basis = small_basis(factor)
        found = []
        for seed in range(3):
            torch.manual_seed(seed)
            target = target_of(stack(basis, 1, nn.ReLU), basis, lifts=True, extent=1)
            widths = (factor * WIDTHS[0], factor * WIDTHS[1])
            probe = random_probe(
                target, seed, points=1, bumps=2, widths=widths, max_frequency=0.5 / factor
            )
            found.append(measure_pair(target, probe, 0, 1).error)
        return found

    coarse, fine = errors(1.0), errors(2.0)
    assert min(coarse) > 1e-20
    assert sum(fine) < sum(coarse) / 4
