"""The checker of trainings: every rule is broken once, and the report says which."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from verification.claims.protocols import load_protocols
from verification.claims.records import Record
from verification.claims.rules.admission import newest
from verification.claims.tests.records import dirty, later, trained, trainings, verdict_of
from verification.claims.validity import Setting, check, objections, run_of

DEMANDS = load_protocols()["paper", "mnist_scale"]
RIGHT = trained("cnn_28", 2.5, 0)
CURVES = {
    "train_loss": [1.0] * 60, "train_error": [9.0] * 60, "validation_error": [3.0] + [2.0] * 59,
}  # fmt: skip
FULL = {
    "test_error": 2.5, "steps": DEMANDS.steps, "curves": CURVES, "best_epoch": 2,
    "validation_error": 2.0, "weights": "aa",
    "sessions": [{"dirty": False}, {"dirty": False}],
    "by_scale": [{"images": 30, "errors": 1}, {"images": 10, "errors": 0}],
}  # fmt: skip

FUTURE = dataclasses.replace(RIGHT.provenance, started="2106-02-07T06:28:15Z")


def change(record: Record, **changes: Any) -> Record:
    return dataclasses.replace(record, **changes)


def configured(**changes: Any) -> Record:
    return change(RIGHT, configuration={**RIGHT.configuration, **changes})


def numbered(**changes: Any) -> Record:
    return change(RIGHT, numbers=FULL | changes)


def test_a_run_by_the_rules() -> None:
    assert objections(RIGHT) == []
    assert objections(numbered()) == []
    assert check([RIGHT]).rejected == []


def test_a_clock_that_was_ahead_supersedes_nothing() -> None:
    ahead = change(numbered(), provenance=FUTURE)
    found = check([ahead, numbered()])
    assert [record for record, _ in found.rejected] == [ahead]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (dirty(RIGHT), "trained from uncommitted or unknown sources"),
        (dirty(RIGHT, None), "trained from uncommitted or unknown sources"),
        (numbered(sessions=[{"dirty": True}, {"dirty": False}]), "trained from uncommitted"),
        (numbered(arithmetic={"float32": "tf32"}), "with products in tf32 in place of float32"),
        (
            numbered(sessions=[{"dirty": False, "arithmetic": {"float32": "bf16"}}]),
            "with products in bf16 in place of float32",
        ),
        (change(RIGHT, provenance=FUTURE), "under a clock that was ahead (2106-02-07T06:28:15Z)"),
        (configured(batch=64), "with other settings than the protocol's (batch)"),
        (configured(optimiser={"name": "adam", "rate": 0.1}), "(optimiser)"),
        (configured(warm_up=3), "(warm_up)"),
        (change(RIGHT, protocol="short"), "with other settings than the protocol's (epochs, sch"),
        (change(RIGHT, data={"name": "mnist_scale", "hash": "00"}), "on data with a wrong hash"),
        (change(RIGHT, seeds={"realisation": 1, "seed": 7}), "on data with a wrong hash"),
        (change(RIGHT, seeds={"realisation": 0}), "without realisation or seed"),
        (numbered(test_error=None), "without test_error"),
        (numbered(weights=""), "without weights"),
        (numbered(sessions=[]), "without sessions"),
        (numbered(curves={}), "without curves"),
        (numbered(best_epoch=None), "without best_epoch"),
        (numbered(steps=4739), "with incomplete epochs (4739 of 4740 steps)"),
        (numbered(curves=CURVES | {"train_loss": [1.0]}), "with incomplete epochs (train_loss)"),
        (numbered(best_epoch=3), "with weights of epoch 3 (selected by validation: 2)"),
        (numbered(validation_error=1.0), "with weights of epoch 2 (selected by validation: 2)"),
        (numbered(test_error=2.4), "with a test error that its own object scales contradict"),
        (change(RIGHT, data={"name": "svhn", "hash": "00"}), "of no known protocol (paper on svhn"),
    ],
)
def test_each_rule(record: Record, reason: str) -> None:
    assert reason in "; ".join(objections(record))
    ((rejected, reasons),) = check([record]).rejected
    assert rejected == record
    assert reason in "; ".join(reasons)
    if record.configuration.get("model") and (record.data or {})["name"] == "mnist_scale":
        verdict = verdict_of("cell.mnist.cnn.28", [record])
        assert verdict.records == ()
        assert "not counted: 1 " in verdict.reason


def test_a_run_that_is_recorded_twice_counts_once() -> None:
    newer = later(RIGHT)
    ((rejected, reasons),) = check([newer, RIGHT]).rejected
    assert rejected == RIGHT
    assert reasons == [f"recorded again later, with the same weights ({newer.filename})"]
    ((_, reasons),) = check([later(numbered(weights="bb")), numbered()]).rejected
    assert "with other weights" in reasons[0]


@pytest.mark.parametrize("name", ["model", "augmentation"])
def test_a_setting_of_another_type_is_of_a_run_of_its_own(name: str) -> None:
    odd = configured(**{name: ["cnn_28"]})
    assert run_of(odd) == run_of(configured(**{name: ["cnn_28"]})) != run_of(RIGHT)
    assert newest([odd, RIGHT]) == sorted([odd, RIGHT], key=lambda record: record.filename)


def test_what_counts_for_nothing_supersedes_nothing() -> None:
    unclean = dirty(later(RIGHT))
    ((rejected, reasons),) = check([unclean, RIGHT]).rejected
    assert (rejected, len(reasons)) == (unclean, 1)


def test_a_run_that_diverged_has_only_its_beginning_to_be_judged_by() -> None:
    diverged = change(RIGHT, outcome="diverged", numbers={"steps": 17})
    assert objections(diverged) == []
    assert "uncommitted" in objections(dirty(diverged))[0]
    assert "wrong hash" in objections(change(diverged, data={"name": "mnist_scale", "hash": ""}))[0]


def test_a_copied_run_is_found_on_both_sides() -> None:
    copies = [
        change(trained("cnn_28", 2.5, k), numbers=FULL) for k in range(2)
    ]  # fmt: skip
    found = check([*copies, trained("cnn_28", 2.5, 2)])
    assert [record for record, _ in found.rejected] == sorted(copies, key=lambda r: r.digest)
    assert all("the very weights" in reasons[0] for _, reasons in found.rejected)


def test_other_data_without_a_known_hash() -> None:
    def stl10(seed: int, content: str) -> Record:
        demands = load_protocols()["paper", "stl10"]
        configuration = {"model": "wrn_16_8", "augmentation": False, **demands.recipe}
        return change(
            RIGHT, configuration=configuration, data={"name": "stl10", "hash": content},
            seeds={"realisation": 0, "seed": seed},
            numbers=FULL | {
                "steps": demands.steps, "weights": f"{seed} {content}",
                "curves": {"train_loss": [1.0] * demands.epochs, "validation_error": []},
            },
        )  # fmt: skip

    assert check([stl10(0, "a"), stl10(1, "a")]).rejected == []
    found = check([stl10(0, "a"), stl10(1, "b")]).rejected
    assert [reasons for _, reasons in found] == [
        ["on other data than another run on the same realisation"]
    ] * 2


def test_missing_seeds_of_begun_cells() -> None:
    records = [change(r, seeds=dict(r.seeds) | {"seed": 0}) for r in trainings("cnn_28", [2.5] * 6)]
    assert check(records).missing == {}
    cell = Setting("paper", "mnist_scale", "cnn_28", augmentation=False)
    assert check([*records[:2], *records[3:]]).missing == {cell: [(2, 0)]}
    assert check([*records[:5], dirty(records[5])]).missing == {cell: [(5, 0)]}


def test_runs_that_did_not_finish_and_other_records_are_not_its_business() -> None:
    found = check([change(dirty(RIGHT), outcome="aborted"), change(RIGHT, kind="timing")])
    assert (found.rejected, found.missing) == ([], {})
