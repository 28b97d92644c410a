"""What the error budgets show, in sentences made from their numbers."""

from __future__ import annotations

from collections.abc import Sequence

from scipy import stats

from reports.readers.budgets import Budget, Choice, Pair
from reports.writing.markdown import code
from reports.writing.wording import listing, percent, plural

_CLEARLY = 0.9
_ENOUGH_TO_CORRELATE = 10


def findings(published: Sequence[Budget]) -> list[str]:
    """Say in words what the budgets of published configurations show; empty without any."""
    if not published:
        return []
    makers = (_extremes, _limits, _ranks, _cancellation, _reached, _better, _worse)
    return [text for make in makers if (text := make(published))]


def place(item: Budget, pair: Pair) -> str:
    """Name a pair of scales of a configuration."""
    return f"{code(item.name)}, {pair.name}"


def _extremes(published: Sequence[Budget]) -> str:
    everything = [(item, pair) for item in published for pair in item.pairs]
    worst = max(everything, key=lambda entry: entry[1].total)
    best = min(everything, key=lambda entry: entry[1].total)
    return (
        f"Over {plural(len(published), 'published configuration')} and "
        f"{plural(len(everything), 'pair')} of neighbouring scales the error runs from "
        f"{percent(best[1].total)} ({place(*best)}) to {percent(worst[1].total)} "
        f"({place(*worst)})."
    )


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
        f"not every filter can be represented there: {listing(texts)}.{_rank_loss(poorer)}"
    )


def _rank_loss(poorer: Sequence[Budget]) -> str:
    """Say how much of the finest pair's error that is, for each rank."""
    shares: dict[int, list[float]] = {}
    for item in poorer:
        pair = item.pairs[0]
        if pair.rank is not None and pair.total > 0:
            shares.setdefault(item.ranks[0], []).append(pair.rank / pair.total)
    texts = [
        f"{_range(found)} of the error with rank {rank}" for rank, found in sorted(shares.items())
    ]
    return f" Of the finest pair this rank loss makes {listing(texts)}." if texts else ""


def _range(shares: Sequence[float]) -> str:
    low, high = (percent(edge) for edge in (min(shares), max(shares)))
    return low if low == high else f"{low} to {high}"


def _cancellation(published: Sequence[Budget]) -> str:
    """Say what is left of what grids cut off where both scales are cut alike, and where not."""
    found = _cut_pairs(published)
    if len(found) < 2:
        return ""
    least, most = found[0], found[-1]
    cuts = [cut for _, cut, _, _ in found]
    text = (
        f"Each fine grid cuts off {percent(min(cuts))} to {percent(max(cuts))} of its response. "
        "How much of that is left as truncation error depends on whether both scales are cut at "
        f"the same multiple of σ: least {_cut(least)}, most {_cut(most)}."
    )
    differences = [_difference(pair) for _, _, _, pair in found]
    if len(set(differences)) >= _ENOUGH_TO_CORRELATE:
        correlation = _rank_correlation(differences, [left for left, _, _, _ in found])
        text += (
            f" Over {len(found)} different pairs the share that is left and the relative "
            f"difference of the two multiples have a rank correlation of {correlation:.2f}."
        )
    return text


CutPair = tuple[float, float, Budget, Pair]
"""Share of what is cut off that is left as truncation error, what is cut off, and of what."""


def _cut_pairs(published: Sequence[Budget]) -> list[CutPair]:
    """All pairs by the share that is left, each once: configurations can share a basis."""
    found: dict[tuple[float, ...], CutPair] = {}
    for item in published:
        for pair in item.pairs:
            if pair.cut_off and pair.multiples:
                key = (pair.fine, pair.coarse, *pair.multiples, pair.truncation)
                left = pair.truncation / pair.cut_off
                found.setdefault(key, (left, pair.cut_off, item, pair))
    return sorted(found.values(), key=lambda entry: entry[0])


def _difference(pair: Pair) -> float:
    """Of the two multiples of σ, relative to the larger one."""
    fine, coarse = pair.multiples or (1.0, 1.0)
    return abs(fine - coarse) / max(fine, coarse)


def _rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's."""
    return float(stats.spearmanr(a, b).statistic)


def _cut(entry: CutPair) -> str:
    _, cut_off, item, pair = entry
    fine, coarse = pair.multiples or (0.0, 0.0)
    return (
        f"{percent(pair.truncation)} of {percent(cut_off)} ({place(item, pair)}, supports of "
        f"{fine:.3g} and {coarse:.3g} σ)"
    )


def _reached(published: Sequence[Budget]) -> str:
    """Say for each wanted error which configurations need what."""
    measured = [(item, item.supports) for item in published if item.supports is not None]
    texts = []
    for error in wanted_errors(published):
        already = [code(i.name) for i, _ in measured if i.worst.total <= error]
        larger, hopeless = [], []
        for item, supports in measured:
            choices = supports.recommended.get(error, ())
            if item.worst.total > error and choices and choices[0].change == "support":
                larger.append(f"{code(item.name)} {support_and_cost(item, choices[0])}")
            elif item.worst.total > error:
                hopeless.append(code(item.name))
        groups = {
            "as published": already, "with another support": larger, "with no support": hopeless,
        }  # fmt: skip
        parts = [f"{len(who)} {how} ({listing(who)})" for how, who in groups.items() if who]
        texts.append(f"at most {wanted_error(error)} in {listing(parts)}")
    return f"The error of the worst pair is {'; '.join(texts)}." if texts else ""


def wanted_errors(published: Sequence[Budget]) -> list[float]:
    """All errors for which supports were sought, the largest first."""
    tried = [item.supports.recommended for item in published if item.supports]
    return sorted({error for found in tried for error in found}, reverse=True)


def wanted_error(error: float) -> str:
    """A round share of 1 in percent: 0.01 becomes 1 %."""
    return f"{100 * error:g} %"


def support_and_cost(item: Budget, choice: Choice) -> str:
    """The support and how many times as many taps it has: V = 15 (× 1.4)."""
    cost = f" (× {choice.taps / item.taps:.2g})" if item.taps else ""
    return f"V = {choice.kernel_size}{cost}"


def _better(published: Sequence[Budget]) -> str:
    """Say where a support that is no larger would have a clearly smaller error."""
    measured = [item for item in published if item.supports is not None]
    texts = [text for item in measured if (text := _gain(item))]
    if not measured:
        return ""
    gains = f": {'; '.join(texts)}" if texts else ""
    return (
        "A choice that costs nothing, the best support of those up to the published one, lowers "
        f"the error of the worst pair by more than a tenth in {len(texts)} of "
        f"{plural(len(measured), 'configuration')}{gains}."
    )


def _gain(item: Budget) -> str:
    best = item.supports.best if item.supports is not None else None
    if best is None or best.error > _CLEARLY * item.worst.total:
        return ""
    rank = f", with rank {best.finest_rank}" if item.ranks else ""
    was = f" instead of {item.ranks[0]}" if item.ranks else ""
    return (
        f"{code(item.name)} with {support_and_cost(item, best)}, to {percent(best.error)} from "
        f"{percent(item.worst.total)}{rank}{was} at the finest scale"
    )


def _worse(published: Sequence[Budget]) -> str:
    """Say where two more pixels would make the worst pair worse."""
    texts = []
    for item in published:
        if item.supports is None or item.kernel_size is None:
            continue
        larger = item.supports.errors.get(item.kernel_size + 2)
        if larger is not None and larger > item.worst.total:
            texts.append((larger / item.worst.total, item, larger))
    if not texts:
        return ""
    _, item, larger = max(texts, key=lambda entry: entry[0])
    return (
        "A larger support can be worse: two more pixels would raise the worst pair's error in "
        f"{plural(len(texts), 'configuration')}, most in {code(item.name)}, from "
        f"{percent(item.worst.total)} to {percent(larger)}."
    )
