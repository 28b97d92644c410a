"""The MNIST-scale networks of the compared methods, in the trunk of `sesn_impl.networks.mnist`.

Each is given as its layers, [B, C_in, 28, 28] -> [B, C, 2, 2]. They differ from the plain network
in the convolution, and where the published parameter counts tell: SiCNN and DSS have no biases in
their convolutions, SEVF and SS-CNN neither, but one in the first layer of the classifier, and SEVF
no third batch norm.
Source: the authors' released code.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sesn_impl.baselines.dss import DilatedScaleConv2d, GaussianScaleSpace
from sesn_impl.baselines.sevf import (
    MagnitudeConv2d,
    VectorBatchNorm2d,
    VectorConv2d,
    VectorLiftingConv2d,
    VectorMaxPool2d,
    magnitude,
)
from sesn_impl.baselines.si_convnet import ScaleInvariantConv2d
from sesn_impl.baselines.sicnn import ColumnBatchNorm2d, ColumnConv2d, ColumnLiftingConv2d
from sesn_impl.baselines.ss_cnn import LogRadialConv2d
from sesn_impl.layers import ScaleMaxProjection
from sesn_impl.networks.mnist import CHANNELS, LAST_POOL, blocks, entry
from sesn_impl.networks.plain import BatchNorm3d, ScaleMaxPool2d

SCALES = (0.3, 0.45, 0.67, 1.0, 1.49, 2.23, 3.33)
VECTOR_CHANNELS = (23, 45, 68)
HARMONIC_CHANNELS = (30, 60, 90)
HARMONIC_SIZES = {28: (5, 7, 9, 11, 13), 56: (7, 9, 11, 13, 15, 17)}
HARMONIC_REFERENCE = 11


def stack_pool(size: int) -> ScaleMaxPool2d:
    """The last pool for a map with a scale axis, each scale by itself."""
    return ScaleMaxPool2d(LAST_POOL[size], padding=2)


def si_convnet(size: int, in_channels: int) -> list[nn.Module]:
    """Each convolution at the best of seven scales."""
    channels = (in_channels, *CHANNELS)
    return blocks(size, channels, lambda c, d: ScaleInvariantConv2d(c, d, 7, SCALES, padding=3))


def sicnn(size: int, in_channels: int) -> list[nn.Module]:
    """Seven columns that meet in a maximum at the top."""
    first, second, third = CHANNELS
    return [
        *entry(size),
        ColumnLiftingConv2d(in_channels, first, 7, SCALES),  # [B, 32, 7, H, W]
        ScaleMaxPool2d(2),
        nn.ReLU(),
        ColumnBatchNorm2d(first, len(SCALES)),
        ColumnConv2d(first, second, 7, SCALES),  # [B, 63, 7, H/2, W/2]
        ScaleMaxPool2d(2),
        nn.ReLU(),
        ColumnBatchNorm2d(second, len(SCALES)),
        ColumnConv2d(second, third, 7, SCALES),  # [B, 95, 7, H/4, W/4]
        stack_pool(size),
        nn.ReLU(),
        ColumnBatchNorm2d(third, len(SCALES)),
        ScaleMaxProjection(),
    ]


def sevf_scalar(size: int, in_channels: int) -> list[nn.Module]:
    """Keeps the magnitude of each vector field."""
    channels = (in_channels, *CHANNELS)
    return blocks(size, channels, lambda c, d: MagnitudeConv2d(c, d, 7, padding=3))[:-1]


def sevf_vector(size: int, in_channels: int, turn: int = 1) -> list[nn.Module]:
    """Vector fields up to the classifier.

    turn: −1 for the sense in which the released code turns filters, see `VectorConv2d`.
    """
    first, second, third = VECTOR_CHANNELS
    return [
        *entry(size),
        VectorLiftingConv2d(in_channels, first, 7, padding=3),  # [B, 23, 2, H, W]
        VectorMaxPool2d(2),
        VectorBatchNorm2d(first),
        VectorConv2d(first, second, 7, padding=3, turn=turn),  # [B, 45, 2, H/2, W/2]
        VectorMaxPool2d(2),
        VectorBatchNorm2d(second),
        VectorConv2d(second, third, 7, padding=3, turn=turn),  # [B, 68, 2, H/4, W/4]
        VectorMaxPool2d(LAST_POOL[size], padding=2),
        Magnitude(),
    ]


def dss_scalar(size: int, in_channels: int) -> list[nn.Module]:
    """Lifts, convolves and projects in every block."""

    def block(before: int, after: int) -> nn.Module:
        return nn.Sequential(
            GaussianScaleSpace(2, zero_scale=0.25),
            DilatedScaleConv2d(before, after, 7, num_scales=2),
            ScaleMaxProjection(),
        )

    return blocks(size, (in_channels, *CHANNELS), block)


def dss_vector(size: int, in_channels: int) -> list[nn.Module]:
    """Lifts once and projects at the top."""
    first, second, third = CHANNELS
    return [
        *entry(size),
        GaussianScaleSpace(2, zero_scale=0.25),  # [B, C_in, 2, H, W]
        DilatedScaleConv2d(in_channels, first, 7, num_scales=2),
        ScaleMaxPool2d(2),
        nn.ReLU(),
        BatchNorm3d(first),
        DilatedScaleConv2d(first, second, 7, num_scales=2),
        ScaleMaxPool2d(2),
        nn.ReLU(),
        BatchNorm3d(second),
        DilatedScaleConv2d(second, third, 7, num_scales=2),
        stack_pool(size),
        nn.ReLU(),
        BatchNorm3d(third),
        ScaleMaxProjection(),
    ]


def ss_cnn(size: int, in_channels: int) -> list[nn.Module]:
    """Scale-steered log-radial filters.

    The published count holds a second batch norm of the third block, which the released network
    never applies. Its gain and shift follow the first one here, and change nothing at start.
    """
    features = blocks(
        size,
        (in_channels, *HARMONIC_CHANNELS),
        lambda c, d: LogRadialConv2d(c, d, HARMONIC_SIZES[size], HARMONIC_REFERENCE),
    )
    return [*features, GainAndShift(HARMONIC_CHANNELS[-1])]


class Magnitude(nn.Module):
    """Length of each vector: [B, C, 2, H, W] -> [B, C, H, W]."""

    def forward(self, field: Tensor) -> Tensor:
        """[B, C, 2, H, W] -> [B, C, H, W]."""
        return magnitude(field)


class GainAndShift(nn.Module):
    """x ↦ weight·x + bias per channel, the identity at start: [B, C, H, W] -> [B, C, H, W]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H, W]."""
        return self.weight[:, None, None] * x + self.bias[:, None, None]


FEATURES: dict[str, tuple[Callable[..., list[nn.Module]], int, bool]] = {
    "sicnn": (sicnn, CHANNELS[-1], False),
    "si_convnet": (si_convnet, CHANNELS[-1], False),
    "sevf_scalar": (sevf_scalar, CHANNELS[-1], True),
    "sevf_vector": (sevf_vector, VECTOR_CHANNELS[-1], True),
    "dss_scalar": (dss_scalar, CHANNELS[-1], False),
    "dss_vector": (dss_vector, CHANNELS[-1], False),
    "ss_cnn": (ss_cnn, HARMONIC_CHANNELS[-1], True),
}
"""What each method's `MnistNet` is made of: layers, their last channels, `head_bias`."""
