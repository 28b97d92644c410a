"""A smooth field of scales: an analytic image under a map whose local factor varies slowly.

The map is T(z) = (e^{γz} − 1)/γ on points z = column + i·row: conformal, with the local factor
e^{γ·column}. So the gradient of the logarithm of the factor is the constant γ [per pixel], and on
the axis row = 0 nothing is turned. Around a point p of that axis, where the factor is s,

    T⁻¹(T(p) + v) = p + h(v/s),   h(u) = log(1 + γu)/γ = u − γu²/2 + …

Without the second term this is the rescaling by s about p, for which the response at scale s·σ is
that of the unwarped image at σ. With F(u) = f(p + u), the response of filters ψ changes by

    γ·A + ρ,   A = −½ Σ ∇F(u)·u² ψ(v),   |ρ| ≤ Σ (L₁|δ + γu²/2| + ½L₂|δ|²) |ψ(v)|,   δ = h(u) − u,

u² the complex square, by Taylor's theorem with bounds L₁ and L₂ on the first and second derivative
of f: first order in γσ, and known beforehand up to second order.

Convention: as in `reference.analytic`; the warped image is sampled as a function, without
interpolation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verification.layer.probe import Probe, known_filters
from verification.layer.scenes import grid_ratio, superpose
from verification.layer.targets import Target
from verification.reference.analytic import ComplexArray, FloatArray, GaborImage, random_gabor_image
from verification.reference.continuum import sampled_filters

_STEEPEST = math.exp(-0.5)
"""Largest slope of a Gaussian, times its width and over its height."""


@dataclass(frozen=True, eq=False)
class FieldScene:
    """An image under a field, and points on its axis at which the factor is a whole power of q.

    image: before the warp; steps: k of each point, whose factor is q^k; ratio: q, above 1;
    gradient: γ, per pixel of the unwarped image, above 0.
    """

    image: GaborImage
    steps: tuple[int, ...]
    ratio: float
    gradient: float

    def about(self, step: int) -> GaborImage:
        """The image as seen from the point whose factor is q^step: F(u) = f(p + u)."""
        return self.image.shifted((0.0, -step * math.log(self.ratio) / self.gradient))

    def factor(self, step: int) -> float:
        """q^step."""
        return float(self.ratio**step)

    def unscaled(self, step: int) -> Probe:
        """The point in the image before the warp."""
        return Probe((self.about(step),), np.zeros((1, 2)), ())

    def rescaled(self, step: int) -> Probe:
        """The point in the image rescaled by its own factor everywhere."""
        return Probe((self.about(step).rescaled(self.factor(step)),), np.zeros((1, 2)), ())

    def warped(self, step: int, size: int) -> Tensor:
        """The warped image on a size×size grid around the warped point: [1, C, size, size].

        Raises ValueError where the map does not reach all of the window.
        """
        seen = self.seen_from(step, size)
        values, _ = values_and_gradients(self.about(step), _as_points(self.back(seen)))
        return torch.from_numpy(values.reshape(1, -1, size, size))

    def seen_from(self, step: int, size: int) -> ComplexArray:
        """What lies at the pixels v of a grid, u = v/s: [size²] complex."""
        pixels = np.arange(size) - size // 2
        u = (pixels[None, :] + 1j * pixels[:, None]).ravel() / self.factor(step)
        if self.gradient * np.abs(u).max() >= 1:
            raise ValueError(
                f"gradient={self.gradient!r}: must be below {1 / np.abs(u).max():.3g} per pixel "
                f"for windows of {size} pixels"
            )
        return np.asarray(u)

    def back(self, u: ComplexArray) -> ComplexArray:
        """Where u of the purely rescaled image comes from in the warped one: h(u) [N] complex."""
        x, y = self.gradient * u.real, self.gradient * u.imag
        # numpy's complex log1p loses digits near zero.
        logarithm = np.log1p(2 * x + x**2 + y**2) / 2 + 1j * np.arctan2(y, 1 + x)
        return np.asarray(logarithm / self.gradient)


def random_field_scene(
    target: Target,
    seed: int,
    steps: tuple[int, ...],
    gradient: float,
    bumps: int = 3,
    widths: tuple[float, float] = (3.0, 8.0),
    max_frequency: float = 0.5,
) -> FieldScene:
    """Bumps around each point, the same for every gradient; ranges as in `random_gabor_image`.

    Raises ValueError for no or negative steps, steps out of range, or a gradient not above 0.
    """
    last = len(target.scales) - 1
    if not steps or not all(0 <= step <= last for step in steps):
        raise ValueError(f"steps={steps!r}: must be one or more integers from 0 to {last}")
    if not gradient > 0:
        raise ValueError(f"gradient={gradient!r}: must be above 0 per pixel")
    ratio, rng = grid_ratio(target.scales), np.random.default_rng(seed)
    shapes = [
        random_gabor_image(rng, target.in_channels, bumps, 4.0, widths, max_frequency).shifted(
            (0.0, step * math.log(ratio) / gradient)
        )
        for step in steps
    ]
    return FieldScene(superpose(shapes), steps, ratio, gradient)


@dataclass(frozen=True, eq=False)
class FieldPrediction:
    """How responses [C_out, S] at one point differ from those under its factor alone.

    first: γ·A; remainder: bound on |ρ|.
    """

    first: FloatArray
    remainder: FloatArray

    @property
    def bound(self) -> FloatArray:
        """What the difference cannot exceed: [C_out, S]."""
        return np.asarray(np.abs(self.first) + self.remainder)


def predict_change(target: Target, scene: FieldScene, step: int) -> FieldPrediction:
    """First-order term and remainder at the point of one step, from the documented filters.

    Raises ValueError if the filters are not known or the field is too steep for their window.
    """
    filters, gamma, image = known_filters(target), scene.gradient, scene.about(step)
    slope, curvature = derivative_bounds(image)
    first, remainder = [], []
    for scale, support in enumerate(filters.basis.supports):
        functions = sampled_filters(filters.basis, scale, support).reshape(-1, support**2)
        weights = np.einsum("ocb,bn->ocn", filters.coefficients[:, :, 0], functions)
        u = scene.seen_from(step, support)
        _, gradients = values_and_gradients(image, _as_points(u))
        along = (gradients * _as_points(u**2)).sum(axis=-1)  # [C, N]
        first.append(-gamma / 2 * np.einsum("ocn,cn->o", weights, along))
        x = gamma * np.abs(u)
        # |log(1+x) − x| ≤ |x|²/2(1−|x|), and with the next term ≤ |x|³/3(1−|x|)
        moved, moved_more = x**2 / (2 * (1 - x)) / gamma, x**3 / (3 * (1 - x)) / gamma
        most = slope[:, None] * moved_more + curvature[:, None] * moved**2 / 2
        remainder.append(np.einsum("ocn,cn->o", np.abs(weights), most))
    return FieldPrediction(np.stack(first, axis=-1), np.stack(remainder, axis=-1))


def values_and_gradients(image: GaborImage, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The image and its derivative along rows and columns at points [N, 2]: [C, N], [C, N, 2]."""
    distance = points - image.centres[..., None, :]  # [C, K, N, 2]
    waves = 1j * (image.frequencies[..., None, :] * distance).sum(axis=-1)
    envelopes = (distance**2).sum(axis=-1) / (2 * image.widths[..., None] ** 2)
    amplitudes = image.amplitudes * np.exp(1j * image.phases)
    bumps = amplitudes[..., None] * np.exp(waves - envelopes)
    slopes = 1j * image.frequencies[..., None, :] - distance / image.widths[..., None, None] ** 2
    gradients = np.real(bumps[..., None] * slopes).sum(axis=1)
    return np.real(bumps).sum(axis=1), np.asarray(gradients)


def derivative_bounds(image: GaborImage) -> tuple[FloatArray, FloatArray]:
    """What the slope and the second derivative in any direction cannot exceed: [C] both."""
    size, frequency = np.abs(image.amplitudes), np.linalg.norm(image.frequencies, axis=-1)
    slope = size * (frequency + _STEEPEST / image.widths)
    crossed = 2 * frequency * _STEEPEST / image.widths
    curvature = size * (frequency**2 + crossed + image.widths**-2.0)
    return slope.sum(axis=-1), curvature.sum(axis=-1)


def _as_points(z: ComplexArray) -> FloatArray:
    """Complex numbers column + i·row as points (row, column): [N, 2]."""
    return np.stack([z.imag, z.real], axis=-1)
