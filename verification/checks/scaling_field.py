"""Checks of local scale-invariance under a smooth field of scales (SESN, sections 3 and 4.4).

At a point whose local factor is q^k the response at scale i + k is that of the unwarped image at
scale i, up to a term of first order in γσ that is known beforehand, and a remainder of second order
that has a bound: see `signals.scaling_field`. Sampling and cut-off add their slack, response
by response, as in `checks.local`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from verification.checks.local import ClosedForm, LocalOutcome, Projection, closed_form
from verification.checks.result import CheckResult
from verification.layer.probe import responses
from verification.layer.scaling_field import FieldPrediction, FieldScene, predict_change
from verification.layer.targets import Target
from verification.signals.analytic import FloatArray


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
