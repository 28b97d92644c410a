"""Figure of the bases: test error against predicted equivariance error, cost as size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.readers.material import Material
from reports.writing.figures import BLUE, GREEN, ORANGE, PURPLE, VERMILION, percent_axis
from verification.claims.claim import Correlation

AREA = 0.25
"""Square points for each tap."""


@dataclass(frozen=True)
class Dot:
    """One basis: predicted relative squared error, mean test error in percent, taps."""

    name: str
    predicted: float
    error: float
    spread: float
    taps: int


def points(material: Material, claim: Correlation) -> list[Dot]:
    """What was measured of a claim, in the order of the claim; the published basis is the first."""
    found = {item["model"]: item for item in material.verdict(claim).measured.get("points", ())}
    return [
        Dot(
            point.model.removeprefix(claim.points[0].model).strip("_") or "published",
            point.predicted, found[point.model]["error"], found[point.model]["spread"],
            point.cost or 1,
        )
        for point in claim.points
        if point.model in found
    ]  # fmt: skip


KINDS = (
    ("published", "published", VERMILION),
    ("calibrated", "smallest predicted error, at 1 and 2 times the taps", GREEN),
    ("error", "a given predicted error", BLUE),
    ("as_28p", "as published for 28+", ORANGE),
    ("", "broken on purpose", PURPLE),
)
"""How the names of bases begin, what they are, and their colour."""


def draw(drawn: Mapping[str, Sequence[Dot]], figure: Figure) -> None:
    """A panel for each network; the names of those that are broken on purpose."""
    figure.set_size_inches(9.5 if len(drawn) > 1 else 5.5, 4.6)
    grid = figure.subplots(1, len(drawn), squeeze=False)
    for axes, (title, dots) in zip(grid.flat, drawn.items(), strict=True):
        for dot in dots:
            colour = _kind(dot)[2]
            axes.errorbar(dot.predicted, dot.error, yerr=dot.spread, color=colour, linewidth=1.0)
            axes.scatter(dot.predicted, dot.error, s=AREA * dot.taps, color=colour, alpha=0.7)
            if _kind(dot) == KINDS[-1]:
                last = dot.predicted == max(other.predicted for other in dots)
                axes.annotate(
                    dot.name.replace("_", " "), (dot.predicted, dot.error), va="center",
                    xytext=(-9, 0) if last else (9, 0), ha="right" if last else "left",
                    textcoords="offset points", fontsize=8,
                )  # fmt: skip
        percent_axis(axes, "x")
        axes.set_title(title)
        axes.set_xlabel("predicted equivariance error, %")
        axes.set_ylabel("test error, %")
    handles = [
        Line2D([], [], color=colour, marker="o", linestyle="none", label=label)
        for _, label, colour in KINDS
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)


def _kind(dot: Dot) -> tuple[str, str, str]:
    return next(kind for kind in KINDS if dot.name.startswith(kind[0]))
