"""Numbers and lists in words, the same way everywhere in the report."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from verification.claims.rules import BY_READING, INCONCLUSIVE, NOT_RUN, REFUTED, SUPPORTED
from verification.claims.rules import verdict as rules

plural = rules.plural

MARKS = {SUPPORTED: "✓", REFUTED: "✗", INCONCLUSIVE: "?", BY_READING: "≡", NOT_RUN: "·"}
NOTHING = "–"


def configuration(name: str) -> str:
    """Return the paper's name of a configuration: sesn_scalar_56p is SESN scalar, 56+."""
    if name.startswith("stl10_sesn_"):
        return f"SESN-{name[-1].upper()}, STL-10"
    family, _, column = name.rpartition("_")
    return f"{family.replace('_', ' ').replace('sesn', 'SESN')}, {column.replace('p', '+')}"


def verdict_text(status: str) -> str:
    """Return a verdict with its mark; what was judged stands out."""
    return status if status == NOT_RUN else f"{MARKS[status]} **{status}**"


def small(value: float) -> str:
    """Return an error near rounding with two digits: 3.2e-29; an exact zero as 0."""
    return _short(f"{value:.1e}") if value else "0"


def percent(value: float) -> str:
    """Return a share of 1 in percent with two digits: 0.0072 becomes 0.72 %."""
    return f"{share(value)} %"


def share(value: float) -> str:
    """Return a share of 1 as the number of percent, two digits, exponents for the very small."""
    hundredths = 100 * value
    if hundredths == 0:
        return "0"
    if abs(hundredths) < 1e-4:
        return _short(f"{hundredths:.1e}")
    decimals = max(0, 1 - math.floor(math.log10(abs(hundredths))))
    return f"{hundredths:.{decimals}f}"


def _short(text: str) -> str:
    """Leave out what says nothing in a number with exponent: 1.0e-05 becomes 1e-5."""
    digits, exponent = text.split("e")
    return f"{digits.removesuffix('.0')}e{int(exponent)}"


def signed(value: float, decimals: int = 2) -> str:
    """Return a difference with its sign, the minus as long as the plus."""
    text = f"{value:+.{decimals}f}"
    # A difference that rounds to zero has no side.
    return "±" + text[1:] if float(text) == 0 else text.replace("-", "−")


def known(value: float | None, write: Callable[[float], str] = "{:.2f}".format) -> str:
    """Return a number, or a dash where it is not known."""
    return NOTHING if value is None else write(value)


def interval(ends: Sequence[float], write: Callable[[float], str] = "{:.2f}".format) -> str:
    """Return a value with its lower and upper end, as Markdown: 1.20 [1.10, 1.30]."""
    middle, low, high = map(write, ends)
    return f"{middle} \\[{low}, {high}]"


def mean_and_spread(mean: float, std: float | None) -> str:
    """Return mean ± standard deviation, or the mean alone where no spread is known."""
    return f"{mean:.2f}" if std is None else f"{mean:.2f} ± {std:.2f}"


def duration(seconds: float) -> str:
    """Return a time span in the unit a person would choose."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def were(number: int) -> str:
    """Return the verb for so many: 1 was, 2 were."""
    return "was" if number == 1 else "were"


def listing(items: Sequence[str]) -> str:
    """Join items as in a sentence: a, b and c."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"
