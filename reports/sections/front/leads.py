"""The answer with which each page begins, in two sentences made from claims and records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from reports.readers.comparison import read_comparison
from reports.readers.material import Material
from reports.readers.trainings import ScaleCurves, unseen_scales
from reports.sections.front import answers
from reports.writing.markdown import code
from reports.writing.wording import listing, percent, plural, signed, were
from verification.claims.claim import Cell, Claim, Correlation, Cost, Count, Ranking, Theorem
from verification.claims.rules import NOT_RUN, STATUSES, SUPPORTED

NOT_YET = "Not run"


def theory(material: Material) -> str:
    """The theory, and what sampled filters leave of it."""
    claims = material.select(Theorem)
    found = material.statuses(claims)
    text = (
        f"Of {plural(len(claims), 'statement')} that must hold for every input, "
        f"{found[SUPPORTED]} withstood every attempt to break them."
    )
    return f"{text} {answers.on_filters(material).split('. ')[0] or 'No filters were measured'}."


def accuracy(material: Material) -> str:
    """How many published errors were measured."""
    cells = material.select(Cell, "cell.mnist", "cell.stl10")
    judged = len(cells) - material.statuses(cells)[NOT_RUN]
    return (
        f"{judged} of {len(cells)} published test errors {were(judged)} "
        f"measured under the published recipe: {counted(material, cells)}. Five epochs on the same "
        "data (`short`) compare methods, and support no published error."
    )


def bases(material: Material) -> str:
    """Whether a smaller predicted error pays."""
    claims = material.select(Correlation, "correlation.bases")
    others = {point.model for claim in claims for point in claim.points[1:]}
    if not any(record.subject in others for record in material.latest("training")):
        return (
            f"{NOT_YET}: no basis but the published ones was trained yet. What is predicted for "
            "each stands below, written before the data."
        )
    published = {claim.points[0].model for claim in claims}
    rankings = material.select(Ranking, "ranking.bases")
    calibrated = [claim for claim in rankings if claim.better not in published]
    found = {claim: material.verdict(claim).measured.get("difference") for claim in calibrated}
    known = sorted(difference for difference in found.values() if difference is not None)
    parts = [
        "The rank correlation between predicted equivariance error and test error is "
        f"{listing([_rank_correlation(material, claim) for claim in claims])}."
    ]
    if known:
        parts.append(
            "A smaller error than that of the published basis significantly lowers the test error "
            f"in {material.statuses(calibrated)[SUPPORTED]} of "
            f"{plural(len(known), 'comparison')} ({_range(known)} points)."
        )
    changes = [text for claim in claims if (text := _broken(material, claim, rankings))]
    if changes:
        broken = [claim for claim in rankings if claim.better in published]
        parts.append(
            f"Broken on purpose, a basis changes the test error {listing(changes)}; that the "
            f"published basis beats the broken ones: {counted(material, broken)}."
        )
    return " ".join(parts)


def _rank_correlation(material: Material, claim: Correlation) -> str:
    verdict, name = material.verdict(claim), code(claim.points[0].model)
    if "rho" not in verdict.measured:
        return f"not known yet for {name}"
    return f"{signed(verdict.measured['rho'])} for {name} ({verdict.status})"


def _range(ordered: Sequence[float]) -> str:
    ends = signed(ordered[0]), signed(ordered[-1])
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def broken_bases(rankings: Sequence[Ranking], published: str) -> frozenset[str]:
    """Networks whose basis is broken on purpose, which the published one should beat."""
    return frozenset(name for r in rankings if r.better == published for name in r.worse)


def _broken(material: Material, claim: Correlation, rankings: Sequence[Ranking]) -> str:
    """What the bases that the published one should beat change, on the same realisations."""
    measured, published = material.verdict(claim).measured, claim.points[0].model
    errors = {point["model"]: point["error"] for point in measured.get("points", ())}
    worse = broken_bases(rankings, published) if "rho" in measured else ()
    changes = sorted((errors[name] - errors[published], name) for name in worse)
    if not changes:
        return ""
    least, most = (
        f"{signed(change)} ({code(name.removeprefix(published).strip('_'))})"
        for change, name in (changes[0], changes[-1])
    )
    return f"of {code(published)} by {least} to {most} points"


def unseen(material: Material) -> str:
    """Whether SESN is better at scales that were not trained."""
    panels = unseen_scales(material)
    if not panels:
        return (
            f"{NOT_YET}: no network was trained on a part of the scales yet. What is predicted "
            "stands below, written before the data."
        )
    rankings = material.select(Ranking, "ranking.unseen")
    sesn = [claim for claim in rankings if claim.better.startswith("sesn")]
    curves = material.select(Correlation, "correlation.unseen")
    models = dict.fromkeys(claim.better for claim in sesn)
    leads = [text for model in models if (text := _differences(material, sesn, model))]
    return (
        "That SESN has a lower error than the CNN at scales outside those of training: "
        f"{counted(material, sesn)}."
        + (
            f" Error minus the CNN's in points, by the objects trained on: {'; '.join(leads)}."
            if leads
            else ""
        )
        + " That the ends of the scale axis predict where SESN breaks down: "
        f"{counted(material, curves)}.{_augmented(panels)}"
    )


def _differences(material: Material, claims: Sequence[Ranking], model: str) -> str:
    """SESN minus CNN, by the part of the scales that was trained, where both were."""
    found = [
        (material.verdict(claim).measured.get("difference"), claim.data.rpartition("_")[2])
        for claim in claims
        if claim.better == model
    ]
    texts = [f"{signed(lead, 1)} ({part})" for lead, part in found if lead is not None]
    return f"{material.name(model)} {listing(texts)}" if texts else ""


def _augmented(panels: Sequence[ScaleCurves]) -> str:
    """What scaling augmentation of the CNN achieves in place of SESN scalar."""
    found = []
    for panel in panels:
        errors = {curve.model: curve.error_outside(panel.trained) for curve in panel.curves}
        cnn, sesn = errors.get("cnn_28+"), errors.get("sesn_scalar_28")
        if cnn is not None and sesn is not None:
            found.append((f"{cnn:.1f}", f"{sesn:.1f}"))
    if not found:
        return ""
    with_it, without = (listing(errors) for errors in zip(*found, strict=True))
    return (
        " Scaling augmentation shows a network most of these scales in training: with it the CNN "
        f"has an error of {with_it} % there, SESN scalar without it {without} %."
    )


def methods(material: Material) -> str:
    """The smallest error of a first layer."""
    comparison = read_comparison(material)
    shares = comparison.shares("probe")
    if not shares:
        return "The methods were not compared. `python -m benchmarks compare` does it."
    best, worst = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
    return (
        f"Of {plural(len(shares), 'untrained network')} {material.name(best)} has the smallest "
        f"equivariance error in its first layer, {percent(shares[best])} of that of unrelated "
        f"responses, and {material.name(worst)} the largest, {percent(shares[worst])}. The "
        "published comparison is of test errors alone; errors of equivariance were compared by us."
    )


def cost(material: Material) -> str:
    """How many claims on cost hold, and how much slower SESN is."""
    claims = [claim for claim in material.select(Cost) if claim.origin != "later"]
    steps = read_comparison(material).ratios(lambda price: price.step)
    own = [name for name in steps if name.startswith("sesn_")]
    slower = [f"{material.name(name)} {steps[name].median:.1f}" for name in own]
    first = (
        f"A training step costs, in steps of the plain CNN: {listing(slower)}."
        if slower
        else "The methods were not timed beside one another."
    )
    return f"{first} Of {plural(len(claims), 'claim')} on cost: {counted(material, claims)}."


def checks(material: Material) -> str:
    """Whether the checks find mistakes."""
    claims = material.select(Count, "count.checks")
    gallery = material.select(Count, "count.gallery")
    return (
        "Layers are broken on purpose, one real-world mistake each, to see whether the checks can "
        f"fail. That every mistake is rejected and named, and no intact layer is: "
        f"{counted(material, claims)}. Six statements on verdicts about other people's layers, "
        f"random ones and mistakes of users: {counted(material, gallery)}."
    )


def findings(material: Material) -> str:
    """How many findings about code and data there are."""
    prefixes = ("count.finding", "trend.finding", "count.basis.rank", "count.data")
    claims = material.select(Claim, *prefixes)
    return (
        f"These are {plural(len(claims), 'finding')} about the released code, data and bases: "
        f"{counted(material, claims)}. What was only read names file and line."
    )


def later(material: Material) -> str:
    """How many later measurements were repeated."""
    claims = [claim for claim in material.claims if claim.origin == "later"]
    return (
        f"Others published {plural(len(claims), 'statement')} about SESN later: "
        f"{counted(material, claims)}. Most need data sets or models that are not part of this "
        "project."
    )


def rules(material: Material) -> str:
    """What the rules are, and how often they err."""
    del material
    return (
        "Each kind of claim has one rule from records to a verdict, fixed in code before the data; "
        "its parameters are part of the claims. In simulations with known truth we measured how "
        "often each rule is wrong."
    )


def claims(material: Material) -> str:
    """All claims, counted."""
    return (
        f"All {plural(len(material.claims), 'claim')} with verdict, reason and source: "
        f"{counted(material, material.claims)}. `verification/claims/claims.toml` states what "
        "would refute each."
    )


def records(material: Material) -> str:
    """All records, counted."""
    found = Counter(record.outcome for record in material.records)
    outcomes = listing([f"{found[name]} {name}" for name in sorted(found)]) or "none"
    return (
        f"There are {plural(len(material.records), 'record')}, one for each measurement: "
        f"{outcomes}. Each is a file named by the hash of its content and holds the command that "
        "repeats it."
    )


def counted(material: Material, claims: Sequence[Claim]) -> str:
    """Count verdicts in words."""
    found = material.statuses(claims)
    return listing([f"{found[status]} {status}" for status in STATUSES if found[status]])
