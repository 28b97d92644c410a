"""Mistakes in how the scales of one layer relate to each other."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from sesn_impl.basis import SteerableBasis
from verification.broken_layers.broken_layer import (
    Altered,
    BrokenLayer,
    SteerableConv,
    altered,
    bias_of,
    changed,
    resampled,
    with_functions,
)
from verification.reference.analytic import FloatArray
from verification.reference.continuum import sampled_filters


def _scaled_by_power(layer: SteerableConv, power: int) -> nn.Module:
    relative = torch.tensor(layer.basis.scales, dtype=torch.float64) / layer.basis.scales[0]
    factors = relative.pow(power)[None, :, None, None]
    return with_functions(layer, layer.basis.functions * factors)


def _scales_rounded(basis: SteerableBasis, scale: int, support: int) -> FloatArray:
    stretch = round(basis.scales[scale]) / basis.scales[scale]
    return sampled_filters(basis, scale, support, (stretch, stretch))


class _OwnWeights(nn.Module):
    """A layer with one weight for each scale."""

    def __init__(self, layer: SteerableConv) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for scale in range(layer.basis.num_scales):
            other = with_functions(layer, layer.basis.functions)
            with torch.no_grad():
                other.weight[:, :, ..., 0] *= 1.0 + 0.5 * scale
            self.layers.append(other)

    def forward(self, x: Tensor) -> Tensor:
        """Each scale by its own weight."""
        answers = [layer(x)[:, :, scale] for scale, layer in enumerate(self.layers)]
        return torch.stack(answers, dim=2)


class _OwnBias(nn.Module):
    """A layer with one bias for each scale, which starts as the shared one did."""

    def __init__(self, layer: SteerableConv) -> None:
        super().__init__()
        self.layer = layer
        steps = torch.linspace(0.0, 0.5, layer.basis.num_scales, dtype=layer.weight.dtype)
        self.offsets = nn.Parameter(bias_of(layer).detach()[:, :1] * steps[None, :, None, None])

    def forward(self, x: Tensor) -> Tensor:
        """The answer with offsets that have been trained apart."""
        y: Tensor = self.layer(x) + self.offsets
        return y


def _bias_unscaled(layer: SteerableConv) -> nn.Module:
    sigmas = torch.tensor(layer.basis.scales, dtype=layer.weight.dtype)[:, None, None]
    return Altered(layer, after=lambda y: y - bias_of(layer) * (1 - sigmas**-2))


def _off_by_one(layer: SteerableConv) -> nn.Module:
    functions = layer.basis.functions.clone()
    functions[:, 1] = functions[:, 1].roll((1, 1), dims=(-2, -1))
    return with_functions(layer, functions)


BROKEN_SCALES = (
    BrokenLayer(
        "normalised_by_scale",
        "Each scale divided by its own norm, 'so that all scales count alike'.",
        ("scale_equivariance", "response", "sigma_law"),
        "normalised",
        changed(lambda f: f / f.square().sum(dim=(-1, -2), keepdim=True).sqrt()),
    ),
    BrokenLayer(
        "sigma_forgotten",
        "The factor σ⁻² left out.",
        ("scale_equivariance", "response", "sigma_law"),
        "amplitude",
        partial(_scaled_by_power, power=2),
    ),
    BrokenLayer(
        "sigma_once",
        "σ⁻¹ in place of σ⁻², as in one dimension.",
        ("scale_equivariance", "response", "sigma_law"),
        "amplitude",
        partial(_scaled_by_power, power=1),
    ),
    BrokenLayer(
        "scales_reversed",
        "Filters sorted from large to small, outputs labelled from small to large.",
        ("scale_equivariance", "response"),
        "order",
        changed(lambda f: f.flip(1)),
    ),
    BrokenLayer(
        "counted_from_largest",
        "The index on the scale axis counts from the largest scale.",
        ("scale_equivariance", "response"),
        "order",
        altered(after=lambda y: y.flip(2)),
    ),
    BrokenLayer(
        "scales_rounded",
        "σ read from a configuration as an integer.",
        ("response", "closed_form"),
        "ratio",
        resampled(_scales_rounded),
    ),
    BrokenLayer(
        "weights_not_shared",
        "One convolution per scale, created in a loop, each with weights of its own.",
        ("scale_equivariance", "response"),
        "unshared",
        _OwnWeights,
    ),
    BrokenLayer(
        "bias_forgotten",
        "The bias is created and never added.",
        ("response",),
        "bias_missing",
        lambda layer: Altered(layer, after=lambda y: y - bias_of(layer)),
    ),
    BrokenLayer(
        "bias_twice",
        "The bias is given to the convolution and added again to its output.",
        ("response",),
        "bias_scaled",
        lambda layer: Altered(layer, after=lambda y: y + bias_of(layer)),
    ),
    BrokenLayer(
        "bias_per_scale",
        "A bias of shape [C, S], as a library makes it when it takes C·S for channels.",
        ("response",),
        "bias_per_scale",
        _OwnBias,
    ),
    BrokenLayer(
        "bias_normalised",
        "The bias is multiplied by σ⁻² together with the filters.",
        ("response",),
        "bias_per_scale",
        _bias_unscaled,
    ),
    BrokenLayer(
        "padding_off_by_one",
        "The padding of one scale's own support rounded the wrong way, by a pixel.",
        ("response", "scale_equivariance"),
        "shift",
        _off_by_one,
    ),
)
