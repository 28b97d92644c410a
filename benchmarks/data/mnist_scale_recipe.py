"""The recipe of MNIST-scale: which digits, how much smaller, resampled how, and its checksums.

The source is the authors' data script, with the resampling convention of the libraries of its day.
"""

import hashlib
import io
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.data.dataset import DataError, DataSet, Normalisation, Split
from benchmarks.data.generation import (
    HIGHEST_SCALE,
    LOWEST_SCALE,
    TRAINED,
    Indices,
    resample,
    restricted,
    stratified_split,
)
from benchmarks.data.mnist import PUBLISHED_FILES, IdxFile, Mnist

NAME = "mnist_scale"
NORMALISATION = Normalisation((0.0607,), (0.2161,))

PIXEL_MD5 = {
    0: "9282b9821b41dbd861d6d21600ba7efe",
    1: "627a5ce16b98860c76be6b855f908c4a",
    2: "8aef26f730623c84258bb94a02a9c5de",
    3: "f2a35e915acaeac1496b2ea0c4d71220",
    4: "da19f6a7f2046c30d9b09be9031f8d99",
    5: "6323602c613959531918f68c44fa3507",
}
TRAINED_PIXEL_MD5: dict[str, dict[int, str]] = {
    "small": {
        0: "e6a6fe0be12fc8f9dce7c4d87dcc4f7a",
        1: "badf2898e4c4deb988209e9b17fef083",
        2: "5d408ee138a1ae14e7b41f02880145ec",
        3: "70b70a03cc1a24af0531367bf9bd76b0",
        4: "dbbe7a091fe22383dfb755354e8b8662",
        5: "c9d52eaea7f9a4993e879a9c456a406b",
    },
    "middle": {
        0: "88ba51793a0f48db4bf4b7e99c394490",
        1: "6eba576b83669840b9d68319c082cd2f",
        2: "8c2f1ee07d54c2c42cf020c3a3a564c1",
        3: "e21eb825548c993f9b29b75c638f2b93",
        4: "20ac95baf612afdcc13783b98cb90dd0",
        5: "97439a040029110a236363e1d49f5f7a",
    },
    "large": {
        0: "e656f44c2e284cd8cd8999ffe0d0335e",
        1: "eeb3c74316faa93afa5801f08e583658",
        2: "cea95d00d4cedbc394b5322e38c8f5a2",
        3: "6bd29909ee932729c454ac1649a8ed2b",
        4: "430afcc03dc3500526f41fd967849c60",
        5: "9188c7322cea0f6d895753ff61ef97f7",
    },
}
# The checksums that the authors publish, over PNG files.
PNG_MD5 = {
    0: "00f60f1d99234b8fe8e5e1fe79306759",
    1: "f13da5cde237fb224846b8e0dd8188b2",
    2: "f06ad4b20d3f7d33f7b417cf7a1eb811",
    3: "eeb05f67093efae9f9b3f5a5617b2444",
    4: "5aa583af4e3c08a32f633bcb565823e5",
    5: "35ec90ad3cd9543123208cbb4a311233",
}


@dataclass(frozen=True)
class Recipe:
    """How a realisation is made: sizes of the splits, centre of the scaling in pixels, checksums.

    `centre` is measured from the outer edge of the first pixel, so that 14 is the middle of a
    28-pixel image; the published images were made about 14.5. `trained`: the range of scales in
    training and validation; the test has 0.3..1 always.
    """

    train: int = 10_000
    validation: int = 2_000
    test: int = 50_000
    centre: float = 14.5
    pixel_md5: Mapping[int, str] = field(default_factory=lambda: PIXEL_MD5)
    files: tuple[IdxFile, ...] = PUBLISHED_FILES
    name: str = NAME
    trained: tuple[float, float] = (LOWEST_SCALE, HIGHEST_SCALE)


PUBLISHED = Recipe()
RECIPES = {
    NAME: PUBLISHED,
    **{
        f"{NAME}_{word}": Recipe(
            name=f"{NAME}_{word}", trained=trained, pixel_md5=TRAINED_PIXEL_MD5[word]
        )
        for word, trained in TRAINED.items()
    },
}
"""By name; those of restricted ranges have the test images of the published one, and its digits."""


def generate(source: Mnist, realisation: int, recipe: Recipe = PUBLISHED) -> DataSet:
    """MNIST images uint8 [N, 28, 28] -> splits uint8 [N, 1, 28, 28] by the recipe, unchecked.

    Uses its own random streams: the global ones of NumPy and Python are neither read nor changed.
    """
    visited = visiting_order(source, realisation, recipe)
    scales = draw_scales(len(visited), realisation)
    tested = range(recipe.train, recipe.train + recipe.test)
    if recipe.trained != (LOWEST_SCALE, HIGHEST_SCALE):  # whose scales stay as they are, bit by bit
        scales = [
            scale if place in tested else restricted(scale, recipe.trained)
            for place, scale in enumerate(scales)
        ]
    images = [
        rescale(source.images[index], scale, recipe.centre)
        for index, scale in zip(visited, scales, strict=True)
    ]
    return assemble(images, source.labels[visited], scales, realisation, recipe)


def visiting_order(source: Mnist, realisation: int, recipe: Recipe = PUBLISHED) -> Indices:
    """Return indices [train + test + validation] of source images, stratified, split by split."""
    # A private copy of the stream that NumPy's seeded global state would give.
    stream = np.random.RandomState(realisation)
    train, validation, test = stratified_split(
        source.labels, recipe.train, recipe.validation, recipe.test, stream
    )
    return np.concatenate([train, test, validation])


def draw_scales(count: int, realisation: int) -> list[float]:
    """`count` ratios (size out / size in), uniform in 0.3..1, in visiting order."""
    stream = random.Random(realisation)
    scales = []
    for _ in range(count):
        stream.uniform(-0, 0)  # the angle that the published generator drew before every scale
        scales.append(stream.uniform(LOWEST_SCALE, HIGHEST_SCALE))
    return scales


def rescale(image: NDArray[np.uint8], scale: float, centre: float) -> NDArray[np.uint8]:
    """Image uint8 [H, H] -> [H, H], scaled by `scale` (size out / size in) about (centre, centre).

    `centre` is in pixels from the outer edge of the first pixel; see `resample` for the rest.
    """
    step = 1 / scale
    # Summed in this order so as to round as the published images were rounded.
    offset = 0 + step * -centre + 0.0 * -centre
    offset += centre
    return resample(image, step, offset, len(image))


def assemble(
    images: list[NDArray[np.uint8]],
    labels: NDArray[np.int64],
    scales: list[float] | None,
    realisation: int,
    recipe: Recipe = PUBLISHED,
) -> DataSet:
    """Images [H, W], labels and scales in visiting order -> data set of images [N, 1, H, W]."""
    whole = Split(
        torch.from_numpy(np.stack(images)).unsqueeze(1),  # [N, 1, H, W]
        torch.from_numpy(labels),
        None if scales is None else torch.tensor(scales, dtype=torch.float64),
    )
    train = whole.part(slice(recipe.train))
    test = whole.part(slice(recipe.train, recipe.train + recipe.test))
    validation = whole.part(slice(recipe.train + recipe.test, None))
    return DataSet(recipe.name, realisation, train, validation, test, NORMALISATION)


def pixel_hash(data: DataSet) -> str:
    """MD5 (32 hex digits) over the uint8 pixels of train, then test, then validation images."""
    digest = hashlib.md5(usedforsecurity=False)
    for split in (data.train, data.test, data.validation):
        digest.update(split.images.contiguous().numpy().data)
    return digest.hexdigest()


def png_hash(data: DataSet) -> str:
    """MD5 (32 hex digits) over the images [N, 1, H, W] as the PNG files of the authors' script.

    The files are called split/label/index.png, with one running index over train, test and
    validation, and are hashed in the order of their paths. This is stronger than `pixel_hash`,
    as it covers labels; but PNG bytes depend on the zlib in use. So an equal hash (see PNG_MD5)
    proves identity with the published files, and another hash proves nothing.
    """
    from PIL import Image  # noqa: PLC0415 (not on every GPU node)

    files: dict[str, torch.Tensor] = {}
    for folder, split in (("train", data.train), ("test", data.test), ("val", data.validation)):
        for image, label in zip(split.images, split.labels.tolist(), strict=True):
            files[f"{folder}/{label}/{len(files)}.png"] = image
    digest = hashlib.md5(usedforsecurity=False)
    for path in sorted(files):
        buffer = io.BytesIO()
        Image.fromarray(files[path][0].numpy()).save(buffer, "PNG")
        digest.update(buffer.getvalue())
    return digest.hexdigest()


def verify_pixels(data: DataSet, recipe: Recipe = PUBLISHED) -> None:
    """Raise DataError unless the pixels [N, 1, 28, 28] have the recipe's MD5."""
    found, expected = pixel_hash(data), recipe.pixel_md5[data.realisation]
    if found != expected:
        used = ", ".join(f"{name} {version(name)}" for name in ("pillow", "scikit-learn", "numpy"))
        raise DataError(
            f"{data.name} realisation {data.realisation}: the pixels have MD5 {found}, expected "
            f"{expected} (libraries that split and resample: {used})"
        )
