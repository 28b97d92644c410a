"""A gallery of layers of known truth, and how the judge of `verification` answers on each.

Kernels that people use, from kornia, torchvision, scipy and torch, the layers of this project, and
layers that are wrong. Each comes with the derivation of its truth, which an exact probe of its own
confirms (`truth`). Beside it: random correct layers, none of which may fail, and the smallest
mistake that each decisive check rejects (`power`).
"""

from benchmarks.gallery import from_libraries, not_equivariant, steerable

ENTRIES = (*from_libraries.ENTRIES, *not_equivariant.ENTRIES, *steerable.ENTRIES)
"""All layers of the gallery."""
SEEDS = {"full": 5, "quick": 1}
"""Verdicts on each, where nothing else is asked for."""
RANDOM = {"full": 200, "quick": 6}
"""Random correct layers."""

__all__ = ["ENTRIES", "RANDOM", "SEEDS"]
