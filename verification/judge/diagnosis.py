"""What is wrong with filters that are no copies: the mistake that explains most of it.

Each *suspicion* is one way in which `found` may differ from `wanted`, what a copy would be: up to a
factor, of another ratio, off centre, turned over, in another order. Each is fitted by
itself, in closed form or along one line, and told with the share of the difference it explains:

    share = 1 − ‖found − fitted‖² / ‖found − wanted‖².

A fit that leaves no more than a spline's single doubt explains all. Of suspicions that explain as
much the simplest comes first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from verification.judge.copies import Copy, copy_of
from verification.judge.reading import ReadFilters
from verification.signals import FloatArray
from verification.tolerances import DOUBT

ENOUGH = 0.5
"""A suspicion that explains less than half of the difference is none."""
_CLOSE = 0.1
"""A second suspicion is told if it explains almost as much as the first."""
_NEAR = 0.05
"""How near a fitted exponent must be to a fraction for the fraction to be named."""
_NAMED_POWERS = (0.5, 2.0, 1 / 3, 2 / 3, 1.5, 3.0)
_MOST_SCALES = 5


@dataclass(frozen=True)
class Pair:
    """Two scales that should be copies: their filters [C_out, I, W, W], reaches and claimed ratio.

    fine, coarse: indices of the scales.
    """

    fine: int
    coarse: int
    found: FloatArray
    source: FloatArray
    reaches: tuple[int, int]
    ratio: float

    def exceeds(self, precision: float) -> bool:
        """Whether the filters differ by more than the doubt of interpolation and rounding."""
        copy = self.copied()
        allowed = math.sqrt(copy.bound(self.found)) + precision
        return math.sqrt(copy.error(self.found)) > allowed

    def copied(
        self,
        ratio: float | None = None,
        shift: tuple[float, float] = (0.0, 0.0),
        source: FloatArray | None = None,
    ) -> Copy:
        """What a copy would be; by default by the claimed ratio, centred."""
        return copy_of(
            self.source if source is None else source,
            self.reaches[1],
            self.ratio if ratio is None else ratio,
            shift,
            self.reaches[0],
        )


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


def pairs_of(
    filters: ReadFilters, scales: Sequence[float], indices: Sequence[tuple[int, int]]
) -> list[Pair]:
    """The pairs (fine, coarse) of a layer whose filters were read."""
    reaches = filters.reaches
    return [
        Pair(
            i, j, filters.taps[i], filters.taps[j], (reaches[i], reaches[j]), scales[j] / scales[i]
        )
        for i, j in indices
    ]


def diagnose(filters: ReadFilters, scales: Sequence[float], pairs: Sequence[Pair]) -> list[str]:
    """Sentences on why the pairs are no copies, the likeliest cause first; at least one."""
    supports = support(filters, scales)
    if not any(pair.exceeds(filters.precision) for pair in pairs):
        return [supports] if supports else [s.says for s in ratio(pairs)]
    suspicions = list(amplitude(pairs))
    suspicions += [*order_of_scales(filters, scales), *orientation(pairs)]
    suspicions += [*axes_confused(filters, scales), *shift(pairs), *ratio(pairs)]
    told = _told(suspicions)
    if not supports:
        return told or [_none_fits(pairs, suspicions)]
    # Scales out of order have supports out of proportion, not the other way round.
    explained = max((s.share for s in suspicions), default=0.0) > 1 - _CLOSE
    return [*told, supports] if explained else [supports, *told]


def diagnose_against(found: ReadFilters, documented: ReadFilters) -> list[str]:
    """Sentences on how filters differ from their documentation, scale by scale; may be none."""
    reaches = [max(both) for both in zip(found.reaches, documented.reaches, strict=True)]
    pairs = [
        Pair(i, i, found.taps[i], documented.taps[i], (reaches[i], reaches[i]), 1.0)
        for i in range(len(reaches))
    ]
    return _told([*orientation(pairs), *amplitude(pairs), *shift(pairs)])


def _told(suspicions: Sequence[Suspicion]) -> list[str]:
    """The two that explain most, to two hundredths; of equals the simpler, listed first."""
    found = [s for s in suspicions if s.share >= ENOUGH]
    found.sort(key=lambda s: -round(50 * s.share))
    best: dict[str, Suspicion] = {}
    for suspicion in found:
        best.setdefault(suspicion.cause, suspicion)
    ranked = list(best.values())
    return [str(s) for s in ranked[:2] if s.share > ranked[0].share - _CLOSE]


def _none_fits(pairs: Sequence[Pair], found: Sequence[Suspicion]) -> str:
    worst = max(pairs, key=_difference)
    most = max(found, key=lambda s: s.share, default=None)
    best = "" if most is None else f"; the best, {most.cause}, explains {100 * most.share:.0f} %"
    return (
        f"the filters of scales {worst.fine} and {worst.coarse} differ in shape: no common factor, "
        f"ratio, shift, turn or order explains half of it{best}; look at how σ enters the filter: "
        "in every place, and unrounded"
    )


# --- Suspicions -----------------------------------------------------------------------------------


def amplitude(pairs: Sequence[Pair]) -> Iterator[Suspicion]:
    """Found = s^k·wanted with one k for all scales, or a gain for each scale.

    Both are least squares beyond the spline's doubt; the power is preferred where it does as well.
    """
    copies = [pair.copied() for pair in pairs]

    def with_power(k: float) -> float:
        return _explained(
            pairs, lambda n: _scaled(copies[n], pairs[n].ratio ** k), [c.doubt for c in copies]
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
    fits = [_gain(pair, copy) for pair, copy in zip(pairs, copies, strict=True)]
    own = _explained(pairs, lambda n: _scaled(copies[n], fits[n]), [c.doubt for c in copies])
    if own > share + _NEAR:
        gains = ", ".join(f"{a:.3g}" for a in fits)
        what = "neighbouring scales agree" if share or len(pairs) == 1 else "scales agree"
        says = (
            f"amplitude: {what} up to factors of {gains}: each scale is normalised by itself, or "
            "has a gain of its own"
        )
        yield Suspicion("amplitude", says, own)


def _gain(pair: Pair, copy: Copy) -> float:
    size = float((copy.wanted**2).sum())
    return float((pair.found * copy.common * copy.wanted).sum()) / size if size else 1.0


def ratio(pairs: Sequence[Pair]) -> Iterator[Suspicion]:
    """Found is a copy by another ratio, up to a factor: one line search for each pair."""
    fits = [best_ratio(pair) for pair in pairs]
    share = _explained(pairs, lambda n: _best_scaled(pairs[n], pairs[n].copied(fits[n])))
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


def best_ratio(pair: Pair, widest: float = 4.0) -> float:
    """The ratio, from 1/widest to widest, by which the coarse filters explain the fine ones best.

    Up to a factor: the largest normalised correlation over the pixels that both reach.
    """

    def misfit(log_ratio: float) -> float:
        copy = pair.copied(math.exp(log_ratio))
        return -_correlation(pair.found * copy.common, copy.wanted, pair.found)

    span = math.log(widest)
    grid = np.linspace(-span, span, 57)
    start = grid[int(np.argmin([misfit(x) for x in grid]))]
    step = grid[1] - grid[0]
    found = minimize_scalar(misfit, bounds=(start - step, start + step), method="bounded")
    return float(math.exp(found.x))


def _correlation(found: FloatArray, wanted: FloatArray, whole: FloatArray) -> float:
    """⟨found, wanted⟩/(‖whole‖‖wanted‖): what a ratio leaves out of sight counts against it."""
    size = math.sqrt(float((whole**2).sum()) * float((wanted**2).sum()))
    return float((found * wanted).sum()) / size if size else 0.0


def shift(pairs: Sequence[Pair]) -> Iterator[Suspicion]:
    """Found is a copy of filters that are off centre by a part of a pixel."""
    fits = [_best_shift(pair) for pair in pairs]
    share = _explained(pairs, lambda n: pairs[n].copied(shift=fits[n]))
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


_TURNS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "rows and columns exchanged": lambda g: g.swapaxes(-1, -2),
    "turned upside down": lambda g: g[..., ::-1, :],
    "turned left to right": lambda g: g[..., ::-1],
    "turned by 180°, a convolution for a correlation": lambda g: g[..., ::-1, ::-1],
    "turned by 90°": lambda g: np.rot90(g, axes=(-2, -1)),
    "turned by −90°": lambda g: np.rot90(g, -1, axes=(-2, -1)),
    "rows and columns exchanged along the other diagonal": (
        lambda g: g[..., ::-1, ::-1].swapaxes(-1, -2)
    ),
    "of opposite sign": lambda g: -g,
}


def orientation(pairs: Sequence[Pair]) -> Iterator[Suspicion]:
    """Found is a copy, turned over or around, at some scale."""
    worst = max(pairs, key=_difference)
    for words, turn in _TURNS.items():
        copy = worst.copied(source=np.ascontiguousarray(turn(worst.source)))
        says = f"orientation: scales {worst.fine} and {worst.coarse} are {words} to each other"
        if worst.fine == worst.coarse:
            says = f"orientation: the filters are {words} against their documentation"
        yield Suspicion("orientation", says, _explained([worst], lambda _, c=copy: c))  # type: ignore[misc]


def order_of_scales(filters: ReadFilters, scales: Sequence[float]) -> Iterator[Suspicion]:
    """The filters are copies when they are taken in another order."""
    count = len(scales)
    if not 2 <= count <= _MOST_SCALES:
        return
    straight = tuple(range(count))

    def misfit(order: Sequence[int]) -> float:
        chosen = ReadFilters(filters.taps[list(order)], filters.bias, 0.0, True, filters.precision)
        pairs = pairs_of(chosen, scales, list(pairwise(range(count))))
        return sum(map(_difference, pairs))

    whole = misfit(straight)
    for order in permutations(straight):
        if order != straight and whole > 0:
            share = 1 - misfit(order) / whole
            name = "scales reversed" if order == straight[::-1] else "scales in another order"
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
        sum(map(_difference, pairs_of(each, scales, indices))) for each in (filters, chosen)
    )
    if as_said > 0:
        says = (
            "axes: the scale axis is where you said channels are: outputs are copies when they are "
            "numbered scale by scale, so a reshape is missing its permute"
        )
        yield Suspicion("axes", says, 1 - swapped / as_said)


def support(filters: ReadFilters, scales: Sequence[float]) -> str:
    """A sentence on supports that are not in proportion to the scales; empty if they are.

    Two supports are in proportion if they differ by no more than the rounding to a whole pixel on
    the finer grid, or if what the wider has beyond the other weighs no more than its last ring.
    """
    reaches = filters.reaches
    out = out_of_proportion(filters, scales)
    if not out:
        return ""
    sides = ", ".join(str(2 * reach + 1) for reach in reaches)
    widths = ", ".join(f"{reach / scale:.2g}" for reach, scale in zip(reaches, scales, strict=True))
    return (
        f"support: the supports of {sides} pixels reach {widths} σ, not in proportion to the "
        "scales: one support for all scales, or sizes rounded too far"
    )


def out_of_proportion(filters: ReadFilters, scales: Sequence[float]) -> list[tuple[int, int]]:
    """The pairs of scales whose supports are not in proportion: see `support`."""
    pairs = [(i, j) for i in range(len(scales)) for j in range(i + 1, len(scales))]
    return [(i, j) for i, j in pairs if not _in_proportion(filters, scales[j] / scales[i], i, j)]


def _in_proportion(filters: ReadFilters, step: float, fine: int, coarse: int) -> bool:
    reaches = filters.reaches[fine], filters.reaches[coarse] / step  # in pixels of the fine scale
    if abs(reaches[0] - reaches[1]) <= 1:
        return True
    wider, pixel = (fine, 1.0) if reaches[0] > reaches[1] else (coarse, step)
    common = min(reaches) * pixel
    side = filters.taps.shape[-1]
    distance = np.abs(np.arange(side) - side // 2)
    farther = np.maximum.outer(distance, distance)
    energy = (filters.taps[wider] ** 2).sum(axis=(0, 1))
    beyond = float(energy[farther > common].sum())
    last = float(energy[(farther <= common) & (farther > common - pixel)].sum())
    return beyond <= last


# --- Shares ---------------------------------------------------------------------------------------


def _difference(pair: Pair) -> float:
    """Relative squared error of a pair beyond what the spline leaves open."""
    return _beyond(pair.copied(), pair)


def _beyond(copy: Copy, pair: Pair, doubt: FloatArray | None = None) -> float:
    off = (pair.found - copy.wanted) * copy.common
    size = float((pair.found**2).sum())
    open_ = copy.doubt if doubt is None else doubt
    granted = math.sqrt(float((open_**2).sum())) / DOUBT
    left = max(0.0, math.sqrt(float((off**2).sum())) - granted)
    return left**2 / size if size else 0.0


def _explained(
    pairs: Sequence[Pair],
    fitted: Callable[[int], Copy],
    doubts: Sequence[FloatArray] | None = None,
) -> float:
    """The share of all pairs' differences that vanishes with the fitted copies.

    doubts: of each pair, so that a fit cannot grow its own.
    """
    before = sum(map(_difference, pairs))
    after = sum(
        _beyond(fitted(n), pair, None if doubts is None else doubts[n])
        for n, pair in enumerate(pairs)
    )
    return 1 - after / before if before else 0.0


def _scaled(copy: Copy, factor: float) -> Copy:
    return Copy(factor * copy.wanted, factor * copy.doubt, copy.common)


def _best_scaled(pair: Pair, copy: Copy) -> Copy:
    return _scaled(copy, _gain(pair, copy))
