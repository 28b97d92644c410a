"""Figure of where networks lose scale: change by depth, and shares by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.writing.figures import BLUE, VERMILION

COLOURS = {"untrained": BLUE, "trained": VERMILION}
_SHOWN = 0.005
"""Smaller shares are no bars."""

Profiles = Mapping[str, Any]
"""State -> what a record keeps of its profile."""


def draw(networks: Sequence[tuple[str, Profiles]], figure: Figure) -> None:
    """A column for each network: changes up to each unit above, shares of parts below."""
    figure.set_size_inches(10.5, 6.6)
    panels = figure.subplots(2, len(networks), squeeze=False, sharey="row")
    for (name, profiles), depth, parts in zip(networks, *panels, strict=True):
        _draw_depth(depth, profiles)
        depth.set_title(name)
        _draw_parts(parts, profiles)
    panels[0][0].set_ylabel("change by ×1.25, relative")
    panels[1][0].set_ylabel("share of the output's\nLie derivative, %")
    panels[0][0].legend(loc="best")


def _draw_depth(axes: Axes, profiles: Profiles) -> None:
    for state, profile in profiles.items():
        values = [unit["changes"].get("analytic") for unit in profile["units"]]
        known = [(i, value) for i, value in enumerate(values) if i and value]  # the image is none
        axes.plot(*zip(*known, strict=True), color=COLOURS[state], label=state, marker=".")
    axes.set_yscale("log")
    axes.set_xlabel("unit, in the order of running")


def _draw_parts(axes: Axes, profiles: Profiles) -> None:
    shown = [
        part
        for each in profiles.values()
        for part, share in sorted(
            each["by_part"].items(), key=lambda pair: (-abs(pair[1]), pair[0])
        )
        if abs(share) >= _SHOWN
    ]
    names = list(dict.fromkeys(shown))
    places = np.arange(len(names))
    for i, (state, profile) in enumerate(profiles.items()):
        shares = [100 * profile["by_part"].get(name, 0.0) for name in names]
        axes.bar(places + 0.4 * i - 0.2, shares, 0.4, color=COLOURS[state])
    axes.axhline(0, color="0.4", linewidth=0.8)
    axes.set_xticks(places, names, rotation=60)
