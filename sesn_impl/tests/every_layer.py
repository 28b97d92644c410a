"""One small layer of every kind, each with images that it takes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sesn_impl import (
    LiftingConv2d,
    ProjectedConv2d,
    ScaleConv1x1,
    ScaleConv2d,
    ScaleMaxProjection,
    baselines,
    bspline_basis,
    fourier_bessel_basis,
)
from sesn_impl.tests.against_textbook import BASIS

SIZES = (0.5, 1.0, 2.0)
BASELINES: dict[str, Callable[[], nn.Module]] = {
    "SiCNN, lifting": lambda: baselines.ColumnLiftingConv2d(2, 3, 3, SIZES),
    "SiCNN": lambda: baselines.ColumnConv2d(2, 3, 3, SIZES),
    "SiCNN, norm": lambda: baselines.ColumnBatchNorm2d(2, 3).eval(),
    "SI-ConvNet": lambda: baselines.ScaleInvariantConv2d(2, 3, 3, SIZES, padding=1),
    "SEVF, scalar": lambda: baselines.MagnitudeConv2d(2, 3, 3, padding=1),
    "SEVF, lifting": lambda: baselines.VectorLiftingConv2d(2, 3, 3, padding=1),
    "SEVF": lambda: baselines.VectorConv2d(2, 3, 3, padding=1),
    "SEVF, pool": lambda: baselines.VectorMaxPool2d(2),
    "SEVF, norm": lambda: baselines.VectorBatchNorm2d(2).eval(),
    "DSS, lifting": lambda: baselines.GaussianScaleSpace(3, 0.5),
    "DSS": lambda: baselines.DilatedScaleConv2d(2, 3, 3, 2, scale_extent=2),
    "SS-CNN": lambda: baselines.LogRadialConv2d(2, 3, (3, 5, 7), 5),
}
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "lifting": lambda: LiftingConv2d(2, 3, BASIS, padding="same"),
    "lifting, B-splines": lambda: LiftingConv2d(2, 3, bspline_basis(7, (1.0, 2.0), 3)),
    "lifting, reflecting": lambda: LiftingConv2d(2, 3, BASIS, (2, 1), 3, padding_mode="reflect"),
    "scale": lambda: ScaleConv2d(2, 3, BASIS, 2, padding=(3, 2)),
    "scale, Fourier-Bessel": lambda: ScaleConv2d(
        2, 3, fourier_bessel_basis(7, (1.0, 1.5, 2.0), 2), stride=2
    ),
    "1x1": lambda: ScaleConv1x1(2, 3, stride=(1, 2)),
    "projected": lambda: ProjectedConv2d(LiftingConv2d(2, 3, BASIS, padding=3)),
    "projection": ScaleMaxProjection,
    "stack": lambda: nn.Sequential(
        LiftingConv2d(2, 3, BASIS, padding=3), nn.ReLU(), nn.MaxPool3d((1, 2, 2)),
        ScaleConv2d(3, 2, BASIS, padding=3), ScaleMaxProjection(),
    ),
    **BASELINES,
}  # fmt: skip
_ON_SCALES = ("scale", "scale, Fourier-Bessel", "1x1", "projection", "SiCNN", "SiCNN, norm", "DSS")
_ON_FIELDS = ("SEVF", "SEVF, pool", "SEVF, norm")


def image_for(name: str, height: int = 14, width: int = 11, batch: int = 2) -> Tensor:
    """White noise, float32 [B, 2, H, W], with an axis of scales or of fields where needed."""
    scales = (3,) if name in _ON_SCALES else (2,) if name in _ON_FIELDS else ()
    generator = torch.Generator().manual_seed(height * 1000 + width)
    return torch.randn(batch, 2, *scales, height, width, generator=generator)
