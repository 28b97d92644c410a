"""The commands: what they print, what they leave, and how they answer mistakes."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from benchmarks import __main__ as command_line
from benchmarks import data, main_job, theory
from benchmarks.data import DataSet
from verification.claims import records as evidence
from verification.claims.records import Record, read_records


def folders(tmp_path: Path) -> list[str]:
    return ["--evidence", str(tmp_path / "evidence"), "--checkpoints", str(tmp_path / "runs")]


def run(tmp_path: Path, *options: str) -> int:
    return command_line.main(["train", "--model", "cnn_28", *options, *folders(tmp_path)])


@pytest.fixture
def _tiny_digits(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "load", lambda *_: tiny)


@pytest.mark.usefixtures("_tiny_digits")
def test_train_writes_one_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--seed", "2", "--augmentation") == 0
    (record,) = read_records(tmp_path / "evidence")
    assert record.protocol == "smoke"
    assert record.configuration["augmentation"] is True
    assert record.seeds == {"realisation": 0, "seed": 2}
    printed = capsys.readouterr()
    assert f"test error {record.numbers['test_error']:.2f} %" in printed.out
    assert record.filename in printed.out
    assert printed.err == ""  # no progress bar where there is no terminal
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.usefixtures("_tiny_digits")
def test_command_in_the_record_repeats_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, "--seed", "2", "--augmentation")
    (first,) = read_records(tmp_path / "evidence")
    monkeypatch.setattr(data, "NAMES", ("tiny",))
    again = first.command.removeprefix("python -m benchmarks ").split()
    assert command_line.main([*again, *folders(tmp_path / "again")]) == 0
    (second,) = read_records(tmp_path / "again" / "evidence")
    assert second.key == first.key
    assert second.numbers["weights"] == first.numbers["weights"]


@pytest.mark.usefixtures("_tiny_digits")
def test_interruption_is_told_and_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("benchmarks.training.run.mistakes", interrupt)
        assert run(tmp_path) == 130
    assert "goes on from its last checkpoint" in capsys.readouterr().err
    assert run(tmp_path) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "cnn_29"], "model_name='cnn_29': unknown model; known are cnn_28"),
        (["--device", "abacus"], "device='abacus': not a device"),
        (["--device", "cuda:99"], "device='cuda:99': torch finds"),
        (["--seed", "-1"], "seed=-1: must be 0 or more"),
        (["--realisation", "-1"], "realisation must be an integer in 0"),
        (["--data", "mnist_scale", "--data-dir", "no such folder"], "no such folder"),
    ],
)
def test_mistakes_are_named_without_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert run(tmp_path, *options) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_tiny_digits")
def test_evidence_folder_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "evidence").write_text("a file")
    assert run(tmp_path) == 2
    assert "evidence" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()  # noticed before anything was trained


@pytest.mark.usefixtures("_tiny_digits")
def test_record_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(evidence, "write_record", full)
        assert run(tmp_path) == 2
    assert "No space left" in capsys.readouterr().err
    assert len(list((tmp_path / "runs").iterdir())) == 1  # nothing trained is lost
    assert run(tmp_path) == 0
    (record,) = read_records(tmp_path / "evidence")
    assert record.numbers["sessions"][-1]["first_step"] == record.numbers["steps"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "arguments are required: command"),
        (["train"], "--model"),
        (["train", "--model", "cnn_28", "--protocol", "long"], "invalid choice: 'long'"),
        (["train", "--model", "cnn_28", "--epochs", "3"], "unrecognized arguments: --epochs 3"),
        (["time", "--rounds", "some"], "invalid int value: 'some'"),
    ],
)
def test_unknown_arguments(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        command_line.main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "parts"),
    [("digits", "theory mutants time"), ("mnist_scale", "theory mutants data time")],
)
def test_main_job_does_every_part_in_order(
    name: str, parts: str, tiny: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    called: list[str] = []

    def part(what: str) -> Callable[..., list[Record]]:
        def run_part(*_: object, **__: object) -> list[Record]:
            called.append(what)
            return []

        return run_part

    monkeypatch.setattr(data, "load", lambda *_: tiny)
    monkeypatch.setattr(theory, "measure", part("theory"))
    monkeypatch.setattr(main_job, "measure_mutants", part("mutants"))
    monkeypatch.setattr(main_job, "measure_data", part("data"))
    monkeypatch.setattr(main_job, "measure_timing", part("time"))
    assert command_line.main(["all", "--data", name, *folders(tmp_path)]) == 0
    assert called == parts.split()
    trained = {record.subject for record in read_records(tmp_path / "evidence")}
    assert trained == set(main_job.MODELS)
    assert "training of sesn_scalar_28" in capsys.readouterr().out


def test_main_job_names_missing_data_before_it_measures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SESN_DATA_DIR", raising=False)
    assert command_line.main(["all", "--data", "mnist_scale", *folders(tmp_path)]) == 2
    assert "SESN_DATA_DIR" in capsys.readouterr().err
    assert not (tmp_path / "evidence").exists()
