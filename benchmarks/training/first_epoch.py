"""The first epoch of a training, to see whether a finished run's learning curves begin like it."""

from __future__ import annotations

import torch

from benchmarks.data import DataSet
from benchmarks.training.devices import computing_on
from benchmarks.training.recipes import recipe_for
from benchmarks.training.run import Run
from benchmarks.training.train import check


def first_epoch(
    model_name: str,
    data: DataSet,
    protocol: str,
    *,
    augmentation: bool = False,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> dict[str, float]:
    """Train for one epoch of the whole recipe; return the first entry of each learning curve.

    `train_loss` in nats, `train_error` and `validation_error` (where there are validation images)
    in percent.  Nothing is written.  A run that diverges within the epoch gives no entries.
    Arguments and ValueError as in `train`.
    """
    check(model_name, data.name, seed)
    device = torch.device(device)
    recipe = recipe_for(protocol, data.name)
    with computing_on(device):
        run = Run(model_name, data, recipe, augmentation=augmentation, seed=seed, device=device)
        for _ in run.advance():
            if run.progress.epoch:
                break
    curves = {
        name: getattr(run.progress, name)
        for name in ("train_loss", "train_error", "validation_error")
    }
    return {name: float(curve[0]) for name, curve in curves.items() if curve}
