"""What a node says of the tests for CUDA."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.bundle.node import Node, _test, check_what_to_train, how_many, what_to_train

STUDY = {"protocol": "short", "data": "mnist_scale", "study": "bases"}

SUITE = """
import pytest

@pytest.mark.cuda
@pytest.mark.parametrize("number", range(6))
def test_numbers(number, capsys):
    with capsys.disabled():
        print("on a card, PASSED or FAILED")
    if number == 4:
        pytest.skip("50%")
    assert number != 1

def test_elsewhere(): ...
"""


def test_a_log_that_was_cut_off_says_how_many_passed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    options = ("-v", "-rA", "-p", "no:cacheprovider", "-o", "markers=cuda: needs a GPU")
    log = pytester.runpytest_inprocess(*options, "-m", "cuda").stdout.str()
    assert how_many(log) == "tests: 4 of 6 passed, 1 failed, 1 skipped"
    begun = log[: log.index("test_numbers[3]") + 20]
    assert how_many(begun) == "tests: 2 of 6 passed, 1 failed, 3 not reached"
    assert how_many("ImportError") == "tests: none was collected"
    everything = pytester.runpytest_inprocess(*options).stdout.str()
    assert how_many(everything) == "tests: 5 of 7 passed, 1 failed, 1 skipped"


def test_of_all_files_only_the_own_ones_for_cuda_are_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, given = Node(tmp_path / "scratch", tmp_path / "out", 0.0, "cuda"), list[Sequence[str]]()
    files = {
        "own/tests/test_a.py": b"@pytest.mark.cuda", "own/tests/test_b.py": b"\xa4",
        ".tox/lib/test_c.py": b"mark.cuda", "own/tests/data.py": b"mark.cuda",
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(node, "do", lambda _, arguments, __: given.append(arguments))
    _test(node, 10.0)
    assert [a for a in given[0] if a.endswith(".py")] == ["own/tests/test_a.py"]


def test_the_log_of_a_second_call_is_counted_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    node = Node(tmp_path / "scratch", tmp_path / "out", time.time() + 100, "cuda")
    log = node.logs / "tests.log"
    log.write_text("collected 9 items\na.py::test_b PASSED [ 11%]\n")

    def do(_: str, arguments: Sequence[str], __: float) -> None:
        assert arguments[:2] == ["-m", "pytest"]
        assert any(argument.endswith("test_cuda.py") for argument in arguments)
        with log.open("a") as file:
            file.write("collected 3 items\na.py::test_b PASSED [ 33%]\na.py::test_c ")

    monkeypatch.setattr(node, "do", do)
    _test(node, 10.0)
    line = "tests: 1 of 3 passed, 2 not reached"
    assert capsys.readouterr().out == f"{line}\n"
    assert log.read_text().endswith(f"\n{line}\n")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("--columns '28", "No closing quotation"),
        ("--columns 29", "29"),
        ("--methods resnet", "resnet"),
        ("--realisations 6", "realisations="),
        ("--data stl10 --study unseen_scales", "study"),
        ("--evidence elsewhere", "--evidence is run.sh's own"),
        ("--evid elsewhere", "--evidence is run.sh's own"),
        ("--evidence reports/evidence", "--evidence is run.sh's own"),
        ("--checkpoints=elsewhere", "--checkpoints is run.sh's own"),
        ("--budget 8h", "--budget is run.sh's own"),
    ],
)
def test_what_cannot_be_trained_is_told_at_once(given: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        check_what_to_train(given, STUDY)


@pytest.mark.parametrize("given", ["--study basis", "--no-such 3", "status", "--realisations x"])
def test_what_is_no_option_of_a_campaign_ends_with_a_sentence(
    given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        check_what_to_train(given, STUDY)
    assert ended.value.code == 2
    assert "run.sh BUDGET_SECONDS OUT --campaign" in capsys.readouterr().err


def test_options_given_take_the_place_of_the_bundles_study() -> None:
    check_what_to_train("", STUDY)
    check_what_to_train("--methods cnn --columns 28 '56+' --gpus 2", STUDY)
    assert "bases" in what_to_train("", STUDY)
    assert "--study" not in what_to_train("--methods cnn", STUDY)
