"""torch's convolution, max-pools and batch norms by `sesn_impl.fast`: the same numbers sooner."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sesn_impl.fast import batch_first, correlate, is_arranged, max_pool, space_first


class Conv2d(nn.Conv2d):
    """`nn.Conv2d` with zero padding, one group and the same stride and dilation on both axes."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1,
        padding: int = 0, dilation: int = 1, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, 1, bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, H, W] -> [B, C_out, H', W']."""
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            return super().forward(x)  # which says what is wrong
        padding = (int(self.padding[0]), int(self.padding[1]))
        y = correlate(x, self.weight, self.stride[0], padding, self.dilation[0])
        return y if self.bias is None else y + self.bias[:, None, None]


class MaxPool2d(nn.MaxPool2d):
    """Pixels in windows side by side: [B, C, H, W] -> [B, C, ⌊H/size⌋, ⌊W/size⌋]."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H', W']."""
        return max_pool(x, self.size)


class ScaleMaxPool2d(nn.MaxPool3d):
    """The same at each scale by itself: [B, C, S, H, W] -> [B, C, S, H', W'].

    padding: as if −∞ lay around the image; windows then are those of `nn.MaxPool2d`.
    """

    def __init__(self, size: int, padding: int = 0) -> None:
        super().__init__((1, size, size), padding=(0, padding, padding))
        self.size, self.border = size, padding

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, S, H, W] -> [B, C, S, H', W']."""
        if self.border:  # one scale's maps as one channel's: the gradient needs no atomics on CUDA
            pooled = F.max_pool2d(x.flatten(1, 2), self.size, padding=self.border)
            return torch.unflatten(pooled, 1, x.shape[1:3])
        return max_pool(x, self.size)


class BatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d` in whichever order of memory its input has."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H, W]."""
        return _in_order(super().forward, x)


class BatchNorm3d(nn.BatchNorm3d):
    """`nn.BatchNorm3d` in whichever order of memory its input has."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, S, H, W] -> [B, C, S, H, W]."""
        return _in_order(super().forward, x)


def by_torch(model: nn.Module) -> nn.Module:
    """Make a network's plain layers torch's own, in place, with the same parameters: return it.

    The plain CNN made so is the reference of costs, which does not become dearer or cheaper with
    this project.
    """
    own = {Conv2d: nn.Conv2d, MaxPool2d: nn.MaxPool2d, BatchNorm2d: nn.BatchNorm2d}
    for module in model.modules():
        module.__class__ = own.get(type(module), type(module))
    return model


def _in_order(normalise: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Statistics of a channel are over all else: pixels may stand for images, and the reverse."""
    if x.ndim not in {4, 5} or not is_arranged(x):
        return normalise(x)
    y = space_first(x)  # [(S,) W, H, C, B]
    pixels = y.flatten(0, -3)
    return batch_first(normalise(pixels.view(*pixels.shape, *[1] * (x.ndim - 3))).view_as(y))
