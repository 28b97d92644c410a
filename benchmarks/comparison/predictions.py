"""Share of predictions that rescaling leaves as they were, before any training.

An untrained network has its own favourites among the classes, so that two unrelated images agree
more often than one time in ten. `chance` is how often they do, from how often each class comes up.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.comparison.scenes import rescaled_in_frame
from benchmarks.data import Normalisation


@dataclass(frozen=True)
class Agreement:
    """Share of equal predictions, and the share expected of unrelated ones; both in [0, 1]."""

    unchanged: float
    chance: float


def agreements(
    model: nn.Module, digits: Tensor, sides: tuple[int, ...], normalise: Normalisation
) -> list[Agreement]:
    """Agreement of the predictions for digits [B, 1, 28, 28] in [0, 1] with those at each side.

    The image is rescaled first and normalised then, as the training recipe does.
    """
    before = predict(model, normalise(digits))
    return [
        agreement(before, predict(model, normalise(rescaled_in_frame(digits, side))))
        for side in sides
    ]


def predict(model: nn.Module, inputs: Tensor) -> Tensor:
    """Inputs [B, 1, 28, 28] -> classes [B]."""
    with torch.inference_mode():
        logits: Tensor = model(inputs)
    return logits.argmax(dim=1)


def agreement(before: Tensor, after: Tensor) -> Agreement:
    """Compares two sets of classes [B], of the same images."""
    length = int(max(before.max(), after.max())) + 1
    shares = [
        torch.bincount(classes, minlength=length).double() / len(classes)
        for classes in (before, after)
    ]
    return Agreement(float((before == after).double().mean()), float(shares[0] @ shares[1]))
