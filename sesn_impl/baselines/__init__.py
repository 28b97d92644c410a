"""The methods that SESN is compared with, as its authors re-implemented them: layers only.

| method | module | layers |
|---|---|---|
| SiCNN | `sicnn` | `ColumnLiftingConv2d`, `ColumnConv2d`, `ColumnBatchNorm2d` |
| SI-ConvNet | `si_convnet` | `ScaleInvariantConv2d` |
| SEVF | `sevf` | `MagnitudeConv2d`; `VectorLiftingConv2d`, `VectorConv2d`, `VectorMaxPool2d`, `VectorBatchNorm2d` |
| DSS | `dss` | `GaussianScaleSpace`, `DilatedScaleConv2d` |
| SS-CNN | `ss_cnn` | `LogRadialConv2d` |

`bases` has B-splines and Fourier-Bessel functions for the layers of SESN itself.

The networks made of them are known by name to `sesn_impl.create_model`.
"""  # noqa: E501

from sesn_impl.baselines.dss import DilatedScaleConv2d, GaussianScaleSpace
from sesn_impl.baselines.sevf import (
    MagnitudeConv2d,
    VectorBatchNorm2d,
    VectorConv2d,
    VectorLiftingConv2d,
    VectorMaxPool2d,
)
from sesn_impl.baselines.si_convnet import ScaleInvariantConv2d
from sesn_impl.baselines.sicnn import ColumnBatchNorm2d, ColumnConv2d, ColumnLiftingConv2d
from sesn_impl.baselines.ss_cnn import LogRadialConv2d

__all__ = [
    "ColumnBatchNorm2d",
    "ColumnConv2d",
    "ColumnLiftingConv2d",
    "DilatedScaleConv2d",
    "GaussianScaleSpace",
    "LogRadialConv2d",
    "MagnitudeConv2d",
    "ScaleInvariantConv2d",
    "VectorBatchNorm2d",
    "VectorConv2d",
    "VectorLiftingConv2d",
    "VectorMaxPool2d",
]
