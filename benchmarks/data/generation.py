"""What the generated data sets share: a stratified split, and one affine resampling."""

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]

LOWEST_SCALE, HIGHEST_SCALE = 0.3, 1.0
TRAINED = {"small": (0.3, 0.5), "middle": (0.5, 0.7), "large": (0.7, 1.0)}
"""Ranges of scales in the training of data sets `…_small`, …, whose test has all: 0.3..1."""


def restricted(scale: float, trained: tuple[float, float]) -> float:
    """A scale in 0.3..1 -> the one at the same place in a narrower range."""
    share = (scale - LOWEST_SCALE) / (HIGHEST_SCALE - LOWEST_SCALE)
    return min(trained[0] + share * (trained[1] - trained[0]), trained[1])


def stratified_split(
    labels: NDArray[np.int64], train: int, validation: int, test: int, stream: np.random.RandomState
) -> tuple[Indices, Indices, Indices]:
    """Labels [N] and three sizes -> indices of training, validation and test images.

    The test images are split off first, then the validation images; both splits keep the shares
    of the classes and draw from `stream`. Source: the authors' data script.
    """
    from sklearn.model_selection import train_test_split  # noqa: PLC0415 (not on every GPU node)

    chosen, test_indices = train_test_split(
        np.arange(len(labels)),
        train_size=train + validation,
        test_size=test,
        stratify=labels,
        random_state=stream,
    )
    train_indices, validation_indices = train_test_split(
        chosen, train_size=train, test_size=validation, stratify=labels[chosen], random_state=stream
    )
    return train_indices, validation_indices, test_indices


def resample(image: NDArray[np.uint8], step: float, offset: float, size: int) -> NDArray[np.uint8]:
    """Image uint8 [H, W] -> [size, size]: output position t shows input position step·t + offset.

    Convention: Pillow's affine, bicubic, no antialiasing, 0 outside the image; positions are in
    pixels from the outer edge of the first pixel, the same along both axes.
    """
    from PIL import Image  # noqa: PLC0415 (not on every GPU node)

    resampled = Image.fromarray(image).transform(
        (size, size),
        Image.Transform.AFFINE,
        (step, 0.0, offset, 0.0, step, offset),
        Image.Resampling.BICUBIC,
        fillcolor=0,
    )
    return np.asarray(resampled)
