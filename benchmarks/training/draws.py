"""The random draws of a training: on the CPU, ahead of the steps, from one stream for each purpose.

A draw belongs to a stream and a position in it, and is seeded by those and by the run's seeds
alone. So the position of a run is its random state, networks with equal seeds see the same images,
and a run draws the same on every device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Stream(IntEnum):
    """What a random draw is for."""

    INITIALISATION = 0
    ORDER = 1
    AUGMENTATION = 2
    DROPOUT = 3


@dataclass(frozen=True)
class Streams:
    """All streams of a run with these seeds."""

    seeds: tuple[int, ...]

    def seed(self, stream: Stream, position: int) -> int:
        """Seed of one draw."""
        sequence = np.random.SeedSequence([*self.seeds, stream, position])
        return int(sequence.generate_state(1, np.uint64)[0])

    def generator(self, stream: Stream, position: int) -> torch.Generator:
        """Generator of one draw, on the CPU."""
        return torch.Generator().manual_seed(self.seed(stream, position))


class DrawnDropout(nn.Module):
    """`nn.Dropout` by a mask that is drawn elsewhere: x ↦ x · mask / (1 − p).

    mask: bool, of the shape of the next input in training, True where it is kept; used once.
    Without one it draws as `nn.Dropout` does. `shape` of one sample is known once it was called.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.mask: Tensor | None = None
        self.shape: tuple[int, ...] = ()

    def forward(self, x: Tensor) -> Tensor:
        """[B, ...] -> [B, ...]."""
        self.shape = tuple(x.shape[1:])
        mask, self.mask = self.mask, None
        if mask is None or not self.training:
            return F.dropout(x, self.p, self.training)
        return x * mask.to(x.dtype).div_(1 - self.p)

    def draw(self, images: int, generator: torch.Generator) -> Tensor:
        """A mask for a batch, bool [B, ...]: what torch draws for dropout on a CPU."""
        kept = torch.empty(images, *self.shape).bernoulli_(1 - self.p, generator=generator)
        return kept.bool()


def take_over_dropout(model: nn.Module, image: Tensor) -> list[DrawnDropout]:
    """Replace each `nn.Dropout` of a model that drops anything; return them in order of use.

    image: one that the model takes, [1, C, H, W]. The model's state stays as it is.
    """
    called: list[DrawnDropout] = []
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Dropout and child.p > 0:
                drawn = DrawnDropout(child.p)
                drawn.register_forward_pre_hook(lambda own, _: called.append(own))
                setattr(module, name, drawn)
    training = model.training
    with torch.no_grad():
        model.eval()(image)
    model.train(training)
    for drawn in called:
        drawn._forward_pre_hooks.clear()
    return called


@dataclass(frozen=True)
class Draws:
    """Random numbers of consecutive steps of one epoch, by step: [n, B, ...].

    order: indices of the training images; augmentation: as `Augmentation.draw`; masks: one for each
    dropout of the network. Rows of a short batch are filled up with zeros.
    """

    order: Tensor
    augmentation: Tensor
    masks: Sequence[Tensor]


def filled_up(batches: Sequence[Tensor], batch: int) -> Tensor:
    """As many tensors [up to B, ...] -> [n, B, ...], zeros behind."""
    whole = batches[0].new_zeros(len(batches), batch, *batches[0].shape[1:])
    for row, values in zip(whole, batches, strict=True):
        row[: len(values)] = values
    return whole
