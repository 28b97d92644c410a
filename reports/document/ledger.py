"""Where every number of the report comes from, found by leaving records out.

The report is written again without each record in turn.  A line that changes rests on that record;
a line that stays even where there are no records at all rests on the claims, or on fixed wording.
So a number leads from its line to records, whose names are the hashes of what they hold.  What this
cannot see: a constant within a line that depends on records otherwise.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from reports.document.pages import PAGES, REPORT
from reports.document.tracing import Part, lost_lines, parts_of
from reports.readers.material import Material
from reports.writing.figures import undrawn
from verification.claims.claim import Claim

RECORDS, CLAIMS, WORDING = "records", "claims", "wording"
_HIDDEN = re.compile(r"\[[0-9a-f]{7,}\]\([^)]*\)|\]\([^)]*\)|<a id=[^>]*>|figures/\S+")
_NUMBER = re.compile(r"(?<![\w.])[+−±-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+-]?\d+)?")


@dataclass(frozen=True)
class Entry:
    """One line of a page of the report with the numbers it shows.

    source: "records", "claims" or "wording"; records: the files it rests on, none for the latter.
    Empty although the source is "records": no single one, because others say the same.
    """

    page: str
    line: int
    numbers: tuple[str, ...]
    source: str
    records: tuple[str, ...]


def trace(material: Material) -> tuple[Entry, ...]:
    """Return an entry for each line with numbers of every page of the report."""
    with undrawn():
        parts = parts_of(material)
        bare = parts_of(Material.gather(material.claims, ()))
        rests: dict[tuple[int, str], list[str]] = defaultdict(list)
        for record, lost in lost_lines(material, parts):
            for number, lines in lost.items():
                for line in lines:
                    rests[number, line].append(record.filename)
    known = claim_numbers(material.claims)
    fixed = {page.name: Counter(_page_lines(bare, page.name)) for page in PAGES}
    entries = []
    for page, place, number, line in _placed(parts):
        if found := numbers_in(line):
            source = _source(line, fixed[page], known)
            files = tuple(sorted(rests[number, line])) if source == RECORDS else ()
            entries.append(Entry(page, place, found, source, files))
    return tuple(entries)


def unaccounted(entries: Sequence[Entry], texts: Mapping[str, str]) -> list[str]:
    """Say which lines with numbers of the texts of pages the ledger does not know."""
    by_line = {(entry.page, entry.line): entry for entry in entries}
    found = []
    for page, text in texts.items():
        for number, line in enumerate(text.splitlines(), start=1):
            shown = numbers_in(line)
            entry = by_line.get((page, number))
            if shown and (entry is None or entry.numbers != shown):
                what = f"{', '.join(shown)} come from no record and no claim"
                found.append(f"{page}, line {number}: {what}")
    return found


def numbers_in(line: str) -> tuple[str, ...]:
    """Numbers that a line shows; names of records and targets of links are none."""
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


def _page_lines(parts: Sequence[Part], page: str) -> list[str]:
    return [line for part in parts if part.page == page for line in part.lines]


def _placed(parts: Sequence[Part]) -> list[tuple[str, int, int, str]]:
    """Page, number of the line on it, number of the section, and line: sections stand apart."""
    found = []
    for page in PAGES:
        place = 0
        for number, part in enumerate(parts):
            if part.page == page.name and part.lines:
                for line in part.lines:
                    place += 1
                    found.append((page.name, place, number, line))
                place += 1
    return found
