"""Whether the supports of filters that were read off a layer are in proportion to the scales."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verification.checks.diagnosis.causes import Cause
from verification.layer.reading import ReadFilters, distances

_BEYOND = 0.01
"""Share of a filter's energy that another scale may leave out."""
_CUT = 0.1
"""Share of a filter's largest value at its edge from which cutting it is a mistake of its own."""


def support(filters: ReadFilters, scales: Sequence[float]) -> list[Cause]:
    """Supports that are not in proportion to the scales; none if they are.

    Two supports are in proportion if they differ by no more than the rounding to a whole pixel on
    the finer grid, or if what the wider has beyond the other weighs little, and no more than its
    last ring.
    """
    if not out_of_proportion(filters, scales):
        return []
    says = (
        f"support: the supports of {_sides(filters)} pixels reach {_widths(filters, scales)} σ, "
        "not in proportion to the scales: one support for all scales, or sizes rounded too far"
    )
    return [Cause("support", says)]


def cut_short(filters: ReadFilters, scales: Sequence[float]) -> list[Cause]:
    """Filters that are still large where they end, so that cutting them changes their sum."""
    edges = []
    for taps, reach in zip(filters.taps, filters.reaches, strict=True):
        weights = np.abs(taps).max(axis=(0, 1))
        edge = weights[distances(filters.taps) == reach].max()
        edges.append(float(edge / weights.max()) if weights.any() else 0.0)
    if max(edges) < _CUT or np.ptp(edges) < _CUT / 2:
        return []
    shares = ", ".join(f"{100 * edge:.0f} %" for edge in edges)
    says = (
        f"support: the supports of {_sides(filters)} pixels reach {_widths(filters, scales)} σ, "
        f"where the filters are still {shares} of their largest value: cut at too few pixels"
    )
    return [Cause("support", says)]


def _sides(filters: ReadFilters) -> str:
    return ", ".join(f"{2 * reach + 1:g}" for reach in filters.reaches)


def _widths(filters: ReadFilters, scales: Sequence[float]) -> str:
    return ", ".join(f"{r / scale:.2g}" for r, scale in zip(filters.reaches, scales, strict=True))


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
    farther = distances(filters.taps)
    energy = (filters.taps[wider] ** 2).sum(axis=(0, 1))
    beyond = float(energy[farther > common].sum())
    last = float(energy[(farther <= common) & (farther > common - pixel)].sum())
    return beyond <= min(last, _BEYOND * float(energy.sum()))
