"""DSS, deep scale-spaces of Worrall and Welling (2019, arXiv 1905.11697).

An image becomes a stack of blurred copies, and a filter meets copy k with its taps base^k apart:

    f(k, x) = (G_{t_k} * f)(x),     t_k = z²(base^{2k} − 1)
    y(k, x) = Σ_j Σ_u w(j, u) f(k+j, x + base^k u)

Scaling acts on a stack by moving on to the next copy and keeping every base-th pixel,

    (L f)(k, x) = f(k+1, base·x)

and the convolution obeys L y[f] = y[L f] exactly, except at the top of the scale axis, where copies
are missing. The blur is Lindeberg's discrete Gaussian, with kernel e^{−t} I_n(t) and therefore
G_s * G_t = G_{s+t} on the pixel grid. That L of an image's stack is the stack of its blurred and
subsampled copy holds for smooth images only: a small z lets the subsampling alias, and a discrete
Gaussian at every base-th pixel is not quite another one.

This is the method as the authors of SESN re-implemented it. It shrinks nothing: resolution is lost
by blur alone, and pooling and strides between the layers break L.
"""

from __future__ import annotations

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sesn_impl.arguments import check_at_least, check_odd, check_shape
from sesn_impl.baselines.common import FixedTensors
from sesn_impl.fast import arranged, correlate, joined, resample, scales_of, stack_scales
from sesn_impl.states import Configuration, Configured


class GaussianScaleSpace(FixedTensors):
    """Stack of blurred copies: [B, C, H, W] -> [B, C, S, H, W], the first as it came.

    num_scales: S; base: integer ratio of successive scales, at least 2; zero_scale: z, the blur in
    pixels that the image is taken to have.
    Blurs are cut off at 4·⌈√t⌉ pixels and sum to 1; outside the image is 0.

    Raises ValueError for an option out of range or an input without 4 dimensions.
    Source: the released `BesselConv2d`.
    """

    def __init__(self, num_scales: int, zero_scale: float, base: int = 2) -> None:
        super().__init__()
        check_at_least(1, num_scales=num_scales)
        check_at_least(2, base=base)
        if not (math.isfinite(zero_scale) and zero_scale > 0):
            raise ValueError(f"zero_scale={zero_scale!r}: must be a finite positive number")
        self.num_scales, self.zero_scale, self.base = num_scales, zero_scale, base
        self.variances = tuple(zero_scale**2 * (base ** (2 * k) - 1) for k in range(num_scales))
        for k, variance in enumerate(self.variances[1:], start=1):
            half_width = 4 * math.ceil(variance**0.5)
            self.fix(f"kernel_{k}", partial(discrete_gaussian, variance, half_width))

    def configuration(self) -> Configuration:
        """The scales of the copies."""
        return {
            "num_scales": (self.num_scales,), "base": (self.base,),
            "zero_scale": (self.zero_scale,),
        }  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, S, H, W]."""
        check_shape(x, "[B, C, H, W]")
        x = arranged(x)
        copies = (
            resample(x, self._blur(k, x.shape[-2], x), self._blur(k, x.shape[-1], x))
            for k in range(1, self.num_scales)
        )
        return stack_scales([x, *copies])

    def _blur(self, k: int, size: int, like: Tensor) -> Tensor:
        """Blurring of one axis of `size` pixels: [size, size]."""
        kernel = self.fixed(f"kernel_{k}", like)
        width = len(kernel) // 2
        pixels = torch.arange(size, device=like.device)
        distances = (pixels[:, None] - pixels).abs().clamp(max=width + 1)
        return F.pad(kernel[width:], (0, 1))[distances]

    def extra_repr(self) -> str:
        """The options that a reader of the printed model needs."""
        return f"num_scales={self.num_scales}, zero_scale={self.zero_scale}, base={self.base}"


class DilatedScaleConv2d(Configured):
    """Convolution on a stack, taps base^k apart: [B, C_in, S_in, H, W] -> [B, C_out, S, H', W'].

    weight: [C_out, C_in, K_S, k, k]; no bias. num_scales: S, at most S_in.
    Output k sums over input copies k … k+K_S−1; copies above the last one count as zero.
    H' = ⌈H/stride⌉: the image is padded by base^k·(k−1)/2 zeros.
    initialisation: "he", normal with variance 2/fan_in; "delta", which hands channels through: the
    centre taps of matching groups of channels share 1, all others are uniform within ±0.01.

    Raises ValueError for an option out of range or an input of another shape.
    Source: the released `Dconv2d`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, num_scales: int,
        scale_extent: int = 1, stride: int = 1, base: int = 2, initialisation: str = "he",
    ) -> None:  # fmt: skip
        super().__init__()
        channels = {"in_channels": in_channels, "out_channels": out_channels}
        check_at_least(1, **channels, num_scales=num_scales, stride=stride)
        check_at_least(2, base=base)
        check_odd(kernel_size=kernel_size)
        if not 1 <= scale_extent <= num_scales:
            raise ValueError(
                f"scale_extent={scale_extent!r}: must be between 1 and num_scales={num_scales}"
            )
        if initialisation not in {"he", "delta"}:
            raise ValueError(f"initialisation={initialisation!r}: must be 'he' or 'delta'")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.base = kernel_size, stride, base
        self.num_scales, self.scale_extent = num_scales, scale_extent
        self.initialisation = initialisation
        shape = (out_channels, in_channels, scale_extent, kernel_size, kernel_size)
        self.weight = nn.Parameter(torch.empty(shape))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the weights as `initialisation` says."""
        if self.initialisation == "he":
            nn.init.normal_(self.weight, std=math.sqrt(2 / self.weight[0].numel()))
        else:
            _delta_(self.weight)

    def configuration(self) -> Configuration:
        """The scales that the taps are spread to."""
        return {"num_scales": (self.num_scales,), "base": (self.base,)}

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, S_in, H, W] -> [B, C_out, S, H', W']."""
        layout = f"[B, C_in={self.in_channels}, S_in ≥ {self.num_scales}, H, W]"
        check_shape(x, layout, self.in_channels)
        if x.shape[2] < self.num_scales:
            raise ValueError(f"x of shape {tuple(x.shape)}: must be {layout}")
        copies = scales_of(arranged(x))
        return stack_scales(self._respond(copies, k) for k in range(self.num_scales))

    def _respond(self, copies: list[Tensor], scale: int) -> Tensor:
        """Output at one scale: S_in × [B, C_in, H, W] -> [B, C_out, H', W']."""
        seen = copies[scale : scale + self.scale_extent]
        weight = self.weight[:, :, : len(seen)].transpose(1, 2).flatten(1, 2)
        dilation = self.base**scale
        x = joined(seen)
        return correlate(x, weight, self.stride, dilation * (self.kernel_size // 2), dilation)

    def extra_repr(self) -> str:
        """The options that a reader of the printed model needs."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"num_scales={self.num_scales}, scale_extent={self.scale_extent}, "
            f"stride={self.stride}, base={self.base}"
        )


def discrete_gaussian(variance: float, half_width: int) -> Tensor:
    """Lindeberg's discrete Gaussian, e^{−t} I_n(t) for |n| ≤ half_width, scaled to sum 1.

    [2·half_width + 1] float64. Its transfer function is exp(t(cos θ − 1)), so it is the inverse
    Fourier transform of that; what wraps around is I_n(t) at n far beyond every kernel here.
    """
    points = 8 * half_width + 256
    frequencies = 2 * math.pi * torch.arange(points, dtype=torch.float64) / points
    taps = torch.fft.ifft(torch.exp(variance * (torch.cos(frequencies) - 1))).real
    kernel = taps.roll(half_width)[: 2 * half_width + 1]
    discrete: Tensor = kernel / kernel.sum()
    return discrete


def _delta_(weight: Tensor) -> None:
    """The "delta" start of `DilatedScaleConv2d`, in place."""
    out_channels, in_channels = weight.shape[:2]
    groups = math.gcd(out_channels, in_channels)
    out_groups = torch.arange(out_channels) * groups // out_channels
    in_groups = torch.arange(in_channels) * groups // in_channels
    matching = (out_groups[:, None] == in_groups[None, :]).to(weight.device)
    centre = weight.shape[-1] // 2
    nn.init.uniform_(weight, -0.01, 0.01)
    with torch.no_grad():
        weight[:, :, :, centre, centre] = torch.where(
            matching[:, :, None], groups / out_channels, weight[:, :, :, centre, centre]
        )
