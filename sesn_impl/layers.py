"""Scale-equivariant layers: lifting and scale convolution, 1×1 mixing, max-projection.

With f_s(t) = f(t/s) and Y_f(σ, t) = Σ_u f(u) ψ_σ(u − t), the layers keep, up to
sampling and cut-off,

    Y_{f_s}(sσ, st) = Y_f(σ, t)                            (SESN, section 3)

Convention: cross-correlation, zero padding, tensors [B, C, H, W] for images and [B, C, S, H, W] for
functions on scale and space, S in the order of the basis's scales (small to large).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor

from sesn_impl.basis import SteerableBasis
from sesn_impl.fast.correlation import Correlation, correlation
from sesn_impl.fast.maximum import larger
from sesn_impl.fast.plan import Geometry, choose

_MOST_PLANS = 8
"""How many image sizes a layer remembers its plans for."""


class _SteerableConv2d(nn.Module):
    """What lifting and scale convolution share: coefficients, basis and the filters made of them.

    weight: [C_out, C_in, K_S, N_b] or [C_out, C_in, N_b]; bias: [C_out] or None.
    """

    functions: Tensor

    def __init__(
        self, weight_shape: tuple[int, ...], basis: SteerableBasis, stride: int, padding: int,
        bias: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        _check_positive("out_channels", weight_shape[0])
        _check_positive("in_channels", weight_shape[1])
        _check_positive("stride", stride)
        if padding < 0:
            raise ValueError(f"padding={padding!r}: must be 0 or more pixels")
        self.out_channels, self.in_channels = weight_shape[:2]
        self.basis = basis
        self.stride = stride
        self.padding = padding
        self.weight = nn.Parameter(torch.empty(weight_shape))
        self.bias = nn.Parameter(torch.empty(weight_shape[0])) if bias else None
        # Not persistent: the basis is derived from the configuration, a state dict holds what was
        # learned.
        functions = basis.functions.to(self.weight)
        self.register_buffer("functions", functions, persistent=False)
        self._forget_plans()
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Kaiming-uniform coefficients with a = √5, zero bias (the authors' MNIST recipe)."""
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        # A cast of a cast loses digits: a float64 layer has to use the float64 basis.
        self.functions = self.basis.functions.to(self.functions)
        self._forget_plans()
        return self

    def __getstate__(self) -> dict[str, Any]:
        # Copies and pickles make their own plans.
        return {**self.__dict__, "_plans": {}, "_kept": _KeptFilters()}

    def _forget_plans(self) -> None:
        self._plans: dict[tuple[object, ...], Correlation] = {}
        self._kept = _KeptFilters()

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, H, W] or [B, C_in, S, H, W] -> [B, C_out, S, H', W']."""
        respond = self._responder(x)
        y = torch.stack([respond(scale) for scale in range(self.basis.num_scales)], dim=2)
        return y if self.bias is None else y.add_(self.bias[:, None, None, None])

    def projected(self, x: Tensor) -> Tensor:
        """The maximum over scales of what `forward` gives, which is never held: [B, C_out, H', W'].

        Where scales are equal, the gradient goes to the smallest.
        """
        respond = self._responder(x)
        y = respond(0)
        for scale in range(1, self.basis.num_scales):
            y = larger(y, respond(scale))
        return y if self.bias is None else y + self.bias[:, None, None]

    def _slices(self, x: Tensor) -> list[Tensor]:
        """Checks the input; each scale's slice [B, C_in, H, W], or one that all scales see."""
        raise NotImplementedError

    def _responder(self, x: Tensor) -> Callable[[int], Tensor]:
        """What gives the response [B, C_out, H', W'] at a scale, without bias."""
        slices = self._slices(x)
        coefficients = self.weight if self.weight.ndim == 4 else self.weight.unsqueeze(2)
        extent = coefficients.shape[2]
        keep = _may_keep(self.weight)
        way = self._plan(slices[0], extent, keep)
        if keep:
            self._kept.renew(way, self.weight)
        prepared = [way.prepare(image) for image in slices]

        def respond(scale: int) -> Tensor:
            # Slices above the largest scale are zero: leaving them out is the same, at no cost.
            seen = prepared[scale : scale + extent] if len(prepared) > 1 else prepared
            chosen = coefficients[:, :, : len(seen)]
            make = self._kept.filters if keep else way.filters
            return way.respond(seen, make(chosen, scale))

        return respond

    def _plan(self, x: Tensor, extent: int, keep: bool) -> Correlation:
        """How responses to images [B, C_in, H, W] are computed, made once for each size."""
        height, width = x.shape[-2:]
        geometry = Geometry(height, width, self.basis.kernel_size, self.padding, self.stride)
        name = choose(self.basis, geometry, x, self.out_channels, extent, keep)
        if torch.compiler.is_compiling():
            return correlation(name, self.functions, self.basis.supports, geometry)
        plan = self._plans.get((name, geometry))
        if plan is None or plan.functions is not self.functions:
            # Made under inference mode, its constants could never serve a training step.
            with torch.inference_mode(False):
                plan = correlation(name, self.functions, self.basis.supports, geometry)
            if len(self._plans) == _MOST_PLANS:
                self._plans.pop(next(iter(self._plans)))  # the oldest
            self._plans[name, geometry] = plan
        return plan

    def _check_size(self, x: Tensor) -> None:
        smallest = self.basis.kernel_size - 2 * self.padding
        if min(x.shape[-2:]) < smallest:
            raise ValueError(
                f"x of shape {tuple(x.shape)}: height and width must be at least {smallest} "
                f"for kernel_size={self.basis.kernel_size} and padding={self.padding}"
            )

    def extra_repr(self) -> str:
        """The options that a reader of the printed model needs."""
        return (
            f"{self.in_channels}, {self.out_channels}, scales={self.basis.scales}, "
            f"supports={self.basis.supports}, stride={self.stride}, padding={self.padding}, "
            f"bias={self.bias is not None}"
        )


class LiftingConv2d(_SteerableConv2d):
    """Lifting convolution: [B, C_in, H, W] -> [B, C_out, S, H', W'].

    weight: [C_out, C_in, N_b] coefficients of the basis, shared by all scales; bias: [C_out].
    H' = (H + 2·padding − V)/stride + 1 for every scale, as if all filters were V×V.

    Raises ValueError for an option out of range or an input of another shape.
    Source: SESN, section 4.1 (convolution T → S×T).
    """

    def __init__(
        self, in_channels: int, out_channels: int, basis: SteerableBasis, stride: int = 1,
        padding: int = 0, bias: bool = True,
    ) -> None:  # fmt: skip
        shape = (out_channels, in_channels, basis.num_functions)
        super().__init__(shape, basis, stride, padding, bias)

    def _slices(self, x: Tensor) -> list[Tensor]:
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"x of shape {tuple(x.shape)}: must be [B, C_in={self.in_channels}, H, W]"
            )
        self._check_size(x)
        return [x]


class ScaleConv2d(_SteerableConv2d):
    """Scale convolution: [B, C_in, S, H, W] -> [B, C_out, S, H', W'].

    weight: [C_out, C_in, K_S, N_b], shared by all scales; bias: [C_out].
    Output scale i sums over input scales i … i+K_S−1, each convolved with the filter of output
    scale i. Above the largest scale the input counts as zero, so the top K_S − 1 output scales
    are not equivariant.

    Raises ValueError for an option out of range or an input of another shape.
    Source: SESN, section 4.2 (convolution S×T → S×T).
    """

    def __init__(
        self, in_channels: int, out_channels: int, basis: SteerableBasis, scale_extent: int = 1,
        stride: int = 1, padding: int = 0, bias: bool = True,
    ) -> None:  # fmt: skip
        if not 1 <= scale_extent <= basis.num_scales:
            raise ValueError(
                f"scale_extent={scale_extent!r}: must be between 1 and the number of scales, "
                f"{basis.num_scales}"
            )
        shape = (out_channels, in_channels, scale_extent, basis.num_functions)
        super().__init__(shape, basis, stride, padding, bias)
        self.scale_extent = scale_extent

    def _slices(self, x: Tensor) -> list[Tensor]:
        expected = (self.in_channels, self.basis.num_scales)
        if x.ndim != 5 or tuple(x.shape[1:3]) != expected:
            raise ValueError(
                f"x of shape {tuple(x.shape)}: must be "
                f"[B, C_in={expected[0]}, S={expected[1]}, H, W]"
            )
        self._check_size(x)
        return list(x.unbind(2))


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
        self, in_channels: int, out_channels: int, stride: int = 1, bias: bool = True
    ) -> None:
        super().__init__()
        _check_positive("in_channels", in_channels)
        _check_positive("out_channels", out_channels)
        _check_positive("stride", stride)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Kaiming-uniform weights with a = √5, zero bias."""
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, S, H, W] -> [B, C_out, S, ⌈H/stride⌉, ⌈W/stride⌉]."""
        if x.ndim != 5 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"x of shape {tuple(x.shape)}: must be [B, C_in={self.in_channels}, S, H, W]"
            )
        weight = self.weight[:, :, None, None, None]
        return F.conv3d(x, weight, self.bias, stride=(1, self.stride, self.stride))

    def extra_repr(self) -> str:
        """The options that a reader of the printed model needs."""
        return (
            f"{self.in_channels}, {self.out_channels}, stride={self.stride}, "
            f"bias={self.bias is not None}"
        )


class ScaleMaxProjection(nn.Module):
    """Maximum over the scale axis: [B, C, S, H, W] -> [B, C, H, W].

    Where scales are equal, the gradient goes to the smallest.
    Raises ValueError for an input without a scale axis. Source: SESN, section 4.4.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, S, H, W] -> [B, C, H, W]."""
        if x.ndim != 5 or not x.shape[2]:
            raise ValueError(f"x of shape {tuple(x.shape)}: must be [B, C, S, H, W] with S > 0")
        first, *others = x.unbind(2)
        return reduce(larger, others, first) if others else first.clone()


class _KeptFilters:
    """Filters made once for inference, and made anew when the way or a weight is another.

    Weights are compared by value: a counter of changes would miss those made through `.data`.
    """

    def __init__(self) -> None:
        self._way: Correlation | None = None
        self._weight = torch.empty(0)
        self._filters: dict[int, Tensor] = {}

    def renew(self, way: Correlation, weight: Tensor) -> None:
        """Forgets the filters unless they were made in this way of these very weights."""
        if way is not self._way or not torch.equal(self._weight, weight):
            self._way, self._weight = way, weight.detach().clone()
            self._filters.clear()

    def filters(self, coefficients: Tensor, scale: int) -> Tensor:
        """See `Correlation.filters`; the coefficients at one scale are always the same."""
        assert self._way is not None
        if scale not in self._filters:
            self._filters[scale] = self._way.filters(coefficients, scale)
        return self._filters[scale]


def _may_keep(weight: Tensor) -> bool:
    """Whether filters made of these weights may serve later calls: only if nothing traces them."""
    traced = torch.compiler.is_compiling() or is_functorch_wrapped_tensor(weight)
    return not torch.is_grad_enabled() and not traced


def _check_positive(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name}={value!r}: must be at least 1")
