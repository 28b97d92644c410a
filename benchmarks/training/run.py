"""A network under training, step by step, in a state that can be saved and gone on from anywhere.

Every random draw belongs to a stream (initialisation, order, augmentation, dropout) and to a
position in it, and is seeded by those and by the run's seeds alone. So the position of a run is its
random state: a resumed run draws what the uninterrupted one would have drawn, and runs of different
models with equal seeds see the same images in the same order with the same augmentation.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.data import DataSet, unit_range
from benchmarks.data.augmentation import random_scaling, stl10_augmentation
from benchmarks.training.evaluation import errors_by_scale, mistakes, percent, weights_hash
from benchmarks.training.recipes import Adam, Recipe, Sgd
from sesn_impl import create_model


class Stream(IntEnum):
    """What a random draw is for."""

    INITIALISATION = 0
    ORDER = 1
    AUGMENTATION = 2
    DROPOUT = 3


@dataclass
class Progress:
    """Where a run stands and what it has seen so far: plain values, kept in its checkpoint.

    epoch, step: finished epochs, and finished steps of the epoch under way.
    loss, wrong: sums over the images of the epoch under way.
    Curves hold one value per finished epoch: mean training loss (nats), errors in percent.
    best_epoch: the selected one so far, counted from 1; 0 as long as there is none.
    step_seconds: duration of every step; sessions: one entry per start of the program.
    """

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    wrong: int = 0
    train_loss: list[float] = field(default_factory=list)
    train_error: list[float] = field(default_factory=list)
    validation_error: list[float] = field(default_factory=list)
    best_epoch: int = 0
    step_seconds: list[float] = field(default_factory=list)
    sessions: list[dict[str, Any]] = field(default_factory=list)


class Run:
    """A network, its optimiser, its data on the device, and how far it has come.

    seed: 0 or more; together with the data's realisation it seeds all that is random.
    augmentation: whether images are scaled by 0.5 to 2 at random, beyond what the recipe does.
    Torch's global random state is set at every step: guard it with `torch.random.fork_rng`.
    """

    def __init__(
        self,
        model_name: str,
        data: DataSet,
        recipe: Recipe,
        *,
        augmentation: bool,
        seed: int,
        device: torch.device,
    ) -> None:
        self.data, self.recipe, self.device = data, recipe, device
        self.augmentation = augmentation
        self.seeds = (data.realisation, seed)
        torch.manual_seed(self._seed(Stream.INITIALISATION, 0))
        self.model = create_model(model_name).to(device)
        self.optimiser = make_optimiser(self.model, recipe.optimiser)
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}
        self.images = data.train.images.to(device)
        self.labels = data.train.labels.to(device)
        self.steps_per_epoch = steps_per_epoch(len(data.train), recipe.batch)

    @property
    def position(self) -> int:
        """Steps done since the beginning."""
        return self.progress.epoch * self.steps_per_epoch + self.progress.step

    @property
    def diverged(self) -> bool:
        """Whether the loss ceased to be finite."""
        return not math.isfinite(self.progress.loss)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to train."""
        return self.diverged or self.progress.epoch == self.recipe.epochs

    def state(self) -> dict[str, Any]:
        """Return everything that the rest of the run depends on, as tensors and plain values."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "best": self.best,
            "progress": asdict(self.progress),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.best = state["best"]
        self.progress = Progress(**state["progress"])

    def advance(self) -> Iterator[None]:
        """Train to the end, or until the loss is not finite; yields after every step.

        At each of these moments `state` is complete.
        """
        while not self.finished:
            for images, labels in self._batches():
                self._step(images, labels)
                if not self.diverged and self.progress.step == self.steps_per_epoch:
                    self._finish_epoch()
                yield
                if self.diverged:
                    return

    def numbers(self, between: Callable[[], object] | None = None) -> dict[str, Any]:
        """Test the selected weights, unless the run diverged, and return what a record keeps.

        between: called before every batch of the test; may raise.
        """
        at = self.progress
        numbers: dict[str, Any] = {
            "best_epoch": at.best_epoch,
            "curves": {
                name: getattr(at, name)
                for name in ("train_loss", "train_error", "validation_error")
            },
            "parameters": sum(p.numel() for p in self.model.parameters() if p.requires_grad),
            "step_seconds": statistics.median(at.step_seconds),
            "steps": self.position,
            "sessions": at.sessions,
        }
        if self.diverged:
            return numbers
        self.model.load_state_dict(self.best)
        test, normalise = self.data.test, self.data.normalisation
        wrong = mistakes(self.model, test, normalise, self.device, between)
        errors = at.validation_error
        return numbers | {
            "test_error": percent(wrong),
            "validation_error": errors[at.best_epoch - 1] if errors else None,
            "by_scale": errors_by_scale(wrong, self.data.test.scales),
            "weights": weights_hash(self.model),
        }

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Rest of the epoch under way: inputs [B, C, H, W] and labels [B]."""
        at = self.progress
        generator = self._generator(Stream.ORDER, at.epoch)
        order = torch.randperm(len(self.labels), generator=generator).to(self.device)
        for chosen in torch.split(order, self.recipe.batch)[at.step : self.steps_per_epoch]:
            yield self._augment(self.images[chosen]), self.labels[chosen]

    def _augment(self, images: Tensor) -> Tensor:
        """Training images uint8 [B, C, H, W] -> augmented and normalised, floating."""
        generator = self._generator(Stream.AUGMENTATION, self.position)
        images = unit_range(images)
        if self.augmentation:
            images = random_scaling(images, generator)
        if self.recipe.standard_augmentation == "crop_flip_cutout":
            images = stl10_augmentation(images, generator, self.data.normalisation.mean)
        return self.data.normalisation(images)

    def _step(self, images: Tensor, labels: Tensor) -> None:
        """One step of the optimiser, left out if the loss is not finite."""
        at, begin = self.progress, time.perf_counter()
        torch.manual_seed(self._seed(Stream.DROPOUT, self.position))
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.rate(self.position / self.steps_per_epoch)
        self.model.train()
        self.optimiser.zero_grad()
        logits = self.model(images)
        loss = F.cross_entropy(logits, labels)
        at.loss += loss.item() * len(labels)
        at.wrong += int((logits.argmax(dim=1) != labels).sum())
        if not self.diverged:
            torch.autograd.backward(loss)
            self.optimiser.step()
        at.step += 1
        at.step_seconds.append(time.perf_counter() - begin)

    def _finish_epoch(self) -> None:
        """Extend the curves, and keep the weights if they are the selected ones so far."""
        at = self.progress
        seen = min(self.steps_per_epoch * self.recipe.batch, len(self.labels))
        at.train_loss.append(at.loss / seen)
        at.train_error.append(100 * at.wrong / seen)
        if len(self.data.validation):
            split, normalise = self.data.validation, self.data.normalisation
            at.validation_error.append(percent(mistakes(self.model, split, normalise, self.device)))
        at.epoch, at.step, at.loss, at.wrong = at.epoch + 1, 0, 0.0, 0
        if self.recipe.selection == "last" or _is_first_lowest(at.validation_error):
            at.best_epoch = at.epoch
            self.best = {name: t.detach().clone() for name, t in self.model.state_dict().items()}

    def _seed(self, stream: Stream, position: int) -> int:
        sequence = np.random.SeedSequence([*self.seeds, stream, position])
        return int(sequence.generate_state(1, np.uint64)[0])

    def _generator(self, stream: Stream, position: int) -> torch.Generator:
        return torch.Generator().manual_seed(self._seed(stream, position))


def make_optimiser(model: nn.Module, options: Adam | Sgd) -> torch.optim.Optimizer:
    """Return a recipe's optimiser for all parameters of a model."""
    if isinstance(options, Adam):
        return torch.optim.Adam(model.parameters(), lr=options.rate)
    return torch.optim.SGD(
        model.parameters(),
        lr=options.rate,
        momentum=options.momentum,
        nesterov=True,
        weight_decay=options.weight_decay,
    )


def steps_per_epoch(images: int, batch: int) -> int:
    """Return how many steps an epoch has.

    A single image left over at the end is not seen in that epoch: batch normalisation of one
    image is undefined. Raises ValueError for fewer than two images.
    """
    if images < 2:
        raise ValueError(f"images={images!r}: training needs at least 2 images")
    return images // batch + (images % batch > 1)


def _is_first_lowest(errors: list[float]) -> bool:
    return errors[-1] < min(errors[:-1], default=math.inf)
