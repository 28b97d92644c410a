"""The compared methods step by step: slow, plain, and the oracle for the fast layers.

Every function follows the description of its method literally: filters and images are resized by
torch's own interpolation or sampled from a formula, convolutions are sums over taps.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import ive
from torch import Tensor


def noise(*shape: int, seed: int = 0) -> Tensor:
    """White noise, [*shape] float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def assert_same(actual: Tensor, expected: Tensor) -> None:
    """Equal up to float64 rounding of sums."""
    assert actual.shape == expected.shape
    error = (actual - expected).detach().abs().max()
    assert float(error) <= 1e-12 * float(expected.detach().abs().max())


def rescaled_in_frame(x: Tensor, scale: float, mode: str) -> Tensor:
    """Resized by `scale`, then padded with zeros or cropped to its own size: [.., H, W]."""
    if scale == 1:
        return x
    aligned = None if mode == "nearest" else True
    resized = F.interpolate(x, scale_factor=scale, mode=mode, align_corners=aligned)
    rows, columns = (a - b for a, b in zip(x.shape[-2:], resized.shape[-2:], strict=True))
    return F.pad(
        resized, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
    )  # fmt: skip


def sicnn_filters(weight: Tensor, scale: float, largest_scale: float) -> Tensor:
    """One column's filters in the frame of the largest: [C_out, C_in, F, F]."""
    size = weight.shape[-1]
    margin = math.ceil((int(size * largest_scale) - size) / 2)
    frame = F.pad(weight, [margin] * 4)
    filters = rescaled_in_frame(frame, scale, "nearest" if scale > 1 else "bilinear")
    norms = filters.abs().sum(dim=(2, 3), keepdim=True)
    return filters * weight.abs().sum(dim=(2, 3), keepdim=True) / norms


def sicnn(x: Tensor, weight: Tensor, scales: Sequence[float], stride: int) -> Tensor:
    """[B, C_in, S, H, W] -> [B, C_out, S, H', W']."""
    columns = []
    for i, scale in enumerate(scales):
        filters = sicnn_filters(weight, scale, max(scales))
        padding = filters.shape[-1] // 2
        columns.append(F.conv2d(x[:, :, i], filters, stride=stride, padding=padding))
    return torch.stack(columns, dim=2)


def si_convnet(
    x: Tensor, weight: Tensor, bias: Tensor | None, scales: Sequence[float], stride: int,
    padding: int,
) -> Tensor:  # fmt: skip
    """[B, C_in, H, W] -> [B, C_out, H', W']."""
    responses = []
    for scale in scales:
        resized = rescaled_in_frame(x, scale, "bilinear")
        response = F.conv2d(resized, weight, bias, stride, padding)
        responses.append(rescaled_in_frame(response, 1 / scale, "bilinear"))
    return torch.stack(responses).amax(dim=0)


def sevf_responses(
    x: Tensor, weights: Sequence[Tensor], steps: Sequence[int], base: float, padding: int
) -> Tensor:
    """[B, C_in, H, W] and a filter for each step -> [B, C_out, S, H', W']."""
    height, width = x.shape[-2:]
    lost = weights[0].shape[-1] - 1 - 2 * padding
    responses = []
    for weight, step in zip(weights, steps, strict=True):
        size = (round(height * base**step), round(width * base**step))
        resized = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        response = F.conv2d(resized, weight, padding=padding)
        size = (height - lost, width - lost)
        responses.append(F.interpolate(response, size=size, mode="bilinear", align_corners=False))
    return torch.stack(responses, dim=2)


def sevf_vectors(responses: Tensor, steps: Sequence[int]) -> Tensor:
    """[B, C, S, H, W] -> [B, C, 2, H, W], one position after the other."""
    delta = (2 * math.pi / 3) / (len(steps) - 1)
    flat = responses.movedim(2, -1).reshape(-1, len(steps)).tolist()
    vectors = []
    for values in flat:
        best = max(range(len(values)), key=values.__getitem__)
        vector = cmath.rect(max(values[best], 0.0), steps[best] * delta)
        vectors.append([vector.real, vector.imag])
    b, c, _, h, w = responses.shape
    return torch.tensor(vectors, dtype=responses.dtype).view(b, c, h, w, 2).movedim(-1, 2)


def turned(weight: Tensor, angle: float) -> Tensor:
    """Vectors along dimension 2 turned by `angle`: [C_out, C_in, 2, k, k] -> the same."""
    turned_numbers = torch.complex(weight[:, :, 0], weight[:, :, 1]) * cmath.exp(1j * angle)
    return torch.stack([turned_numbers.real, turned_numbers.imag], dim=2)


def discrete_gaussian(variance: float, half_width: int) -> Tensor:
    """e^{−t} I_n(t) by scipy, scaled to sum 1: [2·half_width + 1]."""
    kernel = ive(np.abs(np.arange(-half_width, half_width + 1)), variance)
    return torch.from_numpy(kernel / kernel.sum())


def dss_stack(x: Tensor, num_scales: int, zero_scale: float) -> Tensor:
    """[B, C, H, W] -> [B, C, S, H, W] by two-dimensional kernels."""
    stack = [x]
    for k in range(1, num_scales):
        variance = zero_scale**2 * (4**k - 1)
        width = 4 * math.ceil(math.sqrt(variance))
        kernel = discrete_gaussian(variance, width)
        filters = torch.outer(kernel, kernel).expand(x.shape[1], 1, -1, -1)
        stack.append(F.conv2d(x, filters, padding=width, groups=x.shape[1]))
    return torch.stack(stack, dim=2)


def dss_convolution(x: Tensor, weight: Tensor, num_scales: int, stride: int) -> Tensor:
    """[B, C_in, S_in, H, W] -> [B, C_out, S, H', W'], a sum over taps."""
    extent, size = weight.shape[2:4]
    height, width = x.shape[-2:]
    reach = 2 ** (num_scales - 1) * (size // 2)
    padded = F.pad(x, [reach] * 4)
    y = torch.zeros(x.shape[0], weight.shape[0], num_scales, height, width, dtype=x.dtype)
    for k in range(num_scales):
        for j in range(min(extent, x.shape[2] - k)):
            for u in range(size):
                for v in range(size):
                    top = reach + 2**k * (u - size // 2)
                    left = reach + 2**k * (v - size // 2)
                    shifted = padded[:, :, k + j, top : top + height, left : left + width]
                    y[:, :, k] += torch.einsum("oc,bchw->bohw", weight[:, :, j, u, v], shifted)
    return y[..., ::stride, ::stride]


def log_radial_filters(
    weight: Tensor, centre: Tensor, size: int, largest: int, reference: float,
    orders: Sequence[float],
) -> Tensor:  # fmt: skip
    """Filters of one size, pixel by pixel: [C_out, C_in, K, J, 2] -> [C_out, C_in, size, size]."""
    half, num_angles = largest // 2, weight.shape[3]
    total = torch.zeros(*weight.shape[:2], largest, largest, dtype=weight.dtype)
    for i, order in enumerate(orders):
        k = 2 * math.pi * order / math.log(half * math.sqrt(2))
        for j in range(num_angles):
            phi = math.pi * j / (num_angles - 1)
            harmonic = torch.zeros(largest, largest, dtype=torch.complex128)
            for row in range(-half, half + 1):
                for column in range(-half, half + 1):
                    if math.hypot(row, column) <= half:
                        value = torch.tensor(_harmonic(row, column, phi, k), dtype=harmonic.dtype)
                        harmonic[row + half, column + half] = value
            real, imaginary = harmonic.real, harmonic.imag
            coefficients = torch.complex(weight[:, :, i, j, 0], weight[:, :, i, j, 1])
            steered = coefficients * cmath.exp(-1j * k * math.log(size / reference))
            total += steered.real[..., None, None] * (real / real.norm())
            total -= steered.imag[..., None, None] * (imaginary / imaginary.norm())
    total[:, :, half, half] += centre
    inside = slice(half - size // 2, half + size // 2 + 1)
    return total[:, :, inside, inside]


def _harmonic(row: int, column: int, phi: float, k: float) -> complex:
    radius = math.hypot(row, column) or 1.0
    angle = math.atan2(column, -row) if (row, column) != (0, 0) else 0.0
    lobes = [abs(cmath.phase(cmath.exp(1j * (angle - phi - turn)))) for turn in (0, math.pi)]
    envelope = math.exp(-(min(lobes) ** 2) / (2 * (math.pi / 16) ** 2)) / radius
    return cmath.rect(envelope, k * math.log(radius) - math.pi / 4)
