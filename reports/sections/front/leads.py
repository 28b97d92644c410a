"""The answer with which each page begins, in two sentences made from claims and records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from reports.readers.comparison import read_comparison
from reports.readers.material import Material
from reports.sections.front import answers
from reports.writing.markdown import code
from reports.writing.wording import listing, percent, plural
from verification.claims.claim import Cell, Claim, Correlation, Cost, Count, Ranking, Theorem
from verification.claims.rules import NOT_RUN, STATUSES, SUPPORTED


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
        f"{judged} of {len(cells)} published test errors {'was' if judged == 1 else 'were'} "
        f"measured under the published recipe: {counted(material, cells)}. Five epochs on the same "
        "data (`short`) compare methods, and support no published error."
    )


def bases(material: Material) -> str:
    """Whether a smaller predicted error pays."""
    claims = material.select(Correlation, "correlation.bases")
    run = [claim for claim in claims if "rho" in material.verdict(claim).measured]
    if not run:
        return (
            "Not run: no basis but the published ones was trained yet. What is predicted for each "
            "stands below, written before the data."
        )
    parts = [
        f"{material.verdict(c).measured['rho']:+.2f} for {code(c.points[0].model)} "
        f"({material.verdict(c).status})"
        for c in run
    ]
    rankings = material.select(Ranking, "ranking.bases")
    return (
        "The rank correlation between predicted equivariance error and test error is "
        f"{listing(parts)}. Of the comparisons with the published bases: "
        f"{counted(material, rankings)}."
    )


def unseen(material: Material) -> str:
    """Whether SESN is better at scales that were not trained."""
    rankings = material.select(Ranking, "ranking.unseen")
    sesn = [claim for claim in rankings if claim.better.startswith("sesn")]
    if material.statuses(sesn)[NOT_RUN] == len(sesn):
        return (
            "Not run: no network was trained on a part of the scales yet. What is predicted stands "
            "below, written before the data."
        )
    curves = material.select(Correlation, "correlation.unseen")
    return (
        "That SESN has a lower error than the CNN at scales outside those of training, in three "
        f"splits and two networks: {counted(material, sesn)}. That the ends of the scale axis "
        f"predict where it breaks down: {counted(material, curves)}."
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
