"""What copies of filters would become by each cause: one fit for each.

Each cause is one way in which `found` may differ from `wanted`, what a copy would be: up
to a factor, of another ratio, off centre, turned over, in another order. Each is fitted by itself,
in closed form or along one line, and reported with the share of the difference it explains.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from verification.checks.diagnosis.alike import TURNS, other_orders
from verification.checks.diagnosis.causes import Cause
from verification.checks.diagnosis.copies import Copy
from verification.checks.diagnosis.pairs import (
    Pair,
    best_scaled,
    difference,
    explained,
    gain,
    pairs_of,
    scaled,
)
from verification.layer.reading import ReadFilters
from verification.reference.analytic import FloatArray

_NEAR = 0.05
"""How near a fitted exponent must be to a fraction for the fraction to be named."""
_NAMED_POWERS = (0.5, 2.0, 1 / 3, 2 / 3, 1.5, 3.0)
_RESOLVED = 0.01
"""A ratio whose exponent is nearer than this to the claimed one is that one."""
_MOST_SCALES = 5
_LEFT = 0.1
"""Share of what a factor alone leaves over that filters which are turned as well may leave."""
_SAME = 1e-9
"""Of the largest tap: turned filters that differ by less have this symmetry."""
_MOST_SHIFT = 1.5
"""In pixels: filters that are farther off centre are no copies."""


def amplitude(pairs: Sequence[Pair]) -> Iterator[Cause]:
    """Found = s^k·wanted with one k for all scales, or a gain for each scale.

    Both are least squares beyond the spline's doubt; the power is preferred where it does as well.
    """
    copies = [pair.copied() for pair in pairs]

    def with_power(k: float) -> float:
        return explained(
            pairs, lambda n: scaled(copies[n], pairs[n].ratio ** k), [c.doubt for c in copies]
        )

    fit = minimize_scalar(lambda k: -with_power(k), bounds=(-4, 4), method="bounded")
    whole = round(2 * float(fit.x)) / 2
    power = whole if with_power(whole) > with_power(float(fit.x)) - _NEAR else float(fit.x)
    share = with_power(power) if power else 0.0
    says = (
        f"amplitude: responses agree up to s^{-power:.3g} for a ratio s of scales, that is, "
        f"filters go with σ^{-2 - power:.3g} in place of σ^-2"
    )
    yield Cause("amplitude", says, share)
    fits = [gain(pair, copy) for pair, copy in zip(pairs, copies, strict=True)]
    own = explained(pairs, lambda n: scaled(copies[n], fits[n]), [c.doubt for c in copies])
    if min(fits) < 0 and max(abs(abs(a) - 1) for a in fits) < _NEAR:
        return  # of opposite sign: see `orientation`
    if own > share + _NEAR:
        gains = ", ".join(f"{a:.3g}" for a in fits)
        what = "neighbouring scales agree" if share or len(pairs) == 1 else "scales agree"
        says = (
            f"amplitude: {what} up to factors of {gains}: each scale is normalised by itself, or "
            "has a gain of its own"
        )
        yield Cause("amplitude", says, own)


def ratio(pairs: Sequence[Pair]) -> Iterator[Cause]:
    """Found is a copy by another ratio, up to a factor: one line search for each pair.

    Near the claimed ratio a factor would explain as much, so there is none.
    """
    if not any(pair.resolved for pair in pairs):
        return  # single pixels are of every width
    fits = [best_ratio(pair) for pair in pairs]
    powers = [math.log(r) / math.log(p.ratio) for r, p in zip(fits, pairs, strict=True)]
    near = max(abs(power - 1) for power in powers) < 2 * _NEAR
    if near and max(abs(power - 1) for power in powers) < _RESOLVED:
        return

    def fitted(n: int) -> Copy:
        copy = pairs[n].copied(fits[n])
        return copy if near else best_scaled(pairs[n], copy)

    share = explained(pairs, fitted, [pair.copied().doubt for pair in pairs] if near else None)
    claimed = ", ".join(f"{pair.ratio:.3g}" for pair in pairs)
    best = ", ".join(f"{r:.3g}" for r in fits)
    cause, says = "ratio", f"ratio: the ratio that fits best is {best}, given is {claimed}"
    common = float(np.median(powers))
    if not near and max(abs(power - common) for power in powers) < 2 * _NEAR:
        if abs(common) < _NEAR:
            cause, says = "one_kernel", f"one kernel for all scales: {says}"
        elif abs(common + 1) < _NEAR:
            cause, says = "order", f"scales reversed: {says}"
        else:
            named = [k for k in _NAMED_POWERS if abs(common - k) < _NEAR]
            says += f", its power {named[0]:.3g}" if named else ""
    yield Cause(cause, says, share)


def best_ratio(pair: Pair, widest: float = 4.0) -> float:
    """The ratio, from 1/widest to widest, by which the coarse filters explain the fine ones best.

    Up to a factor: the largest normalised correlation over the pixels that both reach.
    """

    def misfit(ratio: float) -> float:
        copy = pair.copied(ratio)
        return -_correlation(pair.found * copy.common, copy.wanted, pair.found)

    return ratio_of_least(misfit, widest, tried=57)


def ratio_of_least(misfit: Callable[[float], float], widest: float, tried: int) -> float:
    """Where a misfit is least from 1/widest to widest: the best of the ratios tried, refined."""
    span = math.log(widest)
    grid = np.linspace(-span, span, tried)
    start = grid[int(np.argmin([misfit(math.exp(x)) for x in grid]))]
    step = grid[1] - grid[0]
    least = minimize_scalar(
        lambda x: misfit(math.exp(x)), bounds=(start - step, start + step), method="bounded"
    )
    return float(math.exp(least.x))


def _correlation(found: FloatArray, wanted: FloatArray, whole: FloatArray) -> float:
    """⟨found, wanted⟩/(‖whole‖‖wanted‖): what a ratio leaves out of sight counts against it."""
    size = math.sqrt(float((whole**2).sum()) * float((wanted**2).sum()))
    return float((found * wanted).sum()) / size if size else 0.0


def shift(pairs: Sequence[Pair]) -> Iterator[Cause]:
    """Found is a copy of filters that are off centre by a part of a pixel."""
    if pairs[0].found.ndim != 4 or not any(pair.resolved for pair in pairs):
        return  # one or three axes of space, or single pixels
    fits = [_best_shift(pair) for pair in pairs]
    if np.abs(fits).max() > _MOST_SHIFT:
        return
    share = explained(pairs, lambda n: pairs[n].copied(shift=fits[n]))
    each = "; ".join(f"({row:.2f}, {column:.2f})" for row, column in fits)
    # Centred δ off its pixel at every scale, a filter is δ·(s − 1) off its copy.
    says = f"shift: the coarser of two scales is off centre by {each} pixels (rows, columns)"
    alike = np.array([np.divide(fit, p.ratio - 1) for fit, p in zip(fits, pairs, strict=True)])
    if np.ptp(alike, axis=0).max() < 2 * _NEAR:
        row, column = alike.mean(axis=0)
        says += f", as if all filters were ({row:.2f}, {column:.2f}) pixels off the one they answer"
    yield Cause("shift", f"{says}: an even support, or padding that is off by one", share)


def _best_shift(pair: Pair) -> tuple[float, float]:
    def misfit(at: np.ndarray) -> float:
        copy = pair.copied(shift=(float(at[0]), float(at[1])))
        return float((((pair.found - copy.wanted) * copy.common) ** 2).sum()) + float(
            ((pair.found * ~copy.common) ** 2).sum()
        )

    grid = np.linspace(-_MOST_SHIFT, _MOST_SHIFT, 7)
    start = min(((r, c) for r in grid for c in grid), key=lambda at: misfit(np.array(at)))
    found = minimize(misfit, np.array(start), method="Nelder-Mead", options={"xatol": 1e-3})
    return float(found.x[0]), float(found.x[1])


def orientation(pairs: Sequence[Pair]) -> Iterator[Cause]:
    """Found is a copy, turned over or around, at some scale, up to a positive factor."""
    if pairs[0].found.ndim != 4:  # one or three axes of space
        return
    worst = max(pairs, key=difference)
    left = 1 - explained([worst], lambda _: best_scaled(worst, worst.copied()))
    turns = {**TURNS, "of opposite sign": ("sign", lambda g: -g)}
    for words, (cause, turn) in turns.items():
        turned = np.ascontiguousarray(turn(worst.source))
        if np.allclose(turned, worst.source, rtol=0, atol=_SAME * np.abs(turned).max()):
            continue
        copy = worst.copied(source=turned)
        with_gain = scaled(copy, max(0.0, gain(worst, copy)))
        if 1 - explained([worst], lambda _, c=with_gain: c) < _LEFT * left:  # type: ignore[misc]
            copy = with_gain
        says = f"orientation: scales {worst.fine} and {worst.coarse} are {words} to each other"
        yield Cause(cause, says, explained([worst], lambda _, c=copy: c))  # type: ignore[misc]


def order_of_scales(filters: ReadFilters, scales: Sequence[float]) -> Iterator[Cause]:
    """The filters are copies when they are taken in another order."""
    count = len(scales)
    if count < 2:
        return

    def misfit(order: Sequence[int]) -> float:
        chosen = ReadFilters(filters.taps[list(order)], filters.bias, 0.0, True, filters.precision)
        pairs = pairs_of(chosen, scales, list(pairwise(range(count))))
        return sum(map(difference, pairs))

    whole = misfit(range(count))
    for order in other_orders(count, _MOST_SCALES):
        if whole > 0:
            share = 1 - misfit(order) / whole
            name = (
                "scales reversed"
                if order == tuple(range(count))[::-1]
                else "scales in another order"
            )
            says = f"{name}: taken as {', '.join(map(str, order))} the outputs are copies"
            yield Cause("order", says, share)


def axes_confused(filters: ReadFilters, scales: Sequence[float]) -> Iterator[Cause]:
    """The filters are copies when channels and scales are taken for each other."""
    count, channels = filters.taps.shape[:2]
    if min(count, channels) < 2:
        return
    # [S, C, …] -> [C·S, …] as the layer numbers its outputs, read as [S, C] in place of [C, S].
    numbered = filters.taps.swapaxes(0, 1).reshape(count * channels, *filters.taps.shape[2:])
    other = numbered.reshape(count, channels, *filters.taps.shape[2:])
    chosen = ReadFilters(other, filters.bias, 0.0, True, filters.precision)
    indices = list(pairwise(range(count)))
    as_given, swapped = (
        sum(map(difference, pairs_of(each, scales, indices))) for each in (filters, chosen)
    )
    if as_given > 0:
        says = (
            "axes: the scale axis is where channels were declared: outputs are copies when they "
            "are numbered scale by scale, so a reshape is missing its permute"
        )
        yield Cause("axes", says, 1 - swapped / as_given)
