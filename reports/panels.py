"""Section on the paper's three panels of the equivariance error, measured by us."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.figures import BLACK, BLUE, GREEN, ORANGE, PURPLE, VERMILION, percent_axis, render
from reports.markdown import paragraphs, picture, plain, table
from reports.material import FOOTNOTE, Material, Section, mark
from reports.measurements import read
from reports.wording import NOTHING, share
from verification.claims import Claim
from verification.evidence import Record

TITLE = "### The three panels of the paper"
SETTING = (
    "The paper shows its equivariance error in three panels: against depth, down-scaling factor "
    "and scale extent. **The networks and the scale grid behind its panels are not known**, and no "
    "code for them was published. So these panels cannot repeat its numbers, and a verdict holds "
    "for what they are measured with: the published STL-10 grid, basis A, `σ = 0.9·1.41^i`, V = 7. "
    "Wider scales keep its support, 3.92 σ; against the down-scaling factor q they are 0.9·q."
)
EXPLANATION = (
    "Each *network* is random and sees photographs rescaled by ordinary resampling; all pixels and "
    "all scales count. *Floor*: the same networks, their filters not cut off. *Ceiling*: the same "
    "filters at one fixed scale. *Exact probe*: the same kind of network on analytic images that "
    "are rescaled without resampling, away from any border. *Complete scales*: without the scales "
    "that the end of the scale axis cuts off. *Coarse*, against depth only: filters that are wide "
    "against a pixel, σ from 2 pixels on, and not cut off either. Its distance from the network's "
    "own curve shows what support and sampling change."
)
NOT_MEASURED = (
    "**These panels were not measured**: there is no finished record of them. "
    "`python -m benchmarks panels` measures them."
)
SIZE = (11.5, 4.6)
PANELS = (
    ("panel_depth", "trend.depth", "layers"),
    ("panel_down_scaling", "trend.down_scaling", "down-scaling factor"),
    ("panel_inter_scale", "trend.inter_scale", "scale extent"),
)
STYLES = {
    "ceiling": ("one fixed scale (ceiling)", VERMILION, "s", (0, (5, 2))),
    "y": ("network", BLACK, "o", "solid"),
    "probe": ("exact probe", ORANGE, "D", "solid"),
    "complete": ("complete scales only", PURPLE, "v", (0, (5, 2))),
    "floor": ("not cut off (floor)", BLUE, "^", (0, (2, 1.5))),
    "coarse": ("not cut off, coarse", GREEN, "p", (0, (2, 1.5))),
}
"""Label, colour, marker and line of each curve; those with a band show it over the networks."""
BANDS = ("y", "probe")

Rows = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Curves:
    """One record: x, and by name a row per random network."""

    record: Record
    x: tuple[float, ...]
    rows: dict[str, Rows]


@dataclass(frozen=True)
class Panel:
    """One panel: its curves, "probe" among them if it was measured, and where they come from."""

    claim_id: str
    variable: str
    x: tuple[float, ...]
    rows: dict[str, Rows]
    records: tuple[Record, ...]

    def median(self, name: str, position: int) -> float:
        """Middle of the networks at one x."""
        return statistics.median(row[position] for row in self.rows[name])

    def band(self, name: str, position: int) -> tuple[float, float]:
        """From the 2.5 % to the 97.5 % quantile of the networks at one x."""
        values = sorted(row[position] for row in self.rows[name])
        return _quantile(values, 0.025), _quantile(values, 0.975)


def write(material: Material) -> Section:
    """Figure and table of the error against depth, down-scaling factor and scale extent."""
    panels = read_panels(material)
    if not panels:
        return Section(paragraphs(TITLE, SETTING, NOT_MEASURED))
    networks = sorted({len(panel.rows["y"]) for panel in panels})
    text = paragraphs(
        TITLE,
        SETTING,
        EXPLANATION,
        picture(
            "panels",
            "Equivariance error against depth, down-scaling factor and scale extent, on a "
            "logarithmic axis, with floor, ceiling and exact probe",
            "Relative squared error; lines are medians and bands hold 95 % of "
            f"{' or '.join(map(str, networks))} random networks.",
        ),
        _table(material, panels),
        FOOTNOTE,
    )
    return Section(text, render("panels", partial(draw, panels), SIZE))


def read_panels(material: Material) -> list[Panel]:
    """The panels of which there is a record, with the exact probe of the same points.

    Raises RecordError naming the file of a record that cannot be read.
    """
    subjects = tuple(name for subject, _, _ in PANELS for name in (subject, f"{subject}_probe"))
    records = [record for record in material.newest("equivariance") if record.subject in subjects]
    found = {curves.record.subject: curves for curves in read(records, "x", _curves)}
    panels = []
    for subject, claim_id, variable in PANELS:
        if subject not in found:
            continue
        raster, probe = found[subject], found.get(f"{subject}_probe")
        rows, sources = dict(raster.rows), [raster.record]
        if probe is not None and probe.x == raster.x:
            rows["probe"] = probe.rows["y"]
            sources.append(probe.record)
        panels.append(Panel(claim_id, variable, raster.x, rows, tuple(sources)))
    return panels


def draw(panels: Sequence[Panel], figure: Figure) -> None:
    """One panel beside the other, with one legend."""
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    handles: dict[str, Line2D] = {}
    for axes, panel in zip(grid, panels, strict=True):
        for name in STYLES:
            if name in panel.rows:
                handles[name] = _curve(axes, panel, name)
        axes.set_title(f"against {panel.variable}")
        axes.set_xlabel(panel.variable)
        if panel.x[-1] / panel.x[0] > 10:
            axes.set_xscale("log")
        ticks = _ticks(panel.x)
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
    grid[0].set_ylabel("relative squared error, %")
    percent_axis(grid[0], "y")
    ordered = [name for name in STYLES if name in handles]
    figure.legend(
        [handles[name] for name in ordered],
        [STYLES[name][0] for name in ordered],
        loc="outside upper center",
        ncols=6,
    )


def _curve(axes: Axes, panel: Panel, name: str) -> Line2D:
    _, colour, marker, dash = STYLES[name]
    positions = range(len(panel.x))
    middle = [panel.median(name, position) for position in positions]
    if name in BANDS:
        lower, upper = zip(*(panel.band(name, position) for position in positions), strict=True)
        axes.fill_between(panel.x, lower, upper, color=colour, alpha=0.16, linewidth=0)
    line: Line2D
    (line,) = axes.plot(panel.x, middle, color=colour, marker=marker, markersize=5, linestyle=dash)
    return line


def _ticks(x: Sequence[float]) -> list[float]:
    """Whole numbers only, and none so near to the one before that their labels would touch."""
    kept: list[float] = []
    for value in x:
        if value == round(value) and (len(x) < 5 or not kept or value / kept[-1] > 1.45):
            kept.append(value)
    return kept


def _table(material: Material, panels: Sequence[Panel]) -> str:
    claims = {claim.id: claim for claim in material.select(Claim)}
    rows = []
    for panel in panels:
        claim = claims[panel.claim_id]
        for position in dict.fromkeys((0, len(panel.x) // 2, len(panel.x) - 1)):
            first = position == 0
            rows.append(
                [
                    plain(claim.statement) + mark(claim) if first else "",
                    f"{panel.variable} {panel.x[position]:.3g}",
                    _interval(panel, position),
                    *(
                        share(panel.median(name, position)) if name in panel.rows else NOTHING
                        for name in ("probe", "floor", "ceiling", "complete", "coarse")
                    ),
                    material.judged(claim) if first else "",
                    material.cite(*panel.records) if first else "",
                ]
            )
    header = [
        "Statement", "At", "Error, %", "Probe, %", "Floor, %", "Ceiling, %", "Complete scales, %",
        "Coarse, %", "Verdict", "Evidence",
    ]  # fmt: skip
    return table(header, "llrrrrrrll", rows)


def _interval(panel: Panel, position: int) -> str:
    low, high = panel.band("y", position)
    return f"{share(panel.median('y', position))} \\[{share(low)}, {share(high)}]"


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
