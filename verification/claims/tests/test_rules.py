"""What counts for a verdict, and the rules without statistics."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest

from verification.claims.claim import Claim
from verification.claims.records import Record
from verification.claims.rules import (
    BY_READING,
    INCONCLUSIVE,
    NOT_RUN,
    REFUTED,
    SUPPORTED,
    verdict_on,
    verdicts_on,
)
from verification.claims.tests.records import (
    BY_ID,
    CELL,
    CLAIMS,
    COST,
    COUNT,
    PUBLISHED,
    RANKING,
    THEOREM,
    TREND,
    dirty,
    make,
    trained,
    trainings,
    verdict_of,
)

LACKING = {
    name: value for name, value in trained("cnn_28", 2.5, 0).numbers.items() if name != "test_error"
}


def attempt(cases: int = 10, worst: float = 1e-28, bound: float = 1e-25, **more: object) -> Record:
    numbers = {"cases": cases, "worst_error": worst, "bound": bound}
    return make(THEOREM, numbers=numbers, **more)


def counted(value: object, subject: str = "cnn_28", **more: object) -> Record:
    return make(COUNT, subject=subject, numbers={"value": value}, **more)


# --- what holds for every kind -----------------------------------------------------------------


def test_without_records_nothing_was_run() -> None:
    verdicts = verdicts_on(CLAIMS, [])
    assert [verdict.claim_id for verdict in verdicts] == [claim.id for claim in CLAIMS]
    assert {verdict.status for verdict in verdicts} == {NOT_RUN, BY_READING}
    assert {verdict.records for verdict in verdicts} == {()}


def test_ids_that_a_record_names_decide_nothing() -> None:
    other = counted(1, subject="basis_b_7", claims=(COUNT, "count.of.old"))
    assert verdict_of(COUNT, [other]).status == NOT_RUN
    assert verdict_of(COUNT, [counted(494_549, claims=())]).records


@pytest.mark.parametrize(
    ("identifier", "changes", "reason"),
    [
        (THEOREM, {"outcome": "failed"}, "not counted: 1 failed"),
        (THEOREM, {"outcome": "aborted"}, "not counted: 1 aborted"),
        (THEOREM, {"protocol": "paper"}, "1 of protocol paper (needs check)"),
        (THEOREM, {"protocol": "timing"}, "1 of protocol timing (needs check)"),
        (CELL, {"outcome": "diverged"}, "not counted: 1 diverged"),
        (CELL, {"protocol": "short"}, "1 of protocol short (needs paper)"),
        (CELL, {"protocol": "smoke"}, "1 of protocol smoke (needs paper)"),
        (CELL, {"protocol": "check"}, "1 of protocol check (needs paper)"),
        (RANKING, {"protocol": "smoke"}, "1 of protocol smoke (needs short)"),
        (CELL, {"numbers": LACKING}, "not counted: 1 without test_error"),
        (CELL, {"numbers": LACKING | {"test_error": None}}, "not counted: 1 without test_error"),
        (THEOREM, {"numbers": {"cases": 3}}, "1 without cases, worst_error and bound"),
    ],
)
def test_what_does_not_count_is_said(identifier: str, changes: dict[str, Any], reason: str) -> None:
    base = attempt() if identifier == THEOREM else trained("cnn_28", 2.5, 0)
    verdict = verdict_of(identifier, [dataclasses.replace(base, **changes)])
    assert (verdict.status, verdict.records) == (NOT_RUN, ())
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("identifier", "changes"),
    [
        (THEOREM, {"kind": "budget"}),
        (THEOREM, {"subject": "pooling"}),
        (CELL, {"data": {"name": "digits"}}),
        (CELL, {"data": None}),
        (CELL, {"configuration": {"model": "cnn_28"}}),
        (COUNT, {"subject": "cnn_56p"}),
        (TREND, {"subject": "panel_depth_mnist"}),
        (COST, {"configuration": {"work": "forward"}}),
        (COST, {"numbers": {"seconds": {"sesn_scalar_28": [1.0] * 9}}}),
    ],
)
def test_a_record_of_something_else_is_not_selected(
    identifier: str, changes: dict[str, Any]
) -> None:
    curve = {"x": [1, 50], "y": [[0.01, 0.02]] * 6}
    seconds = {"sesn_scalar_28": [1.9] * 9, "cnn_28": [1.0] * 9}
    bases = {
        THEOREM: attempt(), CELL: trained("cnn_28", 2.5, 0), COUNT: counted(494_549),
        TREND: make(TREND, numbers=curve), COST: make(COST, numbers={"seconds": seconds}),
    }  # fmt: skip
    assert BY_ID[identifier].selects(bases[identifier])
    other = dataclasses.replace(bases[identifier], **changes)
    assert not BY_ID[identifier].selects(other)
    assert "not counted" not in verdict_of(identifier, [other]).reason


def test_trainings_from_dirty_or_unknown_sources_never_count() -> None:
    for value in (True, None):
        records = [dirty(record, value) for record in trainings("cnn_28", PUBLISHED)]
        verdict = verdict_of(CELL, records)
        assert verdict.status == NOT_RUN
        assert "6 trained from uncommitted or unknown sources" in verdict.reason


def test_checks_from_dirty_sources_count_with_a_remark() -> None:
    verdict = verdict_of(THEOREM, [dirty(attempt()), attempt(cases=3)])
    assert verdict.status == SUPPORTED
    assert "1 record not from a clean commit" in verdict.reason
    assert "clean commit" not in verdict_of(THEOREM, [attempt()]).reason


def test_a_verdict_lists_the_records_it_counted_and_no_others() -> None:
    used, unused = attempt(), attempt(outcome="failed")
    assert verdict_of(THEOREM, [used, unused, counted(3)]).records == (used.digest,)


def test_every_kind_of_claim_has_a_rule() -> None:
    stranger = Claim(
        id="guess.a",
        kind="theorem",
        statement="s.",
        source="s",
        transcription="ours",
        origin="own",
        protocol="check",
        refuted_by="r.",
    )
    with pytest.raises(TypeError, match=r"claim 'guess\.a': no rule for a Claim"):
        verdict_on(stranger, [], CLAIMS)


# --- theorems ----------------------------------------------------------------------------------


def test_a_theorem_that_withstood_attempts_is_supported() -> None:
    verdict = verdict_of(THEOREM, [attempt(1000, 3e-28), attempt(200, 5e-27, seeds={"seed": 1})])
    assert verdict.status == SUPPORTED
    assert verdict.measured == {"cases": 1200, "worst_error": 5e-27, "bound": 1e-25}
    assert "1,200 cases tried" in verdict.reason


def test_one_counterexample_refutes_a_theorem() -> None:
    verdict = verdict_of(THEOREM, [attempt(10**6), attempt(1, 2e-3, 1e-3)])
    assert verdict.status == REFUTED
    assert "scale_shift has an error of 2.00e-03, above its bound 1.00e-03" in verdict.reason


def test_no_case_tried_supports_no_theorem() -> None:
    verdict = verdict_of(THEOREM, [attempt(cases=0, worst=0.0)])
    assert verdict.status == INCONCLUSIVE
    assert "no case tried" in verdict.reason


def test_a_bound_looser_than_the_claims_supports_nothing() -> None:
    loose = attempt(1000, 1e-4, 1e-3)
    assert verdict_of(THEOREM, [loose]).status == INCONCLUSIVE
    both = verdict_of(THEOREM, [loose, attempt(7)])
    assert (both.status, both.measured["cases"]) == (SUPPORTED, 7)
    assert "1 record within a looser bound" in both.reason


def test_failed_attempts_are_mentioned_beside_good_ones() -> None:
    verdict = verdict_of(THEOREM, [attempt(), attempt(outcome="failed")])
    assert verdict.status == SUPPORTED
    assert "not counted: 1 failed" in verdict.reason


# --- counts ------------------------------------------------------------------------------------


def test_a_count_is_exact_for_every_subject() -> None:
    both = [counted(494_549), counted(494_549, "cnn_56")]
    assert verdict_of(COUNT, both).status == SUPPORTED
    one = verdict_of(COUNT, both[:1])
    assert one.status == INCONCLUSIVE
    assert "not measured: cnn_56" in one.reason


def test_one_wrong_count_refutes_even_beside_a_right_one() -> None:
    for records in itertools.permutations([counted(494_549), counted(494_550)]):
        verdict = verdict_of(COUNT, records)
        assert verdict.status == REFUTED
        assert "cnn_28 has 494550, not 494549" in verdict.reason


@pytest.mark.parametrize("value", [494_549.0, "494549", True, None])
def test_a_count_of_another_type_is_no_count(value: object) -> None:
    verdict = verdict_of(COUNT, [counted(value)])
    assert verdict.status == NOT_RUN
    assert "1 without an exact value" in verdict.reason


def test_a_count_of_a_foreign_subject_is_left_out() -> None:
    assert verdict_of(COUNT, [counted(494_549, "sicnn_28")]).status == NOT_RUN


def test_lists_and_hashes_are_counts_too() -> None:
    supports = make(
        "count.basis.supports", subject="supports_15", numbers={"value": [5, 7, 11, 15]}
    )
    assert verdict_of("count.basis.supports", [supports]).status == SUPPORTED
    wrong = make(
        "count.data.mnist_scale_pixels",
        numbers={"value": "0" * 32},
        configuration={"hash": "MD5 over the pixels"},
    )
    assert verdict_of("count.data.mnist_scale_pixels", [wrong]).status == REFUTED
    assert verdict_of("count.data.mnist_scale_png", [wrong]).status == NOT_RUN


def test_repeated_cases_count_once() -> None:
    """A run of 100 cases replays the beginning of one of 200 with the same seed."""

    def tried(*runs: tuple[int, int]) -> int:
        records = [
            attempt(
                cases=cases,
                seeds={"seed": seed},
                configuration={"cases": cases, "dtype": "float64"},
                subject="scale_shift",
            )
            for cases, seed in runs
        ]
        cases: int = verdict_of(THEOREM, records).measured["cases"]
        return cases

    assert tried((200, 0)) == tried((200, 0), (100, 0)) == tried((100, 0), (200, 0)) == 200
    assert tried((200, 0), (100, 1)) == 300


def test_an_error_in_the_shorter_of_two_runs_still_refutes() -> None:
    records = [attempt(cases=200, seeds={"seed": 0}), attempt(cases=100, worst=1e-3)]
    assert verdict_of(THEOREM, records).status == REFUTED


def test_what_was_read_in_the_released_code_says_where() -> None:
    verdict = verdict_of("count.finding.unused_bias", [])
    assert (verdict.status, verdict.records) == (BY_READING, ())
    assert "models/impl/ses_conv.py:178" in verdict.reason
    for claim in CLAIMS:
        if claim.id.startswith("count.finding."):
            assert getattr(claim, "read_at", ())
