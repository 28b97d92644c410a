"""Command line: `python -m reports` writes the report; with an option it checks or compares.

--check: is the report what claims and records give, does every number come from a record, and does
no record contradict itself?  --audit: measure a random sample of records again.  --against: what
changed between two sets of records?
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from reports.document.against import changes_between
from reports.document.audit import DIFFERS, FAILED, SAME, SKIPPED, audit, candidates, sample, within
from reports.document.audit import report as audit_table
from reports.document.consistency import inconsistencies
from reports.document.ledger import CLAIMS, RECORDS, WORDING, as_json, trace, unaccounted
from reports.document.pages import REPORT
from reports.document.report import Report, differences, read_report, write_report
from reports.readers.material import Material
from reports.writing.wording import plural
from verification.atomic_files import write_atomically
from verification.claims.reading import ClaimError
from verification.claims.records import RecordError
from verification.claims.rules import STATUSES
from verification.console import guarded

_MISTAKES = (RecordError, ClaimError, OSError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write, check or compare the report.

    Return 0, or 1 if --check or --audit find that something is amiss, or 2 for what cannot be
    trusted, named on stderr; then the old report is left as it is.
    """
    options = parser().parse_args(arguments)
    try:
        if options.audit:
            return _audit(options)
        if options.against:
            old, new = map(Material.read, (options.against, options.evidence))
            print(changes_between(old, new))
            return 0
        report = read_report(options.evidence, options.output)
        if options.check:
            return _check(report, options)
        write_report(report, options.output)
    except _MISTAKES as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{options.output / REPORT}: {_summary(report)}")
    return 0


def _check(report: Report, options: argparse.Namespace) -> int:
    output, material = options.output, report.material
    stale = differences(report, output)
    amiss = inconsistencies(material)
    entries = trace(material)
    pages = [output / name for name in report.files if name.endswith(".md")]
    amiss += unaccounted(
        entries,
        {
            page.relative_to(output).as_posix(): page.read_text(encoding="utf-8")
            for page in pages
            if page.is_file()
        },
    )
    if options.numbers:
        text = json.dumps(as_json(entries, material), indent=1, ensure_ascii=False)
        write_atomically(options.numbers, f"{text}\n".encode())
    for line in [*stale, *amiss]:
        print(line, file=sys.stderr)
    if stale:
        print("out of date; write it again by: python -m reports", file=sys.stderr)
    if stale or amiss:
        return 1
    found = Counter(entry.source for entry in entries)
    print(f"{output / REPORT}: up to date; {_summary(report)}")
    print(
        f"{plural(len(entries), 'line')} with numbers: {found[RECORDS]} from records, "
        f"{found[CLAIMS]} from claims, {found[WORDING]} counts of claims or fixed wording"
    )
    return 0


def _audit(options: argparse.Namespace) -> int:
    material = Material.read(options.evidence)
    amiss = inconsistencies(material)
    for line in amiss:
        print(line, file=sys.stderr)
    eligible = candidates(material)
    short = within(material, eligible, options.limit, full=options.full)
    drawn = sample(short, options.sample, options.seed)
    results = []
    for result in audit(material, drawn, limit=options.limit, full=options.full):
        print(f"{result.status}: {result.record.filename} {result.text}", file=sys.stderr)
        results.append(result)
    print(audit_table(results))
    found = Counter(result.status for result in results)
    counts = ", ".join(f"{found[status]} {status}" for status in (SAME, DIFFERS, FAILED, SKIPPED))
    print(f"\n{plural(len(results), 'record')} drawn with seed {options.seed}: {counts}")
    print(
        f"Drawn from {len(short)} of {plural(len(eligible), 'record')}: the commands of the others "
        f"took longer than {options.limit:g} s (--limit)"
    )
    if not results:
        print("nothing was measured again", file=sys.stderr)
    return 1 if amiss or found[DIFFERS] or found[FAILED] or not results else 0


def _summary(report: Report) -> str:
    material = report.material
    found = Counter(verdict.status for verdict in material.verdicts.values())
    verdicts = ", ".join(f"{found[status]} {status}" for status in STATUSES)
    sizes = f"{plural(len(material.claims), 'claim')}, {plural(len(material.records), 'record')}"
    return f"{sizes}: {verdicts}"


def parser() -> argparse.ArgumentParser:
    """All options."""
    parser = argparse.ArgumentParser(prog="python -m reports", description=__doc__)
    parser.add_argument(
        "--evidence", type=Path, default=Path("reports/evidence"), help="folder of the records"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("reports"), help="folder of REPORT.md and figures"
    )
    parser.add_argument(
        "--numbers",
        type=Path,
        metavar="FILE",
        help="with --check: also write there, as JSON, which records each number comes from",
    )
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument(
        "--check",
        action="store_true",
        help="write nothing; say whether report and records are what they must be",
    )
    modes.add_argument(
        "--audit", action="store_true", help="measure a random sample of records again"
    )
    modes.add_argument(
        "--against",
        type=Path,
        metavar="OTHER",
        help="print what changed from the records in OTHER to those in --evidence",
    )
    parser.add_argument("--sample", type=int, default=10, help="records to audit (10)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (0)")
    parser.add_argument(
        "--limit",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="leave out commands that took longer (600)",
    )
    parser.add_argument(
        "--full", action="store_true", help="audit trainings to their end, not one epoch"
    )
    return parser


if __name__ == "__main__":
    sys.exit(guarded(main))
