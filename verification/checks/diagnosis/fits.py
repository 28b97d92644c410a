"""Numbers and orders that bring the documented filters closest to the measured ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment, minimize_scalar

from verification.checks.diagnosis.alike import best_factor
from verification.checks.diagnosis.filters import Case
from verification.layer.probe import known_filters
from verification.reference.analytic import FloatArray
from verification.reference.continuum import HermiteAtom, sampled_filters
from verification.reference.errors import equivariance_error

_WIDTHS = np.geomspace(0.4, 2.5, 29)
"""Factors on σ among which another width is looked for."""
Polynomial = Callable[[FloatArray, list[float]], Any]


def gain(case: Case, scale: int) -> float:
    """The factor on the documented filters of a scale."""
    measured, wanted = (k[:, :, :, scale].ravel() for k in (case.measured.kernels, case.documented))
    return best_factor(measured, wanted)


def evaluated(
    case: Case, scale: int, polynomial: Polynomial, width: Callable[[HermiteAtom], float]
) -> FloatArray:
    """Functions with other polynomials or widths, by the documented divisors: [N_b, w, w]."""
    basis = known_filters(case.target).basis
    pixels = np.arange(basis.supports[scale], dtype=np.float64) - basis.supports[scale] // 2
    functions = []
    for atom, norm in zip(basis.atoms, basis.norms, strict=True):
        sigma = case.target.scales[scale] * width(atom)
        rows, columns = (
            polynomial(pixels / sigma, [0.0] * order + [1.0]) * np.exp(-((pixels / sigma) ** 2) / 2)
            for order in (atom.row_order, atom.column_order)
        )
        functions.append(np.outer(rows, columns) / sigma**2 / norm)
    return case.framed(np.stack(functions))


def order_of_functions(case: Case) -> list[int]:
    """Which function each coefficient was found to belong to, read off the largest scale."""
    functions = case.functions[-1]
    scale = case.scales - 1 if case.target.lifts else case.scales - case.target.scale_extent
    found = case.fitted(scale, case.functions[scale]).reshape(-1, len(functions))
    wanted = case.coefficients.reshape(-1, len(functions))
    distance = ((found[:, :, None] - wanted[:, None, :]) ** 2).sum(axis=0)
    return [int(index) for index in linear_sum_assignment(distance)[1]]


def stretched(case: Case, scale: int) -> tuple[float, FloatArray]:
    """The factor on σ that explains a scale best, and its functions."""

    def error(factor: float) -> float:
        kernels = case.assemble([case.sampled(scale, factor)] * case.scales)
        return equivariance_error(case.measured.kernels[:, :, :, scale], kernels[:, :, :, scale])

    start = min(_WIDTHS, key=error)
    step = _WIDTHS[1] / _WIDTHS[0]
    found = minimize_scalar(
        error, bounds=(start / step, start * step), method="bounded", options={"xatol": 1e-9}
    )
    factor = min((1.0, float(found.x)), key=error)
    return factor, case.sampled(scale, factor)


def resized(case: Case) -> list[FloatArray]:
    """The functions of the smallest scale, resized as images to every other support."""
    supports = known_filters(case.target).basis.supports
    margin = (case.target.window - supports[0]) // 2
    inside = slice(margin, margin + supports[0])
    smallest = torch.from_numpy(case.functions[0][:, inside, inside].copy())[None]
    return [
        case.framed(
            F.interpolate(smallest, size=(side, side), mode="bilinear")[0].numpy()
            * (supports[0] / side) ** 2
        )
        for side in supports
    ]


def extent(kernels: FloatArray) -> int:
    """Side of the smallest centred square outside which kernels [..., w, w] are zero."""
    middle = kernels.shape[-1] // 2
    largest = np.abs(kernels).reshape(-1, *kernels.shape[-2:]).max(axis=0)
    rows, columns = np.nonzero(largest > 1e-14 * largest.max())
    return 2 * int(max(np.abs(rows - middle).max(), np.abs(columns - middle).max())) + 1


def cut_to(case: Case, scale: int, side: int) -> FloatArray:
    """The documented functions of a scale on another support, in pixels."""
    return case.framed(sampled_filters(known_filters(case.target).basis, scale, side))


def masked(case: Case, functions: FloatArray, scale: int) -> FloatArray:
    """Functions [N_b, w, w] cut to the documented support of a scale."""
    side = known_filters(case.target).basis.supports[scale]
    return np.asarray(functions * case.framed(np.ones((side, side))))
