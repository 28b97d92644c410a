"""The command that judges all mutants: its record, its table, its words."""

import dataclasses

import pytest

from verification.__main__ import main
from verification.broken_layers import BROKEN_LAYERS, command
from verification.broken_layers.table import Row
from verification.claims.reading import load_claims
from verification.claims.records import read_records
from verification.claims.rules import verdicts_on
from verification.runner.layer_verdict import Outcome, Status, Verdict

MUTANT = next(mutant for mutant in BROKEN_LAYERS if mutant.name == "mean_projection")
CLAIM = next(claim for claim in load_claims() if claim.id == "count.checks.survivors")


def rows(cause: str = MUTANT.cause, killed: bool = True, intact: bool = True):
    def verdict(fails: bool, cause: str) -> Verdict:
        status = Status.FAILED if fails else Status.PASSED
        outcome = Outcome("max_projection", "m", status, "why", 0, 2.0, None, 0.0, cause=cause)
        return Verdict("m", (outcome,))

    return [
        Row(None, "projection", verdict(not intact, "")),
        Row(MUTANT, "projection", verdict(killed, cause)),
    ]


def test_the_numbers_say_who_rejects_whom():
    numbers = command.numbers_of(rows())
    assert (numbers["value"], numbers["killed"], numbers["named"]) == (0, 1, 1)
    (row,) = numbers["mutants"]
    assert row["killed_by"] == {"max_projection": {"error": 2.0, "threshold": 0.0}}
    assert (row["group"], row["naming"]) == ("other modules", ["max_projection"])


@pytest.mark.parametrize(
    "wrong",
    [rows("projection_axis"), rows(killed=False), rows(intact=False)],
    ids=["unnamed", "survivor", "false alarm"],
)
def test_survivors_unnamed_causes_and_false_alarms_count(wrong):
    assert command.numbers_of(wrong)["value"] == 1


@pytest.mark.parametrize(
    ("judged", "status"), [(rows(), "supported"), (rows("projection_axis"), "refuted")]
)
def test_the_record_decides_the_claim(monkeypatch, tmp_path, capsys, judged, status):
    monkeypatch.setattr(command, "judge_all", lambda mutants: judged)
    assert main(["mutants", "--evidence", str(tmp_path)]) == 0
    (record,) = read_records(tmp_path)
    assert (record.kind, record.command) == ("mutation", "python -m verification mutants")
    clean = dataclasses.replace(record.provenance, dirty=False)
    (verdict,) = verdicts_on([CLAIM], [dataclasses.replace(record, provenance=clean)])
    assert verdict.status == status
    printed = capsys.readouterr().out
    assert "intact projection: 1 checks, failed: none" in printed
    assert "mean_projection (projection): named by " in printed


def test_some_mutants_alone_print_their_findings_and_write_nothing(tmp_path, capsys):
    arguments = ["mutants", "--only", "mean_projection", "--evidence", str(tmp_path)]
    assert main(arguments) == 0
    assert (
        "max_projection: output against the maximum over the scale axis" in capsys.readouterr().out
    )
    assert not list(tmp_path.iterdir())


def test_an_unknown_mutant_is_named(capsys):
    assert main(["mutants", "--only", "magic"]) == 2
    assert "--only 'magic': must be one of axes_swapped" in capsys.readouterr().err
