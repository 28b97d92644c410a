"""What a profile holds, as values, as JSON and as a table."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

VERSION = 1
_SHOWN = 5e-4
_SMALL = 1.01
"""Factor that Lie derivatives are shown for: far beyond it details move by more than their size."""


@dataclass(frozen=True)
class Change:
    """Squared norms per image: of a change, of that between unrelated images, and of the floor.

    The floor is what interpolation, or the derivative over pixels, errs by: the difference to the
    same with stencils of two pixels less. For a Lie derivative the change is one per amount:
    per unit of log factor, or per pixel.
    """

    error: float
    unrelated: float
    floor: float

    @property
    def relative(self) -> float:
        """Share of the change between unrelated images; NaN where those are the same."""
        return self.error / self.unrelated if self.unrelated else math.nan


@dataclass(frozen=True)
class Contribution:
    """A part of a unit at the output.

    relative: its squared size there, relative to the change between unrelated images. share: its
    product with the whole over the whole's square; shares sum to 1, and some may be negative.
    """

    part: str
    relative: float
    share: float


@dataclass(frozen=True)
class UnitProfile:
    """One unit: its place, name, kind, shape of its output per image, and what was found.

    changes: "analytic" and "raster" for the finite factor, "translation" for the finite shift,
    "lie" and "translation lie" for all layers up to here, with ", own" for the unit alone; none if
    it is not known what rescaling does to such an output. contributions: of "lie" and
    "translation lie".
    """

    index: int
    name: str
    kind: str
    shape: tuple[int, ...]
    changes: dict[str, Change] = field(default_factory=dict)
    contributions: dict[str, list[Contribution]] = field(default_factory=dict)

    def share(self, kind: str = "lie") -> float:
        """What all its parts together contribute to the output's Lie derivative."""
        return math.fsum(each.share for each in self.contributions.get(kind, []))


@dataclass(frozen=True)
class Profile:
    """A network's profile.

    amounts: log of the realised factor of "analytic" and "raster", pixels of "translation".
    units: in the order in which they run; the first is the image, the last the output.
    """

    network: str
    side: int
    channels: int
    dtype: str
    images: int
    seed: int
    amounts: dict[str, float]
    units: tuple[UnitProfile, ...]
    notes: tuple[str, ...]

    def by_part(self, kind: str = "lie") -> dict[str, float]:
        """Shares of stride, border, filters and so on, over all units, largest first."""
        found: dict[str, float] = {}
        for unit in self.units:
            for each in unit.contributions.get(kind, []):
                found[each.part] = found.get(each.part, 0.0) + each.share
        return dict(sorted(found.items(), key=lambda pair: -abs(pair[1])))

    def remainder(self, kind: str = "lie") -> float:
        """What no unit accounts for: 1 less the sum of all shares, rounding if all were seen."""
        return 1 - math.fsum(unit.share(kind) for unit in self.units)

    def numbers(self) -> dict[str, Any]:
        """All of it as JSON values; NaN as null."""
        units = [
            asdict(unit) | {"relative": {k: _finite(c.relative) for k, c in unit.changes.items()}}
            for unit in self.units
        ]
        kinds = sorted({kind for unit in self.units for kind in unit.contributions})
        return {
            "version": VERSION,
            **{name: getattr(self, name) for name in ("network", "side", "channels", "dtype")},
            **{name: getattr(self, name) for name in ("images", "seed", "amounts", "notes")},
            "units": units,
            "by_part": {kind: self.by_part(kind) for kind in kinds},
            "remainder": {kind: self.remainder(kind) for kind in kinds},
        }

    def to_json(self) -> str:
        """As `numbers`, for a file."""
        return f"{json.dumps(self.numbers(), indent=1)}\n"

    def __str__(self) -> str:
        return "\n".join(_table(self))


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _table(profile: Profile) -> list[str]:
    log = profile.amounts["analytic"]
    shift = profile.amounts["translation"]
    factor = math.exp(log)
    rows = [
        [
            "unit",
            "kind",
            "output",
            f"×{factor:.3g}",
            "raster",
            f"Lie ×{_SMALL}",
            f"{shift:g} px",
            f"Lie {shift:g} px",
            "lost by",
            "share",
        ]
    ]
    hidden, shares = 0, any(unit.contributions for unit in profile.units)
    for unit in profile.units:
        parts = [each for each in unit.contributions.get("lie", []) if abs(each.share) >= _SHOWN]
        ends = unit.kind in {"input", "output"}
        if shares and not parts and not ends:
            hidden += 1
            continue
        cells = [
            _percent(unit, key, times)
            for key, times in (
                ("analytic", 1.0), ("raster", 1.0), ("lie", math.log(_SMALL) ** 2),
                ("translation", 1.0), ("translation lie", shift**2),
            )
        ]  # fmt: skip
        name = [unit.name, unit.kind, "×".join(map(str, unit.shape)), *cells]
        lost = [[each.part, f"{100 * each.share:+.1f} %"] for each in parts] or [["", ""]]
        for found in lost:
            rows.append([*name, *found])
            name = [""] * len(name)
    lines = [
        f"{profile.network}: {profile.images} images of {profile.channels}×{profile.side}×"
        f"{profile.side}, {profile.dtype}",
        "Changes are squared and relative to those between unrelated images. Rescaled by "
        f"{factor:.4g} as functions,",
        f"by {math.exp(profile.amounts.get('raster', log)):.4g} as photographs, by {_SMALL} as the "
        f"Lie derivative says; moved by {shift:g} pixels,",
        "and as the Lie derivative says.",
        "~: what interpolation or the derivative over pixels errs by is more than a quarter of it.",
        "",
        *_aligned(rows),
    ]  # fmt: skip
    for kind, title in (("lie", "rescaling"), ("translation lie", "translation")):
        by_part = profile.by_part(kind)
        if any(by_part.values()):
            told = ", ".join(f"{part} {100 * share:+.1f} %" for part, share in by_part.items())
            lines.append(f"Of the output's change by {title}: {told}.")
            lines.append(f"  not attributed: {100 * profile.remainder(kind):.1g} %")
    if hidden:
        lines.append(f"{hidden} units that contribute less than {100 * _SHOWN:g} % are not shown.")
    return [*lines, *(f"Note: {note}" for note in profile.notes)]


def _percent(unit: UnitProfile, key: str, times: float = 1.0) -> str:
    change = unit.changes.get(key)
    if change is None or not math.isfinite(change.relative):
        return "-"
    mark = "~" if change.floor > change.error / 4 else ""
    return f"{mark}{100 * change.relative * times:.2g} %"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = {0, 1, 8}
    return [
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
