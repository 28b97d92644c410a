"""Sections beyond the paper: whether a smaller equivariance error pays, and unseen scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from reports.drawings import bases as bases_plot
from reports.drawings import results as plots
from reports.readers.material import Material
from reports.readers.trainings import ScaleCurves, hours, unseen_scales
from reports.sections.claim_table import LONGEST
from reports.sections.front import leads
from reports.writing.markdown import clipped, code, paragraphs, plain, table
from reports.writing.section import Section, picture, section
from reports.writing.wording import NOTHING, known, listing, percent, plural, signed
from verification.claims.claim import Claim, Correlation, Point, Ranking, Trend
from verification.claims.records import Record
from verification.claims.rules import Verdict
from verification.claims.rules.correlations import RESAMPLES, permutation_ps

BASES = (
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
UNSEEN = (
    "MNIST-scale by the same recipe, digits and splits, with training and validation images on a "
    "part of the scales alone; the test images are the published ones, of scales 0.3 to 1. Six "
    "realisations, protocol `short`. Train them by "
    "`python -m benchmarks campaign run --study unseen_scales --data mnist_scale --protocol short`."
)
PREDICTED = (
    "**What the ends of the scale axis predict.** The change of the response after its maximum "
    "over scales, from the nearest end of the trained range to the unseen scale, relative "
    "to that between unrelated images. It is computed in the continuum, where the ends of the axis "
    "are its only cause; next to it is the measured test error."
)

EXPECTED = "; expected is "
"""What parts a claim's statement from what was expected when it was written, before the data."""


def bases(material: Material) -> Section:
    """The claims, the figure where there is anything to draw, and a row for each basis."""
    correlations = material.select(Correlation, "correlation.bases")
    rankings = material.select(Ranking, "ranking.bases")
    claims: list[Claim] = [*correlations, *rankings]
    dots = {claim.points[0].model: bases_plot.points(material, claim) for claim in correlations}
    drawn = {name: found for name, found in dots.items() if len(found) > 1}
    shown = (
        picture(
            "bases",
            "Test error against predicted equivariance error, one panel for each network",
            "Test error against predicted equivariance error; area: taps; bars: standard "
            "deviation over runs.",
            partial(bases_plot.draw, drawn),
        )
        if drawn
        else ""
    )
    spent = [r for r in material.of_kind("training") if "basis" in r.configuration]
    tables = [_by_basis(material, claim, rankings) for claim in correlations]
    return section(BASES, _foretold(material, claims), _time(spent), shown, *tables)


def _foretold(material: Material, claims: Sequence[Claim]) -> str:
    """What was expected of each claim before the data, as it says itself, and what came out."""
    rows = []
    for claim in claims:
        statement, _, expected = claim.statement.removesuffix(".").partition(EXPECTED)
        rows.append(
            [
                plain(clipped(statement, LONGEST)),
                plain(clipped(expected, LONGEST)) or NOTHING,
                plain(clipped(_came_out(material.verdict(claim)), LONGEST)),
                material.judged(claim),
                material.cite(claim),
            ]
        )
    return table("Statement | Expected before the data | What came out | Verdict | Evidence", rows)


def _came_out(verdict: Verdict) -> str:
    found = verdict.measured
    if "rho" in found:
        least = 1 / RESAMPLES
        p = f"p = {found['p']:.3f}" if found["p"] >= least else f"p < {least:.4f}"
        return f"rank correlation {signed(found['rho'])}, {p} over {len(found['points'])} points"
    if "difference" in found:
        ends = f", {signed(found['low'])} to {signed(found['high'])}" if "low" in found else ""
        return (
            f"{signed(found['difference'])} points against {found['rival']}{ends}, "
            f"{plural(found['pairs'], 'pair')}"
        )
    return verdict.reason


def _time(records: Sequence[Record]) -> str:
    cores, processes = hours(records)
    spent = [
        text
        for time, text in (
            (cores, f"{_amount(cores, 'core-')} on CPUs"),
            (processes, f"{_amount(processes)} of processes that shared a GPU"),
        )
        if time
    ]
    return f"**Time spent**: {plural(len(records), 'training')}, {listing(spent)}." if spent else ""


def _amount(hours: float, unit: str = "") -> str:
    return f"{hours:.1f} {unit}hours" if hours >= 1 else f"{60 * hours:.2g} {unit}minutes"


def _outside(panels: Sequence[ScaleCurves], names: Mapping[str, str]) -> str:
    """Test error at the scales that were not trained, a row for each network."""
    models = dict.fromkeys(curve.model for panel in panels for curve in panel.curves)
    rows = []
    for model in models:
        found = [
            next((c.error_outside(panel.trained) for c in panel.curves if c.model == model), None)
            for panel in panels
        ]
        rows.append([names.get(model, model), *(known(e, "{:.1f}".format) for e in found)])
    heads = [f"{panel.title}:" for panel in panels]
    return paragraphs(
        "Test error in %, over all test images whose scale no training image has:",
        table(["Network", *heads], rows),
    )


def _by_basis(material: Material, claim: Correlation, rankings: Sequence[Ranking]) -> str:
    """A row for each basis, the smallest predicted error first."""
    measured = material.verdict(claim).measured
    found = {item["model"]: item for item in measured.get("points", ())}
    shared = measured.get("realisations", 0)
    text = (
        f"Test errors are means over the {plural(shared, 'realisation')} that all of these have, "
        "as the correlation takes them; comparisons above use all that their two networks have."
        if any(item["runs"] > shared > 0 for item in found.values())
        else ""
    )
    if "rho" in measured:
        broken = leads.broken_bases(rankings, claim.points[0].model)
        kept = [p for p in claim.points if p.model not in broken]
        errors = np.array([found[p.model]["error"] for p in kept])
        rho, p_value, _ = permutation_ps(np.array([p.predicted for p in kept]), errors)
        text += (
            " Without those that are broken on purpose the rank correlation is "
            f"{signed(rho)}, p = {p_value:.3f} over {len(kept)} points (not stated before the "
            "data)."
        )
    rows = [_basis(p, found.get(p.model, {})) for p in sorted(claim.points, key=_predicted)]
    return paragraphs(
        text.strip(), table("Network | Predicted error: | Taps: | Test error, %: | Runs:", rows)
    )


def _predicted(point: Point) -> float:
    return point.predicted


def _basis(point: Point, found: Mapping[str, float]) -> list[str]:
    cells = [code(point.model), percent(point.predicted), str(point.cost)]
    return [*cells, known(found.get("error")), f"{found.get('runs', 0):.0f}"]


def unseen(material: Material) -> Section:
    """The claims, the curves where there are any, and predicted against measured."""
    correlations = material.select(Correlation, "correlation.unseen")
    claims: list[Claim] = [
        *material.select(Ranking, "ranking.unseen"), *material.select(Trend, "trend.unseen"),
        *correlations,
    ]  # fmt: skip
    panels, parts = (
        unseen_scales(material),
        {point.data for c in correlations for point in c.points},
    )
    names = {**material.method_names, "cnn_28+": "CNN, with scaling augmentation"}
    shown = (
        picture(
            "unseen_scales",
            "Test error against object scale, one panel for each trained range",
            "Test error against object scale; shaded: the scales in training.",
            partial(plots.by_scale, panels, names),
        )
        if panels
        else ""
    )
    spent = [r for r in material.of_kind("training") if (r.data or {}).get("name") in parts]
    outside = _outside(panels, names) if panels else ""
    tables = [_by_scale(material, claim) for claim in correlations]
    return section(
        UNSEEN, outside, _foretold(material, claims), _time(spent), shown, PREDICTED, *tables
    )


def _by_scale(material: Material, claim: Correlation) -> str:
    measured = material.verdict(claim).measured.get("points", ())
    found = {(item["data"], item["scale"]): item["error"] for item in measured}
    rows = []
    for point in claim.points:
        assert point.scale is not None
        rows.append(
            [
                code(point.model),
                code(point.data),
                f"{point.scale:.1f} to {point.scale + 0.1:.1f}",
                percent(point.predicted),
                known(found.get((point.data, point.scale)), "{:.1f}".format),
            ]
        )
    return table("Network | Data | Object scale | Predicted: | Test error, %:", rows)
