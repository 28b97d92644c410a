"""What may be wrong with filters that are no copies: one fit for each kind of mistake.

Each *suspicion* is one way in which `found` may differ from `wanted`, what a copy would be: up to a
factor, of another ratio, off centre, turned over, in another order. Each is fitted by
itself, in closed form or along one line, and told with the share of the difference it explains.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from verification.diagnosis.alike import TURNS, Turn, other_orders
from verification.diagnosis.pairs import (
    Pair,
    best_scaled,
    difference,
    explained,
    gain,
    pairs_of,
    scaled,
)
from verification.layer.reading import ReadFilters
from verification.signals.analytic import FloatArray

_NEAR = 0.05
"""How near a fitted exponent must be to a fraction for the fraction to be named."""
_NAMED_POWERS = (0.5, 2.0, 1 / 3, 2 / 3, 1.5, 3.0)
_MOST_SCALES = 5


@dataclass(frozen=True)
class Suspicion:
    """A mistake that would explain a difference: what it is called, and how much it explains.

    share: from 0 to 1. says: the sentence.
    """

    cause: str
    says: str
    share: float

    def __str__(self) -> str:
        return f"{self.says} (explains {100 * self.share:.0f} % of the difference)"


def amplitude(pairs: Sequence[Pair]) -> Iterator[Suspicion]:
    """Found = s^k·wanted with one k for all scales, or a gain for each scale.

    Both are least squares beyond the spline's doubt; the power is preferred where it does as well.
    """
    copies = [pair.copied() for pair in pairs]

    def with_power(k: float) -> float:
        return explained(
            pairs, lambda n: scaled(copies[n], pairs[n].ratio ** k), [c.doubt for c in copies]
        )

    share = 0.0
    if all(pair.ratio != 1 for pair in pairs):
        fit = minimize_scalar(lambda k: -with_power(k), bounds=(-4, 4), method="bounded")
        whole = round(2 * float(fit.x)) / 2
        power = whole if with_power(whole) > with_power(float(fit.x)) - _NEAR else float(fit.x)
        share = with_power(power) if power else 0.0
        says = (
            f"amplitude: responses agree up to s^{-power:.3g} for a ratio s of scales, that is, "
            f"filters go with σ^{-2 - power:.3g} in place of σ^-2"
        )
        yield Suspicion("amplitude", says, share)
    fits = [gain(pair, copy) for pair, copy in zip(pairs, copies, strict=True)]
    own = explained(pairs, lambda n: scaled(copies[n], fits[n]), [c.doubt for c in copies])
    if own > share + _NEAR:
        gains = ", ".join(f"{a:.3g}" for a in fits)
        what = "neighbouring scales agree" if share or len(pairs) == 1 else "scales agree"
        says = (
            f"amplitude: {what} up to factors of {gains}: each scale is normalised by itself, or "
            "has a gain of its own"
        )
        yield Suspicion("amplitude", says, own)


def ratio(pairs: Sequence[Pair]) -> Iterator[Suspicion]:
    """Found is a copy by another ratio, up to a factor: one line search for each pair."""
    fits = [best_ratio(pair) for pair in pairs]
    share = explained(pairs, lambda n: best_scaled(pairs[n], pairs[n].copied(fits[n])))
    said = ", ".join(f"{pair.ratio:.3g}" for pair in pairs)
    best = ", ".join(f"{r:.3g}" for r in fits)
    says = f"ratio: the ratio that fits best is {best}, you said {said}"
    powers = [math.log(r) / math.log(p.ratio) for r, p in zip(fits, pairs, strict=True)]
    if max(abs(power - 1) for power in powers) < 2 * _NEAR:
        return  # the claimed ratio: what is left is a factor
    common = float(np.median(powers))
    if max(abs(power - common) for power in powers) < 2 * _NEAR:
        if abs(common) < _NEAR:
            says = f"one kernel for all scales: {says}"
        elif abs(common + 1) < _NEAR:
            says = f"scales reversed: {says}"
        else:
            named = [k for k in _NAMED_POWERS if abs(common - k) < _NEAR]
            says += f", its power {named[0]:.3g}" if named else ""
    yield Suspicion("ratio", says, share)


def best_ratio(pair: Pair, widest: float = 4.0, within: NDArray[np.bool_] | None = None) -> float:
    """The ratio, from 1/widest to widest, by which the coarse filters explain the fine ones best.

    Up to a factor: the largest normalised correlation over the pixels that both reach, and of
    those over the ones `within` (by default all).
    """
    found = pair.found if within is None else pair.found * within

    def misfit(ratio: float) -> float:
        copy = pair.copied(ratio)
        wanted = copy.wanted if within is None else copy.wanted * within
        return -_correlation(found * copy.common, wanted, found)

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


def shift(pairs: Sequence[Pair]) -> Iterator[Suspicion]:
    """Found is a copy of filters that are off centre by a part of a pixel."""
    fits = [_best_shift(pair) for pair in pairs]
    share = explained(pairs, lambda n: pairs[n].copied(shift=fits[n]))
    told = "; ".join(f"({row:.2f}, {column:.2f})" for row, column in fits)
    # Centred δ off its pixel at every scale, a filter is δ·(s − 1) off its copy.
    says = f"shift: the coarser of two scales is off centre by {told} pixels (rows, columns)"
    if any(p.ratio == 1 for p in pairs):
        says = f"shift: the filters are off centre by {told} pixels (rows, columns)"
        yield Suspicion("shift", f"{says}: an even support, or padding that is off by one", share)
        return
    alike = np.array([np.divide(fit, p.ratio - 1) for fit, p in zip(fits, pairs, strict=True)])
    if np.ptp(alike, axis=0).max() < 2 * _NEAR:
        row, column = alike.mean(axis=0)
        says += f", as if all filters were ({row:.2f}, {column:.2f}) pixels off the one they answer"
    yield Suspicion("shift", f"{says}: an even support, or padding that is off by one", share)


def _best_shift(pair: Pair, most: float = 1.5) -> tuple[float, float]:
    def misfit(at: np.ndarray) -> float:
        copy = pair.copied(shift=(float(at[0]), float(at[1])))
        return float((((pair.found - copy.wanted) * copy.common) ** 2).sum()) + float(
            ((pair.found * ~copy.common) ** 2).sum()
        )

    grid = np.linspace(-most, most, 7)
    start = min(((r, c) for r in grid for c in grid), key=lambda at: misfit(np.array(at)))
    found = minimize(misfit, np.array(start), method="Nelder-Mead", options={"xatol": 1e-3})
    return float(found.x[0]), float(found.x[1])


def orientation(pairs: Sequence[Pair]) -> Iterator[Suspicion]:
    """Found is a copy, turned over or around, at some scale."""
    worst = max(pairs, key=difference)
    turns: dict[str, Turn] = {**TURNS, "of opposite sign": lambda g: -g}
    for words, turn in turns.items():
        copy = worst.copied(source=np.ascontiguousarray(turn(worst.source)))
        says = f"orientation: scales {worst.fine} and {worst.coarse} are {words} to each other"
        if worst.fine == worst.coarse:
            says = f"orientation: the filters are {words} against their documentation"
        yield Suspicion("orientation", says, explained([worst], lambda _, c=copy: c))  # type: ignore[misc]


def order_of_scales(filters: ReadFilters, scales: Sequence[float]) -> Iterator[Suspicion]:
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
            yield Suspicion("order", says, share)


def axes_confused(filters: ReadFilters, scales: Sequence[float]) -> Iterator[Suspicion]:
    """The filters are copies when channels and scales are told apart in the other way."""
    count, channels = filters.taps.shape[:2]
    if min(count, channels) < 2:
        return
    # [S, C, …] -> [C·S, …] as the layer numbers its outputs, read as [S, C] in place of [C, S].
    numbered = filters.taps.swapaxes(0, 1).reshape(count * channels, *filters.taps.shape[2:])
    other = numbered.reshape(count, channels, *filters.taps.shape[2:])
    chosen = ReadFilters(other, filters.bias, 0.0, True, filters.precision)
    indices = list(pairwise(range(count)))
    as_said, swapped = (
        sum(map(difference, pairs_of(each, scales, indices))) for each in (filters, chosen)
    )
    if as_said > 0:
        says = (
            "axes: the scale axis is where you said channels are: outputs are copies when they are "
            "numbered scale by scale, so a reshape is missing its permute"
        )
        yield Suspicion("axes", says, 1 - swapped / as_said)
