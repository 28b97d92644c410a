"""The smallest complete Scale-Equivariant Steerable Network (SESN, ICLR 2020)."""

from sesn_impl.baselines.bases import bspline_basis, fourier_bessel_basis
from sesn_impl.basis import (
    HermiteFunction,
    SteerableBasis,
    hermite_basis_a,
    hermite_basis_b,
    steerable_basis,
)
from sesn_impl.initialise import init_from_filters, init_variance_keeping
from sesn_impl.layers import (
    LiftingConv2d,
    ProjectedConv2d,
    ScaleConv1x1,
    ScaleConv2d,
    ScaleMaxProjection,
)
from sesn_impl.networks import create_model, leaf_modules, list_models, load_released

__all__ = [
    "HermiteFunction",
    "LiftingConv2d",
    "ProjectedConv2d",
    "ScaleConv1x1",
    "ScaleConv2d",
    "ScaleMaxProjection",
    "SteerableBasis",
    "bspline_basis",
    "create_model",
    "fourier_bessel_basis",
    "hermite_basis_a",
    "hermite_basis_b",
    "init_from_filters",
    "init_variance_keeping",
    "leaf_modules",
    "list_models",
    "load_released",
    "steerable_basis",
]
