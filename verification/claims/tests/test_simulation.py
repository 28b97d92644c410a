"""The rules judged, and plans for how many runs they need."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy import stats

from verification.__main__ import main
from verification.claims.claim import Cell
from verification.claims.records import read_records
from verification.claims.rules import (
    INCONCLUSIVE,
    LEVEL,
    REFUTED,
    SUPPORTED,
    cells,
    simulation,
    trends,
    verdict_on,
)
from verification.claims.rules.command import largest_rates, published_spreads
from verification.claims.rules.planning import fewest_pairs, pairs_for_ranking, runs_for_cell
from verification.claims.rules.rankings import sign_flip_p
from verification.claims.rules.simulation import is_wrong, sign_flip_ps, simulate
from verification.claims.tests.records import BY_ID, CELL, CLAIMS, trainings

SPREADS = published_spreads(CLAIMS)


def surely_above(condition: Mapping[str, Any], status: str) -> bool:
    """Whether the rate exceeds the level beyond chance, even as one of a thousand conditions."""
    count, repetitions = condition[status], condition["repetitions"]
    return bool(stats.binomtest(count, repetitions, LEVEL, "greater").pvalue < 1e-5)


def broken_rates(numbers: Mapping[str, Any]) -> list[str]:
    return [
        f"{rule}: {status} {condition}"
        for rule, conditions in numbers.items()
        for condition in conditions
        for status in (SUPPORTED, REFUTED)
        if is_wrong(rule, condition, status) and surely_above(condition, status)
    ]


def test_the_rules_keep_their_level() -> None:
    numbers = simulate(400, 1, SPREADS)
    assert set(numbers) == {"cells", "rankings", "costs", "trends"}
    for conditions in numbers.values():
        for condition in conditions:
            verdicts = [condition[status] for status in (SUPPORTED, REFUTED, INCONCLUSIVE)]
            assert min(verdicts) >= 0
            assert sum(verdicts) == condition["repetitions"]
    assert broken_rates(numbers) == []
    assert len(largest_rates(numbers)) == 8


def test_a_rule_that_is_too_bold_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "LEVEL", 0.2)
    rng = np.random.default_rng(0)
    condition = simulation._cell(rng, 1000, 0.2, 6, SPREADS[0], SPREADS[0])
    assert surely_above(condition, SUPPORTED)
    assert is_wrong("cells", condition, SUPPORTED)


def test_a_band_of_plain_means_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors spread over factors: few rows miss the large ones, and the mean looks small."""

    def plain(samples: np.ndarray, bound: float, level: float) -> tuple[np.ndarray, np.ndarray]:
        mean_of_log_normal = bound * np.exp(1.5**2 / 2)
        return trends._t_ps(samples - mean_of_log_normal)

    rng = np.random.default_rng(0)
    intact = simulation._trend(rng, 1000, (20, "log-normal", 1.5), 1)
    assert not surely_above(intact, SUPPORTED)
    monkeypatch.setattr(simulation, "side_ps", plain)
    assert surely_above(simulation._trend(rng, 1000, (20, "log-normal", 1.5), 1), SUPPORTED)


def test_what_is_wrong_follows_from_the_truth() -> None:
    cell = {"margin": 0.2}
    assert is_wrong("cells", {**cell, "effect": 0.2}, SUPPORTED)
    assert is_wrong("cells", {**cell, "effect": 0.2}, REFUTED)
    assert not is_wrong("cells", {**cell, "effect": 0.1}, SUPPORTED)
    assert not is_wrong("cells", {**cell, "effect": 0.3}, REFUTED)
    assert not is_wrong("cells", {**cell, "effect": 0.3}, INCONCLUSIVE)
    assert is_wrong("rankings", {"effect": 0.0}, SUPPORTED)
    assert is_wrong("rankings", {"effect": 0.1}, REFUTED)
    assert not is_wrong("rankings", {"effect": 0.1}, SUPPORTED)


@pytest.mark.parametrize("pairs", [1, 3, 6, 8])
def test_sign_flips_of_many_rows_are_those_of_the_rule(pairs: int) -> None:
    differences = np.random.default_rng(pairs).normal(-0.1, 0.2, (30, pairs))
    less, greater = sign_flip_ps(differences)
    if pairs == 1:  # of two exchanges the rule counts one, which never decides
        assert set(less) | set(greater) == {0.5, 1.0}
        return
    for row, p_less, p_greater in zip(differences, less, greater, strict=True):
        # Where the mean is near 0 the rule may miss its own draw by rounding.
        assert sign_flip_p(row, "less") == pytest.approx(p_less, abs=1.5 / 2**pairs)
        assert sign_flip_p(row, "greater") == pytest.approx(p_greater, abs=1.5 / 2**pairs)
    extreme = -np.abs(differences)
    assert np.all(sign_flip_ps(extreme)[0] == sign_flip_p(extreme[0], "less"))


def test_cells_are_judged_as_records_are() -> None:
    rng = np.random.default_rng(4)
    base = BY_ID[CELL]
    assert isinstance(base, Cell)
    seen = set()
    for shift in (0.0, 0.2, 0.45, 0.0):
        mine, theirs = rng.normal(2.5 + shift, 0.08, 5), rng.normal(2.5, 0.08, 6)
        claim = dataclasses.replace(base, value=float(theirs.mean()), std=float(theirs.std(ddof=1)))
        found = cells.equivalence(
            np.array(mine.mean() - claim.value),
            np.array(mine.std(ddof=1)),
            5,
            published_std=np.array(claim.std),
            published_runs=6,
            margin=0.2,
        )
        status = SUPPORTED if found.supports(0.2) else REFUTED if found.refutes(0.2) else "open"
        verdict = verdict_on(claim, trainings("cnn_28", mine.tolist()), CLAIMS)
        assert verdict.status == status.replace("open", INCONCLUSIVE)
        assert verdict.measured["low"] == pytest.approx(float(found.low))
        seen.add(status)
    assert seen >= {SUPPORTED, REFUTED}


def test_the_command_writes_a_record_that_repeats(tmp_path, capsys) -> None:
    arguments = ["simulate", "--repetitions", "20", "--evidence", str(tmp_path)]
    assert main(arguments) == 0
    assert "cells: wrongly supported in at most" in capsys.readouterr().out
    (record,) = read_records(tmp_path)
    assert (record.kind, record.outcome, record.protocol) == ("simulation", "finished", "check")
    assert record.configuration["spreads"]["usual"] == SPREADS[0]
    assert record.numbers == simulate(20, 0, SPREADS)
    assert main(["simulate", "--repetitions", "0", "--evidence", str(tmp_path)]) == 2
    assert "--repetitions must be at least 1, got 0" in capsys.readouterr().err


def test_planned_runs_of_a_cell_reach_their_power() -> None:
    std = SPREADS[0]
    for difference in (0.0, 0.5):
        runs = runs_for_cell(std, std, 6, 0.2, difference)
        assert runs is not None
        found = [
            simulation._cell(np.random.default_rng(1), 2000, difference, number, std, std)
            for number in (runs + 1, runs - 1)
        ]
        status = REFUTED if difference else SUPPORTED
        assert found[0][status] / 2000 > 0.75
        assert runs == 2 or found[1][status] / 2000 < 0.8


def test_no_number_of_runs_mends_a_published_mean_that_is_too_uncertain() -> None:
    assert runs_for_cell(0.05, 0.4, 6, 0.2) is None
    assert runs_for_cell(0.05, 0.05, 6, 0.2, difference=0.2) is None


@pytest.mark.parametrize(("family", "pairs"), [(1, 5), (2, 6), (3, 6), (4, 7), (16, 9)])
def test_fewer_pairs_can_never_support_a_ranking(family: int, pairs: int) -> None:
    assert fewest_pairs(family) == pairs
    assert family * 0.5**pairs <= LEVEL < family * 0.5 ** (pairs - 1)


def test_planned_pairs_of_a_ranking_reach_their_power() -> None:
    std = SPREADS[0]
    assert pairs_for_ranking(1.0, 0.1, 2) == fewest_pairs(2)
    assert pairs_for_ranking(-0.1, 0.1, 2) is None
    assert pairs_for_ranking(0.001, 0.1, 2) is None
    pairs = pairs_for_ranking(0.15, std * 2**0.5, 2)
    assert pairs is not None
    counts = simulation._family(np.random.default_rng(2), 1000, (0.15, 0.15), pairs, std)
    assert counts[SUPPORTED] / 1000 > 0.75
