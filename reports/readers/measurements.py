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
from typing import Any, NamedTuple, TypeVar

from verification.claims.records import Record, RecordError

WARP_KINDS = ("down", "up", "translated", "anisotropic")
"""Warps of raster images in the order of the report."""

M = TypeVar("M")


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


class Ratio(NamedTuple):
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
    return [_converted(record, convert) for record in records if name in record.numbers]


_KNOWN: dict[tuple[object, str], Any] = {}
"""Records as converted before: the trace of numbers reads the same ones hundreds of times."""


def _converted(record: Record, convert: Callable[[Record], M]) -> M:
    key = convert, record.digest
    if key not in _KNOWN:
        with _blame(record):
            _KNOWN[key] = convert(record)
    converted: M = _KNOWN[key]
    return converted


def raster_warps(record: Record) -> RasterWarps:
    """Read a record of kind "equivariance" that was measured by raster warps."""
    names = ("ratio", "error", "floor", "ceiling", "bound")
    warps = [
        Warp(
            kind=raw["kind"],
            sides=tuple(int(side) for side in raw["sides"]),
            shift=tuple(int(pixels) for pixels in raw["shift"]),
            **{name: finite(raw[name]) for name in names},
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
        test_error=finite(record.numbers["test_error"]),
        by_scale=tuple(
            Bin(finite(raw["from"]), finite(raw["to"]), int(raw["images"]), int(raw["errors"]))
            for raw in bins
        ),
    )


def timing(record: Record) -> Timing:
    """Read a record of kind "timing"."""
    names = ("median", "lower_quartile", "upper_quartile")
    own = [finite(value) for value in record.numbers["seconds"][record.subject]]
    return Timing(
        record=record,
        work=str(record.configuration["work"]),
        batch=int(record.configuration["batch"]),
        rounds=len(own),
        milliseconds=1000 * statistics.median(own),
        ratios={
            rival: Ratio(*(finite(raw[name]) for name in names))
            for rival, raw in sorted(record.numbers["ratios"].items())
        },
        throughput=_optional(record.numbers.get("throughput")),
        memory=_memory(record),
    )


def _memory(record: Record) -> float | None:
    peaks = record.numbers.get("peak_bytes")
    if not isinstance(peaks, Mapping) or "textbook" not in peaks:
        return None
    return finite(peaks[record.subject]) / finite(peaks["textbook"])


def _optional(value: object) -> float | None:
    return None if value is None else finite(value)


def scaling(record: Record) -> Scaling:
    """Read a record of kind "timing" of one layer at several sizes."""
    numbers = record.numbers
    return Scaling(
        record=record,
        varied=str(record.configuration["varied"]),
        sizes=tuple(int(size) for size in numbers["sizes"]),
        ways=tuple(str(way) for way in numbers["ways"]),
        seconds={
            form: [[finite(value) for value in times] for times in points]
            for form, points in numbers["seconds"].items()
        },
        exponents={
            form: (finite(fit["value"]), finite(fit["low"]), finite(fit["high"]))
            for form, fit in numbers["exponents"].items()
        },
    )


CLOSE = 1.1
"""A choice that takes at most so many times as long as the faster algorithm is right, by which
records of choices count them (`python -m benchmarks choices`)."""


class Choice(NamedTuple):
    """One correlation: B, C_in, C_out, k, H = W and stride; and seconds by algorithm.

    Forward, and forward with the gradients (`step`).
    """

    sizes: tuple[int, ...]
    chosen: str
    seconds: Mapping[str, Mapping[str, float]]

    def loss(self, work: str) -> float:
        """Time of the algorithm chosen over that of the faster one."""
        return self.seconds[self.chosen][work] / min(s[work] for s in self.seconds.values())


def choices(record: Record) -> tuple[Record, tuple[Choice, ...]]:
    """Read a record of kind "timing" of the algorithms at a grid of sizes."""
    found = tuple(
        Choice(
            tuple(int(size) for size in point["sizes"]),
            str(point["chosen"]),
            {
                name: {work: finite(times[work]) for work in ("forward", "step")}
                for name, times in point["seconds"].items()
            },
        )
        for point in record.numbers["points"]
    )
    if not found:
        raise ValueError("points must not be empty")
    return record, found


@contextmanager
def _blame(record: Record) -> Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise RecordError(
            f"{record.filename}: its numbers are not those of a finished {record.kind}: {error!r}"
        ) from error


def finite(value: object) -> float:
    """A number of a record. Raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"must be a finite number, got {value!r}")
    return float(value)
