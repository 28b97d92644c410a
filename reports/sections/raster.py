"""Section on raster warps: the error as the paper measured it, between its floor and ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from reports.drawings import results as plots
from reports.readers import measurements
from reports.readers.material import Material
from reports.readers.measurements import RasterWarps, Warp
from reports.writing.markdown import bullets, code, table
from reports.writing.section import Section, picture, section
from reports.writing.wording import NOTHING, share

TITLE = "## Warped photographs"
EXPLANATION = (
    "On real images the rescaling itself makes an error, which no layer can avoid. So each error "
    "is shown between two others under the same warps. *Floor*: ideal filters, nothing cut off; "
    "its error is that of the warp and of the pixel grid. *Ceiling*: the same filter at one fixed "
    "scale, as in a plain convolution. *Bound*: what the floor and the documented cut-off together "
    "can explain, √bound = √floor + √truncation; no layer with these filters may exceed it. Where "
    "rows and columns are rescaled unequally no scale fits, and a layer whose filters are wide "
    "enough for a sharp bound *must* exceed it: this is the control. The filters of its floor are "
    "stretched as the image is."
)
NOT_MEASURED = "Nothing measured yet: there is no finished record of raster warps."
RESCALINGS = ("down", "up", "translated")


def write(material: Material) -> Section:
    """Figure and table of error, floor, bound and ceiling for each kind of warp."""
    found = measurements.read(material.newest("equivariance"), "warps", measurements.raster_warps)
    if not found:
        return section(TITLE, EXPLANATION, NOT_MEASURED)
    return section(
        TITLE,
        EXPLANATION,
        "**Findings.**",
        bullets([_finding(item) for item in found]),
        picture(
            "raster",
            "Error of the layer, floor and ceiling against the ratio of rescaling, on a "
            "logarithmic axis, one panel for each layer",
            "Relative squared error against the ratio of rescaling (side after over side before); "
            "unequal sides at their geometric mean.",
            partial(plots.raster, found),
        ),
        _table(material, found),
    )


def _finding(item: RasterWarps) -> str:
    """Compare a layer with its floor, bound and ceiling over all warps that are rescalings."""
    rescalings, unequal = item.of(*RESCALINGS), item.of("anisotropic")
    parts = [
        f"{code(item.record.subject)}: under {len(rescalings)} rescalings its error is "
        f"{_range([w.error / w.floor for w in rescalings])} times its floor and "
        f"{_range([w.error / w.bound for w in rescalings])} of its bound; one fixed scale makes "
        f"{_range([w.ceiling / w.error for w in rescalings])} times as large an error"
    ]
    if unequal:
        parts.append(
            "under unequal ratios its error is "
            f"{_range([w.error / w.bound for w in unequal])} times the bound"
        )
    return "; ".join(parts)


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.2g} to {max(values):.3g}" if values else NOTHING


def _table(material: Material, found: Sequence[RasterWarps]) -> str:
    rows = [
        [
            code(item.record.subject) if number == 0 else "",
            _described(warp),
            f"{warp.ratio:.3f}",
            share(warp.floor),
            share(warp.error),
            share(warp.bound),
            share(warp.ceiling),
            material.cite(item.record) if number == 0 else "",
        ]
        for item in found
        for number, warp in enumerate(item.warps)
    ]
    header = "Layer | Warp | Ratio: | Floor, %: | Error, %: | Bound, %: | Ceiling, %: | Evidence"
    return table(header, rows, fold=True)


def _described(warp: Warp) -> str:
    if warp.kind == "translated":
        return f"moved by ({', '.join(map(str, warp.shift))}) px"
    if warp.kind == "anisotropic":
        return f"unequal, {warp.sides[0]} × {warp.sides[1]} px"
    return warp.kind
