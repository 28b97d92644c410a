"""The first screen: the two doubts answered, the verdicts counted, the scope stated."""

from __future__ import annotations

from collections import Counter

from reports.readers.material import Material, Section, claim_link
from reports.sections import answers, rules
from reports.writing.markdown import bullets, code, paragraphs, plain, table
from reports.writing.wording import MARKS, NOTHING, listing, plural
from verification.claims.claim import Claim
from verification.claims.records import OUTCOMES, PROTOCOLS
from verification.claims.rules import INCONCLUSIVE, NOT_RUN, REFUTED, STATUSES

_OPEN = (NOT_RUN, INCONCLUSIVE)
HEADINGS = {
    "theorem": "Theorems: hold for every input",
    "count": "Counts: exact numbers",
    "cell": "Cells of tables of results",
    "ranking": "Rankings: A has the lower error than B",
    "trend": "Trends: grows, shrinks, stays",
    "cost": "Costs: ratios of times",
}
PROTOCOL_TEXTS = {
    "check": "theorems, counts and errors, computed without training",
    "timing": "times, as ratios within one run",
    "smoke": "a training of a few epochs from end to end: **supports nothing**",
    "short": "the published data and recipe with fewer epochs: supports rankings only",
    "paper": "the published recipe: supports cells and rankings",
}


def write(material: Material) -> Section:
    """Answers, counts of verdicts, scope."""
    return Section(
        paragraphs(
            "# Scale-Equivariant Steerable Networks: what holds",
            "Statements of the paper (Sosnovik, Szmaja, Smeulders, ICLR 2020), of its code, and of "
            "later work on it, each with what was measured. Made by `python -m reports` from "
            f"{plural(len(material.claims), 'claim')} and "
            f"{plural(len(material.records), 'record')} alone; nothing here is written by hand.",
            f"**Is the theory sound?** {answers.on_theory(material)}",
            f"**Are the published experiments accurate?** {answers.on_experiments(material)}",
            _counts(material),
            _refuted_claims(material),
            _open_claims(material),
            "**Scope.**",
            bullets([item for item in [*_scope(material), rules.error_rates(material)] if item]),
            _protocols(material),
            "**Contents.** [Theory](#theory) · [Accuracy](#accuracy) · "
            "[All methods](#all-methods-side-by-side) · [Cost](#cost) · "
            "[Findings](#findings-about-the-published-code-and-data) · "
            "[Later measurements](#later-measurements-by-others) · "
            "[How verdicts are made](#how-the-verdicts-are-made) · [Every claim](#every-claim) · "
            "[Environment and provenance](#environment-and-provenance)",
        )
    )


def _counts(material: Material) -> str:
    groups: list[tuple[str, list[Claim]]] = [
        (heading, [claim for claim in material.claims if claim.kind == kind])
        for kind, heading in HEADINGS.items()
    ]
    groups.append(("**All**", list(material.claims)))
    groups.append(("of these, by others later", [c for c in material.claims if ".later." in c.id]))
    rows = []
    for heading, claims in groups:
        found = Counter(material.statuses(claims))
        numbers = [str(found[status]) if found[status] else NOTHING for status in STATUSES]
        rows.append([heading, *numbers, str(len(claims))])
    header = ["Claims", *(f"{MARKS[status]} {status}" for status in STATUSES), "All"]
    return table(header, "l" + "r" * (len(header) - 1), rows)


def _refuted_claims(material: Material) -> str:
    refuted = [c for c in material.claims if material.verdict(c).status == REFUTED]
    if not refuted:
        return ""
    items = [f"{plain(c.statement)} ({claim_link(c, code(c.id))})" for c in refuted]
    return paragraphs("**What does not hold:**", bullets(items))


def _open_claims(material: Material) -> str:
    """Say what would decide the claims that are open."""
    waits = {
        "training": "trainings under `short` or `paper`: [how many](#what-open-claims-need)",
        "other": "measurements that were not made or did not decide: [each one](#every-claim)",
    }
    open_claims = [c for c in material.claims if material.verdict(c).status in _OPEN]
    trained = [c for c in open_claims if c.protocol in ("short", "paper") and ".later." not in c.id]
    later = [c for c in open_claims if ".later." in c.id]
    others = len(open_claims) - len(trained) - len(later)
    items = []
    if trained:
        items.append(f"{plural(len(trained), 'claim')} wait for {waits['training']}.")
    if others:
        items.append(f"{plural(others, 'claim')} wait for {waits['other']}.")
    if later:
        items.append(
            f"{plural(len(later), 'statement')} of others need data or models that are not part "
            "of this project."
        )
    return paragraphs("**What is open, and what it would take:**", bullets(items)) if items else ""


def _scope(material: Material) -> list[str]:
    """State what limits all of this, with numbers."""
    transcribed = [c for c in material.claims if c.transcription == "unverified"]
    second = [c for c in material.claims if c.transcription == "secondary"]
    trained = {r.protocol for r in material.records if r.kind == "training"}
    missing = [name for name in ("paper", "short") if name not in trained]
    unfinished = [r for r in material.records if r.outcome != "finished"]
    unclean = [r for r in material.records if r.provenance.dirty is not False]
    items = [
        f"{len(transcribed)} claims, marked †, were written down from memory: the paper was not "
        f"at hand, and a slip of the pen is possible. {len(second)}, marked ‡, were read in "
        "secondary sources.",
        "“Supported” needs evidence; that no difference was found is never enough. The rules "
        "that lead from records to verdicts were fixed before the data.",
    ]
    if missing:
        names = listing([f"`{name}`" for name in missing])
        items.append(f"**Not run:** trainings under {names}. What needs them is not judged.")
    if unfinished:
        items.append(
            f"Not finished: {plural(len(unfinished), 'record')}, [listed](#records); they support "
            "nothing."
        )
    if unclean:
        items.append(
            f"From sources with uncommitted or unknown changes: {plural(len(unclean), 'record')}. "
            "Trainings among them are not counted."
        )
    return items


def _protocols(material: Material) -> str:
    rows = []
    for protocol in PROTOCOLS:
        found = Counter(r.outcome for r in material.records if r.protocol == protocol)
        others = [f"{found[name]} {name}" for name in OUTCOMES if found[name]]
        rows.append([f"`{protocol}`", PROTOCOL_TEXTS[protocol], ", ".join(others) or "none"])
    return table(["Protocol", "What it is", "Records"], "lll", rows)
