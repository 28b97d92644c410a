"""Section on scales that no training image has."""

from __future__ import annotations

from functools import partial

from reports.drawings import results as plots
from reports.readers.material import Material, Section
from reports.readers.trainings import unseen_scales
from reports.sections.claim_table import claim_table
from reports.writing.figures import render
from reports.writing.markdown import code, paragraphs, picture, table
from reports.writing.wording import NOTHING, percent
from verification.claims.claim import Correlation, Ranking, Trend

EXPLANATION = (
    "MNIST-scale by the same recipe, digits and splits, with training and validation images on a "
    "part of the scales alone; the test images are the published ones, of scales 0.3 to 1. Six "
    "realisations, protocol `short`. Train them by "
    "`python -m benchmarks campaign run --study unseen_scales --data mnist_scale --protocol short`."
)
PREDICTED = (
    "**What the ends of the scale axis predict.** The change of the response after its maximum "
    "over scales, from the nearest end of the trained range to the unseen scale, as a share of "
    "that between unrelated images, in the continuum, where nothing but the axis makes it; beside "
    "it the test error measured there."
)


def write(material: Material) -> Section:
    """The claims, the curves where there are any, and predicted against measured."""
    correlations = material.select(Correlation, "correlation.unseen")
    claims = [
        *material.select(Ranking, "ranking.unseen"), *material.select(Trend, "trend.unseen"),
        *correlations,
    ]  # fmt: skip
    parts = [EXPLANATION, claim_table(material, claims)]
    panels, figures = unseen_scales(material), {}
    if panels:
        names = {**material.method_names, "cnn_28+": "CNN, with scaling augmentation"}
        drawing = partial(plots.by_scale, panels, names)
        figures = render("unseen_scales", drawing, plots.by_scale_size(panels))
        parts.append(
            picture(
                "unseen_scales",
                "Test error against object scale, one panel for each trained range",
                "Test error against object scale; shaded: the scales in training.",
            )
        )
    parts += [PREDICTED, *(_table(material, claim) for claim in correlations)]
    return Section(paragraphs(*parts), figures)


def _table(material: Material, claim: Correlation) -> str:
    measured = material.verdict(claim).measured.get("points", ())
    found = {(item["data"], item["scale"]): item["error"] for item in measured}
    rows = []
    for point in claim.points:
        assert point.scale is not None
        error = found.get((point.data, point.scale))
        rows.append(
            [
                code(point.model),
                code(point.data),
                f"{point.scale:.1f} to {point.scale + 0.1:.1f}",
                percent(point.predicted),
                NOTHING if error is None else f"{error:.1f}",
            ]
        )
    return table(["Network", "Data", "Object scale", "Predicted", "Test error, %"], "lllrr", rows)
