"""What the ends of the scale axis predict at scales that no training image has.

A response after its maximum over scale does not change with the size of an object as long as the
filter that answers most stays on the scale axis. Objects of a scale u and objects at the nearest
end e of the trained range are compared by the mean squared difference of these responses, as a
share of that between unrelated images: 0 where the axis covers the step from e to u, 1 where an
object of scale u is as strange as any. In the continuum, so that nothing but the axis, its ends
and its spacing, makes an error. The images have the strokes of a digit at scale 1.

`python -m benchmarks.studies.unseen` prints the predictions that the claims hold.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.data import BINS_PER_UNIT, TRAINED
from benchmarks.studies.bases import BasisSettings
from sesn_impl.networks.mnist import SESN_CONFIGURATIONS
from verification.budget.filters import combine
from verification.budget.signals import SIGNALS, Draw
from verification.reference.analytic import FloatArray
from verification.reference.continuum import HermiteBasis, continuum_responses

NETWORKS = ("sesn_scalar_28", "sesn_vector_28")
SIGNAL, DRAWS, FILTERS = "strokes", 20, 64
LOWEST_BIN, HIGHEST_BIN = 3, 10  # bins of the test, in units of 1/BINS_PER_UNIT


def unseen_bins(trained: tuple[float, float]) -> list[tuple[float, float]]:
    """Where the bins of scales outside a trained range begin and end."""
    ends = [
        (start / BINS_PER_UNIT, (start + 1) / BINS_PER_UNIT)
        for start in range(LOWEST_BIN, HIGHEST_BIN)
    ]
    return [(a, b) for a, b in ends if b <= trained[0] or a >= trained[1]]


def predicted_shares(network: str) -> dict[tuple[str, float], float]:
    """The predicted share, by the part that is trained on and the beginning of an unseen bin."""
    configuration = SESN_CONFIGURATIONS[network]
    basis = BasisSettings(
        configuration.kernel_size, configuration.scales, configuration.mult
    ).build()
    draws = SIGNALS[SIGNAL].draws(DRAWS)
    return {
        (part, start): share(basis, draws, float(np.sqrt(start * stop)), _nearest(start, trained))
        for part, trained in TRAINED.items()
        for start, stop in unseen_bins(trained)
    }


def share(basis: HermiteBasis, draws: Sequence[Draw], scale: float, trained: float) -> float:
    """Difference between objects of two scales after the maximum, as a share of chance."""
    rng = np.random.default_rng(0)
    coefficients = rng.standard_normal((FILTERS, draws[0][0].channels, len(basis.atoms)))
    seen, unseen = (
        np.stack([_largest(basis, draw, size, coefficients) for draw in draws])
        for size in (trained, scale)
    )  # [D, P, C_out]
    chance = ((unseen - np.roll(seen, 1, axis=0)) ** 2).mean()
    return float(((unseen - seen) ** 2).mean() / chance)


def _largest(basis: HermiteBasis, draw: Draw, size: float, coefficients: FloatArray) -> FloatArray:
    """The maximum over scales of the responses to an object of a size: [P, C_out]."""
    image, points = draw
    responses = [
        combine(
            continuum_responses(basis, index, image.rescaled(size), points * size), coefficients
        )
        for index in range(len(basis.scales))
    ]
    return np.asarray(np.max(responses, axis=0))


def _nearest(start: float, trained: tuple[float, float]) -> float:
    return trained[0] if start < trained[0] else trained[1]


def main() -> None:
    """Prints the predictions, a line for each bin."""
    for network in NETWORKS:
        for (part, start), value in predicted_shares(network).items():
            print(f"{network} mnist_scale_{part} {start} {value:.3g}")


if __name__ == "__main__":
    main()
