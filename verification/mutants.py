"""Layers broken on purpose, one real-world mistake each: what the checks must reject.

A mutant is made from an intact layer. It is judged against the intact layer's documentation, so
that a mistake in the filters cannot hide behind a description that shares it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.polynomial.hermite import hermval
from torch import Tensor, nn

from sesn_impl.basis import SteerableBasis
from sesn_impl.conv import LiftingConv2d, ScaleConv2d
from verification.continuum import sampled_filters
from verification.targets import Target, describe

SteerableConv = LiftingConv2d | ScaleConv2d


@dataclass(frozen=True)
class Mutant:
    """A broken layer: how it is made from an intact one, and how the mistake happens in life.

    killed_by: names of the checks that must reject it and whose finding names the cause.
    """

    name: str
    story: str
    killed_by: tuple[str, ...]
    make: Callable[[SteerableConv], nn.Module]

    def target(self, layer: SteerableConv) -> Target:
        """The broken layer under the description of the intact one."""
        return replace(describe(layer), name=self.name, layer=self.make(layer))


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
    other.load_state_dict(layer.state_dict())
    return other


def _with_functions(layer: SteerableConv, functions: Tensor) -> SteerableConv:
    return with_basis(layer, replace(layer.basis, functions=functions))


def _axes_swapped(layer: SteerableConv) -> nn.Module:
    return _with_functions(layer, layer.basis.functions.transpose(-1, -2))


def _flipped(layer: SteerableConv) -> nn.Module:
    return _with_functions(layer, layer.basis.functions.flip(-1, -2))


def _normalised_by_scale(layer: SteerableConv) -> nn.Module:
    functions = layer.basis.functions
    norms = functions.square().sum(dim=(-1, -2), keepdim=True).sqrt()
    return _with_functions(layer, functions / norms)


def _scaled_by_power(layer: SteerableConv, power: int) -> nn.Module:
    relative = torch.tensor(layer.basis.scales, dtype=torch.float64) / layer.basis.scales[0]
    factors = relative.pow(power)[None, :, None, None]
    return _with_functions(layer, layer.basis.functions * factors)


def _sigma_forgotten(layer: SteerableConv) -> nn.Module:
    return _scaled_by_power(layer, 2)


def _sigma_once(layer: SteerableConv) -> nn.Module:
    return _scaled_by_power(layer, 1)


def _scales_reversed(layer: SteerableConv) -> nn.Module:
    return _with_functions(layer, layer.basis.functions.flip(1))


def _half_pixel_shift(layer: SteerableConv) -> nn.Module:
    functions = layer.basis.functions
    return _with_functions(layer, (functions + functions.roll(1, dims=-1)) / 2)


def _functions_reordered(layer: SteerableConv) -> nn.Module:
    return _with_functions(layer, layer.basis.functions.flip(0))


def _one_support(layer: SteerableConv) -> nn.Module:
    basis = layer.basis
    smallest = min(basis.supports)
    margin = (basis.kernel_size - smallest) // 2
    functions = torch.zeros_like(basis.functions)
    inside = slice(margin, margin + smallest)
    for scale in range(basis.num_scales):
        filters = torch.from_numpy(sampled_filters(basis, scale, smallest))
        functions[:, scale, inside, inside] = filters
    return _with_functions(layer, functions)


class _Altered(nn.Module):
    """An intact layer with something done to its input or output."""

    def __init__(
        self,
        layer: SteerableConv,
        before: Callable[[Tensor], Tensor] = lambda x: x,
        after: Callable[[Tensor], Tensor] = lambda y: y,
    ) -> None:
        super().__init__()
        self.layer = layer
        self.before = before
        self.after = after

    def forward(self, x: Tensor) -> Tensor:
        """The altered answer."""
        return self.after(self.layer(self.before(x)))


def _bias_forgotten(layer: SteerableConv) -> nn.Module:
    if layer.bias is None:
        raise ValueError("layer: must have a bias that can be forgotten")
    bias = layer.bias[:, None, None, None]
    return _Altered(layer, after=lambda y: y - bias)


def _position_dependent(layer: SteerableConv) -> nn.Module:
    def fade(y: Tensor) -> Tensor:
        return y * torch.linspace(0.9, 1.1, y.shape[-1], dtype=y.dtype) if y.shape[-1] > 1 else y

    return _Altered(layer, after=fade)


def _padded_at_fine_end(layer: SteerableConv) -> nn.Module:
    # Reversing the scale axis of input, filters and output moves the zeros to the fine end.
    mirrored = _with_functions(layer, layer.basis.functions.flip(1))
    supports = tuple(reversed(layer.basis.supports))
    mirrored = with_basis(layer, replace(mirrored.basis, supports=supports))
    return _Altered(mirrored, before=lambda x: x.flip(2), after=lambda y: y.flip(2))


LIFTING_MUTANTS = (
    Mutant(
        "axes_swapped",
        "Rows and columns exchanged when the two axis functions are multiplied.",
        ("response",),
        _axes_swapped,
    ),
    Mutant(
        "filter_flipped",
        "A true convolution where the documentation says cross-correlation.",
        ("response",),
        _flipped,
    ),
    Mutant(
        "functions_reordered",
        "Basis functions listed in another order, so that trained coefficients no longer fit.",
        ("response",),
        _functions_reordered,
    ),
    Mutant(
        "bias_forgotten",
        "The bias is created and never added.",
        ("response",),
        _bias_forgotten,
    ),
    Mutant(
        "normalised_by_scale",
        "Each scale divided by its own norm, 'so that all scales count alike'.",
        ("scale_equivariance", "response"),
        _normalised_by_scale,
    ),
    Mutant(
        "sigma_forgotten",
        "The factor σ⁻² left out.",
        ("scale_equivariance", "response"),
        _sigma_forgotten,
    ),
    Mutant(
        "sigma_once",
        "σ⁻¹ in place of σ⁻², as in one dimension.",
        ("scale_equivariance", "response"),
        _sigma_once,
    ),
    Mutant(
        "scales_reversed",
        "Filters sorted from large to small, outputs labelled from small to large.",
        ("scale_equivariance", "response"),
        _scales_reversed,
    ),
    Mutant(
        "half_pixel_shift",
        "A support with an even number of pixels, averaged back onto an odd grid.",
        ("response",),
        _half_pixel_shift,
    ),
    Mutant(
        "one_support",
        "All scales sampled on the smallest scale's grid.",
        ("scale_equivariance", "response"),
        _one_support,
    ),
    Mutant(
        "position_dependent",
        "A window or positional gain applied to the output.",
        ("integer_translation",),
        _position_dependent,
    ),
)

SCALE_CONV_MUTANTS = (
    Mutant(
        "padded_at_fine_end",
        "The scale axis padded below the smallest scale in place of above the largest.",
        ("response",),
        _padded_at_fine_end,
    ),
)


def basis_with_physicists_polynomials(basis: SteerableBasis) -> SteerableBasis:
    """The basis with H_n in place of He_n: the mistake of taking the wrong Hermite family."""
    functions = np.zeros(tuple(basis.functions.shape))
    for scale, (sigma, support) in enumerate(zip(basis.scales, basis.supports, strict=True)):
        margin = (basis.kernel_size - support) // 2
        inside = slice(margin, margin + support)
        for index, atom in enumerate(basis.atoms):
            x = (np.arange(support) - support // 2) / (sigma * atom.relative_width)
            envelope = np.exp(-(x**2) / 2)
            rows = envelope * hermval(x, [0.0] * atom.row_order + [1.0])
            columns = envelope * hermval(x, [0.0] * atom.column_order + [1.0])
            functions[index, scale, inside, inside] = np.outer(rows, columns) / sigma**2
    norms = np.sqrt((functions[:, 0] ** 2).sum(axis=(1, 2)))[:, None, None, None]
    return replace(basis, functions=torch.from_numpy(functions / norms))
