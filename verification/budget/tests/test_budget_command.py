"""`python -m verification budget`: its table, its advice, its JSON and its mistakes."""

import json

import pytest

from verification.__main__ import main
from verification.budget import SIGNALS, predict_budgets
from verification.reference.bases import BasisArguments, describe_basis

STL_10 = "budget --kind a --effective-size 3 --scales 0.9 1.27 1.79 --kernel-size 7 --draws 2"


def run(command):
    return main(command.split())


def test_prediction_and_advice_are_printed(capsys):
    assert run(STL_10) == 0
    text = capsys.readouterr().out
    lines = [line.split() for line in text.splitlines()]
    assert "Basis a, 9 functions, V = 7, 83 taps per filter" in text
    first = next(line for line in lines if line[:3] == ["0.9", "→", "1.27"])
    basis = describe_basis(BasisArguments("a", 7, (0.9, 1.27, 1.79), 3))
    expected = predict_budgets(basis, SIGNALS["smooth"].draws(2))[0]
    assert first[3:11] == ["3", "→", "5", "9", "→", "9", f"{100 * expected.total:.2g}", "%"]
    assert first[-1] == "truncation"
    wanted = [line for line in lines if line[1:4] == ["%", "support", "alone"]]
    assert [line[0] for line in wanted] == ["1", "0.1"]
    assert any(line[:2] == ["best", "to"] for line in lines)


def test_numbers_are_written_as_json(tmp_path, capsys):
    file = tmp_path / "budget.json"
    assert run(f"{STL_10} --wanted 0.01 --signals fine --seed 3 --json {file}") == 0
    assert capsys.readouterr().out
    numbers = json.loads(file.read_text(encoding="utf-8"))
    assert numbers["arguments"]["scales"] == [0.9, 1.27, 1.79]
    assert numbers["supports"] == [3, 5, 7]
    assert numbers["taps"] == 83
    assert numbers["ranks"] == [9, 9, 9]
    assert numbers["signals"]["seed"] == 3
    assert numbers["signals"]["max_frequency"] == SIGNALS["fine"].max_frequency
    pair = numbers["pairs"][0]
    assert pair["limited_by"] == "truncation"
    assert sum(pair["contributions"].values()) == pytest.approx(pair["total"])
    (found,) = numbers["recommendations"]
    assert found["wanted"] == 0.01
    assert found["support"]["error"] <= 0.01
    assert found["support"]["kernel_size"] == found["support"]["supports"][-1]
    assert found["wider"] is None
    assert numbers["best_support"]["kernel_size"] <= 7


def test_where_no_support_helps_other_changes_are_shown(capsys):
    assert run("budget --scales 1.5 2.2 --kernel-size 13 --wanted 0.001 --draws 1") == 0
    text = capsys.readouterr().out
    assert "scales ×" in text
    assert "mult 1." in text


def test_what_nothing_reaches_is_said(capsys):
    command = "budget --kind a --effective-size 2 --scales 0.4 0.6 --kernel-size 9 --draws 1"
    assert run(f"{command} --wanted 1e-32") == 0
    assert "none found: sampling alone makes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--scales 1 2 --kernel-size 14", "kernel_size=14: must be odd"),
        ("--scales 2 1 --kernel-size 15", "must grow from first to last"),
        ("--scales 1.5 --kernel-size 15", "must be two or more"),
        ("--scales 1 2 --kernel-size 15 --wanted 0", "wanted=0.0: must be above 0"),
        ("--scales 1 2 --kernel-size 15 --draws 0", "count=0: must be at least 1"),
        ("--scales 1 2 --kernel-size 15 --mult 1", "mult=1.0: must be a finite number above 1"),
        ("--scales 1 4 --kernel-size 5", "on which Atom"),
        (
            "--scales 1.5 2.2 --kernel-size 9 --effective-size 1 --draws 1 --json no/such/folder",
            "No such file",
        ),
    ],
)
def test_mistakes_end_with_code_2(options, message, capsys):
    assert run(f"budget {options}") == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert message in captured.err


@pytest.mark.parametrize(
    "command", ["", "budget", "budget --scales 1 2 --kernel-size many", "bake"]
)
def test_unknown_options_end_with_code_2(command):
    with pytest.raises(SystemExit) as exit_:
        run(command)
    assert exit_.value.code == 2
