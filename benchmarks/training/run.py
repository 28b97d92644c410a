"""A network under training, step by step, in a state that can be saved and gone on from anywhere.

Every random draw is that of a stream and a position in it (`draws`). So the position of a run is
its random state: a resumed run draws what the uninterrupted one would have drawn, and runs of
different models with equal seeds see the same images in the same order with the same augmentation.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.data import DataSet
from benchmarks.data.augmentation import Augmentation
from benchmarks.studies.bases import create_network
from benchmarks.training.draws import Draws, Stream, Streams, filled_up, take_over_dropout
from benchmarks.training.evaluation import errors_by_scale, mistakes, percent, weights_hash
from benchmarks.training.graph import EAGER, Replayed
from benchmarks.training.recipes import Adam, Recipe, Sgd
from benchmarks.training.step import Step

MASK_BYTES = 2**28  # of dropout masks that are drawn and uploaded at once


@dataclass
class Progress:
    """Where a run stands and what it has seen so far: plain values, kept in its checkpoint.

    epoch, step: finished epochs, and finished steps of the epoch under way.
    loss, wrong: sums over the images of the epoch under way, as far as they were read.
    Curves hold one value per finished epoch: mean training loss (nats), errors in percent.
    best_epoch: the selected one so far, counted from 1; 0 as long as there is none.
    step_seconds: duration of every step, where several are read at once their mean; sessions: one
    entry per start of the program.
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
    Torch's global random state is set by the initialisation: guard it with `torch.random.fork_rng`.

    The host reads the sums of a step at once on a CPU, elsewhere at the end of an epoch, or where
    `state` asks for them, so that it never waits for the device in between.
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
        self.model_name, self.data, self.recipe, self.device = model_name, data, recipe, device
        self.streams = Streams((data.realisation, seed))
        torch.manual_seed(self.streams.seed(Stream.INITIALISATION, 0))
        self.model = create_network(model_name)
        self.dropouts = take_over_dropout(
            self.model, data.normalisation(torch.zeros_like(data.train.images[:1]))
        )
        self.model.to(device)
        self.optimiser = make_optimiser(self.model, recipe.optimiser)
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}
        self.steps_per_epoch = steps_per_epoch(len(data.train), recipe.batch)
        self.augmentation = Augmentation(
            augmentation,
            recipe.standard_augmentation == "crop_flip_cutout",
            data.normalisation.mean,
        )
        mask_bytes = recipe.batch * sum(math.prod(dropout.shape) for dropout in self.dropouts)
        self.rows = max(1, min(self.steps_per_epoch, MASK_BYTES // max(1, mask_bytes)))
        self.step = Step(
            self.model, self.optimiser, data.train.images.to(device), data.train.labels.to(device),
            augmentation=self.augmentation, normalisation=data.normalisation,
            dropouts=self.dropouts, batch=recipe.batch, rows=self.rows,
        )  # fmt: skip
        self.execute = Replayed(self.step) if device.type == "cuda" else self.step
        self.loaded = range(0)  # steps of the epoch under way whose draws lie on the device
        self.unread = 0  # of them, those done last whose sums the host has not read
        self._begin = 0.0

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

    @property
    def execution(self) -> str:
        """How steps are made: as they are, or replayed from a graph; where not, why."""
        return self.execute.execution if isinstance(self.execute, Replayed) else EAGER

    def state(self) -> dict[str, Any]:
        """Return everything that the rest of the run depends on, as tensors and plain values.

        Of a run that turns out to have diverged it is of no use.
        """
        self.read()
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "best": self.best,
            "progress": asdict(self.progress),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        own = [dict(group) for group in self.optimiser.param_groups]
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        for group, options in zip(self.optimiser.param_groups, own, strict=True):
            group.update({name: options[name] for name in options if name != "params"})
        self.best = state["best"]
        self.progress = Progress(**state["progress"])
        self.loaded, self.unread = range(0), 0

    def advance(self) -> Iterator[None]:
        """Train to the end, or until the loss is not finite; yields after every step.

        At each of these moments `state` is complete.
        """
        at = self.progress
        while not self.finished:
            self._step()
            if self.device.type == "cpu" or at.step == self.steps_per_epoch:
                self.read()
            if not self.diverged and at.step == self.steps_per_epoch:
                self._finish_epoch()
            yield

    def read(self) -> None:
        """Add up the losses and errors of the steps done since the last time.

        The first loss that is not finite ends the run there: steps behind it were none.
        """
        if not self.unread:
            return
        at = self.progress
        done = at.step - self.loaded.start
        losses, wrong = (
            values[done - self.unread : done].tolist()
            for values in (self.step.losses, self.step.wrong)
        )
        seconds = (time.perf_counter() - self._begin) / self.unread
        at.step -= self.unread
        self.unread = 0
        for loss, errors in zip(losses, wrong, strict=True):
            at.loss += loss * self._images(at.step)
            at.wrong += errors
            at.step += 1
            at.step_seconds.append(seconds)
            if self.diverged:
                break

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

    def _images(self, step: int) -> int:
        """Images of a step of an epoch."""
        return min(self.recipe.batch, len(self.data.train) - step * self.recipe.batch)

    def _step(self) -> None:
        """One step of the optimiser."""
        at = self.progress
        if not self.unread:
            self._begin = time.perf_counter()
        if at.step not in self.loaded:
            self.read()
            if self.diverged:  # steps behind the one whose loss is not finite are none
                return
            self._begin = time.perf_counter()
            self.load()
        for group in self.optimiser.param_groups:
            if not isinstance(group["lr"], Tensor):
                group["lr"] = self._rate(at.step)
        self.execute(self._images(at.step))
        at.step += 1
        self.unread += 1

    def load(self) -> None:
        """Draw for the steps to come, to the end of the epoch or as many as fit."""
        first = self.progress.step
        self.loaded = range(first, min(first + self.rows, self.steps_per_epoch))
        self.step.load(self.draws(self.loaded), [self._rate(step) for step in self.loaded])

    def _rate(self, step: int) -> float:
        at = self.progress
        return self.recipe.rate((at.epoch * self.steps_per_epoch + step) / self.steps_per_epoch)

    def draws(self, steps: range) -> Draws:
        """Random numbers of some steps of the epoch under way, on the CPU."""
        at, batch = self.progress, self.recipe.batch
        height, width = self.data.train.images.shape[-2:]
        generator = self.streams.generator(Stream.ORDER, at.epoch)
        order = torch.split(torch.randperm(len(self.data.train), generator=generator), batch)
        augmentation, masks = [], []
        for step in steps:
            images, position = self._images(step), at.epoch * self.steps_per_epoch + step
            generator = self.streams.generator(Stream.AUGMENTATION, position)
            augmentation.append(self.augmentation.draw(images, height, width, generator))
            generator = self.streams.generator(Stream.DROPOUT, position)
            masks.append([dropout.draw(images, generator) for dropout in self.dropouts])
        return Draws(
            order=filled_up(order[steps.start : steps.stop], batch),
            augmentation=filled_up(augmentation, batch),
            masks=[filled_up(of_one, batch) for of_one in zip(*masks, strict=True)],
        )

    def _finish_epoch(self) -> None:
        """Extend the curves, and keep the weights if they are the selected ones so far."""
        at = self.progress
        seen = min(self.steps_per_epoch * self.recipe.batch, len(self.data.train))
        at.train_loss.append(at.loss / seen)
        at.train_error.append(100 * at.wrong / seen)
        if len(self.data.validation):
            split, normalise = self.data.validation, self.data.normalisation
            at.validation_error.append(percent(mistakes(self.model, split, normalise, self.device)))
        at.epoch, at.step, at.loss, at.wrong = at.epoch + 1, 0, 0.0, 0
        self.loaded = range(0)
        if self.recipe.selection == "last" or _is_first_lowest(at.validation_error):
            at.best_epoch = at.epoch
            self.best = {name: t.detach().clone() for name, t in self.model.state_dict().items()}


def make_optimiser(model: nn.Module, options: Adam | Sgd) -> torch.optim.Optimizer:
    """Return a recipe's optimiser for all parameters of a model.

    On CUDA its learning rate is a tensor and its update one kernel, which a graph can replay.
    """
    device = next(model.parameters()).device
    cuda = device.type == "cuda"
    fused = True if cuda else None
    optimiser: torch.optim.Optimizer
    if isinstance(options, Adam):
        optimiser = torch.optim.Adam(
            model.parameters(), lr=options.rate, fused=fused, capturable=cuda
        )
    else:
        optimiser = torch.optim.SGD(
            model.parameters(),
            lr=options.rate,
            momentum=options.momentum,
            nesterov=True,
            weight_decay=options.weight_decay,
            fused=fused,
        )
    if cuda:
        for group in optimiser.param_groups:
            group["lr"] = torch.full((), options.rate, device=device)
    return optimiser


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
