"""The first epoch again: the learning curves of the whole run begin with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from verification.evidence import read_records

COMMAND = ["train", "--model", "cnn_28", "--data", "digits", "--protocol", "smoke"]


def test_it_is_how_the_learning_curves_of_the_run_begin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*COMMAND, "--first-epoch"]) == 0
    begun = json.loads(capsys.readouterr().out)
    folders = ["--evidence", str(tmp_path / "e"), "--checkpoints", str(tmp_path / "c")]
    assert main([*COMMAND, *folders]) == 0
    (record,) = read_records(tmp_path / "e")
    assert begun == {name: curve[0] for name, curve in record.numbers["curves"].items()}
    assert main([*COMMAND, "--seed", "1", "--first-epoch"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) != begun
