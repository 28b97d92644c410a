"""Hypothesis strategies for scale-equivariant layers: public, typed, tested themselves.

Hypothesis does not seed torch or numpy: what is random beyond a strategy's own draws comes from an
integer seed, drawn by `seeds()`, so that every failure replays from its printed arguments.
"""

from __future__ import annotations

import math

from hypothesis import strategies as st

from verification.reference.bases import BasisArguments
from verification.reference.warps import Warp

_SMALLEST_SUPPORT = 5
"""Below this, functions of order up to 4 can vanish on their whole support."""


def seeds() -> st.SearchStrategy[int]:
    """Seeds for numpy and torch generators."""
    return st.integers(0, 2**32 - 1)


@st.composite
def scale_grids(
    draw: st.DrawFn,
    smallest: tuple[float, float] = (1.0, 3.0),
    ratios: tuple[float, float] = (1.2, 2.0),
    counts: tuple[int, int] = (2, 4),
) -> tuple[float, ...]:
    """Geometric grids σ_min·qⁱ in pixels; each range is inclusive."""
    first = draw(st.floats(*smallest))
    ratio = draw(st.floats(*ratios))
    return tuple(first * ratio**i for i in range(draw(st.integers(*counts))))


@st.composite
def cut_off_bases(draw: st.DrawFn) -> BasisArguments:
    """Bases as published networks use them: supports of 2 to 4 σ, which cut filters off."""
    scales = draw(scale_grids())
    # The support at the largest scale, such that the smallest still has `_SMALLEST_SUPPORT`.
    smallest = _SMALLEST_SUPPORT * scales[-1] / scales[0]
    wanted = max(smallest + 1, draw(st.floats(2.0, 4.0)) * scales[-1])
    kernel_size = int(wanted) // 2 * 2 + 1
    if draw(st.booleans()):
        return BasisArguments("a", kernel_size, scales, draw(st.integers(1, 4)))
    return BasisArguments(
        "b", kernel_size, scales, draw(st.integers(2, 7)), draw(st.floats(1.1, 1.6))
    )


@st.composite
def complete_bases(
    draw: st.DrawFn,
    ratios: tuple[float, float] = (1.2, 1.5),
    counts: tuple[int, int] = (2, 3),
) -> BasisArguments:
    """Bases for which the continuum relation holds to float64 rounding.

    Supports reach at least ±10 σ and no filter is narrower than 1.7 pixels.
    ratios, counts: ranges of the grid's ratio and number of scales.
    """
    scales = draw(scale_grids(smallest=(2.5, 3.0), ratios=ratios, counts=counts))
    # Half a pixel more on each side: the grid of every scale must reach 10 σ after rounding down.
    kernel_size = 2 * int(10 * scales[-1] + 2 * scales[-1] / scales[0]) + 1
    if draw(st.booleans()):
        return BasisArguments("a", kernel_size, scales, draw(st.integers(1, 5)))
    # 30 functions are two widths: σ and σ/mult.
    return BasisArguments(
        "b", kernel_size, scales, draw(st.integers(2, 5)), draw(st.floats(1.1, 1.45))
    )


WARP_KINDS = ("down", "up", "translated", "anisotropic")


@st.composite
def warps(
    draw: st.DrawFn, kind: str, sizes: tuple[int, int] = (96, 120), octaves: float = 1.0
) -> Warp:
    """Raster warps of one of WARP_KINDS, by a factor of up to 2^octaves down or up.

    sizes: range of the input's side. "down" and "up" draw the side of the result, "translated" a
    factor p/q with q up to 8 and a shift that stays whole, "anisotropic" rows and columns whose
    factors differ by 1.3 or more. Raises ValueError for another kind.
    """
    if kind not in WARP_KINDS:
        raise ValueError(f"kind={kind!r}: must be one of {', '.join(WARP_KINDS)}")
    size, most = draw(st.integers(*sizes)), 2.0**octaves
    shrunk = st.integers(math.ceil(size / most), size - 1)
    enlarged = st.integers(size + 1, math.floor(size * most))
    if kind == "translated":
        return draw(_translated(sizes, most))
    if kind == "anisotropic":
        rows = draw(st.one_of(shrunk, enlarged))
        unequal = st.one_of(shrunk, enlarged).filter(lambda m: max(m / rows, rows / m) >= 1.3)
        return Warp(size, (rows, draw(unequal)))
    side = draw(shrunk if kind == "down" else enlarged)
    return Warp(size, (side, side))


@st.composite
def _translated(draw: st.DrawFn, sizes: tuple[int, int], most: float) -> Warp:
    below = draw(st.integers(2, 8))
    above = draw(
        st.integers(math.ceil(below / most), math.floor(below * most)).filter(lambda p: p != below)
    )
    blocks = draw(st.integers(math.ceil(sizes[0] / below), sizes[1] // below))
    reach = max(1, blocks // 8)
    steps = draw(st.tuples(*[st.integers(-reach, reach)] * 2).filter(any))
    side = blocks * above
    return Warp(blocks * below, (side, side), (steps[0] * below, steps[1] * below))


def offsets(reach: int = 3) -> st.SearchStrategy[tuple[int, int]]:
    """Shifts by whole pixels (row, column), each from −reach to reach."""
    return st.tuples(st.integers(-reach, reach), st.integers(-reach, reach))
