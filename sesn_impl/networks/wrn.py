"""WRN-16-8, the wide residual network that carries every STL-10 comparison.

    entry → 3 groups of 2 pre-activation blocks, strides 1 2 2 → exit → linear

    block:  x ↦ shortcut(a(x)) + conv(dropout(a(conv(a(x)))))      where the width changes
            x ↦ x            + conv(dropout(a(conv(a(x)))))        elsewhere,    a = ReLU ∘ norm

A method says what stands in each place, so that the trunk is written once. The form of the features
between the places is the method's own: [B, C, H, W] or [B, C, S, H, W].
Source: the authors' released code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor, nn

STRIDES = (1, 2, 2)
BLOCKS_PER_GROUP = 2
DROPOUT = 0.3
NUM_CLASSES = 10

Layer = TypeVar("Layer", bound=nn.Module)


@dataclass(frozen=True)
class Place:
    """Where a convolution stands in the trunk: group 0 … 2, block 0 … 1, first or second."""

    group: int
    block: int
    second: bool

    @property
    def opens_group(self) -> bool:
        """Whether it is the first convolution of its group."""
        return self.block == 0 and not self.second


class Plain:
    """The plain method: 3×3 convolutions on [B, C, H, W]. Others replace what they do otherwise.

    widths: channels after the entry and after each group.
    """

    widths: tuple[int, ...] = (16, 128, 256, 512)

    def entry(self, in_channels: int, out_channels: int) -> nn.Module:
        """From the image to the first features, at full resolution."""
        return fan_out_normal(nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False))

    def convolution(
        self, in_channels: int, out_channels: int, stride: int, place: Place
    ) -> nn.Module:
        """One of the two convolutions of a block."""
        convolution = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        return fan_out_normal(convolution)

    def shortcut(self, in_channels: int, out_channels: int, stride: int, place: Place) -> nn.Module:
        """The other branch of a block that changes the width."""
        return fan_out_normal(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False))

    def norm(self, channels: int) -> nn.Module:
        """What precedes each ReLU in the blocks."""
        return nn.BatchNorm2d(channels)

    def exit(self, channels: int) -> nn.Module:
        """From the last features to [B, C]."""
        return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(), GlobalAverage())


class WideResNet(nn.Module):
    """WRN-16-8 of a given method: [B, 3, H, W] -> logits [B, 10], H and W 96 as published."""

    def __init__(
        self, method: Plain, dropout: float = DROPOUT, in_channels: int = 3,
        num_classes: int = NUM_CLASSES,
    ) -> None:  # fmt: skip
        super().__init__()
        self.entry = method.entry(in_channels, method.widths[0])
        blocks = []
        for group, stride in enumerate(STRIDES):
            for block in range(BLOCKS_PER_GROUP):
                in_channels = method.widths[group + (block > 0)]
                out_channels = method.widths[group + 1]
                block_stride = stride if block == 0 else 1
                sizes = (in_channels, out_channels, block_stride, group, block)
                blocks.append(PreActivationBlock(method, *sizes, dropout))
        self.blocks = nn.Sequential(*blocks)
        self.exit = method.exit(method.widths[-1])
        self.classifier = nn.Linear(method.widths[-1], num_classes)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, H, W] -> logits [B, 10]."""
        logits: Tensor = self.classifier(self.exit(self.blocks(self.entry(x))))
        return logits


class PreActivationBlock(nn.Module):
    """Residual block, norm and ReLU before each convolution; features as the method has them."""

    def __init__(
        self, method: Plain, in_channels: int, out_channels: int, stride: int, group: int,
        block: int, dropout: float,
    ) -> None:  # fmt: skip
        super().__init__()
        first, second = Place(group, block, second=False), Place(group, block, second=True)
        self.activation = nn.Sequential(method.norm(in_channels), nn.ReLU())
        self.residual = nn.Sequential(
            method.convolution(in_channels, out_channels, stride, first),
            method.norm(out_channels),
            nn.ReLU(),
            nn.Dropout(dropout),
            method.convolution(out_channels, out_channels, 1, second),
        )
        self.shortcut = (
            method.shortcut(in_channels, out_channels, stride, first)
            if in_channels != out_channels
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, (S,) H, W] -> [B, C_out, (S',) ⌈H/stride⌉, ⌈W/stride⌉]."""
        activated = self.activation(x)
        kept = x if self.shortcut is None else self.shortcut(activated)
        total: Tensor = kept + self.residual(activated)
        return total


class GlobalAverage(nn.Module):
    """Mean over the image: [B, C, (S,) H, W] -> [B, C, (S)]."""

    def forward(self, x: Tensor) -> Tensor:
        """[..., H, W] -> [...]."""
        return x.mean(dim=(-2, -1))


def fan_out_normal(layer: Layer) -> Layer:
    """Draws `layer.weight` from a normal distribution with variance 2·C_in/(number of weights)."""
    weight = layer.get_parameter("weight")
    nn.init.normal_(weight, std=math.sqrt(2 / weight[:, 0].numel()))
    return layer
