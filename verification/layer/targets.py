"""What a layer must offer to be judged, and how to describe one.

A `Target` is a callable with three facts: its scales, whether it lifts images or acts on functions
of scale and space, and how large a window its centre output sees. With those the exact probe
measures its equivariance. If its filters are known as well (a Hermite basis and coefficients), the
error can be bounded beforehand, and the responses compared with an independent reference.

Convention: images [B, C, H, W], functions on scale and space [B, C, S, H, W], scales growing.
Signals have one axis in place of H, W, and volumes three; all are as long as the window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from verification.reference.analytic import FloatArray
from verification.reference.continuum import HermiteBasis


class OptionError(ValueError):
    """What the caller says of a layer, or asks for, is not allowed: no fault of the layer's."""


OUTPUTS = ("scales", "map", "classes")
"""What a target may give: a function of scale and space, one of space, or scores of classes."""


@dataclass(frozen=True)
class KnownFilters:
    """The documented filters of a layer.

    coefficients: [C_out, C_in, K_S, N_b]; bias: [C_out], zeros if there is none.
    """

    basis: HermiteBasis
    coefficients: FloatArray
    bias: FloatArray


@dataclass(frozen=True)
class Target:
    """A layer under test.

    layer: [B, C_in, H, W] or [B, C_in, S, H, W] -> [B, C_out, S, H', W'].
    scales: σ of each output scale, growing; any unit, only ratios count.
    in_channels: C_in.
    window: side length in pixels of an input whose output has a centre pixel that sees no border;
    the centre of an even window lies between pixels (so behind a pooling of even size).
    centres: of each scale, what its centre pixel looks at, in pixels of the window along each axis;
    by default the middle of the window. dims: how many axes space has. one_size: whether the layer
    takes windows alone, and no other size. centre_only: whether only centre pixels can be read.
    lifts: True if the input is an image, False if it has a scale axis.
    scale_extent: K_S, how many neighbouring input scales one output scale sums over.
    stride: input pixels from one output pixel to the next.
    dtype: what inputs are cast to.
    filters: the documented filters, if known.
    output: "scales" as above; "map" for [B, C_out, H', W'] and "classes" for [B, classes], which
    should not change with scale.
    estimated: whether the scales were not given but fitted to the layer's own answers.
    tolerance: of the relative squared error of equivariance, where the user gave one.
    padding: pixels of zeros on each side, where that is documented.
    rebuild: makes the layer anew from a seed, with other weights, where somebody can.
    readings: what `layer.reading` has read off it, so that it is read once.

    Raises ValueError for scales that do not grow, counts below 1, or an unknown output.
    """

    name: str
    layer: Callable[[Tensor], Tensor]
    scales: tuple[float, ...]
    in_channels: int
    window: int
    lifts: bool
    scale_extent: int = 1
    stride: int = 1
    dtype: torch.dtype = torch.float64
    filters: KnownFilters | None = None
    output: str = "scales"
    estimated: bool = False
    tolerance: float | None = None
    padding: int | None = None
    rebuild: Callable[[int], Callable[[Tensor], Tensor]] | None = None
    centres: tuple[tuple[float, ...], ...] = ()
    dims: int = 2
    one_size: bool = False
    centre_only: bool = False
    readings: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.scales or any(
            b <= a for a, b in zip((0.0, *self.scales), self.scales, strict=False)
        ):
            raise OptionError(f"scales={self.scales!r}: must be positive and grow")
        for name in ("window", "in_channels", "stride"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name}={getattr(self, name)!r}: must be at least 1")
        if self.tolerance is not None and not self.tolerance > 0:
            raise OptionError(f"tolerance={self.tolerance!r}: must be positive")
        if self.output not in OUTPUTS:
            raise OptionError(f"output={self.output!r}: must be one of {', '.join(OUTPUTS)}")
        if not 1 <= self.scale_extent <= len(self.scales):
            raise OptionError(
                f"scale_extent={self.scale_extent!r}: must be from 1 to {len(self.scales)} scales"
            )

    def shape(self, side: int | None = None) -> tuple[int, ...]:
        """(C_in, (S,) side, …) of an input; side: in pixels, by default the window."""
        inner = () if self.lifts else (len(self.scales),)
        return (self.in_channels, *inner, *[self.window if side is None else side] * self.dims)

    def centre_of(self, scale: int) -> tuple[float, ...]:
        """What the centre pixel of a scale looks at, in pixels of the window along each axis."""
        middle = ((self.window - 1) / 2,) * self.dims
        return self.centres[min(scale, len(self.centres) - 1)] if self.centres else middle

    @property
    def configuration(self) -> str:
        """What a reader needs to build the target again, in one line."""
        scales = ", ".join(f"{scale:.6g}" for scale in self.scales)
        kind = "lifts" if self.lifts else f"K_S {self.scale_extent}"
        basis = "" if self.filters is None else f", {self.filters.basis!r}"
        return (
            f"scales {scales}; {kind}, C_in {self.in_channels}, stride {self.stride}, "
            f"window {self.window}, {self.dtype}{basis}"
        )


class SteerableLayer(Protocol):
    """The attributes from which `describe` makes a target; see `sesn_impl.LiftingConv2d`."""

    @property
    def basis(self) -> HermiteBasis: ...  # noqa: D102
    @property
    def weight(self) -> Tensor: ...  # noqa: D102
    @property
    def bias(self) -> Tensor | None: ...  # noqa: D102
    @property
    def padding(self) -> int: ...  # noqa: D102
    @property
    def stride(self) -> int: ...  # noqa: D102

    def __call__(self, x: Tensor) -> Tensor: ...  # noqa: D102


def describe(
    layer: SteerableLayer, name: str | None = None, basis: HermiteBasis | None = None
) -> Target:
    """The target of a lifting or scale convolution with Hermite filters.

    basis: the documented basis, if it is not the one that the layer itself claims to use.
    Raises ValueError for a stride or padding that differs between rows and columns.
    """
    for option in ("padding", "stride"):
        if not isinstance(value := getattr(layer, option), int):
            raise ValueError(f"{option}={value!r}: must be the same for rows and columns")
    documented = layer.basis if basis is None else basis
    weight = layer.weight.detach().to("cpu", torch.float64)
    lifts = weight.ndim == 3
    coefficients = weight.unsqueeze(2) if lifts else weight
    kernel_size = int(documented.functions.shape[-1])
    return Target(
        name=type(layer).__name__ if name is None else name,
        layer=layer,
        scales=documented.scales,
        in_channels=coefficients.shape[1],
        # Of the windows that hold a whole filter, the smallest with a centre after padding: its
        # side and that of the output both grow by even numbers.
        window=kernel_size + 2 * (-layer.padding % layer.stride),
        lifts=lifts,
        scale_extent=coefficients.shape[2],
        stride=layer.stride,
        dtype=layer.weight.dtype,
        padding=layer.padding,
        filters=KnownFilters(documented, coefficients.numpy(), _bias_of(layer, len(weight))),
    )


def _bias_of(layer: SteerableLayer, channels: int) -> FloatArray:
    if layer.bias is None:
        return np.zeros(channels)
    return np.asarray(layer.bias.detach().to("cpu", torch.float64).numpy())
