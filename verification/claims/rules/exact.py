"""Rules without statistics: theorems and counts."""

from __future__ import annotations

import json
from collections.abc import Iterable

from verification.claims.claim import Count, Exact, Theorem
from verification.claims.fields import is_integer, is_number
from verification.claims.records import Record
from verification.claims.rules.verdict import (
    BY_READING,
    INCONCLUSIVE,
    REFUTED,
    SUPPORTED,
    Findings,
    Verdict,
    plural,
)


def judge_theorem(claim: Theorem, findings: Findings) -> Verdict:
    """Judge by attempted falsification.

    A record gives `cases` tried, the `worst_error` among them and the `bound` it was held against.
    One error above its bound refutes.  Supported: at least one case was tried against a bound no
    looser than the claim's, and no error in any record exceeds its bound.  A case that several
    records tried counts once.
    """
    findings.keep(
        [record for record in findings.counted if _is_attempt(record)],
        "cases, worst_error and bound",
    )
    if not findings.counted:
        return findings.not_run()
    worst = {record.digest: float(record.numbers["worst_error"]) for record in findings.counted}
    cases = different_cases(findings.counted)
    measured = {"cases": cases, "worst_error": max(worst.values()), "bound": claim.bound}
    violating = [
        record for record in findings.counted if worst[record.digest] > record.numbers["bound"]
    ]
    if violating:
        chief = max(violating, key=lambda record: worst[record.digest])
        error, bound = worst[chief.digest], chief.numbers["bound"]
        reason = f"{chief.subject} has an error of {error:.2e}, above its bound {bound:.2e}"
        return findings.verdict(REFUTED, reason, {**measured, "worst_error": error, "bound": bound})
    strict = [record for record in findings.counted if record.numbers["bound"] <= claim.bound]
    tried = different_cases(strict)
    if not tried:
        return findings.verdict(INCONCLUSIVE, "no case tried against the claim's bound", measured)
    largest = max(worst[record.digest] for record in strict)
    if loose := len(findings.counted) - len(strict):
        findings.remarks.append(f"{plural(loose, 'record')} within a looser bound")
    reason = f"{plural(tried, 'case')} tried, worst error {largest:.2e}, bound {claim.bound:.2e}"
    return findings.verdict(
        SUPPORTED, reason, {"cases": tried, "worst_error": largest, "bound": claim.bound}
    )


def different_cases(records: Iterable[Record]) -> int:
    """How many different cases records of attempts tried in all.

    Draws of one seed are one sequence: a shorter run replays the beginning of a longer one.
    """
    longest: dict[str, int] = {}
    for record in records:
        settings = {name: v for name, v in record.configuration.items() if name != "cases"}
        drawn = json.dumps([record.subject, settings, record.seeds], sort_keys=True)
        longest[drawn] = max(longest.get(drawn, 0), record.numbers["cases"])
    return sum(longest.values())


def judge_count(claim: Count, findings: Findings) -> Verdict:
    """Judge by exact comparison of the claim's number with what is expected of its subject.

    One value that differs refutes.  Supported: every subject of the claim was measured.  What was
    only read in the released code stands "by reading", with file and line.
    """
    findings.keep(
        [record for record in findings.counted if _is_count(record, claim)],
        "an exact value of a subject of the claim",
    )
    if not findings.counted and claim.read_at:
        return findings.verdict(BY_READING, f"read in {', '.join(claim.read_at)}")
    if not findings.counted:
        return findings.not_run()
    measured: dict[str, Exact] = {}
    for record in sorted(findings.counted, key=lambda item: item.provenance.started):
        value = _exact_value(record, claim)
        if measured.get(record.subject) in (None, claim.expected[record.subject]):
            measured[record.subject] = value
    wrong = [subject for subject in measured if measured[subject] != claim.expected[subject]]
    if wrong:
        parts = [f"{name} has {measured[name]}, not {claim.expected[name]}" for name in wrong]
        return findings.verdict(REFUTED, ", ".join(parts), measured)
    missing = [subject for subject in claim.expected if subject not in measured]
    if missing:
        return findings.verdict(INCONCLUSIVE, f"not measured: {', '.join(missing)}", measured)
    return findings.verdict(SUPPORTED, f"exact for {plural(len(measured), 'subject')}", measured)


def _is_attempt(record: Record) -> bool:
    cases, *errors = (record.numbers.get(name) for name in ("cases", "worst_error", "bound"))
    return is_integer(cases) and cases >= 0 and all(is_number(e) and e >= 0 for e in errors)


def _is_count(record: Record, claim: Count) -> bool:
    expected = claim.expected.get(record.subject)
    return expected is not None and type(_exact_value(record, claim)) is type(expected)


def _exact_value(record: Record, claim: Count) -> Exact:
    value = record.numbers.get(claim.number)
    return tuple(value) if isinstance(value, list) else value  # type: ignore[return-value]
