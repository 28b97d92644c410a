"""Section on the error budget: how much each published configuration loses, and to what."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from reports.drawings import budget as budget_plot
from reports.readers.budgets import Budget, budgets
from reports.readers.material import Material
from reports.sections.budget import layers as budget_layer
from reports.sections.budget import supports as budget_supports
from reports.sections.budget.findings import findings
from reports.writing.markdown import bullets, code, paragraphs, plain, table
from reports.writing.section import Section, picture, section
from reports.writing.wording import NOTHING, known, listing, share

TITLE_OF_FIGURE = "What the filters alone lose at each pair of scales (σ in pixels)"
EXPLANATION = (
    "A real filter is sampled on pixels and cut to a small grid, which the theory does not know. "
    "Between two neighbouring scales the error of the filters alone, without any network, splits "
    "exactly into two parts. *Sampling*: the sum over pixels differs from the integral, which "
    "hits filters that are narrow against a pixel. *Truncation*: the grid cuts off the rest of "
    "the filter. As vectors the two add up to the error, and they may cancel or reinforce each "
    "other: their squared norms need not add up to its squared norm. They bound it, by "
    "(√sampling + √truncation)². *Rank loss* is a share of both: what the coarse scale shows of "
    "those combinations of basis functions that vanish on the grid of the fine one. *Cut off* is "
    "what the fine grid alone leaves out of its response; most of it cancels where both scales "
    "are cut at the same multiple of σ, since filters cut so are scaled copies as whole ones are."
)
NOT_MEASURED = "Nothing measured yet: there is no finished record of an error budget."


def write(material: Material) -> Section:
    """Findings, figures and tables of the error budgets."""
    title = "## Error budget of the published configurations"
    found = budgets(material)
    if not found:
        return section(title, EXPLANATION, NOT_MEASURED)
    published = [item for item in found if item.published]
    shown = findings(published)
    return section(
        title,
        EXPLANATION,
        "**Findings.**" if shown else "",
        bullets(shown),
        _picture(published),
        _table(material, found),
        _comparison(found),
        _signals(found),
        budget_layer.write(published),
        budget_supports.write(published),
    )


def _picture(published: Sequence[Budget]) -> str | Section:
    if not published:
        return "No published configuration was measured."
    return picture(
        "budget",
        "Equivariance error of each published configuration by pair of neighbouring scales, with "
        "its sampling and truncation parts and its rank loss, on a logarithmic axis",
        "Equivariance error between neighbouring scales (σ in pixels), its two parts, the rank "
        "loss in them where there is any, and the bound. Thin line: range of the total over "
        "seeds. Open triangle: smaller than shown.",
        partial(budget_plot.draw, budget_plot.of_filters(published), TITLE_OF_FIGURE),
    )


def _table(material: Material, found: Sequence[Budget]) -> str:
    errors, grids = [], []
    for item in found:
        for number, pair in enumerate(item.pairs):
            first = [code(item.name), material.cite(item.record)] if number == 0 else ["", ""]
            parts = (pair.total, pair.sampling, pair.truncation, pair.bound)
            errors.append([first[0], pair.name, *map(share, parts), pair.limited_by, first[1]])
            sides = [_between(pair.supports), _between(pair.ranks)]
            losses = [known(pair.rank, share), known(pair.cut_off, share)]
            grids.append([first[0], pair.name, *sides, *losses])
    header = (
        "Configuration | Scales, px | Error, %: | Sampling, %: | Truncation, %: | Bound, %: "
        "| Limited by | Evidence"
    )
    names = "Configuration | Scales, px | Grid side, px | Rank | Rank loss, %: | Cut off, %:"
    return paragraphs(table(header, errors), table(names, grids, fold=True))


def _between(ends: tuple[int, int] | None) -> str:
    return NOTHING if ends is None else f"{ends[0]} → {ends[1]}"


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
