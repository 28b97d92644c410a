"""Scale-equivariant layers: lifting and scale convolution, 1×1 mixing, max-projection.

    ψ_σ(t) = σ⁻² ψ(t/σ) = Σ_n w_n ψ_{n,σ}(t)                                (SESN, section 3)
    lifting     y(σ, t) = b + Σ_c Σ_u x_c(t + u) ψ_{c,σ}(u)                 (section 4.1)
    scale conv  y(σ_i, t) = b + Σ_{c,k} Σ_u x_c(σ_{i+k}, t + u) ψ_{c,k,σ_i}(u)    (section 4.2)
    1×1         y(σ, t) = b + Σ_c w_c x_c(σ, t)                             (section 4.3)
    projection  y(t) = max_σ x(σ, t)                                        (section 4.4)

With f_s(t) = f(t/s), sampling and cut-off aside, y_{f_s}(sσ, st) = y_f(σ, t).

Convention: cross-correlation, tensors [B, C, H, W] for images and [B, C, S, H, W] for functions on
scale and space, S in the order of the basis's scales (small to large).

What acts on each scale alone comes from torch: pooling is `nn.MaxPool3d((1, 2, 2))`, up-sampling
`nn.Upsample(scale_factor=(1, 2, 2))`, normalisation `nn.BatchNorm3d(C)`. To count operations take
`torch.utils.flop_counter`: torchinfo counts coefficients, of which there are fewer than weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sesn_impl.arguments import Pixels, check_at_least, check_pair, check_shape, pair
from sesn_impl.basis import SteerableBasis
from sesn_impl.fast import arranged, correlate, joined, largest, scales_of, stack_scales
from sesn_impl.states import Configuration, Configured

_PADDING_MODES = ("zeros", "circular", "reflect", "replicate")


class _SteerableConv2d(Configured):
    """What lifting and scale convolution share: coefficients, basis and the filters made of them.

    weight: [C_out, C_in, K_S, N_b] or [C_out, C_in, N_b]; bias: [C_out] or None.
    """

    functions: Tensor
    stride: Any
    padding: Any

    def __init__(
        self, weight_shape: tuple[int, ...], basis: SteerableBasis, stride: Pixels,
        padding: Pixels | str, bias: bool, padding_mode: str,
    ) -> None:  # fmt: skip
        super().__init__()
        self.out_channels, self.in_channels = weight_shape[:2]
        check_at_least(1, in_channels=self.in_channels, out_channels=self.out_channels)
        self.basis, self.padding_mode = basis, padding_mode
        self.stride = check_pair(1, "stride", stride)
        if padding == "same":
            if self.stride != 1:
                raise ValueError(f'padding="same" with stride={stride!r}: the stride must be 1')
            padding = basis.kernel_size // 2
        if isinstance(padding, str):
            raise ValueError(f'padding={padding!r}: must be pixels or "same"')
        self.padding = check_pair(0, "padding", padding)
        if padding_mode not in _PADDING_MODES:
            allowed = ", ".join(_PADDING_MODES)
            raise ValueError(f"padding_mode={padding_mode!r}: must be one of {allowed}")
        self.weight = nn.Parameter(torch.empty(weight_shape))
        self.bias = nn.Parameter(torch.empty(self.out_channels)) if bias else None
        # Not persistent: the basis is derived from the configuration, a state dict holds what was
        # learned.
        functions = basis.functions.to(self.weight)
        self.register_buffer("functions", functions, persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Kaiming-uniform coefficients with a = √5, zero bias (the authors' MNIST recipe)."""
        _reset(self)

    def configuration(self) -> Configuration:
        """The basis of the coefficients."""
        return self.basis.configuration

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        # A cast of a cast loses digits: a float64 layer has to use the float64 basis.
        self.functions = self.basis.functions.to(self.functions)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, H, W] or [B, C_in, S, H, W] -> [B, C_out, S, H', W']."""
        y = stack_scales(self._responses(x))
        return y if self.bias is None else y + self.bias[:, None, None, None]

    def projected(self, x: Tensor) -> Tensor:
        """The maximum over scales of what `forward` gives, which is never held: [B, C_out, H', W'].

        Where scales are equal, the gradient goes to the smallest.
        """
        y = largest(self._responses(x))
        return y if self.bias is None else y + self.bias[:, None, None]

    def _responses(self, x: Tensor) -> Iterator[Tensor]:
        """Σ_u x(t + u) ψ_σ(u) of each scale σ: [B, C_out, H', W']."""
        functions = self.functions
        if functions.device != self.weight.device or functions.dtype != self.weight.dtype:
            # Weights were assigned: to a layer from the meta device, or in another precision.
            functions = self.basis.functions.to(self.weight)
        several = self.weight.ndim == 4 and self.weight.shape[2] > 1
        weight = self.weight.transpose(1, 2) if several else self.weight
        coefficients = weight.flatten(1, -2)  # [C_out, K_S·C_in, N_b]
        rows, columns = pair(self.padding) if self.padding_mode == "zeros" else (0, 0)
        for scale, seen in enumerate(self._seen(x)):  # [B, K·C_in, H, W]
            support = self.basis.supports[scale]
            margin = (self.basis.kernel_size - support) // 2
            inside = slice(margin, margin + support)
            # Filters v×v, as if padded with zeros to V×V. Slices above the largest scale are zero:
            # leaving them out is the same, at no cost.
            yield correlate(
                seen, coefficients[:, : seen.shape[1]], pair(self.stride),
                (rows - margin, columns - margin), basis=functions[:, scale, inside, inside],
            )  # fmt: skip

    def _seen(self, x: Tensor) -> Iterator[Tensor]:
        """What each output scale sums over: [B, K·C_in, H, W]; ValueError for another input."""
        raise NotImplementedError

    def _continued(self, x: Tensor) -> Tensor:
        """The image with what lies around it, unless that is zero."""
        kernel_size, mode = self.basis.kernel_size, self.padding_mode
        rows, columns = pair(self.padding)
        smallest = [
            max(kernel_size - 2 * n, {"circular": n, "reflect": n + 1}.get(mode, 1))
            for n in (rows, columns)
        ]
        if x.shape[-2] < smallest[0] or x.shape[-1] < smallest[1]:
            raise ValueError(
                f"x of shape {tuple(x.shape)}: height and width must be at least "
                f"{' and '.join(map(str, sorted({*smallest})))} "
                f"for kernel_size={kernel_size} and padding={self.padding}"
            )
        if mode != "zeros":
            inner = x.shape[1:-2]
            x = F.pad(x.flatten(1, -3), (columns, columns, rows, rows), mode)
            x = torch.unflatten(x, 1, inner)
        return arranged(x)

    def extra_repr(self) -> str:
        """The options that a reader of the printed model needs."""
        mode = "" if self.padding_mode == "zeros" else f", padding_mode={self.padding_mode}"
        return (
            f"{self.in_channels}, {self.out_channels}, {self.basis.num_functions} "
            f"{type(self.basis.atoms[0]).__name__}, scales={self.basis.scales}, "
            f"supports={self.basis.supports}, stride={self.stride}, padding={self.padding}{mode}, "
            f"bias={self.bias is not None}"
        )


class LiftingConv2d(_SteerableConv2d):
    """Lifting convolution: [B, C_in, H, W] -> [B, C_out, S, H', W'].

    weight: [C_out, C_in, N_b] coefficients of the basis, shared by all scales; bias: [C_out].
    H' = (H + 2·padding − V)/stride + 1 for every scale, as if all filters were V×V.
    stride, padding: in pixels, for rows and columns alike or as a pair; padding "same" keeps the
    size, at stride 1.
    padding_mode: what continues the image: zeros, circular, reflect or replicate. Outputs further
    than half their scale's support from the border do not depend on it. The others obey the
    relation above where the continuation rescales with the image, as zeros do around an image
    that ends inside the frame and replicate does for one that is constant along its border; of a
    periodic image circular keeps every shift and no rescaling.

    Raises ValueError for an option out of range or an input of another shape.
    Source: SESN, section 4.1 (convolution T → S×T).
    """

    def __init__(
        self, in_channels: int, out_channels: int, basis: SteerableBasis, stride: Pixels = 1,
        padding: Pixels | str = 0, bias: bool = True, padding_mode: str = "zeros",
    ) -> None:  # fmt: skip
        shape = (out_channels, in_channels, basis.num_functions)
        super().__init__(shape, basis, stride, padding, bias, padding_mode)

    def _seen(self, x: Tensor) -> Iterator[Tensor]:
        check_shape(x, f"[B, C_in={self.in_channels}, H, W]", self.in_channels)
        return repeat(self._continued(x), self.basis.num_scales)


class ScaleConv2d(_SteerableConv2d):
    """Scale convolution: [B, C_in, S, H, W] -> [B, C_out, S, H', W'].

    weight: [C_out, C_in, K_S, N_b], shared by all scales; bias: [C_out].
    Output scale i sums over input scales i … i+K_S−1, each convolved with the filter of output
    scale i. Above the largest scale the input counts as zero, so the top K_S − 1 output scales
    are not equivariant. stride, padding, padding_mode: as of `LiftingConv2d`.

    Raises ValueError for an option out of range or an input of another shape.
    Source: SESN, section 4.2 (convolution S×T → S×T).
    """

    def __init__(
        self, in_channels: int, out_channels: int, basis: SteerableBasis, scale_extent: int = 1,
        stride: Pixels = 1, padding: Pixels | str = 0, bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:  # fmt: skip
        if not 1 <= scale_extent <= basis.num_scales:
            raise ValueError(
                f"scale_extent={scale_extent!r}: must be between 1 and the number of scales, "
                f"{basis.num_scales}"
            )
        shape = (out_channels, in_channels, scale_extent, basis.num_functions)
        super().__init__(shape, basis, stride, padding, bias, padding_mode)
        self.scale_extent = scale_extent

    def _seen(self, x: Tensor) -> Iterator[Tensor]:
        channels, scales = self.in_channels, self.basis.num_scales
        check_shape(x, f"[B, C_in={channels}, S={scales}, H, W]", channels, scales)
        slices = scales_of(self._continued(x))
        for scale in range(scales):
            yield joined(slices[scale : scale + self.scale_extent])

    def extra_repr(self) -> str:
        """The options that a reader of the printed model needs."""
        return f"{super().extra_repr()}, scale_extent={self.scale_extent}"


class ProjectedConv2d(nn.Module):
    """A lifting or scale convolution with max-projection: [B, C_in, …] -> [B, C_out, H', W'].

    The same as `ScaleMaxProjection` after the convolution, in less time and memory: the responses
    of all scales are never held at once. Source: SESN, sections 4.1 and 4.4.
    """

    def __init__(self, conv: LiftingConv2d | ScaleConv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, H, W] or [B, C_in, S, H, W] -> [B, C_out, H', W']."""
        return self.conv.projected(x)


class ScaleConv1x1(nn.Module):
    """Mixes channels at each position and scale: [B, C_in, S, H, W] -> [B, C_out, S, H', W'].

    weight: [C_out, C_in], the same at every scale; bias: [C_out], and it is added (the authors'
    code creates it and never does).

    Raises ValueError for an option out of range or an input of another shape.
    Source: SESN, section 4.3 (1×1 convolution).
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: Pixels = 1, bias: bool = True
    ) -> None:
        super().__init__()
        check_at_least(1, in_channels=in_channels, out_channels=out_channels)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.stride = check_pair(1, "stride", stride)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Kaiming-uniform weights with a = √5, zero bias."""
        _reset(self)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, S, H, W] -> [B, C_out, S, ⌈H/stride⌉, ⌈W/stride⌉]."""
        check_shape(x, f"[B, C_in={self.in_channels}, S, H, W]", self.in_channels)
        weight = self.weight[:, :, None, None, None]
        return F.conv3d(x, weight, self.bias, stride=(1, *pair(self.stride)))

    def extra_repr(self) -> str:
        """The options that a reader of the printed model needs."""
        return (
            f"{self.in_channels}, {self.out_channels}, stride={self.stride}, "
            f"bias={self.bias is not None}"
        )


class ScaleMaxProjection(nn.Module):
    """Maximum over the scale axis: [B, C, S, H, W] -> [B, C, H, W].

    return_scale: also give the index of the scale that won, [B, C, H, W] int64.
    Where scales are equal, the smallest wins, and has the gradient.
    Raises ValueError for an input without a scale axis. Source: SESN, section 4.4.
    """

    def __init__(self, return_scale: bool = False) -> None:
        super().__init__()
        self.return_scale = return_scale

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """[B, C, S, H, W] -> [B, C, H, W], or that and the scales."""
        check_shape(x, "[B, C, S, H, W] with S > 0")
        first, *others = scales_of(x)
        y = largest([first, *others]) if others else first.clone()
        return (y, x.detach().argmax(2)) if self.return_scale else y


def _reset(layer: _SteerableConv2d | ScaleConv1x1) -> None:
    nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
