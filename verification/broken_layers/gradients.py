"""Mistakes in the backward pass, behind a right forward pass."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from verification.broken_layers.broken_layer import Altered, BrokenLayer, SteerableConv, altered

_LIFTING = ("lifting",)


class _Backward(torch.autograd.Function):
    """The identity, with a gradient of its own."""

    @staticmethod
    def forward(ctx: object, y: Tensor) -> Tensor:
        """The value as it is."""
        return y.clone()

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        """The scale axis of the gradient is turned around."""
        return gradients[0].flip(2)


def _wrong_gradient(layer: SteerableConv) -> nn.Module:
    def other(y: Tensor) -> Tensor:
        z: Tensor = _Backward.apply(y)
        return z

    return Altered(layer, after=other)


class _BiasDetached(nn.Module):
    """Adds its bias as a constant, which training does not reach."""

    def __init__(self, layer: SteerableConv) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """The right answer."""
        assert self.layer.bias is not None
        y: Tensor = torch.func.functional_call(self.layer, {"bias": self.layer.bias.detach()}, (x,))
        return y


BROKEN_GRADIENTS = (
    BrokenLayer(
        "gradient_of_other_scales",
        "A backward pass written by hand, with the scale axis in another order.",
        ("gradcheck", "gradient_equivariance", "gradient_density"),
        "gradcheck",
        _wrong_gradient,
        _LIFTING,
    ),
    BrokenLayer(
        "half_gradient",
        "A straight-through estimator that counts the input twice.",
        ("gradcheck",),
        "gradcheck",
        # The value is x, and its gradient half.
        altered(before=lambda x: (x + x.detach()) / 2),
        _LIFTING,
    ),
    BrokenLayer(
        "bias_detached",
        "A `.detach()` in the wrong line: the bias never learns.",
        ("gradients", "gradcheck"),
        "gradients",
        _BiasDetached,
        _LIFTING,
    ),
)
