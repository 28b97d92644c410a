"""The paper's measure of equivariance.

    Δ = ‖L_s Φ(f) − Φ(L_s f)‖² / ‖L_s Φ(f)‖²              (SESN, section 6, "equivariance error")

Where an error comes from says `verification.budget`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


class NothingToCompareError(ValueError):
    """Answers that are zero, or constant: no relative error exists."""


def equivariance_error(reference: ArrayLike, measured: ArrayLike) -> float:
    """Δ of `measured` against `reference` of the same shape: ‖reference − measured‖²/‖reference‖².

    0 means equivariant; two unrelated responses of equal size give about 2.
    Raises ValueError for different shapes or a value that is not finite, NothingToCompareError for
    a reference of zeros.
    """
    a, b = np.asarray(reference, dtype=np.float64), np.asarray(measured, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(
            f"reference of shape {a.shape}, measured of shape {b.shape}: must be equal"
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("reference and measured: must be finite everywhere")
    energy = float((a**2).sum())
    if energy == 0:
        raise NothingToCompareError("reference: is zero everywhere, so no relative error exists")
    return float(((a - b) ** 2).sum()) / energy


def relative_change(reference: ArrayLike, other: ArrayLike) -> float:
    """As `equivariance_error`, of values that may be anything: 0 between zeros, infinite against.

    What is not finite, or of another shape, has changed by NaN or infinitely much.
    """
    a, b = np.asarray(reference, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if a.shape != b.shape:
        return np.inf
    with np.errstate(invalid="ignore"):
        energy, change = float((a**2).sum()), float(((a - b) ** 2).sum())
    if energy == 0:
        return 0.0 if change == 0 else np.inf
    return change / energy
