"""SiCNN, the multi-column network of Xu et al. (2014, arXiv 1411.6369).

Every column of the network looks for the same patterns at another size: its filters are those of
the canonical column, resized. Columns never mix before the top of the network.

    y_s = x_s ⋆ W_s,      W_s = (‖W‖₁ / ‖R_s W R_sᵀ‖₁) R_s W R_sᵀ

with R_s the resizing of one axis by s. This is the method as the authors of SESN re-implemented it:
a k×k filter is first padded to the frame of the largest one, [F, F], and the *frame* is resized,
bilinear with aligned corners where it shrinks, nearest neighbour where it grows, then padded or
cropped to F×F. So a shrunken filter may sit half a pixel off the centre, and its size is not
exactly s·k. Their columns meet in a maximum; in the method's own paper their features are
concatenated instead (read in a secondary source).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sesn_impl.arguments import check_at_least, check_odd, check_scales, check_shape
from sesn_impl.baselines.common import FixedTensors, uniform_by_fan_in
from sesn_impl.baselines.resampling import centred, linear_matrix
from sesn_impl.fast import arranged, correlate, scales_of, stack_scales
from sesn_impl.fast.cost import FEW_CHANNELS
from sesn_impl.states import Configuration, Configured


class _ColumnConv2d(FixedTensors):
    """What both convolutions share: one filter bank, its resized copies, how each is applied.

    weight: [C_out, C_in, k, k].
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, scales: Sequence[float],
        stride: int = 1,
    ) -> None:  # fmt: skip
        super().__init__()
        check_at_least(1, in_channels=in_channels, out_channels=out_channels, stride=stride)
        check_odd(kernel_size=kernel_size)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride = kernel_size, stride
        self.scales = check_scales(scales)
        if self.scales[-1] < 1:
            raise ValueError(f"scales={self.scales!r}: the largest must be at least 1")
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size, kernel_size))
        for i, scale in enumerate(self.scales):
            self.fix(f"resizing_{i}", partial(filter_resizing, kernel_size, scale, self.scales[-1]))
        self._supports = [_support(resizing) for resizing in self._originals.values()]
        self.reset_parameters()

    @property
    def num_columns(self) -> int:
        """S, the number of columns."""
        return len(self.scales)

    def reset_parameters(self) -> None:
        """Kaiming-uniform weights with a = √5."""
        uniform_by_fan_in(self.weight, self.in_channels * self.kernel_size**2)

    def configuration(self) -> Configuration:
        """The sizes of the filters."""
        return {"number of scales": (len(self.scales),), "scales": self.scales}

    def _respond(self, x: Tensor, column: int) -> Tensor:
        """One column: [B, C_in, H, W] -> [B, C_out, ⌈H/stride⌉, ⌈W/stride⌉]."""
        resizing = self.fixed(f"resizing_{column}", self.weight)  # [F, k]
        if self.scales[column] == 1:
            return correlate(x, self.weight, self.stride, self.kernel_size // 2)
        # Weights further out than the image is large never meet it.
        centre, size = int(resizing.shape[0]) // 2, max(map(int, x.shape[-2:]))
        first, last = self._supports[column]
        first, last = max(first, centre - size + 1), min(last, centre + size - 1)
        # With channels to sum over, the products of whole filters are fewer still.
        weight = self.weight * self._gain(resizing, column)
        if last - first + 1 < 1.5 * self.kernel_size or self.in_channels > FEW_CHANNELS:
            radius = max(centre - first, last - centre)
            filters = _resized(weight, resizing[centre - radius : centre + radius + 1])
            return correlate(x, filters, self.stride, radius)
        return self._respond_by_cells(x, weight, resizing, first, last)

    def _respond_by_cells(
        self, x: Tensor, weight: Tensor, resizing: Tensor, first: int, last: int
    ) -> Tensor:
        """The same, cheaper for a filter of an image that is constant on cells.

        All pixel columns of a cell carry the same weight, so the input is summed over each cell
        first, and the filter has only k columns left: V·k products instead of V·V.
        """
        filters = resizing[first : last + 1] @ weight
        sums = x @ self._cells(x.shape[-1], resizing)  # [B, C_in, H, k·W']
        centre = resizing.shape[0] // 2
        sums = F.pad(sums, (0, 0, centre - first, last - centre))
        return F.conv2d(sums, filters, stride=(self.stride, self.kernel_size))

    def _cells(self, width: int, resizing: Tensor) -> Tensor:
        """Sums over each cell of the filter at each output column: [W, W'·k]."""
        pad = resizing.shape[0] // 2
        pixels = F.pad(torch.eye(width, dtype=resizing.dtype, device=resizing.device), (pad, pad))
        windows = pixels.unfold(1, resizing.shape[0], self.stride)  # [W, W', F]
        return (windows @ resizing).flatten(1)

    def _gain(self, resizing: Tensor, column: int) -> Tensor:
        """What restores the L1 norm of the canonical filter, [C_out, C_in, 1, 1]."""
        if self.scales[column] > 1:  # rows of the frame repeat those of the filter
            counts = resizing.sum(dim=0)
            resized_norm = (counts @ self.weight.abs() @ counts)[..., None, None]
        else:
            first, last = self._supports[column]
            resized = _resized(self.weight, resizing[first : last + 1])
            resized_norm = resized.abs().sum(dim=(2, 3), keepdim=True)
        norm = self.weight.abs().sum(dim=(2, 3), keepdim=True)
        return norm / resized_norm.clamp_min(torch.finfo(norm.dtype).tiny)

    def extra_repr(self) -> str:
        """The options that a reader of the printed model needs."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"scales={self.scales}, stride={self.stride}"
        )


class ColumnLiftingConv2d(_ColumnConv2d):
    """Opens the columns: [B, C_in, H, W] -> [B, C_out, S, ⌈H/stride⌉, ⌈W/stride⌉], no bias.

    scales: size of each column's filters relative to the canonical k×k ones, growing.

    Raises ValueError for an option out of range or an input of another shape.
    Source: the released `XU_SIConv2d` with one input scale.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, H, W] -> [B, C_out, S, H', W']."""
        check_shape(x, f"[B, C_in={self.in_channels}, H, W]", self.in_channels)
        x = arranged(x)
        return stack_scales(self._respond(x, i) for i in range(self.num_columns))


class ColumnConv2d(_ColumnConv2d):
    """Each column by itself: [B, C_in, S, H, W] -> [B, C_out, S, ⌈H/stride⌉, ⌈W/stride⌉], no bias.

    scales: size of each column's filters relative to the canonical k×k ones, growing.

    Raises ValueError for an option out of range or an input of another shape.
    Source: the released `XU_SIConv2d` with as many input scales as columns.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, S, H, W] -> [B, C_out, S, H', W']."""
        channels, scales = self.in_channels, self.num_columns
        check_shape(x, f"[B, C_in={channels}, S={scales}, H, W]", channels, scales)
        columns = scales_of(arranged(x))
        return stack_scales(self._respond(column, i) for i, column in enumerate(columns))


class ColumnBatchNorm2d(Configured, nn.BatchNorm2d):
    """Batch norm with statistics, gain and shift of its own for every column: [B, C, S, H, W]."""

    def __init__(self, channels: int, num_columns: int) -> None:
        check_at_least(1, channels=channels, num_columns=num_columns)
        super().__init__(channels * num_columns)
        self.columns = (channels, num_columns)

    def configuration(self) -> Configuration:
        """Channels and columns, of which the state has the product."""
        return {"channels and columns": self.columns}

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, S, H, W] -> [B, C, S, H, W]."""
        channels, columns = self.columns
        check_shape(x, f"[B, C={channels}, S={columns}, H, W]", channels, columns)
        return super().forward(x.flatten(1, 2)).view_as(x)


def filter_resizing(kernel_size: int, scale: float, largest_scale: float) -> Tensor:
    """R_s: how one axis of a k×k filter becomes one axis of the frame, [F, k] float64.

    Raises ValueError for a scale that leaves nothing of the filter.
    """
    margin = math.ceil((int(kernel_size * largest_scale) - kernel_size) / 2)
    frame = kernel_size + 2 * margin
    size = math.floor(frame * scale)
    if scale >= 1:
        impulses = torch.eye(frame, dtype=torch.float64)[None]
        resized = F.interpolate(impulses, scale_factor=scale, mode="nearest")[0].T
    elif size >= 1:
        resized = linear_matrix(frame, size, align_corners=True)
    else:
        resized = torch.zeros(0, frame, dtype=torch.float64)
    resizing = centred(resized, frame)[:, margin : margin + kernel_size].contiguous()
    if not resizing.any():
        raise ValueError(
            f"scales: at {scale} nothing is left of a {kernel_size}×{kernel_size} filter "
            f"in a frame of {frame} pixels"
        )
    return resizing


def _resized(weight: Tensor, resizing: Tensor) -> Tensor:
    """R W Rᵀ of all filters by one product: [C_out, C_in, k, k] and [V, k] -> [.., V, V]."""
    taps = weight.permute(3, 2, 0, 1).flatten(0, 1).flatten(1)  # [k·k, C_out·C_in]
    resized = (torch.kron(resizing, resizing) @ taps).view(*[len(resizing)] * 2, *weight.shape[:2])
    return resized.permute(2, 3, 1, 0)


def _support(resizing: Tensor) -> tuple[int, int]:
    """First and last row of the frame that hold weights."""
    rows = resizing.any(dim=1).nonzero()
    return int(rows[0]), int(rows[-1])
