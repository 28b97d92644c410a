"""From pytest-benchmark's report to records and a table."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
import torch

from benchmarks.timing.measure import TimingError, measure, ratio_of, summary
from verification.claims.reading import load_claims
from verification.claims.records import Record, read_records

CPU = torch.device("cpu")

SUITE = """
import os, pytest
ROUNDS = int(os.environ["SESN_TIMING_ROUNDS"])

@pytest.mark.parametrize("work", ["forward", "step"])
def test_cost(work, benchmark):
    benchmark.pedantic(lambda: None, rounds=ROUNDS)
    benchmark.extra_info |= {
        "model": "sesn_scalar_28", "work": work, "multiply_adds": 2 * 1024**3,
        "rivals": {"cnn_28": [0.5] * ROUNDS, "matrix_product": [1.0] * ROUNDS},
    }
"""


def suite(folder: Path, source: str) -> Path:
    path = folder / "test_suite.py"
    path.write_text(source)
    return path


def test_suite_becomes_records(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    records = measure(
        rounds=5, batch=16, device=CPU, evidence=evidence, suite=suite(tmp_path, SUITE)
    )
    assert sorted(record.digest for record in read_records(evidence)) == sorted(
        record.digest for record in records
    )
    forward, step = records
    assert not any(claim.selects(forward) for claim in load_claims())
    assert [claim.id for claim in load_claims() if claim.selects(step)] == [
        "cost.step.sesn_scalar_28", "cost.beside_cnn.sesn_scalar_28", "cost.later.four_scales",
    ]  # fmt: skip
    for record, work in ((forward, "forward"), (step, "step")):
        assert (record.kind, record.protocol) == ("timing", "timing")
        assert record.configuration["work"] == work
        assert record.configuration["batch"] == 16
        assert record.command == "python -m benchmarks time --rounds 5 --batch 16 --device cpu"
        assert record.numbers["seconds"]["cnn_28"] == [0.5] * 5
        own = record.numbers["seconds"]["sesn_scalar_28"]
        assert len(own) == 5
        assert list(record.numbers["ratios"]) == ["cnn_28"]
        # Twice the matrix product's products, in `own` seconds against one.
        assert record.numbers["throughput"] == pytest.approx(2 / statistics.median(own))
        assert "peak_bytes" not in record.numbers
    assert_table_tells(records)


def assert_table_tells(records: list[Record]) -> None:
    header, *rows = summary(records).splitlines()
    assert header.split()[:3] == ["model", "work", "ms"]
    assert [row.split()[:2] for row in rows] == [
        ["sesn_scalar_28", "forward"],
        ["sesn_scalar_28", "step"],
    ]
    assert all(row.endswith("× cnn_28") for row in rows)


def test_memory_of_a_step_goes_beside_its_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "benchmarks.timing.measure.peak_memory",
        lambda name, batch, textbook: [{"cnn_28": 10, "sesn_scalar_28": 40}[name] * batch] * 3,
    )
    forward, step = measure(
        rounds=5, batch=16, device=CPU, suite=suite(tmp_path, SUITE), memory=True
    )
    assert "peak_bytes" not in forward.numbers
    assert step.numbers["peak_bytes"] == {"cnn_28": 160, "sesn_scalar_28": 640}
    assert step.command.endswith(" --memory")


def test_models_that_have_no_textbook_form(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="models='sicnn_28': must be plain or SESN networks"):
        measure(rounds=2, batch=2, device=CPU, models=["sicnn_28"])


def test_failing_suite_leaves_no_record(tmp_path: Path) -> None:
    broken = suite(tmp_path, SUITE + "\n    assert work == 'forward'\n")
    with pytest.raises(TimingError, match="stopped with exit code 1; see its output above"):
        measure(rounds=2, batch=2, device=CPU, evidence=tmp_path / "evidence", suite=broken)
    assert not (tmp_path / "evidence").exists()


def test_ratio_is_paired_by_rounds() -> None:
    """A machine that is slow in one round is slow for both: the ratio stays."""
    ratio = ratio_of([2.0, 20.0, 2.2, 2.4], [1.0, 10.0, 1.1, 1.2])
    assert ratio == {"median": 2.0, "lower_quartile": 2.0, "upper_quartile": 2.0}
    spread = ratio_of([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])
    assert spread["lower_quartile"] < spread["median"] == 2.0 < spread["upper_quartile"]
    assert ratio_of([3.0], [2.0])["median"] == 1.5


@pytest.mark.parametrize(
    ("rounds", "batch", "message"),
    [(0, 8, "rounds=0: must be at least 1"), (1, 1, "batch=1: must be at least 2")],
)
def test_numbers_out_of_range(rounds: int, batch: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measure(rounds=rounds, batch=batch, device=CPU)
