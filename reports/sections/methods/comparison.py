"""Section on all methods side by side: errors, unchanged predictions and costs in one table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from reports.drawings import comparison as comparison_plot
from reports.readers.comparison import FLOOR, REFERENCE, Comparison, Method, Price, read_comparison
from reports.readers.material import Material
from reports.sections.claim_table import claim_table
from reports.writing.markdown import code, paragraphs, plain, table
from reports.writing.section import Section, picture, section
from reports.writing.wording import NOTHING, interval, listing, percent, plural, share
from verification.claims.claim import Cost, Ranking

EXPLANATION = (
    "Untrained networks for images of 28×28 pixels, the same images, factors of rescaling from 0.5 "
    "to 2 and seeds for all. An error is the relative squared change of a response under "
    "rescaling, in %; in brackets the same in % of what unrelated responses differ by, since a "
    "nearly constant response changes little whatever the layer does. *First "
    "layer*: its response after its maximum over scale, on analytic images that are rescaled "
    "without resampling (*probe*), on digits, and on photographs. *Trunk*: all layers before the "
    "last pool, by the probe. *Own steps*: the first layer before that maximum, shifted by one "
    "step of the method's own scale axis: what the method itself claims. The steps have different "
    "lengths, so this column is not comparable between methods. *Unchanged*: predictions that "
    "rescaling a digit does not change, in %, and in brackets how often unrelated images agree. "
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
        _findings(material, comparison),
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


def _findings(material: Material, comparison: Comparison) -> str:
    """A paragraph of what the records say, empty if they say nothing."""
    parts = [
        _on_errors(material, comparison),
        _on_own_steps(material, comparison),
        _on_predictions(material, comparison),
        _on_costs(material, comparison),
        _on_both(material, comparison),
        _on_learning(material, comparison),
    ]
    found = " ".join(part for part in parts if part)
    return f"**Findings.** {found}" if found else ""


def _on_errors(material: Material, comparison: Comparison) -> str:
    shares = comparison.shares("probe")
    if REFERENCE not in shares or len(shares) < 2:
        return ""
    plain_share = shares.pop(REFERENCE)
    below = sum(value < plain_share for value in shares.values())
    return (
        f"On analytic images {below} of {plural(len(shares), 'method')} have a smaller error than "
        f"the plain CNN, of {percent(plain_share)} of chance: {_extremes(material, shares)}."
    )


def _on_own_steps(material: Material, comparison: Comparison) -> str:
    shares = comparison.shares("own_steps")
    if len(shares) < 2:
        return ""
    return f"Over steps of their own scale axis: {_extremes(material, shares)}."


def _extremes(material: Material, shares: Mapping[str, float]) -> str:
    low, high = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
    return (
        f"least {material.name(low)} with {percent(shares[low])}, most {material.name(high)} "
        f"with {percent(shares[high])}"
    )


def _on_predictions(material: Material, comparison: Comparison) -> str:
    kept = {
        name: (method.unchanged, method.unchanged_by_chance)
        for name, method in comparison.methods.items()
        if method.unchanged is not None and method.unchanged_by_chance is not None
    }
    if len(kept) < 2:
        return ""
    ends = max(kept, key=kept.__getitem__), min(kept, key=kept.__getitem__)
    parts = [
        f"{100 * kept[name][0]:.0f} % of predictions unchanged with {material.name(name)} "
        f"({100 * kept[name][1]:.0f} % by chance)"
        for name in ends
    ]
    return f"Rescaling leaves {parts[0]} down to {parts[1]}."


def _on_costs(material: Material, comparison: Comparison) -> str:
    steps = {name: ratio.median for name, ratio in comparison.ratios(lambda p: p.step).items()}
    if not steps:
        return ""
    low, high = min(steps, key=steps.__getitem__), max(steps, key=steps.__getitem__)
    text = (
        f"A training step costs {steps[low]:.1f} ({material.name(low)}) to {steps[high]:.1f} "
        f"({material.name(high)}) times that of the plain CNN"
    )
    if REFERENCE in comparison.prices:
        noise = comparison.prices[REFERENCE].step
        text += f", which timed beside itself gives {interval(noise)}"
    return f"{text}."


def _on_both(material: Material, comparison: Comparison) -> str:
    """Methods for which no other has both the smaller error and the cheaper step."""
    shares, prices = comparison.shares("trunk"), comparison.prices
    both = {name: (shares[name], prices[name].step.median) for name in shares if name in prices}
    if len(both) < 2:
        return ""
    best = [
        material.name(name)
        for name, (error, cost) in both.items()
        if not any(e < error and c < cost for e, c in both.values())
    ]
    return (
        "No other method has both a smaller error of the trunk and a cheaper step than "
        f"{listing(best)}."
    )


def _on_learning(material: Material, comparison: Comparison) -> str:
    """How far short trainings came, for the methods that had one."""
    errors = {
        record.subject: float(record.numbers["test_error"])
        for record in sorted(material.latest("training"), key=lambda r: r.provenance.started)
        if (record.protocol, (record.data or {}).get("name")) == ("smoke", "digits")
        and record.subject in comparison.names
    }
    if len(errors) < 2:
        return ""
    low, high = min(errors, key=errors.__getitem__), max(errors, key=errors.__getitem__)
    return (
        f"{len(errors)} of {plural(len(comparison.names), 'network')} are shown to learn: "
        "smoke runs on digits, which support nothing else, end with test errors of "
        f"{errors[low]:.0f} % ({material.name(low)}) to {errors[high]:.0f} % "
        f"({material.name(high)}), where guessing among ten digits gives 90 %."
    )
