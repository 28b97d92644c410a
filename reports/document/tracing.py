"""What of a report changes when a record is left out, without writing all of it again.

While a section is written, it is noted which kinds of records and which verdicts it asks for.  A
record that is left out changes verdicts only where a claim selects it or a ranking shares its
family; only sections that asked for one of these, or for records of its kind, are written again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import isfunction
from types import MethodType
from typing import Any, cast

from reports.document.pages import PAGES, Write
from reports.readers.material import Material
from verification.claims.claim import Claim
from verification.claims.records import Record, RecordError
from verification.claims.rules import Verdict

ALL = ("records", "verdicts")
"""What of a material is every record, and every verdict."""


class Watched:
    """Stands for a material and notes which kinds of records and which claims it is asked for."""

    def __init__(self, material: Material) -> None:
        self._material = material
        self.asked: set[str] = set()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the material has
        # What is superseded or counted is asked about records of a kind that was noted, and
        # claims select records by kind.
        if name in ALL:
            self.asked.add(name)
        own = getattr(Material, name, None)
        # A method runs on this stand-in, so that what it asks for in turn is noted as well.
        return MethodType(own, self) if isfunction(own) else getattr(self._material, name)

    def latest(self, kind: str, *, per_device: bool = False) -> list[Record]:
        """As `Material.latest`."""
        self.asked.add(kind)
        return self._material.latest(kind, per_device=per_device)

    def of_kind(self, kind: str) -> list[Record]:
        """As `Material.of_kind`."""
        self.asked.add(kind)
        return self._material.of_kind(kind)

    def verdict(self, claim: Claim) -> Verdict:
        """As `Material.verdict`."""
        self.asked.add(claim.id)
        return self._material.verdict(claim)


@dataclass(frozen=True)
class Part:
    """A section as written of everything, its lines in order, and what it asked for."""

    page: str
    write: Write
    lines: tuple[str, ...]
    asked: frozenset[str]

    def rests_on(self, kind: str, changed: frozenset[str]) -> bool:
        """Whether it can change with a record of a kind, and with the verdicts on some claims."""
        return bool({kind, "records", *changed} & self.asked) or (
            bool(changed) and "verdicts" in self.asked
        )


def parts_of(material: Material) -> tuple[Part, ...]:
    """Write every section of every page, and note what it asked for."""
    return tuple(_part(page.name, write, material) for page in PAGES for write in page.parts)


def lost_lines(
    material: Material, parts: Sequence[Part]
) -> Iterator[tuple[Record, Mapping[int, Counter[str]]]]:
    """For each record the lines that are gone without it, by the number of their section."""
    for record in material.records:
        rest = material.without(record)
        changed = frozenset(
            name for name, verdict in rest.verdicts.items() if verdict != material.verdicts[name]
        )
        lost = {}
        for number, part in enumerate(parts):
            if part.rests_on(record.kind, changed):
                lines = _lines(part.write, rest, record)
                if gone := Counter(part.lines) - Counter(lines):
                    lost[number] = gone
        yield record, lost


def _part(page: str, write: Write, material: Material) -> Part:
    watched = Watched(material)
    lines = write(cast(Material, watched)).text.splitlines()
    return Part(page, write, tuple(lines), frozenset(watched.asked))


def _lines(write: Write, material: Material, left_out: Record) -> list[str]:
    try:
        return write(material).text.splitlines()
    except RecordError:
        # What it had replaced comes to light, and may be of a format that is no longer read.
        kept = [other for other in material.records if not _replaced(other, left_out)]
        rest = Material.gather(material.claims, kept)
        return write(replace(rest, folder=material.folder)).text.splitlines()


def _replaced(older: Record, newer: Record) -> bool:
    same = (older.kind, older.subject) == (newer.kind, newer.subject)
    return same and older.provenance.started <= newer.provenance.started
