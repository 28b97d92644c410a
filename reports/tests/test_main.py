"""The command: what it says and returns, and that it never spoils a report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reports.__main__ import main
from reports.tests.synthetic import CLAIMS, budgets, make, theorems, write_all


def test_it_writes_and_then_finds_the_report_up_to_date(
    small: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*small, "--check"]) == 1
    assert "REPORT.md: missing" in capsys.readouterr().err
    assert main(small) == 0
    assert f"{len(CLAIMS)} claims, 1 record: " in capsys.readouterr().out
    assert main([*small, "--check"]) == 0
    assert "up to date" in capsys.readouterr().out


def test_check_notices_files_that_were_touched_or_lost(
    small: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write_all(budgets()[:1], Path(small[1]))
    assert main(small) == 0
    report, svg, png = (
        Path(small[3]) / name for name in ("REPORT.md", "figures/budget.svg", "figures/budget.png")
    )
    report.write_text(report.read_text(encoding="utf-8").replace("not run", "supported", 1))
    svg.write_bytes(svg.read_bytes() + b"\n")
    png.unlink()
    assert main([*small, "--check"]) == 1
    error = capsys.readouterr().err
    assert f"{report}: line " in error
    assert f"{svg}: differs" in error
    assert f"{png}: missing" in error
    assert "out of date" in error


def test_line_ends_of_a_checkout_are_no_difference(small: list[str]) -> None:
    write_all(budgets()[:1], Path(small[1]))
    assert main(small) == 0
    for folder in (Path(small[1]), Path(small[3])):
        for path in folder.rglob("*.*"):
            if path.is_file() and path.suffix != ".png":
                path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert b"\r\n" in (Path(small[3]) / "REPORT.md").read_bytes()
    assert main([*small, "--check"]) == 0


def test_check_says_which_line_is_not_as_it_must_be(
    small: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(small) == 0
    path = Path(small[3]) / "REPORT.md"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    lines[4] = "Yes.\n"
    path.write_text("".join(lines))
    assert main([*small, "--check"]) == 1
    assert "line 5 is not what claims and records give" in capsys.readouterr().err


def test_check_notices_a_record_that_came_later(small: list[str]) -> None:
    assert main(small) == 0
    write_all(theorems()[1:2], Path(small[1]))
    assert main([*small, "--check"]) == 1
    assert main(small) == 0
    assert main([*small, "--check"]) == 0


def _cut_off(path: Path) -> str:
    path.write_bytes(path.read_bytes()[:300])
    return f"{path}: not valid JSON"


def _edited(path: Path) -> str:
    path.write_text(path.read_text(encoding="utf-8").replace('"threads": 2', '"threads": 3'))
    return f"{path}: the name does not match the content"


def _newer(path: Path) -> str:
    raw = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(raw | {"schema": 2}))
    return f"{path}: written under schema 2, newer than 1"


def _foreign(path: Path) -> str:
    other = path.with_name("notes.txt")
    other.write_text("hello")
    return f"{other}: not a record"


def _other_numbers(path: Path) -> str:
    record = make("budget", "sesn_x", {"pairs": [{}]}, configuration={"scales": [1.0, 2.0]})
    write_all([record], path.parent)
    return f"{record.filename}: its numbers are not those of a finished budget: KeyError('fine')"


@pytest.mark.parametrize("spoil", [_cut_off, _edited, _newer, _foreign, _other_numbers])
@pytest.mark.parametrize("option", [[], ["--check"]])
def test_what_cannot_be_trusted_is_named_and_the_old_report_stays(
    small: list[str],
    spoil: object,
    option: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = Path(small[3])
    output.mkdir()
    (output / "REPORT.md").write_text("the old report")
    assert callable(spoil)
    message = spoil(next(Path(small[1]).iterdir()))
    assert main([*small, *option]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in output.iterdir()] == ["REPORT.md"]
    assert (output / "REPORT.md").read_text(encoding="utf-8") == "the old report"


def test_a_missing_folder_of_records_is_no_empty_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--evidence", str(tmp_path / "none"), "--output", str(tmp_path)]) == 2
    assert f"{tmp_path / 'none'}: no such folder of records" in capsys.readouterr().err


def test_a_disk_that_refuses_leaves_the_old_report(
    small: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(small) == 0
    output = Path(small[3])
    before = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    write_all(theorems()[1:2], Path(small[1]))

    def full_disk(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    assert main(small) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in output.rglob("*") if path.is_file()} == before
