"""The registry: every check that one target can be put through, and what it takes.

A `Check` has a name, what it says of a layer, what a target must offer for it, and at which mistake
its failure points. It runs on a `Target` with a seed and returns one `CheckResult`: where it tries
several pairs of scales, the worst. The order is that of the verdict, the cheap and basic first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from verification import checks
from verification.checks import bias, black_box, on_targets, scale_axis
from verification.checks.needs import Need
from verification.checks.on_targets import Run
from verification.layer.targets import Target


@dataclass(frozen=True)
class Check:
    """One entry of the registry.

    says: what holds if it passes. points_at: the mistakes that make it fail.
    needs: what a target must offer. optional: whether it runs only when it is named, being slow.
    tolerant: whether a tolerance that the user gives takes the place of its threshold.
    run: (target, seed) -> result; may raise whatever the layer raises.
    """

    name: str
    says: str
    points_at: str
    run: Run
    needs: tuple[Need, ...] = ()
    optional: bool = False
    tolerant: bool = False

    def missing(self, target: Target) -> str:
        """Why the check does not apply to a target, the first reason; empty if it does."""
        return next((need.why_not for need in self.needs if not need.met(target)), "")


def named(names: Iterable[str] | None, among: Sequence[Check]) -> tuple[Check, ...]:
    """The checks of these names in the registry's order; None: all but the optional ones.

    Raises ValueError for a name that the registry does not hold.
    """
    if names is None:
        return tuple(check for check in among if not check.optional)
    wanted = list(names)
    unknown = sorted(set(wanted) - {check.name for check in among})
    if unknown:
        known = ", ".join(check.name for check in among)
        raise ValueError(f"check={unknown[0]!r}: must be one of {known}")
    return tuple(check for check in among if check.name in wanted)


_N = Need
CHECKS: tuple[Check, ...] = (
    Check(
        "output",
        "the output has one entry per image and scale, is finite, on the input's device",
        "axes in another order, channels and scales folded, a division by zero",
        on_targets.output,
    ),
    Check(
        "output_dtype",
        "the output is of the input's dtype, in float32 and in float64",
        "a `.float()` left over, filters of a fixed dtype that decide that of the output",
        on_targets.output_dtype,
    ),
    Check(
        "input_unchanged",
        "the input is as it was after the layer has run",
        "an operation in place on the input",
        on_targets.on_noise(checks.check_input_unchanged),
    ),
    Check(
        "determinism",
        "the same input gives the same output twice",
        "dropout or noise at inference, a state that every call changes",
        on_targets.determinism,
    ),
    Check(
        "batch_independence",
        "each image is answered the same, alone or among others",
        "a norm over the batch, batch and scale axes folded in the wrong order",
        on_targets.on_noise(checks.check_batch_independence),
    ),
    Check(
        "memory_format",
        "the order of values in memory changes nothing",
        "`view` or `as_strided` on memory of another layout",
        on_targets.on_noise(checks.check_memory_format),
    ),
    Check(
        "dtype",
        "float32 and float64 give the same numbers up to rounding",
        "filters that are kept in one precision, or in no buffer and so not converted",
        on_targets.dtype,
        (_N.MODULE, _N.PARAMETERS, _N.FULL_PRECISION),
    ),
    Check(
        "device",
        "every tensor of the layer moves with it to another device",
        "filters in plain attributes, not buffers",
        on_targets.device,
        (_N.MODULE, _N.PARAMETERS),
        # Without a second device torch's `meta` serves, which takes many seconds to load.
        optional=not torch.cuda.is_available(),
    ),
    Check(
        "integer_translation",
        "an input moved by whole strides gives the output moved",
        "gains or filters that depend on position, resampling inside the layer",
        on_targets.integer_translation,
        (_N.SCALES, _N.PIXELS, _N.SIZES),
    ),
    Check(
        "border",
        "only outputs whose filters reach over the border depend on it",
        "filters that look farther than they are said to, wrap-around, padding of another size",
        on_targets.border,
        (_N.SCALES, _N.PIXELS, _N.SIZES, _N.PLANE, _N.PADDING),
    ),
    Check(
        "padding",
        "all scales go on in the same way beyond the border of the image",
        "padding by reflection, repetition or wrap-around at one scale, by zeros at another",
        on_targets.on_frame(checks.check_padding),
        (_N.SCALES, _N.PIXELS, _N.SIZES, _N.PLANE, _N.PADDING, _N.PADDED),
    ),
    Check(
        "zero_border",
        "beyond its border an image goes on with zeros",
        "circular, reflected or repeated padding",
        on_targets.on_frame(checks.check_zero_border),
        (_N.SCALES, _N.PIXELS, _N.PADDING, _N.PADDED),
        optional=True,
    ),
    Check(
        "commutes_with_scale_shift",
        "a layer without filters treats all scales alike",
        "weights or statistics of their own at each scale, a window over scales",
        on_targets.on_noise(checks.check_commutes_with_scale_shift),
        (_N.SCALES, _N.POINTWISE),
    ),
    Check(
        "max_projection",
        "a projection is the maximum over scales",
        "another reduction, another axis, an index off by one",
        on_targets.on_noise(checks.check_max_projection),
        (_N.MAP, _N.STACK),
        optional=True,
    ),
    Check(
        "response",
        "the layer answers as its documented filters do",
        "axes swapped, filters flipped, misnormalised, shifted, of another order or width; no bias",
        on_targets.response,
        (_N.SCALES, _N.FILTERS),
    ),
    Check(
        "closed_form",
        "the sampled basis is that of Hermite polynomials and a Gaussian",
        "another family of polynomials, another order of functions, another support",
        on_targets.on_basis(checks.check_closed_form),
        (_N.BASIS,),
    ),
    Check(
        "sigma_law",
        "ψ_σ(t) = σ⁻²ψ(t/σ) on the samples of the basis",
        "a wrong power of σ, a normalisation of each scale by itself",
        on_targets.on_basis(checks.check_sigma_law),
        (_N.BASIS, _N.WHOLE_BASIS_RATIO),
    ),
    Check(
        "scale_equivariance",
        "Y_{L_s f}(sσ, s·p) = Y_f(σ, p) within what sampling and truncation explain",
        "scales that are no copies of one filter: normalisation, order, width, support",
        on_targets.scale_equivariance,
        (_N.SCALES, _N.PAIR),
        tolerant=True,
    ),
    Check(
        "scaled_copies",
        "the filters of two scales, as read off the layer, are copies by σ⁻²ψ(t/σ)",
        "normalisation, order, width, shift or orientation of the filters of one scale",
        black_box.scaled_copies,
        (_N.SCALES, _N.PAIR, _N.DERIVED, _N.INEXACT),
    ),
    Check(
        "supports",
        "the supports of the filters are in proportion to the scales",
        "one support for all scales, sizes that are rounded too far",
        black_box.supports,
        (_N.SCALES, _N.PAIR, _N.DERIVED, _N.INEXACT),
    ),
    Check(
        "scale_ratio",
        "the ratio that explains the responses best is the claimed one, not that of other scales",
        "scales in another order or of another ratio, one kernel for all scales",
        black_box.scale_ratio,
        (_N.SCALES, _N.PAIR, _N.DERIVED, _N.INEXACT),
    ),
    Check(
        "scale_invariance",
        "an output without a scale axis stays when the image is rescaled",
        "no adaptation to scale",
        scale_axis.scale_invariance,
        (_N.MAP,),
        tolerant=True,
    ),
    Check(
        "class_invariance",
        "predictions stay when the image is rescaled",
        "no adaptation to scale",
        scale_axis.class_invariance,
        (_N.CLASSES,),
        tolerant=True,
    ),
    Check(
        "bias_per_scale",
        "an image of zeros is answered alike at all scales, and thresholds are the same",
        "a bias, threshold or norm of its own at each scale",
        bias.bias_per_scale,
        (_N.SCALES, _N.PAIR),
        tolerant=True,
    ),
    Check(
        "scale_axis_shift",
        "rescaling by the grid's ratio moves the whole scale axis by one",
        "a scale axis out of order or out of step",
        on_targets.scale_axis_shift,
        (_N.SCALES, _N.FILTERS, _N.PAIR, _N.GEOMETRIC),
        tolerant=True,
    ),
    Check(
        "local_response",
        "each object of an image keeps its response, at its own scale",
        "scales that are no copies of one filter",
        on_targets.on_scene(checks.check_local_response),
        (_N.SCALES, _N.FILTERS, _N.LIFTS, _N.GRID),
    ),
    Check(
        "local_winner",
        "the index of the largest response moves by each object's own step",
        "scales out of order, scales of unequal gain",
        on_targets.on_scene(checks.check_local_winner),
        (_N.SCALES, _N.FILTERS, _N.LIFTS, _N.GRID),
    ),
    Check(
        "local_invariance",
        "the maximum over scales stays, but where the range of scales ends",
        "scales out of step, scales of unequal gain",
        on_targets.on_scene(checks.check_local_invariance, on_targets.maximum),
        (_N.SCALES, _N.FILTERS, _N.LIFTS, _N.GRID),
    ),
    Check(
        "isolation",
        "objects too far apart to meet in one filter do not change each other's responses",
        "a norm over the whole image, a layer that looks beyond its window",
        on_targets.on_scene(checks.check_isolation),
        (_N.SCALES, _N.LIFTS, _N.PLANE, _N.GRID),
    ),
    Check(
        "gradient_equivariance",
        "the gradient of the input is equivariant as the output is",
        "a backward pass of another function than the forward pass",
        on_targets.gradient_equivariance,
        (_N.SCALES, _N.FILTERS, _N.PAIR),
    ),
    Check(
        "gradient_density",
        "a pixel's gradient shrinks by s⁻² when the image is enlarged by s",
        "another Jacobian factor, a backward pass of another function",
        on_targets.gradient_density,
        (_N.SCALES, _N.FILTERS, _N.PAIR, _N.WHOLE_RATIO),
    ),
    Check(
        "input_gradient",
        "the gradient of the input is that of the answers",
        "a backward pass of another function, a detached tensor",
        black_box.input_gradient,
        (_N.SCALES,),
    ),
    Check(
        "gradients",
        "every parameter gets a finite gradient that is not zero",
        "a parameter that is created and not used, a detached tensor",
        on_targets.on_noise(checks.check_gradients, on_targets.copied),
        (_N.MODULE, _N.PARAMETERS),
    ),
    Check(
        "gradcheck",
        "analytic and numerical gradients agree, of the input and of all parameters",
        "a backward pass of another function, a detached or stale tensor",
        on_targets.on_noise(checks.check_gradcheck, on_targets.copied, batch=1, wider=0),
        (_N.MODULE, _N.PARAMETERS, _N.DOUBLE, _N.FILTERS),
    ),
    Check(
        "state_round_trip",
        "a scrambled copy that loads the state answers as the layer, bit for bit",
        "filters kept after a weight update, parameters missing from the state",
        on_targets.on_noise(checks.check_state_round_trip, on_targets.copied),
        (_N.MODULE, _N.PARAMETERS),
    ),
    Check(
        "state_complete",
        "a copy with another past answers as the layer once it has loaded its state",
        "weights in a plain list, statistics in plain attributes, filters kept from older weights",
        on_targets.state_complete,
        (_N.MODULE,),
    ),
    Check(
        "follows_weights",
        "a layer whose weights have changed answers by the new ones",
        "filters that are built once and kept after a weight update",
        on_targets.on_noise(checks.check_follows_weights, on_targets.copied),
        (_N.MODULE, _N.PARAMETERS),
    ),
    Check(
        "exported",
        "the program that torch.export makes gives the same numbers",
        "a trace that froze what depends on the input",
        on_targets.on_noise(checks.check_exported, on_targets.module_of),
        (_N.MODULE,),
        optional=True,
    ),
    Check(
        "compiled",
        "torch.compile gives the same numbers and gradients",
        "a graph that froze something that changes",
        on_targets.on_noise(
            partial(checks.check_compiled, backend="aot_eager"), on_targets.module_of
        ),
        (_N.MODULE,),
        optional=True,
    ),
)
