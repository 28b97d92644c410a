"""The answer with which each page begins, in two sentences made from claims and records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from reports.readers.comparison import read_comparison
from reports.readers.material import Material
from reports.readers.trainings import unseen_scales
from reports.sections.front import answers
from reports.writing.markdown import code
from reports.writing.wording import NOTHING, listing, percent, plural, signed
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
            f"{NOT_YET}: no basis but the published ones was trained yet. What is predicted for "
            "each stands below, written before the data."
        )
    parts = [
        f"{material.verdict(c).measured['rho']:+.2f} for {code(c.points[0].model)} "
        f"({material.verdict(c).status})"
        for c in run
    ]
    published = {claim.points[0].model for claim in claims}
    rankings = material.select(Ranking, "ranking.bases")
    broken = [claim for claim in rankings if claim.better in published]
    calibrated = [claim for claim in rankings if claim not in broken]
    found = [material.verdict(claim).measured.get("difference") for claim in calibrated]
    known = sorted(difference for difference in found if difference is not None)
    ends = f" ({signed(known[0])} to {signed(known[-1])} points)" if known else ""
    return (
        "The rank correlation between predicted equivariance error and test error is "
        f"{listing(parts)}. A smaller error than that of the published basis lowers the test error "
        f"in {material.statuses(calibrated)[SUPPORTED]} of {len(calibrated)} comparisons{ends}, "
        "and the published basis beats those that are broken on purpose in "
        f"{material.statuses(broken)[SUPPORTED]} of {len(broken)}."
    )


def unseen(material: Material) -> str:
    """Whether SESN is better at scales that were not trained."""
    rankings = material.select(Ranking, "ranking.unseen")
    sesn = [claim for claim in rankings if claim.better.startswith("sesn")]
    if material.statuses(sesn)[NOT_RUN] == len(sesn):
        return (
            f"{NOT_YET}: no network was trained on a part of the scales yet. What is predicted "
            "stands below, written before the data."
        )
    curves = material.select(Correlation, "correlation.unseen")
    leads = [
        f"{material.name(model)} by {listing(_leads(material, sesn, model))}"
        for model in dict.fromkeys(claim.better for claim in sesn)
    ]
    return (
        "At scales outside those of training SESN has a lower error than the CNN: "
        f"{listing(leads)} points when trained on "
        f"{listing(list(dict.fromkeys(claim.data.rpartition('_')[2] for claim in sesn)))} objects "
        f"({counted(material, sesn)}). That the ends of the scale axis predict where it breaks "
        f"down: {counted(material, curves)}.{_augmented(material)}"
    )


def _leads(material: Material, claims: Sequence[Ranking], model: str) -> list[str]:
    found = [material.verdict(c).measured.get("difference") for c in claims if c.better == model]
    return [NOTHING if lead is None else f"{-lead:.1f}" for lead in found]


def _augmented(material: Material) -> str:
    """What scaling augmentation of the CNN achieves in place of SESN scalar."""
    found = []
    for panel in unseen_scales(material):
        errors = {curve.model: curve.error_outside(panel.trained) for curve in panel.curves}
        if errors.keys() >= {"cnn_28+", "sesn_scalar_28"}:
            found.append(f"{errors['cnn_28+']:.1f} in place of {errors['sesn_scalar_28']:.1f}")
    if not found:
        return ""
    return (
        " A CNN trained with scaling augmentation, which has seen such scales, errs less there "
        f"than SESN scalar without: {listing(found)} %."
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
