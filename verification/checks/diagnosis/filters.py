"""The filters that a layer has, and those that it is documented to have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from verification.layer.probe import known_filters
from verification.layer.reading import read_filters
from verification.layer.targets import Target
from verification.reference.analytic import FloatArray
from verification.reference.continuum import sampled_filters
from verification.reference.errors import equivariance_error

Reads = Callable[[int, int], int | None]
"""(output scale, step k) -> the input scale that the k-th coefficients are applied to, or none."""


@dataclass(frozen=True, eq=False)
class Filters:
    """What an affine layer does at the centre of its window of w×w pixels.

    kernels: [C_out, C_in, S_in, S, w, w], S_in = 1 for a layer that lifts; bias: [C_out, S].
    """

    kernels: FloatArray
    bias: FloatArray


def measure_filters(target: Target, seed: int = 0) -> Filters:
    """The target's filters as read off its answers. Raises NotAffineError if it has none."""
    found = read_filters(target, seed)
    assert found.whole is not None
    return Filters(found.whole.transpose(1, 2, 3, 0, 4, 5), found.bias.T)


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
        """[C_out, C_in, K_S, N_b], as documented."""
        return known_filters(self.target).coefficients

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
    """The filters that the target is documented to have, as `measure_filters` would find them.

    Raises ValueError if they are not known.
    """
    known = known_filters(target)
    scales = len(target.scales)
    inputs = 1 if target.lifts else scales
    shape = (*known.coefficients.shape[:2], inputs, scales, target.window, target.window)
    bias = np.tile(known.bias[:, None], scales)
    return Filters(Case(target, Filters(np.zeros(shape), bias)).documented, bias)
