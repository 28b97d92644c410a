"""The textbook form of the layers: slow, plain, and the oracle for the fast ones.

Every filter is built on the full V×V grid, at every scale, and one convolution applies them all:

    lifting  y[o, s] = b[o] + Σ_c     x[c]      ⋆ Σ_n w[o, c, n] ψ_n[s]
    scale    y[o, s] = b[o] + Σ_c,k   x[c, s+k] ⋆ Σ_n w[o, c, k, n] ψ_n[s],   x[c, s] = 0 for s ≥ S

The layers take the arguments, and hold the weights, of `LiftingConv2d` and `ScaleConv2d`.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sesn_impl.basis import SteerableBasis
from sesn_impl.layers import LiftingConv2d, ProjectedConv2d, ScaleConv2d, ScaleMaxProjection


class TextbookLiftingConv2d(nn.Module):
    """Lifting convolution, [B, C_in, H, W] -> [B, C_out, S, H', W'], by one plain convolution."""

    def __init__(
        self, in_channels: int, out_channels: int, basis: SteerableBasis, stride: int = 1,
        padding: int = 0, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.basis, self.stride, self.padding = basis, stride, padding
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, basis.num_functions))
        self.bias = nn.Parameter(torch.randn(out_channels)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, H, W] -> [B, C_out, S, H', W']."""
        functions = self.basis.functions.to(self.weight)  # [N_b, S, V, V]
        filters = torch.einsum("ocn,nsvw->oscvw", self.weight, functions).flatten(0, 1)
        y = F.conv2d(x, filters, stride=self.stride, padding=self.padding)  # [B, C_out·S, H', W']
        return _add_bias(torch.unflatten(y, 1, (-1, self.basis.num_scales)), self.bias)


class TextbookScaleConv2d(nn.Module):
    """Scale convolution, [B, C_in, S, H, W] -> [B, C_out, S, H', W'], one group for each scale."""

    def __init__(
        self, in_channels: int, out_channels: int, basis: SteerableBasis, scale_extent: int = 1,
        stride: int = 1, padding: int = 0, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.basis, self.scale_extent = basis, scale_extent
        self.stride, self.padding = stride, padding
        shape = (out_channels, in_channels, scale_extent, basis.num_functions)
        self.weight = nn.Parameter(torch.randn(shape))
        self.bias = nn.Parameter(torch.randn(out_channels)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, S, H, W] -> [B, C_out, S, H', W']."""
        scales = self.basis.num_scales
        functions = self.basis.functions.to(self.weight)  # [N_b, S, V, V]
        filters = torch.einsum("ockn,nsvw->sockvw", self.weight, functions)
        filters = filters.flatten(2, 3).flatten(0, 1)  # [S·C_out, C_in·K_S, V, V]
        x = F.pad(x, (0, 0, 0, 0, 0, self.scale_extent - 1))  # [B, C_in, S+K_S−1, H, W]
        x = x.unfold(2, self.scale_extent, 1)  # [B, C_in, S, H, W, K_S]
        x = x.permute(0, 2, 1, 5, 3, 4).flatten(1, 3)  # [B, S·C_in·K_S, H, W]
        y = F.conv2d(x, filters, stride=self.stride, padding=self.padding, groups=scales)
        return _add_bias(torch.unflatten(y, 1, (scales, -1)).transpose(1, 2), self.bias)


def textbook_twin(model: nn.Module) -> nn.Module:
    """The same network in the textbook form.

    Parameters are shared with `model`; everything else is a copy.
    """
    twin = copy.deepcopy(model, {id(parameter): parameter for parameter in model.parameters()})
    return _replace(twin)


def _replace(module: nn.Module) -> nn.Module:
    if isinstance(module, ProjectedConv2d):
        return nn.Sequential(_replace(module.conv), ScaleMaxProjection())
    if isinstance(module, LiftingConv2d):
        twin: TextbookLiftingConv2d | TextbookScaleConv2d = TextbookLiftingConv2d(
            module.in_channels, module.out_channels, module.basis, module.stride, module.padding
        )
    elif isinstance(module, ScaleConv2d):
        twin = TextbookScaleConv2d(
            module.in_channels, module.out_channels, module.basis, module.scale_extent,
            module.stride, module.padding,
        )  # fmt: skip
    else:
        for name, child in module.named_children():
            setattr(module, name, _replace(child))
        return module
    twin.weight, twin.bias = module.weight, module.bias
    return twin


def _add_bias(y: Tensor, bias: Tensor | None) -> Tensor:
    return y if bias is None else y + bias[:, None, None, None]
