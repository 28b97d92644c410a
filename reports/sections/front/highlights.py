"""Findings for the front page, each a sentence made from records."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from reports.readers.budgets import Budget, budgets
from reports.readers.material import Material, claim_link
from reports.readers.needs import PUBLISHED, open_rankings
from reports.readers.trainings import by_scale, runs_by_group
from reports.sections.budget.layers import findings as layer_findings
from reports.sections.front import leads
from reports.writing.markdown import code, plain
from reports.writing.wording import NOTHING, percent, plural, signed
from verification.claims.claim import Count


def highlights(material: Material) -> list[str]:
    """Say what else was found; what nothing was measured of is left out."""
    published = [item for item in budgets(material) if item.published]
    parts = [
        *_beyond(material),
        _border(published),
        _smaller_support(published),
        _too_few_realisations(material),
        _smallest_objects(material),
        _augmentation(material),
        _data_script(material),
    ]
    return [part for part in parts if part]


def _beyond(material: Material) -> list[str]:
    """The answers of the studies beyond the paper."""
    pages = ((leads.unseen, "unseen scales", "unseen"), (leads.bases, "bases", "bases"))
    found = [(answer(material), name, page) for answer, name, page in pages]
    return [
        f"{text} ([{name}](pages/{page}.md))"
        for text, name, page in found
        if not text.startswith(leads.NOT_YET)
    ]


def _border(published: Sequence[Budget]) -> str:
    layers = [(item.name, item.layer) for item in published if item.layer is not None]
    if not layers:
        return ""
    return f"{layer_findings(layers)[0]} ([in the network](#in-the-network))"


def _smaller_support(published: Sequence[Budget]) -> str:
    """The configuration that gains most from a support no larger than the published one."""
    found = [(i.supports.best.error / i.worst.total, i) for i in published if i.supports]
    if not found:
        return ""
    gain, item = min(found, key=lambda entry: entry[0])
    if gain >= 1 or item.supports is None:
        return ""
    best = item.supports.best
    taps = f" with {best.taps / item.taps:.2f} of the taps" if item.taps else ""
    rank = f", but rank {best.finest_rank} in place of {item.ranks[0]}" if item.ranks else ""
    return (
        f"{code(item.name)} with V = {best.kernel_size} in place of {item.kernel_size or NOTHING} "
        f"has a worst-pair error of {percent(best.error)} in place of {percent(item.worst.total)}"
        f"{taps}{rank} at the finest scale ([supports](#the-support-that-an-error-needs))."
    )


def _too_few_realisations(material: Material) -> str:
    claims, beyond = open_rankings(material)
    if not beyond:
        return ""
    return (
        f"{beyond} of the {plural(len(claims), 'open ranking')} on MNIST-scale need more than the "
        f"{PUBLISHED} published data realisations for a verdict with a chance of 80 %, even if the "
        "published difference is right ([plan](#what-open-claims-need))."
    )


def _smallest_objects(material: Material) -> str:
    ratios = []
    for panel in by_scale(material):
        for curve in panel.curves if panel.protocol != "smoke" else ():
            first, images = curve.bins[0], sum(item.images for item in curve.bins)
            errors = sum(item.errors for item in curve.bins)
            if errors:
                ratios.append(first.errors / first.images / (errors / images))
    if not ratios:
        return ""
    ends = dict.fromkeys(f"{end:.1f}" for end in (min(ratios), max(ratios)))
    return (
        f"The networks trained on all scales err {' to '.join(ends)} times as often on the "
        "smallest objects as on average ([by scale](#errors-by-object-scale))."
    )


def _augmentation(material: Material) -> str:
    """Compare the mean errors with and without scaling augmentation under the short protocol."""
    means: dict[tuple[str, str], float] = {}
    for (data, column, protocol), runs in runs_by_group(material).items():
        if (data, protocol) == ("mnist_scale", "short"):
            for method in {material.name(run.model) for run in runs}:
                mine = [run.test_error for run in runs if material.name(run.model) == method]
                means[method, column] = statistics.mean(mine)
    pairs = sorted(
        (method, means[method, "28+"] - means[method, "28"])
        for method, column in means
        if column == "28+" and (method, "28") in means
    )
    if not pairs:
        return ""
    texts = [f"{method} {signed(difference)}" for method, difference in pairs]
    return (
        "After the five epochs of protocol `short`, scaling augmentation changes the test error by "
        f"{', '.join(texts)} points, where the published recipe gains from it "
        "([trainings](#trainings-that-were-run))."
    )


def _data_script(material: Material) -> str:
    claims = material.select(Count, "count.finding.data_script")
    return "".join(
        f"{plain(claim.statement.removesuffix('.'))} "
        f"({claim_link(claim, material.verdict(claim).status)}); the six realisations are "
        "regenerated here by other means."
        for claim in claims
    )
