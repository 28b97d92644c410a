"""The front page: what a reader of the paper wants to know, in five minutes."""

from __future__ import annotations

from functools import partial

from reports.drawings import budget as budget_drawing
from reports.readers.budgets import budgets
from reports.readers.comparison import REFERENCE, read_comparison
from reports.readers.material import Material, Section
from reports.sections.front import answers, counts, experiments
from reports.sections.front.highlights import highlights
from reports.sections.rules import error_rates
from reports.writing.figures import render
from reports.writing.markdown import bullets, paragraphs, picture, plain, table
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
    figures = experiments.accuracy_figure(material)
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
        experiments.cells(material),
        experiments.from_memory(material),
        "### Does SESN beat the plain CNN?",
        experiments.against_cnn(material),
        shown,
    )
    return Section(text, figures)


def on_refuted(material: Material) -> Section:
    """What does not hold, in lists by who stated it."""
    return Section(paragraphs("## What does not hold", counts.refuted(material)))


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
    limits = [item for item in [*counts.limits(material), error_rates(material)] if item]
    board = counts.scoreboard(material)
    return Section(paragraphs("## Scoreboard", board, "## Limits", bullets(limits)))


def on_the_rest(material: Material) -> Section:
    """What the rest would take, and how to check this."""
    text = paragraphs(
        "## What the rest would take",
        counts.rest(material),
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
                _name(material, name) if name != REFERENCE else "CNN, layers of this project",
                f"{price.step.median:.1f}",
                f"{price.step.lower:.1f} to {price.step.upper:.1f}",
                f"{price.multiply_adds / 1e6:.0f}",
                material.cite(price.record),
            ]
        )
    slower = " and ".join(f"{_name(material, name)} {steps[name].median:.1f} times" for name in own)
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
    header = [
        "Method", "Training step over the CNN’s", "Quartiles", "Multiply-adds, millions",
        "Evidence",
    ]  # fmt: skip
    text = f"{lead.replace('SESN scalar', 'SESN scalar takes', 1)}({machine})."
    return paragraphs(text, table(header, "lrrrl", rows))


def _name(material: Material, model: str) -> str:
    return plain(material.method_names.get(model, model))


def _budget_figure(material: Material) -> dict[str, bytes]:
    published = [item for item in budgets(material) if item.published]
    if not published:
        return {}
    size = (8.0, 1.2 + 0.3 * len(published))
    return render("budget_front", partial(budget_drawing.worst_pairs, published), size)


def _picture(figures: dict[str, bytes], name: str, description: str, caption: str) -> str:
    return picture(name, description, caption) if f"{name}.svg" in figures else ""
