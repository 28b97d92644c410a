"""Section on raster warps: the error as the paper measured it, between its floor and ceiling."""

from __future__ import annotations

from functools import partial

from reports import measurements, plots
from reports.figures import render
from reports.markdown import code, paragraphs, picture, plain, table
from reports.material import Material, Section
from reports.measurements import RasterWarps
from reports.wording import share

TITLE = "### Rescaled photographs"
EXPLANATION = (
    "On real images the rescaling itself makes an error, which no layer can avoid. So each error "
    "is shown between two others under the same rescalings. *Floor*: ideal filters, nothing cut "
    "off; its error is that of the rescaling and of the pixel grid. *Ceiling*: the same filter at "
    "one fixed scale, as in a plain convolution."
)
NOT_MEASURED = "Nothing measured yet: there is no finished record of raster warps."


def write(material: Material) -> Section:
    """Figure and table of error, floor and ceiling against the ratio of rescaling."""
    found = measurements.read(material.latest("equivariance"), "warps", measurements.raster_warps)
    if not found:
        return Section(paragraphs(TITLE, EXPLANATION, NOT_MEASURED))
    text = paragraphs(
        TITLE,
        EXPLANATION,
        _finding(found),
        picture(
            "raster",
            "Error of the layer, floor and ceiling against the ratio of rescaling, on a "
            "logarithmic axis, one panel for each layer",
            "Relative squared error against the ratio of rescaling (side after over side before).",
        ),
        _table(material, found),
    )
    return Section(text, render("raster", partial(plots.raster, found), plots.raster_size(found)))


def _finding(found: list[RasterWarps]) -> str:
    """Compare each layer with its floor and its ceiling, over all ratios."""
    parts = []
    for item in found:
        above = [warp.error / warp.floor for warp in item.warps if warp.floor > 0]
        below = [warp.ceiling / warp.error for warp in item.warps if warp.error > 0]
        if above and below:
            parts.append(
                f"{code(item.record.subject)} has {min(above):.3g} to {max(above):.3g} times the "
                f"error of its floor, and its ceiling is {min(below):.3g} to {max(below):.3g} "
                "times as high as its own error"
            )
    return f"**Findings.** {'; '.join(parts)}." if parts else ""


def _table(material: Material, found: list[RasterWarps]) -> str:
    rows = [
        [
            code(item.record.subject) if number == 0 else "",
            f"{warp.ratio:.3f}",
            share(warp.floor),
            share(warp.error),
            share(warp.ceiling),
            plain((item.record.data or {}).get("name", "")) if number == 0 else "",
            material.cite(item.record) if number == 0 else "",
        ]
        for item in found
        for number, warp in enumerate(item.warps)
    ]
    header = ["Layer", "Ratio", "Floor, %", "Error, %", "Ceiling, %", "Images", "Evidence"]
    return table(header, "lrrrrll", rows)
