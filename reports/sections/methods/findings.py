"""What the records of the comparison say, in sentences made from their numbers."""

from __future__ import annotations

from collections.abc import Mapping

from reports.readers.comparison import REFERENCE, Comparison
from reports.readers.material import Material
from reports.writing.wording import interval, listing, percent, plural


def write(material: Material, comparison: Comparison) -> str:
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
