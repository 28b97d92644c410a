"""Records that somebody changed and named anew: which changes are found without measuring.

Each starts from an invented record in which everything agrees.
"""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reports.document.consistency import inconsistencies, options_of
from reports.readers.material import Material
from reports.tests.synthetic import (
    CLAIMS,
    budgets,
    choices,
    make,
    panels,
    scalings,
    theorems,
    trained,
)
from reports.tests.synthetic import simulation as simulated
from verification.claims.records import Record, RecordError, read_record, read_records, write_record

EVIDENCE = Path(__file__).parents[2] / "evidence"


def problems(records: list[Record]) -> list[str]:
    return inconsistencies(Material.gather(CLAIMS, records))


def run() -> Record:
    """A short training that says everything twice that a record of one says twice."""
    record = trained("cnn_28", 2.5, 1, protocol="short")
    epochs = record.configuration["epochs"]
    losses = [1.0 / (k + 1) for k in range(epochs)]
    errors = [5.0 - k for k in range(epochs)]
    told = {
        "curves": {"train_loss": losses, "validation_error": errors},
        "best_epoch": epochs, "validation_error": errors[-1], "parameters": 494_549,
        "sessions": [{"dirty": False, "first_step": 0, "seconds": 12.0}],
    }  # fmt: skip
    command = (
        "python -m benchmarks train --model cnn_28 --data mnist_scale --protocol short "
        "--realisation 1 --seed 0"
    )
    return dataclasses.replace(record, numbers={**record.numbers, **told}, command=command)


def stated(record: Record, seeds: dict[str, int], **configuration: object) -> Record:
    """A record that states its settings, which its numbers must match."""
    settings = {**record.configuration, **configuration}
    return dataclasses.replace(record, seeds={**record.seeds, **seeds}, configuration=settings)


def changed(record: Record, change: Callable[[dict[str, Any]], None]) -> Record:
    """The record after a change of its content, with the name that belongs to it."""
    content = copy.deepcopy({f.name: getattr(record, f.name) for f in dataclasses.fields(record)})
    change(content)
    return Record(**content)


def test_the_committed_records_agree_with_themselves() -> None:
    assert problems(read_records(EVIDENCE)) == []


def _accuracy(content: dict[str, Any]) -> None:
    content["numbers"]["test_error"] -= 1.0


def _selected(content: dict[str, Any]) -> None:
    content["numbers"]["validation_error"] -= 0.5


def _seed(content: dict[str, Any]) -> None:
    content["seeds"]["seed"] += 1


def _realisation(content: dict[str, Any]) -> None:
    content["seeds"]["realisation"] += 1


def _protocol(content: dict[str, Any]) -> None:
    content["protocol"] = "paper"


def _epochs(content: dict[str, Any]) -> None:
    content["configuration"]["epochs"] *= 2


def _epoch(content: dict[str, Any]) -> None:
    curve = content["numbers"]["curves"]["validation_error"]
    worst = max(range(len(curve)), key=lambda k: curve[k])
    content["numbers"] |= {"best_epoch": worst + 1, "validation_error": curve[worst]}


def _shorter(content: dict[str, Any]) -> None:
    content["numbers"]["curves"]["train_loss"].pop()


def _model(content: dict[str, Any]) -> None:
    content["configuration"]["model"] = "sesn_vector_28"


def _parameters(content: dict[str, Any]) -> None:
    content["numbers"]["parameters"] += 1


def _augmented(content: dict[str, Any]) -> None:
    content["configuration"]["augmentation"] ^= True


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_accuracy, "its own object scales contradict"),
        (_selected, "(selected by validation: "),
        (_seed, "its command says --seed"),
        (_realisation, "its command says --realisation"),
        (_protocol, "its command says --protocol"),
        (_epochs, "incomplete epochs"),
        (_epoch, "(selected by validation: "),
        (_shorter, "incomplete epochs (train_loss)"),
        (_model, "its command says --model"),
        (_parameters, "parameters, where the model has"),
        (_augmented, "differ on augmentation"),
    ],
)
def test_a_training_changed_and_named_anew_is_found(
    change: Callable[[dict[str, Any]], None], message: str
) -> None:
    assert problems([run()]) == []
    record = changed(run(), change)
    found = [line for line in problems([record]) if line.startswith(record.filename)]
    assert any(message in line for line in found), found


def test_a_copied_run_is_found_although_seed_and_command_are_changed() -> None:
    def copied(content: dict[str, Any]) -> None:
        content["seeds"]["seed"] = 5
        content["command"] = content["command"].replace("--seed 0", "--seed 5")

    copy_of_it = changed(run(), copied)
    assert problems([copy_of_it]) == []  # alone it says nothing wrong
    found = problems([run(), copy_of_it])
    assert any("the very weights" in line and copy_of_it.filename in line for line in found)
    assert any("same learning curves" in line for line in found)


def test_data_that_differ_under_one_name_are_found() -> None:
    def other(content: dict[str, Any]) -> None:
        content["data"]["hash"] = "0" * 64
        content["numbers"]["weights"] = "0" * 64
        content["numbers"]["curves"]["train_loss"][0] += 0.1

    found = problems([run(), changed(run(), other)])
    assert any("with a wrong hash" in line for line in found)


def _bound(content: dict[str, Any]) -> None:
    content["numbers"]["pairs"][0]["sampling"] /= 2


def _rows(content: dict[str, Any]) -> None:
    content["numbers"]["y"].pop()


def _cases(content: dict[str, Any]) -> None:
    content["numbers"]["cases"] = 10**6


def _ratio(content: dict[str, Any]) -> None:
    content["numbers"]["step_ratio"]["median"] /= 2


def _point(content: dict[str, Any]) -> None:
    content["numbers"]["seconds"]["layer"].pop()


def _time(content: dict[str, Any]) -> None:
    content["numbers"]["seconds"]["layer"][0].pop()


def _chosen(content: dict[str, Any]) -> None:
    content["numbers"]["points"][1]["chosen"] = "direct"


def _untold(content: dict[str, Any]) -> None:
    content["numbers"]["points"].pop()


def _rate(content: dict[str, Any]) -> None:
    content["numbers"]["cells"][0]["supported"] += 1


@pytest.mark.parametrize(
    ("record", "change", "message"),
    [
        (budgets()[0], _bound, "is not (√sampling + √truncation)²"),
        (stated(budgets()[0], {}, repetitions=3), _rows, "2 rows for 3 repetitions"),
        (stated(theorems()[0], {}, cases=100), _cases, "cases tried and cases configured differ"),
        (scalings()[0], _point, "2 points of layer for 3 sizes"),
        (scalings()[0], _time, "1 time of layer for 2 rounds"),
        (choices(), _chosen, "right 0.5 and worst 3.0 of forward are not its times'"),
        (stated(choices(), {}, grid=2), _untold, "1 point for a grid of 2"),
        (simulated(), _rate, "verdicts do not add up"),
        (stated(panels()[0], {"count": 3}), _rows, "2 rows for 3 seeds"),
        (
            make(
                "timing",
                "sicnn_28",
                {
                    "seconds": {"sicnn_28": [2.0, 4.0], "cnn_28": [1.0, 2.0]},
                    "step_ratio": {"median": 2.0},
                },
            ),
            _ratio,
            "is not that of its times",
        ),
    ],
    ids=lambda value: value.kind if isinstance(value, Record) else None,
)
def test_other_records_changed_and_named_anew_are_found(
    record: Record, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    assert problems([record]) == []
    assert any(message in line for line in problems([changed(record, change)]))


def test_an_edited_or_renamed_file_is_refused(tmp_path: Path) -> None:
    path = write_record(run(), tmp_path)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"seed": 0', '"seed": 1'))
    with pytest.raises(RecordError, match="edited, renamed or copied"):
        read_record(path)
    path.write_text(text)
    moved = path.rename(
        path.with_name(f"{path.stem[:-1]}{'0' if path.stem[-1] != '0' else '1'}.json")
    )
    with pytest.raises(RecordError, match="edited, renamed or copied"):
        read_record(moved)


def test_what_slips_through_is_known() -> None:
    """A test error changed together with the errors of each scale: only measuring finds it."""

    def consistent(content: dict[str, Any]) -> None:
        bins = content["numbers"]["by_scale"]
        errors = [item["errors"] // 2 for item in bins]
        for item, number in zip(bins, errors, strict=True):
            item["errors"] = number
        images = sum(item["images"] for item in bins)
        content["numbers"]["test_error"] = 100 * sum(errors) / images

    assert problems([changed(run(), consistent)]) == []


def test_options_are_read_from_a_command() -> None:
    assert options_of("python -m x --a 1 --flag --b -2") == {"a": "1", "flag": "", "b": "-2"}
    assert options_of("python -m x") == {}


def test_a_record_without_its_numbers_is_named() -> None:
    def emptied(content: dict[str, Any]) -> None:
        content["numbers"] = json.loads("{}")

    record = changed(run(), emptied)
    assert f"{record.filename}: its numbers are not those of a training" in problems([record])[0]
