"""What the documented filters would become by each cause.

Each function yields sentences with the kernels that the mistake would give, some of them fitted to
the measured kernels by a few numbers, which the sentence then tells.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.polynomial.hermite import hermval
from numpy.polynomial.hermite_e import hermeval

from verification.checks.diagnosis import fits
from verification.checks.diagnosis.alike import TURNS, other_orders
from verification.checks.diagnosis.filters import Case, Reads
from verification.layer.probe import known_filters
from verification.reference.analytic import FloatArray
from verification.reference.continuum import HermiteAtom, is_hermite

Explanation = tuple[str, str, FloatArray]
"""A cause of the catalogue, a sentence, and the kernels that it would give."""
_MOST_SCALES = 4


def another_geometry(case: Case) -> Iterator[Explanation]:
    """The filters turned or mirrored."""
    for words, (cause, turn) in TURNS.items():
        yield cause, f"filters: {words}", turn(case.documented)


def another_order_of_scales(case: Case) -> Iterator[Explanation]:
    """Filters or outputs of other scales."""
    for order in other_orders(case.scales, _MOST_SCALES):
        yield (
            "order",
            f"scales in another order: outputs in place of those of scales {order}",
            case.documented[:, :, :, list(order)],
        )
        # Each on the support of the scale that it stands in for, if that is smaller.
        functions = [fits.masked(case, case.functions[j], i) for i, j in enumerate(order)]
        says = f"scales in another order: filters of scales {order}"
        yield "order", says, case.assemble(functions)


def another_input_scale(case: Case) -> Iterator[Explanation]:
    """Other input scales than i … i + K_S − 1, or their filters."""
    extent, count = case.target.scale_extent, case.scales
    if case.target.lifts or extent == 1:
        return
    readings: dict[str, Reads] = {
        "the scale axis wraps around: above the largest scale comes the smallest": (
            lambda scale, step: (scale + step) % count
        ),
        "the scale axis is padded at its fine end: finer scales are read in place of coarser": (
            lambda scale, step: scale - step if scale >= step else None
        ),
        "the scale axis is padded at its fine end: the window of input scales ends at its own": (
            lambda scale, step: scale + step - extent + 1 if scale + step >= extent - 1 else None
        ),
        "the neighbours on the scale axis are taken in reverse": (
            lambda scale, step: case.reads(scale, extent - 1 - step)
        ),
        "the scale axis is padded by repeating its largest scale": (
            lambda scale, step: min(scale + step, count - 1)
        ),
        "neighbours on the scale axis are left out: each scale sees itself alone": (
            lambda scale, step: None if step else scale
        ),
        "each scale is read from the next coarser one": (
            lambda scale, step: scale + step + 1 if scale + step + 1 < count else None
        ),
    }
    for sentence, reads in readings.items():
        yield "neighbours", sentence, case.assemble(case.functions, reads)

    def of_input(scale: int, step: int) -> FloatArray:
        return case.functions[min(scale + step, count - 1)]

    says = "filters of the input scale in place of the output scale"
    yield "neighbours", says, case.assemble(of_input)


def another_gain(case: Case) -> Iterator[Explanation]:
    """The right filters, some of them too strong or too weak."""
    gains = np.array([fits.gain(case, scale) for scale in range(case.scales)])
    if not np.isfinite(gains).all() or not gains.all():
        return
    kernels = case.documented * gains[:, None, None]
    sigmas = np.array(case.target.scales)
    if case.scales > 1 and (gains / gains[0] > 0).all():
        powers = np.log(gains[1:] / gains[0]) / np.log(sigmas[1:] / sigmas[0])
        if np.ptp(powers) < 1e-6 and abs(powers[0]) > 1e-6:
            says = f"σ to the power {_rounded(powers[0] - 2)} in place of −2"
            yield "amplitude", says, kernels
    each = ", ".join(f"{gain:.4g}" for gain in gains)
    if np.ptp(gains) < 1e-6 * abs(gains[0]):
        yield "gain", f"all answers are {gains[0]:.6g} times as large", kernels
    else:
        yield "amplitude", f"scales have gains of their own: {each}", kernels
    norms = [np.sqrt((f**2).sum(axis=(-1, -2), keepdims=True)) for f in case.functions]
    normalised = [f / norm for f, norm in zip(case.functions, norms, strict=True)]
    yield "normalised", "each scale normalised by itself", case.assemble(normalised)


def another_function(case: Case) -> Iterator[Explanation]:
    """Other polynomials, other widths, another order of the functions."""
    order = fits.order_of_functions(case)
    reordered = [case.coefficients[..., order]] * case.scales
    yield (
        "functions",
        "basis functions in another order than the coefficients",
        case.assemble(case.functions, coefficients=reordered),
    )
    if not is_hermite(known_filters(case.target).basis):
        return
    sampled: dict[str, tuple[str, Any, Callable[[HermiteAtom], float]]] = {
        "relative widths forgotten: all functions as wide as σ": (
            "widths",
            hermeval,
            lambda atom: 1.0,
        ),
        "physicists' Hermite polynomials in place of the probabilists'": (
            "polynomials",
            hermval,
            lambda atom: atom.relative_width,
        ),
    }
    for sentence, (cause, polynomial, width) in sampled.items():
        functions = [fits.evaluated(case, scale, polynomial, width) for scale in range(case.scales)]
        norms = np.sqrt((functions[0] ** 2).sum(axis=(-1, -2)))[:, None, None]
        yield cause, sentence, case.assemble(functions)
        yield cause, sentence, case.assemble([f / norms for f in functions])


def another_width(case: Case) -> Iterator[Explanation]:
    """Filters of another σ, or copies of one scale's that were resized as images."""
    says = "filters of the smallest scale resized as images"
    yield "resized", says, case.assemble(fits.resized(case))
    functions, each = [], []
    for scale, sigma in enumerate(case.target.scales):
        factor, made = fits.stretched(case, scale)
        functions.append(made)
        if abs(factor - 1) > 1e-4:
            each.append(f"scale {scale} is of σ = {sigma * factor:.4g} in place of {sigma:.4g}")
    yield "ratio", "; ".join(each) or "other widths", case.assemble(functions)


def another_place(case: Case) -> Iterator[Explanation]:
    """Filters moved by up to a pixel, or averaged with their neighbours."""
    kernels, each = np.zeros_like(case.documented), []
    steps = list(itertools.product((-1, 0, 1), repeat=2))
    for scale in range(case.scales):
        moved = np.stack([np.roll(case.documented[:, :, :, scale], s, (-2, -1)) for s in steps])
        flat = moved.reshape(len(steps), -1)
        wanted = case.measured.kernels[:, :, :, scale].ravel()
        weights = np.linalg.lstsq(flat.T, wanted, rcond=None)[0]
        kernels[:, :, :, scale] = np.tensordot(weights, moved, 1)
        by = weights @ np.array(steps) / (weights.sum() or 1.0)
        if np.abs(by).max() > 0.005:
            rows, columns = map(_rounded, by)
            each.append(f"filters of scale {scale} moved by ({rows}, {columns}) pixels")
    yield "shift", "; ".join(each) or "filters averaged over neighbouring pixels", kernels


def another_support(case: Case) -> Iterator[Explanation]:
    """Right values on fewer or more pixels, or on every second one."""
    supports = known_filters(case.target).basis.supports
    functions, each = [], []
    for scale in range(case.scales):
        side = fits.extent(case.measured.kernels[:, :, :, scale])
        functions.append(fits.cut_to(case, scale, side))
        if side != supports[scale]:
            each.append(f"scale {scale} has a support of {side} pixels, not {supports[scale]}")
    yield "support", "; ".join(each) or "other supports", case.assemble(functions)
    apart = np.abs(np.arange(case.target.window) - case.target.window // 2) % 2 == 0
    mask = np.logical_and.outer(apart, apart)
    yield (
        "subsampled",
        "every second pixel alone is read: pixels are dropped before the filters",
        (case.measured.kernels * mask),
    )


def other_coefficients(case: Case) -> Iterator[Explanation]:
    """The right functions, combined otherwise."""
    fitted = [case.fitted(scale, functions) for scale, functions in enumerate(case.functions)]
    kernels = case.assemble(case.functions, coefficients=fitted)
    shared = case.assemble(case.functions, coefficients=[fitted[0]] * case.scales)
    wrong = [scale for scale in range(case.scales) if _differs(kernels, case.documented, scale)]
    same = [not _differs(kernels, shared, scale) for scale in range(case.scales)]
    if all(same):
        says = "coefficients other than the layer's weights, the same at all scales"
        yield "functions", says, kernels
    else:
        each = ", ".join(map(str, wrong))
        yield (
            "unshared",
            f"coefficients not shared over scales: scales {each} have their own",
            kernels,
        )


def _rounded(number: float) -> str:
    """A fitted number in two decimals, 0 without a sign."""
    return f"{round(float(number), 2) + 0.0:g}"


def _differs(kernels: FloatArray, others: FloatArray, scale: int) -> bool:
    found, wanted = kernels[:, :, :, scale], others[:, :, :, scale]
    return not np.allclose(found, wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())


ALTERATIONS: tuple[Callable[[Case], Iterator[Explanation]], ...] = (
    another_geometry,
    another_order_of_scales,
    another_input_scale,
    another_gain,
    another_function,
    another_place,
    another_support,
    another_width,
    other_coefficients,
)
"""From what needs no fitting to what fits many numbers."""
