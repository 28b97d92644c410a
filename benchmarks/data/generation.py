"""What the generated data sets share: a stratified split, and one affine resampling."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.model_selection import train_test_split

Indices = NDArray[np.intp]


def stratified_split(
    labels: NDArray[np.int64], train: int, validation: int, test: int, stream: np.random.RandomState
) -> tuple[Indices, Indices, Indices]:
    """Labels [N] and three sizes -> indices of training, validation and test images.

    The test images are split off first, then the validation images; both splits keep the shares
    of the classes and draw from `stream`. Source: the authors' data script.
    """
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
    resampled = Image.fromarray(image).transform(
        (size, size),
        Image.Transform.AFFINE,
        (step, 0.0, offset, 0.0, step, offset),
        Image.Resampling.BICUBIC,
        fillcolor=0,
    )
    return np.asarray(resampled)
