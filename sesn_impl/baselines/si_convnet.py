"""SI-ConvNet, the locally scale-invariant convolution of Kanazawa et al. (2014, arXiv 1412.5104).

The input is resized to several scales, one filter is applied to all of them, the responses are
resized back and the largest one is kept at every position:

    y = max_s  U_{1/s}[ w ⋆ U_s[x] + b ],         U_s: resize by s, then pad or crop to size

This is the layer as the authors of SESN re-implemented it for their comparison: bilinear resizing
with aligned corners, no antialiasing, and a frame of the input's own size at every scale. So the
second resizing is not quite the inverse of the first (28 → 8 → 28 pixels shrinks by 12 %), enlarged
inputs lose their border, and outside what is left of them the response counts as 0 in the maximum.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sesn_impl.arguments import check_at_least, check_scales, check_shape
from sesn_impl.baselines.common import uniform_by_fan_in
from sesn_impl.baselines.resampling import centred, linear_matrix
from sesn_impl.fast import arranged, correlate, largest, remembered, stack_scales
from sesn_impl.states import Configuration, Configured


class ScaleInvariantConv2d(Configured):
    """Convolution at the best of several scales: [B, C_in, H, W] -> [B, C_out, H', W'].

    weight: [C_out, C_in, k, k]; bias: [C_out], added before the response is resized back.
    scales: ratio of resized to original size, growing.
    H' = (H + 2·padding − k)/stride + 1.

    Raises ValueError for an option out of range, an input of another shape, or an input so small
    that a scale leaves nothing of it. Source: the released `Kanazawa_SIConv2d`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, scales: Sequence[float],
        stride: int = 1, padding: int = 0, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        channels = {"in_channels": in_channels, "out_channels": out_channels}
        check_at_least(1, **channels, kernel_size=kernel_size, stride=stride)
        check_at_least(0, padding=padding)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.scales = check_scales(scales)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weights and bias uniform within ±1/√fan_in, as a plain convolution starts."""
        fan_in = self.in_channels * self.kernel_size**2
        uniform_by_fan_in(self.weight, fan_in)
        if self.bias is not None:
            uniform_by_fan_in(self.bias, fan_in)

    def configuration(self) -> Configuration:
        """The scales that images are resized to."""
        return {"number of scales": (len(self.scales),), "scales": self.scales}

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, H, W] -> [B, C_out, H', W']."""
        return largest(self._responses(x))

    def responses(self, x: Tensor) -> Tensor:
        """The response of every scale, before the maximum: [B, C_in, H, W] -> [.., S, H', W']."""
        return stack_scales(self._responses(x))

    def _responses(self, x: Tensor) -> Iterator[Tensor]:
        check_shape(x, f"[B, C_in={self.in_channels}, H, W]", self.in_channels)
        self._check_size(x)
        x = arranged(x)
        return (self._respond(x, scale) for scale in self.scales)

    def _respond(self, x: Tensor, scale: float) -> Tensor:
        """Response of one scale: [B, C_in, H, W] -> [B, C_out, H', W']."""
        if scale == 1:
            y = correlate(x, self.weight, self.stride, self.padding)
            return y if self.bias is None else y + self.bias[:, None, None]
        options = (scale, self.kernel_size, self.stride, self.padding)
        rows, columns = axis_plan(x, x.shape[-2], *options), axis_plan(x, x.shape[-1], *options)
        there, back = zip(rows, columns, strict=True)  # of the frame, the part that is read
        y = correlate(x, self.weight, self.stride, resizing=(there, back))
        if self.bias is None:
            return y
        weights = back[0].sum(1)[:, None] * back[1].sum(1)  # of the bias, resized back
        return y + self.bias[:, None, None] * weights

    def _check_size(self, x: Tensor) -> None:
        size = min(x.shape[-2:])
        length = (size + 2 * self.padding - self.kernel_size) // self.stride + 1
        if min(size * self.scales[0], length / self.scales[-1]) < 1:
            raise ValueError(
                f"x of shape {tuple(x.shape)}: too small for kernel_size={self.kernel_size}, "
                f"padding={self.padding} and scales={self.scales}: at every scale at least one "
                "pixel must be left of the input and of the response"
            )

    def extra_repr(self) -> str:
        """The options that a reader of the printed model needs."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"scales={self.scales}, stride={self.stride}, padding={self.padding}, "
            f"bias={self.bias is not None}"
        )


def resize_in_frame(size: int, scale: float) -> Tensor:
    """Resizing of one axis by `scale`, then padding or cropping to its own size: [size, size]."""
    return centred(linear_matrix(size, math.floor(size * scale), align_corners=True), size)


@remembered
def axis_plan(
    size: int, scale: float, kernel_size: int, stride: int, padding: int
) -> tuple[Tensor, Tensor]:
    """What one axis needs before and after the convolution: [w_in, size] and [size', w_out].

    Of a shrunken frame only the middle survives the enlargement: responses that it drops are not
    computed.
    """
    length = (size + 2 * padding - kernel_size) // stride + 1
    back = resize_in_frame(length, 1 / scale)
    graph = torch.compiler.is_compiling()  # whose tensors have no values to look at
    read = range(length) if graph else back.any(dim=0).nonzero().flatten().tolist()
    first, last = read[0], read[-1]
    start, stop = first * stride - padding, last * stride - padding + kernel_size
    there = F.pad(resize_in_frame(size, scale), (0, 0, -start, stop - size))
    return there, back[:, first : last + 1]
