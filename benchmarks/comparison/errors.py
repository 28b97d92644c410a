"""Equivariance error of a response, by the exact probe and by raster warps.

For one factor s, positions p and images f, with r the response of `comparison.responses`,

    Δ = Σ ‖r_{L_s f}(s·p) − r_f(p)‖² / Σ ‖r_f(p)‖²        (SESN, section 6, with Φ = r)

The exact probe samples f around p and L_s f around s·p, so that both responses are one pixel and
nothing is interpolated. On raster images L_s is kornia's resizing, of images and of responses, and
positions are pixels.

Δ alone flatters a response that is nearly the same everywhere, as the maximum over many scales is.
So `chance` stands beside it: the same ratio where every response is paired with that of another
image and place. Δ/chance is 0 for an invariant response and 1 for one that is no more alike at
corresponding places than at any two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmarks.comparison.responses import Response
from benchmarks.comparison.scenes import PATCH, in_frame, views
from benchmarks.comparison.settings import FRAME
from verification.reference.analytic import FloatArray, GaborImage
from verification.reference.errors import equivariance_error
from verification.reference.warps import rescale, valid_margin, valid_mask

Pair = tuple[Response, Response]
"""What answers to f, and what answers to L_s f: for a method the same response twice."""

WIDEST_FILTER = 23
"""Side in pixels of the widest first filter of all methods, that of SiCNN and SI-ConvNet."""


@dataclass(frozen=True)
class Errors:
    """Δ, and the Δ of unrelated responses."""

    error: float
    chance: float


@dataclass(frozen=True)
class Window:
    """A view of a scene and the pixel of the response that looks at its middle.

    side: of the view, in pixels; stride: of the response, 0.5 where the network enlarges its input;
    index: of its pixel, along both axes.
    """

    side: int
    stride: float
    index: int

    @property
    def offset(self) -> float:
        """From the view's middle sample, number side//2, to the pixel's middle, in pixels."""
        return self.index * self.stride + (self.stride - 1) / 2 - self.side // 2


FIRST = Window(side=FRAME, stride=1, index=FRAME // 2)
"""The network's own frame: methods that resize the whole frame are at home in it."""
TRUNK = Window(side=44, stride=4, index=5)
"""Larger than the network's frame, so that the border is far from the middle."""
WIDE = Window(side=57, stride=1, index=28)
"""Twice the network's frame: nothing that a first layer reads is cut off."""


def probe_errors(
    pair: Pair, scenes: GaborImage, point: tuple[float, float], factor: float,
    window: Window = FIRST,
) -> Errors:  # fmt: skip
    """Exact probe of N scenes at one point (row, column), in pixels."""
    at_start, at_end = pair
    return errors_between(
        probe_answers(at_start, scenes, point, 1.0, window),
        probe_answers(at_end, scenes, point, factor, window),
    )


def probe_answers(
    response: Response, scenes: GaborImage, point: tuple[float, float], factor: float,
    window: Window,
) -> FloatArray:  # fmt: skip
    """What a response says of L_s f at s·p, for each of N scenes: [N, C], or [N, C, S] of a stack.

    point: p, as (row, column) in pixels.
    """
    row, column = (factor * coordinate - window.offset for coordinate in point)
    with torch.inference_mode():
        maps = response(views(scenes.rescaled(factor), (row, column), window.side))
    return np.asarray(maps[..., window.index, window.index].double().numpy())


def digit_errors(pair: Pair, digits: Tensor, side: int) -> Errors:
    """Raster warp of digits [B, 1, 28, 28] to `side`, both seen in frames of 28 pixels.

    Around a digit is nothing, so that the frame cuts nothing off: only the pixels that resizing
    reads past the edge are left out.
    """
    at_start, at_end = pair
    with torch.inference_mode():
        expected = rescale(at_start(digits), side).image
        found = at_end(in_frame(rescale(digits, side).image, FRAME))
    margin = max(valid_margin(side / FRAME, 1, 1), (side - FRAME) // 2)
    return _compare_maps(expected, in_frame(found, side), valid_mask(side, margin))


def photograph_errors(pair: Pair, patches: Tensor, side: int) -> Errors:
    """Raster warp of patches [B, 1, n, n] to `side`, away from borders."""
    at_start, at_end = pair
    with torch.inference_mode():
        expected = rescale(at_start(patches), side).image
        found = at_end(rescale(patches, side).image)
    mask = valid_mask(side, valid_margin(side / PATCH, WIDEST_FILTER, WIDEST_FILTER))
    return _compare_maps(expected, found, mask)


def errors_between(expected: FloatArray, found: FloatArray) -> Errors:
    """Δ between N responses [N, C] and its chance, over all pairs of different responses.

    Raises ValueError for fewer than 2 responses, or as `equivariance_error` does.
    """
    number = len(expected)
    if number < 2:
        raise ValueError(f"expected of shape {expected.shape}: must hold at least 2 responses")
    error = equivariance_error(expected, found)
    energy = float((expected**2).sum())
    own = float((expected * found).sum())
    unrelated = (float(expected.sum(axis=0) @ found.sum(axis=0)) - own) / (number - 1)
    return Errors(error, (energy + float((found**2).sum()) - 2 * unrelated) / energy)


def _compare_maps(expected: Tensor, found: Tensor, mask: Tensor) -> Errors:
    pixels = (maps[..., mask].movedim(1, -1).flatten(0, 1) for maps in (expected, found))
    return errors_between(*(values.double().numpy() for values in pixels))
