"""Checks of the backward pass: the gradient with respect to the input is equivariant as well.

Let ℓ be a loss that does not change with scale, ℓ(L_s Y) = ℓ(Y): here the response of one channel
at scale σ and point p, which for the rescaled image is read at scale sσ and point s·p. With
Φ(L_s f) = L_s Φ(f), ℓ∘Φ takes the same value at f and at L_s f, and so along every direction h:

    ⟨∇(ℓ∘Φ)(L_s f), L_s h⟩ = ⟨∇(ℓ∘Φ)(f), h⟩                                      (pairing)

where ⟨·,·⟩ sums over pixels. In the continuum, substitute u = s·v in ∫ ∇(L_s f)(u) h(u/s) du: for
all h

    s² ∇(ℓ∘Φ)(L_s f)(s·v) = ∇(ℓ∘Φ)(f)(v).                                        (density)

A pixel's gradient shrinks by the Jacobian factor s⁻² = |det ∂(t/s)/∂t| of the plane, because there
are s² times as many pixels to share it. (A gradient that is itself rescaled as a function has no
factor: Φᵀ L_s g = L_s Φᵀ g.) The density form is tested where both pixels exist, for a ratio a/b of
whole numbers at every b-th pixel; the pairing for any ratio, since h is analytic.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from verification.budget.layers import predict_pair
from verification.checks.result import CheckResult, about
from verification.layer.probe import Probe, known_filters
from verification.layer.targets import Target
from verification.reference.errors import equivariance_error
from verification.tolerances import bound_and_rounding, tolerance

_LARGEST_DENOMINATOR = 12


def input_gradients(target: Target, probe: Probe, scale: int) -> Tensor:
    """∂Y[o, scale, centre]/∂x of each channel o: [C_out, P, C_in, (S,) window, window]."""
    x = probe.sampled(target).to(target.dtype).requires_grad_()
    y = target.layer(x)
    # Points are images of a batch: their sum keeps them apart.
    answers = y[:, :, scale, y.shape[-2] // 2, y.shape[-1] // 2].sum(dim=0)
    gradients = [torch.autograd.grad(answer, x, retain_graph=True)[0] for answer in answers]
    return torch.stack(gradients).detach().double()


def check_gradient_equivariance(
    target: Target,
    probe: Probe,
    direction: Probe,
    fine: int,
    coarse: int,
    wanted: float | None = None,
) -> CheckResult:
    """⟨∇(L_s f), L_s h⟩ = ⟨∇(f), h⟩ for s = σ_coarse/σ_fine: see the module's pairing.

    direction: h, with the points of the probe. A layer is linear, so the pairing is its response to
    h without bias, and the error budget of that response is the threshold. wanted: the threshold of
    a stack, whose filters are not known.
    """
    ratio = target.scales[coarse] / target.scales[fine]
    direction = replace(direction, points=probe.points)
    steps = coarse - fine
    near = _pairing(target, probe, direction, fine)
    far = _pairing(target, probe.rescaled(ratio, steps), direction.rescaled(ratio, steps), coarse)
    bound = 0.0 if wanted is None else wanted
    if wanted is None:
        filters = known_filters(target)
        unbiased = replace(filters, bias=np.zeros_like(filters.bias))
        budget = predict_pair(replace(target, filters=unbiased), direction, fine, coarse)
        bound = bound_and_rounding(budget.bound, target.dtype)
    return CheckResult(
        "gradient_equivariance",
        target.name,
        equivariance_error(near, far),
        bound,
        f"gradient of scale {coarse} for the image rescaled by {ratio:.4f} against scale {fine}, "
        "paired with a direction that is rescaled alike; more means that the backward pass is of "
        "another function than the forward pass, or that filters are no copies by σ⁻²ψ(t/σ)",
        **about(target, probe.seed, ratio),
    )


def check_gradient_density(target: Target, probe: Probe, fine: int, coarse: int) -> CheckResult:
    """s² ∇(L_s f)(s·v) = ∇(f)(v) at every pixel v with s·v a pixel: see the module's density.

    For a convolution the gradient is its filter, so this holds to rounding inside both supports,
    whatever they cut off.

    Raises ValueError unless σ_coarse/σ_fine is a ratio of whole numbers up to 12.
    """
    ratio = target.scales[coarse] / target.scales[fine]
    whole = Fraction(ratio).limit_denominator(_LARGEST_DENOMINATOR)
    if abs(float(whole) - ratio) > 1e-12 * ratio:
        raise ValueError(
            f"ratio={ratio!r}: must be one of whole numbers up to {_LARGEST_DENOMINATOR}"
        )
    far_probe = probe.rescaled(ratio, coarse - fine)
    near = _read_scales(target, input_gradients(target, probe, fine), fine)
    far = _read_scales(target, input_gradients(target, far_probe, coarse), coarse)
    reach = min(
        _reach(target, fine) // whole.denominator, _reach(target, coarse) // whole.numerator
    )
    steps = torch.arange(-reach, reach + 1)
    middle = target.window // 2
    at_near, at_far = (middle + step * steps for step in (whole.denominator, whole.numerator))
    return CheckResult(
        "gradient_density",
        target.name,
        equivariance_error(
            near[..., at_near, :][..., at_near], ratio**2 * far[..., at_far, :][..., at_far]
        ),
        tolerance("gradient_density", target.dtype),
        f"gradient of scale {fine} at all pixels {whole.denominator}·k against {whole}² times that "
        f"of scale {coarse} at {whole.numerator}·k, {(2 * reach + 1) ** 2} pixels; more means "
        "another Jacobian factor than s⁻², or a backward pass of another function",
        **about(target, probe.seed, ratio),
    )


def _pairing(target: Target, probe: Probe, direction: Probe, scale: int) -> Tensor:
    """⟨∇, h⟩ for each point and channel: [P, C_out]."""
    gradients = input_gradients(target, probe, scale)
    along = direction.sampled(target)
    return (gradients * along).flatten(2).sum(dim=2).T


def _read_scales(target: Target, gradients: Tensor, scale: int) -> Tensor:
    """The gradients of the K_S input scales that an output scale sums over; all of an image's."""
    if target.lifts:
        return gradients
    return gradients[:, :, :, scale : scale + target.scale_extent]


def _reach(target: Target, scale: int) -> int:
    """Pixels from the centre to which the filters of a scale go, as far as is known."""
    if target.filters is None:
        return target.window // 2
    return min(target.window, target.filters.basis.supports[scale]) // 2
