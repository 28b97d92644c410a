"""Records as typed measurements: what tables and figures are drawn from.

A finished record whose numbers are not those of its kind raises RecordError naming the file: a
report must not be silently shorter.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from verification.evidence import Record, RecordError

PUBLISHED_PREFIXES = ("sesn_", "stl10_sesn_", "wrn_16_8_sesn_")
"""How the names of published configurations begin; other bases are measured for comparison."""
WARP_KINDS = ("down", "up", "translated", "anisotropic")
"""Warps of raster images in the order of the report."""

M = TypeVar("M")


@dataclass(frozen=True)
class Pair:
    """Squared errors between two scales, relative to the response, as means over seeds.

    total is the error, sampling and truncation its two parts: they need not add up to it. lowest
    and highest: of the totals of single seeds.
    """

    fine: float
    coarse: float
    ratio: float
    total: float
    sampling: float
    truncation: float
    bound: float
    lowest: float
    highest: float
    grids: str
    ranks: str

    @property
    def limited_by(self) -> str:
        """The larger part."""
        return "sampling" if self.sampling > self.truncation else "truncation"

    @property
    def name(self) -> str:
        """The two scales in pixels."""
        return f"{self.fine:.3g} → {self.coarse:.3g}"


@dataclass(frozen=True)
class Budget:
    """Error budget of one configuration; ranks and functions where they were measured."""

    record: Record
    pairs: tuple[Pair, ...]
    ranks: tuple[int, ...]

    @property
    def name(self) -> str:
        """Name of the configuration."""
        return self.record.subject

    @property
    def published(self) -> bool:
        """Whether it is one of the paper's configurations."""
        return self.name.startswith(PUBLISHED_PREFIXES)

    @property
    def worst(self) -> Pair:
        """The pair with the largest error."""
        return max(self.pairs, key=lambda pair: pair.total)


@dataclass(frozen=True)
class Warp:
    """Errors under one warp of raster images: layer, ideal filters, one fixed scale, bound.

    kind: "down", "up", "translated" or "anisotropic"; sides: of the result, in pixels; shift: in
    pixels before the warp.
    """

    kind: str
    sides: tuple[int, ...]
    shift: tuple[int, ...]
    ratio: float
    error: float
    floor: float
    ceiling: float
    bound: float


@dataclass(frozen=True)
class RasterWarps:
    """What one layer does under warps of several kinds; within a kind the ratio ascends."""

    record: Record
    warps: tuple[Warp, ...]

    def of(self, *kinds: str) -> tuple[Warp, ...]:
        """The warps of these kinds."""
        return tuple(warp for warp in self.warps if warp.kind in kinds)


@dataclass(frozen=True)
class Bin:
    """Test images whose object scale lies in from ≤ scale < to."""

    start: float
    stop: float
    images: int
    errors: int


@dataclass(frozen=True)
class Training:
    """One finished training; errors in percent."""

    record: Record
    model: str
    augmentation: bool
    data: str
    test_error: float
    by_scale: tuple[Bin, ...]


@dataclass(frozen=True)
class Ratio:
    """Time over time, paired by rounds."""

    median: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Timing:
    """Times of one model and kind of work; ratios by what it is compared with.

    throughput: share of a matrix product's speed; memory: peak over the textbook form's.
    """

    record: Record
    work: str
    batch: int
    rounds: int
    milliseconds: float
    ratios: Mapping[str, Ratio]
    throughput: float | None
    memory: float | None


@dataclass(frozen=True)
class Scaling:
    """How the cost of a layer grows with one of its sizes: seconds by form, [points][rounds]."""

    record: Record
    varied: str
    sizes: tuple[int, ...]
    ways: tuple[str, ...]
    seconds: Mapping[str, Sequence[Sequence[float]]]
    exponents: Mapping[str, tuple[float, float, float]]

    def over_plain(self, form: str) -> list[list[float]]:
        """Time over the plain convolution's, paired by rounds: [points][rounds]."""
        points = zip(self.seconds[form], self.seconds["plain"], strict=True)
        return [[a / b for a, b in zip(own, plain, strict=True)] for own, plain in points]


def read(records: Iterable[Record], name: str, convert: Callable[[Record], M]) -> list[M]:
    """Convert the records that hold `name` among their numbers.

    Raises RecordError naming the file of one that `convert` cannot make sense of.
    """
    found = []
    for record in records:
        if name in record.numbers:
            with _blame(record):
                found.append(convert(record))
    return found


def budget(record: Record) -> Budget:
    """Read a record of kind "budget"."""
    numbers = record.numbers
    scales = [_finite(scale) for scale in record.configuration["scales"]]
    supports = [int(side) for side in numbers.get("supports", [])]
    ranks = [int(rank) for rank in numbers.get("ranks", [])]
    columns = list(zip(*numbers["y"], strict=True)) if "y" in numbers else []

    def pair(index: int, raw: Mapping[str, Any]) -> Pair:
        ends = raw["fine"], raw["coarse"]
        errors = {name: _finite(raw[name]) for name in ("total", "sampling", "truncation", "bound")}
        totals = [_finite(value) for value in columns[index]] if columns else [errors["total"]]
        return Pair(
            fine=scales[ends[0]],
            coarse=scales[ends[1]],
            ratio=_finite(raw["ratio"]),
            lowest=min(totals),
            highest=max(totals),
            grids=_between(supports, ends),
            ranks=_between(ranks, ends),
            **errors,
        )

    pairs = tuple(pair(index, raw) for index, raw in enumerate(numbers["pairs"]))
    if not pairs:
        raise ValueError("pairs must not be empty")
    return Budget(record, pairs, tuple(ranks))


def raster_warps(record: Record) -> RasterWarps:
    """Read a record of kind "equivariance" that was measured by raster warps."""
    names = ("ratio", "error", "floor", "ceiling", "bound")
    warps = [
        Warp(
            kind=raw["kind"],
            sides=tuple(int(side) for side in raw["sides"]),
            shift=tuple(int(pixels) for pixels in raw["shift"]),
            **{name: _finite(raw[name]) for name in names},
        )
        for raw in record.numbers["warps"]
    ]
    if not warps:
        raise ValueError("warps must not be empty")
    if unknown := {warp.kind for warp in warps} - set(WARP_KINDS):
        raise ValueError(f"kind must be one of {WARP_KINDS}, got {sorted(unknown)}")
    ordered = sorted(warps, key=lambda warp: (WARP_KINDS.index(warp.kind), warp.ratio))
    return RasterWarps(record, tuple(ordered))


def training(record: Record) -> Training:
    """Read a finished record of kind "training"."""
    bins = record.numbers["by_scale"]
    return Training(
        record=record,
        model=str(record.configuration["model"]),
        augmentation=bool(record.configuration["augmentation"]),
        data=(record.data or {})["name"],
        test_error=_finite(record.numbers["test_error"]),
        by_scale=tuple(
            Bin(_finite(raw["from"]), _finite(raw["to"]), int(raw["images"]), int(raw["errors"]))
            for raw in bins
        ),
    )


def timing(record: Record) -> Timing:
    """Read a record of kind "timing"."""
    names = ("median", "lower_quartile", "upper_quartile")
    own = [_finite(value) for value in record.numbers["seconds"][record.subject]]
    return Timing(
        record=record,
        work=str(record.configuration["work"]),
        batch=int(record.configuration["batch"]),
        rounds=len(own),
        milliseconds=1000 * statistics.median(own),
        ratios={
            rival: Ratio(*(_finite(raw[name]) for name in names))
            for rival, raw in sorted(record.numbers["ratios"].items())
        },
        throughput=_optional(record.numbers.get("throughput")),
        memory=_memory(record),
    )


def _memory(record: Record) -> float | None:
    peaks = record.numbers.get("peak_bytes")
    if not isinstance(peaks, Mapping) or "textbook" not in peaks:
        return None
    return _finite(peaks[record.subject]) / _finite(peaks["textbook"])


def _optional(value: object) -> float | None:
    return None if value is None else _finite(value)


def scaling(record: Record) -> Scaling:
    """Read a record of kind "timing" of one layer at several sizes."""
    numbers = record.numbers
    return Scaling(
        record=record,
        varied=str(record.configuration["varied"]),
        sizes=tuple(int(size) for size in numbers["sizes"]),
        ways=tuple(str(way) for way in numbers["ways"]),
        seconds={
            form: [[_finite(value) for value in times] for times in points]
            for form, points in numbers["seconds"].items()
        },
        exponents={
            form: (_finite(fit["value"]), _finite(fit["low"]), _finite(fit["high"]))
            for form, fit in numbers["exponents"].items()
        },
    )


@contextmanager
def _blame(record: Record) -> Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise RecordError(
            f"{record.filename}: its numbers are not those of a finished {record.kind}: {error!r}"
        ) from error


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"must be a finite number, got {value!r}")
    return float(value)


def _between(values: list[int], ends: tuple[int, int]) -> str:
    return f"{values[ends[0]]} → {values[ends[1]]}" if values else ""
