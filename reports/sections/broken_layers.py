"""Section on the checks themselves: what they say of layers that are broken on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports.readers import measurements
from reports.readers.material import Material
from reports.writing.markdown import bullets, clipped, paragraphs, plain, table
from reports.writing.section import Section, section
from reports.writing.wording import NOTHING
from verification.claims.claim import Count
from verification.claims.fields import check_names
from verification.claims.records import Record

TITLE = "## Can the checks fail?"
EXPLANATION = (
    "A check that nothing can fail proves nothing. So layers are broken on purpose, one real-world "
    "mistake each, and judged against the documentation of the intact one by every check that "
    "applies to them. The number beside a check is the error in multiples of its threshold (or "
    "the error itself, mostly a count, where the threshold is zero)."
)
FIELDS = ("name", "group", "story", "intact", "checks", "killed_by", "naming", "findings")
NOT_MEASURED = "**Not run.** `python -m verification mutants` measures it in a minute."


def write(material: Material) -> Section:
    """The table of broken layers and checks, with what each finding says."""
    found = measurements.read(material.newest("mutation"), "mutants", _checked)
    if not found:
        return section(TITLE, EXPLANATION, NOT_MEASURED)
    newest = found[-1]
    groups = dict.fromkeys(row["group"] for row in newest.numbers["mutants"])
    return section(
        TITLE,
        EXPLANATION,
        _finding(material, newest),
        *(_matrix(newest, group) for group in groups),
        _stories(newest),
        _equivalent(newest),
    )


def _checked(record: Record) -> Record:
    """A record whose every row is whole, and rejected by checks alone that apply to it."""
    check_names("its table", record.numbers, ("intact", "mutants", "equivalent"), record.numbers)
    for row in record.numbers["mutants"]:
        check_names("a broken layer", row, FIELDS, row)
        for name in (*row["killed_by"], *row["naming"]):
            if name not in row["checks"]:
                raise ValueError(f"mutant {row['name']}: rejected by {name}, which does not apply")
    return record


def _finding(material: Material, found: Record) -> str:
    broken, intact = found.numbers["mutants"], found.numbers["intact"]
    rejected = sum(bool(each["killed_by"]) for each in broken)
    named = sum(bool(each["naming"]) for each in broken)
    kinds = len({each["name"] for each in broken})
    failed = [name for name, row in intact.items() if row["failed"]]
    sound = "pass every check" if not failed else f"fail: {', '.join(failed)}"
    verdicts = [
        f"{material.judged(claim)}: {plain(claim.statement)}"
        for claim in material.select(Count, "count.checks")
    ]
    return (
        f"**Finding.** {kinds} mistakes in {len(broken)} broken layers: {rejected} rejected, "
        f"{named} by a check that names the mistake. The {len(intact)} intact modules "
        f"{sound}. {' '.join(verdicts)} {material.cite(found)}"
    )


def _matrix(found: Record, group: str) -> str:
    """A row for each broken layer: who rejects it, who names its mistake, and how clearly."""
    rows = []
    for each in (row for row in found.numbers["mutants"] if row["group"] == group):
        rejected = each["killed_by"]
        named = [f"{name.replace('_', ' ')} {_ratio(rejected[name])}" for name in each["naming"]]
        rows.append(
            [
                f"`{each['name']}`",
                each["intact"],
                f"{len(rejected)} of {len(each['checks'])}",
                plain(clipped(", ".join(named))) or NOTHING,
            ]
        )
    header = "Broken layer | Of | Checks that reject it | Checks that name the mistake"
    return paragraphs(f"### Broken: {group}", table(header, rows, fold=True))


def _ratio(found: Mapping[str, float | None]) -> str:
    """How far beyond its threshold an error is, or how many are found where none may be."""
    error, threshold = found["error"], found["threshold"]
    if error is None or threshold is None:
        return NOTHING
    return f"{error:.3g}" if threshold == 0 else f"{error / threshold:.1e}×"


def _stories(found: Record) -> str:
    unique: dict[str, Any] = {}
    for row in found.numbers["mutants"]:
        unique.setdefault(row["name"], row)
    items = []
    for name, row in unique.items():
        first = plain("".join(row["findings"][:1])) or NOTHING
        items.append(f"`{name}`: {plain(row['story'])} *Found:* {first}")
    return paragraphs("### The mistakes, and how they are reported", bullets(items))


def _equivalent(found: Record) -> str:
    rows = found.numbers["equivalent"]
    items = [f"`{row['name']}`: {plain(row['reason'])}" for row in rows]
    return paragraphs(
        "### Changes that no check can find",
        "They look like mistakes but change nothing: outputs and gradients stay the same.",
        bullets(items),
    )
