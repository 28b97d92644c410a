"""Records: what goes in comes out, and nothing that was touched afterwards is believed."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.claims.records import (
    KINDS,
    OUTCOMES,
    PROTOCOLS,
    SCHEMA,
    Provenance,
    Record,
    RecordError,
    measuring,
    read_record,
    read_records,
    write_record,
)
from verification.claims.tests.records import PROVENANCE
from verification.tests.tools.profiles import cases


def make_record(**changes: object) -> Record:
    values: dict[str, Any] = {
        "kind": "training",
        "subject": "cnn_28",
        "claims": ("cell.mnist.cnn.28",),
        "numbers": {"test_error": 2.5, "curve": [9.0, 4.5, 2.5]},
        "configuration": {"model": "cnn_28", "augmentation": False},
        "protocol": "paper",
        "data": {"name": "mnist_scale", "hash": "9282b982"},
        "seeds": {"realisation": 0, "seed": 7},
        "command": "python -m benchmarks train cnn_28",
        "outcome": "finished",
        "provenance": PROVENANCE,
        **changes,
    }
    return Record(**values)


texts = st.text(min_size=1, max_size=12).filter(str.strip)
names = st.text(string.ascii_lowercase + "_.", min_size=1, max_size=12)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
provenances = st.builds(
    Provenance,
    commit=st.none() | texts,
    dirty=st.none() | st.booleans(),
    versions=st.dictionaries(names, texts, max_size=3),
    device=texts,
    threads=st.integers(1, 512),
    started=st.datetimes().map(lambda moment: moment.strftime("20%y-%m-%dT%H:%M:%SZ")),
    wall_seconds=st.floats(0, 1e9),
)
records = st.builds(
    Record,
    kind=st.sampled_from(KINDS),
    subject=texts,
    claims=st.lists(names, unique=True, max_size=3).map(tuple),
    numbers=st.dictionaries(names, json_values, max_size=4),
    configuration=st.dictionaries(names, json_values, max_size=4),
    protocol=st.sampled_from(PROTOCOLS),
    data=st.none() | st.dictionaries(names, texts, max_size=2),
    seeds=st.dictionaries(names, st.integers(), max_size=2),
    command=texts,
    outcome=st.sampled_from(OUTCOMES),
    provenance=provenances,
)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return write_record(make_record(), tmp_path)


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content))


@cases(0.2)
@given(record=records)
def test_a_record_reads_back_equal(
    record: Record, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("records")
    path = write_record(record, folder)
    back = read_record(path)
    assert back == record
    assert (back.key, back.digest, back.filename) == (record.key, record.digest, path.name)
    assert [item.name for item in folder.iterdir()] == [path.name]


@cases(0.2)
@given(record=records, other=records)
def test_equal_digests_mean_equal_records(record: Record, other: Record) -> None:
    assert (record.digest == other.digest) == (
        dataclasses.asdict(record) == dataclasses.asdict(other)
    )


def test_key_names_what_was_run_and_not_what_came_out() -> None:
    record = make_record()
    again = make_record(numbers={"test_error": 2.7}, claims=(), command="other")
    assert again.key == record.key
    assert again.digest != record.digest
    for change in (
        {"subject": "cnn_56"},
        {"protocol": "short"},
        {"data": None},
        {"seeds": {"realisation": 1, "seed": 7}},
        {"configuration": {"model": "cnn_28", "augmentation": True}},
    ):
        assert make_record(**change).key != record.key


def test_a_record_is_detached_from_the_containers_it_was_made_of() -> None:
    curve = [3.0, 2.0]
    record = make_record(numbers={"curve": curve})
    curve.append(1.0)
    assert record.numbers == {"curve": [3.0, 2.0]}


def test_writing_twice_changes_nothing(tmp_path: Path) -> None:
    first = write_record(make_record(), tmp_path)
    before = first.stat().st_mtime_ns
    assert write_record(make_record(), tmp_path) == first
    assert first.stat().st_mtime_ns == before
    assert len(read_records(tmp_path)) == 1


def test_a_taken_name_is_never_overwritten(written: Path) -> None:
    written.write_text("something else")
    with pytest.raises(RecordError, match=rf"{written.name}: the name is taken"):
        write_record(make_record(), written.parent)
    assert written.read_text(encoding="utf-8") == "something else"


def test_a_record_changed_after_it_was_hashed_is_not_written(tmp_path: Path) -> None:
    record = make_record()
    assert record.digest
    record.numbers["test_error"] = 0.0  # type: ignore[index]
    with pytest.raises(RecordError, match="changed after it was hashed"):
        write_record(record, tmp_path)


@pytest.mark.parametrize("call", ["write", "fsync", "link"])
def test_a_full_disk_leaves_nothing_behind(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match="No space left"):
        write_record(make_record(), tmp_path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    assert read_record(write_record(make_record(), tmp_path)) == make_record()


def test_a_disk_that_fills_up_half_way_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_write, calls = os.write, []

    def short_then_full(handle: int, content: bytes) -> int:
        calls.append(len(content))
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real_write(handle, content[:10])

    monkeypatch.setattr(os, "write", short_then_full)
    with pytest.raises(OSError, match="No space left"):
        write_record(make_record(), tmp_path)
    assert len(calls) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_hard_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    path = write_record(make_record(), tmp_path)
    assert read_records(tmp_path) == [make_record()]
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_record_cut_off_is_named(written: Path, share: float) -> None:
    content = written.read_bytes()
    written.write_bytes(content[: int(share * (len(content) - 2))])
    with pytest.raises(RecordError, match=rf"{written.name}: not valid JSON"):
        read_record(written)
    with pytest.raises(RecordError, match=written.name):
        read_records(written.parent)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(schema=SCHEMA + 1), f"under schema {SCHEMA + 1}, newer than {SCHEMA}"),
        (lambda c: c.update(schema="1"), "'schema' is missing or no integer"),
        (lambda c: c.pop("schema"), "'schema' is missing or no integer"),
        (lambda c: c.pop("seeds"), "record lacks the field seeds"),
        (lambda c: c.update(mood="good"), "record has the unknown field mood"),
        (lambda c: c["provenance"].pop("device"), "provenance lacks the field device"),
        (lambda c: c["provenance"].update(host="x"), "provenance has the unknown field host"),
        (lambda c: c["provenance"].update(threads=0), "threads must be a positive integer, got 0"),
        (lambda c: c.update(outcome="fine"), "outcome must be one of finished, .* got 'fine'"),
        (lambda c: c.update(seeds={"seed": 1.5}), "seeds.seed must be int, got 1.5"),
        (lambda c: c.update(claims="cell"), "claims must be a sequence of claim ids"),
        (lambda c: c["numbers"].update(test_error=0.1), "the name does not match the content"),
        (lambda c: c["seeds"].update(seed=8), "the name does not match the content"),
        (lambda c: c["provenance"].update(dirty=True), "the name does not match the content"),
    ],
)
def test_a_record_that_was_touched_is_named_with_what_is_wrong(
    written: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    rewrite(written, change)
    with pytest.raises(RecordError, match=f"{written.name}: .*{message}"):
        read_record(written)


@pytest.mark.parametrize("text", ["[]", '{"schema": NaN}', "\xff", "[" * 100_000])
def test_other_json_is_no_record(tmp_path: Path, text: str) -> None:
    path = tmp_path / "training-000000000000-000000000000.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(RecordError, match=path.name):
        read_record(path)


def test_a_field_given_twice_is_found(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    assert '"schema": 1' in text
    written.write_text(text.replace('"schema": 1', '"schema": 1, "schema": 1'))
    with pytest.raises(RecordError, match=f"{written.name}: .*a field is given twice"):
        read_record(written)


def test_a_renamed_or_copied_record_is_found(written: Path) -> None:
    copy = written.with_name("training-000000000000-000000000000.json")
    copy.write_bytes(written.read_bytes())
    with pytest.raises(RecordError, match=rf"{copy.name}.*belongs in {written.name}.*copied"):
        read_records(written.parent)


@pytest.mark.parametrize("name", ["notes.md", "training.json", "backup"])
def test_a_foreign_file_is_named(written: Path, name: str) -> None:
    foreign = written.with_name(name)
    if name == "backup":
        foreign.mkdir()
    else:
        foreign.write_text("{}")
    with pytest.raises(RecordError, match=f"{name}: not a record"):
        read_records(written.parent)


def test_hidden_files_of_writers_are_ignored(written: Path) -> None:
    written.with_name(f".{written.name}.17.ab").write_text("half a rec")
    assert read_records(written.parent) == [make_record()]


def test_records_come_sorted_by_name(tmp_path: Path) -> None:
    paths = [write_record(make_record(seeds={"seed": seed}), tmp_path) for seed in range(9)]
    assert [record.filename for record in read_records(tmp_path)] == sorted(p.name for p in paths)


def test_a_missing_folder_is_not_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="absent: no such folder"):
        read_records(tmp_path / "absent")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_are_finite_unless_the_run_diverged(value: float) -> None:
    curve = {"loss": {"curve": [1.0, value]}}
    with pytest.raises(ValueError, match=r"numbers\.loss\.curve\[1\] must be finite"):
        make_record(numbers=curve)
    diverged = make_record(numbers=curve, outcome="diverged")
    assert diverged.numbers == {"loss": {"curve": [1.0, None]}}
    with pytest.raises(ValueError, match=r"configuration\.rate must be finite"):
        make_record(configuration={"rate": value}, outcome="diverged")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"kind": "guess"}, ValueError, "kind must be one of count, .* got 'guess'"),
        ({"protocol": "long"}, ValueError, "protocol must be one of check, .* got 'long'"),
        ({"subject": " "}, ValueError, "subject must be text that is not empty, got ' '"),
        ({"command": ""}, ValueError, "command must be text that is not empty"),
        ({"claims": ("a", "a")}, ValueError, "claims must not repeat an id"),
        ({"seeds": {"seed": True}}, TypeError, "seeds.seed must be int, got True"),
        ({"data": {"name": 3}}, TypeError, "data.name must be str, got 3"),
        ({"numbers": [1]}, TypeError, r"numbers must be a mapping, got \[1\]"),
        ({"numbers": {"a": {1: 2}}}, TypeError, "numbers.a must have text as keys, got 1"),
        ({"numbers": {"a": {2}}}, TypeError, "numbers.a must be a JSON value, got set"),
        ({"provenance": None}, TypeError, "provenance must be a Provenance"),
        ({"schema": 2}, ValueError, "schema must be 1, got 2"),
    ],
)
def test_a_record_says_which_field_is_wrong(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make_record(**changes)


def test_measuring_times_a_block_and_writes_its_record(tmp_path: Path) -> None:
    with measuring("count", "cnn_28", command="count", folder=tmp_path) as m:
        m.numbers["value"] = 3
    assert m.record is not None
    assert m.record.outcome == "finished"
    assert m.record.provenance.wall_seconds > 0
    assert read_records(tmp_path) == [m.record]


@pytest.mark.parametrize(
    ("error", "outcome"), [(RuntimeError, "failed"), (KeyboardInterrupt, "aborted")]
)
def test_measuring_keeps_what_went_wrong(
    tmp_path: Path, error: type[BaseException], outcome: str
) -> None:
    def interrupted() -> None:
        with measuring("count", "cnn_28", command="c", folder=tmp_path) as m:
            m.numbers["seen"] = 1
            raise error

    with pytest.raises(error):
        interrupted()
    (record,) = read_records(tmp_path)
    assert record.outcome == outcome
    assert record.numbers == {"seen": 1, "error": error.__name__}


def test_measuring_checks_its_arguments_before_the_block() -> None:
    entered = False
    with (
        pytest.raises(ValueError, match="kind must be one of"),
        measuring("guess", "x", command="c"),
    ):
        entered = True
    assert not entered
