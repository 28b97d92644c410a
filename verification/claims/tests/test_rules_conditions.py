"""Rankings of untrained networks, and costs that count under their own conditions only."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from verification.claims.claim import Ranking
from verification.claims.records import Record
from verification.claims.rules import INCONCLUSIVE, NOT_RUN, REFUTED, SUPPORTED, Verdict
from verification.claims.tests.records import BY_ID, PROVENANCE, make, verdict_of

OVER_CNN = "ranking.equivariance.sicnn_over_cnn"
BEST = "ranking.equivariance.sesn_scalar_best"
STEP = "cost.step.dss_scalar_28"
REPETITIONS = 8


def measured(model: str, errors: Sequence[float], **changes: object) -> Record:
    """A comparison's record of one method, an error for each repetition."""
    return make(
        OVER_CNN,
        **{
            "kind": "equivariance",
            "subject": model,
            "numbers": {"probe_share_of_chance": list(errors)},
            "configuration": {"model": model, "augmentation": False},
            "data": {"name": "digits and photographs", "hash": "0"},
            "seeds": {"seed": 0},
            **changes,
        },
    )


def compared(offset: float, repetitions: int = REPETITIONS) -> Verdict:
    """SiCNN that much above the plain network in every repetition."""
    plain = [0.3 + 0.02 * k for k in range(repetitions)]
    ours = [value + offset for value in plain]
    return verdict_of(OVER_CNN, [measured("cnn_28", plain), measured("sicnn_28", ours)])


def test_repetitions_are_the_pairs_of_a_ranking() -> None:
    verdict = compared(-0.01)
    assert (verdict.status, verdict.measured["pairs"]) == (SUPPORTED, REPETITIONS)
    assert verdict.measured["difference"] == pytest.approx(-0.01)
    assert verdict.measured["p_better"] == pytest.approx(2**-REPETITIONS)
    assert "paired runs of protocol check" in verdict.reason
    assert compared(0.01).status == REFUTED


def test_spread_that_repetitions_share_does_not_hide_a_difference_and_other_spread_does() -> None:
    plain = [0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.4, 0.6]
    shifted = [value - 0.01 for value in plain]
    both = [measured("cnn_28", plain), measured("sicnn_28", shifted)]
    assert verdict_of(OVER_CNN, both).status == SUPPORTED
    unpaired = [measured("cnn_28", plain), measured("sicnn_28", shifted[::-1])]
    assert verdict_of(OVER_CNN, unpaired).status == INCONCLUSIVE


def test_few_repetitions_decide_nothing() -> None:
    assert compared(-0.01, repetitions=4).status == INCONCLUSIVE


def everyone(ours: float, others: float, best_other: float) -> list[Record]:
    claim = BY_ID[BEST]
    assert isinstance(claim, Ranking)
    levels = dict.fromkeys(claim.worse, others) | {claim.better: ours}
    levels["si_convnet_28"] = best_other
    return [
        measured(name, [x + 0.01 * k for k in range(REPETITIONS)]) for name, x in levels.items()
    ]


@pytest.mark.parametrize(
    ("best_other", "status"), [(0.3, SUPPORTED), (0.1, REFUTED), (0.2, INCONCLUSIVE)]
)
def test_the_best_of_all_must_beat_each(best_other: float, status: str) -> None:
    """Eight repetitions are enough to lose against one of eight rivals, too."""
    assert verdict_of(BEST, everyone(0.2, 0.4, best_other)).status == status


@pytest.mark.parametrize(
    "changes",
    [
        {"numbers": {"probe_share_of_chance": []}},
        {"numbers": {"probe_share_of_chance": [0.1, "0.2"]}},
        {"numbers": {}},
        {"outcome": "failed"},
        {"data": {"name": "digits"}},
        {"configuration": {"model": "dss_28", "augmentation": False}},
        {"protocol": "smoke", "kind": "training"},
    ],
)
def test_what_is_no_measurement_of_the_ranking_counts_for_nothing(
    changes: dict[str, object],
) -> None:
    record = measured("sicnn_28", [0.1] * REPETITIONS)
    assert verdict_of(OVER_CNN, [dataclasses.replace(record, **changes)]).status == NOT_RUN  # type: ignore[arg-type]


def timed(batch: int = 128, threads: int = 2, device: str = "cpu") -> Record:
    seconds = {"dss_scalar_28": [1.5, 1.51, 1.49, 1.5, 1.5], "cnn_28": [1.0] * 5}
    origin = dataclasses.replace(PROVENANCE, threads=threads, device=device)
    configuration = {"batch": batch, "work": "step"}
    numbers = {"seconds": seconds}
    return make(STEP, numbers=numbers, configuration=configuration, provenance=origin)


def test_a_cost_counts_under_the_conditions_of_its_claim() -> None:
    assert verdict_of(STEP, [timed()]).status == SUPPORTED


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (timed(batch=16), "1 with batches of 16 (needs 128)"),
        (timed(threads=1), "1 on cpu with 1 thread (needs 2)"),
        (timed(device="NVIDIA H200"), "1 on NVIDIA H200 with 2 threads (needs 2)"),
    ],
)
def test_a_cost_under_other_conditions_does_not(record: Record, reason: str) -> None:
    verdict = verdict_of(STEP, [record])
    assert verdict.status == NOT_RUN
    assert reason in verdict.reason
    assert verdict_of(STEP, [record, timed()]).status == SUPPORTED


def test_a_claim_without_conditions_takes_any_timing() -> None:
    claim = "cost.later.four_scales"
    seconds = {"sesn_scalar_28": [1.9, 1.9, 1.91, 1.9, 1.89], "cnn_28": [1.0] * 5}
    assert verdict_of(claim, [make(claim, numbers={"seconds": seconds})]).status == SUPPORTED
