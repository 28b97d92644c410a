"""STL-10 by the same engine: its own files, recipe and selection, on workers that may die."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Thread

import pytest

from benchmarks import __main__ as command_line
from benchmarks.campaign.cluster import local_cluster
from benchmarks.campaign.execute import execute
from benchmarks.campaign.plan import Task, plan
from benchmarks.campaign.tests.processes import kill, stl10_work, wait_for
from benchmarks.campaign.tests.test_faults import make_settings, outcome
from benchmarks.campaign.work import Settings
from benchmarks.data.stl10 import FOLDER, BinaryFile
from benchmarks.data.tests.synthetic import write_stl10
from verification.claims.reading import load_claims
from verification.claims.records import Record, read_records

EPOCHS, STEPS = 2, 3  # of 6 images in batches of 2


@pytest.fixture
def tasks() -> list[Task]:
    wanted = ["wrn_16_8", "wrn_16_8_sesn_b"]
    return plan(load_claims(), data="stl10", protocol="short", methods=wanted)


@pytest.fixture
def files(tmp_path: Path) -> Mapping[str, BinaryFile]:
    return write_stl10(tmp_path / "data")


def records(settings: Settings) -> dict[str, Record]:
    return {record.subject: record for record in read_records(settings.evidence)}


def test_a_campaign_with_a_dying_worker(
    tmp_path: Path, tasks: list[Task], files: Mapping[str, BinaryFile]
) -> None:
    straight, broken = (
        make_settings(tmp_path / name, data_dir=tmp_path / "data") for name in ("a", "b")
    )
    assert [stl10_work(files, 0.0, task, straight) for task in tasks] == ["finished"] * 2
    with local_cluster([{}]) as own:
        results: list[Counter[str]] = []
        slow = partial(stl10_work, files, 0.2)
        thread = Thread(target=lambda: results.append(execute(tasks, broken, own, run=slow)))
        thread.start()
        while not list(broken.checkpoints.glob("*.pt")):
            time.sleep(0.02)
        kill(int(wait_for(broken.checkpoints / f"{tasks[0].name}.pid")))
        thread.join()
    assert results == [Counter(finished=2)]
    expected, found = records(straight), records(broken)
    assert set(expected) == set(found) == {"wrn_16_8", "wrn_16_8_sesn_b"}
    for name, record in expected.items():
        assert outcome(found[name]) == outcome(record)
        assert record.numbers["steps"] == EPOCHS * STEPS
        # No validation split, and nobody knows the scales of photographs.
        assert record.numbers["best_epoch"] == EPOCHS
        assert record.numbers["validation_error"] is None
        assert record.numbers["by_scale"] == []
        assert record.configuration["standard_augmentation"] == "crop_flip_cutout"
    assert len(found["wrn_16_8"].numbers["sessions"]) == 2


def test_another_augmentation_or_other_images_give_another_run(
    tmp_path: Path, tasks: list[Task], files: Mapping[str, BinaryFile]
) -> None:
    """The comparison above is not one of runs that all come to the same."""
    runs = {}
    for name, task in (("a", tasks[0]), ("b", replace(tasks[0], seed=1))):
        settings = make_settings(tmp_path / name, data_dir=tmp_path / "data")
        assert stl10_work(files, 0.0, task, settings) == "finished"
        runs[name] = outcome(*read_records(settings.evidence))
    assert runs["a"]["weights"] != runs["b"]["weights"]


def test_a_damaged_file_is_named_by_every_run(
    tmp_path: Path, tasks: list[Task], files: Mapping[str, BinaryFile]
) -> None:
    path = tmp_path / "data" / FOLDER / "train_X.bin"
    path.write_bytes(path.read_bytes()[:-1])
    settings = make_settings(tmp_path, data_dir=tmp_path / "data")
    told: list[str] = []
    with local_cluster([{}]) as own:
        run = partial(stl10_work, files, 0.0)
        ends = execute(tasks, settings, own, run=run, report=lambda *what: told.append(what[2]))
    assert ends == Counter(failed=2)
    assert all("train_X.bin is cut off" in problem for problem in told)
    assert read_records(settings.evidence) == []


def test_missing_files_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--data-dir", str(tmp_path), "--evidence", str(tmp_path / "evidence")]
    given = ["--data", "stl10", "--protocol", "short", "--workers", "1"]
    assert command_line.main(["campaign", "run", *given, *where]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: STL-10: ")
    assert f"{tmp_path / FOLDER / 'train_X.bin'} is missing" in said
