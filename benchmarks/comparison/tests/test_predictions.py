"""Shares of equal predictions, and what unrelated predictions would share."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from benchmarks.comparison.predictions import agreement, agreements
from benchmarks.comparison.responses import calibrate, seeded_model
from benchmarks.comparison.scenes import small_digits
from benchmarks.data import DataSet, Normalisation


class Brightest(nn.Module):
    """Classes by the column of the brightest pixel: what rescaling moves."""

    def forward(self, x: Tensor) -> Tensor:
        return x.amax(dim=(1, 2))


def test_agreement_by_hand() -> None:
    found = agreement(torch.tensor([0, 0, 1, 3]), torch.tensor([0, 1, 1, 0]))
    assert found.unchanged == 0.5
    assert found.chance == pytest.approx(0.5 * 0.5 + 0.25 * 0.5)


def test_a_constant_prediction_is_no_achievement() -> None:
    always = torch.full((5,), 7)
    assert agreement(always, always).chance == 1


def test_the_same_size_changes_nothing_and_another_does(few_digits: Tensor) -> None:
    same, half = agreements(Brightest(), few_digits, (28, 14), Normalisation((0.1,), (0.3,)))
    assert same.unchanged == 1
    assert half.unchanged < 1


def test_untrained_networks_do_not_predict_one_class_only(data: DataSet) -> None:
    model = seeded_model("cnn_28", 0)
    calibrate(model, data.normalisation(data.train.images[:32]))
    (same,) = agreements(model, small_digits(data), (28,), data.normalisation)
    assert same.unchanged == 1
    assert same.chance < 1
