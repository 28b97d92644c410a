"""Section on where everything comes from: environments, and one row for every record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from reports.readers.material import Material, claim_link, group_of, records_of
from reports.writing.markdown import anchor, bullets, code, plain
from reports.writing.section import Section, section
from reports.writing.wording import duration, plural
from verification.claims.records import KINDS, Record
from verification.claims.rules.admission import select_records

RECORDS_EXPLANATION = (
    "All records, including failed, aborted and diverged runs and those that count for no verdict, "
    "with protocol, outcome, claims it was counted for, commit, device, set of versions, start "
    "in UTC, and time taken. The command at the end repeats the measurement from the root of the "
    "project; a star after a commit means that the sources had uncommitted changes."
)
COMMIT_DIGITS, SET_DIGITS = 10, 7


def on_environments(material: Material) -> Section:
    """All sets of versions."""
    if not material.records:
        return Section("There are no records: nothing was run.")
    shown = _versions(environments(material.records))
    return section("## Environments", shown, "## Every record", RECORDS_EXPLANATION)


def of_kind(kind: str, material: Material) -> Section:
    """Every record of a kind."""
    records = sorted(
        material.of_kind(kind), key=lambda r: (r.subject, r.provenance.started, r.filename)
    )
    if not records:
        return Section("")
    title = f"### Kind {kind}: {plural(len(records), 'record')}"
    return section(title, _list(material, records))


def by_claim(material: Material) -> Section:
    """The records that decided on each claim."""
    items = []
    for claim in material.claims:
        if digests := material.verdict(claim).records:
            links = ", ".join(material.link(digest, material.labels[digest]) for digest in digests)
            items.append(f"{anchor(records_of(claim))}{claim_link(claim, code(claim.id))}: {links}")
    title, explanation = "## Records by claim", "The records that decided on each claim."
    return section(title, explanation, bullets(items) or "None.")


SECTIONS: tuple[Callable[[Material], Section], ...] = (
    on_environments,
    *(partial(of_kind, kind) for kind in KINDS),
    by_claim,
)


def environments(records: Sequence[Record]) -> list[dict[str, str]]:
    """Return the different sets of versions, in the order in which they were first used."""
    first: dict[str, str] = {}
    for record in records:
        text = json.dumps(record.provenance.versions, sort_keys=True)
        first[text] = min(first.get(text, "9"), record.provenance.started)
    return [json.loads(text) for text in sorted(first, key=lambda text: (first[text], text))]


def _set_name(versions: Mapping[str, str]) -> str:
    """Short name of a set of versions, the same whatever other sets there are."""
    return hashlib.sha256(json.dumps(versions, sort_keys=True).encode()).hexdigest()[:SET_DIGITS]


def _versions(sets: list[dict[str, str]]) -> str:
    return bullets(
        [
            f"{_set_name(v)}: {', '.join(f'{plain(n)} {plain(v[n])}' for n in sorted(v))}"
            for v in sets
        ]
    )


def _list(material: Material, records: list[Record]) -> str:
    items, before = [], ""
    for record in records:
        target = anchor(group_of(record)) if group_of(record) != before else ""
        before = group_of(record)
        origin = record.provenance
        outcome = record.outcome if record.outcome == "finished" else f"**{record.outcome}**"
        facts = [
            f"protocol {record.protocol}",
            outcome,
            f"counted for {_use(material, record)}",
            f"commit {_commit(record)}",
            f"{plain(origin.device)} with {plural(origin.threads, 'thread')}",
            f"versions {_set_name(origin.versions)}",
            origin.started.replace("T", " ").removesuffix("Z").removesuffix("+00:00"),
            duration(origin.wall_seconds),
        ]
        items.append(
            f"{target}{material.link(record.digest, material.labels[record.digest])} "
            f"**{plain(record.subject)}**: {', '.join(facts)}; {code(record.command)}"
        )
    return bullets(items)


def _use(material: Material, record: Record) -> str:
    """Say for how many claims a record was counted, or why for none."""
    later = "; repeated later" if record.digest in material.superseded else ""
    if number := material.counted[record.digest]:
        return plural(number, "claim") + later
    if record.outcome != "finished":
        return f"nothing: {record.outcome}"
    named = [claim for claim in material.claims if claim.selects(record)]
    if not named:
        return f"context, no claim is about it{later}"
    remarks = {remark for claim in named for remark in select_records(claim, [record]).remarks}
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
