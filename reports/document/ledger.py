"""Where every number of the report comes from, found by leaving records out.

The report is written again without each record in turn.  A line that changes rests on that record;
a line that stays even where there are no records at all rests on the claims, or on fixed wording.
So a number leads from its line to records, whose names are the hashes of what they hold.  What this
cannot see: a constant within a line that depends on records otherwise.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from reports.document.report import REPORT, make_report
from reports.readers.material import Material
from reports.writing.figures import undrawn
from verification.claims.claim import Claim
from verification.claims.records import Record, RecordError

RECORDS, CLAIMS, WORDING = "records", "claims", "wording"
_DEFINITION = re.compile(r"^\[[^\]]+\]: \S+$")
_HIDDEN = re.compile(r"\]\([^)]*\)|\[[0-9a-f]{7,}\]|<a id=[^>]*>|figures/\S+")
_NUMBER = re.compile(r"(?<![\w.])[+−±-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+-]?\d+)?")


@dataclass(frozen=True)
class Entry:
    """One line of the report with the numbers it shows.

    source: "records", "claims" or "wording"; records: the files it rests on, none for the latter.
    Empty although the source is "records": no single one, because others say the same.
    """

    line: int
    numbers: tuple[str, ...]
    source: str
    records: tuple[str, ...]


def trace(claims: Sequence[Claim], records: Sequence[Record], folder: str) -> tuple[Entry, ...]:
    """Return an entry for each line with numbers of the report on claims and records."""
    with undrawn():
        lines = _lines(claims, records, folder)
        bare = Counter(_lines(claims, (), folder))
        changed = {
            record.filename: Counter(lines)
            - Counter(_lines_without(record, claims, records, folder))
            for record in records
        }
    known = claim_numbers(claims)
    entries = []
    for number, line in enumerate(lines, start=1):
        if found := numbers_in(line):
            files = tuple(sorted(name for name, lost in changed.items() if line in lost))
            source = _source(line, bare, known)
            entries.append(Entry(number, found, source, files if source == RECORDS else ()))
    return tuple(entries)


def unaccounted(entries: Sequence[Entry], text: str) -> list[str]:
    """Say which lines with numbers of a report's text the ledger does not know."""
    by_line = {entry.line: entry for entry in entries}
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        shown = numbers_in(line)
        entry = by_line.get(number)
        if shown and (entry is None or entry.numbers != shown):
            found.append(f"line {number}: {', '.join(shown)} come from no record and no claim")
    return found


def numbers_in(line: str) -> tuple[str, ...]:
    """Numbers that a line shows; names of records and targets of links are none."""
    if _DEFINITION.match(line):
        return ()
    return tuple(match.group() for match in _NUMBER.finditer(_HIDDEN.sub("]", line)))


def claim_numbers(claims: Sequence[Claim]) -> frozenset[str]:
    """Every number in the fields of claims, as it may be written."""
    texts: set[str] = set()
    for claim in claims:
        for field in fields(claim):
            texts.update(_written(getattr(claim, field.name)))
    return frozenset(texts)


def as_json(entries: Sequence[Entry], material: Material) -> dict[str, Any]:
    """The ledger with the whole hash of each record."""
    digests = {record.filename: record.digest for record in material.records}
    return {"report": REPORT, "records": digests, "lines": [asdict(entry) for entry in entries]}


def _written(value: object) -> set[str]:
    if isinstance(value, str):
        return set(numbers_in(value))
    if isinstance(value, Mapping):
        return {text for item in value.items() for part in item for text in _written(part)}
    if isinstance(value, tuple | list):
        return {text for item in value for text in _written(item)}
    if isinstance(value, bool) or not isinstance(value, int | float):
        return set()
    return {f"{value:g}", f"{value:,}", f"{value:.2f}", f"{value:.0f}"}


def _source(line: str, bare: Counter[str], known: frozenset[str]) -> str:
    if line not in bare:
        return RECORDS
    return CLAIMS if any(number in known for number in numbers_in(line)) else WORDING


def _lines_without(
    record: Record, claims: Sequence[Claim], records: Sequence[Record], folder: str
) -> list[str]:
    rest = [other for other in records if other is not record]
    try:
        return _lines(claims, rest, folder)
    except RecordError:
        # What it had replaced comes to light, and may be of a format that is no longer read.
        kept = [other for other in rest if not _replaced(other, record)]
        return _lines(claims, kept, folder)


def _replaced(older: Record, newer: Record) -> bool:
    same = (older.kind, older.subject) == (newer.kind, newer.subject)
    return same and older.provenance.started <= newer.provenance.started


def _lines(claims: Sequence[Claim], records: Sequence[Record], folder: str) -> list[str]:
    text = make_report(claims, records, folder).files[REPORT].decode()
    return text.splitlines()
