"""Section on the paper's three panels of the equivariance error, measured by us on three grids."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from reports.drawings import panels as panels_plot
from reports.readers.material import FOOTNOTE, Material, claim_link
from reports.readers.panels import GRIDS, PANELS, Panel, read_panels
from reports.sections.claim_table import claim_table
from reports.writing.markdown import bullets, paragraphs, table
from reports.writing.section import Section, picture, section
from reports.writing.wording import NOTHING, interval, percent, share
from verification.claims.claim import Claim, Trend

TITLE = "## The three panels of the paper"
SETTING = (
    "The paper shows its equivariance error in three panels: against depth, down-scaling factor "
    "and scale extent. **The networks and the scales behind its panels are not known**, and no "
    "code for them was published. So these panels cannot repeat its numbers. Each published "
    "statement is read for three grids of scales that were fixed with the rule: both families of "
    "basis that were published, and a wide one that cuts nothing off and is well sampled. It "
    "counts as supported only if it holds on every published grid and fails on none, and as "
    "refuted only if it fails on all (rule of 27 November 2026; before, one grid was enough)."
)
EXPLANATION = (
    "Each *network* is random and sees photographs rescaled by ordinary resampling; it pads with "
    "zeros, and all pixels and all scales count. *Exact probe*: the same kind of network on the "
    "same kind of patches, taken as closed-form periodic functions, which are rescaled without "
    "resampling and have no border. The probe shows the network's own error; the rest of the "
    "network's curve is due to resampling and padding. *Floor*: the same "
    "coefficients, filters not cut off. *Ceiling*: the same filters at one fixed scale. *Complete "
    "scales*: without the scales that the end of the scale axis cuts off."
)
NOT_MEASURED = (
    "**These panels were not measured**: there is no finished record of them. "
    "`python -m benchmarks panels` measures them."
)


def write(material: Material) -> Section:
    """Figure and table of the error against depth, down-scaling factor and scale extent."""
    panels = read_panels(material)
    if not panels:
        return section(TITLE, SETTING, NOT_MEASURED)
    networks = sorted({len(panel.rows["y"]) for panel in panels})
    return section(
        TITLE,
        SETTING,
        _published(material),
        EXPLANATION,
        _findings(panels),
        picture(
            "panels",
            "Equivariance error against depth, down-scaling factor and scale extent, one row for "
            "each grid of scales, on a logarithmic axis, with floor, ceiling and exact probe",
            "Relative squared error; lines are medians and bands hold 95 % of "
            f"{' or '.join(map(str, networks))} random networks.",
            partial(panels_plot.draw, panels, GRIDS),
        ),
        _table(material, panels),
        FOOTNOTE,
    )


def _published(material: Material) -> str:
    """The published statements with their verdicts, and those on each grid."""
    names = {f"trend.{panel}.{grid}": text for panel in PANELS for grid, text in GRIDS.items()}

    def say(claim: Claim) -> str:
        verdicts = material.verdict(claim).measured.get("readings", {})
        found = [f"{names.get(name, name)}: {status}" for name, status in verdicts.items()]
        return ", ".join(found) or material.verdict(claim).reason

    return claim_table(material, [c for c in material.select(Trend) if c.readings], say)


def _findings(panels: Sequence[Panel]) -> str:
    found = [_finding(panel) for panel in panels if "probe" in panel.rows]
    return paragraphs("**Findings**, as medians at the end of each range.", bullets(found))


def _finding(panel: Panel) -> str:
    """Say how much of the error at the last point is the network's own."""
    last = len(panel.x) - 1
    seen, own = panel.median("y", last), panel.median("probe", last)
    parts = [
        f"{GRIDS[panel.grid]}, {panel.variable} {panel.x[last]:g}: {percent(seen)} on resampled "
        f"photographs, {percent(own)} by exact probe"
    ]
    if "floor" in panel.rows:
        parts.append(f"{percent(panel.median('floor', last))} where nothing is cut off")
    if "complete" in panel.rows:
        parts.append(f"{percent(panel.median('complete', last))} at complete scales")
    return "; ".join(parts)


def _table(material: Material, panels: Sequence[Panel]) -> str:
    claims = {claim.id: claim for claim in material.select(Trend)}
    rows = []
    for panel in sorted(panels, key=lambda panel: list(PANELS).index(panel.name)):
        claim = claims[panel.claim_id]
        for position in dict.fromkeys((0, len(panel.x) // 2, len(panel.x) - 1)):
            first = position == 0
            rows.append(
                [
                    claim_link(claim, GRIDS[panel.grid]) if first else "",
                    f"{panel.variable} {panel.x[position]:.3g}",
                    interval([panel.median("y", position), *panel.band("y", position)], share),
                    *(
                        share(panel.median(name, position)) if name in panel.rows else NOTHING
                        for name in ("probe", "floor", "ceiling", "complete")
                    ),
                    material.cite(*panel.records) if first else "",
                ]
            )
    header = (
        "Grid | At | Error, %: | Probe, %: | Floor, %: | Ceiling, %: | Complete scales, %: "
        "| Evidence"
    )
    return table(header, rows, fold=True)
