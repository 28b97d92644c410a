"""SEVF, scale-equivariant vector fields of Marcos et al. (2018, arXiv 1807.11783).

A filter meets the image resized by q^k, k = −4 … 3, and each response is resized back. The largest
one is the magnitude, and its k is written as an angle, so that a layer hands on a vector field:

    m = max(0, max_k r_k),    θ = δ·argmax_k r_k,    (u, v) = (m cos θ, m sin θ),    δ = (2π/3)/7

An image enlarged by q has the same magnitudes, with every angle turned by −δ. A layer that reads a
field turns its filters (w_u, w_v) by the angle kδ before it uses them at k, so that a turned,
enlarged field again gives the same magnitudes one step further down.

This is the method as the authors of SESN re-implemented it: bilinear resizing of input and response
(half-pixel centres, no antialiasing). Differences from the code that they and the method's own
authors released: there the filters turn by −kδ (`turn=-1` here), under which a field's layer is not
equivariant; and the batch norm owns a gain that is never applied. The method's own batch norm
divides by the root of the sum of squared magnitudes, theirs and ours by the standard deviation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sesn_impl.arguments import check_at_least, check_shape
from sesn_impl.baselines.common import FixedTensors, uniform_by_fan_in
from sesn_impl.baselines.resampling import linear_matrix
from sesn_impl.fast import (
    arranged,
    correlate,
    joined,
    largest,
    largest_and_where,
    remembered,
    scales_of,
    stack_scales,
)
from sesn_impl.states import Configuration

STEPS = (-4, -3, -2, -1, 0, 1, 2, 3)
BASE = 1.26
ANGLE_RANGE = 2 * math.pi / 3


class _PyramidConv2d(FixedTensors):
    """What the layers share: responses to the resized image, and the best of them as a vector.

    cosines, sines: [S] of the angle of each step.
    """

    weight: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int, padding: int,
        steps: Sequence[int], base: float, angle_range: float,
    ) -> None:  # fmt: skip
        super().__init__()
        channels = {"in_channels": in_channels, "out_channels": out_channels}
        check_at_least(1, **channels, kernel_size=kernel_size, stride=stride)
        check_at_least(0, padding=padding)
        if len(steps) < 2 or any(b - a != 1 for a, b in pairwise(steps)):
            raise ValueError(f"steps={tuple(steps)!r}: must be two or more successive integers")
        if not (math.isfinite(base) and base > 1):
            raise ValueError(f"base={base!r}: must be a finite number above 1")
        if not 0 < angle_range <= math.pi:
            raise ValueError(f"angle_range={angle_range!r}: must be in (0, π] radians")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.steps, self.base, self.angle_range = tuple(steps), base, angle_range
        step = angle_range / (len(steps) - 1)
        angles = [step * k for k in self.steps]
        for name, function in (("cosines", math.cos), ("sines", math.sin)):
            values = list(map(function, angles))
            self.fix(name, partial(torch.tensor, values, dtype=torch.float64))

    def configuration(self) -> Configuration:
        """The scales that images are resized to, and their angles."""
        return {
            "number of steps": (len(self.steps),), "steps": self.steps, "base": (self.base,),
            "angle_range": (self.angle_range,),
        }  # fmt: skip

    def _respond(self, x: Tensor, weight: Tensor, step: int) -> Tensor:
        """Response to the image resized by base^step: [B, C, H, W] -> [B, C_out, H', W']."""
        if step == 0:
            return correlate(x, weight, self.stride, self.padding)
        options = (self.base**step, self.kernel_size, self.stride, self.padding)
        rows, columns = axis_plan(x, x.shape[-2], *options), axis_plan(x, x.shape[-1], *options)
        there, back = zip(rows, columns, strict=True)
        return correlate(x, weight, self.stride, self.padding, resizing=(there, back))

    def _vectors(self, responses: Iterable[Tensor]) -> Tensor:
        """The best of all responses: S × [B, C, H, W] -> field [B, C, 2, H, W]."""
        best, winners = largest_and_where(responses)
        magnitudes = best.relu()
        return stack_scales(
            magnitudes * self.fixed(name, self.weight)[winners] for name in ("cosines", "sines")
        )

    def _check_size(self, x: Tensor) -> None:
        smallest = round(min(map(int, x.shape[-2:])) * self.base ** self.steps[0])
        if smallest < max(1, self.kernel_size - 2 * self.padding):
            raise ValueError(
                f"x of shape {tuple(x.shape)}: resized by {self.base}^{self.steps[0]} it is "
                f"smaller than kernel_size={self.kernel_size} with padding={self.padding} allows"
            )

    def extra_repr(self) -> str:
        """The options that a reader of the printed model needs."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"steps={self.steps}, base={self.base}, stride={self.stride}, padding={self.padding}"
        )


class VectorLiftingConv2d(_PyramidConv2d):
    """From an image to a vector field: [B, C_in, H, W] -> [B, C_out, 2, H', W'], no bias.

    weight: [C_out, C_in, k, k].
    steps: exponents k of the resizing by base^k; angle_range: radians from first to last step.
    H' = (H + 2·padding − k)/stride + 1.

    Raises ValueError for an option out of range or an input of another shape.
    Source: the released `ScaleConvScalar`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1,
        padding: int = 0, steps: Sequence[int] = STEPS, base: float = BASE,
        angle_range: float = ANGLE_RANGE,
    ) -> None:  # fmt: skip
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, steps, base, angle_range
        )
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size, kernel_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Kaiming-uniform weights with a = √5."""
        uniform_by_fan_in(self.weight, self.in_channels * self.kernel_size**2)

    def responses(self, x: Tensor) -> Tensor:
        """The response of every scale: [B, C_in, H, W] -> [B, C_out, S, H', W']."""
        return stack_scales(self._responses(x))

    def _responses(self, x: Tensor) -> Iterator[Tensor]:
        check_shape(x, f"[B, C_in={self.in_channels}, H, W]", self.in_channels)
        self._check_size(x)
        x = arranged(x)
        return (self._respond(x, self.weight, step) for step in self.steps)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, H, W] -> field [B, C_out, 2, H', W']."""
        return self._vectors(self._responses(x))


class MagnitudeConv2d(VectorLiftingConv2d):
    """The scalar version, which keeps the magnitude alone: [B, C_in, H, W] -> [B, C_out, H', W'].

    Arguments, weight and errors as for `VectorLiftingConv2d`.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, H, W] -> [B, C_out, H', W'], at least 0."""
        return largest(self._responses(x)).relu()


class VectorConv2d(_PyramidConv2d):
    """From field to field: [B, C_in, 2, H, W] -> [B, C_out, 2, H', W'], no bias.

    weight: [C_out, C_in, 2, k, k], the components (w_u, w_v) at step 0.
    steps: exponents k of the resizing by base^k; angle_range: radians from first to last step.
    turn: +1 turns the filters by +kδ at step k; −1 by −kδ, as the released code does.

    Raises ValueError for an option out of range or an input of another shape.
    Source: the released `ScaleConvVector`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1,
        padding: int = 0, steps: Sequence[int] = STEPS, base: float = BASE,
        angle_range: float = ANGLE_RANGE, turn: int = 1,
    ) -> None:  # fmt: skip
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, steps, base, angle_range
        )
        if turn not in (-1, 1):
            raise ValueError(f"turn={turn!r}: must be 1 or -1")
        self.turn = turn
        shape = (out_channels, in_channels, 2, kernel_size, kernel_size)
        self.weight = nn.Parameter(torch.empty(shape))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Kaiming-uniform with a = √5, each component as if it were alone."""
        uniform_by_fan_in(self.weight, self.in_channels * self.kernel_size**2)

    def configuration(self) -> Configuration:
        """The same, and the sense in which filters turn."""
        return {**super().configuration(), "turn": (self.turn,)}

    def responses(self, field: Tensor) -> Tensor:
        """The response of every scale: [B, C_in, 2, H, W] -> [B, C_out, S, H', W']."""
        return stack_scales(self._responses(field))

    def _responses(self, field: Tensor) -> Iterator[Tensor]:
        check_shape(field, f"[B, C_in={self.in_channels}, 2, H, W]", self.in_channels, 2)
        self._check_size(field)
        x = arranged(joined(scales_of(field)))  # [B, 2·C_in, H, W]
        return (self._respond(x, self._turned(i), step) for i, step in enumerate(self.steps))

    def _turned(self, index: int) -> Tensor:
        """Filters for one step, first all of u: [C_out, 2·C_in, k, k]."""
        cosine, sine = (self.fixed(name, self.weight)[index] for name in ("cosines", "sines"))
        sine = self.turn * sine
        w_u, w_v = self.weight.unbind(dim=2)
        return torch.cat([cosine * w_u - sine * w_v, sine * w_u + cosine * w_v], dim=1)

    def forward(self, field: Tensor) -> Tensor:
        """Field [B, C_in, 2, H, W] -> field [B, C_out, 2, H', W']."""
        return self._vectors(self._responses(field))


class VectorMaxPool2d(nn.Module):
    """Keeps the longest vector of each window: [B, C, 2, H, W] -> [B, C, 2, H', W'].

    kernel_size and stride in pixels, the same for rows and columns.
    Raises ValueError for a field of another shape.
    """

    def __init__(self, kernel_size: int, padding: int = 0) -> None:
        super().__init__()
        check_at_least(1, kernel_size=kernel_size)
        if not 0 <= 2 * padding <= kernel_size:
            raise ValueError(f"padding={padding!r}: must be from 0 to half of kernel_size")
        self.kernel_size, self.padding = kernel_size, padding

    def forward(self, field: Tensor) -> Tensor:
        """[B, C, 2, H, W] -> [B, C, 2, H', W']."""
        check_shape(field, "[B, C, 2, H, W]", *field.shape[1:2], 2)
        with torch.no_grad():
            _, index = F.max_pool2d(
                magnitude(field), self.kernel_size, padding=self.padding, return_indices=True
            )
        places = index.flatten(2)[:, :, None].expand(-1, -1, 2, -1)
        vectors = field.flatten(3).gather(3, places)  # [B, C, 2, H'·W']
        return vectors.view(*vectors.shape[:3], *index.shape[-2:])


class VectorBatchNorm2d(nn.Module):
    """Divides by the standard deviation of the magnitude: [B, C, 2, H, W] -> the same.

    weight: [C] gain, ones at start. Nothing is subtracted: that would turn the vectors.
    The running variance moves by `momentum` at each training step, and is used in evaluation.

    Raises ValueError for a field of another shape or a single value per channel in training.
    """

    running_var: Tensor

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.5) -> None:
        super().__init__()
        check_at_least(1, channels=channels)
        if not 0 < momentum <= 1:
            raise ValueError(f"momentum={momentum!r}: must be in (0, 1]")
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, field: Tensor) -> Tensor:
        """[B, C, 2, H, W] -> [B, C, 2, H, W]."""
        channels = len(self.weight)
        check_shape(field, f"[B, C={channels}, 2, H, W]", channels, 2)
        variance = self._batch_variance(field) if self.training else self.running_var
        gain = self.weight / (variance + self.eps).sqrt()
        return field * gain[:, None, None, None]

    def _batch_variance(self, field: Tensor) -> Tensor:
        """Variance of the magnitude over B, H and W, [C]; updates the running one."""
        count = field.numel() // (2 * len(self.weight))
        if count < 2:
            raise ValueError(f"field of shape {tuple(field.shape)}: one value per channel")
        variance = magnitude(field).var(dim=(0, 2, 3), correction=0)
        with torch.no_grad():
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        return variance


def magnitude(field: Tensor) -> Tensor:
    """Length of each vector: [B, C, 2, H, W] -> [B, C, H, W]."""
    if field.dtype not in (torch.float32, torch.float64):
        norm: Tensor = torch.linalg.vector_norm(field, dim=2)  # which squares in a wider range
        return norm
    # torch's norm of so few numbers takes ten times as long. The root is infinitely steep at 0,
    # where the bound, and with it the gradient, is constant; a power of 4, it has an exact root.
    u, v = scales_of(field)
    least = torch.finfo(field.dtype).tiny
    length: Tensor = (u * u + v * v).clamp_min(least).sqrt() - least**0.5
    return length


@remembered
def axis_plan(
    size: int, scale: float, kernel_size: int, stride: int, padding: int
) -> tuple[Tensor, Tensor]:
    """Resizing of one axis before and after the convolution: [size·scale, size], [size', w_out]."""
    resized = round(size * scale)
    length, response = ((n + 2 * padding - kernel_size) // stride + 1 for n in (size, resized))
    there = linear_matrix(size, resized, align_corners=False)
    return there, linear_matrix(response, length, align_corners=False)
