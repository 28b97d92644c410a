"""Answers in words to the two doubts, about the theory and about the experiments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from reports.readers.budgets import budgets
from reports.readers.material import OPEN, Material
from reports.sections.budget.findings import place
from reports.writing.markdown import code
from reports.writing.wording import listing, percent, plural, small, were
from verification.claims.claim import Cell, Count, Ranking, Theorem
from verification.claims.rules import INCONCLUSIVE, NOT_RUN, REFUTED, SUPPORTED


def on_theory(material: Material) -> str:
    """Answer the first doubt in words."""
    claims = material.select(Theorem)
    found = material.statuses(claims)
    if found[NOT_RUN] == len(claims):
        return "Nothing measured yet."
    cases = sum(material.verdict(claim).measured.get("cases", 0) for claim in claims)
    if found[REFUTED]:
        wrong = [code(c.id) for c in material.with_status(claims, REFUTED)]
        answer = f"Not as stated. {found[REFUTED]} of {len(claims)} statements refuted: "
        answer += f"{listing(wrong)}."
    else:
        answer = "Yes, as far as tests can show. " if found[SUPPORTED] else "Open. "
        answer += (
            f"We tried to break {plural(len(claims), 'statement')} that must hold for every input "
            f"with {plural(cases, 'different random case')}, in float64 and on signals that are "
            f"rescaled exactly, without interpolation: {found[SUPPORTED]} held, none was refuted"
            f"{_worst(material, claims)}."
        )
    if left := material.with_status(claims, *OPEN):
        answer += f" Open: {len(left)} ({listing([code(claim.id) for claim in left])})."
    return answer


def on_filters(material: Material) -> str:
    """Say what the published filters lose on the pixel grid, which most, and why; or nothing."""
    published = [item for item in budgets(material) if item.published]
    pairs = [(item, pair) for item in published for pair in item.pairs]
    if not pairs:
        return ""
    best = min(pairs, key=lambda entry: entry[1].total)
    worst = max(pairs, key=lambda entry: entry[1].total)
    cut = sum(pair.limited_by == "truncation" for _, pair in pairs)
    why = {
        "sampling": "its finest filters are too narrow for the pixel grid",
        "truncation": "its kernels cut the filters off",
    }[worst[1].limited_by]
    return (
        "The published filters obey the theory only approximately, because they are sampled on "
        "pixels and cut to small kernels. Between neighbouring scales the relative squared error "
        f"runs from {percent(best[1].total)} ({place(*best)}) to {percent(worst[1].total)} "
        f"({place(*worst)}). **{code(worst[0].name)} loses most, because {why}**. In {cut} of "
        f"{plural(len(pairs), 'pair')} of scales most of this error is due to the cut-off, in "
        f"{len(pairs) - cut} to sampling; inside a network the border of the image adds to it "
        "([error budget](#error-budget-of-the-published-configurations))."
    )


def on_experiments(material: Material) -> str:
    """Answer the second doubt in words."""
    cells = material.select(Cell, "cell.mnist", "cell.stl10")
    found = material.statuses(cells)
    judged = len(cells) - found[NOT_RUN]
    trainings = Counter(r.protocol for r in material.of_kind("training"))
    if judged:
        parts = [f"{found[s]} {text}" for s, text in _RESULTS.items() if found[s]]
        answer = (
            f"Mostly not checked yet. {judged} of {len(cells)} published test errors "
            f"{were(judged)} measured under the published recipe (protocol "
            f"`paper`, 60 epochs): {listing(parts)}{_refuted(material, cells)}. "
            f"{found[NOT_RUN]} {were(found[NOT_RUN])} not run."
        )
    else:
        answer = f"Not known yet: none of the {len(cells)} published test errors was measured "
        answer += "under the published recipe"
        smoke = trainings["smoke"]
        if smoke and smoke == trainings.total():
            answer += f" (only smoke runs, {smoke} of them, which support nothing)"
        answer += "."
    parts = [answer, _rankings(material), _exact(material)]
    return " ".join(part for part in parts if part)


_RESULTS = {
    SUPPORTED: "agree within ±0.2 points",
    REFUTED: "do not agree",
    INCONCLUSIVE: "undecided (two one-sided tests at 5 %: their 90 % interval reaches outside)",
}


def _refuted(material: Material, cells: Sequence[Cell]) -> str:
    """Name the published errors that do not hold, with ours instead."""
    parts = [
        f"{cell.method} in column {cell.column} ({material.verdict(cell).measured['mean']:.2f} "
        f"instead of {cell.value:.2f})"
        for cell in material.with_status(cells, REFUTED)
    ]
    return f"; refuted: {listing(parts)}" if parts else ""


def _worst(material: Material, claims: Sequence[Theorem]) -> str:
    """Say how large the largest error was, where rounding is allowed for."""
    measured = [material.verdict(claim).measured for claim in claims if claim.bound > 0]
    errors = [numbers["worst_error"] for numbers in measured if "worst_error" in numbers]
    if not errors:
        return ""
    bound = max(claim.bound for claim in claims)
    return (
        f". The largest relative squared error is {small(max(errors))}, where rounding explains "
        f"up to {small(bound)}"
    )


def _rankings(material: Material) -> str:
    claims = material.select(Ranking, "ranking.mnist", "ranking.stl10")
    found = material.statuses(claims)
    if found[NOT_RUN] == len(claims):
        return f"None of {plural(len(claims), 'published ranking')} was tested."
    return (
        f"Of {plural(len(claims), 'published ranking')} (A has a lower error than B), "
        f"{found[SUPPORTED]} are supported, {found[REFUTED]} refuted, {found[INCONCLUSIVE]} "
        f"inconclusive, and {found[NOT_RUN]} {were(found[NOT_RUN])} not run."
    )


def _exact(material: Material) -> str:
    """Say how many parameter counts and of claims on the data are reproduced."""
    parts = []
    for noun, nouns, prefixes in (
        ("parameter count", "parameter counts", ("count.mnist", "count.stl10")),
        ("statement on the data", "statements on the data", ("count.data",)),
    ):
        claims = material.select(Count, *prefixes)
        found = material.statuses(claims)
        run = len(claims) - found[NOT_RUN]
        if run:
            left = f" ({found[NOT_RUN]} not run)" if found[NOT_RUN] else ""
            parts.append(f"{found[SUPPORTED]} of {run} {nouns if run > 1 else noun}{left}")
    return f"Exactly reproduced: {' and '.join(parts)}." if parts else ""
