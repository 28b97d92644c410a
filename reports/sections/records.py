"""Section on where everything comes from: environments, and one row for every record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import quote

from reports.readers.material import Material, Section
from reports.writing.markdown import code, folded, paragraphs, plain, table
from reports.writing.wording import NOTHING, duration, plural
from verification.claims.records import KINDS, Record
from verification.claims.rules.admission import admit

RECORDS_EXPLANATION = (
    "Every record there is, also failed, aborted and diverged runs and those that no verdict "
    "counts. The command in the last column repeats the measurement from the root of the project; "
    "a star after a commit means that the sources had uncommitted changes."
)
COMMIT_DIGITS = 10


def write(material: Material) -> Section:
    """Tables of environments and records, and where the short names of records lead."""
    title = "## Environment and provenance"
    if not material.records:
        return Section(paragraphs(title, "There are no records: nothing was run."))
    sets = environments(material.records)
    parts = []
    for kind in KINDS:
        records = sorted(
            (record for record in material.records if record.kind == kind),
            key=lambda r: (r.subject, r.provenance.started, r.filename),
        )
        if records:
            content = _table(material, records, sets)
            parts.append(f"#### Kind {kind}: {plural(len(records), 'record')}")
            parts.append(folded(len(records), content))
    return Section(
        paragraphs(
            title, "### Environments", _versions(sets), "### Records", RECORDS_EXPLANATION, *parts
        )
    )


def link_definitions(material: Material) -> str:
    """Return the definitions of all short names of records as links to their files."""
    return "\n".join(
        f"[{material.labels[record.digest]}]: {quote(material.folder)}/{record.filename}"
        for record in material.records
    )


def environments(records: Sequence[Record]) -> list[dict[str, str]]:
    """Return the different sets of versions, in the order in which they were first used."""
    first: dict[str, str] = {}
    for record in records:
        text = json.dumps(record.provenance.versions, sort_keys=True)
        first[text] = min(first.get(text, "9"), record.provenance.started)
    return [json.loads(text) for text in sorted(first, key=lambda text: (first[text], text))]


def _versions(sets: list[dict[str, str]]) -> str:
    packages = sorted({name for versions in sets for name in versions})
    rows = [[plain(name), *(plain(v.get(name, NOTHING)) for v in sets)] for name in packages]
    header = ["Package", *(f"Set {number}" for number in range(1, len(sets) + 1))]
    return table(header, "l" * len(header), rows)


def _table(material: Material, records: list[Record], sets: list[dict[str, str]]) -> str:
    rows = []
    for record in records:
        origin = record.provenance
        rows.append(
            [
                f"[{record.filename}][{material.labels[record.digest]}]",
                plain(record.subject),
                record.protocol,
                record.outcome if record.outcome == "finished" else f"**{record.outcome}**",
                _use(material, record),
                _commit(record),
                f"{plain(origin.device)}, {plural(origin.threads, 'thread')}",
                str(sets.index(origin.versions) + 1),
                origin.started.replace("T", " ").removesuffix("Z").removesuffix("+00:00"),
                duration(origin.wall_seconds),
                code(record.command),
            ]
        )
    header = [
        "Record", "Subject", "Protocol", "Outcome", "Counted for", "Commit", "Device",
        "Set", "Started, UTC", "Took", "Repeated by",
    ]  # fmt: skip
    return table(header, "lllllllllrl", rows)


def _use(material: Material, record: Record) -> str:
    """Say for how many claims a record was counted, or why for none."""
    later = "; repeated later" if record.digest in material.superseded else ""
    if number := material.counted[record.digest]:
        return plural(number, "claim") + later
    if record.outcome != "finished":
        return f"nothing: {record.outcome}"
    named = [claim for claim in material.claims if claim.selects(record)]
    if not named:
        return f"context, no claim speaks of it{later}"
    remarks = {remark for claim in named for remark in admit(claim, [record]).remarks}
    reasons = sorted(
        remark.removeprefix("not counted: 1 ")
        for remark in remarks
        if remark.startswith("not counted")
    )
    return f"nothing: {plain('; '.join(reasons) or 'unfit numbers')}{later}"


def _commit(record: Record) -> str:
    commit, dirty = record.provenance.commit, record.provenance.dirty
    if commit is None:
        return "unknown"
    return code(commit[:COMMIT_DIGITS]) + ("" if dirty is False else " \\*")
