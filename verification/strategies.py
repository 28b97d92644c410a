"""Hypothesis strategies for scale-equivariant layers: public, typed, tested themselves.

Hypothesis does not seed torch or numpy: what is random beyond a strategy's own draws comes from an
integer seed, drawn by `seeds()`, so that every failure replays from its printed arguments.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

_SMALLEST_SUPPORT = 5
"""Below this, functions of order up to 4 can vanish on their whole support."""


@dataclass(frozen=True)
class BasisArguments:
    """Arguments of a Hermite basis of kind "a" or "b"; see `sesn_impl.hermite_basis_a` and `_b`."""

    kind: str
    kernel_size: int
    scales: tuple[float, ...]
    effective_size: int
    mult: float = 1.5


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
def complete_bases(draw: st.DrawFn) -> BasisArguments:
    """Bases for which the continuum relation holds to float64 rounding.

    Supports reach at least ±10 σ and no filter is narrower than 1.7 pixels.
    """
    scales = draw(scale_grids(smallest=(2.5, 3.0), ratios=(1.2, 1.5), counts=(2, 3)))
    # Half a pixel more on each side: the grid of every scale must reach 10 σ after rounding down.
    kernel_size = 2 * int(10 * scales[-1] + 2 * scales[-1] / scales[0]) + 1
    if draw(st.booleans()):
        return BasisArguments("a", kernel_size, scales, draw(st.integers(1, 5)))
    # 30 functions are two widths: σ and σ/mult.
    return BasisArguments(
        "b", kernel_size, scales, draw(st.integers(2, 5)), draw(st.floats(1.1, 1.45))
    )


def offsets(reach: int = 3) -> st.SearchStrategy[tuple[int, int]]:
    """Shifts by whole pixels (row, column), each from −reach to reach."""
    return st.tuples(st.integers(-reach, reach), st.integers(-reach, reach))
