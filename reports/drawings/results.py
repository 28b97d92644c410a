"""What the figures show; how they look is in `figures`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from reports.readers.measurements import Bin, RasterWarps
from reports.readers.trainings import Curve, ScaleCurves
from reports.writing.figures import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    VERMILION,
    percent_axis,
)
from verification.claims.claim import Cell
from verification.claims.rules import Verdict

MOST_WITH_BARS = 4
ERROR_TICKS = (0.5, 1, 2, 3, 5, 10, 20, 50)
EMPHASISED = ("CNN", "SESN scalar", "SESN vector")
_SPREAD = 0.03  # of the methods about the middle of a bin, so that bars do not hide one another
_WILSON = 1.96


def raster(found: Sequence[RasterWarps], figure: Figure) -> None:
    """Error of each layer between its floor and its ceiling, against the ratio.

    Warps that move the image as well and those with unequal ratios stand alone, without a line.
    """
    figure.set_size_inches(max(7.5, 4.4 * len(found) + 0.7), 4.2)
    panels = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    styles = (
        ("ceiling", "one fixed scale (ceiling)", VERMILION, "s", (0, (5, 2))),
        ("error", "layer", BLACK, "o", "solid"),
        ("floor", "ideal filters (floor)", BLUE, "^", (0, (2, 1.5))),
    )
    singles = (
        ("translated", "layer, image moved as well", BLACK, "D", "white"),
        ("anisotropic", "layer, unequal ratios (must fail)", PURPLE, "X", PURPLE),
    )
    for axes, item in zip(panels, found, strict=True):
        rescalings = sorted(item.of("down", "up"), key=lambda warp: warp.ratio)
        ratios = [warp.ratio for warp in rescalings]
        for name, label, colour, marker, line in styles:
            values = [getattr(warp, name) for warp in rescalings]
            axes.plot(ratios, values, color=colour, marker=marker, linestyle=line, label=label)
        for kind, label, colour, marker, inside in singles:
            alone = item.of(kind)
            axes.plot(
                [warp.ratio for warp in alone], [warp.error for warp in alone], marker,
                color=colour, markerfacecolor=inside, markeredgewidth=1.6, label=label,
            )  # fmt: skip
        axes.set_title(_raster_title(item))
        axes.set_xlabel("ratio of rescaling (out / in)")
    panels[0].set_ylabel("relative squared error, %")
    percent_axis(panels[0], "y")
    handles, labels = panels[0].get_legend_handles_labels()
    title = "Lifting layer on rescaled photographs"
    figure.legend(handles, labels, loc="outside upper center", ncols=3, title=title)


def by_scale(panels: Sequence[ScaleCurves], names: Mapping[str, str], figure: Figure) -> None:
    """Test error of each method against the object scale, with Wilson intervals."""
    columns = 3 if len(panels) == 3 else min(2, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure.set_size_inches(9.5 if columns > 1 else 6.5, 0.7 + 3.4 * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    handles: dict[str, Artist] = {}
    for axes, panel in zip(grid.flat, panels, strict=False):
        for position, curve in enumerate(panel.curves):
            method = names.get(curve.model, curve.model)
            crowded = len(panel.curves) > MOST_WITH_BARS and method not in EMPHASISED
            shift = _SPREAD * ((position + 0.5) / len(panel.curves) - 0.5)
            handles[method] = _curve(axes, curve, method, shift, crowded=crowded)
        if panel.trained:
            axes.axvspan(*panel.trained, color=PALE, linewidth=0, zorder=0)
        axes.set_title(panel.title)
        axes.set_xlabel("object scale")
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(FixedLocator(ERROR_TICKS))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_locator(NullLocator())
    for axes in grid[:, 0]:
        axes.set_ylabel("test error, % (logarithmic)")
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    shown = [name for name in STYLES if name in handles] + sorted(handles.keys() - STYLES.keys())
    columns = min(5, len(shown))
    figure.legend(
        [handles[method] for method in shown], shown, loc="outside upper center", ncols=columns,
        title="Test error by object scale, with 95 % intervals",
    )  # fmt: skip


def cells(claims: Sequence[Cell], verdicts: Mapping[str, Verdict], figure: Figure) -> None:
    """Published, earlier and own errors of each method, one panel per column of the table."""
    columns = list(dict.fromkeys(claim.column for claim in claims))
    methods = list(dict.fromkeys(claim.method for claim in claims))
    figure.set_size_inches(9.5, 7.0)
    grid = figure.subplots(2, math.ceil(len(columns) / 2), sharey=True, squeeze=False)
    for axes, column in zip(grid.flat, columns, strict=False):
        for claim in claims:
            if claim.column == column:
                _cell(axes, claim, verdicts[claim.id].measured, methods.index(claim.method))
        for row in range(0, len(methods), 2):
            axes.axhspan(row - 0.5, row + 0.5, color=PALE, linewidth=0, zorder=0)
        axes.set_title(f"MNIST-scale, column {column}")
        axes.set_yticks(range(len(methods)), methods)
        axes.set_ylim(len(methods) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("test error, %")
    for axes in grid.flat[len(columns) :]:
        axes.set_axis_off()
    kinds = (
        ("published, mean ± std", GREY, "s"),
        ("earlier re-run by others", SKY, "D"),
        ("ours, mean ± std", VERMILION, "o"),
    )
    handles = [
        grid[0, 0].plot([], [], color=colour, marker=marker, linestyle="none", label=label)[0]
        for label, colour, marker in kinds
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)


LAYERS = {"lifting_raster_cut": "Filters cut off", "lifting_raster_wide": "Filters not cut off"}


def _raster_title(item: RasterWarps) -> str:
    """Name of the layer, and its size where the record says it."""
    configuration = item.record.configuration
    parts = [
        f"{text} {configuration[name]:g} px"
        for name, text in (("kernel_size", "kernel"), ("sigma", "σ"))
        if isinstance(configuration.get(name), int | float)
    ]
    name = LAYERS.get(item.record.subject, item.record.subject)
    return "\n".join([name, ", ".join(parts)] if parts else [name])


STYLES = {
    "CNN": (BLACK, "o", "solid"),
    "SESN scalar": (BLUE, "s", "solid"),
    "SESN vector": (VERMILION, "D", "solid"),
    "SiCNN": (ORANGE, "v", (0, (5, 2))),
    "SI-ConvNet": (SKY, "^", (0, (5, 2))),
    "SEVF scalar": (GREEN, "<", (0, (5, 2))),
    "SEVF vector": (GREEN, ">", (0, (1.5, 1.5))),
    "DSS scalar": (PURPLE, "p", (0, (5, 2))),
    "DSS vector": (PURPLE, "h", (0, (1.5, 1.5))),
    "SS-CNN": (GREY, "X", (0, (5, 2))),
}
"""Colour, marker and line of each method, the same in every panel."""


def _curve(axes: Axes, curve: Curve, method: str, shift: float, *, crowded: bool) -> Artist:
    """Draw one method; in a crowd thinner and without bars."""
    colour, marker, line = STYLES.get(method, (GREY, "o", "solid"))
    middles = [(item.start + item.stop) / 2 + shift for item in curve.bins]
    errors = [100 * item.errors / item.images for item in curve.bins]
    if crowded:
        return axes.plot(
            middles, errors, color=colour, marker=marker, linestyle=line, linewidth=1.0,
            markersize=4.0, alpha=0.8,
        )[0]  # fmt: skip
    ends = [_wilson(item) for item in curve.bins]
    reach = [
        [max(0.0, error - low) for error, (low, _) in zip(errors, ends, strict=True)],
        [max(0.0, high - error) for error, (_, high) in zip(errors, ends, strict=True)],
    ]
    container = axes.errorbar(
        middles, errors, reach, color=colour, marker=marker, linestyle=line, elinewidth=1.0
    )
    handle: Artist = container.lines[0]
    return handle


def _wilson(item: Bin) -> tuple[float, float]:
    """95 % interval of the share of errors, in percent."""
    n, p, z = item.images, item.errors / item.images, _WILSON
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return 100 * (middle - half), 100 * (middle + half)


def _cell(axes: Axes, claim: Cell, measured: Mapping[str, float], row: int) -> None:
    """One method: published above, earlier re-run in the middle, ours below."""
    entries = [(claim.value, claim.std, GREY, "s", -0.22)]
    if claim.rerun is not None:
        entries.append((claim.rerun.mean, claim.rerun.std, SKY, "D", 0.0))
    if "mean" in measured:
        entries.append((measured["mean"], measured.get("std"), VERMILION, "o", 0.22))
    for value, std, colour, marker, offset in entries:
        axes.errorbar(
            value, row + offset, xerr=std, color=colour, marker=marker, markersize=5, elinewidth=1.4
        )
