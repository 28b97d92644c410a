"""Name and hash of images that are measured on without being a data set to train on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from verification.reference.warps import photographs


def describe_images(name: str, images: Iterable[ArrayLike]) -> dict[str, str]:
    """What a record says of its images: a name, and SHA-256 over their bytes in order."""
    pixels = b"".join(np.ascontiguousarray(image).tobytes() for image in images)
    return {"name": name, "hash": hashlib.sha256(pixels).hexdigest()}


def photograph_data() -> dict[str, str]:
    """Name and hash of the images that patches are cut from."""
    return describe_images("photographs", (image.numpy() for image in photographs()))
