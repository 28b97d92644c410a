"""Checks of local scale-invariance: each object of an image keeps its response, at its own scale.

In the continuum the response at p_j + q^k_j·u and scale i + k_j, object j rescaled by q^k_j, is
that of the unscaled object at u and scale i, whatever the other objects do (SESN, sections 3 and
4.4). Hence the maximum over scales stays, and its index moves by k_j, unless the winner leaves the
range of scales or a larger response enters it. Where that happens is *predicted* from the closed
form, and the set of responses that fail must be the predicted one.

Margins are bounds, not tuned: a layer's response differs from the continuum by at most

    slack = |sampling| + |truncation| + rounding,

each for this very response, and a maximum by no more than the largest slack over scales. A response
whose closed-form margin is below twice the slack is undecided and left out; how many, is counted.

Checks of local scale-invariance under a smooth field of scales (SESN, sections 3 and 4.4).

At a point whose local factor is q^k the response at scale i + k is that of the unwarped image at
scale i, up to a term of first order in γσ that is known beforehand, and a remainder of second order
that has a bound: see `layer.scaling_field`. Sampling and cut-off add their slack, response
by response, as in `checks.local`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from verification.checks.result import CheckResult, about
from verification.layer.probe import Probe, known_filters, reference_responses, responses
from verification.layer.scaling_field import FieldPrediction, FieldScene, predict_change
from verification.layer.scenes import Scene
from verification.layer.targets import Target
from verification.reference.analytic import FloatArray
from verification.reference.continuum import continuum_responses, pixel_responses
from verification.reference.errors import equivariance_error
from verification.tolerances import rounding_error, tolerance

Projection = Callable[[Tensor], Tensor]
"""[B, C, S, H, W] -> [B, C, H, W]."""
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ClosedForm:
    """Continuum responses [N, C_out, S] at a scene's N points, and each one's slack."""

    values: FloatArray
    slack: FloatArray

    @property
    def winner(self) -> NDArray[np.intp]:
        """Index of the largest response over scales: [N, C_out]."""
        return np.asarray(self.values.argmax(axis=-1))

    @property
    def maximum_slack(self) -> FloatArray:
        """How far a layer's maximum over scales may be from the closed form's: [N, C_out]."""
        return np.asarray(self.slack.max(axis=-1))

    @property
    def winner_is_clear(self) -> BoolArray:
        """Whether no slack can put another scale on top: [N, C_out]."""
        ordered = np.sort(self.values, axis=-1)
        return np.asarray(ordered[..., -1] - ordered[..., -2] > 2 * self.maximum_slack)


@dataclass(frozen=True, eq=False)
class LocalOutcome:
    """Which of the N·C_out responses were predicted to fail, which did, and which are decided."""

    predicted: BoolArray
    failed: BoolArray
    decided: BoolArray

    @property
    def mistakes(self) -> int:
        """Decided responses that fail against the prediction, or hold against it."""
        return int(((self.predicted != self.failed) & self.decided).sum())

    @property
    def counts(self) -> tuple[int, int, int]:
        """Decided responses predicted to hold and to fail, and undecided ones."""
        fails = int((self.predicted & self.decided).sum())
        return int(self.decided.sum()) - fails, fails, int((~self.decided).sum())

    def __str__(self) -> str:
        holds, fails, undecided = self.counts
        return (
            f"{holds} responses must hold and {fails} must fail at the ends of the scale range, "
            f"{undecided} are within the margin"
        )


def closed_form(target: Target, probe: Probe) -> ClosedForm:
    """What theory says of a lifting layer's responses at the probe's points, without the layer.

    Raises ValueError if the target's filters are not known.
    """
    filters = known_filters(target)
    coefficients = filters.coefficients[:, :, 0]
    continuum, plane = (
        np.stack(
            [
                np.einsum(
                    "pcb,ocb->po",
                    measure(filters.basis, scale, probe.signal[0], probe.points),
                    coefficients,
                )
                for scale in range(len(target.scales))
            ],
            axis=-1,
        )
        + filters.bias[:, None]
        for measure in (continuum_responses, pixel_responses)
    )
    grid = reference_responses(target, probe)
    rounding = rounding_error(target.dtype) ** 0.5 * np.abs(continuum).max()
    return ClosedForm(continuum, np.abs(plane - continuum) + np.abs(grid - plane) + rounding)


def invariance_outcome(target: Target, scene: Scene, projection: Projection) -> LocalOutcome:
    """Which projected responses change when each object takes its own scale.

    A response fails if it changes by more than the slack of both maxima.
    """
    near, far, moved = _predictions(target, scene)
    before, after = (_projected(projection, target, s) for s in (scene.unscaled, scene))
    change = np.abs(far.values.max(axis=-1) - near.values.max(axis=-1))
    slack = near.maximum_slack + far.maximum_slack
    granted = slack + np.where(moved, 0.0, _from_rounded_scales(target, scene, change))
    return LocalOutcome(
        predicted=moved,
        failed=np.abs(after - before) > granted,
        decided=~moved | (change > 2 * slack),
    )


def winner_outcome(target: Target, scene: Scene) -> LocalOutcome:
    """At which responses the index of the winning scale does not move by the object's own k_j."""
    near, far, moved = _predictions(target, scene)
    before, after = (
        responses(target, s.probe).numpy().argmax(axis=-1) for s in (scene.unscaled, scene)
    )
    return LocalOutcome(
        predicted=moved,
        failed=after != before + scene.point_steps[:, None],
        decided=near.winner_is_clear & far.winner_is_clear,
    )


def check_local_response(target: Target, scene: Scene) -> CheckResult:
    """Each object's response at scale i + k_j equals the unscaled object's at scale i.

    For all i with both scales in range, within the slack of both.
    """
    unscaled = scene.unscaled
    near, far = closed_form(target, unscaled.probe), closed_form(target, scene.probe)
    steps = scene.point_steps
    scales = np.arange(len(target.scales)) + steps[:, None]
    point, scale = np.nonzero((scales >= 0) & (scales < len(target.scales)))
    here, there = (point, slice(None), scale), (point, slice(None), scale + steps[point])
    before = responses(target, unscaled.probe).numpy()[here]
    after = responses(target, scene.probe).numpy()[there]
    rounded = _from_rounded_scales(target, scene, far.values[there] - near.values[here])
    allowed = near.slack[here] + far.slack[there] + rounded
    return CheckResult(
        "local_response",
        target.name,
        equivariance_error(before, after),
        float((allowed**2).sum() / (before**2).sum()),
        f"objects rescaled by {scene.ratio:.4f} to the powers {scene.steps}, each at its own "
        "scale, against the unscaled objects; a larger error means that the filters of two scales "
        "are not copies by σ⁻²ψ(t/σ)",
        **about(target, None, scene.ratio),
    )


def check_local_invariance(target: Target, scene: Scene, projection: Projection) -> CheckResult:
    """The projected response of each object stays, except exactly where the scale range ends.

    The error counts responses that fail against the prediction, or hold against it.
    """
    outcome = invariance_outcome(target, scene, projection)
    return CheckResult(
        "local_invariance",
        target.name,
        float(outcome.mistakes),
        0.0,
        f"projected responses of objects at scales {scene.steps}: {outcome}; others mean another "
        "projection than the maximum over scales, or scales out of step",
        **about(target, None, scene.ratio),
    )


def check_local_winner(target: Target, scene: Scene) -> CheckResult:
    """The index of the winning scale moves by each object's own step, except where predicted.

    The error counts responses that fail against the prediction, or hold against it.
    """
    outcome = winner_outcome(target, scene)
    return CheckResult(
        "local_winner",
        target.name,
        float(outcome.mistakes),
        0.0,
        f"winning scales of objects at scales {scene.steps}: {outcome}; others mean scales out of "
        "order or filters of unequal gain",
        **about(target, None, scene.ratio),
    )


def check_isolation(target: Target, scene: Scene) -> CheckResult:
    """Each object answers in the scene as it does alone: the others are too far to matter."""
    together = responses(target, scene.probe)
    alone = [responses(target, scene.alone(j).probe) for j in range(len(scene.shapes))]
    return CheckResult(
        "isolation",
        target.name,
        equivariance_error(torch.cat(alone), together),
        tolerance("isolation", target.dtype),
        "responses of all objects in one image against each object alone; a larger error means "
        "that the layer looks beyond its window, or mixes images",
        **about(target, None, scene.ratio),
    )


def local_error(target: Target, scene: Scene, projection: Projection) -> float:
    """Squared change of the projected responses that must hold, relative to all of the unscaled.

    The divisor takes all responses in, since the few that must hold may happen to be near zero.
    """
    before, after = (_projected(projection, target, s) for s in (scene.unscaled, scene))
    moved = _predictions(target, scene)[2]
    return equivariance_error(before, np.where(moved, before, after))


def _predictions(target: Target, scene: Scene) -> tuple[ClosedForm, ClosedForm, BoolArray]:
    """Closed forms of the unscaled scene and of the scene; where the winner does not move by k."""
    near, far = closed_form(target, scene.unscaled.probe), closed_form(target, scene.probe)
    return near, far, np.asarray(far.winner != near.winner + scene.point_steps[:, None])


def _projected(projection: Projection, target: Target, scene: Scene) -> FloatArray:
    """[N, C_out]; all points of a scene in one batch, since they are of one image."""
    answers = responses(target, scene.probe)[..., None, None]
    return projection(answers)[..., 0, 0].numpy()


def _from_rounded_scales(target: Target, scene: Scene, difference: FloatArray) -> FloatArray:
    """By how much closed forms may differ: not at all, unless the grid of scales was rounded."""
    exact = [target.scales[0] * scene.ratio**i for i in range(len(target.scales))]
    off_grid = not np.allclose(target.scales, exact, rtol=1e-12, atol=0)
    return np.abs(difference) * off_grid


@dataclass(frozen=True, eq=False)
class FieldChange:
    """Responses [M] that must agree, of all points and scales with both scales in range.

    before: to the image; after: to the warped image, at the scale that fits; first: the predicted
    first-order difference; remainder: bound on what else the field does; slack: of pixels, cut-off
    and rounding.
    """

    before: FloatArray
    after: FloatArray
    first: FloatArray
    remainder: FloatArray
    slack: FloatArray

    @property
    def error(self) -> float:
        """‖after − before‖/‖before‖, an amplitude."""
        return _size(self.after - self.before) / _size(self.before)

    @property
    def error_range(self) -> tuple[float, float]:
        """Between which the error must lie, by first order, remainder and slack."""
        middle, off = _size(self.first), _size(self.remainder) + _size(self.slack)
        return max(0.0, middle - off) / _size(self.before), (middle + off) / _size(self.before)


def field_change(target: Target, scene: FieldScene) -> FieldChange:
    """Measures and predicts at every point of the scene.

    Raises ValueError if the target's filters are not known or the field is too steep for them.
    """
    parts = []
    for step in scene.steps:
        near, far, prediction, (before, after) = _at(target, scene, step)
        fit = before.shape[-1] - step
        parts.append(
            [
                before[:, :fit],
                after[:, step:],
                prediction.first[:, step:],
                prediction.remainder[:, step:],
                near.slack[0, :, :fit] + far.slack[0, :, step:],
            ]
        )
    return FieldChange(
        *(np.concatenate([p.ravel() for p in kind]) for kind in zip(*parts, strict=True))
    )


def check_field_response(target: Target, scene: FieldScene) -> CheckResult:
    """Each response changes by the predicted first-order term, within remainder and slack."""
    change = field_change(target, scene)
    off = change.after - change.before - change.first
    allowed = change.remainder + change.slack
    energy = _size(change.before) ** 2
    return CheckResult(
        "field_response",
        target.name,
        float((np.maximum(0.0, np.abs(off) - allowed) ** 2).sum()) / energy,
        0.0,
        f"local factors with a gradient of {scene.gradient:.3g} per pixel: responses change by "
        f"{change.error:.3g}, {_size(change.first) / _size(change.before):.3g} of it predicted to "
        "first order; what lies beyond the remainder means filters that are not copies by "
        "σ⁻²ψ(t/σ), or a field that is no local rescaling",
    )


def check_field_invariance(
    target: Target, scene: FieldScene, projection: Projection
) -> CheckResult:
    """The projected response stays within the bound, except where the range of scales ends.

    The error counts responses that fail against the prediction, or hold against it.
    """
    outcomes = [_outcome(target, scene, step, projection) for step in scene.steps]
    mistakes = sum(outcome.mistakes for outcome in outcomes)
    counts = np.sum([outcome.counts for outcome in outcomes], axis=0)
    return CheckResult(
        "field_invariance",
        target.name,
        float(mistakes),
        0.0,
        f"projected responses under local factors with a gradient of {scene.gradient:.3g} per "
        f"pixel: {counts[0]} must hold, {counts[1]} must fail, {counts[2]} are within the margin; "
        "others mean another projection than the maximum over scales, or scales out of step",
    )


def _outcome(target: Target, scene: FieldScene, step: int, projection: Projection) -> LocalOutcome:
    near, far, prediction, both = _at(target, scene, step)
    before, after = (
        projection(torch.from_numpy(answers)[None, ..., None, None])[0, :, 0, 0].numpy()
        for answers in both
    )
    moved = far.winner[0] != near.winner[0] + step
    change = np.abs(far.values[0].max(axis=-1) - near.values[0].max(axis=-1))
    granted = near.maximum_slack[0] + far.maximum_slack[0] + prediction.bound.max(axis=-1)
    return LocalOutcome(
        predicted=moved,
        failed=np.abs(after - before) > granted,
        decided=~moved | (change > 2 * granted),
    )


def _at(
    target: Target, scene: FieldScene, step: int
) -> tuple[ClosedForm, ClosedForm, FieldPrediction, tuple[FloatArray, FloatArray]]:
    """Closed forms before and under the point's factor, prediction, both measured [C_out, S]."""
    with torch.no_grad():
        y = target.layer(scene.warped(step, target.window).to(target.dtype))
    after = y[0, :, :, y.shape[-2] // 2, y.shape[-1] // 2].double().numpy()
    before = responses(target, scene.unscaled(step))[0].numpy()
    near, far = closed_form(target, scene.unscaled(step)), closed_form(target, scene.rescaled(step))
    return near, far, predict_change(target, scene, step), (before, after)


def _size(values: FloatArray) -> float:
    return float(np.linalg.norm(values))
