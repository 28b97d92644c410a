"""Section on how the cost of a layer grows with each of its sizes."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import partial

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from reports.readers import measurements
from reports.readers.material import Material
from reports.readers.measurements import Scaling
from reports.writing.figures import BLUE, VERMILION
from reports.writing.markdown import table
from reports.writing.section import Section, picture, section
from reports.writing.wording import interval

TITLE = "## Growth of the cost"
EXPLANATION = (
    "The second layer of the published networks, with one of its sizes varied at a time: a "
    "forward and backward pass of the layer, of its textbook form and of a plain 7×7 convolution "
    "with as many weights, timed in turns. Exponents p are fits of time ∝ sizeᵖ with their 95 % "
    "interval. The layer chooses for each size whether it convolves or multiplies frequencies."
)
NOT_MEASURED = "**Not run.** `python -m benchmarks scaling` measures it in minutes."
COLUMNS = 3
LABELS = {
    "image": "image side, px",
    "scales": "scales",
    "support": "kernel size V, px",
    "batch": "batch",
    "channels": "channels in and out",
}
FORMS = (
    ("textbook", "textbook form", VERMILION, "s", (0, (5, 2))),
    ("layer", "layer", BLUE, "o", "solid"),
)


def write(material: Material) -> Section:
    """Exponents and figure of all curves measured."""
    found = measurements.read(
        material.latest("timing", per_device=True), "exponents", measurements.scaling
    )
    if not found:
        return section(TITLE, EXPLANATION, NOT_MEASURED)
    found.sort(key=lambda item: list(LABELS).index(item.varied))
    shown = picture(
        "scaling",
        "Time of the layer and of its textbook form in plain convolutions, one panel for each size",
        "Time of a forward and backward pass over that of the plain convolution of the same size.",
        partial(draw, found),
    )
    return section(TITLE, EXPLANATION, _findings(found), shown, _table(material, found))


def draw(found: Sequence[Scaling], figure: Figure) -> None:
    """One panel per size: time over the plain convolution's."""
    rows = math.ceil((len(found) + 1) / COLUMNS)
    figure.set_size_inches(9.5, 0.8 + 2.6 * rows)
    grid = figure.subplots(rows, COLUMNS, sharey=True, squeeze=False)
    for axes in grid.flat[len(found) :]:
        axes.set_axis_off()
    for axes, item in zip(grid.flat, found, strict=False):
        for form, label, colour, marker, line in FORMS:
            ratios = [statistics.median(pair) for pair in item.over_plain(form)]
            axes.plot(item.sizes, ratios, color=colour, marker=marker, linestyle=line, label=label)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(item.sizes, [str(size) for size in item.sizes])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlabel(LABELS[item.varied])
    figure.suptitle("Time of one layer over that of a plain 7×7 convolution", fontweight="bold")
    figure.supylabel("time / plain convolution's", fontsize=10)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    grid.flat[-1].legend(handles, labels, loc="center")


def _findings(found: Sequence[Scaling]) -> str:
    gains = [
        statistics.median(a / b for a, b in zip(textbook, layer, strict=True))
        for item in found
        for textbook, layer in zip(item.seconds["textbook"], item.seconds["layer"], strict=True)
    ]
    return (
        f"**Finding.** At the {len(gains)} sizes timed the layer is {min(gains):.1f} to "
        f"{max(gains):.1f} times as fast as its textbook form."
    )


def _table(material: Material, found: Sequence[Scaling]) -> str:
    rows = [
        [
            LABELS[item.varied],
            f"{item.sizes[0]} to {item.sizes[-1]}",
            ", ".join(dict.fromkeys(item.ways)),
            *(interval(item.exponents[form]) for form in ("layer", "textbook", "plain")),
            material.cite(item.record),
        ]
        for item in found
    ]
    header = "Varied | Range: | Ways chosen | p, layer: | p, textbook form: | p, plain: | Evidence"
    return table(header, rows)
