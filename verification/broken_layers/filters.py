"""Mistakes in the filters themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.polynomial.hermite import hermval
from torch import nn

from sesn_impl.basis import HermiteFunction, SteerableBasis
from verification.broken_layers.broken_layer import (
    BrokenLayer,
    SteerableConv,
    with_basis,
    with_functions,
)
from verification.reference.continuum import sampled_filters


def _axes_swapped(layer: SteerableConv) -> nn.Module:
    return with_functions(layer, layer.basis.functions.transpose(-1, -2))


def _flipped(layer: SteerableConv) -> nn.Module:
    return with_functions(layer, layer.basis.functions.flip(-1, -2))


def _upside_down(layer: SteerableConv) -> nn.Module:
    return with_functions(layer, layer.basis.functions.flip(-2))


def _half_pixel_shift(layer: SteerableConv) -> nn.Module:
    functions = layer.basis.functions
    return with_functions(layer, (functions + functions.roll(1, dims=-1)) / 2)


def _functions_reordered(layer: SteerableConv) -> nn.Module:
    return with_functions(layer, layer.basis.functions.flip(0))


def _one_support(layer: SteerableConv) -> nn.Module:
    basis = layer.basis
    smallest = min(basis.supports)
    margin = (basis.kernel_size - smallest) // 2
    functions = torch.zeros_like(basis.functions)
    inside = slice(margin, margin + smallest)
    for scale in range(basis.num_scales):
        filters = torch.from_numpy(sampled_filters(basis, scale, smallest))
        functions[:, scale, inside, inside] = filters
    return with_functions(layer, functions)


def _physicists(layer: SteerableConv) -> nn.Module:
    return with_basis(layer, basis_with_physicists_polynomials(layer.basis))


def _widths_forgotten(layer: SteerableConv) -> nn.Module:
    basis = layer.basis
    atoms = tuple(HermiteFunction(a.row_order, a.column_order, 1.0) for a in basis.atoms)
    functions = torch.zeros_like(basis.functions)
    for scale, support in enumerate(basis.supports):
        margin = (basis.kernel_size - support) // 2
        inside = slice(margin, margin + support)
        filters = sampled_filters(replace(basis, atoms=atoms), scale, support)
        functions[:, scale, inside, inside] = torch.from_numpy(filters)
    return with_functions(layer, functions)


def _interpolated(layer: SteerableConv) -> nn.Module:
    basis = layer.basis
    functions = torch.zeros_like(basis.functions)
    margin = (basis.kernel_size - basis.supports[0]) // 2
    inside = slice(margin, margin + basis.supports[0])
    smallest = basis.functions[:, 0, inside, inside][None]
    for scale, support in enumerate(basis.supports):
        margin = (basis.kernel_size - support) // 2
        inside = slice(margin, margin + support)
        resized = F.interpolate(smallest, size=(support, support), mode="bilinear")[0]
        functions[:, scale, inside, inside] = resized * (basis.supports[0] / support) ** 2
    return with_functions(layer, functions)


def _rounded_to(layer: SteerableConv, dtype: torch.dtype) -> nn.Module:
    return with_functions(layer, layer.basis.functions.to(dtype).double())


def _float16_basis(layer: SteerableConv) -> nn.Module:
    return _rounded_to(layer, torch.float16)


def _float32_basis(layer: SteerableConv) -> nn.Module:
    return _rounded_to(layer, torch.float32)


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


BROKEN_FILTERS = (
    BrokenLayer(
        "axes_swapped",
        "Rows and columns exchanged when the two axis functions are multiplied.",
        ("response", "closed_form"),
        "transposed",
        _axes_swapped,
    ),
    BrokenLayer(
        "filter_flipped",
        "A true convolution where the documentation says cross-correlation.",
        ("response",),
        "turned",
        _flipped,
    ),
    BrokenLayer(
        "upside_down",
        "The row coordinate grows upwards, as in a plot, and not downwards, as in an image.",
        ("response",),
        "upside_down",
        _upside_down,
    ),
    BrokenLayer(
        "functions_reordered",
        "Basis functions listed in another order, so that trained coefficients no longer fit.",
        ("response", "closed_form"),
        "functions",
        _functions_reordered,
    ),
    BrokenLayer(
        "physicists_polynomials",
        "H_n taken from the library in place of He_n.",
        ("response", "closed_form"),
        "polynomials",
        _physicists,
    ),
    BrokenLayer(
        "widths_forgotten",
        "The ratio `mult` between widths is an option that nothing uses.",
        ("response", "closed_form"),
        "widths",
        _widths_forgotten,
    ),
    BrokenLayer(
        "half_pixel_shift",
        "A support with an even number of pixels, averaged back onto an odd grid.",
        ("response",),
        "shift",
        _half_pixel_shift,
    ),
    BrokenLayer(
        "one_support",
        "All scales sampled on the smallest scale's grid.",
        ("scale_equivariance", "response"),
        "support",
        _one_support,
    ),
    BrokenLayer(
        "kernels_interpolated",
        "Filters of the larger scales made from the smallest ones by resizing, not by sampling.",
        ("scale_equivariance", "response"),
        "resized",
        _interpolated,
    ),
    BrokenLayer(
        "float16_basis",
        "The basis cached on disk in float16 to save space.",
        ("response", "closed_form"),
        "digits",
        _float16_basis,
    ),
    BrokenLayer(
        "float32_basis_widened",
        "`layer.double()` widens a float32 buffer, whose digits are gone by then.",
        ("response", "closed_form"),
        "digits",
        _float32_basis,
    ),
)
