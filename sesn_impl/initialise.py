"""Initial coefficients in place of the published ones: of kept variance, or from given filters.

With independent coefficients w_n of variance v_n, features of unit variance and power spectrum
ρ(ω) give responses of variance C_in K_S Σ_n v_n h_n, where h_n = mean |ψ̂_n(ω)|² ρ(ω) is the squared
norm of the function as such features see it. Coefficients are shared by the scales and norms fall
as 1/σ, so for white noise no initialisation is right at more than one scale. Features whose
statistics do not depend on scale, such as images with ρ ~ |ω|⁻², meet equal norms at all of them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sesn_impl.basis import SteerableBasis
from sesn_impl.layers import LiftingConv2d, ScaleConv2d


def init_variance_keeping(conv: LiftingConv2d | ScaleConv2d, gain: float = math.sqrt(2)) -> None:
    """Draws normal coefficients that make the responses of each scale gain² times the variance.

    Assumed spectra: of images |ω|⁻², as that of natural ones; of functions on scale and space, what
    a layer with the same basis makes of white noise. Each function has an equal share. The top
    K_S − 1 scales, which see fewer input scales, get less. gain: √2 where a ReLU follows.
    """
    norms = _seen_norms(conv.basis, natural=isinstance(conv, LiftingConv2d)).mean(1)  # [N_b]
    fan_in = conv.weight[0, ..., 0].numel()
    deviations = gain / (fan_in * len(norms) * norms).sqrt()
    with torch.no_grad():
        conv.weight.normal_().mul_(deviations.to(conv.weight))
        if conv.bias is not None:
            conv.bias.zero_()


def init_from_filters(conv: LiftingConv2d | ScaleConv2d, filters: Tensor, scale: int = 0) -> Tensor:
    """Sets coefficients to those that come closest to given filters at one scale.

    filters: [C_out, C_in, k, k], such as the weight of a trained Conv2d; k odd, at most V.
    scale: index of the scale. Of a ScaleConv2d the slice of the same scale is set, others are zero.

    Returns the squared norm of what the basis leaves of each filter, relative to the filter's own:
    [C_out, C_in], 0 for a filter of zeros. Raises ValueError for another shape or scale.
    """
    basis, size = conv.basis, filters.shape[-1]
    if filters.shape != (*conv.weight.shape[:2], size, size) or size % 2 == 0:
        raise ValueError(
            f"filters of shape {tuple(filters.shape)}: must be [C_out={conv.out_channels}, "
            f"C_in={conv.in_channels}, k, k] with k odd"
        )
    margin = (basis.kernel_size - size) // 2
    if margin < 0:
        raise ValueError(f"filters of {size} pixels: must be at most V={basis.kernel_size}")
    if not 0 <= scale < basis.num_scales:
        raise ValueError(f"scale={scale!r}: must be from 0 to {basis.num_scales - 1}")
    wanted = torch.nn.functional.pad(filters.detach().to(basis.functions), [margin] * 4).flatten(2)
    functions = basis.functions[:, scale].flatten(1)  # [N_b, V²]
    coefficients = wanted @ torch.linalg.pinv(functions)
    with torch.no_grad():
        conv.weight.zero_()
        (conv.weight if conv.weight.ndim == 3 else conv.weight[:, :, 0]).copy_(coefficients)
    left: Tensor = (coefficients @ functions - wanted).square().sum(-1)
    return left.div_(wanted.square().sum(-1).clamp(min=torch.finfo(left.dtype).tiny))


def _seen_norms(basis: SteerableBasis, natural: bool) -> Tensor:
    """Squared norms [N_b, S] of the functions as features of unit variance see them."""
    size = max(64, 2 * basis.kernel_size)
    power = torch.fft.fft2(basis.functions, s=(size, size)).abs().square()  # [N_b, S, size, size]
    if natural:
        frequencies = torch.fft.fftfreq(size, dtype=torch.float64)
        spectrum = (frequencies[:, None] ** 2 + frequencies**2).reciprocal()
        spectrum[0, 0] = 0.0
    else:
        spectrum = power.sum(0)
    seen: Tensor = (power * spectrum).mean((-1, -2))
    return seen.div_(spectrum.mean((-1, -2)))
