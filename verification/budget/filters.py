"""The budget of a filter bank: what its filters alone lose, without running a layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verification.budget.parts import PairBudget, budget_of
from verification.reference.analytic import FloatArray, GaborImage
from verification.reference.continuum import HermiteBasis, continuum_responses, pixel_responses


def pair_budget(
    basis: HermiteBasis,
    fine: int,
    coarse: int,
    image: GaborImage,
    points: FloatArray,
    coefficients: FloatArray | None = None,
    bias: FloatArray | None = None,
    image_size: int | None = None,
) -> PairBudget:
    """Budget of the pair of scales for an image, probed at points [P, 2] in fine pixels.

    coefficients: [C_out, C, N_b] of the layer to be judged. Without them each basis function is
    one output, which is the expectation over independent random coefficients of equal variance.
    bias: [C_out] of that layer; it cancels in every difference and counts in the divisor alone.
    image_size: side of a finite image in pixels, about the origin; without it there is no border.

    Raises ValueError for indices that are not two scales in order, or a point outside the image.
    """
    chains = pair_of_chains(basis, (fine, coarse), image, points, image_size)
    near, far = (chain.outputs(coefficients) for chain in chains)
    return budget_of(
        (fine, coarse),
        chains[1].width / chains[0].width,
        [after - before for before, after in zip(near, far, strict=True)],
        float(((near[-1] + (0.0 if bias is None else bias)) ** 2).sum()),
        rank=chains[1].of(invisible_directions(basis, fine), coefficients),
        cut_off=float(((near[2] - near[1]) ** 2).sum()),
    )


@dataclass(frozen=True)
class Chain:
    """Responses of one scale of width σ by the models without a layer: [4, P, C, N_b]."""

    width: float
    models: FloatArray

    def outputs(self, coefficients: FloatArray | None) -> FloatArray:
        """Of a layer with coefficients [C_out, C, N_b]: [4, P, C_out]; as they are without."""
        return combine(self.models, coefficients)

    def of(self, directions: FloatArray, coefficients: FloatArray | None) -> float:
        """‖Y_2(Pw)‖² for the projection P on orthonormal directions [N_b, D] of coefficients."""
        # Projecting the responses is projecting the coefficients: P is symmetric.
        projected = self.models[2] @ directions @ directions.T
        return float((combine(projected, coefficients) ** 2).sum())


def pair_of_chains(
    basis: HermiteBasis,
    ends: tuple[int, int],
    image: GaborImage,
    points: FloatArray,
    image_size: int | None,
) -> tuple[Chain, Chain]:
    """Responses to f at the fine scale, and to L_s f at the coarse one.

    Raises ValueError for indices that are not two scales in order, or a point outside the image.
    """
    fine, coarse = ends
    if not 0 <= fine < coarse < len(basis.scales):
        raise ValueError(
            f"fine={fine!r}, coarse={coarse!r}: must be two of 0 … {len(basis.scales) - 1} in order"
        )
    ratio = basis.scales[coarse] / basis.scales[fine]
    near = _chain(basis, fine, image, points, image_size)
    return near, _chain(basis, coarse, image.rescaled(ratio), points * ratio, image_size)


def combine(responses: FloatArray, coefficients: FloatArray | None) -> FloatArray:
    """[..., P, C, N_b] with coefficients [C_out, C, N_b] -> [..., P, C_out]."""
    if coefficients is None:
        return responses
    flat = responses.reshape(*responses.shape[:-2], -1)
    return np.asarray(flat @ coefficients.reshape(len(coefficients), -1).T)


def grid_responses(
    basis: HermiteBasis,
    scale: int,
    image: GaborImage,
    points: FloatArray,
    image_size: int | None = None,
) -> FloatArray:
    """What the sampled, cut-off basis answers at points [P, 2]: [P, C, N_b].

    image_size: beyond this many pixels about the origin the image counts as zero.
    Raises ValueError for a point outside the image.
    """
    size = basis.functions.shape[-1]
    patches = image.sample_around(points, size).numpy()
    if image_size is not None:
        patches = patches * inside_image(points, size, image_size)[:, None]
    filters = basis.functions[:, scale].numpy().reshape(-1, size * size)
    flat = patches.reshape(-1, size * size)
    return np.asarray(flat @ filters.T).reshape(len(points), image.channels, -1)


def inside_image(points: FloatArray, window: int, image_size: int) -> NDArray[np.bool_]:
    """Which pixels of the windows around points [P, 2] lie inside the image: [P, window, window].

    The image is a grid of image_size² pixels that contains the point; its pixel image_size // 2 is
    the one nearest to the origin. Raises ValueError for a point outside it.
    """
    centre = image_size // 2
    positions = nearest_pixels(points) + centre
    outside = ((positions < 0) | (positions >= image_size)).any(axis=1)
    if outside.any():
        point = tuple(points[outside.argmax()].tolist())
        raise ValueError(
            f"point {point} with image_size={image_size!r}: must be {-centre} to "
            f"{image_size - 1 - centre} pixels from the image's centre"
        )
    reached = positions[..., None] + np.arange(window) - window // 2  # [P, 2, window]
    inside = (reached >= 0) & (reached < image_size)
    return np.asarray(inside[:, 0, :, None] & inside[:, 1, None, :])


def nearest_pixels(points: FloatArray) -> NDArray[np.int64]:
    """Whole pixels from the origin to points [P, 2]."""
    return np.rint(points).astype(np.int64)


def invisible_directions(basis: HermiteBasis, scale: int) -> FloatArray:
    """Coefficients whose filter vanishes on the grid of a scale, orthonormal: [N_b, N_b − rank].

    Numerically: singular values below max(N_b, pixels)·ε of the largest, as numpy counts ranks.
    """
    margin = (basis.functions.shape[-1] - basis.supports[scale]) // 2
    inside = slice(margin, margin + basis.supports[scale])
    samples = basis.functions[:, scale, inside, inside].numpy().reshape(len(basis.atoms), -1)
    # With fewer pixels than functions only a full set of left vectors holds the invisible ones.
    fewer_pixels = samples.shape[1] < len(samples)
    directions, sizes, _ = np.linalg.svd(samples, full_matrices=fewer_pixels)
    smallest = sizes[0] * max(samples.shape) * np.finfo(np.float64).eps
    return np.asarray(directions[:, int((sizes > smallest).sum()) :])


def basis_ranks(basis: HermiteBasis) -> tuple[int, ...]:
    """How many of the N_b functions are linearly independent on the grid of each scale."""
    count = len(basis.atoms)
    scales = range(len(basis.scales))
    return tuple(count - invisible_directions(basis, scale).shape[1] for scale in scales)


def _chain(
    basis: HermiteBasis,
    scale: int,
    image: GaborImage,
    points: FloatArray,
    image_size: int | None,
) -> Chain:
    models = [
        measure(basis, scale, image, points)
        for measure in (continuum_responses, pixel_responses, grid_responses)
    ]
    if image_size is None:
        models.append(models[-1])
    else:
        models.append(grid_responses(basis, scale, image, points, image_size))
    return Chain(basis.scales[scale], np.stack(models))
