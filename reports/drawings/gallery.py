"""Figure of the power of the decisive checks: smallest mistake that is rejected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from reports.writing.figures import BLUE, GREEN, ORANGE, VERMILION

LOOKS = {
    "scale_equivariance": (BLUE, "s", 10),
    "scaled_copies": (VERMILION, "D", 5),
    "supports": (GREEN, "^", 7),
    "scale_ratio": (ORANGE, "v", 7),
}
"""Colour, hollow marker and its size: curves often coincide, and both must be seen."""


def draw(power: Mapping[str, Any], figure: Figure) -> None:
    """One panel for each kind of mistake: its smallest size against the finest width, by check."""
    kinds = list(dict.fromkeys(curve["kind"] for curve in power["curves"]))
    figure.set_size_inches(10.5, 6.2)
    panels = figure.subplots(2, -(-len(kinds) // 2), sharex=True, sharey=True, squeeze=False).flat
    for kind, axes in zip(kinds, panels, strict=False):
        for check, (colour, marker, size) in LOOKS.items():
            points = [
                (curve["width"], least)
                for curve in power["curves"]
                if curve["kind"] == kind and (least := curve["least"].get(check)) is not None
            ]
            axes.plot(
                *zip(*points, strict=True) if points else ([], []), color=colour, marker=marker,
                label=check.replace("_", " "), markersize=size, markerfacecolor="none",
            )  # fmt: skip
        axes.set_title(kind)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    figure.supxlabel("width σ of the finest filter, pixels")
    figure.supylabel("smallest mistake that is rejected")
    axes.legend(loc="best")
