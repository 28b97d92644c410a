"""Trains networks and measures each of them before and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from benchmarks.comparison.errors import FIRST, TRUNK, Errors, Window, probe_errors
from benchmarks.comparison.predictions import agreement, predict
from benchmarks.comparison.responses import block_response, calibrate
from benchmarks.comparison.scenes import choose, rescaled_in_frame, small_digit_labels, small_digits
from benchmarks.comparison.session import Sample, Session
from benchmarks.comparison.settings import FACTORS, SIDES, Settings
from benchmarks.comparison.steps import scale_axis, step_errors
from benchmarks.theory.cases import random_rng
from benchmarks.training.recipes import Recipe, recipe_for
from benchmarks.training.run import Run
from sesn_impl import list_models
from verification.claims.records import Record

MODELS = ("cnn_28", "sesn_scalar_28", "sesn_vector_28")
SETTINGS = Settings(repetitions=3, scenes=64, trunk_scenes=12, digits=128)
SECOND = Window(side=44, stride=2, index=11)
"""Behind one pool of two; larger than the network's frame, so that the border is far."""
WINDOWS = {
    28: (FIRST, SECOND, TRUNK),
    # These networks enlarge their input to twice its size, so that a response is twice as dense.
    56: tuple(Window(w.side, w.stride / 2, 2 * w.index) for w in (FIRST, SECOND, TRUNK)),
}
"""Where each block's response is looked at, by the size of image that a network works on."""
STATES = ("untrained", "trained")
PROTOCOL = "smoke"
T = TypeVar("T")


def measure(
    seed: int,
    evidence: Path | None = None,
    models: Sequence[str] = MODELS,
    settings: Settings = SETTINGS,
    protocol: str = PROTOCOL,
) -> list[Record]:
    """Train each network of 28×28 images on digits; returns a record for each.

    seed: of all images and of the first training, at least 0; evidence: folder that the records
    are written to; None: nowhere. settings: `repetitions` trainings, `scenes` and `digits` each.
    protocol: of the trainings.

    Raises ValueError for a negative seed, an unknown protocol, or a network that is unknown or
    takes larger images.
    """
    for name in models:
        if name not in list_models() or not name.endswith(("_28", "_28p", "_56", "_56p")):
            raise ValueError(f"models={name!r}: must be networks for images of 28×28 pixels")
    recipe = recipe_for(protocol, "digits")
    session = Session(
        command_of(seed, settings, models, protocol), seed, settings, evidence, protocol
    )
    # disable=None: no bar where standard error is not a terminal.
    with tqdm(total=len(models) * settings.repetitions, unit="run", disable=None) as progress:
        for name in models:
            progress.set_postfix_str(name)
            _measure_network(session, name, recipe, progress.update)
    return session.records


def command_of(seed: int, settings: Settings, models: Sequence[str], protocol: str) -> str:
    """What repeats a run."""
    chosen = "" if tuple(models) == MODELS else f" --models {' '.join(models)}"
    chosen += "" if protocol == PROTOCOL else f" --protocol {protocol}"
    trainings = settings.repetitions
    return f"python -m benchmarks networks --seed {seed} --trainings {trainings}{chosen}"


def _measure_network(
    session: Session, name: str, recipe: Recipe, done: Callable[[], object]
) -> None:
    configuration = {
        "model": name, "networks": "before and after training", "augmentation": False,
        "training": recipe.description(), "sides": list(SIDES), "sizes": session.settings.of_errors,
    }  # fmt: skip
    found: dict[str, list[dict[str, Any]]] = {state: [] for state in STATES}
    test_errors = []
    with session.equivariance(name, configuration) as measurement:
        for i, sample in enumerate(session.samples):
            with torch.random.fork_rng(devices=[]):
                run = Run(
                    name, session.data, recipe, augmentation=False, seed=session.seed + i,
                    device=torch.device("cpu"),
                )  # fmt: skip
                figures = partial(_figures, session, sample, digits=_digits(session, i))
                untrained, trained, error = before_and_after(run, sample.calibration, figures)
                found["untrained"].append(untrained)
                found["trained"].append(trained)
                test_errors.append(error)
            done()
        measurement.numbers.update(
            factors=list(FACTORS),
            test_error=test_errors,
            states=(states := {state: _stacked(figures) for state, figures in found.items()}),
            **_curve(states, recipe.epochs),
        )


def before_and_after(
    run: Run, images: Tensor, measure: Callable[[nn.Module], T]
) -> tuple[T, T, float]:
    """What is measured of a network as initialised and as trained, and its test error in percent.

    images: [B, 1, H, W], normalised, for the statistics of batch norm before training.
    Raises RuntimeError where the training diverges.
    """
    start = {key: value.clone() for key, value in run.model.state_dict().items()}
    calibrate(run.model, images)
    untrained = measure(run.model.eval())
    run.model.load_state_dict(start)
    for _ in run.advance():
        pass
    numbers = run.numbers()  # of the selected weights, which are the model's from now on
    if run.diverged:
        raise RuntimeError(f"training of {run.model_name}, seed {run.streams.seeds[1]}: diverged")
    return untrained, measure(run.model.eval()), numbers["test_error"]


def _curve(states: Mapping[str, Any], epochs: int) -> dict[str, Any]:
    """Mean Δ of the last block over the factors, before and after training: a row for each."""
    last = [np.mean(found["blocks"][-1]["error"], axis=1).tolist() for found in states.values()]
    return {"x": [0, epochs], "y": [list(row) for row in zip(*last, strict=True)]}


def _figures(
    session: Session, sample: Sample, model: nn.Module, *, digits: tuple[Tensor, Tensor]
) -> dict[str, Any]:
    """Of one network in one state: errors by block and factor, by own step, shares by factor."""
    scenes = (sample.scenes, sample.scenes, sample.trunk_scenes)
    enlarges = any(isinstance(module, nn.Upsample) for module in model.modules())
    blocks = []
    for block, window in enumerate(WINDOWS[56 if enlarges else 28]):
        response = block_response(model, block).eval()
        errors = partial(probe_errors, (response, response), scenes[block], sample.point)
        blocks.append(_fields([errors(factor, window) for factor in FACTORS]))
    axis = scale_axis(model)
    normalise, (images, labels) = session.data.normalisation, digits
    before = predict(model, normalise(images))
    after = [predict(model, normalise(rescaled_in_frame(images, side))) for side in SIDES]
    agreements = [agreement(before, classes) for classes in after]
    return {
        "blocks": blocks,
        "own_steps": _fields(step_errors(axis, sample.scenes, sample.point) if axis else []),
        "unchanged": [each.unchanged for each in agreements],
        "chance": [each.chance for each in agreements],
        "wrong": [float((classes != labels).double().mean()) for classes in (before, *after)],
    }


def _digits(session: Session, repetition: int) -> tuple[Tensor, Tensor]:
    """Small test digits and their labels: [N, 1, 28, 28] in [0, 1] and [N]."""
    images, labels = small_digits(session.data), small_digit_labels(session.data)
    rng = random_rng(session.seed, "networks", repetition)
    index = choose(rng, torch.arange(len(images)), session.settings.digits)
    return images[index], labels[index]


def _fields(errors: Sequence[Errors]) -> dict[str, list[float]]:
    return {name: [getattr(each, name) for each in errors] for name in ("error", "chance")}


def _stacked(figures: Sequence[Any]) -> Any:  # noqa: ANN401
    """Of what was measured in each repetition: lists of numbers become [repetitions][factors]."""
    first = figures[0]
    if isinstance(first, dict):
        return {name: _stacked([each[name] for each in figures]) for name in first}
    if first and isinstance(first[0], dict):
        return [_stacked(same) for same in zip(*figures, strict=True)]
    return list(figures)
