"""What support a wanted error needs, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from reports.drawings import supports as budget_supports_plot
from reports.readers.budgets import Budget, Choice, Supports
from reports.readers.material import Section
from reports.sections.budget.findings import support_and_cost, wanted_error
from reports.writing.figures import render
from reports.writing.markdown import code, paragraphs, picture, table
from reports.writing.wording import NOTHING, share

EXPLANATION = (
    "With σ and everything else as published, every odd support V at the largest scale was tried. "
    "Recommended is the smallest one with which no pair of scales exceeds a wanted error and as "
    "many functions stay independent at the finest scale. Where sampling alone exceeds it, no "
    "support helps; then the smallest factor on all scales is given, and the largest `mult`, the "
    "ratio between the widths of basis B, each with the support that it needs. In brackets: taps "
    "of a filter over all scales, in multiples of the published ones. The same for any other "
    "basis: `python -m verification budget`."
)


def write(published: Sequence[Budget]) -> Section:
    """Figure and table; empty without a measurement."""
    panels = [
        (item.name, item.kernel_size, item.supports)
        for item in published
        if item.supports is not None and item.kernel_size is not None
    ]
    if not panels:
        return Section("")
    text = paragraphs(
        "### The support that an error needs",
        EXPLANATION,
        picture(
            "budget_supports",
            "Error of the worst pair of scales against the support, one panel for each published "
            "configuration, on a logarithmic axis",
            "Error of the worst pair of scales for every odd support. It falls in steps and not "
            "always: supports are rounded to odd numbers, so that neighbouring scales are cut at "
            "multiples of σ that differ by chance.",
        ),
        _table([item for item in published if item.supports is not None]),
    )
    draw = partial(budget_supports_plot.draw, panels)
    return Section(text, render("budget_supports", draw, budget_supports_plot.size(panels)))


def _table(measured: Sequence[Budget]) -> str:
    wanted = sorted(
        {error for item in measured if item.supports for error in item.supports.recommended},
        reverse=True,
    )
    rows = []
    for item in measured:
        supports = item.supports
        assert supports is not None
        rows.append(
            [
                code(item.name),
                str(item.kernel_size or NOTHING),
                f"{item.taps:,}" if item.taps else NOTHING,
                share(item.worst.total),
                share(supports.unlimited),
                *(_needed(item, supports, error) for error in wanted),
            ]
        )
    header = ["Configuration", "V", "Taps", "Error, %", "Sampling alone, %"]
    header += [f"At most {wanted_error(error)}" for error in wanted]
    return table(header, "lrrrr" + "l" * len(wanted), rows)


def _needed(item: Budget, supports: Supports, error: float) -> str:
    choices = supports.recommended.get(error, ())
    return " or ".join(_choice(item, choice) for choice in choices) or "nothing that was tried"


def _choice(item: Budget, choice: Choice) -> str:
    change = {
        "support": "",
        "wider": f"scales × {choice.factor:.3g}, ",
        "milder": f"mult {choice.mult:.3g}, ",
    }[choice.change]
    return f"{change}{support_and_cost(item, choice)}"
