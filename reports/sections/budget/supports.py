"""What support a wanted error needs, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from reports.drawings import budget as budget_plot
from reports.readers.budgets import Budget, Choice, Supports
from reports.sections.budget.findings import support_and_cost, wanted_error, wanted_errors
from reports.writing.markdown import code, table
from reports.writing.section import Section, picture, section
from reports.writing.wording import NOTHING, known, share

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
    return section(
        "### The support that an error needs",
        EXPLANATION,
        picture(
            "budget_supports",
            "Error of the worst pair of scales against the support, one panel for each published "
            "configuration, on a logarithmic axis",
            "Error of the worst pair of scales for every odd support. It falls in steps and not "
            "always: supports are rounded to odd numbers, so that neighbouring scales are cut at "
            "multiples of σ that differ by chance.",
            partial(budget_plot.draw_supports, panels),
        ),
        _table([item for item in published if item.supports is not None]),
    )


def _table(measured: Sequence[Budget]) -> str:
    wanted = wanted_errors(measured)
    rows = []
    for item in measured:
        supports = item.supports
        assert supports is not None
        rows.append(
            [
                code(item.name),
                str(item.kernel_size or NOTHING),
                known(item.taps, "{:,}".format),
                share(item.worst.total),
                share(supports.unlimited),
                *(_needed(item, supports, error) for error in wanted),
            ]
        )
    header = ["Configuration", "V:", "Taps:", "Error, %:", "Sampling alone, %:"]
    return table([*header, *(f"At most {wanted_error(error)}" for error in wanted)], rows)


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
