"""One loop times works in turns; records and a table say what it found."""

from __future__ import annotations

import statistics
from itertools import count
from pathlib import Path

import pytest
import torch

from benchmarks.timing import measure as module
from benchmarks.timing import rounds
from benchmarks.timing.measure import measure, summary
from benchmarks.timing.rounds import interleaved, ratio_of
from verification.claims.reading import load_claims
from verification.claims.records import Record, read_records

CPU = torch.device("cpu")
MODEL = ["sesn_scalar_28"]


def test_works_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that counts calls shows the order; the first round is not told."""
    ticks = count()
    monkeypatch.setattr(rounds, "time_of", lambda work: (next(ticks), work())[0])
    done: list[str] = []
    works = {"a": lambda: None, "b": lambda: None}
    assert interleaved(works, 2, done.append) == {"a": [2, 4], "b": [3, 5]}
    assert done == ["a", "b"] * 3
    assert interleaved(works, 1, warm_up=False) == {"a": [6], "b": [7]}


def test_records_of_a_model(tmp_path: Path) -> None:
    records = measure(rounds=2, batch=2, device=CPU, evidence=tmp_path, models=MODEL)
    assert sorted(record.digest for record in read_records(tmp_path)) == sorted(
        record.digest for record in records
    )
    forward, step = records
    assert not any(claim.selects(forward) for claim in load_claims())
    assert [claim.id for claim in load_claims() if claim.selects(step)] == [
        "cost.step.sesn_scalar_28", "cost.fast.sesn_scalar_28", "cost.beside_cnn.sesn_scalar_28",
        "cost.later.four_scales",
    ]  # fmt: skip
    for record, work in ((forward, "forward"), (step, "step")):
        numbers = record.numbers
        assert (record.kind, record.protocol) == ("timing", "timing")
        assert (record.configuration["work"], record.configuration["batch"]) == (work, 2)
        assert record.provenance.threads == torch.get_num_threads()
        assert record.command == (
            "python -m benchmarks time --rounds 2 --batch 2 --device cpu --models sesn_scalar_28"
        )
        seconds = numbers["seconds"]
        assert set(seconds) == {"cnn_28", "textbook", "matrix_product", "sesn_scalar_28"}
        assert all(len(times) == 2 for times in seconds.values())
        assert set(numbers["ratios"]) == {"cnn_28", "textbook"}
        own, matrix = seconds["sesn_scalar_28"], seconds["matrix_product"]
        shares = [
            numbers["multiply_adds"] / 1024**3 * b / a for a, b in zip(own, matrix, strict=True)
        ]
        assert numbers["throughput"] == pytest.approx(statistics.median(shares))
        assert "peak_bytes" not in numbers
    assert step.numbers["multiply_adds"] > 2 * forward.numbers["multiply_adds"]
    assert_table_tells(records)


def assert_table_tells(records: list[Record]) -> None:
    header, *rows = summary(records).splitlines()
    assert header.split()[:3] == ["model", "work", "ms"]
    assert [row.split()[:2] for row in rows] == [
        ["sesn_scalar_28", "forward"],
        ["sesn_scalar_28", "step"],
    ]
    assert all(row.endswith("× textbook") and "× cnn_28" in row for row in rows)


def test_memory_of_a_step_goes_beside_its_times(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = {"cnn_28": 10, "sesn_scalar_28": 40}
    monkeypatch.setattr(
        module, "peak_memory",
        lambda name, batch, textbook: [peaks[name] * batch * (1 + textbook)] * 3,
    )  # fmt: skip
    forward, step = measure(rounds=1, batch=2, device=CPU, models=MODEL, memory=True)
    assert "peak_bytes" not in forward.numbers
    expected = {"cnn_28": 20, "sesn_scalar_28": 80, "textbook": 160}
    assert step.numbers["peak_bytes"] == expected
    assert step.command.endswith(" --memory")


def test_models_that_have_no_textbook_form() -> None:
    with pytest.raises(ValueError, match="models='sicnn_28': must be plain or SESN networks"):
        measure(rounds=2, batch=2, device=CPU, models=["sicnn_28"])


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
