"""What a target must offer for a check: a predicate, and the sentence for when it is not met."""

from __future__ import annotations

import enum
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import torch
from torch import nn

from verification.layer.probe import complete_pairs, measure_pair, random_probe
from verification.layer.receptive_field import Window
from verification.layer.scenes import grid_ratio
from verification.layer.targets import Target
from verification.tolerances import tolerance


def _has_grid(target: Target) -> bool:
    try:
        grid_ratio(target.scales)
    except ValueError:
        return False
    return True


def _is_geometric(target: Target) -> bool:
    ratios = np.divide(target.scales[1:], target.scales[:-1])
    return len(ratios) > 0 and bool(np.allclose(ratios, ratios[0], rtol=1e-12, atol=0))


def whole_ratio_pairs(target: Target) -> list[tuple[int, int]]:
    """Neighbouring complete scales whose ratio is one of whole numbers up to 12."""
    found = []
    for fine, coarse in complete_pairs(target):
        ratio = target.scales[coarse] / target.scales[fine]
        whole = float(Fraction(ratio).limit_denominator(12))
        if abs(whole - ratio) <= 1e-12 * ratio:
            found.append((fine, coarse))
    return found


def _basis_has_whole_ratio(target: Target) -> bool:
    scales = target.layer.basis.scales if _has_basis(target) else ()  # type: ignore[attr-defined]
    ratios = [b / a for i, a in enumerate(scales) for b in scales[i + 1 :]]
    return any(round(r) >= 2 and abs(r - round(r)) < 1e-12 for r in ratios)


def _has_basis(target: Target) -> bool:
    basis = getattr(target.layer, "basis", None)
    return all(hasattr(basis, name) for name in ("functions", "scales", "supports", "atoms"))


def _has_parameters(target: Target) -> bool:
    return isinstance(target.layer, nn.Module) and any(True for _ in target.layer.parameters())


def padding_window(target: Target) -> Window | None:
    """The window whose padding gives the output sizes that the layer gives; None if none does.

    Only for layers of stride 1: with a larger stride several paddings give the same sizes.
    """
    if target.padding is not None and target.filters is not None:
        size = int(target.filters.basis.functions.shape[-1])
        return Window(size, target.stride, target.padding)
    if target.stride != 1:
        return None
    side = target.window + 4
    x = torch.zeros((1, *target.shape(side)), dtype=target.dtype)
    with torch.no_grad():
        gained = int(target.layer(x).shape[-1]) - (side - target.window + 1)
    # Padding adds the same on both sides; a layer that crops is no window with padding.
    return Window(target.window, 1, gained // 2) if gained % 2 == 0 and gained >= 0 else None


def exact(target: Target) -> bool:
    """Whether all pairs of scales agree up to rounding on images that fill the band.

    Then interpolated filters have nothing to add: they would have to be smooth, and need not be.
    """
    for seed in range(2):
        probe = random_probe(target, seed, widths=(1.0, 6.0), max_frequency=1.5)
        for fine, coarse in complete_pairs(target):
            error = measure_pair(target, probe, fine, coarse).error
            if not error <= tolerance("response", target.dtype):
                return False
    return True


class Need(enum.Enum):
    """One thing that a target may offer; the value is the sentence for when it does not."""

    SCALES = "the output has no scale axis"
    MAP = "the output is not declared as a map without scales"
    CLASSES = "the output is not declared as scores of classes"
    LIFTS = "the layer does not lift images"
    STACK = "the layer lifts images"
    POINTWISE = "the layer has filters, or sums over scales"
    FILTERS = "the documented filters are not given"
    PAIR = "no two scales have a complete input"
    GEOMETRIC = "the scales are no geometric grid"
    GRID = "the scales are no geometric grid, not even to two decimals"
    WHOLE_RATIO = "no two neighbouring scales have a ratio of whole numbers"
    MODULE = "the layer is no torch.nn.Module"
    PARAMETERS = "the layer has no parameters"
    FULL_PRECISION = "the layer is of neither float32 nor float64"
    DOUBLE = "the layer is not of float64"
    BASIS = "the layer has no attribute `basis` that says what it is"
    WHOLE_BASIS_RATIO = "no two scales of the basis have a whole ratio"
    PIXELS = "the outputs of the scales are of unequal sizes, so only their centres are read"
    SIZES = "the layer takes inputs of one size only"
    PLANE = "it is made for two axes of space"
    PADDING = "its output sizes are not those of one window with padding at stride 1"
    PADDED = "the layer does not pad"
    DERIVED = "a tolerance was given, so the answers alone are judged"
    INEXACT = "the answers of all scales agree up to rounding, so no filters have to be compared"

    @property
    def why_not(self) -> str:
        """Why a check that needs this does not apply."""
        return str(self.value)

    def met(self, target: Target) -> bool:
        """Whether the target offers it."""
        return _MET[self](target)


_MET: dict[Need, Callable[[Target], bool]] = {
    Need.SCALES: lambda t: t.output == "scales",
    Need.MAP: lambda t: t.output == "map",
    Need.CLASSES: lambda t: t.output == "classes",
    Need.LIFTS: lambda t: t.lifts,
    Need.STACK: lambda t: not t.lifts,
    Need.POINTWISE: lambda t: not t.lifts and t.scale_extent == 1 and t.window <= t.stride,
    Need.FILTERS: lambda t: t.filters is not None,
    Need.PAIR: lambda t: len(complete_pairs(t)) > 0,
    Need.GEOMETRIC: _is_geometric,
    Need.GRID: _has_grid,
    Need.WHOLE_RATIO: lambda t: len(whole_ratio_pairs(t)) > 0,
    Need.MODULE: lambda t: isinstance(t.layer, nn.Module),
    Need.PARAMETERS: _has_parameters,
    Need.FULL_PRECISION: lambda t: t.dtype in {torch.float32, torch.float64},
    Need.DOUBLE: lambda t: t.dtype == torch.float64,
    Need.BASIS: _has_basis,
    Need.WHOLE_BASIS_RATIO: _basis_has_whole_ratio,
    Need.PIXELS: lambda t: not t.centre_only,
    Need.SIZES: lambda t: not t.one_size,
    Need.PLANE: lambda t: t.dims == 2,
    Need.PADDING: lambda t: padding_window(t) is not None,
    Need.DERIVED: lambda t: t.tolerance is None,
    Need.INEXACT: lambda t: not exact(t),
    Need.PADDED: lambda t: (window := padding_window(t)) is None or window.padding > 0,
}
