"""Answers in words to the two doubts, about the theory and about the experiments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from reports.readers.budgets import budgets
from reports.readers.material import Material
from reports.writing.markdown import code
from reports.writing.wording import listing, percent, plural, small
from verification.claims.claim import Cell, Count, Ranking, Theorem
from verification.claims.rules import INCONCLUSIVE, NOT_RUN, REFUTED, SUPPORTED

_OPEN = (NOT_RUN, INCONCLUSIVE)


def on_theory(material: Material) -> str:
    """Answer the first doubt in words."""
    claims = material.select(Theorem)
    found = Counter(material.statuses(claims))
    if found[NOT_RUN] == len(claims):
        return "Nothing measured yet."
    cases = sum(material.verdict(claim).measured.get("cases", 0) for claim in claims)
    if found[REFUTED]:
        wrong = [code(c.id) for c in claims if material.verdict(c).status == REFUTED]
        answer = f"Not as stated. {found[REFUTED]} of {len(claims)} statements refuted: "
        answer += f"{listing(wrong)}."
    else:
        answer = "Yes, as far as it was tried. " if found[SUPPORTED] else "Open. "
        answer += f"{found[SUPPORTED]} of {plural(len(claims), 'statement')} that must hold for "
        answer += f"every input withstood {plural(cases, 'attempt')} to break them"
        answer += f"{_worst(material, claims)}; none was refuted."
    if left := found[NOT_RUN] + found[INCONCLUSIVE]:
        open_ids = [code(c.id) for c in claims if material.verdict(c).status in _OPEN]
        answer += f" Open: {left} ({listing(open_ids)})."
    return f"{answer} {_loss(material)}".rstrip()


def on_experiments(material: Material) -> str:
    """Answer the second doubt in words."""
    cells = material.select(Cell, "cell.mnist", "cell.stl10")
    found = Counter(material.statuses(cells))
    judged = len(cells) - found[NOT_RUN]
    trainings = Counter(r.protocol for r in material.records if r.kind == "training")
    if judged:
        answer = (
            f"Of {len(cells)} published test errors {found[SUPPORTED]} hold within their margin, "
            f"{found[REFUTED]} do not, {found[INCONCLUSIVE]} are open, and {found[NOT_RUN]} were "
            f"not run{_refuted(material, cells)}."
        )
    else:
        answer = f"Not known yet: none of the {len(cells)} published test errors was measured "
        answer += "under the published recipe"
        smoke = trainings["smoke"]
        if smoke and smoke == trainings.total():
            answer += f" (nothing but smoke runs, {smoke} of them, which support nothing)"
        answer += "."
    parts = [answer, _rankings(material), _exact(material), _earlier(cells)]
    return " ".join(part for part in parts if part)


def _refuted(material: Material, cells: Sequence[Cell]) -> str:
    """Name the published errors that do not hold, with ours instead."""
    parts = [
        f"{cell.method} in column {cell.column} ({material.verdict(cell).measured['mean']:.2f} "
        f"instead of {cell.value:.2f})"
        for cell in cells
        if material.verdict(cell).status == REFUTED
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
        f", with relative squared errors of at most {small(max(errors))} where rounding explains "
        f"up to {small(bound)}"
    )


def _loss(material: Material) -> str:
    """Say what the published filters lose on the pixel grid."""
    published = [item for item in budgets(material) if item.published]
    pairs = [pair for item in published for pair in item.pairs]
    if not pairs:
        return ""
    totals = [pair.total for pair in pairs]
    cut = sum(pair.limited_by == "truncation" for pair in pairs)
    return (
        "The published filters keep to it only approximately: between neighbouring scales their "
        f"relative squared error is {percent(min(totals))} to {percent(max(totals))}. In {cut} of "
        f"{plural(len(pairs), 'pair')} of scales most of it is due to cut-off filters, in "
        f"{len(pairs) - cut} to filters too narrow for the pixel grid "
        "([error budget](#error-budget-of-the-published-configurations))."
    )


def _rankings(material: Material) -> str:
    claims = material.select(Ranking, "ranking.mnist", "ranking.stl10")
    found = Counter(material.statuses(claims))
    if found[NOT_RUN] == len(claims):
        return f"None of {plural(len(claims), 'ranking')} was tried."
    return (
        f"Of {plural(len(claims), 'ranking')} {found[SUPPORTED]} are supported, "
        f"{found[REFUTED]} refuted, {found[INCONCLUSIVE]} open, {found[NOT_RUN]} not run."
    )


def _exact(material: Material) -> str:
    """Say how many parameter counts and of claims on the data are reproduced."""
    parts = []
    for noun, prefixes in (
        ("parameter count", ("count.mnist", "count.stl10")),
        ("data claim", ("count.data",)),
    ):
        claims = material.select(Count, *prefixes)
        found = Counter(material.statuses(claims))
        run = len(claims) - found[NOT_RUN]
        if run:
            left = f" ({found[NOT_RUN]} not run)" if found[NOT_RUN] else ""
            parts.append(f"{found[SUPPORTED]} of {plural(run, noun)}{left}")
    return f"Exactly reproduced: {' and '.join(parts)}." if parts else ""


def _earlier(cells: Sequence[Cell]) -> str:
    """Say how far an earlier re-run by others was from the published figures."""
    rerun = [abs(cell.rerun.mean - cell.value) for cell in cells if cell.rerun is not None]
    if not rerun:
        return ""
    return (
        f"An earlier re-run of the authors' code by others, of {len(rerun)} of the errors, is "
        f"within {max(rerun):.2f} points of them."
    )
