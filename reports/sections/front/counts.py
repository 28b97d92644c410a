"""What does not hold, all claims counted, the limits, and what the rest would take."""

from __future__ import annotations

from reports.readers.material import OPEN, Material, claim_link
from reports.readers.needs import remaining
from reports.writing.markdown import bullets, paragraphs, plain, table
from reports.writing.wording import MARKS, NOTHING, plural, verdict_text, were
from verification.claims.claim import Trend
from verification.claims.rules import NOT_RUN, REFUTED, STATUSES

ORIGINS = {
    "paper": "Published in the paper",
    "code": "In or about the released code and data",
    "reading": "Our readings of published statements",
    "own": "Our own expectations and aims",
    "later": "Measured later by others",
}
REFUTED_LISTS = (
    ("Published statements", ("paper", "code")),
    ("Our readings of a published figure, each for one grid of scales", ("reading",)),
    ("Our own expectations and aims, which nobody published", ("own",)),
    ("Reported by others since, tried here in our own setting", ("later",)),
)


def refuted(material: Material) -> str:
    """What does not hold, by who stated it."""
    parts = []
    for title, origins in REFUTED_LISTS:
        claims = [c for c in material.claims if c.origin in origins]
        wrong = material.with_status(claims, REFUTED)
        if wrong:
            items = [f"Refuted: “{plain(c.statement)}” ({claim_link(c, 'why')})" for c in wrong]
            parts += [f"**{title}** ({len(wrong)} of {len(claims)}):", bullets(items)]
        else:
            parts.append(f"**{title}**: none of {len(claims)} is refuted so far.")
        if "paper" in origins:
            parts.append(_contradicted(material))
    return paragraphs(*parts)


def _contradicted(material: Material) -> str:
    """Name the published trends that no published configuration tried here shows."""
    trends = {claim.id: claim for claim in material.select(Trend)}
    items = []
    for claim in trends.values():
        readings = [trends[name] for name in claim.readings if trends[name].published]
        failed = material.with_status(readings, REFUTED)
        if failed and material.verdict(claim).status != REFUTED:
            items.append(
                f"{plain(claim.statement)} † It fails on {len(failed)} of {len(readings)} "
                "published grids that we tried "
                f"({claim_link(claim, material.verdict(claim).status)}: the paper does not say "
                "which network and scales its curve is of)."
            )
    title = "Undecided, but contradicted by what we measured:" if items else ""
    return paragraphs(title, bullets(items))


def scoreboard(material: Material) -> str:
    """All claims by origin and verdict."""
    rows = []
    for title, origins in [*((t, (o,)) for o, t in ORIGINS.items()), ("**All**", (*ORIGINS,))]:
        claims = [claim for claim in material.claims if claim.origin in origins]
        found = material.statuses(claims)
        numbers = [str(found[status] or NOTHING) for status in STATUSES]
        rows.append([title, *numbers, str(len(claims))])
    header = ["Claims", *(f"{MARKS[status]} {status}:" for status in STATUSES), "All:"]
    waiting = material.with_status(material.claims, NOT_RUN)
    trained = sum(claim.protocol in ("short", "paper") for claim in waiting)
    text = (
        f"{trained} of the {len(waiting)} claims that were not run need trainings under `short` "
        f"or `paper`. ({verdict_text('by reading')}: read in the released code, at the file and "
        "line given.)"
    )
    return paragraphs(table(header, rows), text)


def limits(material: Material) -> list[str]:
    """State what limits all of this, with numbers."""
    memory = [c for c in material.claims if c.transcription == "unverified"]
    second = [c for c in material.claims if c.transcription == "secondary"]
    unfinished = [r for r in material.records if r.outcome != "finished"]
    unclean = [r for r in material.records if r.provenance.dirty is not False]
    items = [
        f"{len(memory)} claims (†) are transcribed from memory, {len(second)} (‡) are taken from "
        "secondary sources. None was compared with the paper.",
        "“Supported” requires evidence: finding no difference is not enough. The rules from "
        "records to verdicts were fixed before the data, except the one for published trends. It "
        "was made more cautious on 27 November 2026, after two trends had been supported by it "
        "([rules](#how-published-trends-are-judged)).",
    ]
    if unfinished:
        items.append(
            f"{plural(len(unfinished), 'record')} of runs that did not finish support nothing."
        )
    if unclean:
        items.append(
            f"{plural(len(unclean), 'record')} come from sources with uncommitted or unknown "
            "changes. Trainings among them are not counted."
        )
    return items


def _without(runs: int) -> str:
    return f" (without {plural(runs, 'run')} of unknown time)" if runs else ""


def rest(material: Material) -> str:
    """What is missing, and the hours that it takes."""
    left = remaining(material)
    if left.gpu_hours is not None:
        gpu = (
            f"**{left.gpu_hours:,.1f} hours on one GPU** such as {' or '.join(left.gpus)}"
            f"{_without(left.gpu_untimed)}: {plural(left.gpu_runs, 'training')} "
            f"{were(left.gpu_runs)} made on such so far, side by side"
        )
    else:
        gpu = "an unknown time on a GPU: nothing of it was timed on one"
    cores = (
        "an unknown time on two cores"
        if left.hours is None
        else f"about **{left.hours:,.0f} hours on two cores**{_without(left.untimed)}"
    )
    own = [c for c in material.claims if c.protocol in ("check", "timing") and c.origin != "later"]
    waiting = material.with_status(own, *OPEN)
    not_run = material.with_status(material.claims, NOT_RUN)
    later = sum(claim.origin == "later" for claim in not_run)
    return bullets(
        [
            f"**The MNIST-scale table**: {plural(left.runs + left.trained, 'training')} of 60 "
            f"epochs, {left.trained} of them done and {left.runs} missing. The rest takes {cores}, "
            f"or {gpu}. "
            "For methods that were not trained the time of the CNN is multiplied by the ratio of "
            "training steps on a CPU "
            "([methods](pages/methods.md)); networks for 56 pixels without a timing count as four "
            "for 28. The authors report two days for 288 runs on one GTX 1080 Ti.",
            "**STL-10**: the data are not part of this project, and each network trains for 1,000 "
            "epochs; no time was measured.",
            f"**Other measurements**: {plural(len(waiting), 'claim')} need a measurement of "
            "minutes that was not made or was inconclusive ([every claim](#all-theorems)).",
            f"**Later statements by others**: {later} need networks, data or hardware that are not "
            "part of this project, as each [claim](#all-theorems) says.",
        ]
    )
