"""Error of whole responses with zero padding, beside that without padding.

Users report that equivariance degrades through padding. A random stack of three layers, as many as
the published MNIST networks have, sees photographs in a frame of about its network's size, which
stays the same when the photograph is shrunk by one step of the scale grid: as in those networks,
where objects change their size and images do not. (A frame that shrinks with its image takes its
zeros along, and loses nothing.) The response to the photograph is shrunk and compared with the
middle of the response to the shrunken one: x = 0, where the photograph goes on beyond the frame;
x = 1, where zeros surround it. Pixels, coefficients and resampling are the same, so that the
difference is the padding's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from benchmarks.panels.comparing import neighbours
from benchmarks.panels.depth import random_stack
from benchmarks.panels.networks import Stack
from benchmarks.panels.session import Rows, Session
from benchmarks.panels.settings import Grid, Settings
from verification.reference.warps import random_patches, rescale

PANEL = "zero_padding"
LAYERS = 3
BLOCKS = {"mnist": 2, "stl10": 4, "wide": 4}
"""Frames of 26 and 96 pixels, nearest to the networks' own of 28 and 96."""
AROUND = 3
"""Side of the photograph over that of the frame: no padding of it reaches the frame."""


def measure_padding(session: Session, grid: Grid) -> None:
    """One record; x is 0 without and 1 with padding."""
    settings = session.settings
    about = {
        **settings.described("depth_channels"), "sides": list(frame_sides(grid)), "layers": LAYERS,
        **grid.described(grid.sigmas(grid.scales)), "scale_extent": 1, "around": AROUND,
    }  # fmt: skip
    session.raster(PANEL, grid, about, (0.0, 1.0), padding_curves)


def frame_sides(grid: Grid) -> tuple[int, int]:
    """Of the frame, and of what was in it after a rescaling by one step, in pixels."""
    return grid.step[0] * BLOCKS[grid.name], grid.step[1] * BLOCKS[grid.name]


def padding_curves(rng: np.random.Generator, grid: Grid, settings: Settings) -> Rows:
    """One network: y, without padding and with."""
    sides = frame_sides(grid)
    photograph = random_patches(rng, 1, AROUND * sides[0])
    images = photograph, rescale(photograph, AROUND * sides[1]).image
    stack = random_stack(rng, grid, settings, LAYERS)
    stack.calibrate(photograph)
    framed = tuple(_middle(image, sides[0]) for image in images)
    return {"y": [_error(stack, images, sides), _error(stack, framed, sides)]}


def _error(stack: Stack, images: Sequence[Tensor], sides: Sequence[int]) -> float:
    """Δ between what two images show in the middle, with these sides."""
    before, after = (
        _middle(stack.last(image), side) for image, side in zip(images, sides, strict=True)
    )
    return neighbours(before, after).whole


def _middle(values: Tensor, side: int) -> Tensor:
    """The pixels about the middle: [..., H, W] -> [..., side, side]."""
    start = (values.shape[-1] - side) // 2
    return values[..., start : start + side, start : start + side]
