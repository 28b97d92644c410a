"""The same numbers sooner: correlation, maximum over scales and pooling."""

from sesn_impl.fast.correlation import correlate, resample
from sesn_impl.fast.maximum import larger, largest, max_pool, stack_scales
from sesn_impl.fast.order import arranged, batch_first, is_arranged, space_first

__all__ = [
    "arranged",
    "batch_first",
    "correlate",
    "is_arranged",
    "larger",
    "largest",
    "max_pool",
    "resample",
    "space_first",
    "stack_scales",
]
