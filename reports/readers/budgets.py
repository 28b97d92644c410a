"""Records of error budgets as typed measurements.

Records made before a quantity was measured lack it; then it is None, and the report leaves it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reports.readers.material import Material
from reports.readers.measurements import finite, read
from verification.claims.records import Record

PUBLISHED_PREFIXES = ("sesn_", "stl10_sesn_", "wrn_16_8_sesn_")
"""How the names of published configurations begin; other bases are measured for comparison."""
LAYER_PARTS = ("sampling", "truncation", "border", "scale_axis", "precision")


@dataclass(frozen=True)
class Pair:
    """Squared errors between two scales, relative to the response, as means over seeds.

    total is the error, sampling and truncation its two parts: they need not add up to it. rank:
    the share of them that is rank loss. cut_off: what the fine scale's own grid cuts off its
    response. lowest and highest: of the totals of single seeds. supports: sides of the two grids.
    """

    fine: float
    coarse: float
    total: float
    sampling: float
    truncation: float
    bound: float
    rank: float | None
    cut_off: float | None
    lowest: float
    highest: float
    supports: tuple[int, int] | None
    ranks: tuple[int, int] | None

    @property
    def limited_by(self) -> str:
        """The larger part."""
        return "sampling" if self.sampling > self.truncation else "truncation"

    @property
    def name(self) -> str:
        """The two scales in pixels."""
        return f"{self.fine:.3g} → {self.coarse:.3g}"

    @property
    def multiples(self) -> tuple[float, float] | None:
        """Side of each grid in units of its scale."""
        if self.supports is None:
            return None
        return self.supports[0] / self.fine, self.supports[1] / self.coarse


@dataclass(frozen=True)
class LayerPair:
    """Squared errors of a real layer between two scales, in float32; and rounding of bfloat16."""

    name: str
    total: float
    parts: Mapping[str, float]
    bfloat16: float

    @property
    def limited_by(self) -> str:
        """The largest part."""
        return max(self.parts, key=self.parts.__getitem__)


@dataclass(frozen=True)
class Layer:
    """A layer as it stands in its network; scale_extent is 0 for a lifting convolution."""

    image_size: int
    padding: int
    scale_extent: int
    pairs: tuple[LayerPair, ...]


@dataclass(frozen=True)
class Choice:
    """A basis, by what changes: "support", "wider" (larger scales) or "milder" (smaller mult).

    factor: of all scales. taps: pixels of a filter over all scales. error: of the worst pair.
    """

    change: str
    kernel_size: int
    factor: float
    mult: float
    taps: int
    finest_rank: int
    error: float


@dataclass(frozen=True)
class Supports:
    """The worst pair's error for every support, and what reaches wanted errors.

    unlimited: with nothing cut off. best: the best that is not larger than the published one.
    """

    errors: Mapping[int, float]
    unlimited: float
    best: Choice
    recommended: Mapping[float, tuple[Choice, ...]]


@dataclass(frozen=True)
class Budget:
    """Error budget of one configuration; what was not measured is empty or None."""

    record: Record
    kernel_size: int | None
    taps: int | None
    pairs: tuple[Pair, ...]
    ranks: tuple[int, ...]
    layer: Layer | None
    supports: Supports | None

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


def budgets(material: Material) -> list[Budget]:
    """Return all error budgets, published ones first, by name."""
    found = read(material.latest("budget"), "pairs", budget)
    return sorted(found, key=lambda item: (not item.published, item.name))


def budget(record: Record) -> Budget:
    """Read a record of kind "budget"."""
    numbers = record.numbers
    scales = [finite(scale) for scale in record.configuration["scales"]]
    supports = [int(side) for side in numbers.get("supports", [])]
    ranks = [int(rank) for rank in numbers.get("ranks", [])]
    columns = list(zip(*numbers["y"], strict=True)) if "y" in numbers else []
    pairs = []
    for index, raw in enumerate(numbers["pairs"]):
        totals = [finite(total) for total in columns[index]] if columns else []
        pairs.append(_pair(raw, scales, supports, ranks, totals))
    if not pairs:
        raise ValueError("pairs must not be empty")
    names = [pair.name for pair in pairs]
    return Budget(
        record,
        int(record.configuration["kernel_size"]) if "kernel_size" in record.configuration else None,
        int(numbers["taps"]) if "taps" in numbers else None,
        tuple(pairs),
        tuple(ranks),
        _layer(numbers["layer"], names) if "layer" in numbers else None,
        _supports(numbers["supports_tried"], scales) if "supports_tried" in numbers else None,
    )


def _pair(
    raw: Mapping[str, Any],
    scales: Sequence[float],
    supports: Sequence[int],
    ranks: Sequence[int],
    totals: Sequence[float],
) -> Pair:
    fine, coarse = raw["fine"], raw["coarse"]
    errors = {name: finite(raw[name]) for name in ("total", "sampling", "truncation", "bound")}
    return Pair(
        fine=scales[fine],
        coarse=scales[coarse],
        rank=finite(raw["rank"]) if "rank" in raw else None,
        cut_off=finite(raw["cut_off"]) if "cut_off" in raw else None,
        lowest=min(totals, default=errors["total"]),
        highest=max(totals, default=errors["total"]),
        supports=(supports[fine], supports[coarse]) if supports else None,
        ranks=(ranks[fine], ranks[coarse]) if ranks else None,
        **errors,
    )


def _layer(raw: Mapping[str, Any], names: Sequence[str]) -> Layer:
    pairs = tuple(
        LayerPair(
            name,
            finite(errors["total"]),
            {part: finite(errors[part]) for part in LAYER_PARTS},
            finite(rounding),
        )
        for name, errors, rounding in zip(
            names, raw["pairs"], raw["bfloat16_precision"], strict=True
        )
    )
    return Layer(int(raw["image_size"]), int(raw["padding"]), int(raw["scale_extent"]), pairs)


def _supports(raw: Mapping[str, Any], scales: Sequence[float]) -> Supports:
    sizes = [int(size) for size in raw["kernel_sizes"]]
    errors = [finite(error) for error in raw["errors"]]
    return Supports(
        errors=dict(zip(sizes, errors, strict=True)),
        unlimited=finite(raw["unlimited"]),
        best=_choice({"change": "support", **raw["best"]}, scales),
        recommended={
            finite(entry["wanted"]): tuple(_choice(choice, scales) for choice in entry["choices"])
            for entry in raw["recommendations"]
        },
    )


def _choice(raw: Mapping[str, Any], scales: Sequence[float]) -> Choice:
    return Choice(
        change=str(raw["change"]),
        kernel_size=int(raw["kernel_size"]),
        factor=finite(raw["scales"][0]) / scales[0],
        mult=finite(raw["mult"]),
        taps=int(raw["taps"]),
        finest_rank=int(raw["finest_rank"]),
        error=finite(raw["error"]),
    )
