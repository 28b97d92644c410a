"""Mistakes in what stands between the convolutions: mixing, norms, dropout, pooling, projection."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sesn_impl.layers import ScaleConv1x1
from verification.broken_layers.broken_layer import Altered, BrokenLayer, Change, Make, altered

_MIXING, _NORM, _BLOCK, _PROJECTION, _POOLING = (
    ("mixing",), ("norm",), ("block",), ("projection",), ("pooling",),
)  # fmt: skip


class _NeverAdded(nn.Module):
    """Creates its bias and never adds it, as the authors' released code does."""

    def __init__(self, layer: ScaleConv1x1) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, x: Tensor) -> Tensor:
        """Mixed channels alone."""
        return F.conv3d(x, self.weight[:, :, None, None, None])


def _weighed(x: Tensor) -> Tensor:
    return x * torch.linspace(1.0, 1.5, x.shape[2], dtype=x.dtype)[:, None, None]


class _NormPerScale(nn.Module):
    """Batch normalisation whose channels are C·S, so that each scale has its own statistics."""

    def __init__(self, norm: nn.BatchNorm3d, scales: int = 3) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(norm.num_features * scales).to(norm.weight)
        # Coarse scales answer more strongly to most images.
        gains = torch.linspace(1.0, 1.5, scales).repeat(norm.num_features)
        assert norm.running_var is not None
        self.norm.running_var = norm.running_var.repeat_interleave(scales) * gains

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, S, H, W], every scale normalised by itself."""
        y: Tensor = self.norm(x.flatten(1, 2)).view(x.shape)
        return y


class _AlwaysTraining(nn.Module):
    """A part of a block that `eval()` does not reach, since nobody has registered it."""

    def __init__(self, block: nn.Sequential, kind: type[nn.Module]) -> None:
        super().__init__()
        self.block, self.kind = block, kind

    def forward(self, x: Tensor) -> Tensor:
        """The answer with one part in train mode; its statistics are put back."""
        parts = [part for part in self.block.modules() if isinstance(part, self.kind)]
        state = {k: v.clone() for k, v in self.block.state_dict().items()}
        for part in parts:
            part.train()
        y: Tensor = self.block(x)
        for part in parts:
            part.eval()
        self.block.load_state_dict(state)
        return y


def _instead(change: Change) -> Make:
    """Something else in the place of a module without parameters."""
    return lambda module: Altered(nn.Identity(), after=change)


def _next_to_largest(x: Tensor) -> Tensor:
    index = (x.argmax(dim=2, keepdim=True) + 1).clamp(max=x.shape[2] - 1)
    return x.gather(2, index).squeeze(2)


def _one_scale_for_image(x: Tensor) -> Tensor:
    # The winning scale found once for all the image: no longer local.
    scale = x.mean((-1, -2), keepdim=True).argmax(dim=2, keepdim=True)
    return x.gather(2, scale.expand(-1, -1, 1, *x.shape[3:])).squeeze(2)


def _pooled_over_scales(x: Tensor) -> Tensor:
    # kernel_size=2 in three dimensions, with the scale axis kept at its length by padding.
    return F.max_pool3d(F.pad(x, [0, 0, 0, 0, 0, 1]), kernel_size=(2, 2, 2), stride=(1, 2, 2))


BROKEN_MODULES = (
    BrokenLayer(
        "mixing_bias_forgotten",
        "The released code's own: `ScaleConv1x1` creates a bias and never adds it.",
        ("gradients",),
        "gradients",
        _NeverAdded,
        _MIXING,
    ),
    BrokenLayer(
        "mixing_per_scale",
        "A gain learned for each scale before channels are mixed.",
        ("commutes_with_scale_shift",),
        "commutes_with_scale_shift",
        altered(before=_weighed),
        _MIXING,
    ),
    BrokenLayer(
        "mixing_over_scales",
        "Channels and scales flattened into one axis and mixed.",
        ("commutes_with_scale_shift",),
        "commutes_with_scale_shift",
        altered(before=lambda x: x.flatten(1, 2).view(*x.shape).cumsum(2)),
        _MIXING,
    ),
    BrokenLayer(
        "batch_norm_per_scale",
        "`BatchNorm2d` on a tensor whose channels are C·S.",
        ("commutes_with_scale_shift",),
        "commutes_with_scale_shift",
        _NormPerScale,
        _NORM,
    ),
    BrokenLayer(
        "batch_norm_in_training",
        "A BatchNorm in a plain list, which `eval()` does not reach.",
        ("batch_independence",),
        "batch_independence",
        partial(_AlwaysTraining, kind=nn.BatchNorm3d),
        _BLOCK,
    ),
    BrokenLayer(
        "dropout_left_on",
        "`F.dropout(x, p)` without `training=self.training`.",
        ("determinism",),
        "determinism",
        partial(_AlwaysTraining, kind=nn.Dropout),
        _BLOCK,
    ),
    BrokenLayer(
        "pooling_over_scales",
        "`MaxPool3d(2)`, whose window reaches over two scales.",
        ("commutes_with_scale_shift",),
        "commutes_with_scale_shift",
        _instead(_pooled_over_scales),
        _POOLING,
    ),
    BrokenLayer(
        "mean_projection",
        "The mean over scales in place of the maximum.",
        ("max_projection",),
        "projection_mean",
        _instead(lambda x: x.mean(dim=2)),
        _PROJECTION,
    ),
    BrokenLayer(
        "magnitude_projection",
        "The response of the largest magnitude, whatever its sign.",
        ("max_projection",),
        "projection_magnitude",
        _instead(lambda x: x.gather(2, x.abs().argmax(dim=2, keepdim=True)).squeeze(2)),
        _PROJECTION,
    ),
    BrokenLayer(
        "projection_over_channels",
        "`x.max(1)`: the axis counted without the batch; as many scales as channels hide it.",
        ("max_projection",),
        "projection_axis",
        # Where there are as many scales as channels, the shape is the right one.
        _instead(lambda x: x.max(dim=1).values),
        _PROJECTION,
    ),
    BrokenLayer(
        "argmax_off_by_one",
        "Values gathered with an index of scales that counts from 1.",
        ("max_projection",),
        "projection_beside",
        _instead(_next_to_largest),
        _PROJECTION,
    ),
    BrokenLayer(
        "largest_scale_alone",
        "`x[:, :, -1]` left over from a network with one scale.",
        ("max_projection",),
        "projection_one_scale",
        _instead(lambda x: x[:, :, -1]),
        _PROJECTION,
    ),
    BrokenLayer(
        "one_scale_for_all",
        "The winning scale looked up once for an image, so that objects share it.",
        ("max_projection",),
        "projection_one_scale",
        _instead(_one_scale_for_image),
        _PROJECTION,
    ),
)
