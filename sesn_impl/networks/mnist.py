"""The MNIST-scale networks: one trunk, three blocks, and what each method puts in them.

Block: convolution 7×7 or its scale-equivariant version, same padding → (projection over scale) →
max-pool → ReLU → batch norm (published with pool and ReLU in the other order, which gives the same
in more time). Channels 1 → 32 → 63 → 95, then a two-layer classifier on the 2×2 map.
All networks map [B, 1, 28, 28] to logits [B, 10], or other numbers of channels and classes; the 56
variants enlarge the image themselves.
Source: SESN, section 6.1 and the authors' released code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, fx, nn

from sesn_impl.basis import SteerableBasis, hermite_basis_b
from sesn_impl.layers import LiftingConv2d, ProjectedConv2d, ScaleConv2d
from sesn_impl.networks.plain import (
    BatchNorm2d,
    BatchNorm3d,
    Conv2d,
    MaxPool2d,
    ScaleMaxPool2d,
)

CHANNELS = (32, 63, 95)
DROPOUT = 0.7
NUM_CLASSES = 10
LAST_POOL = {28: 4, 56: 8}
"""Window of the pool that leaves a 2×2 map, by the size of images."""


class MnistNet(nn.Module):
    """Features followed by a classifier: [B, 1, 28, 28] -> logits [B, 10].

    features: makes the layers [B, 1, 28, 28] -> [B, C, 2, 2] for `in_channels` and `options`.
    channels: C.
    head_bias: whether the first layer of the classifier has a bias, which the batch norm after it
    takes away again: some of the released networks count it.

    Raises ValueError for images that the features do not make a 2×2 map of.
    """

    def __init__(
        self, features: Callable[..., list[nn.Module]], channels: int = CHANNELS[-1],
        head_bias: bool = False, dropout: float = DROPOUT, in_channels: int = 1,
        num_classes: int = NUM_CLASSES, **options: SteerableBasis,
    ) -> None:  # fmt: skip
        super().__init__()
        self.features = nn.Sequential(*features(in_channels=in_channels, **options))
        self.head = nn.Sequential(
            nn.Linear(4 * channels, 256, bias=head_bias),
            nn.BatchNorm1d(256),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(256, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, 1, 28, 28] -> logits [B, 10]."""
        logits: Tensor = self.head(_flat(self.features(x), x))
        return logits


@fx.wrap
def _flat(features: Tensor, x: Tensor) -> Tensor:
    """[B, C, 2, 2] -> [B, 4·C]; a graph that torch.fx traces calls it, and does not look inside."""
    if tuple(features.shape[2:]) != (2, 2):
        raise ValueError(
            f"x of shape {tuple(x.shape)}: must be [B, C_in, 28, 28] (networks for 56 pixels "
            "enlarge the image themselves)"
        )
    return features.flatten(1)


@dataclass(frozen=True)
class SesnConfiguration:
    """What distinguishes the published SESN MNIST-scale configurations; all use basis B, e = 7."""

    scales: tuple[float, ...]
    kernel_size: int
    mult: float

    def basis(self) -> SteerableBasis:
        """The basis of all three layers."""
        return hermite_basis_b(self.kernel_size, self.scales, 7, max_order=4, mult=self.mult)


SESN_CONFIGURATIONS = {
    "sesn_scalar_28": SesnConfiguration((1.7, 2.45, 3.54, 5.1), 15, 1.5),
    "sesn_scalar_28p": SesnConfiguration((1.5, 2.16, 3.12, 4.5), 13, 1.4),
    "sesn_scalar_56": SesnConfiguration((2.0, 2.83, 4.0), 15, 1.4),
    "sesn_scalar_56p": SesnConfiguration((1.0, 1.73, 3.0), 17, 1.4),
    "sesn_vector_28": SesnConfiguration((1.5, 2.6, 4.5), 13, 1.5),
    "sesn_vector_28p": SesnConfiguration((1.5, 2.6, 4.5), 15, 1.4),
    "sesn_vector_56": SesnConfiguration((2.0, 2.52, 3.17, 4.0), 15, 1.5),
    "sesn_vector_56p": SesnConfiguration((1.5, 1.89, 2.38, 3.0), 13, 1.4),
}


def entry(size: int) -> list[nn.Module]:
    """What stands before the first block: nothing at 28, nearest-neighbour ×2 at 56."""
    return [nn.Upsample(scale_factor=2, mode="nearest")] if size == 56 else []


def last_pool(size: int) -> nn.MaxPool2d:
    """The pool that leaves a 2×2 map, for images of 28 or 56 pixels."""
    return nn.MaxPool2d(LAST_POOL[size], padding=2)


def blocks(
    size: int, channels: tuple[int, ...], convolve: Callable[[int, int], nn.Module]
) -> list[nn.Module]:
    """Blocks of `convolve(C_in, C_out)`, pool, ReLU and batch norm: -> [B, C, 2, 2].

    channels: those of the image, and behind each of the three blocks.
    """
    pools = (MaxPool2d(2), MaxPool2d(2), last_pool(size))
    layers = entry(size)
    for (before, after), pool in zip(pairwise(channels), pools, strict=True):
        layers += [convolve(before, after), pool, nn.ReLU(), BatchNorm2d(after)]
    return layers


def cnn(size: int, in_channels: int) -> list[nn.Module]:
    """The plain network."""
    return blocks(size, (in_channels, *CHANNELS), lambda c, d: Conv2d(c, d, 7, padding=3))


def sesn(name: str, in_channels: int, basis: SteerableBasis | None = None) -> list[nn.Module]:
    """The scalar or the vector network of a name, with its own basis or another."""
    features = sesn_scalar if "scalar" in name else sesn_vector
    basis = basis or SESN_CONFIGURATIONS[name].basis()
    return features(56 if "56" in name else 28, in_channels, basis)


def sesn_scalar(size: int, in_channels: int, basis: SteerableBasis) -> list[nn.Module]:
    """Lifting convolution and projection in every block."""

    def convolve(before: int, after: int) -> nn.Module:
        return ProjectedConv2d(LiftingConv2d(before, after, basis, padding="same"))

    return blocks(size, (in_channels, *CHANNELS), convolve)


def sesn_vector(size: int, in_channels: int, basis: SteerableBasis) -> list[nn.Module]:
    """Lifts once and keeps the scale axis to the third block."""
    first, second, third = CHANNELS
    return [
        *entry(size),
        LiftingConv2d(in_channels, first, basis, padding="same"),  # [B, 32, S, H, W]
        ScaleMaxPool2d(2),
        nn.ReLU(),
        BatchNorm3d(first),
        ScaleConv2d(first, second, basis, padding="same"),  # [B, 63, S, H/2, W/2]
        ScaleMaxPool2d(2),
        nn.ReLU(),
        BatchNorm3d(second),
        ProjectedConv2d(ScaleConv2d(second, third, basis, padding="same")),  # [B, 95, H/4, W/4]
        last_pool(size),
        nn.ReLU(),
        BatchNorm2d(third),
    ]
