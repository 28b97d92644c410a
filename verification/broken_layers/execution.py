"""Mistakes in how a layer is run: caches, memory, precision, randomness, borders, strides."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from verification.broken_layers.broken_layer import (
    Altered,
    BrokenLayer,
    SteerableConv,
    altered,
    with_functions,
)

_LIFTING, _PADDED = ("lifting",), ("padded",)


class _StaleCache(nn.Module):
    """Keeps its filters between calls without gradients, whatever becomes of the weights."""

    def __init__(self, layer: SteerableConv) -> None:
        super().__init__()
        self.layer = layer
        self.kept: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """The answer by the weights of the first call."""
        weight: Tensor = self.layer.weight
        if not torch.is_grad_enabled():
            if self.kept is None:
                self.kept = weight.detach().clone()
            weight = self.kept
        y: Tensor = torch.func.functional_call(self.layer, {"weight": weight}, (x,))
        return y


class _CacheByVersion(_StaleCache):
    """Renews its filters when the weight's counter of changes moves, which `.data` does not do."""

    def __init__(self, layer: SteerableConv) -> None:
        super().__init__(layer)
        self.version = -1

    def forward(self, x: Tensor) -> Tensor:
        """The answer by the weights of the last counted change."""
        if self.version != self.layer.weight._version:
            self.kept, self.version = None, self.layer.weight._version
        return super().forward(x)


class _HiddenWeight(nn.Module):
    """Holds a gain that was learned as a plain tensor, which no state dict knows of."""

    def __init__(self, layer: SteerableConv) -> None:
        super().__init__()
        self.layer = layer
        self.gain = 1.0 + 0.1 * layer.weight.detach().abs().mean()

    def forward(self, x: Tensor) -> Tensor:
        """The answer, amplified."""
        y: Tensor = self.gain * self.layer(x)
        return y


class _ListOfWeights(nn.Module):
    """Its weight is a parameter, in a plain list that no state dict looks into."""

    def __init__(self, layer: SteerableConv) -> None:
        super().__init__()
        self.layer = layer
        self.weights = [nn.Parameter(layer.weight.detach().clone())]

    def forward(self, x: Tensor) -> Tensor:
        """The right answer."""
        y: Tensor = torch.func.functional_call(self.layer, {"weight": self.weights[0]}, (x,))
        return y


def _in_place(x: Tensor) -> Tensor:
    # The answer is right; the image that the caller still holds is another.
    kept = x.clone()
    x.detach().clamp_(min=0.0)
    return kept


def _in_memory_order(x: Tensor) -> Tensor:
    # x.view(-1) refuses other layouts; as_strided, like a kernel of one's own, does not.
    return torch.as_strided(x, x.shape, torch.empty(x.shape).stride(), x.storage_offset())


def _position_dependent(y: Tensor) -> Tensor:
    return y * torch.linspace(0.9, 1.1, y.shape[-1], dtype=y.dtype) if y.shape[-1] > 1 else y


class _OtherBorder(nn.Module):
    """A layer whose image goes on beyond its border otherwise than with zeros."""

    def __init__(self, layer: SteerableConv, mode: str) -> None:
        super().__init__()
        self.layer = with_functions(layer, layer.basis.functions)
        self.margin, self.mode = layer.padding, mode
        self.layer.padding = 0

    def forward(self, x: Tensor) -> Tensor:
        """The answer to the image that was made larger."""
        y: Tensor = self.layer(F.pad(x, [self.margin] * 4, mode=self.mode))
        return y


class _MixedBorder(nn.Module):
    """A layer that pads by reflection at one of its scales, by zeros at the others."""

    def __init__(self, layer: SteerableConv, scale: int = 1) -> None:
        super().__init__()
        self.layer, self.scale = layer, scale
        self.reflecting = _OtherBorder(layer, "reflect")

    def forward(self, x: Tensor) -> Tensor:
        """The answer, that of one scale to the reflected image."""
        chosen = torch.arange(len(self.layer.basis.scales)) == self.scale
        return torch.where(chosen[:, None, None], self.reflecting(x), self.layer(x))


def _border_lost(layer: SteerableConv) -> nn.Module:
    # Pixels beyond half of the largest support, counted from the border, are never read.
    reach = max(1, min(layer.basis.supports) // 2)
    return Altered(layer, before=lambda x: F.pad(x[..., reach:-reach, reach:-reach], [reach] * 4))


def _stride_before(layer: SteerableConv) -> nn.Module:
    stride = layer.stride
    inner = with_functions(layer, layer.basis.functions)
    inner.stride = 1

    def dropped(x: Tensor) -> Tensor:
        # Of an image with a centre pixel, keep that pixel.
        start = x.shape[-1] // 2 % stride
        return x[..., start::stride, start::stride]

    return Altered(inner, before=dropped)


BROKEN_EXECUTION = (
    BrokenLayer(
        "stale_cache",
        "Filters kept for inference and never made anew when weights change.",
        ("follows_weights",),
        "follows_weights",
        _StaleCache,
        _LIFTING,
    ),
    BrokenLayer(
        "cache_by_version",
        "Filters renewed by the tensor's counter of changes, which `.data` does not move.",
        ("follows_weights",),
        "follows_weights",
        _CacheByVersion,
        _LIFTING,
    ),
    BrokenLayer(
        "state_not_saved",
        "Something learned is a plain attribute, in no state dict.",
        ("state_complete",),
        "state_complete",
        _HiddenWeight,
        _LIFTING,
    ),
    BrokenLayer(
        "weights_in_list",
        "Parameters in a plain list, where an `nn.ParameterList` was wanted.",
        ("state_complete", "gradients"),
        "state_complete",
        _ListOfWeights,
        _LIFTING,
    ),
    BrokenLayer(
        "input_changed",
        "An in-place operation on the input.",
        ("input_unchanged",),
        "input_unchanged",
        altered(before=_in_place),
        _LIFTING,
    ),
    BrokenLayer(
        "random_noise",
        "Noise for regularisation that is added in evaluation as well.",
        ("determinism",),
        "determinism",
        altered(after=lambda y: y + 1e-3 * torch.randn_like(y)),
        _LIFTING,
    ),
    BrokenLayer(
        "batch_centred",
        "The mean taken over the batch axis, too.",
        ("batch_independence",),
        "batch_independence",
        altered(after=lambda y: y - y.mean(0, keepdim=True) + y.mean()),
        _LIFTING,
    ),
    BrokenLayer(
        "memory_order",
        "A kernel of one's own that reads memory as if it were contiguous.",
        ("memory_format",),
        "memory_format",
        altered(before=_in_memory_order),
        _LIFTING,
    ),
    BrokenLayer(
        "output_downcast",
        "A `.float()` left over from debugging.",
        ("output_dtype", "response"),
        "output_dtype",
        altered(after=lambda y: y.float()),
        _LIFTING,
    ),
    BrokenLayer(
        "answers_in_bfloat16",
        "Autocast that is not switched off.",
        ("response",),
        "digits",
        altered(after=lambda y: y.to(torch.bfloat16).to(y.dtype)),
        _LIFTING,
    ),
    BrokenLayer(
        "position_dependent",
        "A window or positional gain applied to the output.",
        ("integer_translation", "border"),
        "integer_translation",
        altered(after=_position_dependent),
        _LIFTING,
    ),
    BrokenLayer(
        "circular_padding",
        "`padding_mode='circular'`.",
        ("zero_border",),
        "zero_border",
        partial(_OtherBorder, mode="circular"),
        _PADDED,
    ),
    BrokenLayer(
        "reflected_at_one_scale",
        "`padding_mode='reflect'` tried out at one scale and left there.",
        ("padding", "zero_border"),
        "padding",
        _MixedBorder,
        _PADDED,
    ),
    BrokenLayer(
        "border_set_to_zero",
        "Invalid pixels of an augmentation's border masked in every image.",
        ("border", "integer_translation"),
        "border",
        _border_lost,
        _PADDED,
    ),
    BrokenLayer(
        "stride_before_lifting",
        "The image subsampled first and filtered afterwards, 'which is faster'.",
        ("response", "scale_equivariance"),
        "subsampled",
        _stride_before,
        _PADDED,
    ),
)
