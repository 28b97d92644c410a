"""What the raster warp does to a plane wave, in closed form: the reference for `warps`.

kornia's antialiased resize is linear and separable. Along one axis, from n to m pixels, output
pixel i looks at the input position x_i = (i + ½)·n/m − ½, half pixels as in `warps`. It

1. blurs, if any axis shrinks, by a Gaussian of σ = (n/m − 1)/2 pixels, cut off at two σ;
2. interpolates by Keys' cubic with a = −¾ from the four pixels about x_i.

A plane wave e^{iωx} becomes H(ω, φ_i)·e^{iωx_i}, where φ_i is the part of x_i behind the decimal
point. So both the warp's answer and its deviation from the ideal, |1 − H|, are known beforehand:
tests of the warp need no tolerance but rounding.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from verification.reference.analytic import ComplexArray, FloatArray, GaborImage, random_gabor_image
from verification.reference.warps import LEAST_SIGMA, blur_reach

CUBIC_REACH = 2
"""Pixels on each side of a position that cubic interpolation reads."""
INTERPOLATION_GAIN = 1.375
"""Largest sum of |weights| of the cubic, at φ = ½: what one axis can amplify."""

_A = -0.75


def random_plane_waves(
    rng: np.random.Generator, channels: int = 1, waves: int = 4, max_frequency: float = 0.5
) -> GaborImage:
    """A band-limited image: K plane waves per channel, bumps of infinite width.

    Amplitudes are normal, phases uniform, frequencies uniform over the disc of `max_frequency`
    [radians per pixel]; beyond it the spectrum is zero. Raises ValueError as `random_gabor_image`.
    """
    bumps = random_gabor_image(rng, channels, waves, extent=0.0, max_frequency=max_frequency)
    return replace(bumps, widths=np.full((channels, waves), np.inf))


def blur_taps(ratio: float, blurs: bool) -> FloatArray:
    """Weights of the antialiasing blur along one axis: odd in number, symmetric, of sum 1.

    ratio: out/in along this axis; blurs: whether any axis shrinks, else the blur is left out.
    """
    if not blurs:
        return np.ones(1)
    sigma = max((1 / ratio - 1) / 2, LEAST_SIGMA)
    distances = np.arange(-blur_reach(ratio, blurs), blur_reach(ratio, blurs) + 1)
    weights = np.exp(-((distances / sigma) ** 2) / 2)
    return np.asarray(weights / weights.sum())


def transfer(ratio: float, blurs: bool, frequency: FloatArray, phase: FloatArray) -> ComplexArray:
    """H(ω, φ) along one axis: frequencies [radians per input pixel] and phases broadcast."""
    taps = blur_taps(ratio, blurs)
    offsets = np.arange(len(taps)) - len(taps) // 2
    blur = (taps * np.cos(frequency[..., None] * offsets)).sum(axis=-1)
    cubic = np.zeros(np.broadcast(frequency, phase).shape, dtype=np.complex128)
    for pixel in (-1, 0, 1, 2):
        distance = pixel - phase
        cubic += _cubic(np.abs(distance)) * np.exp(1j * frequency * distance)
    return np.asarray(blur * cubic)


def predict_warped(waves: GaborImage, size: int, sides: tuple[int, int]) -> Tensor:
    """What resizing size×size samples of plane waves to `sides` must give: [C, rows, columns].

    Pixels near the border, which depend on what is beyond it, are given as if it went on.
    Raises ValueError for bumps of finite width, which are no plane waves.
    """
    factors = []
    for axis in (0, 1):
        gain, position = _axis_gain(waves, size, sides, axis)
        factors.append(gain * waves.axis_factor(axis, position[None] - size // 2)[0])
    rows, columns = factors
    rows = rows * (waves.amplitudes * np.exp(1j * waves.phases))[..., None]
    return torch.from_numpy(np.real(np.swapaxes(rows, -1, -2) @ columns).copy())


def deviation_bound(waves: GaborImage, size: int, sides: tuple[int, int]) -> float:
    """How far a warped sum of plane waves may be from the ideal one at any pixel: Σ|a|·|1 − H|.

    Raises ValueError for bumps of finite width, which are no plane waves.
    """
    rows, columns = (
        np.abs(1 - _axis_gain(waves, size, sides, axis)[0]).max(axis=-1) for axis in (0, 1)
    )
    # |1 − H₁H₂| ≤ |1 − H₁| + |H₁|·|1 − H₂|
    return float((np.abs(waves.amplitudes) * (rows + (1 + rows) * columns)).sum())


def _axis_gain(
    waves: GaborImage, size: int, sides: tuple[int, int], axis: int
) -> tuple[ComplexArray, FloatArray]:
    """H of each wave at each output pixel of one axis [C, K, m], and the pixels' positions [m]."""
    if np.isfinite(waves.widths).any():
        raise ValueError("waves: must be plane waves, of infinite width")
    side = sides[axis]
    position = (np.arange(side) + 0.5) * size / side - 0.5
    frequency = waves.frequencies[..., axis, None]
    phase = position - np.floor(position)
    return transfer(side / size, min(sides) < size, frequency, phase), position


def _cubic(distance: FloatArray) -> FloatArray:
    """Keys' kernel at distances [pixels], 0 or more."""
    near = ((_A + 2) * distance - (_A + 3)) * distance**2 + 1
    far = ((distance - 5) * distance + 8) * distance * _A - 4 * _A
    return np.where(distance <= 1, near, np.where(distance < CUBIC_REACH, far, 0.0))
