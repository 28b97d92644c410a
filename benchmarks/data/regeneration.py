"""Does the authors' data script still make their data? A measurement, to be kept as a record."""

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.data.dataset import DataSet
from benchmarks.data.generation import HIGHEST_SCALE, LOWEST_SCALE
from benchmarks.data.locations import required_data_dir
from benchmarks.data.mnist import Mnist, read_mnist
from benchmarks.data.mnist_scale_recipe import (
    PUBLISHED,
    Recipe,
    assemble,
    generate,
    pixel_hash,
    visiting_order,
)

DEFAULT_CENTRE = 14.0  # of a 28-pixel image, in today's libraries


def regeneration(
    realisation: int, data_dir: str | Path | None = None, recipe: Recipe = PUBLISHED
) -> dict[str, Any]:
    """Pixel MD5s of a realisation made in four ways, as JSON values; takes up to a minute.

    - `recipe`: with the convention of the libraries of its day. Expected to match.
    - `default_centre`: the same scales, about today's default centre, (14, 14).
    - `torchvision_seed_0` and `_1`: by today's torchvision.transforms.RandomAffine, whose scales
      come from torch's generator, which the script never seeds; here seeded with 0 and 1.

    `script_call_error` is what today's torchvision answers to the script's own call, or None.
    `pixels_changed` is the share of pixels that differ from the recipe's, in 0..1.
    """
    source = read_mnist(required_data_dir(data_dir, "MNIST-scale"), files=recipe.files)
    reference = generate(source, realisation, recipe)
    ways: dict[str, Callable[[], DataSet]] = {
        "recipe": lambda: reference,
        "default_centre": lambda: generate(
            source, realisation, replace(recipe, centre=DEFAULT_CENTRE)
        ),
        "torchvision_seed_0": lambda: _by_torchvision(source, realisation, recipe, seed=0),
        "torchvision_seed_1": lambda: _by_torchvision(source, realisation, recipe, seed=1),
    }
    expected = recipe.pixel_md5[realisation]
    measured = {}
    for way, make in ways.items():
        made = make()
        found = pixel_hash(made)
        measured[way] = {
            "pixel_md5": found,
            "matches": found == expected,
            "pixels_changed": _share_of_changed_pixels(made, reference),
        }
    return {
        "expected_pixel_md5": expected,
        "ways": measured,
        "script_call_error": _script_call_error(),
        "versions": {name: version(name) for name in ("torchvision", "pillow", "scikit-learn")},
    }


def _by_torchvision(source: Mnist, realisation: int, recipe: Recipe, seed: int) -> DataSet:
    from torchvision.transforms import InterpolationMode, RandomAffine  # noqa: PLC0415 (slow)

    scaling = RandomAffine(
        0, scale=(LOWEST_SCALE, HIGHEST_SCALE), interpolation=InterpolationMode.BICUBIC
    )
    visited = visiting_order(source, realisation, recipe)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        images = [np.asarray(scaling(Image.fromarray(source.images[index]))) for index in visited]
    return assemble(images, source.labels[visited], None, realisation, recipe)


def _script_call_error() -> str | None:
    from torchvision.transforms import RandomAffine  # noqa: PLC0415 (slow)

    try:
        RandomAffine(0, scale=(LOWEST_SCALE, HIGHEST_SCALE), resample=3)
    except TypeError as error:
        return str(error)
    return None


def _share_of_changed_pixels(made: DataSet, reference: DataSet) -> float:
    changed = total = 0
    for name, split in made.splits.items():
        changed += int((split.images != reference.splits[name].images).sum())
        total += split.images.numel()
    return changed / total
