"""A profile by depth: how much is lost up to each layer, and where."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import numpy as np

from verification.optional_packages import require
from verification.profile.result import Profile, UnitProfile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".svg", ".png", ".pdf")
_COLOURS = {
    "stride": "#c0392b", "border": "#e08e0b", "nonlinearity": "#8e44ad", "pooling": "#16a085",
    "filters": "#2f6fb0", "norm": "#7f8c8d", "join": "#95a5a6", "readout": "#34495e",
    "sampling": "#bdc3c7", "other": "#a0785a",
}  # fmt: skip


def draw(profile: Profile) -> Figure:
    """Two panels over the units in order: changes up to each, and each one's share of the whole.

    Raises MissingExtraError without matplotlib.
    """
    require("figures", "the figure of a profile")
    from matplotlib.figure import Figure  # noqa: PLC0415

    units = profile.units
    figure = Figure(figsize=(min(18, 5 + 0.14 * len(units)), 6.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    draw_changes(above, profile)
    below.axhline(0, color="0.7", linewidth=0.8)
    draw_shares(below, profile)
    below.set_xticks(range(len(units)), [unit.name for unit in units], rotation=90, fontsize=6)
    below.set_xlim(-1, len(units))
    figure.suptitle(f"{profile.network}, {profile.channels}×{profile.side}×{profile.side}")
    return figure


def draw_changes(axes: Axes, profile: Profile) -> None:
    """Relative changes of each unit's output, on a logarithmic axis."""
    factor, shift = math.exp(profile.amounts["analytic"]), profile.amounts["translation"]
    lines = {
        "analytic": (f"rescaled by {factor:.3g}, functions", "-", "#2f6fb0", 1.0),
        "raster": ("the same, photographs", "--", "#2f6fb0", 1.0),
        "lie": ("Lie derivative, by 1.01", "-", "#c0392b", math.log(1.01) ** 2),
        "translation": (f"moved by {shift:g} pixels", "-", "0.6", 1.0),
        "translation lie": ("Lie derivative, the same", ":", "0.4", shift**2),
    }
    for key, (label, style, colour, times) in lines.items():
        values = [_relative(unit, key) * times for unit in profile.units]
        if np.isfinite(values).any():
            axes.plot(values, style, color=colour, label=label, linewidth=1.3)
    axes.set_yscale("log")
    axes.set_ylabel("change, squared, relative\nto unrelated images")
    axes.legend(fontsize=7, ncols=2, frameon=False)


def draw_shares(axes: Axes, profile: Profile, kind: str = "lie") -> None:
    """Stacked bars of each unit's contributions to the output's Lie derivative, in %."""
    ends = {1: np.zeros(len(profile.units)), -1: np.zeros(len(profile.units))}
    seen = set()
    for unit in profile.units:
        for each in unit.contributions.get(kind, []):
            sign = 1 if each.share >= 0 else -1
            start = ends[sign][unit.index]
            axes.bar(
                unit.index, 100 * each.share, bottom=100 * start, color=_COLOURS[each.part],
                label=None if each.part in seen else each.part,
            )  # fmt: skip
            ends[sign][unit.index] += each.share
            seen.add(each.part)
    axes.set_ylabel("share of the output's\nLie derivative, %")
    if seen:
        axes.legend(fontsize=7, ncols=3, frameon=False)


def as_file(profile: Profile, suffix: str) -> bytes:
    """The figure as the bytes of a file with this suffix, one of `FORMATS`."""
    content = io.BytesIO()
    draw(profile).savefig(content, format=suffix.removeprefix("."), dpi=150)
    return content.getvalue()


def _relative(unit: UnitProfile, key: str) -> float:
    change = unit.changes.get(key)
    return math.nan if change is None else change.relative
