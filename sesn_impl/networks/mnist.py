"""The MNIST-scale networks: one trunk, three blocks, and what each method puts in them.

Block: convolution 7×7 or its scale-equivariant version, same padding → (projection over scale) →
max-pool → ReLU → batch norm (published with pool and ReLU in the other order, which gives the same
in more time). Channels 1 → 32 → 63 → 95, then a two-layer classifier on the 2×2 map.
All networks map [B, 1, 28, 28] to logits [B, 10], or other numbers of channels and classes; the 56
variants enlarge the image themselves.
Source: SESN, section 6.1 and the authors' released code.
"""

from __future__ import annotations

from dataclasses import dataclass

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


class MnistNet(nn.Module):
    """Features followed by a classifier: [B, 1, 28, 28] -> logits [B, 10].

    features: any module [B, 1, 28, 28] -> [B, C, 2, 2].
    head_bias: whether the first layer of the classifier has a bias, which the batch norm after it
    takes away again: some of the released networks count it.

    Raises ValueError for images that the features do not make a 2×2 map of.
    """

    def __init__(
        self, features: nn.Module, channels: int, dropout: float, num_classes: int = NUM_CLASSES,
        head_bias: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.features = features
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
    return nn.MaxPool2d({28: 4, 56: 8}[size], padding=2)


def cnn(
    size: int, dropout: float = DROPOUT, in_channels: int = 1, num_classes: int = NUM_CLASSES
) -> MnistNet:
    """The plain network: [B, 1, 28, 28] -> logits [B, 10]."""
    pools = (MaxPool2d(2), MaxPool2d(2), last_pool(size))
    layers = entry(size)
    channels = (in_channels, *CHANNELS)
    for before, after, pool in zip(channels, CHANNELS, pools, strict=False):
        convolution = Conv2d(before, after, 7, padding=3)
        layers += [convolution, pool, nn.ReLU(), BatchNorm2d(after)]
    return MnistNet(nn.Sequential(*layers), CHANNELS[-1], dropout, num_classes)


def sesn_scalar(
    name: str, size: int, dropout: float = DROPOUT, in_channels: int = 1,
    num_classes: int = NUM_CLASSES, basis: SteerableBasis | None = None,
) -> MnistNet:  # fmt: skip
    """Lifting convolution and projection in every block: [B, 1, 28, 28] -> logits [B, 10]."""
    basis = basis or SESN_CONFIGURATIONS[name].basis()
    padding = basis.kernel_size // 2
    pools = (MaxPool2d(2), MaxPool2d(2), last_pool(size))
    layers = entry(size)
    channels = (in_channels, *CHANNELS)
    for before, after, pool in zip(channels, CHANNELS, pools, strict=False):
        lift = LiftingConv2d(before, after, basis, padding=padding)
        layers += [ProjectedConv2d(lift), pool, nn.ReLU(), BatchNorm2d(after)]
    return MnistNet(nn.Sequential(*layers), CHANNELS[-1], dropout, num_classes)


def sesn_vector(
    name: str, size: int, dropout: float = DROPOUT, in_channels: int = 1,
    num_classes: int = NUM_CLASSES, basis: SteerableBasis | None = None,
) -> MnistNet:  # fmt: skip
    """Lifts once and keeps the scale axis to the third block: [B, 1, 28, 28] -> logits [B, 10]."""
    basis = basis or SESN_CONFIGURATIONS[name].basis()
    padding = basis.kernel_size // 2
    first, second, third = CHANNELS
    layers = [
        *entry(size),
        LiftingConv2d(in_channels, first, basis, padding=padding),  # [B, 32, S, H, W]
        ScaleMaxPool2d(2),
        nn.ReLU(),
        BatchNorm3d(first),
        ScaleConv2d(first, second, basis, padding=padding),  # [B, 63, S, H/2, W/2]
        ScaleMaxPool2d(2),
        nn.ReLU(),
        BatchNorm3d(second),
        ProjectedConv2d(ScaleConv2d(second, third, basis, padding=padding)),  # [B, 95, H/4, W/4]
        last_pool(size),
        nn.ReLU(),
        BatchNorm2d(third),
    ]
    return MnistNet(nn.Sequential(*layers), third, dropout, num_classes)
