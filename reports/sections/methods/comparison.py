"""Section on all methods side by side: errors, unchanged predictions and costs in one table."""

from __future__ import annotations

from functools import partial

from reports.drawings import comparison as comparison_plot
from reports.readers.comparison import FLOOR, Comparison, Method, Price, read_comparison
from reports.readers.material import Material
from reports.sections.claim_table import claim_table
from reports.sections.methods import findings as comparison_findings
from reports.writing.markdown import code, paragraphs, plain, table
from reports.writing.section import Section, picture, section
from reports.writing.wording import NOTHING, interval, listing, plural, share
from verification.claims.claim import Cost, Ranking

EXPLANATION = (
    "Untrained networks for images of 28×28 pixels, the same images, factors of rescaling from 0.5 "
    "to 2 and seeds for all. An error is the relative squared change of a response under "
    "rescaling, in %; in brackets the same in % of what unrelated responses differ by, since a "
    "response that is nearly the same everywhere changes little whatever it promises. *First "
    "layer*: its response after its maximum over scale, on analytic images that are rescaled "
    "without resampling (*probe*), on digits, and on photographs. *Trunk*: all layers before the "
    "last pool, by the probe. *Own steps*: the first layer before that maximum, moved by one step "
    "of the method's own scale axis: what the method itself promises. The steps have different "
    "lengths, so this column is not comparable between methods. *Unchanged*: predictions that "
    "rescaling a digit does not change, in %, and in brackets how many unrelated images share. "
    "*Floor*: filters that follow the image and are cut off nowhere."
)
COSTS = (
    "Costs are those of batches of {batch} images, on {device} with {threads}; times and memory "
    "are ratios to the plain CNN's in the same run: median \\[quartiles] over {rounds}, for memory "
    "\\[smallest, largest]. Multiply-adds are millions per image of a forward pass, as computed."
)
NOT_MEASURED = (
    "**Not run.** There is no finished record of the comparison. `python -m benchmarks compare` "
    "measures it."
)
ERRORS = (
    "Method | Probe, %: | Digits, %: | Photographs, %: | Trunk, %: | Own steps, %: "
    "| Unchanged, %: | Evidence"
)
PRICES = (
    "Method | Parameters: | Multiply-adds, millions: | Forward pass: | Training step: "
    "| Peak memory: | Evidence"
)
COLUMNS = ("probe", "digits", "photographs", "trunk", "own_steps")


def write(material: Material) -> Section:
    """Findings, figure, table and verdicts, of what there are records of."""
    comparison = read_comparison(material)
    claims = claim_table(
        material,
        [
            *material.select(Ranking, "ranking.equivariance"),
            *material.select(Cost, "cost.step.sicnn_over_si_convnet"),
        ],
    )
    if not comparison.names:
        return section(NOT_MEASURED, claims)
    return section(
        EXPLANATION,
        _costs(comparison),
        comparison_findings.write(material, comparison),
        _picture(material, comparison),
        _table(material, comparison),
        _repeat(comparison),
        "## Verdicts on the comparison",
        claims,
    )


def _picture(material: Material, comparison: Comparison) -> str | Section:
    if not comparison_plot.points_of(comparison, "probe", material.method_names):
        return ""
    return picture(
        "comparison",
        "Equivariance error against the time of a training step, a point for each method, one "
        "panel for the first layer and one for the trunk, on logarithmic axes",
        "Error as a share of that of unrelated responses, against the time of a training step. "
        "Bars: range over repetitions, and quartiles of time. Dashed: the plain CNN. Lower left is "
        "better.",
        partial(comparison_plot.draw, comparison, material.method_names),
    )


def _costs(comparison: Comparison) -> str:
    if not comparison.prices:
        return "**Costs were not measured.**"
    record = next(iter(comparison.prices.values())).record
    return COSTS.format(
        batch=record.configuration["batch"],
        threads=plural(record.provenance.threads, "thread"),
        device=plain(record.provenance.device),
        rounds=plural(int(record.configuration["rounds"]), "round"),
    )


def _table(material: Material, comparison: Comparison) -> str:
    errors, costs = [], []
    for name in [*comparison.names, *([FLOOR] if FLOOR in comparison.methods else [])]:
        method, price = comparison.methods.get(name), comparison.prices.get(name)
        title = "*floor*" if name == FLOOR else material.name(name)
        cited = material.cite(*([method.record] if method else []))
        errors.append([title, *_error_cells(method), cited])
        if price is not None:
            costs.append([title, *_cost_cells(price), material.cite(price.record)])
    return paragraphs(
        table(ERRORS, errors),
        table(PRICES, costs),
    )


def _error_cells(method: Method | None) -> list[str]:
    if method is None:
        return [NOTHING] * (len(COLUMNS) + 1)
    cells = []
    for column in COLUMNS:
        errors = method.errors.get(column)
        cells.append(f"{share(errors.mean)} ({share(errors.share)})" if errors else NOTHING)
    if method.unchanged is None or method.unchanged_by_chance is None:
        return [*cells, NOTHING]
    return [*cells, f"{100 * method.unchanged:.0f} ({100 * method.unchanged_by_chance:.0f})"]


def _cost_cells(price: Price) -> list[str]:
    return [
        f"{price.parameters:,}",
        f"{price.multiply_adds / 1e6:.0f}",
        interval(price.forward),
        interval(price.step),
        interval(price.memory) if price.memory else NOTHING,
    ]


def _repeat(comparison: Comparison) -> str:
    records = [
        *(method.record for method in comparison.methods.values()),
        *(price.record for price in comparison.prices.values()),
    ]
    commands = dict.fromkeys(record.command for record in records)
    return f"Repeat by {listing([code(command) for command in commands])}."
