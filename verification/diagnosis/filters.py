"""The filters that a layer has, measured by single pixels, and those that it is said to have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from verification.layer.probe import known_filters
from verification.layer.targets import Target
from verification.reference.continuum import sampled_filters
from verification.reference.errors import equivariance_error
from verification.signals.analytic import FloatArray

_BATCH = 512
_MOST_PIXELS = 8192
"""So many single pixels are answered at most: beyond, those of the first input channel alone."""

Reads = Callable[[int, int], int | None]
"""(output scale, step k) -> the input scale that the k-th coefficients are applied to, or none."""


@dataclass(frozen=True, eq=False)
class Filters:
    """What an affine layer does at the centre of its window of w×w pixels.

    kernels: [C_out, C_in, S_in, S, w, w], S_in = 1 for a layer that lifts; bias: [C_out, S].
    """

    kernels: FloatArray
    bias: FloatArray


def measure_filters(target: Target) -> Filters:
    """The target's answers to nothing and to each single pixel of its window."""
    side = target.window
    scales = 1 if target.lifts else len(target.scales)
    shape = (target.in_channels, scales, side, side)
    channels = target.in_channels if np.prod(shape) <= _MOST_PIXELS else 1
    bias = _centre(target, torch.zeros((1, *shape), dtype=torch.float64))[0]
    answers = []
    pixels = channels * int(np.prod(shape[1:]))
    for first in range(0, pixels, _BATCH):
        count = min(_BATCH, pixels - first)
        x = torch.zeros((count, *shape), dtype=torch.float64)
        x.flatten(1)[:, first : first + count].fill_diagonal_(1.0)
        answers.append(_centre(target, x) - bias)
    kernels = np.moveaxis(np.concatenate(answers), 0, -1)  # [C_out, S, C_in·S_in·w²]
    kernels = kernels.reshape(*kernels.shape[:2], channels, *shape[1:])
    return Filters(np.ascontiguousarray(np.moveaxis(kernels, 1, 3)), bias)


def _centre(target: Target, x: torch.Tensor) -> FloatArray:
    """[B, C_in, S_in, w, w] -> the centre of the answers: [B, C_out, S]."""
    with torch.no_grad():
        y = target.layer((x[:, :, 0] if target.lifts else x).to(target.dtype))
    return np.asarray(y[..., y.shape[-2] // 2, y.shape[-1] // 2].double().numpy())


@dataclass(frozen=True, eq=False)
class Case:
    """The measured filters of a target beside the documented ones."""

    target: Target
    measured: Filters

    @property
    def scales(self) -> int:
        """S, the number of output scales."""
        return len(self.target.scales)

    @property
    def coefficients(self) -> FloatArray:
        """[C_out, C_in, K_S, N_b] of those input channels that were measured."""
        return known_filters(self.target).coefficients[:, : self.measured.kernels.shape[1]]

    @cached_property
    def functions(self) -> list[FloatArray]:
        """The documented functions of each scale, on the target's window: [N_b, w, w]."""
        return [self.sampled(scale) for scale in range(self.scales)]

    @cached_property
    def documented(self) -> FloatArray:
        """The documented kernels, shaped as the measured ones."""
        return self.assemble(self.functions)

    def sampled(self, scale: int, stretch: float = 1.0) -> FloatArray:
        """The documented functions of a scale, their width stretched."""
        basis = known_filters(self.target).basis
        support = basis.supports[scale]
        return self.framed(sampled_filters(basis, scale, support, (stretch, stretch)))

    def framed(self, functions: FloatArray) -> FloatArray:
        """[…, v, v] -> […, w, w], zeros around them."""
        margin = (self.target.window - functions.shape[-1]) // 2
        return np.pad(functions, [(0, 0)] * (functions.ndim - 2) + [(margin, margin)] * 2)

    def reads(self, scale: int, step: int) -> int | None:
        """As documented: input scale i + k, or nothing above the largest."""
        if self.target.lifts:
            return 0
        return scale + step if scale + step < self.scales else None

    def assemble(
        self,
        functions: Sequence[FloatArray] | Callable[[int, int], FloatArray],
        reads: Reads | None = None,
        coefficients: Sequence[FloatArray] | None = None,
    ) -> FloatArray:
        """Kernels of functions [N_b, w, w] for each output scale (or that and each step k).

        reads: which input scale a step is applied to; coefficients: of each scale. By default both
        are as documented.
        """
        kernels = np.zeros_like(self.measured.kernels)
        for scale in range(self.scales):
            chosen = self.coefficients if coefficients is None else coefficients[scale]
            for step in range(self.target.scale_extent):
                seen = (reads or self.reads)(scale, step)
                if seen is not None:
                    basis = functions(scale, step) if callable(functions) else functions[scale]
                    made = np.tensordot(chosen[:, :, step], basis, 1)
                    kernels[:, :, seen, scale] += made
        return kernels

    def fitted(self, scale: int, functions: FloatArray) -> FloatArray:
        """Coefficients with which functions come closest to what a scale does.

        [C_out, C_in, K_S, N_b], zero for steps beyond the largest scale.
        """
        found = np.zeros_like(self.coefficients)
        flat = functions.reshape(len(functions), -1)
        for step in range(self.target.scale_extent):
            seen = self.reads(scale, step)
            if seen is not None:
                kernels = self.measured.kernels[:, :, seen, scale]
                wanted = kernels.reshape(-1, flat.shape[1]).T
                solution = np.linalg.lstsq(flat.T, wanted, rcond=None)[0]
                found[:, :, step] = solution.T.reshape(found[:, :, step].shape)
        return found

    def error(self, kernels: FloatArray) -> float:
        """The relative squared error of an explanation."""
        if not kernels.any():
            return np.inf
        return equivariance_error(self.measured.kernels, kernels)


def documented_filters(target: Target) -> Filters:
    """The filters that the target is said to have, as `measure_filters` would find them.

    Raises ValueError if they are not known.
    """
    known = known_filters(target)
    scales = len(target.scales)
    inputs = 1 if target.lifts else scales
    shape = (*known.coefficients.shape[:2], inputs, scales, target.window, target.window)
    bias = np.tile(known.bias[:, None], scales)
    return Filters(Case(target, Filters(np.zeros(shape), bias)).documented, bias)
