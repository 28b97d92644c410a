"""Section on the judge of layers: its verdicts on layers of known truth, and its power."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any

from reports.drawings.gallery import draw
from reports.readers import measurements
from reports.readers.material import Material
from reports.writing.markdown import bullets, clipped, paragraphs, plain, table
from reports.writing.section import Section, picture, section
from reports.writing.wording import NOTHING
from verification.claims.claim import Count
from verification.claims.records import Record

TITLE = "## Is the judge right about layers of known truth?"
EXPLANATION = (
    "Layers that people use, and layers with a mistake, were judged as a user judges them. The "
    "truth follows from how each is built; an independent probe, which shares no code with the "
    "judge, confirms it: as all widths in pixels grow, the error of an equivariant family falls "
    "towards zero, that of another stays. *Error*: the first error that decides, as median over "
    "the seeds; *probe*: errors as sampled, and finer; *s*: CPU seconds on one thread."
)
NOT_MEASURED = "**Not run.** `python -m benchmarks gallery` measures it."
_SHORT = {"PASSED": "passed", "FAILED": "failed", "UNDECIDED": "undecided"}


@dataclass(frozen=True)
class Gallery:
    """One record: its counts, rows, absent libraries, random layers, mistakes, curves of power."""

    record: Record
    rows: tuple[dict[str, Any], ...]
    absent: tuple[dict[str, str], ...]
    random: dict[str, Any]
    mistakes: tuple[dict[str, Any], ...]
    power: dict[str, Any]


def write(material: Material) -> Section:
    """The table of layers, the finding, and the figure of the power of the checks."""
    found = measurements.read(material.newest("gallery"), "layers", _gallery_of)
    if not found:
        return section(TITLE, EXPLANATION, NOT_MEASURED, _verdicts(material))
    newest = found[-1]
    header = "Layer | Equivariant? | Verdicts | :Right?: | Error: | Probe: | s: | Likely cause"
    return section(
        TITLE,
        EXPLANATION,
        _finding(material, newest),
        _verdicts(material),
        table(header, [_row(row) for row in newest.rows], fold=True),
        _absent(newest),
        "### Mistakes as users make them",
        _mistakes(newest),
        "### How small a mistake is found",
        picture(
            "gallery_power",
            "Smallest mistake that each check rejects against the width of the finest filter",
            "Three scales √2 apart, cut off at 3σ; a missing point: not even the largest mistake.",
            partial(draw, newest.power),
        ),
        bullets([f"*{kind}*: {plain(words)}" for kind, words in newest.power["kinds"].items()]),
    )


def _gallery_of(record: Record) -> Gallery:
    numbers = record.numbers
    if numbers["layers"] != len(numbers["rows"]) or not numbers["power"]["curves"]:
        found = len(numbers["rows"])
        raise ValueError(f"counts of {numbers['layers']} layers beside {found} rows")
    return Gallery(
        record, tuple(numbers["rows"]), tuple(numbers["absent"]), numbers["random"],
        tuple(numbers["mistakes"]), numbers["power"],
    )  # fmt: skip


def _finding(material: Material, found: Gallery) -> str:
    counts, random = found.record.numbers, found.random
    open_ = random["answers"].get("UNDECIDED", 0)
    first = sum(all(map(partial(_likeliest, row), row["verdicts"])) for row in found.mistakes)
    return (
        f"**Finding.** {counts['layers']} layers, of which {counts['not_equivariant']} are not "
        f"equivariant; of {counts['verdicts']} verdicts {counts['wrong_pass']} pass and "
        f"{counts['wrong_fail']} fail wrongly, {counts['undecided']} are undecided. The probe "
        f"disagrees with {counts['unconfirmed']} derivations. Of {random['layers']} random correct "
        f"layers {len(random['failed'])} fail and {open_} are undecided. Of {len(found.mistakes)} "
        f"mistakes of users {len(found.mistakes) - counts['unnamed']} are rejected with their "
        f"cause on every seed, {first} with it as the likeliest. {material.cite(found.record)}"
    )


def _likeliest(row: dict[str, Any], verdict: dict[str, Any]) -> bool:
    return verdict["named"] and verdict["causes"][0] in row["causes"]


def _verdicts(material: Material) -> str:
    claims = material.select(Count, "count.gallery")
    return bullets([f"{material.judged(claim)}: {plain(claim.statement)}" for claim in claims])


def _mistakes(found: Gallery) -> str:
    rows = []
    for each in found.mistakes:
        verdicts = each["verdicts"]
        named = sum(verdict["named"] for verdict in verdicts)
        causes = [verdict["cause"] for verdict in verdicts if verdict["cause"]]
        rows.append(
            [
                f"`{each['name']}`", plain(each["story"]), f"{named} of {len(verdicts)}",
                plain(clipped(causes[0], 60)) if causes else NOTHING,
            ]
        )  # fmt: skip
    header = "Layer | How it happens | Rejected and named: | Likely cause"
    return table(header, rows, fold=True)


def _row(row: dict[str, Any]) -> list[str]:
    verdicts = row["verdicts"]
    answers = Counter(verdict["answer"] for verdict in verdicts)
    contrary = "FAILED" if row["holds"] else "PASSED"
    right = "✗" if answers[contrary] else "open" if answers["UNDECIDED"] else "✓"
    causes = [verdict["cause"] for verdict in verdicts if verdict["cause"]]
    errors = [verdict["error"] for verdict in verdicts if verdict["error"] is not None]
    return [
        f"`{row['name']}`",
        {True: "yes", False: "no"}[row["holds"]],
        ", ".join(f"{n} {_SHORT[answer]}" for answer, n in sorted(answers.items())),
        right,
        f"{statistics.median(errors):.1e}" if errors else NOTHING,
        ", ".join(f"{error:.1e}" for error in row["probe"]),
        f"{statistics.median(verdict['seconds'] for verdict in verdicts):.1f}",
        plain(clipped(causes[0], 60)) if causes else NOTHING,
    ]


def _absent(found: Gallery) -> str:
    items = [f"`{each['name']}`: {plain(clipped(each['why']))}" for each in found.absent]
    title = "Not judged, since the library does not import:"
    return paragraphs(title, bullets(items)) if items else ""
