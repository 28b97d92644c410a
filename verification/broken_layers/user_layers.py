"""Layers as users write them, each with one mistake, judged by nothing but the user's call.

No documentation of an intact layer stands beside them, as it does for the broken layers of the
other modules: the mistake has to be found, and named, from the layer's own answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F

from verification.broken_layers import user_parts as parts
from verification.broken_layers.plain import (
    Bank,
    Then,
    edge,
    gaussian,
    kernels_of,
    laplacian,
    sampled,
)
from verification.broken_layers.user_parts import OCTAVES, SCALES, Layer


@dataclass(frozen=True)
class UserLayer:
    """A layer with a mistake, and the call by which a user has it judged.

    story: how the mistake happens in life. causes: identifiers of the diagnosis' catalogue, or
    names of checks, one of which the verdict has to give. make: seed -> layer.
    options: keyword arguments of `check_scale_equivariance` besides scales.
    """

    name: str
    story: str
    causes: tuple[str, ...]
    make: Callable[[int], Layer]
    scales: tuple[float, ...] = SCALES
    options: Mapping[str, Any] = field(default_factory=dict)


_STACKED = {"lifts": False}
_WINDOW = {"window": 19}
"""Of the filters alone: a norm over everything reaches everywhere, which takes long to find out."""
_MIXED = {"lifts": False, "in_channels": 2}
_EXTENT = {"lifts": False, "in_channels": 2}
USER_LAYERS = (
    UserLayer("ratio_2_percent", "√2 typed as 1.443.", ("ratio",),
              parts.bank(sigmas=[1.5 * (1.02 * 2**0.5) ** i for i in range(3)])),
    UserLayer("ratio_5_percent", "Widths fitted by eye.", ("ratio",),
              parts.bank(sigmas=[1.5 * (0.95 * 2**0.5) ** i for i in range(3)])),
    UserLayer("square_root_of_ratio", "Variances in place of widths: σ² doubles where σ should.",
              ("ratio",), parts.bank(sigmas=[1.5 * 2 ** (i / 4) for i in range(3)])),
    UserLayer("ratio_squared", "The ratio is applied twice in a loop.", ("ratio",),
              parts.bank(sigmas=[1.0, 2.0, 4.0])),
    UserLayer("widths_rounded", "int(σ) in the width.", ("ratio",),
              parts.bank(sigmas=[2.0, 2.0, 3.0])),
    UserLayer("last_width_off", "One number of a table mistyped: 3.3 for 3.0.", ("ratio",),
              parts.bank(sigmas=[1.5, 1.5 * 2**0.5, 3.3])),
    UserLayer("one_kernel", "The kernel is built outside the loop over scales.",
              ("one_kernel",), parts.copies),
    UserLayer("unshared", "`nn.ModuleList` of one convolution for each scale.",
              ("unshared", "shape"),
              parts.unshared),
    UserLayer("power_missing", "σ⁻² left out.", ("amplitude",), parts.bank(power=0.0)),
    UserLayer("power_one", "σ⁻¹, as in one dimension.", ("amplitude",), parts.bank(power=1.0)),
    UserLayer("power_three", "σ⁻³: the factor of a derivative left in.", ("amplitude",),
              parts.bank(power=3.0)),
    UserLayer("unit_norm", "Every filter divided by its norm.", ("amplitude", "normalised"),
              parts.bank(lambda i, k: parts.norm(k))),
    UserLayer("unit_sum_of_magnitudes", "Every scale divided by its sum of magnitudes, then "
              "multiplied by σ.", ("amplitude", "normalised"),
              parts.bank(lambda i, k: parts.sum_of_magnitudes(k) * SCALES[i])),
    UserLayer("gain_of_one_scale", "A gain learned for each scale.", ("amplitude", "normalised"),
              parts.bank(lambda i, k: k * (1.0, 1.1, 1.0)[i])),
    UserLayer("gain_of_5_percent", "An average over one pixel too few.",
              ("amplitude", "normalised"), parts.bank(lambda i, k: k * (1.0, 1.0, 0.95)[i])),
    UserLayer("laplacian_unnormalised", "∇²G_σ without σ².", ("amplitude",),
              lambda seed: Bank(kernels_of([laplacian], SCALES, 5.0, 4.0))),
    UserLayer("gradient_unnormalised", "∇G_σ without σ.", ("amplitude",),
              lambda seed: Bank(kernels_of([edge], SCALES, 5.0, 3.0))),
    UserLayer("envelope_alone_scaled", "σ rounded in the polynomial, not in the envelope.",
              ("functions", "shape", "normalised"), parts.narrow_polynomials),
    UserLayer("function_of_one_scale", "One basis function has a factor of its own at one scale.",
              ("functions", "normalised", "ratio"), parts.own_factors),
    UserLayer("scales_reversed", "Outputs from large to small.", ("order",),
              parts.after(lambda y: y.flip(2))),
    UserLayer("two_scales_exchanged", "Sorted by name: 1.5, 3.0, 2.12.", ("order",),
              parts.after(lambda y: y[:, :, [0, 2, 1]])),
    UserLayer("fixed_surround", "A difference of Gaussians with one surround for all scales.",
              ("shape", "ratio", "functions", "support"), parts.fixed_surround),
    UserLayer("blurred_along_rows", "σ used for one of two axes.", ("shape", "ratio", "unshared"),
              parts.rows_alone),
    UserLayer("transposed_at_one_scale", "`meshgrid` with another indexing at one scale.",
              ("transposed",), parts.last(lambda k: k.mT.contiguous())),
    UserLayer("mirrored_at_one_scale", "Left and right exchanged at one scale.", ("mirrored",),
              parts.last(lambda k: k.flip(-1))),
    UserLayer("upside_down_at_one_scale", "The rows counted upwards at one scale.",
              ("upside_down",), parts.last(lambda k: k.flip(-2))),
    UserLayer("turned_at_one_scale", "A convolution among correlations.", ("turned",),
              parts.last(lambda k: k.flip(-1, -2))),
    UserLayer("quarter_turn_at_one_scale", "`rot90` at one scale.", ("rotated",),
              parts.last(lambda k: torch.rot90(k, 1, (-2, -1)))),
    UserLayer("sign_at_one_scale", "The sign of a derivative at one scale.", ("sign",),
              parts.last(lambda k: -k)),
    UserLayer("turned_by_20_degrees", "An angle that depends on the index of the scale.",
              ("shape", "unshared"), parts.turned_wave),
    UserLayer("shifted_by_one_pixel", "Padding rounded the wrong way at one scale.", ("shift",),
              parts.bank(lambda i, k: F.pad(k, [1] * 4).roll((1, 1), (-2, -1)) if i == 1 else k)),
    UserLayer("shifted_by_half_a_pixel", "An even grid of coordinates at one scale.", ("shift",),
              parts.bank(lambda i, k: F.avg_pool2d(F.pad(k, [1, 0, 1, 0]), 2, 1) if i == 2 else k)),
    UserLayer("one_support", "7 × 7 pixels at every scale.", ("support",),
              parts.bank(lambda i, k: parts.middle(k, 3), sigmas=[0.75 * s for s in SCALES])),
    UserLayer("blur_cut_short", "A blur whose kernel is 9 × 9 at every σ, then normalised.",
              ("support",), lambda seed: Bank(
                  [k / k.sum() for k in
                   (parts.middle(sampled(gaussian, s, 4.0), 4) for s in SCALES)])),
    UserLayer("largest_cut_short", "The largest kernel cut to the image of a small data set.",
              ("support",), parts.bank(lambda i, k: parts.middle(k, 5) if i == 2 else k)),
    UserLayer("resized_without_factor", "Kernels resized bilinearly, without 1/k².", ("resized",),
              parts.resized((5, 7, 11), "bilinear", factor=False), (1.0, 1.4, 2.2),
              {"in_channels": 1}),
    UserLayer("nearest_without_factor", "Kernels resized by nearest neighbour, without 1/k².",
              ("resized",), parts.resized((5, 15, 25), "nearest", factor=False), (1.0, 3.0, 5.0),
              {"in_channels": 1}),
    UserLayer("resized_to_even_size", "One kernel has an even size.", ("resized", "shift"),
              parts.resized((5, 8, 11), "bicubic", factor=True), (1.0, 1.6, 2.2),
              {"in_channels": 1}),
    UserLayer("dilated_with_power", "σ⁻² times dilated taps, as for sampled functions.",
              ("amplitude",), lambda seed: Then(
                  parts.Run(parts.dilated((1, 2, 4))(seed)),
                  lambda y: y * parts.by_scale((1.0, 0.25, 0.0625)).to(y.dtype)), OCTAVES),
    UserLayer("dilation_counts_up", "Dilations of 1, 2, 3 for scales of 1, 2, 4.",
              ("ratio", "support"), parts.dilated((1, 2, 3)), OCTAVES),
    UserLayer("dilated_transposed", "Taps transposed at one scale.", ("transposed",),
              parts.dilated((1, 2, 4), lambda i, k: k.mT if i == 1 else k), OCTAVES),
    UserLayer("bias_per_scale", "A bias of shape [C, S].", ("bias_per_scale",),
              parts.after(lambda y: y + parts.by_scale((0.0, 0.3, 0.6)).to(y.dtype))),
    UserLayer("bias_with_sigma", "The bias multiplied by σ⁻² with the filters.",
              ("bias_per_scale",),
              parts.after(lambda y: y + 0.5 * parts.by_scale([s**-2 for s in SCALES]).to(y.dtype))),
    UserLayer("bias_per_scale_then_relu", "The same in front of a ReLU.", ("bias_per_scale",),
              parts.after(lambda y: (y + parts.by_scale((0.0, 0.2, 0.4)).to(y.dtype)).relu())),
    UserLayer("threshold_with_sigma", "Noise is cut off at a threshold that grows with σ.",
              ("bias_per_scale",),
              parts.after(lambda y:
                          (y - parts.by_scale([s / 3 for s in SCALES]).to(y.dtype)).relu())),
    UserLayer("reshape_without_permute", "[B, S, C, …] reshaped to [B, C, S, …].", ("axes",),
              parts.after(parts.reshaped)),
    UserLayer("extent_forgotten", "A scale convolution with K_S = 2, judged as one of K_S = 1.",
              ("extent",), parts.scale_conv, (1.5, 2.1, 2.94), _EXTENT),
    UserLayer("gain_after_mixing", "A gain of each scale after channels are mixed.",
              ("amplitude", "normalised"), parts.gained, SCALES, _MIXED),
    UserLayer("norm_per_scale", "`BatchNorm2d` on C·S channels.",
              ("bias_per_scale", "amplitude", "normalised"), parts.norm_by_scale, SCALES, _MIXED),
    UserLayer("channels_swapped_at_one_scale", "A concatenation in another order at one scale.",
              ("unshared", "shape"), parts.channels_swapped),
    UserLayer("gain_in_a_stack", "Two layers, with a gain of each scale.",
              ("amplitude", "normalised"), parts.Stack, (1.5, 2.1, 2.94)),
    UserLayer("sums_along_reversed_scales", "`flip` and `cumsum` on the scale axis.",
              ("extent", "neighbours", "order", "scale_equivariance"),
              lambda seed: lambda x: x.flip(2).cumsum(2), SCALES, _STACKED),
    UserLayer("coarse_from_half_the_pixels", "The coarse scale computed on a pooled image.",
              ("integer_translation",), parts.coarse_on_half, (1.5, 3.0)),
    UserLayer("reflected_at_one_scale", "`padding_mode` set at one scale alone.",
              ("padding", "border"), parts.reflected),
    UserLayer("norm_over_the_image", "`LayerNorm` over the whole image.",
              ("isolation", "integer_translation", "border", "nonlinear"),
              parts.after(parts.global_norm), options=_WINDOW),
    UserLayer("norm_over_the_batch", "Divided by the maximum of the batch.",
              ("batch_independence",), parts.after(parts.batch_maximum), options=_WINDOW),
    UserLayer("changes_its_input", "`relu_` on the image.", ("input_unchanged",), parts.in_place),
    UserLayer("plain_convolution", "A `Conv2d` taken for an invariant layer.",
              ("scale_invariance",), parts.plain, (1.0, 1.5)),
    UserLayer("maximum_of_copies", "The maximum over four copies of one kernel.",
              ("scale_invariance",), lambda seed: Then(
                  parts.plain(seed), lambda y: torch.stack([y] * 4, dim=2).amax(2)), (1.0, 1.5)),
)  # fmt: skip
