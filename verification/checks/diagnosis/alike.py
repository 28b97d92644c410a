"""How filters may be alike without being equal: turned over, up to a factor, in another order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations

import numpy as np

from verification.reference.analytic import FloatArray

Turn = Callable[[FloatArray], FloatArray]

TURNS: dict[str, tuple[str, Turn]] = {
    "rows and columns exchanged": ("transposed", lambda g: g.swapaxes(-1, -2)),
    "turned upside down": ("upside_down", lambda g: g[..., ::-1, :]),
    "turned left to right": ("mirrored", lambda g: g[..., ::-1]),
    "turned by 180°, a convolution for a correlation": ("turned", lambda g: g[..., ::-1, ::-1]),
    "turned by 90°": ("rotated", lambda g: np.rot90(g, axes=(-2, -1))),
    "turned by −90°": ("rotated", lambda g: np.rot90(g, -1, axes=(-2, -1))),
    "rows and columns exchanged along the other diagonal": (
        "transposed",
        lambda g: g[..., ::-1, ::-1].swapaxes(-1, -2),
    ),
}
"""The seven symmetries of the square that are none of its own, on [..., V, V]."""


def best_factor(found: FloatArray, wanted: FloatArray) -> float:
    """The factor a with the least ‖found − a·wanted‖; 1 where nothing is wanted."""
    size = float((wanted**2).sum())
    return float((found * wanted).sum()) / size if size else 1.0


def other_orders(count: int, most: int) -> Iterator[tuple[int, ...]]:
    """All orders of so many scales but the straight one; of more than `most` the reversed one."""
    straight = tuple(range(count))
    if count > most:
        yield straight[::-1]
        return
    yield from (order for order in permutations(straight) if order != straight)
