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

from verification.layer.targets import KnownFilters, Target
from verification.reference.continuum import sampled_filters
from verification.reference.errors import equivariance_error
from verification.signals.analytic import FloatArray, GaborImage, random_gabor_image

Signal = tuple[GaborImage, ...]
"""One image for a layer that lifts, one per input scale for a layer on scale and space."""


@dataclass(frozen=True, eq=False)
class Probe:
    """A signal, P points [P, 2] to look at, and what enters at the fine end when it is rescaled.

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

    def sampled(self, target: Target, window: int | None = None) -> Tensor:
        """Inputs of the target around each point: [P, C_in, (S,) window, window] float64.

        window: in pixels, by default the target's own.
        """
        side = target.window if window is None else window
        # Samples lie at p + i − side//2: half a pixel more for the centre of an even window.
        points = self.points + (0.0 if side % 2 else 0.5)
        images = [image.sample_around(points, side) for image in self.signal]
        return images[0] if target.lifts else torch.stack(images, dim=2)


@dataclass(frozen=True)
class PairMeasurement:
    """What the probe found between scales `fine` and `coarse`, s = σ_coarse/σ_fine."""

    fine: int
    coarse: int
    ratio: float
    error: float


def responses(target: Target, probe: Probe) -> Tensor:
    """The layer's answers at the probe's points: [P, C_out, S] float64.

    Raises ValueError for an output of another rank, number of points or scales, with an even side
    (which has no centre), or that is not finite.
    """
    x = probe.sampled(target)
    with torch.no_grad():
        y = target.layer(x.to(target.dtype))
    expected = (len(probe.points), len(target.scales))
    if y.ndim != 5 or (y.shape[0], y.shape[2]) != expected:
        raise ValueError(
            f"output of {target.name} of shape {tuple(y.shape)}: "
            f"must be [B={expected[0]}, C_out, S={expected[1]}, H', W']"
        )
    if y.shape[-1] % 2 == 0 or y.shape[-2] % 2 == 0:
        raise ValueError(
            f"output of {target.name} of shape {tuple(y.shape)} for an input of side "
            f"{target.window}: must have odd sides, so that it has a centre pixel"
        )
    if not torch.isfinite(y).all():
        raise ValueError(f"output of {target.name}: must be finite everywhere")
    return y[..., y.shape[-2] // 2, y.shape[-1] // 2].double()


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
    """A probe that fits the target, from a seed; ranges as in `signals.random_gabor_image`.

    All images share the ranges: at scale i they are what would be seen there.
    """
    rng = np.random.default_rng(seed)
    count = 1 if target.lifts else len(target.scales)

    def image() -> GaborImage:
        return random_gabor_image(
            rng, target.in_channels, bumps, widths=widths, max_frequency=max_frequency
        )

    return Probe(
        signal=tuple(image() for _ in range(count)),
        points=rng.uniform(-4, 4, (points, 2)),
        entering=tuple(image() for _ in range(count - 1)),
        seed=seed,
    )
