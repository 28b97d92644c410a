"""Errors of a training at the object scales that its training images did not have."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

from verification.claims.records import Record

STEP = 0.6
"""Octaves: distances from the trained range are told apart no finer than this."""
_SAME = 1e-9

Bin = tuple[float, float, int, int]
"""Scales from … to, images, errors."""


def error_outside(record: Record, trained: Sequence[float]) -> float | None:
    """Errors in percent at scales outside a range; None of a record that does not tell."""
    return _percent([item for item in _bins(record) if _distance(item, trained) > 0])


def error_at(record: Record, scale: float) -> float | None:
    """Errors in percent of the bin that begins at a scale; None where there is none."""
    return _percent([item for item in _bins(record) if abs(item[0] - scale) < _SAME])


def error_by_distance(record: Record, trained: Sequence[float]) -> tuple[list[float], list[float]]:
    """Distances from a trained range in octaves, and errors in percent, of which 0 is the range.

    A bin is as far as its geometric middle is from the nearest end. Those in (0, STEP] are pooled
    at STEP, those in (STEP, 2·STEP] at 2·STEP, and so on, on both sides together.
    """
    groups: dict[float, list[Bin]] = defaultdict(list)
    for item in _bins(record):
        steps = math.ceil(_distance(item, trained) / STEP - _SAME)
        groups[round(STEP * steps, 6)].append(item)
    distances = sorted(groups)
    return distances, [error for d in distances if (error := _percent(groups[d])) is not None]


def _distance(item: Bin, trained: Sequence[float]) -> float:
    """Octaves from the nearest end of the range; 0 inside."""
    start, stop, *_ = item
    low, high = trained
    middle = math.sqrt(start * stop)
    if stop <= low + _SAME:
        return math.log2(low / middle)
    return math.log2(middle / high) if start >= high - _SAME else 0.0


def _bins(record: Record) -> Iterator[Bin]:
    for item in record.numbers.get("by_scale") or ():
        yield item["from"], item["to"], item["images"], item["errors"]


def _percent(bins: Sequence[Bin]) -> float | None:
    images = sum(item[2] for item in bins)
    return 100 * sum(item[3] for item in bins) / images if images else None
