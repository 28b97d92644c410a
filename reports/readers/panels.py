"""The three panels of the equivariance error: curves of random networks, by panel and grid."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from reports.readers.material import Material
from reports.readers.measurements import read
from verification.claims.records import Record

PANELS = {
    "depth": "layers",
    "down_scaling": "down-scaling factor",
    "inter_scale": "scale extent",
}
GRIDS = {
    "stl10": "published STL-10 grid",
    "mnist": "published scalar MNIST grid",
    "wide": "wide grid",
}

Rows = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Curves:
    """One record: x, and by name a row per random network."""

    record: Record
    x: tuple[float, ...]
    rows: dict[str, Rows]


@dataclass(frozen=True)
class Panel:
    """One panel on one grid: its curves, "probe" among them if it was measured, and sources."""

    name: str
    grid: str
    x: tuple[float, ...]
    rows: dict[str, Rows]
    records: tuple[Record, ...]

    @property
    def variable(self) -> str:
        """What x is."""
        return PANELS[self.name]

    @property
    def claim_id(self) -> str:
        """The reading of the published statement for this grid."""
        return f"trend.{self.name}.{self.grid}"

    def median(self, name: str, position: int) -> float:
        """Middle of the networks at one x."""
        return statistics.median(row[position] for row in self.rows[name])

    def band(self, name: str, position: int) -> tuple[float, float]:
        """From the 2.5 % to the 97.5 % quantile of the networks at one x."""
        values = sorted(row[position] for row in self.rows[name])
        return _quantile(values, 0.025), _quantile(values, 0.975)


def read_panels(material: Material) -> list[Panel]:
    """The panels of which there is a record, with the exact probe of the same points.

    Raises RecordError naming the file of a record that cannot be read.
    """
    wanted = {f"panel_{name}_{grid}": (name, grid) for grid in GRIDS for name in PANELS}
    subjects = {*wanted, *(f"{subject}_probe" for subject in wanted)}
    records = [record for record in material.newest("equivariance") if record.subject in subjects]
    found = {curves.record.subject: curves for curves in read(records, "x", _curves)}
    panels = []
    for subject, (name, grid) in wanted.items():
        if subject not in found:
            continue
        raster, probe = found[subject], found.get(f"{subject}_probe")
        rows, sources = dict(raster.rows), [raster.record]
        if probe is not None and probe.x == raster.x:
            rows["probe"] = probe.rows["y"]
            sources.append(probe.record)
        panels.append(Panel(name, grid, raster.x, rows, tuple(sources)))
    return panels


def _curves(record: Record) -> Curves:
    x = tuple(float(value) for value in record.numbers["x"])
    rows = {
        name: tuple(tuple(map(float, row)) for row in values)
        for name, values in record.numbers.items()
        if name != "x"
    }
    if "y" not in rows:
        raise ValueError("y is missing")
    for name, values in rows.items():
        if not values or any(len(row) != len(x) for row in values):
            raise ValueError(f"{name} must have rows of {len(x)} numbers")
        if not all(math.isfinite(value) and value > 0 for row in values for value in row):
            raise ValueError(f"{name} must hold positive numbers")
    return Curves(record, x, rows)


def _quantile(ordered: Sequence[float], level: float) -> float:
    """Quantile of sorted values, linear between two of them."""
    place = level * (len(ordered) - 1)
    lower = math.floor(place)
    upper = min(lower + 1, len(ordered) - 1)
    return ordered[lower] + (place - lower) * (ordered[upper] - ordered[lower])
