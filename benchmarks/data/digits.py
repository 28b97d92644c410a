"""Real handwritten digits at random scales, from what scikit-learn ships: no file, no network.

The stand-in for MNIST-scale where MNIST is not at hand: same image size, same scale range, same
ten classes, but 1,797 images, so that an epoch takes seconds.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.data.dataset import DataSet, Normalisation, Split, unit_range
from benchmarks.data.generation import (
    HIGHEST_SCALE,
    LOWEST_SCALE,
    resample,
    restricted,
    stratified_split,
)

NAME = "digits"
TRAIN, VALIDATION, TEST = 1_200, 200, 397

_CANVAS = 28
_SOURCE_SIZE = 8
_SOURCE_MARGIN = 2  # zeros around the source, so that strokes at its edge fade out
_FULL_SIZE = 20  # pixels that a digit spans at scale 1, as in MNIST
_SOURCE_MAXIMUM = 16


def digits(
    realisation: int = 0, name: str = NAME, trained: tuple[float, float] | None = None
) -> DataSet:
    """Return splits of 1,200 / 200 / 397 images uint8 [N, 1, 28, 28], true scales in 0.3..1.

    True scales are uniform. At scale s a digit spans 20 s pixels about the middle of the canvas,
    as in MNIST. The realisation, any integer in 0..2³²−1, seeds the stratified split and the
    scales; equal realisations are equal in every bit. The normalisation is that of the training
    pixels. `trained`: the range of scales in training and validation, of a data set `name`.

    Raises ValueError for a realisation out of that range.
    """
    from sklearn.datasets import load_digits  # noqa: PLC0415 (not on every GPU node)

    if isinstance(realisation, bool) or not 0 <= realisation < 2**32:
        raise ValueError(f"realisation must be an integer in 0..2**32 - 1, got {realisation!r}")
    source = load_digits()
    stream = np.random.RandomState(realisation)
    scales = stream.uniform(LOWEST_SCALE, HIGHEST_SCALE, len(source.target))
    grey = np.rint(source.images * (255 / _SOURCE_MAXIMUM)).astype(np.uint8)
    indices = stratified_split(source.target, TRAIN, VALIDATION, TEST, stream)
    if trained:
        for index in np.concatenate(indices[:2]):
            scales[index] = restricted(scales[index], trained)
    placed = [place(image, scale) for image, scale in zip(grey, scales, strict=True)]
    whole = Split(
        torch.from_numpy(np.stack(placed)).unsqueeze(1),
        torch.from_numpy(source.target.astype(np.int64)),
        torch.from_numpy(scales),
    )
    train, validation, test = (whole.part(torch.from_numpy(chosen)) for chosen in indices)
    return DataSet(name, realisation, train, validation, test, measured_normalisation(train))


def place(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """Digit uint8 [8, 8] -> canvas uint8 [28, 28] on which it spans 20 * `scale` pixels, centred.

    Convention: one affine resampling by Pillow, bicubic, without antialiasing (at the smallest
    scale 8 pixels become 6); half-pixel centres; 0 outside.
    """
    padded = np.pad(image, _SOURCE_MARGIN)
    step = _SOURCE_SIZE / (_FULL_SIZE * scale)  # source pixels per canvas pixel
    offset = padded.shape[0] / 2 - step * _CANVAS / 2
    return resample(padded, step, offset, _CANVAS)


def measured_normalisation(split: Split) -> Normalisation:
    """Mean and standard deviation of the pixels [N, 1, H, W] of a split, taken in float64."""
    pixels = unit_range(split.images).double()
    return Normalisation((round(pixels.mean().item(), 6),), (round(pixels.std().item(), 6),))
