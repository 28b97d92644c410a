"""Command line: `python -m reports` writes the report, `python -m reports --check` compares it."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from reports.report import REPORT, Report, differences, read_report, write_report
from reports.wording import plural
from verification.claims import ClaimError
from verification.evidence import RecordError
from verification.verdicts import STATUSES, UnknownClaimError

_MISTAKES = (RecordError, ClaimError, UnknownClaimError, OSError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the report.

    Return 0, or 1 if --check finds it out of date, or 2 for what cannot be trusted, named on
    stderr; then the old report is left as it is.
    """
    options = _parser().parse_args(arguments)
    try:
        report = read_report(options.evidence, options.output)
        if options.check:
            return _check(report, options.output)
        write_report(report, options.output)
    except _MISTAKES as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{options.output / REPORT}: {_summary(report)}")
    return 0


def _check(report: Report, output: Path) -> int:
    found = differences(report, output)
    for line in found:
        print(line, file=sys.stderr)
    if found:
        print("out of date; write it again by: python -m reports", file=sys.stderr)
        return 1
    print(f"{output / REPORT}: up to date; {_summary(report)}")
    return 0


def _summary(report: Report) -> str:
    material = report.material
    found = Counter(verdict.status for verdict in material.verdicts.values())
    verdicts = ", ".join(f"{found[status]} {status}" for status in STATUSES)
    sizes = f"{plural(len(material.claims), 'claim')}, {plural(len(material.records), 'record')}"
    return f"{sizes}: {verdicts}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reports", description=__doc__)
    parser.add_argument(
        "--evidence", type=Path, default=Path("reports/evidence"), help="folder of the records"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("reports"), help="folder of REPORT.md and figures"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; say whether the report is up to date"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
