"""The STL-10 networks: WRN-16-8 with each method's layers in place of its convolutions.

All map [B, 3, 96, 96] to logits [B, 10].
Source: SESN, section 6.2, the authors' released code.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from sesn_impl.baselines.dss import DilatedScaleConv2d, GaussianScaleSpace
from sesn_impl.baselines.si_convnet import ScaleInvariantConv2d
from sesn_impl.baselines.sicnn import ColumnBatchNorm2d, ColumnConv2d, ColumnLiftingConv2d
from sesn_impl.baselines.ss_cnn import LogRadialConv2d
from sesn_impl.basis import hermite_basis_a
from sesn_impl.layers import LiftingConv2d, ScaleConv1x1, ScaleConv2d, ScaleMaxProjection
from sesn_impl.networks.wrn import (
    DROPOUT,
    NUM_CLASSES,
    GlobalAverage,
    Place,
    Plain,
    WideResNet,
    fan_out_normal,
)

COLUMN_SCALES = (0.67, 1.0, 1.5)
INPUT_SCALES = (0.5, 1.0, 2.0)
HARMONIC_SIZES = (3, 5, 7)


class Sesn(Plain):
    """Basis A with three scales; the scale axis is kept to the exit.

    smallest_scale: σ in pixels. projecting: groups that open with a max-projection and a lifting
    convolution. interacting: groups that open with scale extent 2.
    """

    def __init__(
        self, smallest_scale: float = 0.9, projecting: tuple[int, ...] = (),
        interacting: tuple[int, ...] = (),
    ) -> None:  # fmt: skip
        self.basis = hermite_basis_a(7, [smallest_scale * 1.41**i for i in range(3)], 3)
        self.projecting, self.interacting = projecting, interacting

    def entry(self, in_channels: int, out_channels: int) -> nn.Module:
        """From [B, C_in, H, W] to the method's own features."""
        return self._lifting(in_channels, out_channels, 1)

    def convolution(
        self, in_channels: int, out_channels: int, stride: int, place: Place
    ) -> nn.Module:
        """3×3, or what the method has for it."""
        if place.opens_group and place.group in self.projecting:
            return nn.Sequential(
                ScaleMaxProjection(), self._lifting(in_channels, out_channels, stride)
            )
        extent = 2 if place.opens_group and place.group in self.interacting else 1
        return fan_out_normal(
            ScaleConv2d(in_channels, out_channels, self.basis, extent, stride, 3, bias=False)
        )

    def shortcut(self, in_channels: int, out_channels: int, stride: int, place: Place) -> nn.Module:
        """1×1, or what the method has for it."""
        return fan_out_normal(ScaleConv1x1(in_channels, out_channels, stride, bias=False))

    def norm(self, channels: int) -> nn.Module:
        """Batch norm."""
        return nn.BatchNorm3d(channels)

    def exit(self, channels: int) -> nn.Module:
        """From the last features to [B, C]."""
        return nn.Sequential(ScaleMaxProjection(), super().exit(channels))

    def _lifting(self, in_channels: int, out_channels: int, stride: int) -> nn.Module:
        return fan_out_normal(
            LiftingConv2d(in_channels, out_channels, self.basis, stride, padding=3, bias=False)
        )


class SiCnn(Plain):
    """Three columns, which meet in a maximum after the global average."""

    def entry(self, in_channels: int, out_channels: int) -> nn.Module:
        """From [B, C_in, H, W] to the method's own features."""
        return fan_out_normal(ColumnLiftingConv2d(in_channels, out_channels, 3, COLUMN_SCALES))

    def convolution(
        self, in_channels: int, out_channels: int, stride: int, place: Place
    ) -> nn.Module:
        """3×3, or what the method has for it."""
        return fan_out_normal(ColumnConv2d(in_channels, out_channels, 3, COLUMN_SCALES, stride))

    def shortcut(self, in_channels: int, out_channels: int, stride: int, place: Place) -> nn.Module:
        """1×1, or what the method has for it."""
        return fan_out_normal(ScaleConv1x1(in_channels, out_channels, stride, bias=False))

    def norm(self, channels: int) -> nn.Module:
        """Batch norm."""
        return ColumnBatchNorm2d(channels, len(COLUMN_SCALES))

    def exit(self, channels: int) -> nn.Module:
        """From the last features to [B, C]."""
        norm = ColumnBatchNorm2d(channels, len(COLUMN_SCALES))
        return nn.Sequential(norm, nn.ReLU(), GlobalAverage(), ColumnMaximum())


class SiConvNet(Plain):
    """Every 3×3 convolution at the best of three scales; the shortcuts stay plain."""

    def entry(self, in_channels: int, out_channels: int) -> nn.Module:
        """From [B, C_in, H, W] to the method's own features."""
        return self._layer(in_channels, out_channels, 1)

    def convolution(
        self, in_channels: int, out_channels: int, stride: int, place: Place
    ) -> nn.Module:
        """3×3, or what the method has for it."""
        return self._layer(in_channels, out_channels, stride)

    def _layer(self, in_channels: int, out_channels: int, stride: int) -> nn.Module:
        return fan_out_normal(
            ScaleInvariantConv2d(
                in_channels, out_channels, 3, INPUT_SCALES, stride, padding=1, bias=False
            )
        )


class Dss(Plain):
    """Four blurred copies; the first two groups open with scale extent 2 and drop the last copy.

    The convolution of extent 2 still has its incomplete last output, which enters the batch norm
    behind it and goes no further.
    """

    widths = (16, 128, 240, 512)

    def entry(self, in_channels: int, out_channels: int) -> nn.Module:
        """From [B, C_in, H, W] to the method's own features."""
        return nn.Sequential(
            GaussianScaleSpace(4, zero_scale=0.5),
            DilatedScaleConv2d(in_channels, out_channels, 3, 4, initialisation="delta"),
        )

    def convolution(
        self, in_channels: int, out_channels: int, stride: int, place: Place
    ) -> nn.Module:
        """3×3, or what the method has for it."""
        extent = 2 if place.opens_group and place.group < 2 else 1
        num_scales = self._scales_before(place) if place.opens_group else self._scales_after(place)
        return DilatedScaleConv2d(
            in_channels, out_channels, 3, num_scales, extent, stride, initialisation="delta"
        )

    def shortcut(self, in_channels: int, out_channels: int, stride: int, place: Place) -> nn.Module:
        """1×1, or what the method has for it."""
        return DilatedScaleConv2d(
            in_channels, out_channels, 1, self._scales_after(place), 1, stride,
            initialisation="delta",
        )  # fmt: skip

    def norm(self, channels: int) -> nn.Module:
        """Batch norm."""
        return nn.BatchNorm3d(channels)

    def exit(self, channels: int) -> nn.Module:
        """From the last features to [B, C]."""
        return nn.Sequential(
            nn.BatchNorm3d(channels), nn.ReLU(), ScaleMaxProjection(), GlobalAverage()
        )

    def _scales_before(self, place: Place) -> int:
        return (4, 3, 2)[place.group]

    def _scales_after(self, place: Place) -> int:
        return (3, 2, 2)[place.group]


class SsCnn(Plain):
    """Log-radial harmonics of order 1 in every 3×3 place; the shortcuts stay plain.

    sizes: kernel sizes in pixels inside the groups. The released network sets sizes 3, 5 and 7 but
    hands them to its entry alone: its groups run with (3,).
    """

    widths = (11, 88, 176, 352)

    def __init__(self, sizes: tuple[int, ...] = HARMONIC_SIZES) -> None:
        self.sizes = sizes

    def entry(self, in_channels: int, out_channels: int) -> nn.Module:
        """From [B, C_in, H, W] to the method's own features."""
        return LogRadialConv2d(in_channels, out_channels, HARMONIC_SIZES, 3, orders=(1,))

    def convolution(
        self, in_channels: int, out_channels: int, stride: int, place: Place
    ) -> nn.Module:
        """3×3, or what the method has for it."""
        return LogRadialConv2d(in_channels, out_channels, self.sizes, 3, orders=(1,), stride=stride)


class ColumnMaximum(nn.Module):
    """Maximum over the last axis: [B, C, S] -> [B, C]."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, S] -> [B, C]."""
        return x.amax(dim=-1)


METHODS: dict[str, Callable[[], Plain]] = {
    "wrn_16_8": Plain,
    "wrn_16_8_sicnn": SiCnn,
    "wrn_16_8_si_convnet": SiConvNet,
    "wrn_16_8_dss": Dss,
    "wrn_16_8_ss_cnn": SsCnn,
    "wrn_16_8_sesn_a": Sesn,
    "wrn_16_8_sesn_b": partial(Sesn, projecting=(1, 2)),
    "wrn_16_8_sesn_c": partial(Sesn, smallest_scale=1.1, interacting=(0,)),
}


def wide_resnet(
    name: str, dropout: float = DROPOUT, in_channels: int = 3, num_classes: int = NUM_CLASSES
) -> WideResNet:
    """WRN-16-8 with the layers of a method in `METHODS`: [B, 3, 96, 96] -> logits [B, 10]."""
    return WideResNet(METHODS[name](), dropout, in_channels, num_classes)
