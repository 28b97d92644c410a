"""The same numbers sooner: correlation, maximum over scales and pooling."""

from sesn_impl.fast.correlation import correlate, resample
from sesn_impl.fast.maximum import larger, largest, largest_and_where, max_pool, stack_scales
from sesn_impl.fast.order import (
    arranged,
    batch_first,
    is_arranged,
    joined,
    scales_of,
    space_first,
)

__all__ = [
    "arranged",
    "batch_first",
    "correlate",
    "is_arranged",
    "joined",
    "larger",
    "largest",
    "largest_and_where",
    "max_pool",
    "resample",
    "scales_of",
    "space_first",
    "stack_scales",
]
