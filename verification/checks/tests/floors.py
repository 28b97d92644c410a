"""How the floors of the tolerances are measured: `python -m verification.checks.tests.floors`.

Each floor is the worst of a fixed sample of cases, in the unit of its row. Cases are drawn by numpy
from the ranges of `tests.tools.strategies`, so that the sample is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from sesn_impl import LiftingConv2d, SteerableBasis, hermite_basis_a
from verification.checks import (
    check_batch_independence,
    check_closed_form,
    check_commutes_with_scale_shift,
    check_compiled,
    check_error_budget,
    check_exported,
    check_gradient_density,
    check_gradient_equivariance,
    check_integer_translation,
    check_isolation,
    check_memory_format,
    check_response,
    check_scale_axis_shift,
    check_scale_equivariance,
    check_sigma_law,
    check_theorem,
)
from verification.checks.black_box import scaled_copies
from verification.checks.local import check_local_response
from verification.checks.raster import check_local_raster, check_raster_equivariance, photo_objects
from verification.checks.result import CheckResult
from verification.layer.probe import Probe, complete_pairs, random_probe
from verification.layer.scenes import random_scene
from verification.layer.targets import Target, describe
from verification.reference.bases import BasisArguments
from verification.reference.warps import Warp, random_patches
from verification.tests.layers import (
    build_basis,
    build_for_warp,
    build_lifting,
    build_scale_conv,
)
from verification.tolerances import SPREAD, TABLE, Tolerance

SAMPLE = 20
"""Cases of each floor of rounding; fewer where a case is dear."""

Case = Callable[[np.random.Generator, torch.dtype], float]
"""From a generator to a relative squared error, or to its share of the bound, squared."""


def _cut_off_basis(rng: np.random.Generator) -> SteerableBasis:
    """As `strategies.cut_off_bases`."""
    scales = _grid(rng, (1.0, 3.0), (1.2, 2.0), 4)
    smallest = 5 * scales[-1] / scales[0]
    kernel_size = int(max(smallest + 1, rng.uniform(2.0, 4.0) * scales[-1])) // 2 * 2 + 1
    return _basis(rng, kernel_size, scales, 7, 1.6)


def _complete_basis(rng: np.random.Generator) -> SteerableBasis:
    """As `strategies.complete_bases`."""
    scales = _grid(rng, (2.5, 3.0), (1.2, 1.5), 3)
    kernel_size = 2 * int(10 * scales[-1] + 2 * scales[-1] / scales[0]) + 1
    return _basis(rng, kernel_size, scales, 5, 1.45)


def _grid(
    rng: np.random.Generator, smallest: tuple[float, float], ratios: tuple[float, float], most: int
) -> tuple[float, ...]:
    first, ratio = rng.uniform(*smallest), rng.uniform(*ratios)
    return tuple(float(first * ratio**i) for i in range(int(rng.integers(2, most + 1))))


def _basis(
    rng: np.random.Generator, kernel_size: int, scales: tuple[float, ...], most: int, mult: float
) -> SteerableBasis:
    kind = "ab"[int(rng.integers(2))]
    arguments = BasisArguments(
        kind, kernel_size, scales, int(rng.integers(2, most + 1)), float(rng.uniform(1.1, mult))
    )
    return build_basis(arguments)


def _target(
    rng: np.random.Generator, basis: SteerableBasis, dtype: torch.dtype, most: int = 3
) -> Target:
    """A lifting convolution or a scale convolution with K_S up to `most`."""
    extent, seed = int(rng.integers(most + 1)), _seed(rng)
    if extent == 0:
        return describe(build_lifting(basis, seed, dtype))
    return describe(build_scale_conv(basis, seed, min(extent, basis.num_scales), dtype))


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _response(rng: np.random.Generator, dtype: torch.dtype) -> float:
    return check_response(*_probed(rng, dtype)).error


def _translation(rng: np.random.Generator, dtype: torch.dtype) -> float:
    """Two evaluations of a sum: where a machine makes them bit for bit alike, of one."""
    target, probe = _probed(rng, dtype)
    moved = check_integer_translation(target, probe, (3, -2)).error
    return max(moved, check_response(target, probe).error)


def _probed(rng: np.random.Generator, dtype: torch.dtype) -> tuple[Target, Probe]:
    make = _cut_off_basis if rng.integers(2) else _complete_basis
    target = _target(rng, make(rng), dtype)
    return target, random_probe(target, _seed(rng))


def _closed_form(rng: np.random.Generator, dtype: torch.dtype) -> float:
    make = _cut_off_basis if rng.integers(2) else _complete_basis
    return check_closed_form(make(rng), "sample").error


def _sigma_law(rng: np.random.Generator, dtype: torch.dtype) -> float:
    smallest, ratio = rng.uniform(1.0, 3.0), int(rng.integers(2, 4))
    scales = (float(smallest), float(smallest * ratio))
    basis = _basis(rng, int(6 * scales[1]) // 2 * 2 + 1, scales, 5, 1.6)
    return check_sigma_law(basis, "sample").error


def _isolation(rng: np.random.Generator, dtype: torch.dtype) -> float:
    """As `_translation`: two evaluations, or one."""
    target = _target(rng, _complete_basis(rng), dtype, most=0)
    scene = random_scene(target, _seed(rng), (1, 0, -1))
    found = check_response(target, scene.probe).error
    return max(found, check_isolation(target, scene).error)


def _batch_norm(rng: np.random.Generator, dtype: torch.dtype) -> float:
    generator = torch.Generator().manual_seed(_seed(rng))
    shape = [int(n) for n in rng.integers((2, 2, 2, 4, 4), (4, 5, 6, 10, 10))]
    x = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
    return check_commutes_with_scale_shift(nn.BatchNorm3d(shape[1]).to(dtype), x, "sample").error


def _scale_axis_shift(rng: np.random.Generator, dtype: torch.dtype) -> float:
    target = _target(rng, _complete_basis(rng), dtype, most=1)
    probe = random_probe(target, _seed(rng), points=2, bumps=3, widths=(3.0, 8.0))
    return check_scale_axis_shift(target, probe).error


def _layer_and_input(
    rng: np.random.Generator, dtype: torch.dtype, batch: int
) -> tuple[nn.Module, Tensor]:
    """A padded lifting convolution and a batch of noise."""
    basis = _cut_off_basis(rng)
    layer = build_lifting(basis, _seed(rng), dtype, padding=basis.kernel_size // 2)
    generator = torch.Generator().manual_seed(_seed(rng))
    sides = (int(side) for side in rng.integers(4, 24, 2))
    return layer, torch.randn((batch, 2, *sides), generator=generator, dtype=dtype)


def _executed(check: Callable[[nn.Module, Tensor, str], CheckResult], batch: int) -> Case:
    """What the order of sums changes at most: as much as between the layer and its formula."""

    def case(rng: np.random.Generator, dtype: torch.dtype) -> float:
        found = check(*_layer_and_input(rng, dtype, batch), "sample").error
        return max(found, _response(rng, dtype))

    return case


def _compiled(module: nn.Module, x: Tensor, name: str) -> CheckResult:
    return check_compiled(module, x, name, "eager")


def _theorem(rng: np.random.Generator, dtype: torch.dtype) -> float:
    target = _target(rng, _complete_basis(rng), dtype, most=1)
    probe = random_probe(target, _seed(rng), points=2, bumps=3, widths=(3.0, 8.0))
    return max(check_theorem(target, probe, *pair).error for pair in complete_pairs(target))


def _scale_equivariance(rng: np.random.Generator, dtype: torch.dtype) -> float:
    target = _target(rng, _cut_off_basis(rng), dtype)
    probe = random_probe(target, _seed(rng))
    pairs = complete_pairs(target)
    return max(
        (_share(check_scale_equivariance(target, probe, *pair)) for pair in pairs), default=0.0
    )


def _error_budget(rng: np.random.Generator, dtype: torch.dtype) -> float:
    target, probe = _probed(rng, dtype)
    result = check_error_budget(target, probe, 0, 1)
    return result.error / result.threshold * SPREAD


def _gradient_equivariance(rng: np.random.Generator, dtype: torch.dtype) -> float:
    target = _target(rng, _cut_off_basis(rng), dtype, most=1)
    probe, direction = random_probe(target, _seed(rng)), random_probe(target, _seed(rng))
    return _share(check_gradient_equivariance(target, probe, direction, 0, 1))


def _gradient_density(rng: np.random.Generator, dtype: torch.dtype) -> float:
    smallest, ratio = rng.uniform(1.0, 3.0), (2.0, 1.5, 4 / 3)[int(rng.integers(3))]
    scales = (float(smallest), float(smallest * ratio))
    basis = _basis(rng, int(6 * scales[1]) // 2 * 2 + 1, scales, 5, 1.6)
    target = _target(rng, basis, dtype, most=1)
    return check_gradient_density(target, random_probe(target, _seed(rng), 1), 0, 1).error


def _local_response(rng: np.random.Generator, dtype: torch.dtype) -> float:
    target = _target(rng, _cut_off_basis(rng), dtype, most=0)
    return _share(check_local_response(target, random_scene(target, _seed(rng), (1, -1, 0))))


def _raster(rng: np.random.Generator, dtype: torch.dtype) -> float:
    warp = (Warp(120, (75, 75)), Warp(100, (150, 150)))[int(rng.integers(2))]
    target = build_for_warp(warp, _seed(rng), ("wide", "cut")[int(rng.integers(2))], dtype)
    return _share(check_raster_equivariance(target, random_patches(rng, 1, warp.size), warp))


def _local_raster(rng: np.random.Generator, dtype: torch.dtype) -> float:
    torch.manual_seed(_seed(rng))
    scales = tuple(1.5 * (4 / 3) ** i for i in range(4))
    layer = LiftingConv2d(1, 1, hermite_basis_a(29, scales, 3), padding=14, bias=False)
    objects = photo_objects(rng, 2, 36)
    return _share(check_local_raster(describe(layer.to(dtype)), objects, (48, 27)))


def _scaled_copies(rng: np.random.Generator, dtype: torch.dtype) -> float:
    target = _target(rng, _cut_off_basis(rng), dtype)
    if not complete_pairs(target):
        return 0.0
    return _share(scaled_copies(target, _seed(rng)))


def _share(result: CheckResult) -> float:
    return result.error / result.threshold


CASES: dict[str, tuple[Case, int]] = {
    "closed_form": (_closed_form, SAMPLE),
    "sigma_law": (_sigma_law, SAMPLE),
    "response": (_response, SAMPLE),
    "integer_translation": (_translation, SAMPLE),
    "isolation": (_isolation, 3),
    "batch_independence": (_executed(check_batch_independence, 5), SAMPLE),
    "memory_format": (_executed(check_memory_format, 2), SAMPLE),
    "compiled": (_executed(_compiled, 2), 3),
    "exported": (_executed(check_exported, 2), 3),
    "commutes_with_scale_shift": (_batch_norm, SAMPLE),
    "theorem": (_theorem, SAMPLE),
    "scale_axis_shift": (_scale_axis_shift, SAMPLE),
    "gradient_density": (_gradient_density, SAMPLE),
    "gradient_equivariance": (_gradient_equivariance, SAMPLE),
    "scale_equivariance": (_scale_equivariance, SAMPLE),
    "error_budget": (_error_budget, SAMPLE),
    "scaled_copies": (_scaled_copies, SAMPLE),
    "local_response": (_local_response, 5),
    "raster_equivariance": (_raster, 4),
    "local_raster": (_local_raster, 1),
}
"""How one case of each check is made, and how many are a sample."""


def measure(row: Tolerance) -> float:
    """The floor of a row, measured again: the worst of its sample, in the row's unit."""
    case, count = CASES[row.check]
    worst = 0.0
    for name in row.dtypes:
        dtype = getattr(torch, name)
        unit = torch.finfo(dtype).eps if row.unit == "ε" else 1.0
        rng = np.random.default_rng(0)
        worst = max(worst, *(case(rng, dtype) ** 0.5 / unit for _ in range(count)))
    return worst


def measurable() -> Iterator[Tolerance]:
    """The rows with a floor; the others count what differs."""
    return (row for row in TABLE if row.unit != "none")


if __name__ == "__main__":
    for row in measurable():
        print(f"{row.check:28} {'/'.join(row.dtypes):20} {row.floor:6.3g} {measure(row):6.3g}")
