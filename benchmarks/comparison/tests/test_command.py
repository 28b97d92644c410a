"""From the command to records and a table."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import comparison
from benchmarks.comparison import FLOOR, FULL, QUICK, Settings, command, costs, measure
from benchmarks.comparison.equivariance import measure_method
from benchmarks.comparison.session import Session, command_of, complete
from verification.claims.reading import load_claims
from verification.claims.records import Record, read_records

TINY = Settings(
    repetitions=2, scenes=3, trunk_scenes=2, digits=3, patches=1, calibration=4, rounds=1, batch=2
)
METHODS = ("cnn", "dss_scalar")


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_options(parser)
    return parser.parse_args(arguments)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """A comparison of two methods, written and read again."""
    evidence = tmp_path_factory.mktemp("evidence")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(costs, "peak_memory", lambda name, _: [30 if name == "cnn_28" else 60])
        made = measure(7, evidence, TINY, METHODS)
    assert {record.digest for record in read_records(evidence)} == {r.digest for r in made}
    return made


def test_two_records_for_each_method_and_one_for_the_floor(records: list[Record]) -> None:
    found = [(record.kind, record.subject) for record in records]
    names = [f"{method}_28" for method in METHODS]
    assert found == [
        *(("equivariance", subject) for subject in (FLOOR, *names)),
        *(("timing", name) for name in names),
    ]
    assert {record.outcome for record in records} == {"finished"}
    assert {record.seeds.get("seed", 7) for record in records} == {7}


def test_numbers_are_lists_of_repetitions_and_factors(records: list[Record]) -> None:
    floor, plain, dss = records[:3]
    parts = [
        ("first_layer", "scenes", 6), ("first_layer", "digits", 6),
        ("first_layer", "photographs", 3), ("trunk", "scenes", 6),
    ]  # fmt: skip
    for record, expected in (
        (floor, parts[:3]), (plain, parts), (dss, [*parts, ("own_steps", "scenes", 1)])
    ):  # fmt: skip
        rows = record.numbers["responses"]
        assert [(row["part"], row["images"], len(row["factors"])) for row in rows] == expected
        for row in rows:
            for values in (row["error"], row["chance"]):
                assert [len(value) for value in values] == [len(row["factors"])] * 2
    assert len(plain.numbers["predictions"]["unchanged"]) == 2


def test_what_is_ranked_is_the_mean_share_of_chance(records: list[Record]) -> None:
    numbers = records[1].numbers
    first = numbers["responses"][0]
    for ranked, errors, chances in zip(
        numbers["probe_share_of_chance"], first["error"], first["chance"], strict=True
    ):
        shares = [error / chance for error, chance in zip(errors, chances, strict=True)]
        assert ranked == pytest.approx(sum(shares) / len(shares))


def test_claims_are_decided_by_errors_measured_in_full_alone(
    records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {record.protocol for record in records if record.kind == "equivariance"} == {"smoke"}
    assert complete(replace(FULL, rounds=1, batch=2))
    assert not complete(QUICK)
    monkeypatch.setattr(comparison, "complete", lambda _: True)
    monkeypatch.setattr(costs, "peak_memory", lambda *_: None)
    full = measure(7, None, TINY, METHODS)[:3]
    assert {record.protocol for record in full} == {"check"}
    found = {
        record.subject: tuple(claim.id for claim in load_claims() if claim.selects(record))
        for record in full
    }
    assert found[FLOOR] == ()
    assert found["dss_scalar_28"] == (
        "ranking.equivariance.dss_scalar_over_cnn",
        "ranking.equivariance.sesn_scalar_best",
        "ranking.equivariance.sesn_vector_best",
    )
    assert "ranking.equivariance.sesn_vector_over_cnn" in found["cnn_28"]


def test_the_same_seed_gives_the_same_errors_and_another_others(records: list[Record]) -> None:
    for seed, same in ((7, True), (8, False)):
        session = Session("python -m benchmarks compare", seed, TINY)
        measure_method(session, "cnn_28", lambda: None)
        assert (session.records[0].numbers == records[1].numbers) is same


def test_table(records: list[Record]) -> None:
    header, floor, plain, dss = command.summary(records).splitlines()
    assert header.split()[:6] == ["method", "probe", "digits", "photos", "trunk", "steps"]
    assert floor.split()[0] == FLOOR
    assert floor.split()[4:] == ["-", "-"]
    assert (plain.split()[0], plain.split()[5]) == ("cnn_28", "-")
    assert len(dss.split()) == len(header.split())
    assert dss.split()[-1] == "2.00"
    assert dss.split()[7] == "494359"


def test_table_without_what_was_not_told(records: list[Record]) -> None:
    numbers = dict(records[-1].numbers) | {"peak_bytes": {"cnn_28": None, "dss_scalar_28": None}}
    row = command.summary([records[2], replace(records[-1], numbers=numbers)]).splitlines()[1]
    assert row.split()[-1] == "-"


def test_options_choose_the_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[tuple[int, Settings, str | None]] = []

    def noted(seed: int, evidence: Path, settings: Settings, *, only: str | None) -> list[Record]:
        seen.append((seed, settings, only))
        return []

    monkeypatch.setattr(command, "measure", noted)
    some = ["--seed", "3", "--batch", "16", "--rounds", "1", "--only", "costs"]
    for arguments in ([], ["--quick"], some):
        options = parsed(*arguments)
        options.evidence = Path("nowhere")
        command.run(options)
    assert capsys.readouterr().out.startswith("method")
    assert seen == [
        (0, FULL, None), (0, QUICK, None), (3, replace(FULL, batch=16, rounds=1), "costs"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (FULL, "python -m benchmarks compare --seed 3"),
        (replace(QUICK, rounds=9), "python -m benchmarks compare --seed 3 --quick --rounds 9"),
        (replace(FULL, batch=16), "python -m benchmarks compare --seed 3 --batch 16"),
    ],
)
def test_the_command_in_a_record_repeats_it(settings: Settings, text: str) -> None:
    assert command_of(3, settings) == text
    options = parsed(*text.split()[4:])
    base = QUICK if options.quick else FULL
    chosen = {"batch": options.batch or base.batch, "rounds": options.rounds or base.rounds}
    assert (options.seed, replace(base, **chosen)) == (3, settings)


@pytest.mark.parametrize(
    ("seed", "methods", "message"),
    [
        (-1, METHODS, "seed=-1: must be at least 0"),
        (0, ("cnn_28",), "methods='cnn_28': must be some of cnn, sicnn"),
    ],
)
def test_mistakes_are_named(seed: int, methods: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measure(seed, None, TINY, methods)


@pytest.mark.parametrize(("name", "value"), [("digits", 1), ("rounds", 0), ("batch", True)])
def test_settings_out_of_range(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name}={value!r}: must be an integer of at least"):
        replace(FULL, **{name: value})
