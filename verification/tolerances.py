"""The only tolerances of the suite: what rounding alone may do, per dtype, and why.

All other thresholds are bounds computed from the error budget of the case at hand.
"""

from __future__ import annotations

import torch

_ROUNDING_FACTOR = 1000.0
"""Units of rounding that a relative response error may hold.

A response is a sum of up to C·K_S·V² products. Rounding grows like the square root of their number
(at most about 150 for the widest filters tested), times the cancellation within an oscillating
filter (its L1 against its response; mostly below 10). `tests/test_tolerances.py` measures the floor
and fails if this factor no longer covers it, or covers it by more than a factor of 1000.
"""


def rounding_error(dtype: torch.dtype) -> float:
    """Largest relative *squared* error that rounding in `dtype` explains."""
    return (_ROUNDING_FACTOR * torch.finfo(dtype).eps) ** 2
