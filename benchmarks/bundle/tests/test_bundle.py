"""Bundles: bounded archives, what is refused on the way back, and what a damaged bundle says."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tarfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import __main__ as command_line
from benchmarks.bundle import archives, make, start
from benchmarks.bundle.archives import ArchiveError, contents, leave
from benchmarks.bundle.node import Node, _parts
from benchmarks.bundle.take_back import take_back
from benchmarks.bundle.wheels import pure_distributions, write_wheel
from benchmarks.campaign.command import add_options
from benchmarks.campaign.tests.conftest import TASK, make_provenance, make_record
from benchmarks.training.checkpoint import load_checkpoint, save_checkpoint, steps_of
from benchmarks.training.train import checkpoint_name
from verification.claims.records import Record, read_records, write_record


def write_files(folder: Path, sizes: list[int]) -> list[Path]:
    """Files of random bytes, each newer than the one before."""
    folder.mkdir(exist_ok=True)
    paths = []
    for index, size in enumerate(sizes):
        path = folder / f"state-{index}.pt"
        path.write_bytes(os.urandom(size))
        os.utime(path, (index, index))
        paths.append(path)
    return paths


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LARGEST", 20_000 + archives.END)


@pytest.mark.usefixtures("_small")
def test_archives_are_few_and_bounded_and_the_newest_come_first(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    states = write_files(tmp_path / "runs", [9000] * 11 + [30_000])
    missing = leave(out, [], [], states)
    assert missing == [
        f"state-{k}.pt: no room for this checkpoint" for k in (11, 2, 1, 0)
    ]  # the first is larger than an archive, the others are the oldest
    assert len(archives.archives(out)) == 5
    assert all(path.stat().st_size <= archives.LARGEST for path in out.iterdir())
    found = dict(part for archive in archives.archives(out) for part in contents(archive))
    assert found == {f"checkpoints/{p.name}": p.read_bytes() for p in states[3:11]}
    leave(out, [], [], states[:1])
    assert {path.name for path in out.iterdir()} == {"results.tar.gz", "checkpoints-1.tar"}


def test_a_full_disk_leaves_the_archives_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(tmp_path, [], [], write_files(tmp_path / "runs", [100]))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        leave(tmp_path, [], [], write_files(tmp_path / "runs", [200, 300]))
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert after == before


def results(out: Path, *records: Record, raw: dict[str, bytes] | None = None) -> None:
    """What a bundle leaves that made these records."""
    folder = out.with_name(f"{out.name}-made")
    folder.mkdir(exist_ok=True)
    out.mkdir(exist_ok=True)
    paths = [write_record(record, folder) for record in records]
    for name, content in (raw or {}).items():
        (folder / name).write_bytes(content)
        paths.append(folder / name)
    leave(out, paths, [], [])


BAD_STEPS = {**make_record().numbers, "steps": 3}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"provenance": make_provenance(dirty=None)}, "made by uncommitted or unknown sources"),
        ({"provenance": make_provenance(commit=None)}, "made by uncommitted or unknown sources"),
        ({"numbers": BAD_STEPS}, "with incomplete epochs"),
        ({"data": {"name": "digits", "hash": "0" * 64}}, "on data with a wrong hash"),
        ({"protocol": "paper"}, "with other settings than the protocol's"),
    ],
)
def test_what_breaks_the_protocol_is_refused_by_name(
    tmp_path: Path, changes: dict[str, Any], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = make_record(**changes), make_record(replace(TASK, realisation=1))
    results(tmp_path / "out", bad, good)
    folders = ["--evidence", str(tmp_path / "e"), "--checkpoints", str(tmp_path / "r")]
    assert command_line.main(["unbundle", str(tmp_path / "out"), *folders]) == 1
    said = capsys.readouterr().out
    assert f"refused: records/{bad.filename}: " in said
    assert reason in said
    assert read_records(tmp_path / "e") == [good]


def test_a_run_is_taken_once_and_an_edited_record_never(tmp_path: Path) -> None:
    record = make_record()
    results(tmp_path / "out", record)
    assert take_back(tmp_path / "out", tmp_path / "e", tmp_path / "r").records == [record.filename]
    again = take_back(tmp_path / "out", tmp_path / "e", tmp_path / "r")
    assert (again.here, again.records, again.refused) == ([record.filename], [], {})
    numbers = {**record.numbers, "weights": "others"}
    other = make_record(numbers=numbers, provenance=make_provenance(started="2026-02-01T00:00:00Z"))
    edited = json.dumps(json.loads((tmp_path / "e" / record.filename).read_text()) | {"seeds": {}})
    name = "training-000000000000-000000000000.json"
    results(tmp_path / "out2", other, raw={name: edited.encode()})
    refused = take_back(tmp_path / "out2", tmp_path / "e", tmp_path / "r").refused
    assert refused[f"records/{other.filename}"].endswith("is finished here")
    assert "the name does not match the content" in refused[f"records/{name}"]
    assert read_records(tmp_path / "e") == [record]


def test_the_archive_of_a_second_call_holds_what_was_taken_already(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = make_record(), make_record(replace(TASK, realisation=1))
    save_checkpoint(state_at(3), tmp_path / "runs" / "a.pt")
    folders = ["--evidence", str(tmp_path / "e"), "--checkpoints", str(tmp_path / "r")]
    for out, records in (("one", [first]), ("two", [first, second])):
        results(tmp_path / out, *records)
        made = sorted((tmp_path / f"{out}-made").iterdir())
        leave(tmp_path / out, made, [], [tmp_path / "runs" / "a.pt"])
        assert command_line.main(["unbundle", str(tmp_path / out), *folders]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[2] == "1 records, 1 checkpoints; 0 already here, 0 refused"
    assert said[3:] == [
        f"taken: {second.filename}", "1 records, 0 checkpoints; 2 already here, 0 refused"
    ]  # fmt: skip
    assert len(read_records(tmp_path / "e")) == 2


def test_checkpoints_come_back_if_they_are_further(tmp_path: Path) -> None:
    runs, out = tmp_path / "runs", tmp_path / "out"
    out.mkdir()

    def leave_at(steps: int) -> None:
        state = {"progress": {"step_seconds": [0.1] * steps}, "model": {"w": torch.zeros(2)}}
        save_checkpoint(state, runs / "a.pt")
        leave(out, [], [], [runs / "a.pt"])

    leave_at(5)
    back = tmp_path / "back"
    assert take_back(out, tmp_path / "e", back).checkpoints == ["a.pt"]
    leave_at(5)
    again = take_back(out, tmp_path / "e", back)
    assert (again.here, again.checkpoints, again.refused) == (["a.pt"], [], {})
    leave_at(7)
    assert take_back(out, tmp_path / "e", back).checkpoints == ["a.pt"]
    leave_at(6)
    less = take_back(out, tmp_path / "e", back).refused["checkpoints/a.pt"]
    assert less == "less far than the checkpoint here (6 and 7 steps)"
    assert steps_of(load_checkpoint(back / "a.pt") or {}) == 7
    (runs / "a.pt").write_bytes(b"damaged")
    leave(out, [], [], [runs / "a.pt"])
    refused = take_back(out, tmp_path / "e", back).refused["checkpoints/a.pt"]
    assert refused.startswith("a.pt: not a readable checkpoint")


@pytest.mark.parametrize("damage", ["cut", "nothing", "foreign", "outside"])
def test_a_damaged_archive_is_named_and_leaves_nothing_half(tmp_path: Path, damage: str) -> None:
    out = tmp_path / "out"
    results(out, *(make_record(replace(TASK, realisation=k)) for k in range(3)))
    archive = out / archives.RESULTS
    if damage == "cut":
        archive.write_bytes(archive.read_bytes()[:-200])
    elif damage == "nothing":
        archive.unlink()
    else:
        (tmp_path / "x").write_text("x")
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(tmp_path / "x", "../x" if damage == "outside" else "records")
    if damage == "nothing":
        with pytest.raises(ArchiveError, match="holds no archive"):
            take_back(out, tmp_path / "e", tmp_path / "r")
    else:
        refused = take_back(out, tmp_path / "e", tmp_path / "r").refused
        assert refused.keys() == {archives.RESULTS}
        assert "out/results.tar.gz: " in refused[archives.RESULTS]
    assert not (tmp_path / "e").exists() or all(read_records(tmp_path / "e"))


@pytest.fixture
def bundle(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    (tmp_path / "data.tar").write_bytes(b"data")
    digest = hashlib.sha256(b"data").hexdigest()
    python = "{}.{}".format(*sys.version_info[:2])
    return tmp_path, {"python": python, "commit": "0" * 40, "files": {"data.tar": digest}}


def test_a_bundle_that_is_whole_and_for_this_python(bundle: tuple[Path, dict[str, Any]]) -> None:
    start.check(*bundle)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"python": "3.99"}, "this bundle is for Python 3.99"),
        ({"files": {"data.tar": "0" * 64}}, "the bundle is damaged: .*data.tar has another hash"),
        ({"files": {"source.tar.gz": "0" * 64}}, "the bundle is not complete: .*source.tar.gz"),
    ],
)
def test_a_bundle_that_is_not(
    bundle: tuple[Path, dict[str, Any]], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(SystemExit, match=message):
        start.check(bundle[0], bundle[1] | change)


@pytest.mark.parametrize(
    ("state", "options", "message"),
    [
        ((None, None), [], "its sources are not those of a commit"),
        (("0" * 40, None), [], "its sources are not those of a commit"),
        (("0" * 40, True), [], "commit the changes first"),
        (("0" * 40, False), ["--python", "2.7"], "python='2.7': must be a version from 3.11 on"),
        (("0" * 40, False), ["--python", "3"], "python='3': must be"),
    ],
)
def test_mistakes_of_making_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    state: tuple[str | None, bool | None], options: list[str], message: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(make, "state_of", lambda _: state)
    assert command_line.main(["bundle", str(tmp_path / "b"), *options]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_missing_data_leave_no_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(make, "state_of", lambda _: ("0" * 40, False))
    arguments = ["bundle", str(tmp_path / "b"), "--data-dir", str(tmp_path / "none")]
    assert command_line.main(arguments) == 2
    assert "train-images-idx3-ubyte.gz is missing" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_wheels_hold_pure_python_alone(tmp_path: Path) -> None:
    found = {one.metadata["Name"].lower(): one for one in pure_distributions("3.12")}
    assert found.keys() >= {"filelock", "pytest", "tqdm", "pluggy", "iniconfig"}
    wheel = write_wheel(found["tqdm"], tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        record = next(name for name in names if name.endswith("RECORD"))
        listed = [line.split(",")[0] for line in archive.read(record).decode().splitlines()]
        assert sorted(listed) == sorted(names)
        archive.extractall(tmp_path / "site")
    assert (tmp_path / "site" / "tqdm" / "__init__.py").is_file()
    assert not any(name.endswith((".pyc", ".so")) for name in names)


def test_a_node_goes_on_from_an_earlier_call_and_gives_back_what_is_new(tmp_path: Path) -> None:
    old, new = make_record(), make_record(replace(TASK, realisation=1))
    (tmp_path / "scratch" / "state" / "records").mkdir(parents=True)
    write_record(old, tmp_path / "scratch" / "state" / "records")
    results(tmp_path / "out", new)
    node = Node(tmp_path / "scratch", tmp_path / "out", 0.0, "cpu")
    node.restore()
    assert {record.digest for record in read_records(node.evidence)} == {old.digest, new.digest}
    node.leave()
    assert [name for name, _ in contents(tmp_path / "out" / archives.RESULTS)] == [
        f"records/{new.filename}"
    ]
    assert node.do("campaign", ["-c", ""], 10.0) is None  # no time is left


def test_what_is_trained_may_be_said_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = list[Sequence[str]]()
    node = Node(tmp_path / "scratch", tmp_path / "out", time.time() + 100, "cpu")
    (node.logs / "campaign.log").touch()
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(node, "do", lambda _, arguments, __: given.append(arguments))
    options = argparse.Namespace(
        parts=["campaign"], campaign="--protocol short --study bases --columns 28 56+"
    )
    _parts(node, options, {"protocol": "paper", "data": "digits"}, 0)
    (arguments,) = given
    parser = argparse.ArgumentParser()
    add_options(parser)
    campaign = parser.parse_args(arguments[arguments.index("campaign") + 1 :])
    assert (campaign.protocol, campaign.study) == ("short", "bases")
    assert (campaign.data, campaign.columns) == ("digits", ["28", "56+"])
    assert campaign.budget > 0


def state_at(steps: int, **more: Any) -> dict[str, Any]:
    sessions = [{"dirty": more.pop("dirty", False)}]
    return {"progress": {"step_seconds": [0.1] * steps, "sessions": sessions}, **more}


IDENTITY = {"configuration": {"model": "cnn_28"}, "seeds": {"seed": 0}}


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (state_at(3, dirty=True), "left by uncommitted or unknown sources"),
        (state_at(3, dirty=None), "left by uncommitted or unknown sources"),
        (state_at(3, run=IDENTITY), "is of another run than its name says"),
        ({"model": {}}, "not a checkpoint of this version"),
        (state_at(3, run={}), "KeyError: 'configuration'"),
    ],
)
def test_checkpoints_that_are_refused(tmp_path: Path, state: dict[str, Any], reason: str) -> None:
    own = checkpoint_name("cnn_28", IDENTITY)
    save_checkpoint(state, tmp_path / "runs" / "a.pt")
    save_checkpoint(state_at(3, run=IDENTITY), tmp_path / "runs" / own)
    (tmp_path / "out").mkdir()
    leave(tmp_path / "out", [], [], (tmp_path / "runs").iterdir())
    taken = take_back(tmp_path / "out", tmp_path / "e", tmp_path / "r")
    assert taken.checkpoints == [own]
    assert reason in taken.refused["checkpoints/a.pt"]


@pytest.mark.parametrize("damaged", [archives.RESULTS, "checkpoints-1.tar"])
def test_of_several_archives_the_whole_ones_are_taken(tmp_path: Path, damaged: str) -> None:
    out = tmp_path / "out"
    save_checkpoint(state_at(3), tmp_path / "runs" / "a.pt")
    results(out, make_record())
    (tmp_path / "log.log").write_text("log")
    leave(out, (tmp_path / "out-made").iterdir(), [tmp_path / "log.log"], [tmp_path / "runs/a.pt"])
    whole = (out / damaged).read_bytes()
    (out / damaged).write_bytes(whole[: len(whole) // 8])
    taken = take_back(out, tmp_path / "e", tmp_path / "r")
    assert taken.refused.keys() == {damaged}
    assert bool(taken.records) == (damaged != archives.RESULTS) != bool(taken.checkpoints)


def test_an_unwritable_log_and_a_malformed_record_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, odd = tmp_path / "campaign.log", make_record(numbers={"sessions": [3]})
    log.write_text("log")
    good = make_record(replace(TASK, realisation=1))
    results(tmp_path / "out", odd, good)
    leave(tmp_path / "out", (tmp_path / "out-made").iterdir(), [log], [])

    def write(path: Path, content: bytes) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("benchmarks.bundle.take_back.write_atomically", write)
    taken = take_back(tmp_path / "out", tmp_path / "e", tmp_path / "r")
    assert taken.records == [good.filename]
    assert "Permission denied" in taken.refused["logs/campaign.log"]
    assert taken.refused[f"records/{odd.filename}"].startswith("AttributeError")


@pytest.mark.parametrize(("in_bundle", "in_out"), [(3, 5), (5, 3)])
def test_a_node_goes_on_from_the_checkpoint_that_is_further(
    tmp_path: Path, in_bundle: int, in_out: int
) -> None:
    save_checkpoint(state_at(in_bundle), tmp_path / "scratch" / "state" / "checkpoints" / "a.pt")
    save_checkpoint(state_at(in_out), tmp_path / "runs" / "a.pt")
    (tmp_path / "out").mkdir()
    leave(tmp_path / "out", [], [], [tmp_path / "runs" / "a.pt"])
    node = Node(tmp_path / "scratch", tmp_path / "out", 0.0, "cpu")
    node.restore()
    assert steps_of(load_checkpoint(node.checkpoints / "a.pt") or {}) == 5
    node.leave()
    assert node.left_all


def test_a_node_that_cannot_write_says_so_at_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = Node(tmp_path / "scratch", tmp_path / "none", 0.0, "cpu")
    node.leave()
    assert not node.left_all
    assert "cannot be written" in capsys.readouterr().out
