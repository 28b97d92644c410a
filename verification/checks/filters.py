"""Checks of a sampled steerable basis against closed forms and against itself."""

from __future__ import annotations

import numpy as np
import torch

from verification.budget import basis_ranks
from verification.checks.result import CheckResult
from verification.reference.analytic import FloatArray
from verification.reference.continuum import HermiteBasis, sampled_filters
from verification.reference.errors import equivariance_error
from verification.tolerances import tolerance


def check_closed_form(basis: HermiteBasis, name: str) -> CheckResult:
    """Every function at every scale equals σ⁻² He_n(y/σ) He_m(x/σ) exp(−r²/2σ²), by scipy.

    The largest error over functions and scales; outside the documented support zero is expected.
    """
    worst, where = 0.0, ""
    for scale in range(len(basis.scales)):
        expected = _padded(basis, scale)
        for index, function in enumerate(basis.functions[:, scale].numpy()):
            error = equivariance_error(expected[index], function)
            if error >= worst:
                worst, where = error, f"function {index} at σ={basis.scales[scale]}"
    return CheckResult(
        "closed_form",
        name,
        worst,
        tolerance("closed_form", torch.float64),
        f"sampled basis against scipy's Hermite polynomials, worst at {where}; a larger error "
        "means another polynomial, order, normalisation or support",
    )


def check_sigma_law(basis: HermiteBasis, name: str) -> CheckResult:
    """ψ_σ(t) = σ⁻² ψ(t/σ), read off the samples alone (SESN, section 3).

    Wherever a pixel t of one scale and r·t of another, r = σ'/σ a whole number, are both inside
    their supports, the values differ by the factor r². Needs no knowledge of the functions.

    Raises ValueError unless some two scales have a whole ratio of 2 or more.
    """
    pairs = [
        (i, j, round(b / a))
        for i, a in enumerate(basis.scales)
        for j, b in enumerate(basis.scales)
        if j > i and round(b / a) >= 2 and abs(b / a - round(b / a)) < 1e-12
    ]
    if not pairs:
        raise ValueError(f"scales={basis.scales!r}: two of them must have a whole ratio")
    middle = basis.functions.shape[-1] // 2
    error = 0.0
    for fine, coarse, ratio in pairs:
        reach = min(basis.supports[fine] // 2, basis.supports[coarse] // 2 // ratio)
        near = np.arange(-reach, reach + 1)
        at_fine = basis.functions[:, fine][:, middle + near][..., middle + near].numpy()
        far = middle + ratio * near
        at_coarse = basis.functions[:, coarse][:, far][..., far].numpy()
        error = max(error, equivariance_error(at_fine, ratio**2 * at_coarse))
    return CheckResult(
        "sigma_law",
        name,
        error,
        tolerance("sigma_law", torch.float64),
        "ψ at pixel t against r²·ψ at pixel r·t of the scale r times larger; a larger error means "
        "a wrong power of σ or a normalisation of each scale by itself",
    )


def check_ranks(basis: HermiteBasis, name: str, ranks: tuple[int, ...]) -> CheckResult:
    """How many functions are linearly independent at each scale; the error counts differences.

    A scale with fewer than N_b independent functions cannot represent every filter that coarser
    scales can: 49 functions on 5×5 pixels have rank 25.
    """
    found = basis_ranks(basis)
    return CheckResult(
        "ranks",
        name,
        float(sum(a != b for a, b in zip(found, ranks, strict=True))),
        0.0,
        f"ranks {found} at scales {basis.scales}, expected {ranks}",
    )


def _padded(basis: HermiteBasis, scale: int) -> FloatArray:
    margin = (basis.functions.shape[-1] - basis.supports[scale]) // 2
    filters = sampled_filters(basis, scale, basis.supports[scale])
    return np.pad(filters, ((0, 0), (margin, margin), (margin, margin)))
