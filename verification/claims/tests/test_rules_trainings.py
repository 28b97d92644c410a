"""Rules for cells and rankings against known truths."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from verification.claims.claim import Cell, Ranking
from verification.claims.records import Record
from verification.claims.rules import INCONCLUSIVE, NOT_RUN, REFUTED, SUPPORTED, verdict_on
from verification.claims.rules.rankings import holm, sign_flip_p
from verification.claims.tests.records import (
    BY_ID,
    CELL,
    CLAIMS,
    PUBLISHED,
    RANKING,
    later,
    rate,
    trained,
    trainings,
    verdict_of,
)

# --- cells -------------------------------------------------------------------------------------


def test_a_cell_that_repeats_is_supported_with_its_interval() -> None:
    verdict = verdict_of(CELL, trainings("cnn_28", PUBLISHED))
    cell = BY_ID[CELL]
    assert isinstance(cell, Cell)
    assert cell.std is not None
    standard = np.array([-1.0, -1.0, 0.0, 0.0, 1.0, 1.0])
    theirs = cell.value + cell.std * standard / standard.std(ddof=1)
    # Five degrees of freedom, those of the smaller side, where Welch's have more.
    error = np.sqrt(np.var(PUBLISHED, ddof=1) / 6 + theirs.var(ddof=1) / 6)
    interval = stats.t(5, loc=np.mean(PUBLISHED) - cell.value, scale=error).interval(0.95)
    welch = stats.ttest_ind(PUBLISHED, theirs, equal_var=False).confidence_interval(0.95)
    assert verdict.status == SUPPORTED
    assert verdict.measured["mean"] == pytest.approx(np.mean(PUBLISHED))
    assert verdict.measured["difference"] == pytest.approx(np.mean(PUBLISHED) - cell.value)
    assert verdict.measured["low"] == pytest.approx(interval[0])
    assert verdict.measured["high"] == pytest.approx(interval[1])
    assert interval[0] < welch.low < welch.high < interval[1]
    assert len(verdict.records) == 6


def test_a_cell_far_off_is_refuted_and_a_noisy_one_inconclusive() -> None:
    shifted = trainings("cnn_28", [value + 0.5 for value in PUBLISHED])
    assert verdict_of(CELL, shifted).status == REFUTED
    noisy = trainings("cnn_28", [2.0, 3.1, 2.2, 2.9])
    assert verdict_of(CELL, noisy).status == INCONCLUSIVE


def test_no_significant_difference_is_no_support() -> None:
    """Two runs far apart differ from the published mean by nothing that a t-test would see."""
    verdict = verdict_of(CELL, trainings("cnn_28", [2.3, 2.9]))
    assert verdict.measured["low"] < 0 < verdict.measured["high"]
    assert verdict.status == INCONCLUSIVE


def test_one_run_decides_no_cell() -> None:
    verdict = verdict_of(CELL, trainings("cnn_28", [2.56]))
    assert verdict.status == INCONCLUSIVE
    assert "one run of ours shows no spread" in verdict.reason


def stl10(errors: Sequence[float]) -> list[Record]:
    return [
        trained(
            "wrn_16_8",
            error,
            0,
            data={"name": "stl10"},
            seeds={"seed": seed},
        )
        for seed, error in enumerate(errors)
    ]


def test_a_published_single_run_is_never_supported_but_can_be_refuted() -> None:
    same = verdict_of("cell.stl10.wrn", stl10([11.47, 11.48, 11.49, 11.48]))
    assert same.status == INCONCLUSIVE
    assert "agreement cannot be shown" in same.reason
    assert verdict_of("cell.stl10.wrn", stl10([12.7, 12.8, 12.6, 12.7])).status == REFUTED


def test_a_published_single_run_is_held_against_one_run_of_ours_and_not_our_mean() -> None:
    """Our mean is known to ±0.4, but a single run may well fall 0.8 away from it."""
    verdict = verdict_of("cell.stl10.wrn", stl10([11.98, 12.18, 12.38, 12.58]))
    assert verdict.measured["difference"] == pytest.approx(0.8)
    assert verdict.status == INCONCLUSIVE


def test_the_plus_column_takes_only_the_p_configuration_with_augmentation() -> None:
    identifier = "cell.mnist.sesn_scalar.28plus"
    errors = [1.79, 1.80, 1.78, 1.79, 1.81, 1.77]
    right = trainings("sesn_scalar_28p", errors, augmentation=True)
    assert verdict_of(identifier, right).status == SUPPORTED
    for model, augmentation in (("sesn_scalar_28", True), ("sesn_scalar_28p", False)):
        wrong = trainings(model, errors, augmentation=augmentation)
        assert verdict_of(identifier, wrong).status == NOT_RUN


def test_a_repeated_run_counts_once_and_the_newest_wins() -> None:
    records = trainings("cnn_28", PUBLISHED)
    for k, old in enumerate(records):
        again = later(trained("cnn_28", 2.0, k))
        verdict = verdict_of(CELL, [again, *records])
        rest = [value for index, value in enumerate(PUBLISHED) if index != k]
        assert verdict.measured["runs"] == 6
        assert verdict.measured["mean"] == pytest.approx(np.mean([2.0, *rest]))
        assert "1 repeated run counted once" in verdict.reason
        assert again.digest in verdict.records
        assert old.digest not in verdict.records


def test_runs_on_one_realisation_repeat_less_than_they_seem_to() -> None:
    """Their mean counts once: twelve seeds on one data set show no spread of data sets."""
    seeds = [
        trained("cnn_28", 2.5 + 0.01 * k, 0, seeds={"realisation": 0, "seed": k}) for k in range(12)
    ]
    verdict = verdict_of(CELL, seeds)
    assert verdict.status == INCONCLUSIVE
    assert "one data realisation shows no spread" in verdict.reason
    pairs = [
        trained("cnn_28", error + shift, k, seeds={"realisation": k, "seed": seed})
        for k, error in enumerate(PUBLISHED)
        for seed, shift in enumerate((-0.1, 0.1))
    ]
    averaged = verdict_of(CELL, pairs)
    assert (averaged.measured["runs"], averaged.measured["units"]) == (12, 6)
    assert averaged.measured["std"] == pytest.approx(np.std(PUBLISHED, ddof=1))
    assert "over 12 runs on 6 realisations" in averaged.reason


@pytest.mark.parametrize("runs", [3, 6, 12])
def test_a_cell_is_rarely_judged_wrongly(runs: int) -> None:
    """Over simulated publications and repetitions with a known true difference."""
    rng = np.random.default_rng(runs)
    base = BY_ID[CELL]
    assert isinstance(base, Cell)
    found = {}
    for shift in (0.0, 0.2, 0.5):
        statuses = []
        for _ in range(60):
            published = rng.normal(2.5, 0.08, 6)
            cell = dataclasses.replace(
                base, value=float(published.mean()), std=float(published.std(ddof=1))
            )
            records = trainings("cnn_28", rng.normal(2.5 + shift, 0.08, runs).tolist())
            statuses.append(verdict_on(cell, records, CLAIMS).status)
        found[shift] = statuses
    # 60 draws of an event of 5 % hit it more than 8 times with a probability below 0.5 %.
    assert rate(found[0.2], SUPPORTED) <= 8 / 60
    assert rate(found[0.2], REFUTED) <= 8 / 60
    assert rate(found[0.0], REFUTED) == 0
    assert rate(found[0.5], SUPPORTED) == 0
    if runs >= 6:
        assert rate(found[0.0], SUPPORTED) > 0.8
        assert rate(found[0.5], REFUTED) > 0.8


# --- rankings ----------------------------------------------------------------------------------


def duel(differences: Sequence[float], protocol: str = "paper") -> list[Record]:
    """SESN scalar and vector both differ from the CNN by the same amounts."""
    base = [2.5 + 0.3 * (k % 3) for k in range(len(differences))]
    sesn = [b + d for b, d in zip(base, differences, strict=True)]
    return [
        *trainings("cnn_28", base, protocol=protocol),
        *trainings("sesn_scalar_28", sesn, protocol=protocol),
        *trainings("sesn_vector_28", sesn, protocol=protocol),
    ]


@pytest.mark.parametrize(("difference", "p_better"), [(-0.3, 0.5), (0.0, 1.0), (0.3, 1.0)])
def test_one_realisation_decides_nothing(difference: float, p_better: float) -> None:
    verdict = verdict_of(RANKING, duel([difference]))
    assert verdict.status == INCONCLUSIVE
    assert sign_flip_p(np.array([difference]), "less") == p_better


@pytest.mark.parametrize("protocol", ["short", "paper"])
def test_six_consistent_realisations_decide_a_ranking(protocol: str) -> None:
    better = verdict_of(RANKING, duel([-0.3, -0.4, -0.2, -0.5, -0.3, -0.1], protocol=protocol))
    assert better.status == SUPPORTED
    assert better.measured["p_better"] == pytest.approx(2 / 64)
    assert better.measured["difference"] == pytest.approx(-0.3)
    assert better.measured["protocol"] == protocol
    assert len(better.records) == 12
    worse = verdict_of(RANKING, duel([0.3, 0.4, 0.2, 0.5, 0.3, 0.1], protocol=protocol))
    assert worse.status == REFUTED


def test_pairing_sees_through_the_spread_between_realisations() -> None:
    cnn = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    records = [
        *trainings("cnn_28", cnn),
        *trainings("sesn_scalar_28", [value - 0.1 for value in cnn]),
        *trainings("sesn_vector_28", [value - 0.1 for value in cnn]),
    ]
    assert verdict_of(RANKING, records).status == SUPPORTED


def test_no_difference_is_inconclusive_and_never_support() -> None:
    assert verdict_of(RANKING, duel([0.0] * 12)).status == INCONCLUSIVE
    assert verdict_of(RANKING, duel([0.1, -0.1] * 6)).status == INCONCLUSIVE


def test_five_pairs_are_too_few_and_it_is_said() -> None:
    verdict = verdict_of(RANKING, duel([-0.3] * 5))
    assert verdict.status == INCONCLUSIVE
    assert "5 pairs are too few for any verdict" in verdict.reason


def test_members_of_the_family_that_were_not_run_still_count_for_the_correction() -> None:
    records = [r for r in duel([-0.3] * 5) if r.subject != "sesn_vector_28"]
    assert verdict_of(RANKING, records).measured["p_better"] == pytest.approx(2 / 32)


def test_only_common_realisations_are_paired() -> None:
    records = duel([-0.3] * 8)
    kept = [r for r in records if r.subject != "cnn_28" or r.seeds["realisation"] < 6]
    assert verdict_of(RANKING, kept).measured["pairs"] == 6
    apart = [r for r in records if (r.subject == "cnn_28") == (r.seeds["realisation"] < 4)]
    verdict = verdict_of(RANKING, apart)
    assert verdict.status == INCONCLUSIVE
    assert "no data realisation has all models" in verdict.reason


def test_protocols_are_never_mixed_in_one_comparison() -> None:
    records = [*duel([-0.3] * 6, protocol="short"), *duel([0.3] * 3, protocol="paper")]
    verdict = verdict_of(RANKING, records)
    assert (verdict.status, verdict.measured["protocol"]) == (SUPPORTED, "short")
    equal = [*duel([-0.3] * 6, protocol="short"), *duel([0.3] * 6, protocol="paper")]
    assert verdict_of(RANKING, equal).measured["protocol"] == "paper"


def test_several_runs_on_one_realisation_are_one_pair() -> None:
    second = [
        with_weights(
            dataclasses.replace(r, seeds={**r.seeds, "seed": 8}), f"{r.subject} second {k}"
        )
        for k, r in enumerate(duel([-0.1] * 6))
    ]
    verdict = verdict_of(RANKING, [*duel([-0.3] * 6), *second])
    assert verdict.measured["pairs"] == 6
    assert verdict.measured["difference"] == pytest.approx(-0.2)


def test_the_best_must_beat_every_rival() -> None:
    best = BY_ID["ranking.mnist.28.best"]
    assert isinstance(best, Ranking)
    errors = [2.5, 2.6, 2.4, 2.7, 2.5, 2.6]
    leader = trainings(best.better, [value - 0.3 for value in errors])
    rivals = [record for model in best.worse for record in trainings(model, errors)]
    verdict = verdict_of(best.id, [*leader, *rivals])
    assert verdict.status == SUPPORTED
    assert verdict.measured["p_better"] == pytest.approx(1 / 64)
    strong = [r for r in rivals if r.subject != "ss_cnn_28"]
    tied = trainings("ss_cnn_28", [value - 0.3 for value in errors])
    verdict = verdict_of(best.id, [*leader, *strong, *tied])
    assert (verdict.status, verdict.measured["rival"]) == (INCONCLUSIVE, "ss_cnn_28")
    assert verdict_of(best.id, [*leader, *strong]).status == INCONCLUSIVE


def test_one_of_many_rivals_ahead_refutes_the_best_only_after_correction() -> None:
    best = BY_ID["ranking.mnist.28.best"]
    assert isinstance(best, Ranking)
    for count, p_worse, status in ((6, 8 / 64, INCONCLUSIVE), (8, 8 / 256, REFUTED)):
        leader = trainings(best.better, [2.5] * count)
        rivals = [r for model in best.worse[1:] for r in trainings(model, [2.8] * count)]
        ahead = trainings(best.worse[0], [2.2] * count)
        verdict = verdict_of(best.id, [*leader, *rivals, *ahead])
        assert (verdict.status, verdict.measured["p_worse"]) == (status, pytest.approx(p_worse))


def test_holm_against_values_worked_out_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert holm(np.array([0.5, 0.9])) == pytest.approx([1.0, 1.0])
    assert holm(np.array([[0.01, 0.5], [0.04, 0.01]])) == pytest.approx(
        np.array([[0.02, 0.5], [0.04, 0.02]])
    )


def test_sign_flips_against_enumeration() -> None:
    differences = np.array([-0.31, 0.12, -0.24, -0.05, 0.02])
    flips = np.array(list(itertools.product([-1, 1], repeat=5)))
    means = (flips * np.abs(differences)).mean(axis=1)
    expected = np.mean(means <= differences.mean() + 1e-12)
    assert sign_flip_p(differences, "less") == pytest.approx(expected)
    assert sign_flip_p(-differences, "greater") == pytest.approx(expected)


def test_a_ranking_is_rarely_judged_wrongly() -> None:
    rng = np.random.default_rng(0)
    draws = rng.normal(0.0, 0.1, (500, 6))
    wrong = np.mean([2 * sign_flip_p(row, "less") <= 0.05 for row in draws])
    assert wrong <= 0.05
    power = np.mean([2 * sign_flip_p(row - 0.4, "less") <= 0.05 for row in draws[:100]])
    assert power > 0.9


# --- copies ------------------------------------------------------------------------------------


def with_weights(record: Record, weights: str) -> Record:
    return dataclasses.replace(record, numbers={**record.numbers, "weights": weights})


def test_copied_runs_count_for_nothing_and_others_stay() -> None:
    honest = [with_weights(run, f"{k}") for k, run in enumerate(trainings("cnn_28", PUBLISHED))]
    assert len(verdict_of(CELL, honest).records) == 6
    copied = [*honest[:5], with_weights(honest[5], "0")]
    verdict = verdict_of(CELL, copied)
    assert sorted(verdict.records) == sorted(run.digest for run in honest[1:5])
    assert "the very weights of a run" in verdict.reason
