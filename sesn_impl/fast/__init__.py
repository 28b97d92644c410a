"""The same numbers sooner: correlation, maximum over scales and pooling."""

from sesn_impl.fast.constants import remembered
from sesn_impl.fast.correlation import correlate, resample
from sesn_impl.fast.maximum import largest, largest_and_where, max_pool
from sesn_impl.fast.order import (
    arranged,
    batch_first,
    is_arranged,
    joined,
    scales_of,
    space_first,
    stack_scales,
)

__all__ = [
    "arranged",
    "batch_first",
    "correlate",
    "is_arranged",
    "joined",
    "largest",
    "largest_and_where",
    "max_pool",
    "remembered",
    "resample",
    "scales_of",
    "space_first",
    "stack_scales",
]
