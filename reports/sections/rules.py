"""Section on the verdicts themselves: the rules, how often they err, and what they still need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any

from scipy import stats

from reports.drawings import rules as rules_plot
from reports.readers.material import OPEN, Material
from reports.readers.needs import PUBLISHED, RunsNeeded, cell_need, open_rankings, ranking_need
from reports.writing.markdown import clipped, code, paragraphs, plain, table
from reports.writing.section import Section, picture, section
from reports.writing.wording import NOTHING, known, listing, plural
from verification.claims.claim import Cell, Ranking
from verification.claims.records import Record
from verification.claims.rules import LEVEL, REFUTED, SUPPORTED
from verification.claims.rules.planning import fewest_pairs
from verification.claims.rules.simulation import is_wrong

RULES = (
    ("theorem", "cases tried, none above the bound", "one case above its bound"),
    ("count", "every subject measured, all exact", "one value that differs"),
    (
        "cell",
        "two one-sided t tests: the true means differ by less than the margin",
        "the 95 % interval of the difference lies wholly beyond the margin",
    ),
    (
        "ranking",
        "sign flips of the differences on the same data, Holm-corrected in a family",
        "the same test the other way round",
    ),
    (
        "trend",
        "sign tests of the median meet every bound, Bonferroni-corrected",
        "one bound is significantly violated",
    ),
    (
        "correlation",
        "a positive rank correlation, by exchange of the predictions, one-sided",
        "a negative one, by the same test",
    ),
    (
        "cost",
        "the 95 % bootstrap interval of the ratio lies inside the range, in every record",
        "outside it, in every record",
    ),
)
PUBLISHED_TRENDS = (
    "The paper shows three curves of the equivariance error and does not say for which networks "
    "and scales. Each statement is therefore read for several configurations. Since 27 November "
    "2026 it is supported only if it holds in every reading on a published configuration and is "
    "refuted in none, and refuted only if every reading is. Before, one reading was enough, "
    "whichever it was: our own wide grid then supported “near a few percent up to 50 layers”, "
    "although the errors on both published grids were far larger. A statement about the published "
    "method must not rest on a configuration that nobody published. No record was changed."
)
MEANING = (
    "Each rule was applied to simulated data with known truth: cells and rankings with effects "
    "of 0 to 0.5 points and the spread of the published tables, costs and trends exactly on their "
    "bound. Shown is the condition in which a rule was wrong most often, with its 95 % interval "
    "(Clopper and Pearson). Most conditions lie on the very edge between right and wrong, where "
    "an exact test errs at its level: a rate that is above 5 % by chance alone is expected among "
    "so many."
)
PLAN = (
    "How many runs under the published recipe a cell needs, and how many data realisations with "
    "both models a ranking, for a verdict with a chance of 80 %, if what was published is right, "
    "with its spread (where there are runs already, with their spread and difference). In "
    "brackets: how many there are. “never”: not within 100, because the difference is too close to "
    "the margin, or too small against the spread."
)


def write(material: Material) -> Section:
    """Rules, their error rates and power, and the runs that open claims need."""
    records = material.newest("simulation")
    judged = [_judged(material, record) for record in records]
    return section(_rules(), *judged, _plan(material))


def worst(numbers: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """For each rule and wrong verdict the condition in which it was most frequent."""
    for rule, conditions in numbers.items():
        for status in (SUPPORTED, REFUTED):
            wrong = [item for item in conditions if is_wrong(rule, item, status)]
            if wrong:
                most = max(wrong, key=partial(_rate, status=status))
                yield rule, status, most


def _rate(condition: Mapping[str, Any], status: str) -> float:
    return float(condition[status] / condition["repetitions"])


def _rules() -> str:
    return paragraphs(
        "## The rules",
        "They were fixed in code (`verification/claims/rules`) before the data; their parameters "
        "are part of the claims. What is neither supported nor refuted is *inconclusive*.",
        table("Claim | Supported | Refuted", RULES),
        "## How published trends are judged",
        PUBLISHED_TRENDS,
    )


@cache
def _interval(count: int, repetitions: int) -> tuple[float, float]:
    """Exact 95 % interval of a share (Clopper and Pearson)."""
    interval = stats.binomtest(count, repetitions).proportion_ci(0.95, "exact")
    return float(interval.low), float(interval.high)


def _judged(material: Material, record: Record) -> Section:
    rows = []
    for rule, status, condition in worst(record.numbers):
        count, repetitions = condition[status], condition["repetitions"]
        low, high = _interval(count, repetitions)
        rows.append(
            [
                rule,
                f"wrongly {status}",
                f"{100 * count / repetitions:.1f}",
                f"{100 * low:.1f} to {100 * high:.1f}",
                plain(clipped(_settings(condition), 110)),
            ]
        )
    conditions = sum(len(items) for items in record.numbers.values())
    return section(
        "## How often a rule is wrong",
        MEANING,
        table("Rule | Wrong verdict | Worst rate, %: | Interval, %: | Where", rows),
        f"{plural(conditions, 'condition')}, {record.configuration['repetitions']:,} draws of most "
        f"of them. Evidence: {material.cite(record)}",
        "## How much a rule can see",
        picture(
            "power",
            "Share of verdicts against the true difference, for several numbers of runs: cells on "
            "the left, rankings on the right",
            "Left: share of cells that are decided, supported (falling lines) or refuted (rising "
            "lines), against the true difference from the published mean; dotted: the margin. "
            "Right: share of supported rankings in a family of two, against the true difference. "
            "Spread as usual in the published table.",
            partial(rules_plot.power, record.numbers),
        ),
        _power_table(record),
        _limits(material),
    )


def _settings(condition: Mapping[str, Any]) -> str:
    words = {
        "runs": "runs", "pairs": "pairs", "rows": "seeds", "times": "times", "rivals": "rivals",
        "effect": "true difference", "spread": "spread", "published_spread": "published spread",
        "shape": "shape",
    }  # fmt: skip
    return ", ".join(
        f"{text} {condition[name]}" for name, text in words.items() if name in condition
    )


def _power_table(record: Record) -> str:
    effects, curves = rules_plot.curves(record.numbers)
    rows = [
        [
            f"{rule} {status}, {number} runs",
            *(known(value, lambda share: f"{100 * share:.0f}") for value in values),
        ]
        for (rule, status, number), values in curves.items()
    ]
    return table(["Verdict", *(f"{effect:g} points, %:" for effect in effects)], rows)


def _limits(material: Material) -> str:
    """Say which rankings can be supported at all, with how many pairs."""
    sizes = Counter(Counter(claim.family for claim in material.select(Ranking)).values())
    if not sizes:
        return ""
    parts = [
        f"at least {fewest_pairs(size)} pairs in a family of {plural(size, 'claim')} (there are "
        f"{number} of them)"
        for size, number in sorted(sizes.items())
    ]
    text = listing(parts)
    return (
        f"**A limit of the data.** All differences of n pairs point one way by chance once in 2ⁿ, "
        f"so a ranking needs {text} to be supported at all. The "
        "published tables rest on six data realisations, for which the smallest possible p is "
        "1/64; corrected for more than three comparisons it can never pass, whatever the data. "
        "Runs with another seed on the same realisation make a pair more precise but add none."
    )


def _plan(material: Material) -> str:
    cells = material.with_status(material.select(Cell, "cell.mnist"), *OPEN)
    rankings, beyond = open_rankings(material)
    if not cells and not rankings:
        return ""
    finding = (
        f"{beyond} of {plural(len(rankings), 'open ranking')} need more than the {PUBLISHED} "
        "published realisations for that: even where the published difference is right, the "
        "published data can hardly distinguish it from chance."
        if beyond
        else ""
    )
    return paragraphs(
        "## What open claims need",
        PLAN,
        finding,
        _needed(
            "Cell", "runs", [(plain(c.method), c.column, cell_need(material, c)) for c in cells]
        ),
        _needed(
            "Ranking",
            "pairs",
            [(_contest(material, c), c.column, ranking_need(material, c)) for c in rankings],
        ),
    )


def _needed(what: str, unit: str, needs: Sequence[tuple[str, str, RunsNeeded]]) -> str:
    """A row for each thing, a column for each column of the paper's table, of runs needed."""
    columns = sorted({column for _, column, _ in needs})
    by_name: dict[str, dict[str, str]] = {}
    for name, column, need in needs:
        by_name.setdefault(name, {})[column] = str(need)
    rows = [[name, *(by_name[name].get(c, NOTHING) for c in columns)] for name in by_name]
    return table([what, *(f"{column}: {unit}:" for column in columns)], rows)


def _contest(material: Material, claim: Ranking) -> str:
    rival = material.name(claim.worse[0]) if len(claim.worse) == 1 else "all others"
    return f"{material.name(claim.better)} over {rival}"


def error_rates(material: Material) -> str:
    """Say in words how often the rules err, for the first screen; empty if that was not tried."""
    for record in material.newest("simulation")[:1]:
        _, status, most = max(worst(record.numbers), key=lambda entry: _rate(entry[2], entry[1]))
        low, high = _interval(most[status], most["repetitions"])
        conditions = sum(len(items) for items in record.numbers.values())
        return (
            "In simulations with known truth, a rule gave a wrong verdict in at most "
            f"{100 * _rate(most, status):.1f} % of {most['repetitions']:,} draws (95 % interval "
            f"{100 * low:.1f} to {100 * high:.1f} %), in the worst of {conditions} conditions; "
            f"{100 * LEVEL:.0f} % are allowed ([rates](#how-often-a-rule-is-wrong), "
            f"{code('python -m verification simulate')})."
        )
    return ""
