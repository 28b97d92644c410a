"""Correlations of predictions with test errors, and errors at scales that training did not have."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from verification.claims.claim import Correlation
from verification.claims.protocols import load_protocols
from verification.claims.records import Record
from verification.claims.rules import INCONCLUSIVE, NOT_RUN, REFUTED, SUPPORTED
from verification.claims.rules.correlations import permutation_ps
from verification.claims.rules.object_scales import error_at, error_by_distance, error_outside
from verification.claims.rules.verdict import LEVEL
from verification.claims.tests.records import BY_ID, rate, trained, trainings, verdict_of

BASES, UNSEEN = "correlation.bases.vector", "correlation.unseen.vector"
RANKING, TREND = "ranking.unseen.large.sesn_vector_over_cnn", "trend.unseen.large.sesn_vector"
LARGE = (0.7, 1.0)


def of_points(errors: Sequence[float], protocol: str = "short") -> list[Record]:
    """Trainings of every basis, with these errors in the order of their predictions."""
    claim = BY_ID[BASES]
    assert isinstance(claim, Correlation)
    points = sorted(claim.points, key=lambda point: point.predicted)
    return [
        record
        for point, error in zip(points, errors, strict=True)
        for record in trainings(
            point.model, [error + 0.01 * k for k in range(3)], protocol=protocol
        )
    ]


def by_scale(model: str, percents: Sequence[float], realisation: int) -> Record:
    """A short training on large objects, with these errors from scale 0.3 on, in percent."""
    data = "mnist_scale_large"
    bins = [
        {"from": start / 10, "to": (start + 1) / 10, "images": 1000, "errors": round(10 * percent)}
        for start, percent in zip(range(3, 10), percents, strict=True)
    ]
    record = trained(
        model, float(np.mean(percents)), realisation, protocol="short",
        data={"name": data, "hash": load_protocols()["short", data].hashes[realisation]},
    )  # fmt: skip
    numbers = {**record.numbers, "by_scale": bins}
    return dataclasses.replace(record, numbers=numbers)


def test_predictions_that_rank_the_errors_are_supported() -> None:
    verdict = verdict_of(BASES, of_points([2 + 0.1 * k for k in range(13)]))
    assert (verdict.status, verdict.measured["rho"]) == (SUPPORTED, pytest.approx(1))
    assert verdict.measured["low"] > 0.9
    assert len(verdict.records) == 39


def test_the_other_way_round_is_refuted_and_no_order_is_neither() -> None:
    assert verdict_of(BASES, of_points([3 - 0.1 * k for k in range(13)])).status == REFUTED
    mixed = [2 + (6 * k % 13) / 10 for k in range(13)]
    assert verdict_of(BASES, of_points(mixed)).status == INCONCLUSIVE


def test_a_point_or_a_realisation_too_few() -> None:
    records = of_points([2 + 0.1 * k for k in range(13)])
    assert verdict_of(BASES, []).status == NOT_RUN
    verdict = verdict_of(BASES, records[3:])
    assert verdict.status == INCONCLUSIVE
    assert "1 of 13 points not measured" in verdict.reason
    verdict = verdict_of(BASES, records[1:])
    assert verdict.status == INCONCLUSIVE
    assert "2 of 3 realisations shared" in verdict.reason


def test_protocols_are_not_mixed() -> None:
    """The one with most points decides; what the other one found is left out."""
    whole = of_points([2 + 0.1 * k for k in range(13)])
    some = of_points([1.0] * 13, protocol="paper")[:9]
    verdict = verdict_of(BASES, [*whole, *some])
    assert verdict.status == SUPPORTED
    assert verdict.measured["protocol"] == "short"
    assert len(verdict.records) == 39


def test_correlation_errs_at_its_level_where_there_is_none() -> None:
    rng = np.random.default_rng(5)
    found = []
    for _ in range(300):
        _, positive, negative = permutation_ps(np.arange(13.0), rng.standard_normal(13))
        found.append("wrong" if min(positive, negative) <= LEVEL else "open")
    assert rate(found, "wrong") <= 2 * LEVEL + 0.05  # two one-sided tests, and three deviations


def test_constant_errors_have_no_correlation() -> None:
    assert permutation_ps(np.arange(5.0), np.ones(5)) == (0.0, 1.0, 1.0)


def test_errors_outside_at_and_by_distance() -> None:
    record = by_scale("cnn_28", [40, 20, 8, 4, 2, 2, 2], 0)
    assert error_outside(record, LARGE) == pytest.approx(18)
    assert error_outside(record, (0.5, 0.7)) == pytest.approx((40 + 20 + 2 + 2 + 2) / 5)
    assert error_at(record, 0.4) == pytest.approx(20)
    assert error_at(record, 0.2) is None
    distances, errors = error_by_distance(record, LARGE)
    assert distances == [0.0, 0.6, 1.2]
    assert errors == pytest.approx([2, 6, 30])
    assert error_by_distance(record, (0.5, 0.7))[0] == [0.0, 0.6]
    assert error_outside(trained("cnn_28", 2.0, 0), LARGE) is None


@pytest.mark.parametrize(("gain", "status"), [(-5.0, SUPPORTED), (5.0, REFUTED)])
def test_rankings_outside_the_trained_range(gain: float, status: str) -> None:
    """Errors within the range, where the other network is better, do not count."""
    records = []
    for k in range(6):
        cnn = [40 + k / 10, 20, 8, 4, 2, 2, 2]
        sesn = [40 + k / 10 + gain, 20, 8, 4, *[2 - gain / 10] * 3]
        records += [by_scale("cnn_28", cnn, k), by_scale("sesn_vector_28", sesn, k)]
    verdict = verdict_of(RANKING, records)
    assert verdict.status == status
    assert verdict.measured["difference"] == pytest.approx(gain / 4)


@pytest.mark.parametrize(("far", "status"), [(9.0, SUPPORTED), (2.1, REFUTED)])
def test_error_by_distance_grows(far: float, status: str) -> None:
    records = [
        by_scale("sesn_vector_28", [far, far, *[2 + k / 10] * 5], k) for k in range(6)
    ]  # fmt: skip
    records += [by_scale("cnn_28", [50.0] * 7, k) for k in range(6)]
    verdict = verdict_of(TREND, records)
    assert verdict.status == status
    assert [part["subject"] for part in verdict.measured["series"]] == ["sesn_vector_28"]


def test_points_of_one_range_of_scales() -> None:
    """A record of a data set gives as many points as it has predictions."""
    records = [by_scale("sesn_vector_28", [30, 14, 5, 2, 1, 1, 1], k) for k in range(6)]
    verdict = verdict_of(UNSEEN, records)
    assert verdict.status == INCONCLUSIVE
    assert [point["scale"] for point in verdict.measured["points"]] == [0.3, 0.4, 0.5, 0.6]
    assert "10 of 14 points not measured" in verdict.reason
