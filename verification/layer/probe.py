"""The exact probe: equivariance measured without interpolating anything.

The relation to test is Y_{L_s f}(sσ, s·p) = Y_f(σ, p). Sample f on a grid centred at p and L_s f on
one centred at s·p: both responses are then the centre pixel of the layer's output, whatever real
numbers p and s are. A function on scale and space is probed alike, with one analytic image per
scale: rescaling by the step between scales i and j moves the image of scale i to scale j.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verification.layer.layouts import SPACES, pixels
from verification.layer.targets import KnownFilters, Target
from verification.reference.analytic import FloatArray, GaborImage, random_gabor_image
from verification.reference.continuum import sampled_filters
from verification.reference.errors import equivariance_error

Signal = tuple[GaborImage, ...]
"""One image for a layer that lifts, one per input scale for a layer on scale and space."""


@dataclass(frozen=True, eq=False)
class Probe:
    """A signal, P points [P, D] to look at, and what enters at the fine end when it is rescaled.

    seed: what it was drawn from, if known.
    """

    signal: Signal
    points: FloatArray
    entering: Signal
    seed: int | None = None

    def rescaled(self, factor: float, steps: int) -> Probe:
        """L_s of signal and points; functions on scale and space also move up by `steps` scales."""
        moved = tuple(image.rescaled(factor) for image in self.signal)
        if len(moved) > 1:
            moved = (*self.entering[:steps], *moved[: len(moved) - steps])
        return Probe(moved, self.points * factor, self.entering, self.seed)

    def sampled(self, target: Target, window: int | None = None, scale: int = 0) -> Tensor:
        """Inputs whose centre pixel looks at each point: [P, C_in, (S,) window, window] float64.

        window: in pixels, by default the target's own. scale: whose centre pixel it is, where the
        scales have centres of their own.
        """
        side = target.window if window is None else window
        centre = np.asarray(target.centre_of(scale)) + (side - target.window) / 2
        # Samples lie at p + i − side//2.
        points = self.points + (side // 2 - centre)
        images = [image.sample_around(points, side) for image in self.signal]
        return images[0] if target.lifts else torch.stack(images, dim=2)

    def around(self, first: int, count: int, side: int) -> FloatArray:
        """Images first … first + count − 1, side by side, about each point: [P, count·C, side, …].

        The point is the middle of the samples, between two of them if their number is even.
        """
        points = self.points + (side // 2 - (side - 1) / 2)
        images = self.signal[first : first + count]
        return np.concatenate([image.sample_around(points, side).numpy() for image in images], 1)


@dataclass(frozen=True)
class PairMeasurement:
    """What the probe found between scales `fine` and `coarse`, s = σ_coarse/σ_fine."""

    fine: int
    coarse: int
    ratio: float
    error: float


def at_centre(target: Target, y: Tensor) -> Tensor:
    """The centre pixel of an output: [B, C, (S)]; of two the later, if the target says where it is.

    Raises ValueError for even sides of which no centres are known.
    """
    sides = y.shape[y.ndim - target.dims :]
    if not target.centres and any(side % 2 == 0 for side in sides):
        raise ValueError(
            f"output of {target.name} of shape {tuple(y.shape)} for an input of side "
            f"{target.window}: must have odd sides, so that it has a centre pixel"
        )
    return pixels(y, [side // 2 for side in sides])


def responses(target: Target, probe: Probe) -> Tensor:
    """The layer's answers at the probe's points: [P, C_out, S] float64.

    Raises ValueError for an output of another rank, number of points or scales, without a centre
    pixel, or that is not finite.
    """
    scales = range(len(target.scales))
    if len(set(target.centres)) < 2:
        return _answers(target, probe.sampled(target))
    of_each = [_answers(target, probe.sampled(target, scale=scale))[..., scale] for scale in scales]
    return torch.stack(of_each, dim=-1)


def _answers(target: Target, x: Tensor) -> Tensor:
    with torch.no_grad():
        y = target.layer(x.to(target.dtype))
    expected = (len(x), len(target.scales))
    space = ", ".join(f"{axis}'" for axis in SPACES[target.dims - 1])
    if y.ndim != 3 + target.dims or (y.shape[0], y.shape[2]) != expected:
        raise ValueError(
            f"output of {target.name} of shape {tuple(y.shape)}: must be [B={expected[0]}, C_out, "
            f"S={expected[1]}, {space}]"
        )
    if not torch.isfinite(y).all():
        raise ValueError(f"output of {target.name}: must be finite everywhere")
    return at_centre(target, y).double()


def measure_pair(target: Target, probe: Probe, fine: int, coarse: int) -> PairMeasurement:
    """Δ between the responses at scale `fine` and, to the rescaled signal, at scale `coarse`."""
    ratio = target.scales[coarse] / target.scales[fine]
    near = responses(target, probe)[..., fine]
    far = responses(target, probe.rescaled(ratio, coarse - fine))[..., coarse]
    return PairMeasurement(fine, coarse, ratio, equivariance_error(near, far))


def reference_responses(target: Target, probe: Probe) -> FloatArray:
    """What the documented filters answer at the probe's points: [P, C_out, S], without the layer.

    The filters are evaluated by scipy on the documented supports, input scales above the largest
    count as zero. Raises ValueError if the target's filters are not known.
    """
    filters = known_filters(target)
    scales = range(len(target.scales))
    answers = []
    for scale in scales:
        support = filters.basis.supports[scale]
        functions = sampled_filters(filters.basis, scale, support)
        answer = np.tile(filters.bias, (len(probe.points), 1))
        for step in range(min(target.scale_extent, len(scales) - scale)):
            image = probe.signal[0 if target.lifts else scale + step]
            patches = image.sample_around(probe.points, support).numpy()
            answer += np.einsum(
                "pcyx,ocb,byx->po", patches, filters.coefficients[:, :, step], functions,
                optimize=True,
            )  # fmt: skip
        answers.append(answer)
    return np.stack(answers, axis=-1)


def known_filters(target: Target) -> KnownFilters:
    """The target's documented filters. Raises ValueError if they are not known."""
    if target.filters is None:
        raise ValueError(f"filters of {target.name}: must be known for a prediction")
    return target.filters


def complete_pairs(target: Target) -> list[tuple[int, int]]:
    """Neighbouring scales (i, i+1) whose inputs are complete, so that theory promises equality."""
    return [(i, i + 1) for i in range(len(target.scales) - target.scale_extent)]


def random_probe(
    target: Target,
    seed: int,
    points: int = 4,
    bumps: int = 6,
    widths: tuple[float, float] = (2.0, 8.0),
    max_frequency: float = 0.5,
) -> Probe:
    """A probe that fits the target, from a seed; ranges as in `analytic.random_gabor_image`.

    All images share the ranges: at scale i they are what would be seen there.
    """
    rng = np.random.default_rng(seed)
    count = 1 if target.lifts else len(target.scales)

    def image() -> GaborImage:
        return random_gabor_image(
            rng, target.in_channels, bumps, 8.0, widths, max_frequency, target.dims
        )

    return Probe(
        signal=tuple(image() for _ in range(count)),
        points=rng.uniform(-4, 4, (points, target.dims)),
        entering=tuple(image() for _ in range(count - 1)),
        seed=seed,
    )
