"""Section on the checks themselves: what they say of layers that are broken on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reports.readers import measurements
from reports.readers.material import Material
from reports.writing.markdown import bullets, clipped, paragraphs, plain, table
from reports.writing.section import Section, section
from reports.writing.wording import NOTHING
from verification.claims.claim import Count
from verification.claims.records import Record

TITLE = "## Can the checks fail?"
EXPLANATION = (
    "A check that nothing can fail proves nothing. So layers are broken on purpose, one real-world "
    "mistake each, and judged against the documentation of the intact one by every check that "
    "applies to them. Beside the name of a check stands how many times its threshold the error is "
    "(the error itself, mostly a count, where nothing at all is tolerated)."
)
NOT_MEASURED = "**Not run.** `python -m verification mutants` measures it in a minute."


@dataclass(frozen=True)
class Broken:
    """A broken layer: the checks that apply, who rejects it by which error, who names it.

    rejected: check -> (error, threshold), both none where the check could not be done.
    """

    name: str
    group: str
    story: str
    intact: str
    checks: tuple[str, ...]
    rejected: dict[str, tuple[float | None, float | None]]
    naming: tuple[str, ...]
    finding: str


@dataclass(frozen=True)
class Table:
    """All that one run of the command has judged."""

    record: Record
    intact: dict[str, tuple[int, tuple[str, ...]]]
    broken: tuple[Broken, ...]
    equivalent: tuple[tuple[str, str], ...]


def write(material: Material) -> Section:
    """The table of broken layers and checks, with what each finding says."""
    found = measurements.read(material.newest("mutation"), "mutants", _table_of)
    if not found:
        return section(TITLE, EXPLANATION, NOT_MEASURED)
    newest = found[-1]
    return section(
        TITLE,
        EXPLANATION,
        _finding(material, newest),
        *(_matrix(newest, group) for group in dict.fromkeys(b.group for b in newest.broken)),
        _stories(newest),
        _equivalent(newest),
    )


def _table_of(record: Record) -> Table:
    numbers = record.numbers
    intact = {
        name: (len(row["checks"]), tuple(row["failed"])) for name, row in numbers["intact"].items()
    }
    broken = tuple(_broken(raw) for raw in numbers["mutants"])
    equivalent = tuple((raw["name"], raw["reason"]) for raw in numbers["equivalent"])
    return Table(record, intact, broken, equivalent)


def _broken(raw: dict[str, Any]) -> Broken:
    rejected = {name: (row["error"], row["threshold"]) for name, row in raw["killed_by"].items()}
    if unknown := [name for name in (*rejected, *raw["naming"]) if name not in raw["checks"]]:
        raise ValueError(f"mutant {raw['name']}: rejected by {unknown[0]}, which does not apply")
    finding = raw["findings"][0] if raw["findings"] else ""
    return Broken(
        raw["name"], raw["group"], raw["story"], raw["intact"], tuple(raw["checks"]), rejected,
        tuple(raw["naming"]), finding,
    )  # fmt: skip


def _finding(material: Material, found: Table) -> str:
    rejected = sum(bool(each.rejected) for each in found.broken)
    named = sum(bool(each.naming) for each in found.broken)
    kinds = len({each.name for each in found.broken})
    failed = [name for name, (_, failures) in found.intact.items() if failures]
    sound = "pass every check" if not failed else f"fail: {', '.join(failed)}"
    verdicts = [
        f"{material.judged(claim)}: {plain(claim.statement)}"
        for claim in material.select(Count, "count.checks")
    ]
    return (
        f"**Finding.** {kinds} mistakes in {len(found.broken)} broken layers: {rejected} rejected, "
        f"{named} by a check that names the mistake. The {len(found.intact)} intact modules "
        f"{sound}. {' '.join(verdicts)} {material.cite(found.record)}"
    )


def _matrix(found: Table, group: str) -> str:
    """A row for each broken layer: who rejects it, who names its mistake, and how clearly."""
    rows = []
    for each in (each for each in found.broken if each.group == group):
        named = [f"{n.replace('_', ' ')} {_ratio(*each.rejected[n])}" for n in each.naming]
        rows.append(
            [
                f"`{each.name}`",
                each.intact,
                f"{len(each.rejected)} of {len(each.checks)}",
                plain(clipped(", ".join(named))) or NOTHING,
            ]
        )
    header = "Broken layer | Of | Checks that reject it | Checks that name the mistake"
    return paragraphs(f"### Broken: {group}", table(header, rows, fold=True))


def _ratio(error: float | None, threshold: float | None) -> str:
    """How far beyond its threshold an error is, or how many are found where none may be."""
    if error is None or threshold is None:
        return NOTHING
    return f"{error:.3g}" if threshold == 0 else f"{error / threshold:.1e}×"


def _stories(found: Table) -> str:
    unique = {each.name: each for each in reversed(found.broken)}
    shown = [unique[name] for name in dict.fromkeys(each.name for each in found.broken)]
    items = [
        f"`{each.name}`: {plain(each.story)} *Found:* {plain(each.finding) or NOTHING}"
        for each in shown
    ]
    return paragraphs("### The mistakes, and what is said of each", bullets(items))


def _equivalent(found: Table) -> str:
    items = [f"`{name}`: {plain(reason)}" for name, reason in found.equivalent]
    return paragraphs(
        "### Changes that no check can find",
        "They look like mistakes and change nothing: outputs and gradients are the intact ones.",
        bullets(items),
    )
