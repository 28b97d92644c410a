"""Section on the error budget: how much each published configuration loses, and to what."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from reports import budget_plot, measurements
from reports.figures import render
from reports.markdown import bullets, code, paragraphs, picture, plain, table
from reports.material import Material, Section
from reports.measurements import Budget, Pair
from reports.wording import NOTHING, listing, percent, plural, share

EXPLANATION = (
    "A real filter is sampled on pixels and cut to a small grid, which the theory does not know. "
    "Between two neighbouring scales the error of the filters alone, without any network, splits "
    "exactly into two parts. *Sampling*: the sum over pixels differs from the integral, which "
    "hits filters that are narrow against a pixel. *Truncation*: the grid cuts off the rest of "
    "the filter. As vectors the two add up to the error, and they may cancel or reinforce each "
    "other: their squared norms need not add up to its squared norm. They bound it, by "
    "(√sampling + √truncation)²."
)
NOT_MEASURED = "Nothing measured yet: there is no finished record of an error budget."


def budgets(material: Material) -> list[Budget]:
    """Return all error budgets, published ones first, by name."""
    found = measurements.read(material.latest("budget"), "pairs", measurements.budget)
    return sorted(found, key=lambda item: (not item.published, item.name))


def write(material: Material) -> Section:
    """Findings, figure and table of the error budgets."""
    title = "### Error budget of the published configurations"
    found = budgets(material)
    if not found:
        return Section(paragraphs(title, EXPLANATION, NOT_MEASURED))
    published = [item for item in found if item.published]
    text = paragraphs(
        title,
        EXPLANATION,
        *findings(published),
        _figure_text(published),
        _table(material, found),
        _comparison(found),
        _signals(found),
    )
    if not published:
        return Section(text)
    drawing = partial(budget_plot.draw, published)
    return Section(text, render("budget", drawing, budget_plot.size(published)))


def findings(published: Sequence[Budget]) -> list[str]:
    """Say in words what the budgets of published configurations show; empty without any."""
    if not published:
        return []
    everything = [(item, pair) for item in published for pair in item.pairs]
    worst = max(everything, key=lambda entry: entry[1].total)
    best = min(everything, key=lambda entry: entry[1].total)
    extremes = (
        f"Over {plural(len(published), 'published configuration')} and "
        f"{plural(len(everything), 'pair')} of neighbouring scales the error runs from "
        f"{percent(best[1].total)} ({_where(*best)}) to {percent(worst[1].total)} "
        f"({_where(*worst)})."
    )
    found = [extremes, _limits(published), _ranks(published)]
    return ["**Findings.**", bullets([text for text in found if text])]


def _where(item: Budget, pair: Pair) -> str:
    return f"{code(item.name)}, {pair.name}"


def _limits(published: Sequence[Budget]) -> str:
    """Say which configurations are limited by what, at their worst pair."""
    parts = []
    for part in ("truncation", "sampling"):
        names = [code(item.name) for item in published if item.worst.limited_by == part]
        if names:
            parts.append(f"{part} in {len(names)} ({listing(names)})")
    return f"At its worst pair a configuration is limited by {' and by '.join(parts)}."


def _ranks(published: Sequence[Budget]) -> str:
    """Say which configurations have fewer independent functions at their finest scale."""
    measured = [item for item in published if item.ranks]
    poorer = [item for item in measured if item.ranks[0] < max(item.ranks)]
    if not measured:
        return ""
    if not poorer:
        return "The basis functions are equally independent at all scales of a configuration."
    texts = [f"{code(item.name)} {item.ranks[0]} of {max(item.ranks)}" for item in poorer]
    return (
        "At the finest scale fewer basis functions are independent than at the coarsest, so that "
        f"not every filter can be shown there: {listing(texts)}."
    )


def _figure_text(published: Sequence[Budget]) -> str:
    if not published:
        return "No published configuration was measured."
    return picture(
        "budget",
        "Equivariance error of each published configuration by pair of neighbouring scales, with "
        "its sampling and truncation parts, on a logarithmic axis",
        "Equivariance error between neighbouring scales (σ in pixels), its two parts and its "
        "bound. Thin line: range of the total over seeds. Open triangle: smaller than shown.",
    )


def _table(material: Material, found: Sequence[Budget]) -> str:
    rows = []
    for item in found:
        for number, pair in enumerate(item.pairs):
            first = [code(item.name), material.cite(item.record)] if number == 0 else ["", ""]
            errors = (pair.total, pair.sampling, pair.truncation, pair.bound)
            rows.append(
                [
                    first[0],
                    pair.name,
                    f"{pair.ratio:.2f}",
                    pair.grids or NOTHING,
                    pair.ranks or NOTHING,
                    *map(share, errors),
                    pair.limited_by,
                    first[1],
                ]
            )
    header = [
        "Configuration", "Scales, px", "Ratio", "Grid side, px", "Rank", "Error, %",
        "Sampling, %", "Truncation, %", "Bound, %", "Limited by", "Evidence",
    ]  # fmt: skip
    return table(header, "llrllrrrrll", rows)


def _comparison(found: Sequence[Budget]) -> str:
    others = [code(item.name) for item in found if not item.published]
    return f"For comparison, not published: {listing(others)}." if others else ""


def _signals(found: Sequence[Budget]) -> str:
    """Describe the signals, on which the size of the error depends."""
    kinds: dict[str, None] = {}
    for item in found:
        described = item.record.configuration.get("signals")
        if isinstance(described, dict) and described:
            text = ", ".join(f"{name} {described[name]}" for name in sorted(described))
            kinds[plain(text.replace("_", " "))] = None
    if not kinds:
        return ""
    return f"The size of the error depends on how smooth the signals are. Here: {'; '.join(kinds)}."
