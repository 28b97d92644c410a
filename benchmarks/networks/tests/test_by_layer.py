"""From a network to its profiles before and after training."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from benchmarks.networks import by_layer
from benchmarks.networks.command import shares
from benchmarks.training.recipes import recipe_for
from verification.claims.records import read_records


def test_a_record_holds_both_states_whose_shares_are_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = dataclasses.replace(recipe_for("smoke", "digits"), epochs=1)
    monkeypatch.setattr(by_layer, "recipe_for", lambda *_: recipe)
    monkeypatch.setattr(by_layer, "IMAGES", 2)
    (made,) = by_layer.measure_by_layer(0, tmp_path, ("cnn_28",), "smoke")
    (record,) = read_records(tmp_path)
    assert record.digest == made.digest
    assert record.command.startswith("python -m benchmarks networks --by-layer --seed 0")
    profiles = record.numbers["profiles"]
    for profile in profiles.values():
        assert sum(profile["by_part"].values()) == pytest.approx(1, abs=1e-3)
        assert sum(unit["share"] for unit in profile["units"]) == pytest.approx(1, abs=1e-3)
    assert profiles["untrained"]["by_part"] != profiles["trained"]["by_part"]
    assert shares(record).startswith("cnn_28, untrained: ")
    with pytest.raises(ValueError, match="models='wrn_16_8': must be networks for images of 28"):
        by_layer.measure_by_layer(0, None, ("wrn_16_8",), "smoke")
