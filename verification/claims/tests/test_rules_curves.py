"""Rules for trends and costs against known truths."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from verification.claims.claim import Trend
from verification.claims.records import Record
from verification.claims.rules import INCONCLUSIVE, NOT_RUN, REFUTED, SUPPORTED, verdict_on
from verification.claims.tests.records import (
    BY_ID,
    CLAIMS,
    COST,
    TREND,
    later,
    make,
    rate,
    verdict_of,
)

# --- trends ------------------------------------------------------------------------------------


def curve(
    identifier: str, x: Sequence[float], y: Sequence[Sequence[float]], **more: object
) -> Record:
    trend = BY_ID[identifier]
    assert isinstance(trend, Trend)
    named = {"subject": trend.subjects[0]} if trend.subjects else {}
    numbers = {"x": list(x), "y": [list(row) for row in y]}
    return make(identifier, **{"numbers": numbers, **named, **more})


def around(means: Sequence[float], spread: float = 0.001, seeds: int = 6) -> list[list[float]]:
    noise = np.random.default_rng(3).normal(0, spread, (seeds, len(means)))
    rows: list[list[float]] = (np.asarray(means) + noise).tolist()
    return rows


def trend_status(identifier: str, x: Sequence[float], y: Sequence[Sequence[float]]) -> str:
    return verdict_of(identifier, [curve(identifier, x, y)]).status


def test_a_bound_holds_only_if_every_band_stays_within_it() -> None:
    depths = [1, 10, 50]
    assert trend_status(TREND, depths, around([0.01, 0.02, 0.03])) == SUPPORTED
    assert trend_status(TREND, depths, around([0.01, 0.02, 0.07])) == REFUTED
    assert trend_status(TREND, depths, around([0.01, 0.02, 0.0499])) == INCONCLUSIVE
    assert trend_status(TREND, depths, around([0.01, 0.02, 0.03], seeds=1)) == INCONCLUSIVE


def test_a_bound_needs_the_ends_of_its_range() -> None:
    verdict = verdict_of(TREND, [curve(TREND, [1, 10], around([0.01, 0.02]))])
    assert verdict.status == INCONCLUSIVE
    assert "not measured: layers 50" in verdict.reason
    outside = curve(TREND, [1, 50, 90], around([0.01, 0.02, 0.9]))
    assert verdict_of(TREND, [outside]).status == SUPPORTED


def test_growth_is_a_rise_that_matters_without_a_fall_that_matters() -> None:
    extents = [1, 2, 3]
    grows = "trend.inter_scale.stl10"
    assert trend_status(grows, extents, around([0.01, 0.03, 0.05])) == SUPPORTED
    assert trend_status(grows, extents, around([0.05, 0.03, 0.01])) == REFUTED
    assert trend_status(grows, extents, around([0.01, 0.01, 0.01])) == REFUTED
    assert trend_status(grows, extents, around([0.01, 0.09, 0.05])) == REFUTED
    assert trend_status(grows, extents, around([0.01, 0.03, 0.05], spread=0.1)) == INCONCLUSIVE
    assert trend_status(grows, [1], around([0.01])) == INCONCLUSIVE


def test_shrinking_is_growth_upside_down() -> None:
    trend = BY_ID["trend.inter_scale.stl10"]
    assert isinstance(trend, Trend)
    shrinks = dataclasses.replace(trend, direction="shrinks")
    for means, status in (([0.05, 0.03, 0.01], SUPPORTED), ([0.01, 0.03, 0.05], REFUTED)):
        record = curve(trend.id, [1, 2, 3], around(means))
        assert verdict_on(shrinks, [record], CLAIMS).status == status


def test_a_trend_with_readings_is_judged_by_them() -> None:
    """What nobody published cannot support a published trend; only all readings refute it."""
    open_trend = BY_ID["trend.depth"]
    assert isinstance(open_trend, Trend)
    good, bad, close = [0.01, 0.02, 0.03], [0.01, 0.02, 0.07], [0.01, 0.02, 0.0499]
    published = [getattr(BY_ID[name], "published", None) for name in open_trend.readings]
    assert published == [True, True, False]

    def status(*means: Sequence[float]) -> str:
        records = [
            curve(name, [1, 10, 50], around(mean))
            for name, mean in zip(open_trend.readings, means, strict=False)
        ]
        return verdict_of(open_trend.id, records).status

    assert status(bad, bad, good) == INCONCLUSIVE  # our own grid decides nothing
    assert status(good, bad, good) == INCONCLUSIVE
    assert status(good, good, bad) == INCONCLUSIVE
    assert status(good, good, close) == SUPPORTED
    assert status(good, good) == SUPPORTED  # the unpublished one was not measured
    assert status(good) == INCONCLUSIVE  # a published one was not
    assert status(bad, bad, bad) == REFUTED
    assert status(bad, bad, close) == INCONCLUSIVE
    assert status(bad, bad) == INCONCLUSIVE  # the third was not measured
    assert status() == NOT_RUN


def test_without_a_published_configuration_nothing_supports_a_published_trend() -> None:
    trend = BY_ID["trend.inter_scale"]
    assert isinstance(trend, Trend)
    records = [curve(name, [1, 2, 3], around([0.01, 0.03, 0.05])) for name in trend.readings]
    verdict = verdict_of(trend.id, records)
    assert verdict.status == INCONCLUSIVE
    assert "no reading is on a published configuration" in verdict.reason


def test_readings_share_the_level() -> None:
    """What is significant by itself may not be when it is one of three chances."""
    reading = "trend.depth.wide"
    rng = np.random.default_rng(1)
    alone = {SUPPORTED: 0, INCONCLUSIVE: 0, REFUTED: 0}
    together = dict(alone)
    for _ in range(40):
        rows = rng.normal([0.01, 0.01, 0.046], 0.004, (6, 3)).tolist()
        record = curve(reading, [1, 10, 50], rows)
        alone[verdict_of(reading, [record]).status] += 1
        readings = verdict_of("trend.depth", [record]).measured["readings"]
        together[readings[reading]] += 1
    assert 0 < together[SUPPORTED] < alone[SUPPORTED]


def test_records_of_no_reading_do_not_count() -> None:
    numbers = {"x": [1, 10, 50], "y": around([0.01] * 3)}
    record = make("trend.depth", subject="panel_depth_stl10_probe", numbers=numbers)
    assert verdict_of("trend.depth", [record]).status == NOT_RUN


def test_named_subjects_must_all_be_measured() -> None:
    trend = BY_ID["trend.budget.published"]
    assert isinstance(trend, Trend)
    records = [
        curve(trend.id, [0, 1, 2], around([0.2, 0.1, 0.1]), subject=name) for name in trend.subjects
    ]
    assert verdict_of(trend.id, records).status == SUPPORTED
    missing = verdict_of(trend.id, records[1:])
    assert missing.status == INCONCLUSIVE
    assert f"not measured: {trend.subjects[0]}" in missing.reason


def test_seeds_in_several_records_are_stacked_and_repeated_ones_are_not() -> None:
    rows = around([0.01, 0.02, 0.03], seeds=4)
    parts = [curve(TREND, [1, 10, 50], rows[k : k + 1], seeds={"seed": k}) for k in range(4)]
    verdict = verdict_of(TREND, [*parts, later(parts[0])])
    assert verdict.status == SUPPORTED
    assert [part["seeds"] for part in verdict.measured["series"]] == [4]


@pytest.mark.parametrize(
    "numbers",
    [
        {"x": [1, 2], "y": [[0.1]]},
        {"x": [2, 1], "y": [[0.1, 0.2]]},
        {"x": [1, 2], "y": [0.1, 0.2]},
        {"x": [1, 2], "y": [[0.1, None]]},
    ],
)
def test_a_curve_that_cannot_be_read_is_left_out(numbers: dict[str, object]) -> None:
    verdict = verdict_of(TREND, [make(TREND, numbers=numbers)])
    assert verdict.status == NOT_RUN
    assert "1 without x and rows y" in verdict.reason


def test_a_bound_is_rarely_judged_wrongly() -> None:
    """The truth lies exactly on the bound at the last of three depths."""
    rng = np.random.default_rng(5)
    statuses = [
        trend_status(TREND, [1, 10, 50], rng.normal([0.01, 0.02, 0.05], 0.005, (6, 3)).tolist())
        for _ in range(200)
    ]
    assert rate(statuses, SUPPORTED) <= 0.08
    assert rate(statuses, REFUTED) <= 0.08


# --- costs -------------------------------------------------------------------------------------


def timed(ratio: float, spread: float = 0.01, **more: object) -> Record:
    rng = np.random.default_rng(2)
    seconds = {
        "sesn_scalar_28": (ratio * rng.normal(0.2, 0.2 * spread, 15)).tolist(),
        "cnn_28": rng.normal(0.2, 0.2 * spread, 15).tolist(),
    }
    return make(COST, numbers={"seconds": seconds}, **more)


def test_a_cost_is_judged_by_the_interval_of_its_ratio() -> None:
    supported = verdict_of(COST, [timed(1.95)])
    assert supported.status == SUPPORTED
    (low,), (high,) = supported.measured["low"], supported.measured["high"]
    assert low < 1.95 * 1.01
    assert high > 1.95 * 0.99
    assert verdict_of(COST, [timed(3.0)]).status == REFUTED
    assert verdict_of(COST, [timed(1.0)]).status == REFUTED
    assert verdict_of(COST, [timed(2.2, spread=0.2)]).status == INCONCLUSIVE


def test_machines_that_disagree_leave_a_cost_open() -> None:
    records = [timed(1.95), timed(3.0, seeds={"seed": 1})]
    assert verdict_of(COST, records).status == INCONCLUSIVE


def test_the_same_times_give_the_same_interval() -> None:
    first, second = (verdict_of(COST, [timed(1.95)]) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "seconds",
    [{"sesn_scalar_28": [1.0] * 9, "cnn_28": one} for one in ([1.0] * 4, [1.0, -1.0] * 4, None)],
)
def test_times_that_are_too_few_or_missing_are_left_out(seconds: object) -> None:
    verdict = verdict_of(COST, [make(COST, numbers={"seconds": seconds})])
    assert verdict.status == NOT_RUN
    assert "1 without 5 times of sesn_scalar_28 and cnn_28" in verdict.reason
