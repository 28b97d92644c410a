"""Records of the comparison of all methods as typed measurements, those of one run together."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reports.readers.material import Material
from reports.readers.measurements import Ratio, read
from verification.claims.records import Record

FLOOR = "comparison_floor"
REFERENCE = "cnn_28"
COLUMNS = {
    ("first_layer", "scenes"): "probe",
    ("first_layer", "digits"): "digits",
    ("first_layer", "photographs"): "photographs",
    ("trunk", "scenes"): "trunk",
    ("own_steps", "scenes"): "own_steps",
}
"""Column of the table for each part of a network and kind of image."""

Rows = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Errors:
    """Δ and the Δ of unrelated responses, [repetitions][factors] each."""

    error: Rows
    chance: Rows

    @property
    def mean(self) -> float:
        """Δ, over repetitions and factors."""
        return statistics.fmean(value for row in self.error for value in row)

    @property
    def shares(self) -> tuple[float, ...]:
        """Δ as a share of chance, mean over factors, for each repetition."""
        return tuple(
            statistics.fmean(error / chance for error, chance in zip(*rows, strict=True))
            for rows in zip(self.error, self.chance, strict=True)
        )

    @property
    def share(self) -> float:
        """Δ as a share of chance, over repetitions and factors."""
        return statistics.fmean(self.shares)


@dataclass(frozen=True)
class Method:
    """Errors of one method by column, and shares of unchanged predictions (none for the floor)."""

    record: Record
    errors: Mapping[str, Errors]
    unchanged: float | None
    unchanged_by_chance: float | None


@dataclass(frozen=True)
class Price:
    """Costs of one method; ratios are over the plain network's, median and quartiles or range."""

    record: Record
    parameters: int
    multiply_adds: float
    forward: Ratio
    step: Ratio
    memory: Ratio | None


@dataclass(frozen=True)
class Comparison:
    """One run's methods and one run's prices by model, in the order of the paper's table."""

    methods: Mapping[str, Method]
    prices: Mapping[str, Price]

    @property
    def names(self) -> tuple[str, ...]:
        """Models of which anything is known."""
        known = dict.fromkeys([*self.methods, *self.prices])
        return tuple(name for name in known if name != FLOOR)

    def ratios(self, price: Callable[[Price], Ratio]) -> dict[str, Ratio]:
        """One kind of ratio for every model that has its price, but the plain network."""
        return {name: price(item) for name, item in self.prices.items() if name != REFERENCE}

    def shares(self, column: str) -> dict[str, float]:
        """Share of chance in one column for every model that has it."""
        return {
            name: self.methods[name].errors[column].share
            for name in self.names
            if name in self.methods and column in self.methods[name].errors
        }


def read_comparison(material: Material) -> Comparison:
    """The largest run of each kind, among equals the newest.

    Raises RecordError naming the file of a record that cannot be read.
    """
    of_errors = [r for r in material.latest("equivariance") if "responses" in r.numbers]
    of_costs = [r for r in material.latest("timing") if "step_ratio" in r.numbers]
    methods = read(_one_run(of_errors, _images), "responses", _method)
    prices = read(_one_run(of_costs, _steps), "step_ratio", _price)
    order = list(material.method_names)

    def ordered(found: Sequence[Any]) -> dict[str, Any]:
        named = {item.record.subject: item for item in found}
        known = [name for name in order if name in named]
        return {name: named[name] for name in dict.fromkeys([*known, *sorted(named)])}

    return Comparison(ordered(methods), ordered(prices))


def _one_run(records: Sequence[Record], size: Callable[[Record], int]) -> list[Record]:
    """Records of one command: only those saw the same images, or the same state of the machine."""
    runs: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        runs[record.command].append(record)

    def weight(run: list[Record]) -> tuple[int, str, str]:
        started = max(record.provenance.started for record in run)
        return max(map(size, run)), started, run[0].command

    return max(runs.values(), key=weight, default=[])


def _images(record: Record) -> int:
    sizes = record.configuration.get("sizes", {})
    return int(sizes.get("repetitions", 0)) * int(sizes.get("scenes", 0))


def _steps(record: Record) -> int:
    configuration = record.configuration
    return int(configuration.get("rounds", 0)) * int(configuration.get("batch", 0))


def _method(record: Record) -> Method:
    errors = {
        COLUMNS[row["part"], row["images"]]: Errors(_rows(row["error"]), _rows(row["chance"]))
        for row in record.numbers["responses"]
    }
    predictions = record.numbers.get("predictions")
    unchanged, by_chance = (
        statistics.fmean(value for row in _rows(predictions[name]) for value in row)
        if predictions
        else None
        for name in ("unchanged", "chance")
    )
    return Method(record, errors, unchanged, by_chance)


def _rows(values: Iterable[Iterable[float]]) -> Rows:
    rows = tuple(tuple(map(float, row)) for row in values)
    if not rows or len({len(row) for row in rows}) > 1 or not rows[0]:
        raise ValueError(f"must be rows of equal length, got {values!r}")
    if not all(math.isfinite(value) and value >= 0 for row in rows for value in row):
        raise ValueError(f"must hold numbers that are not negative, got {values!r}")
    return rows


def _price(record: Record) -> Price:
    numbers = record.numbers
    return Price(
        record=record,
        parameters=int(numbers["parameters"]),
        multiply_adds=float(numbers["multiply_adds"]),
        forward=_ratio(numbers["forward_ratio"]),
        step=_ratio(numbers["step_ratio"]),
        memory=_memory(numbers["peak_bytes"], record.subject),
    )


def _ratio(raw: Mapping[str, Any]) -> Ratio:
    median, lower, upper = (raw[name] for name in ("median", "lower_quartile", "upper_quartile"))
    return Ratio(float(median), float(lower), float(upper))


def _memory(peaks: Mapping[str, list[int] | None], name: str) -> Ratio | None:
    """Median over median, and the range of what single steps would give."""
    own, plain = peaks[name], peaks[REFERENCE]
    if not own or not plain:
        return None
    ratio = statistics.median(own) / statistics.median(plain)
    return Ratio(ratio, min(own) / max(plain), max(own) / min(plain))
