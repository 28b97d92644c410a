"""Errors and predictions of one method, over all repetitions and factors, as a record."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from benchmarks.comparison.errors import (
    FIRST,
    TRUNK,
    WIDE,
    Errors,
    Pair,
    Window,
    digit_errors,
    errors_between,
    photograph_errors,
    probe_answers,
    probe_errors,
)
from benchmarks.comparison.floor import floor_responses
from benchmarks.comparison.predictions import Agreement, agreements
from benchmarks.comparison.responses import (
    Response,
    calibrate,
    first_response,
    seeded_model,
    trunk_response,
)
from benchmarks.comparison.scenes import PATCH, SCENE, views
from benchmarks.comparison.session import Sample, Session, rows
from benchmarks.comparison.settings import FACTORS, FRAME, SIDES
from benchmarks.comparison.steps import scale_axis, step_errors

FLOOR = "comparison_floor"
RANKED = "probe_share_of_chance"
"""What claims compare, a number per repetition: Δ/chance of the first layer, mean over factors."""
PHOTOGRAPH_SIDES = tuple(side * PATCH // FRAME for side in SIDES if side < FRAME)
"""Photographs are rescaled downwards only: enlarged patches would cost more and show no more."""

Pairs = Callable[[float], Pair]
"""From a factor to the two responses that are compared."""


def measure_method(session: Session, name: str, done: Callable[[], object]) -> None:
    """One record for a network of `create_model`; `done` is called after every repetition."""
    first: list[dict[str, list[Errors]]] = []
    trunk: list[list[Errors]] = []
    steps: list[list[Errors]] = []
    predictions: list[list[Agreement]] = []
    configuration = {"model": name, "augmentation": False, **_configuration(session)}
    with session.equivariance(name, configuration) as measurement:
        for sample in session.samples:
            model = seeded_model(name, sample.weights_seed)
            first.append(_first_layer(sample, partial(_both, first_response(model)), FIRST))
            trunk.append(_trunk(sample, model))
            axis = scale_axis(model)
            steps.append(step_errors(axis, sample.scenes, sample.point) if axis else [])
            calibrate(model, sample.calibration)
            normalise = session.data.normalisation
            predictions.append(agreements(model, sample.digits, SIDES, normalise))
            done()
        responses = _described(first)
        responses.append(_row("trunk", "scenes", FACTORS, trunk))
        numbers = measurement.numbers
        numbers["responses"] = responses
        if axis:
            responses.append(_row("own_steps", "scenes", axis.steps, steps))
        numbers[RANKED] = [_share_of_chance(repetition["scenes"]) for repetition in first]
        numbers["predictions"] = {
            "images": len(session.samples[0].digits),
            "factors": list(FACTORS),
            "unchanged": rows(predictions, "unchanged"),
            "chance": rows(predictions, "chance"),
        }


def measure_floor(session: Session) -> None:
    """The same record for the floor, which has a first layer only."""
    with session.equivariance(FLOOR, _configuration(session)) as measurement:
        measurement.numbers["responses"] = _described([
            _first_layer(sample, partial(floor_responses, i), WIDE)
            for i, sample in enumerate(session.samples)
        ])  # fmt: skip


def _trunk(sample: Sample, model: nn.Module) -> list[Errors]:
    """Errors of all layers before the last pool, for each factor."""
    deep, scenes = trunk_response(model), sample.trunk_scenes
    calibrate(deep, views(scenes, sample.point, TRUNK.side))
    start = probe_answers(deep, scenes, sample.point, 1.0, TRUNK)
    return [
        errors_between(start, probe_answers(deep, scenes, sample.point, factor, TRUNK))
        for factor in FACTORS
    ]


def _share_of_chance(errors: list[Errors]) -> float:
    """Mean of Δ/chance."""
    return sum(item.error / item.chance for item in errors) / len(errors)


def _both(response: Response, factor: float) -> Pair:
    """A method answers to f and to L_s f alike, whatever the factor."""
    return response, response


def _first_layer(sample: Sample, pairs: Pairs, window: Window) -> dict[str, list[Errors]]:
    """Errors for each kind of image and each factor."""
    return {
        "scenes": [
            probe_errors(pairs(factor), sample.scenes, sample.point, factor, window)
            for factor in FACTORS
        ],
        "digits": [digit_errors(pairs(side / FRAME), sample.digits, side) for side in SIDES],
        "photographs": [
            photograph_errors(pairs(side / PATCH), sample.patches, side)
            for side in PHOTOGRAPH_SIDES
        ],
    }


def _described(repetitions: list[dict[str, list[Errors]]]) -> list[dict[str, Any]]:
    factors = {"photographs": FACTORS[: len(PHOTOGRAPH_SIDES)]}
    return [
        _row("first_layer", images, factors.get(images, FACTORS), [r[images] for r in repetitions])
        for images in repetitions[0]
    ]


def _row(
    part: str, images: str, factors: tuple[float, ...], values: list[list[Errors]]
) -> dict[str, Any]:
    """What a record keeps of one part on one kind of image; lists are [repetitions][factors]."""
    return {
        "part": part,
        "images": images,
        "factors": list(factors),
        "error": rows(values, "error"),
        "chance": rows(values, "chance"),
    }


def _configuration(session: Session) -> dict[str, Any]:
    return {
        "comparison": "scale-pooled responses, biases zero, random weights",
        "scenes": SCENE,
        "sides": list(SIDES),
        "warp": "kornia resize, bicubic, antialias, align_corners=False",
        "sizes": session.settings.of_errors,
    }
