"""The one type of every data set here: three splits of images in memory, with their identity."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from benchmarks import CommandError

NUM_CLASSES = 10
BINS_PER_UNIT = 10  # true scales are counted in bins 0.1 wide


class DataError(CommandError):
    """A data set is missing, damaged, or differs from what was published."""


class DataWarning(UserWarning):
    """Data are right, but something beside them (such as a cached copy) was not."""


@dataclass(frozen=True, eq=False)
class Split:
    """Images uint8 [N, C, H, W], labels int64 [N] in 0..9, true scales float64 [N] or None.

    The true scale is the ratio (size of the object as placed) / (size in the source image);
    None where a data set does not know it. N may be 0.

    Raises ValueError where a shape, a type or a label is not as stated.
    """

    images: Tensor
    labels: Tensor
    scales: Tensor | None = None

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype != torch.uint8:
            raise ValueError(
                "images must be uint8 [N, C, H, W], "
                f"got {self.images.dtype} {list(self.images.shape)}"
            )
        _check_vector("labels", self.labels, torch.int64, len(self))
        if self.scales is not None:
            _check_vector("scales", self.scales, torch.float64, len(self))
        if len(self) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < NUM_CLASSES:
            low, high = int(self.labels.min()), int(self.labels.max())
            raise ValueError(f"labels must lie in 0..{NUM_CLASSES - 1}, got {low}..{high}")

    def __len__(self) -> int:
        return self.images.shape[0]

    def part(self, chosen: Tensor | slice) -> Split:
        """The images at these places, with their labels and scales."""
        scales = None if self.scales is None else self.scales[chosen]
        return Split(self.images[chosen], self.labels[chosen], scales)


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation per channel, of pixels in [0, 1].

    Raises ValueError where their lengths differ or a standard deviation is not positive.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or not self.mean:
            raise ValueError(
                f"mean and std need one value per channel, got {self.mean}, {self.std}"
            )
        if min(self.std) <= 0:
            raise ValueError(f"std must be positive, got {self.std}")

    def __call__(self, images: Tensor) -> Tensor:
        """[B, C, H, W] in [0, 1], or uint8 in 0..255 -> floating [B, C, H, W]: (x - mean) / std.

        Raises ValueError where C is not the number of channels of this normalisation.
        """
        if images.ndim != 4 or images.shape[1] != len(self.mean):
            raise ValueError(
                f"images must be [B, {len(self.mean)}, H, W], got {list(images.shape)}"
            )
        unit = unit_range(images)
        return (unit - per_channel(unit, self.mean)) / per_channel(unit, self.std)


@dataclass(frozen=True, eq=False)
class DataSet:
    """Splits [N, C, H, W] for training, validation and test, with their name and normalisation."""

    name: str
    realisation: int
    train: Split
    validation: Split
    test: Split
    normalisation: Normalisation

    @property
    def splits(self) -> Mapping[str, Split]:
        """The three splits by name, in the order train, validation, test."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 (64 hex digits) of pixels, labels and true scales of all splits, with shapes."""
        digest = hashlib.sha256()
        for split_name, split in self.splits.items():
            for part in ("images", "labels", "scales"):
                tensor: Tensor | None = getattr(split, part)
                shape = None if tensor is None else list(tensor.shape)
                digest.update(f"{split_name}.{part} {shape}\n".encode())
                if tensor is not None:
                    # Little-endian bytes on every machine, so that the same data hash the same.
                    array = tensor.contiguous().cpu().numpy()
                    digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).data)
        return digest.hexdigest()

    @property
    def identity(self) -> dict[str, str]:
        """Name and content hash: what a record keeps of the data it was measured on."""
        return {"name": self.name, "hash": self.content_hash}


def unit_range(images: Tensor) -> Tensor:
    """uint8 [...] in 0..255 -> float32 [...] in [0, 1]; floating images pass unchanged.

    Raises TypeError for any other type.
    """
    if images.dtype == torch.uint8:
        return images.to(torch.float32) / 255
    if not images.is_floating_point():
        raise TypeError(f"images must be uint8 or floating, got {images.dtype}")
    return images


def per_channel(images: Tensor, values: tuple[float, ...]) -> Tensor:
    """One value for each channel, [1, C, 1, 1] where the images are: written there, not sent."""
    return torch.stack([images.new_full((), value) for value in values]).view(1, -1, 1, 1)


def _check_vector(name: str, values: Tensor, dtype: torch.dtype, length: int) -> None:
    if values.dtype != dtype or list(values.shape) != [length]:
        raise ValueError(
            f"{name} must be {dtype} [{length}] for {length} images, "
            f"got {values.dtype} {list(values.shape)}"
        )
