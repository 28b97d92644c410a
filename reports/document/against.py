"""What changed between two sets of records: verdicts, numbers, and what was run at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reports.readers.material import Material
from reports.writing.markdown import code, paragraphs, plain, table
from reports.writing.wording import NOTHING, plural, verdict_text
from verification.claims.records import Record

MOST_NUMBERS = 40
CHANGE = 1e-9
"""Relative difference below which two numbers are written the same by every computer."""


def changes_between(before: Material, after: Material) -> str:
    """Say in Markdown what changed from the old to the new records."""
    return paragraphs(
        "# What changed",
        f"From {plural(len(before.records), 'record')} to {plural(len(after.records), 'record')}.",
        "## Verdicts",
        _verdicts(before, after),
        "## Numbers of verdicts",
        _numbers(before, after),
        "## Records",
        _records(before, after),
    )


def _verdicts(before: Material, after: Material) -> str:
    rows = [
        [
            code(claim.id),
            verdict_text(before.verdict(claim).status),
            verdict_text(after.verdict(claim).status),
            plain(after.verdict(claim).reason),
        ]
        for claim in after.claims
        if before.verdict(claim).status != after.verdict(claim).status
    ]
    return table("Claim | Before | After | Why now", rows) or "No verdict changed."


def _numbers(before: Material, after: Material) -> str:
    rows = []
    for claim in after.claims:
        sides = [dict(_flat("", m.verdict(claim).measured)) for m in (before, after)]
        for name in sides[0].keys() & sides[1].keys():
            a, b = sides[0][name], sides[1][name]
            if abs(a - b) > CHANGE * max(abs(a), abs(b)):
                change = f"{100 * (b - a) / abs(a):+.1f} %" if a else NOTHING
                rows.append([code(claim.id), name, f"{a:.4g}", f"{b:.4g}", change])
    rows.sort()
    shown = table("Claim | Number | Before: | After: | Change:", rows[:MOST_NUMBERS])
    more = f"And {plural(len(rows) - MOST_NUMBERS, 'number')} more."
    both = "None that both sets measured differs."
    return paragraphs(shown or both, more if len(rows) > MOST_NUMBERS else "")


def _records(before: Material, after: Material) -> str:
    """What was run in one set alone, and how much in both gave other numbers."""
    old, new = ({record.key: record for record in m.records} for m in (before, after))
    rows = [
        *([_name(new[key]), NOTHING, _state(new[key])] for key in new.keys() - old.keys()),
        *([_name(old[key]), _state(old[key]), NOTHING] for key in old.keys() - new.keys()),
        *(
            [_name(new[key]), _state(old[key]), _state(new[key])]
            for key in new.keys() & old.keys()
            if old[key].outcome != new[key].outcome
        ),
    ]
    both = new.keys() & old.keys()
    other = sum(old[key].numbers != new[key].numbers for key in both)
    text = f"{plural(len(both), 'thing')} run in both, {other} of them with other numbers."
    if not rows:
        return f"{text} Nothing was run in one set alone."
    return paragraphs(text, table("Run | Before | After", sorted(rows)))


def _name(record: Record) -> str:
    seeds = ", ".join(f"{name} {value}" for name, value in sorted(record.seeds.items()))
    return f"{record.kind} {code(record.subject)}, {record.protocol}{', ' if seeds else ''}{seeds}"


def _state(record: Record) -> str:
    return f"{record.outcome}, {record.filename}"


def _flat(where: str, value: object) -> Iterator[tuple[str, float]]:
    """Numbers in nested values, by their path."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _flat(f"{where}.{name}".removeprefix("."), item)
    elif isinstance(value, list | tuple):
        for k, item in enumerate(value):
            yield from _flat(f"{where}[{k}]", item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield where, float(value)
