"""The front page: what a reader of the paper wants to know, in five minutes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial

from reports.drawings import accuracy as drawing
from reports.drawings import budget as budget_drawing
from reports.readers.budgets import budgets
from reports.readers.comparison import REFERENCE, read_comparison
from reports.readers.material import Material, Section, claim_link
from reports.readers.remaining import remaining
from reports.sections import answers
from reports.sections.highlights import highlights
from reports.sections.rules import error_rates
from reports.writing.figures import render
from reports.writing.markdown import bullets, code, paragraphs, picture, plain, table
from reports.writing.wording import MARKS, NOTHING, plural, signed, verdict_text
from verification.claims.claim import Cell, Ranking, Trend
from verification.claims.rules import INCONCLUSIVE, NOT_RUN, REFUTED, STATUSES, Verdict, judge

CONTENTS = (
    "**Pages.** [Theory and budget](pages/theory.md) · [Accuracy](pages/accuracy.md) · "
    "[Error against accuracy](pages/bases.md) · [Unseen scales](pages/unseen.md) · "
    "[Methods](pages/methods.md) · [Cost](pages/cost.md) · [Broken layers](pages/checks.md) · "
    "[Findings](pages/findings.md) · [Later measurements](pages/later.md) · "
    "[Rules](pages/rules.md) · [Every claim](pages/claims.md) · [Records](pages/records.md)"
)
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
CHECK_A_NUMBER = (
    "`python -m reports --check` verifies that every byte of this report follows from claims and "
    "records, and `--numbers FILE` writes down which records each number comes from. The link "
    "“record” beside a number leads to one file; the command in it measures the number again. "
    "`python -m reports --audit --sample 10 --seed 0` does that for ten records drawn at random."
)
JUDGE = """```
$ python -m verification judge package.module:factory --scales 2 3 4
```"""
TEST_A_LAYER = (
    "Point the suite at any callable that maps images to responses at several scales. It prints "
    "PASSED, FAILED with the likeliest cause (for example an axis reversed, a wrong power of σ, "
    "half a pixel), or UNDECIDED with what would decide it. How good that is was measured on "
    "[layers that are broken on purpose](#can-the-checks-fail)."
)


def head(material: Material) -> Section:
    """What is checked, and how far the report goes."""
    title = "# Scale-Equivariant Steerable Networks: which claims hold?"
    return Section(paragraphs(title, _scope(material), CONTENTS))


def on_theory(material: Material) -> Section:
    """Whether the theory is sound, and what sampled filters lose."""
    figures = _budget_figure(material)
    shown = _picture(
        figures,
        "budget_front",
        "Equivariance error of each published configuration at its worst pair of scales",
        "Relative squared equivariance error of the published filters at the worst pair of "
        "neighbouring scales, largest first, and its two parts (not drawn below the axis).",
    )
    title, found = "## Is the theory sound?", answers.on_theory(material)
    return Section(paragraphs(title, found, answers.on_filters(material), shown), figures)


def on_experiments(material: Material) -> Section:
    """Whether the published experiments are accurate, and whether SESN beats the CNN."""
    figures = _accuracy_figure(material)
    shown = _picture(
        figures,
        "accuracy",
        "Left: our test error minus the published one, with interval and margin. Right: SESN minus "
        "CNN, paired, with the published difference",
        "Left: our error minus the published error in points, with 95 % interval; shaded: the "
        "margin of ±0.2; one run has no interval; in brackets the number of realisations; hollow: "
        "not run. Right: error of SESN minus that of the CNN on the same data, with 95 % interval; "
        "triangles: the published difference.",
    )
    text = paragraphs(
        "## Are the published experiments accurate?",
        answers.on_experiments(material),
        _cells(material),
        _from_memory(material),
        "### Does SESN beat the plain CNN?",
        _against_cnn(material),
        shown,
    )
    return Section(text, figures)


def on_refuted(material: Material) -> Section:
    """What does not hold, in lists by who stated it."""
    return Section(paragraphs("## What does not hold", _refuted(material)))


def on_findings(material: Material) -> Section:
    """What else was found."""
    found = highlights(material)
    shown = bullets(found) if found else "Nothing measured yet."
    return Section(paragraphs("## What else was found", shown))


def on_cost(material: Material) -> Section:
    """How much slower SESN is."""
    return Section(paragraphs("## Cost", _cost(material)))


def on_all_claims(material: Material) -> Section:
    """The claims counted, and the limits of all of this."""
    limits = [item for item in [*_limits(material), error_rates(material)] if item]
    board = _scoreboard(material)
    return Section(paragraphs("## Scoreboard", board, "## Limits", bullets(limits)))


def on_the_rest(material: Material) -> Section:
    """What the rest would take, and how to check this."""
    text = paragraphs(
        "## What the rest would take",
        _rest(material),
        "## Check one number",
        CHECK_A_NUMBER,
        "## Test your own layer",
        TEST_A_LAYER,
        JUDGE,
    )
    return Section(text)


SECTIONS = (
    head,
    on_theory,
    on_experiments,
    on_refuted,
    on_findings,
    on_cost,
    on_all_claims,
    on_the_rest,
)


def _scope(material: Material) -> str:
    dates = [record.provenance.started[:10] for record in material.records]
    when = f", the newest of {max(dates)}" if dates else ""
    return (
        "We check the statements of Sosnovik, Szmaja and Smeulders (ICLR 2020), of their released "
        "code, and of later work. This report is generated by `python -m reports` from "
        f"{plural(len(material.claims), 'claim')} and {plural(len(material.records), 'record')}"
        f"{when}. **The paper was not at hand: its figures are transcribed from memory (†).**\n\n"
        "Columns 28 and 56 are sizes of the images in pixels; “+” adds random scaling to the "
        "training, for which SESN has networks of its own, named `…_28p` and `…_56p`."
    )


def _cells(material: Material) -> str:
    """A row for each published error that was measured under the published recipe."""
    rows = []
    for cell in material.select(Cell, "cell.mnist", "cell.stl10"):
        measured = material.verdict(cell).measured
        if "mean" not in measured:
            continue
        interval = (
            f"{signed(measured['low'])} to {signed(measured['high'])}"
            if "low" in measured
            else "one run: none"
        )
        rows.append(
            [
                f"{plain(cell.method)}, {cell.column}",
                f"{cell.value:.2f} †",
                f"{measured['mean']:.2f}",
                f"{measured['units']:.0f} of {cell.runs or 1}",
                signed(measured["difference"]),
                interval,
                material.judged(cell),
                material.cite(cell),
            ]
        )
    header = [
        "Method, column", "Published, %", "Ours, %", "Realisations", "Difference", "95 % interval",
        "Verdict", "Evidence",
    ]  # fmt: skip
    return table(header, "lrrrrrll", rows) if rows else ""


def _from_memory(material: Material) -> str:
    cells = material.select(Cell, "cell.mnist", "cell.stl10")
    memory = [cell for cell in cells if cell.transcription == "unverified"]
    rerun = [abs(cell.rerun.mean - cell.value) for cell in cells if cell.rerun is not None]
    text = (
        f"{len(memory)} of the {len(cells)} published errors are transcribed from memory and may "
        "contain transcription errors."
    )
    if rerun:
        text += (
            " An earlier re-run of the authors' code by others (spetrescu/sesn) reports "
            f"{len(rerun)} of them within {max(rerun):.2f} points, but with the check of the data "
            "hash switched off, so that its data may differ."
        )
    return text


def _against_cnn(material: Material) -> str:
    """A row for each comparison of SESN with the plain CNN that was made."""
    published = {(c.model, c.column): c.value for c in material.select(Cell, "cell.mnist")}
    rows, open_columns = [], []
    for claim in material.select(Ranking, "ranking.mnist"):
        if not (len(claim.worse) == 1 and claim.worse[0].startswith("cnn_")):
            continue
        verdict = material.verdict(claim)
        name = material.method_names.get(claim.better, claim.better)
        if "difference" not in verdict.measured:
            open_columns.append(f"{plain(name)} in column {claim.column}")
            continue
        gap = published[claim.better, claim.column] - published[claim.worse[0], claim.column]
        ends = [material.judged(claim), material.cite(claim)]
        rows.append([f"{plain(name)}, {claim.column}", *_difference(verdict, gap), *ends])
        if verdict.measured["protocol"] != "paper":
            # Fewer pairs do not decide, but they are of the training that was published.
            same = replace(claim, protocol="paper")
            paper = judge(same, material.records, material.claims)
            if "difference" in paper.measured:
                ends = [f"by itself {paper.status}", NOTHING]
                rows.append([f"{plain(name)}, {claim.column}", *_difference(paper, gap), *ends])
    if not rows:
        return "Not tested: no data realisation has trainings of both."
    header = [
        "SESN − CNN, column", "Training", "Pairs", "Difference, points", "95 % interval",
        "Published", "Verdict", "Evidence",
    ]  # fmt: skip
    left = f" Not compared: {', '.join(open_columns)}." if open_columns else ""
    return paragraphs(
        "Paired on the same data realisations; a negative difference means that SESN errs less. "
        "`short` is five epochs in place of 60 on the published data: it supports rankings, never "
        "the published errors. A verdict rests on the protocol with the most pairs, among equals "
        f"on the heaviest.{left}",
        table(header, "llrrrrll", rows),
    )


def _difference(verdict: Verdict, published: float) -> list[str]:
    """Protocol, pairs, difference with its interval, and the published difference."""
    measured = verdict.measured
    low, high = measured.get("low"), measured.get("high")
    return [
        code(measured["protocol"]),
        str(measured["pairs"]),
        signed(measured["difference"]),
        f"{signed(low)} to {signed(high)}" if low is not None and high is not None else NOTHING,
        f"{signed(published)} †",
    ]


def _refuted(material: Material) -> str:
    parts = []
    for title, origins in REFUTED_LISTS:
        claims = [c for c in material.claims if c.origin in origins]
        wrong = [c for c in claims if material.verdict(c).status == REFUTED]
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
        failed = [r for r in readings if material.verdict(r).status == REFUTED]
        if failed and material.verdict(claim).status != REFUTED:
            items.append(
                f"{plain(claim.statement)} † It fails on {len(failed)} of {len(readings)} "
                "published grids that we tried "
                f"({claim_link(claim, material.verdict(claim).status)}: the paper does not say "
                "which network and scales its curve is of)."
            )
    if not items:
        return ""
    return paragraphs("Undecided, but contradicted by what we measured:", bullets(items))


def _cost(material: Material) -> str:
    """Few rows: time of a training step over the plain CNN's."""
    comparison = read_comparison(material)
    steps = comparison.ratios(lambda price: price.step)
    if not steps:
        return "Not measured: `python -m benchmarks compare` measures it."
    own = [name for name in steps if name.startswith("sesn_")]
    others = sorted((n for n in steps if n not in own), key=lambda name: steps[name].median)
    shown = [*own, *others[:1], *others[-2:]][:5]
    if REFERENCE in comparison.prices:
        shown = [REFERENCE, *shown]
    rows = [
        [
            plain(material.method_names.get(name, name)),
            f"{steps[name].median:.1f}" if name != REFERENCE else "1",
            f"{steps[name].lower:.1f} to {steps[name].upper:.1f}" if name != REFERENCE else NOTHING,
            f"{comparison.prices[name].multiply_adds / 1e6:.0f}",
            material.cite(comparison.prices[name].record),
        ]
        for name in dict.fromkeys(shown)
    ]
    slower = " and ".join(
        f"{plain(material.method_names.get(name, name))} {steps[name].median:.1f} times"
        for name in own
    )
    first = comparison.prices[next(iter(steps))].record
    lead = (
        f"With the fast layers of this project a training step of {slower} that of the plain CNN "
        if own
        else "A training step over that of the plain CNN "
    )
    batch = first.configuration.get("batch", NOTHING)
    machine = (
        f"networks for 28 pixels, batch {batch}, {plain(first.provenance.device)}, "
        f"{plural(first.provenance.threads, 'thread')}"
    )
    noise = comparison.prices.get(REFERENCE)
    steady = f"; the same CNN timed against itself: {noise.step.median:.2f}" if noise else ""
    header = [
        "Method", "Training step over the CNN’s", "Quartiles", "Multiply-adds, millions",
        "Evidence",
    ]  # fmt: skip
    text = f"{lead.replace('SESN scalar', 'SESN scalar takes', 1)}({machine}{steady})."
    return paragraphs(text, table(header, "lrrrl", rows))


def _scoreboard(material: Material) -> str:
    rows = []
    for origin, title in ORIGINS.items():
        claims = [claim for claim in material.claims if claim.origin == origin]
        found = Counter(material.statuses(claims))
        numbers = [str(found[status]) if found[status] else NOTHING for status in STATUSES]
        rows.append([title, *numbers, str(len(claims))])
    found = Counter(material.statuses(material.claims))
    total = [str(found[status]) if found[status] else NOTHING for status in STATUSES]
    rows.append(["**All**", *total, str(len(material.claims))])
    header = ["Claims", *(f"{MARKS[status]} {status}" for status in STATUSES), "All"]
    trained = [c for c in material.claims if c.protocol in ("short", "paper")]
    waiting = sum(material.verdict(c).status == NOT_RUN for c in trained)
    text = (
        f"{waiting} of the {found[NOT_RUN]} claims that were not run need trainings under `short` "
        f"or `paper`. ({verdict_text('by reading')}: read in the released code, at the file and "
        "line given.)"
    )
    return paragraphs(table(header, "l" + "r" * (len(header) - 1), rows), text)


def _limits(material: Material) -> list[str]:
    """State what limits all of this, with numbers."""
    memory = [c for c in material.claims if c.transcription == "unverified"]
    second = [c for c in material.claims if c.transcription == "secondary"]
    unfinished = [r for r in material.records if r.outcome != "finished"]
    unclean = [r for r in material.records if r.provenance.dirty is not False]
    items = [
        f"{len(memory)} claims (†) are transcribed from memory, {len(second)} (‡) are taken from "
        "secondary sources. None was compared with the paper.",
        "“Supported” needs evidence; that no difference was found is never enough. The rules from "
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


def _rest(material: Material) -> str:
    left = remaining(material)
    gpu = (
        f"**{left.gpu_hours:,.1f} hours on one H100**, which made {left.gpu_runs} of those that "
        f"are there, {left.gpu_rate:.1f} a minute, several side by side"
        if left.gpu_hours is not None
        else "on one H100 unknown: none was made there"
    )
    unknown = (
        f", not counting {plural(left.untimed, 'run')} without a timing" if left.untimed else ""
    )
    waiting = [
        claim
        for claim in material.claims
        if material.verdict(claim).status in (NOT_RUN, INCONCLUSIVE)
        and claim.protocol in ("check", "timing")
        and claim.origin != "later"
    ]
    later = sum(
        claim.origin == "later" and material.verdict(claim).status == NOT_RUN
        for claim in material.claims
    )
    return bullets(
        [
            f"**The MNIST-scale table**: {plural(left.runs, 'training')} of 60 epochs are "
            f"missing, {left.trained} are there. They take about **{left.hours:,.0f} hours on two "
            f"cores**{unknown}, or {gpu}. Methods that were not trained count as the CNN times the "
            "ratio of their training steps on a CPU ([methods](pages/methods.md)), networks of 56 "
            "pixels without a timing as four of 28. The authors report two days for 288 runs on "
            "one GTX 1080 Ti.",
            "**STL-10**: the data are not part of this project, and each network trains for 1,000 "
            "epochs; no time was measured.",
            f"**Other measurements**: {plural(len(waiting), 'claim')} need a measurement of "
            "minutes that was not made or did not decide ([every claim](#all-theorems)).",
            f"**Later statements by others**: {later} need networks, data or hardware that are not "
            "part of this project, as each [claim](#all-theorems) says.",
        ]
    )


def _accuracy_figure(material: Material) -> dict[str, bytes]:
    cells = material.select(Cell, "cell.mnist")
    if not any("mean" in material.verdict(cell).measured for cell in cells):
        return {}
    rankings = [
        claim
        for claim in material.select(Ranking, "ranking.mnist")
        if len(claim.worse) == 1 and claim.worse[0].startswith("cnn_")
    ]
    points = drawing.points(cells, rankings, material.verdicts, material.method_names)
    return render("accuracy", partial(drawing.draw, points), drawing.size(points))


def _budget_figure(material: Material) -> dict[str, bytes]:
    published = [item for item in budgets(material) if item.published]
    if not published:
        return {}
    size = (8.0, 1.2 + 0.3 * len(published))
    return render("budget_front", partial(budget_drawing.worst_pairs, published), size)


def _picture(figures: dict[str, bytes], name: str, description: str, caption: str) -> str:
    return picture(name, description, caption) if f"{name}.svg" in figures else ""
