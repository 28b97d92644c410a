"""The front page: what a reader of the paper wants to know, in five minutes."""

from __future__ import annotations

from functools import partial

from reports.drawings import budget as budget_drawing
from reports.readers.budgets import budgets
from reports.readers.comparison import REFERENCE, read_comparison
from reports.readers.material import Material
from reports.sections.front import answers, counts, experiments
from reports.sections.front.highlights import highlights
from reports.sections.rules import error_rates
from reports.writing.markdown import bullets, paragraphs, plain, table
from reports.writing.section import Section, picture, section
from reports.writing.wording import NOTHING, plural

CONTENTS = (
    "**Pages.** [Theory and budget](pages/theory.md) · [Accuracy](pages/accuracy.md) · "
    "[Error against accuracy](pages/bases.md) · [Unseen scales](pages/unseen.md) · "
    "[Methods](pages/methods.md) · [Cost](pages/cost.md) · [Broken layers](pages/checks.md) · "
    "[Findings](pages/findings.md) · [Later measurements](pages/later.md) · "
    "[Rules](pages/rules.md) · [Every claim](pages/claims.md) · [Records](pages/records.md)"
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
    return section(title, _scope(material), CONTENTS)


def on_theory(material: Material) -> Section:
    """Whether the theory is sound, and what sampled filters lose."""
    published = [item for item in budgets(material) if item.published]
    shown = (
        picture(
            "budget_front",
            "Equivariance error of each published configuration at its worst pair of scales",
            "Relative squared equivariance error of the published filters at the worst pair of "
            "neighbouring scales, largest first, and its two parts (not drawn below the axis).",
            partial(budget_drawing.worst_pairs, published),
        )
        if published
        else ""
    )
    title, found = "## Is the theory sound?", answers.on_theory(material)
    return section(title, found, answers.on_filters(material), shown)


def on_experiments(material: Material) -> Section:
    """Whether the published experiments are accurate, and whether SESN beats the CNN."""
    return section(
        "## Are the published experiments accurate?",
        answers.on_experiments(material),
        experiments.cells(material),
        experiments.from_memory(material),
        "### Does SESN beat the plain CNN?",
        experiments.against_cnn(material),
        experiments.accuracy_figure(material),
    )


def on_refuted(material: Material) -> Section:
    """What does not hold, in lists by who stated it."""
    return section("## What does not hold", counts.refuted(material))


def on_findings(material: Material) -> Section:
    """What else was found."""
    found = bullets(highlights(material))
    return section("## What else was found", found or "Nothing measured yet.")


def on_cost(material: Material) -> Section:
    """How much slower SESN is."""
    return section("## Cost", _cost(material))


def on_all_claims(material: Material) -> Section:
    """The claims counted, and the limits of all of this."""
    limits = [item for item in [*counts.limits(material), error_rates(material)] if item]
    board = counts.scoreboard(material)
    return section("## Scoreboard", board, "## Limits", bullets(limits))


def on_the_rest(material: Material) -> Section:
    """What the rest would take, and how to check this."""
    return section(
        "## What the rest would take",
        counts.rest(material),
        "## Check one number",
        CHECK_A_NUMBER,
        "## Test your own layer",
        TEST_A_LAYER,
        JUDGE,
    )


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


def _cost(material: Material) -> str:
    """Few rows: time of a training step over the plain CNN's."""
    comparison = read_comparison(material)
    steps = comparison.ratios(lambda price: price.step)
    if not steps:
        return "Not measured: `python -m benchmarks compare` measures it."
    own = [name for name in steps if name.startswith("sesn_")]
    others = sorted((n for n in steps if n not in own), key=lambda name: steps[name].median)
    shown = [*own, *others[:1], *others[-2:]][:5]
    plain_cnn = [REFERENCE] if REFERENCE in comparison.prices else []
    rows = [["CNN, torch’s own layers", "1", NOTHING, NOTHING, NOTHING]]
    for name in dict.fromkeys([*plain_cnn, *shown]):
        price = comparison.prices[name]
        rows.append(
            [
                material.name(name) if name != REFERENCE else "CNN, layers of this project",
                f"{price.step.median:.1f}",
                f"{price.step.lower:.1f} to {price.step.upper:.1f}",
                f"{price.multiply_adds / 1e6:.0f}",
                material.cite(price.record),
            ]
        )
    slower = " and ".join(f"{material.name(name)} {steps[name].median:.1f} times" for name in own)
    first = comparison.prices[next(iter(steps))].record
    lead = (
        f"With the fast layers of this project a training step of {slower} that of a CNN of "
        "torch's own layers "
        if own
        else "A training step over that of a CNN of torch's own layers "
    )
    batch = first.configuration.get("batch", NOTHING)
    machine = (
        f"networks for 28 pixels, batch {batch}, {plain(first.provenance.device)}, "
        f"{plural(first.provenance.threads, 'thread')}"
    )
    header = (
        "Method | Training step over the CNN’s: | Quartiles: | Multiply-adds, millions: | Evidence"
    )
    text = f"{lead.replace('SESN scalar', 'SESN scalar takes', 1)}({machine})."
    return paragraphs(text, table(header, rows))
