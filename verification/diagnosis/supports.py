"""Whether the supports of filters that were read off a layer are in proportion to the scales."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verification.layer.reading import ReadFilters


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
