"""The budget of a real layer: finite image, end of the scale axis and working precision included.

Needs a layer whose filters are known, and on a finite image a stride of 1. Convention: the image
has image_size² pixels, its pixel image_size // 2 is the one nearest to the signal's origin, and the
grid is moved by up to half a pixel so that the point that is looked at is a pixel of it; nothing is
interpolated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from verification.budget.filters import (
    combine,
    inside_image,
    invisible_directions,
    nearest_pixels,
    pair_budget,
    pair_of_chains,
)
from verification.budget.parts import PairBudget, budget_of
from verification.layer.probe import Probe, known_filters, responses
from verification.layer.targets import KnownFilters, Target
from verification.reference.analytic import FloatArray, GaborImage, stack_channels


def predict_pair(target: Target, probe: Probe, fine: int, coarse: int) -> PairBudget:
    """The budget of the same measurement from the documented filters alone, without the layer.

    Raises ValueError if the target's filters are not known or if `coarse` is one of the top
    K_S − 1 scales, whose input is cut off.
    """
    filters = known_filters(target)
    if coarse > len(target.scales) - target.scale_extent:
        raise ValueError(
            f"coarse={coarse!r}: with scale_extent={target.scale_extent} the largest scale "
            f"with a complete input is {len(target.scales) - target.scale_extent}"
        )
    # [C_out, C_in, K_S, N_b] -> [C_out, K_S·C_in, N_b], in the order of the stacked channels.
    coefficients = filters.coefficients.swapaxes(1, 2)
    coefficients = coefficients.reshape(len(coefficients), -1, coefficients.shape[-1])
    first = 0 if target.lifts else fine
    image = stack_channels(list(probe.signal[first : first + target.scale_extent]))
    return pair_budget(filters.basis, fine, coarse, image, probe.points, coefficients, filters.bias)


def layer_budget(
    target: Target, probe: Probe, fine: int, coarse: int, image_size: int | None = None
) -> PairBudget:
    """Budget of what the layer itself does between two scales, measured by running it.

    image_size: side of the image in pixels, zeros around it as the layer pads them; without it
    the layer sees all that its filters reach.

    Raises ValueError if the target's filters are not known, for indices that are not two scales in
    order, for a stride on a finite image, or for points that the layer has no output at.
    """
    filters = known_filters(target)
    slices = _Slices.of(target, filters, fine, coarse)
    ends = (fine, coarse)
    image = slices.image(probe)
    chains = pair_of_chains(filters.basis, ends, image, probe.points, image_size)
    near, far = (list(chain.outputs(slices.all)) for chain in chains)
    near.append(near[-1])
    far.append(combine(chains[1].models[-1], slices.present))
    ratio = chains[1].width / chains[0].width
    real_near = layer_responses(target, probe, image_size)[..., fine]
    moved = probe.rescaled(ratio, coarse - fine)
    real_far = layer_responses(target, moved, image_size)[..., coarse]
    errors = [after - before for before, after in zip(near, far, strict=True)]
    return budget_of(
        ends,
        ratio,
        [*errors, real_far - real_near],
        float((real_near**2).sum()),
        rank=chains[1].of(invisible_directions(filters.basis, fine), slices.all),
        cut_off=float(((near[2] - near[1]) ** 2).sum()),
    )


def layer_responses(target: Target, probe: Probe, image_size: int | None = None) -> FloatArray:
    """The layer's own answers at the probe's points: [P, C_out, S], read without interpolation.

    Raises ValueError for a stride on a finite image, or points that the layer has no output at.
    """
    if image_size is None:
        return np.asarray(responses(target, probe).numpy())
    if target.stride != 1:
        raise ValueError(f"stride={target.stride!r}: must be 1 on a finite image")
    pixels = nearest_pixels(probe.points)
    images = [image.sample_around(probe.points - pixels, image_size) for image in probe.signal]
    x = images[0] if target.lifts else torch.stack(images, dim=2)
    with torch.no_grad():
        y = target.layer(x.to(target.dtype)).double()
    # Padding adds the same on both sides, so the middles of input and output coincide.
    places = pixels + image_size // 2 + (y.shape[-1] - image_size) // 2
    outside = ((places < 0) | (places >= y.shape[-1])).any(axis=1)
    if outside.any():
        point = tuple(probe.points[outside.argmax()].tolist())
        raise ValueError(
            f"point {point} with image_size={image_size!r}: {target.name} has no output there "
            f"(output of {y.shape[-1]}×{y.shape[-1]})"
        )
    return np.asarray(y[np.arange(len(places)), ..., places[:, 0], places[:, 1]].numpy())


def expected_precision(
    target: Target, probe: Probe, fine: int, coarse: int, image_size: int | None = None
) -> float:
    """The `precision` part to be expected of rounding, from above, without running the layer.

    A response is Σ x·g over n taps with filters g = Σ w·ψ over N_b functions. Let u be the unit
    roundoff of the working precision and v that of accumulation, which is float32 or u where that
    is finer. Rounding is at most u, so at most u²/3 in the mean square, once for each x, ψ, g,
    bias and result, and v²/3 for each step of a sum, of at most its terms' magnitudes. Taken as
    independent (the usual model of rounding), the mean square error of a response is at most

        u²/3·(2Σ(xg)² + Σx²Σ(wψ)² + 2y²) + v²/3·(n(Σ|xg|)² + N_b Σx²(Σ|wψ|)²).

    Both scales err, and the reference, which is in float64, errs as a float64 layer does.

    Raises ValueError as `layer_budget` does.
    """
    filters = known_filters(target)
    slices = _Slices.of(target, filters, fine, coarse)
    image = slices.image(probe)
    ratio = target.scales[coarse] / target.scales[fine]
    ends = (
        (fine, image, probe.points, slices.all),
        (coarse, image.rescaled(ratio), probe.points * ratio, slices.present),
    )
    near, far = (_Rounding.of(filters, *end, image_size) for end in ends)
    precisions = (target.dtype, torch.float64)
    return (near.error(*precisions) + far.error(*precisions)) / near.energy


@dataclass(frozen=True)
class _Slices:
    """Coefficients over the K_S stacked input scales: [C_out, K_S·C_in, N_b].

    all: for the inputs that the fine scale has; present: without those the coarse one misses.
    """

    first: int
    count: int
    all: FloatArray
    present: FloatArray

    @classmethod
    def of(cls, target: Target, filters: KnownFilters, fine: int, coarse: int) -> _Slices:
        needed = min(target.scale_extent, len(target.scales) - fine)
        present = min(target.scale_extent, len(target.scales) - coarse)
        # [C_out, C_in, K_S, N_b] -> [C_out, K_S, C_in, N_b], in the order of the stacked channels.
        ordered = filters.coefficients[:, :, :needed].swapaxes(1, 2)
        kept = ordered.copy()
        kept[:, present:] = 0.0
        shape = (len(ordered), -1, ordered.shape[-1])
        first = 0 if target.lifts else fine
        return cls(first, needed, ordered.reshape(shape), kept.reshape(shape))

    def image(self, probe: Probe) -> GaborImage:
        """What the fine scale sees: the channels of its input scales, one after the other."""
        return stack_channels(list(probe.signal[self.first : self.first + self.count]))


@dataclass(frozen=True)
class _Rounding:
    """Sums over points and output channels of what the rounding of one scale is made of.

    energy: y²; taps: Σ(xg)²; atoms: Σx²Σ(wψ)²; path: n(Σ|xg|)² + N_b Σx²(Σ|wψ|)².
    """

    energy: float
    taps: float
    atoms: float
    path: float

    @classmethod
    def of(
        cls, filters: KnownFilters, scale: int, image: GaborImage, points: FloatArray,
        coefficients: FloatArray, image_size: int | None,
    ) -> _Rounding:  # fmt: skip
        size = int(filters.basis.functions.shape[-1])
        patches = image.sample_around(points, size).numpy()
        if image_size is not None:
            patches = patches * inside_image(points, size, image_size)[:, None]
        x = patches.reshape(len(points), -1)  # [P, C·V²]
        psi = filters.basis.functions[:, scale].numpy().reshape(-1, size * size)

        def taps(w: FloatArray, functions: FloatArray) -> FloatArray:
            return (w @ functions).reshape(len(w), -1).T  # [C·V², C_out]

        g = taps(coefficients, psi)
        steps = image.channels * filters.basis.supports[scale] ** 2
        magnitudes = taps(abs(coefficients), abs(psi))
        path = steps * (abs(x) @ abs(g)) ** 2 + len(psi) * (x**2 @ magnitudes**2)
        return cls(
            energy=float(((x @ g + filters.bias) ** 2).sum()),
            taps=float((x**2 @ g**2).sum()),
            atoms=float((x**2 @ taps(coefficients**2, psi**2)).sum()),
            path=float(path.sum()),
        )

    def error(self, *dtypes: torch.dtype) -> float:
        """Summed mean square error of all responses, for all working precisions together."""
        total = 0.0
        for dtype in dtypes:
            working = torch.finfo(dtype).eps / 2
            accumulating = min(working, torch.finfo(torch.float32).eps / 2)
            total += working**2 / 3 * (2 * self.taps + self.atoms + 2 * self.energy)
            total += accumulating**2 / 3 * self.path
        return total
