"""Scaling curves and choices of an algorithm: what is timed, fitted and written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.timing import choices, scaling
from benchmarks.timing.scaling import (
    Sizes,
    fitted_exponent,
    measure_point,
    measure_scaling,
    summary,
)
from sesn_impl.fast import correlate
from verification.claims.records import read_records

SMALL = Sizes(image=8, scales=2, support=11, batch=2, channels=2)


def test_curve_becomes_a_record(tmp_path: Path) -> None:
    (record,) = measure_scaling(
        rounds=2, evidence=tmp_path, curves={"channels": (1, 2, 4)}, base=SMALL
    )
    assert [read.digest for read in read_records(tmp_path)] == [record.digest]
    assert (record.kind, record.subject, record.protocol) == (
        "timing", "scaling_channels", "timing",
    )  # fmt: skip
    assert record.configuration["varied"] == "channels"
    numbers = record.numbers
    assert numbers["sizes"] == [1, 2, 4]
    assert numbers["ways"][0] == "direct"
    for form in ("layer", "textbook", "plain"):
        assert [len(times) for times in numbers["seconds"][form]] == [2, 2, 2]
        fit = numbers["exponents"][form]
        assert fit["low"] <= fit["value"] <= fit["high"]
    header, row = summary([record]).splitlines()
    assert header.split()[0] == "varied"
    assert row.split()[:3] == ["channels", "1", "4"]


def test_exponent_of_a_power_law() -> None:
    fit = fitted_exponent([1, 2, 4, 8], [3.0 * size**1.5 for size in (1, 2, 4, 8)])
    assert fit["value"] == pytest.approx(1.5)
    assert fit["high"] - fit["low"] < 1e-6
    bent = fitted_exponent([1, 2, 4], [1.0, 1.0, 4.0])
    assert bent["low"] < bent["value"] < bent["high"]
    with pytest.raises(ValueError, match=r"sizes=\(1, 2\): must be three or more for a fit"):
        fitted_exponent([1, 2], [1.0, 2.0])


def test_rounds_out_of_range() -> None:
    with pytest.raises(ValueError, match="rounds=1: must be at least 2"):
        measure_scaling(rounds=1)


def test_a_layer_that_answers_otherwise_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sesn_impl.layers.correlate", lambda *a, **k: 1.001 * correlate(*a, **k))
    with pytest.raises(ValueError, match=r"layer differs from its textbook form by 0\.001"):
        measure_point(SMALL, 2)


def test_all_forms_of_a_point_have_as_many_coefficients() -> None:
    assert torch.nn.Conv2d(1, 1, 7).weight.numel() == scaling.EFFECTIVE_SIZE**2


def test_choices_are_compared_with_the_faster_algorithm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = [choices.Sizes(2, 4, 4, 3, 6), choices.Sizes(1, 1, 2, 3, 200)]
    ticks = iter(range(10**6))
    monkeypatch.setattr("time.perf_counter", lambda: next(ticks))
    record = choices.measure_choices(rounds=1, evidence=tmp_path, grid=grid)
    assert [read.digest for read in read_records(tmp_path)] == [record.digest]
    small, large = record.numbers["points"]
    assert small["sizes"] == [2, 4, 4, 3, 6, 1]
    assert small["seconds"] == {name: {"forward": 1, "step": 1} for name in ("direct", "spectral")}
    assert list(large["seconds"]) == ["direct"]  # the other would take far longer
    assert record.numbers["step"] == {"right": 1, "worst": 1}
    small["seconds"][small["chosen"]]["step"] = 3
    assert "step (2, 4, 4, 3, 6, 1): direct takes 3.00× as long" in choices.summary(record)
    with pytest.raises(ValueError, match="rounds=0: must be at least 1"):
        choices.measure_choices(rounds=0)
