"""Section on bases: whether a smaller equivariance error gives a smaller test error."""

from __future__ import annotations

from functools import partial

from reports.drawings import bases as plots
from reports.readers.material import Material, Section
from reports.sections.claim_table import claim_table
from reports.writing.figures import render
from reports.writing.markdown import code, paragraphs, picture, table
from reports.writing.wording import NOTHING, percent
from verification.claims.claim import Correlation, Point, Ranking

EXPLANATION = (
    "Networks that differ from a published one in their basis alone: same layers, as many "
    "parameters, same data, protocol `short`. The bases were chosen by their predicted error "
    "(`python -m benchmarks.studies.choose`): the relative squared error of the worst pair of "
    "neighbouring scales, on smooth analytic signals. *Calibrated* ones have the smallest among "
    "those with the published number and ratios of scales, at no more taps than published, and at "
    "no more than twice as many. `narrow_supports`, `one_support`, `own_norm` and `no_power` are "
    "broken on purpose. Cost: taps, the pixels of a filter summed over scales, to which the "
    "products of a direct convolution are proportional. Train them by "
    "`python -m benchmarks campaign run --study bases --data mnist_scale --protocol short`."
)


def write(material: Material) -> Section:
    """The claims, the figure where there is anything to draw, and a row for each basis."""
    correlations = material.select(Correlation, "correlation.bases")
    claims = [*correlations, *material.select(Ranking, "ranking.bases")]
    parts = [EXPLANATION, claim_table(material, claims)]
    dots = {claim.points[0].model: plots.points(material, claim) for claim in correlations}
    drawn = {name: found for name, found in dots.items() if len(found) > 1}
    figures: dict[str, bytes] = {}
    if drawn:
        figures = render("bases", partial(plots.draw, drawn), plots.size(drawn))
        parts.append(
            picture(
                "bases",
                "Test error against predicted equivariance error, one panel for each network",
                "Test error against predicted equivariance error; area: taps; bars: standard "
                "deviation over runs.",
            )
        )
    parts += [_table(material, claim) for claim in correlations]
    return Section(paragraphs(*parts), figures)


def _table(material: Material, claim: Correlation) -> str:
    """A row for each basis, the smallest predicted error first."""
    found = {item["model"]: item for item in material.verdict(claim).measured.get("points", ())}
    rows = [_row(point, found) for point in sorted(claim.points, key=lambda p: p.predicted)]
    return table(["Network", "Predicted error", "Taps", "Test error, %", "Runs"], "lrrrr", rows)


def _row(point: Point, found: dict[str, dict[str, float]]) -> list[str]:
    item = found.get(point.model)
    return [
        code(point.model),
        percent(point.predicted),
        str(point.cost),
        f"{item['error']:.2f}" if item else NOTHING,
        f"{item['runs']:.0f}" if item else "0",
    ]
