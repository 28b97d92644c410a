"""Mistakes in the filters themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.polynomial.hermite import hermval
from torch import Tensor

from sesn_impl.basis import HermiteFunction, SteerableBasis
from verification.broken_layers.broken_layer import (
    BrokenLayer,
    changed,
    resampled,
    with_basis,
)
from verification.reference.analytic import FloatArray
from verification.reference.continuum import sampled_filters


def _widths_forgotten(basis: SteerableBasis, scale: int, support: int) -> FloatArray:
    atoms = tuple(HermiteFunction(a.row_order, a.column_order, 1.0) for a in basis.atoms)
    return sampled_filters(replace(basis, atoms=atoms), scale, support)


def _interpolated(basis: SteerableBasis, scale: int, support: int) -> Tensor:
    smallest = basis.supports[0]
    margin = (basis.kernel_size - smallest) // 2
    inside = slice(margin, margin + smallest)
    filters = basis.functions[None, :, 0, inside, inside]
    resized = F.interpolate(filters, size=(support, support), mode="bilinear")[0]
    return resized * (smallest / support) ** 2


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
        changed(lambda f: f.transpose(-1, -2)),
    ),
    BrokenLayer(
        "filter_flipped",
        "A true convolution where the documentation says cross-correlation.",
        ("response",),
        "turned",
        changed(lambda f: f.flip(-1, -2)),
    ),
    BrokenLayer(
        "upside_down",
        "The row coordinate grows upwards, as in a plot, and not downwards, as in an image.",
        ("response",),
        "upside_down",
        changed(lambda f: f.flip(-2)),
    ),
    BrokenLayer(
        "functions_reordered",
        "Basis functions listed in another order, so that trained coefficients no longer fit.",
        ("response", "closed_form"),
        "functions",
        changed(lambda f: f.flip(0)),
    ),
    BrokenLayer(
        "physicists_polynomials",
        "H_n taken from the library in place of He_n.",
        ("response", "closed_form"),
        "polynomials",
        lambda layer: with_basis(layer, basis_with_physicists_polynomials(layer.basis)),
    ),
    BrokenLayer(
        "widths_forgotten",
        "The ratio `mult` between widths is an option that nothing uses.",
        ("response", "closed_form"),
        "widths",
        resampled(_widths_forgotten),
    ),
    BrokenLayer(
        "half_pixel_shift",
        "A support with an even number of pixels, averaged back onto an odd grid.",
        ("response",),
        "shift",
        changed(lambda f: (f + f.roll(1, dims=-1)) / 2),
    ),
    BrokenLayer(
        "one_support",
        "All scales sampled on the smallest scale's grid.",
        ("scale_equivariance", "response"),
        "support",
        resampled(lambda basis, i, _: sampled_filters(basis, i, min(basis.supports))),
    ),
    BrokenLayer(
        "kernels_interpolated",
        "Filters of the larger scales made from the smallest ones by resizing, not by sampling.",
        ("scale_equivariance", "response"),
        "resized",
        resampled(_interpolated),
    ),
    BrokenLayer(
        "float16_basis",
        "The basis cached on disk in float16 to save space.",
        ("response", "closed_form"),
        "digits",
        changed(lambda f: f.half().double()),
    ),
    BrokenLayer(
        "float32_basis_widened",
        "`layer.double()` widens a float32 buffer, whose digits are gone by then.",
        ("response", "closed_form"),
        "digits",
        changed(lambda f: f.float().double()),
    ),
)
