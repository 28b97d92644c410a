"""What a broken layer is, and the few ways in which most are made from an intact one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from sesn_impl.basis import SteerableBasis
from sesn_impl.layers import LiftingConv2d, ScaleConv2d
from verification.layer.targets import Target, describe

SteerableConv = LiftingConv2d | ScaleConv2d
CONVOLUTIONS = ("lifting", "scale")
"""Names of the intact layers that most mistakes are made in."""


@dataclass(frozen=True)
class BrokenLayer:
    """A broken layer: how it is made from an intact one, and how the mistake happens in life.

    rejected_by: names of checks that must reject it. cause: identifier of the mistake, which one of
    their findings has to be. make: gets an intact module that it may change.
    intact: names of the intact modules it is made from; see `intact_layers`.
    """

    name: str
    story: str
    rejected_by: tuple[str, ...]
    cause: str
    make: Callable[[Any], nn.Module]
    intact: tuple[str, ...] = CONVOLUTIONS

    def target(self, layer: SteerableConv) -> Target:
        """The broken layer under the description of the intact one."""
        return replace(describe(layer), name=self.name, layer=self.make(layer))


class Altered(nn.Module):
    """An intact module with something done to its input or output."""

    def __init__(
        self,
        module: nn.Module,
        before: Callable[[Tensor], Tensor] = lambda x: x,
        after: Callable[[Tensor], Tensor] = lambda y: y,
    ) -> None:
        super().__init__()
        self.module = module
        self.before = before
        self.after = after

    def forward(self, x: Tensor) -> Tensor:
        """The altered answer."""
        y: Tensor = self.after(self.module(self.before(x)))
        return y


def with_basis(layer: SteerableConv, basis: SteerableBasis) -> SteerableConv:
    """The same layer, weights shared, on another basis."""
    make: Callable[..., SteerableConv] = type(layer)
    if isinstance(layer, ScaleConv2d):
        make = functools.partial(make, scale_extent=layer.scale_extent)
    other = make(
        layer.in_channels,
        layer.out_channels,
        basis,
        stride=layer.stride,
        padding=layer.padding,
        bias=layer.bias is not None,
    ).to(layer.weight)
    other.load_state_dict(dict(layer.named_parameters()))  # its state would be refused
    return other


def with_functions(layer: SteerableConv, functions: Tensor) -> SteerableConv:
    """The same layer, weights shared, with other samples of its basis: [N_b, S, V, V]."""
    return with_basis(layer, replace(layer.basis, functions=functions))


def bias_of(layer: SteerableConv) -> Tensor:
    """The bias, shaped as outputs [B, C_out, S, H', W'] are. Raises ValueError if there is none."""
    if layer.bias is None:
        raise ValueError("layer: must have a bias")
    return layer.bias[:, None, None, None]
