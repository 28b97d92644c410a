"""Intact modules that mistakes are made in, and how each of them is described to the judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import nn

from sesn_impl.basis import hermite_basis_b
from sesn_impl.layers import LiftingConv2d, ScaleConv1x1, ScaleConv2d, ScaleMaxProjection
from verification.broken_layers.broken_layer import BrokenLayer, SteerableConv
from verification.checks.registry import CHECKS
from verification.layer.targets import Target, describe

Module = TypeVar("Module", bound=nn.Module)
BASIS = hermite_basis_b(21, (1.5, 2.25, 3.0), 3, max_order=2)
"""Small, with two widths; ratios of whole numbers, and supports of 7 σ so that truncation is small
beside any mistake."""


@dataclass(frozen=True)
class Specimen:
    """An intact kind of module: how it is built from a seed and described, and what it must pass.

    besides: checks that run only when they are named, of what is promised of this kind.
    """

    build: Callable[[int], nn.Module]
    describe: Callable[[nn.Module], Target]
    besides: tuple[str, ...] = ()

    def target(self, broken: BrokenLayer | None = None) -> Target:
        """The intact module, or a broken layer of it under the description of the intact one."""
        name = "intact" if broken is None else broken.name

        def build(seed: int) -> nn.Module:
            intact = self.build(seed)
            return intact if broken is None else broken.make(intact).eval()

        intact = self.describe(self.build(0))
        return replace(intact, name=name, layer=build(0), rebuild=build)

    @property
    def checks(self) -> tuple[str, ...]:
        """Names of the checks that it is put through: a user's, and those of its kind."""
        return tuple(c.name for c in CHECKS if not c.optional or c.name in self.besides)


def seeded(make: Callable[[], Module]) -> Callable[[int], Module]:
    """Builds a float64 module in eval mode whose parameters and statistics are random."""

    def build(seed: int) -> Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = make().double().eval()
            with torch.no_grad():
                for parameter in module.parameters():
                    parameter.uniform_(-0.5, 0.5)
                for part in module.modules():
                    if isinstance(part, nn.BatchNorm3d):
                        assert part.running_mean is not None
                        assert part.running_var is not None
                        part.running_mean.uniform_(-0.5, 0.5)
                        part.running_var.uniform_(0.5, 1.5)
        return module

    return build


def _block() -> nn.Module:
    return nn.Sequential(
        ScaleConv2d(2, 3, BASIS, 2, padding=10), nn.BatchNorm3d(3), nn.ReLU(), nn.Dropout(0.3),
        ScaleMaxProjection(),
    )  # fmt: skip


def _convolution(module: nn.Module) -> Target:
    assert isinstance(module, SteerableConv)
    return describe(module)


def _without_filters(channels: int, **rest: object) -> Callable[[nn.Module], Target]:
    """Of a module on functions of scale and space."""
    facts = {"window": 1, "lifts": False, "in_channels": channels, **rest}
    return lambda module: Target("intact", module, BASIS.scales, **facts)  # type: ignore[arg-type]


SPECIMENS: Mapping[str, Specimen] = {
    "lifting": Specimen(seeded(lambda: LiftingConv2d(2, 3, BASIS)), _convolution),
    "padded": Specimen(
        seeded(lambda: LiftingConv2d(2, 3, BASIS, stride=2, padding=10)),
        _convolution,
        ("zero_border",),
    ),
    "scale": Specimen(seeded(lambda: ScaleConv2d(2, 3, BASIS, 2)), _convolution),
    "mixing": Specimen(seeded(lambda: ScaleConv1x1(2, 3)), _without_filters(2)),
    "norm": Specimen(seeded(lambda: nn.BatchNorm3d(2)), _without_filters(2)),
    "block": Specimen(seeded(_block), _without_filters(2, window=21, scale_extent=2, output="map")),
    "pooling": Specimen(
        lambda seed: nn.MaxPool3d((1, 2, 2)), _without_filters(2, window=2, stride=2)
    ),
    "projection": Specimen(
        lambda seed: ScaleMaxProjection(), _without_filters(3, output="map"), ("max_projection",)
    ),
}
