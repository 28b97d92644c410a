"""What each method promises in its own words: one step of its own scale axis, before any maximum.

A first layer answers at several sizes z_1 < … < z_S of the patterns it looks for, where a method's
axis has its own places: σ of the filters, their side, the inverse of the input's size. One step is
s = z_{i+1}/z_i, and every method promises, in its own notation, that it moves its responses on:

    Y_{L_s f}(i+1, s·p) = Y_f(i, p)            for every i < S

Nothing is pooled here, so that no end of the axis is in reach, and no factor lies between steps.
The view is so wide that no filter reaches its border. A plain convolution has no such axis. Steps
differ in length, so that these errors say how well a promise is kept, not which method is best.

| method | sizes z | one step |
|---|---|---|
| sicnn | of the filters, 0.3 … 3.33 | 1.49 to 1.5 |
| si_convnet | one over those of the input | 1.49 to 1.5 |
| sevf_* | one over those of the input, 1.26^−k | 1.26 |
| dss_* | dilations 1, 2 | 2 |
| ss_cnn | sides of the filters in pixels, 5 … 13 | 1.18 to 1.4 |
| sesn_* | σ | 1.44 (scalar), 1.73 (vector) |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from benchmarks.comparison.errors import WIDE, Errors, Window, errors_between, probe_answers
from benchmarks.comparison.responses import Response, first_response
from sesn_impl import LiftingConv2d
from sesn_impl.baselines import (
    ColumnLiftingConv2d,
    DilatedScaleConv2d,
    GaussianScaleSpace,
    LogRadialConv2d,
    ScaleInvariantConv2d,
    VectorLiftingConv2d,
)
from verification.reference.analytic import GaborImage


@dataclass(frozen=True)
class ScaleAxis:
    """Responses of a layer at each of its scales: images [B, 1, H, W] -> [B, C, S, H, W].

    sizes: [S] of the patterns they look for, growing, in any unit.
    """

    respond: Response
    sizes: tuple[float, ...]

    @property
    def steps(self) -> tuple[float, ...]:
        """Ratios of neighbouring sizes, S − 1 numbers above 1."""
        return tuple(coarse / fine for fine, coarse in pairwise(self.sizes))


def scale_axis(model: nn.Module) -> ScaleAxis | None:
    """The scale axis of an MNIST network's first layer, biases zero; None for a plain one."""
    layers = list(first_response(model).layers.modules())
    axis = None
    for layer in layers:
        match layer:
            case LiftingConv2d():
                axis = ScaleAxis(layer, layer.basis.scales)
            case ColumnLiftingConv2d():
                axis = ScaleAxis(layer, layer.scales)
            case LogRadialConv2d():
                axis = ScaleAxis(layer.responses, tuple(map(float, layer.sizes)))
            case ScaleInvariantConv2d():
                axis = _of_resized_input(layer, layer.scales)
            case VectorLiftingConv2d():
                axis = _of_resized_input(layer, [layer.base**step for step in layer.steps])
            case GaussianScaleSpace():
                axis = _of_copies(layer, layers)
    return axis


def step_errors(
    axis: ScaleAxis, scenes: GaborImage, point: tuple[float, float], window: Window = WIDE
) -> list[Errors]:
    """Errors of every step, by the exact probe of N scenes at one point (row, column) in pixels."""
    before = probe_answers(axis.respond, scenes, point, 1.0, window)  # [N, C, S]
    return [
        errors_between(
            before[..., i], probe_answers(axis.respond, scenes, point, step, window)[..., i + 1]
        )
        for i, step in enumerate(axis.steps)
    ]


def _of_resized_input(
    layer: ScaleInvariantConv2d | VectorLiftingConv2d, ratios: Sequence[float]
) -> ScaleAxis:
    """The more an image is enlarged, the smaller are the patterns that one filter finds in it."""

    def respond(x: Tensor) -> Tensor:
        return layer.responses(x).flip(2)

    return ScaleAxis(respond, tuple(1 / ratio for ratio in reversed(ratios)))


def _of_copies(lift: GaussianScaleSpace, layers: Sequence[nn.Module]) -> ScaleAxis:
    """Blurred copies, each met by a filter with its taps as far apart as the copy is blurred."""
    (convolution,) = (layer for layer in layers if isinstance(layer, DilatedScaleConv2d))

    def respond(x: Tensor) -> Tensor:
        stack: Tensor = convolution(lift(x))
        return stack

    return ScaleAxis(respond, tuple(float(lift.base**k) for k in range(lift.num_scales)))
