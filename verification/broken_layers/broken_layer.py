"""What a broken layer is, and the few ways in which most are made from an intact one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from sesn_impl.basis import SteerableBasis
from sesn_impl.layers import LiftingConv2d, ScaleConv2d
from verification.layer.targets import Target, describe
from verification.reference.analytic import FloatArray

SteerableConv = LiftingConv2d | ScaleConv2d
Change = Callable[[Tensor], Tensor]
Make = Callable[[Any], nn.Module]
"""From an intact module, which it may change, to a broken one."""
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
    make: Make
    intact: tuple[str, ...] = CONVOLUTIONS

    def target(self, layer: SteerableConv) -> Target:
        """The broken layer under the description of the intact one."""
        return replace(describe(layer), name=self.name, layer=self.make(layer))


class Altered(nn.Module):
    """An intact module with something done to its input or output."""

    def __init__(
        self,
        module: nn.Module,
        before: Change = lambda x: x,
        after: Change = lambda y: y,
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


def changed(change: Callable[[Tensor], Tensor]) -> Make:
    """Layers on a basis whose samples [N_b, S, V, V] are changed."""
    return lambda layer: with_functions(layer, change(layer.basis.functions))


def resampled(filters: Callable[[SteerableBasis, int, int], FloatArray | Tensor]) -> Make:
    """Layers on a basis that is sampled otherwise: (basis, scale, support) -> [N_b, v, v]."""

    def make(layer: SteerableConv) -> SteerableConv:
        basis = layer.basis
        functions = torch.zeros_like(basis.functions)
        for scale, support in enumerate(basis.supports):
            made = torch.as_tensor(filters(basis, scale, support))
            margin = (basis.kernel_size - made.shape[-1]) // 2
            inside = slice(margin, margin + made.shape[-1])
            functions[:, scale, inside, inside] = made
        return with_functions(layer, functions)

    return make


def altered(before: Change = lambda x: x, after: Change = lambda y: y) -> Make:
    """Modules with something done to their input or output."""
    return lambda module: Altered(module, before, after)


def bias_of(layer: SteerableConv) -> Tensor:
    """The bias, shaped as outputs [B, C_out, S, H', W'] are. Raises ValueError if there is none."""
    if layer.bias is None:
        raise ValueError("layer: must have a bias")
    return layer.bias[:, None, None, None]
