"""The same numbers sooner: correlation, maximum over scales and pooling."""

from sesn_impl.fast.correlation import correlate
from sesn_impl.fast.maximum import larger, max_pool, stack_scales

__all__ = ["correlate", "larger", "max_pool", "stack_scales"]
