"""SS-CNN, the scale-steerable filters of Ghosh and Gupta (2019, arXiv 1906.03861).

Filters are combinations of log-radial harmonics, which a change of scale multiplies by a number:

    ψ_{k,φ}(t) = g(angle(t) − φ) r⁻¹ exp(i(k ln r − π/4)),     ψ(t/s) = s e^{−ik ln s} ψ(t)

with g a Gaussian of width π/16 on two opposite lobes. So a filter Re Σ c ψ takes relative size s by
turning its complex coefficients by −k ln s. The layer does so for several sizes, and keeps the
largest response at every position.

This is the method as the authors of SESN re-implemented it, close to the method's own code:
- harmonics are sampled on the largest grid, in the disc that it holds, with r = 1 and angle 0 at
  the centre pixel; smaller kernels are square centre crops of it, not smaller discs;
- the real and the imaginary part are each divided by their own norm, and the s of the steering
  equation (1/s for filters that obey ψ_s(t) = s⁻²ψ(t/s)) is left out: steering is approximate;
- of 9 angles on [0, π] the first and last give the same function, so the basis has rank 8 per k;
- both own a weight per channel pair that no forward pass reads. The method's code shows, commented
  out, what it was for: a tap at the centre. Here it is that tap, zero at start; a Dirac impulse is
  its own copy at every scale, so it needs no steering.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sesn_impl.arguments import check_at_least, check_shape
from sesn_impl.baselines.common import FixedTensors
from sesn_impl.fast import arranged, correlate, largest, stack_scales
from sesn_impl.states import Configuration

ANGULAR_WIDTH = math.pi / 16
PHASE = -math.pi / 4


class LogRadialConv2d(FixedTensors):
    """Largest response over filter sizes: [B, C_in, H, W] -> [B, C_out, ⌈H/stride⌉, ⌈W/stride⌉].

    weight: [C_out, C_in, K, J, 2] real and imaginary parts, for K orders and J angles.
    centre: [C_out, C_in] tap at the centre of the filters of all sizes.
    sizes: odd side lengths of the kernels in pixels, growing.
    reference_size: side length in pixels at which coefficients are not steered.
    orders: harmonics per e-fold of the largest radius: k_eff = 2π·order/ln(r_max), with r_max the
    distance from the centre to a corner of the largest kernel.
    num_angles: J directions, evenly spaced on [0, π].

    No ReLU follows: that is the network's business. Raises ValueError for an option out of range or
    an input of another shape. Source: the released `ScaleConv_steering`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, sizes: Sequence[int], reference_size: float,
        orders: Sequence[float] = (0.5, 1, 2), num_angles: int = 9, stride: int = 1,
    ) -> None:  # fmt: skip
        super().__init__()
        channels = {"in_channels": in_channels, "out_channels": out_channels}
        check_at_least(1, **channels, num_angles=num_angles, stride=stride)
        _check_sizes(sizes)
        if not (math.isfinite(reference_size) and reference_size > 0):
            raise ValueError(f"reference_size={reference_size!r}: must be a finite positive number")
        if len(orders) == 0 or not all(math.isfinite(k) and k > 0 for k in orders):
            raise ValueError(f"orders={tuple(orders)!r}: must be one or more positive numbers")
        self.in_channels, self.out_channels, self.stride = in_channels, out_channels, stride
        self.sizes, self.reference_size = tuple(sizes), float(reference_size)
        self.orders, self.num_angles = tuple(map(float, orders)), num_angles
        for size in self.sizes:
            self.fix(f"functions_{size}", partial(self._functions, size))
        shape = (out_channels, in_channels, len(self.orders), num_angles, 2)
        self.weight = nn.Parameter(torch.empty(shape))
        self.centre = nn.Parameter(torch.empty(out_channels, in_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Coefficients uniform within ±√(2/(J·C_in·C_out)), zero centre taps."""
        bound = math.sqrt(2 / (self.num_angles * self.in_channels * self.out_channels))
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.zeros_(self.centre)

    def configuration(self) -> Configuration:
        """The sizes of the filters and the orders of the harmonics."""
        return {
            "number of sizes": (len(self.sizes),), "sizes": self.sizes,
            "reference_size": (self.reference_size,), "orders": self.orders,
        }  # fmt: skip

    def _functions(self, size: int) -> Tensor:
        """What the coefficients of one size multiply: [K·J·2, size, size] float64."""
        harmonics = sampled_harmonics(self.sizes[-1], self.orders, self.num_angles)
        wave_numbers = [wave_number(k, self.sizes[-1]) for k in self.orders]
        steered = _steered(harmonics, wave_numbers, size / self.reference_size)
        margin = (self.sizes[-1] - size) // 2
        inside = slice(margin, margin + size)
        return steered[..., inside, inside].flatten(0, 2).contiguous()

    def filters(self, size: int) -> Tensor:
        """Filters of one size: [C_out, C_in, size, size]."""
        functions = self.fixed(f"functions_{size}", self.weight)  # [K·J·2, size, size]
        taps = self.weight.flatten(2) @ functions.flatten(1)  # [C_out, C_in, size²]
        filters = taps.view(self.out_channels, self.in_channels, size, size)
        return filters + F.pad(self.centre[..., None, None], [size // 2] * 4)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, H, W] -> [B, C_out, H', W']."""
        return largest(self._responses(x))

    def responses(self, x: Tensor) -> Tensor:
        """The response of every size, before the maximum: [B, C_in, H, W] -> [.., S, H', W']."""
        return stack_scales(self._responses(x))

    def _responses(self, x: Tensor) -> Iterator[Tensor]:
        check_shape(x, f"[B, C_in={self.in_channels}, H, W]", self.in_channels)
        x = arranged(x)
        return (correlate(x, self.filters(size), self.stride, size // 2) for size in self.sizes)

    def extra_repr(self) -> str:
        """The options that a reader of the printed model needs."""
        return (
            f"{self.in_channels}, {self.out_channels}, sizes={self.sizes}, "
            f"reference_size={self.reference_size}, orders={self.orders}, "
            f"num_angles={self.num_angles}, stride={self.stride}"
        )


def log_radial_harmonic(rows: Tensor, columns: Tensor, angle: float, wave_number: float) -> Tensor:
    """ψ at offsets in pixels from the centre: two tensors of one shape -> complex, the same shape.

    Angles are measured from the upward direction of the rows, modulo π. At the centre itself, where
    the function has no value, r counts as 1 and the angle as 0.
    """
    radius = torch.hypot(rows, columns)
    radius = torch.where(radius == 0, 1.0, radius)
    turn = torch.remainder(torch.atan2(columns, -rows) - angle, math.pi)
    distance = torch.minimum(turn, math.pi - turn)
    envelope = torch.exp(-(distance**2) / (2 * ANGULAR_WIDTH**2)) / radius
    return torch.polar(envelope, wave_number * radius.log() + PHASE)


def wave_number(order: float, size: int) -> float:
    """k_eff in radians per e-fold of the radius, for a largest kernel of `size` pixels."""
    return 2 * math.pi * order / math.log(math.sqrt(2) * (size // 2))


def sampled_harmonics(size: int, orders: Sequence[float], num_angles: int) -> Tensor:
    """Real and imaginary parts of all harmonics on a size×size grid: [K, J, 2, V, V] float64.

    Each has unit norm, and is zero outside the disc of radius (size − 1)/2.
    """
    offsets = torch.arange(size, dtype=torch.float64) - size // 2
    rows, columns = torch.meshgrid(offsets, offsets, indexing="ij")
    disc = rows**2 + columns**2 <= (size // 2) ** 2
    angles = torch.linspace(0, math.pi, num_angles, dtype=torch.float64).tolist()
    values = torch.stack([
        torch.stack([
            torch.view_as_real(log_radial_harmonic(rows, columns, angle, wave_number(k, size)))
            for angle in angles
        ])
        for k in orders
    ])  # fmt: skip
    parts = values.movedim(-1, 2) * disc
    normalised: Tensor = parts / torch.linalg.vector_norm(parts, dim=(3, 4), keepdim=True)
    return normalised


def _steered(harmonics: Tensor, wave_numbers: Sequence[float], relative_size: float) -> Tensor:
    """What the real and imaginary coefficients multiply at a relative size: [K, J, 2, V, V].

    Re(c e^{−ik ln s} ψ) is linear in Re c and Im c; these are the two functions beside them.
    """
    turns = -torch.tensor(wave_numbers, dtype=torch.float64) * math.log(relative_size)
    cosine, sine = (f(turns)[:, None, None, None] for f in (torch.cos, torch.sin))
    real, imaginary = harmonics.unbind(dim=2)  # [K, J, V, V]
    return torch.stack([cosine * real - sine * imaginary, -sine * real - cosine * imaginary], dim=2)


def _check_sizes(sizes: Sequence[int]) -> None:
    if len(sizes) == 0 or any(n < 3 or n % 2 == 0 for n in sizes):
        raise ValueError(f"sizes={tuple(sizes)!r}: must be one or more odd numbers of at least 3")
    if any(b <= a for a, b in pairwise(sizes)):
        raise ValueError(f"sizes={tuple(sizes)!r}: must grow from first to last")
