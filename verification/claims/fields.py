"""Checks of the fields of claims and records; every message names the field and its value."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TypeGuard


def is_integer(value: object) -> TypeGuard[int]:
    """Whether a value is an integer and not a truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a finite number and not a truth value."""
    return (is_integer(value) or isinstance(value, float)) and math.isfinite(value)


def check_text(name: str, value: object) -> None:
    """Raise ValueError unless `value` is text with something in it."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} must be text that is not empty, got {value!r}")


def check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise ValueError unless `value` is one of `allowed`."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")


def check_mapping(name: str, value: object, item_type: type) -> None:
    """Raise TypeError unless `value` maps text to items of the given type."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a mapping, got {value!r}")
    for key, item in value.items():
        if not isinstance(key, str):
            raise TypeError(f"{name} must have text as keys, got {key!r}")
        if not isinstance(item, item_type) or (item_type is int and not is_integer(item)):
            raise TypeError(f"{name}.{key} must be {item_type.__name__}, got {item!r}")


def check_names(
    what: str, given: Iterable[str], required: Iterable[str], optional: Iterable[str] = ()
) -> None:
    """Raise ValueError naming the fields that are missing, or else those that nobody knows."""
    present, needed = set(given), set(required)
    if missing := sorted(needed - present):
        raise ValueError(f"{what} lacks the field {', '.join(missing)}")
    if unknown := sorted(present - needed - set(optional)):
        raise ValueError(f"{what} has the unknown field {', '.join(unknown)}")


def as_text(value: object) -> str:
    """Return text that is not empty; raise ValueError otherwise."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"must be text that is not empty, got {value!r}")
    return value


def as_number(value: object) -> float:
    """Return a finite number as float; raise ValueError otherwise."""
    if not is_number(value):
        raise ValueError(f"must be a finite number, got {value!r}")
    return float(value)


def as_positive(value: object) -> float:
    """Return a finite number above 0 as float; raise ValueError otherwise."""
    if not is_number(value) or value <= 0:
        raise ValueError(f"must be a positive number, got {value!r}")
    return float(value)


def as_not_negative(value: object) -> float:
    """Return a finite number from 0 on as float; raise ValueError otherwise."""
    if not is_number(value) or value < 0:
        raise ValueError(f"must be a number and not negative, got {value!r}")
    return float(value)


def as_positive_integer(value: object) -> int:
    """Return an integer from 1 on; raise ValueError otherwise."""
    if not is_integer(value) or value < 1:
        raise ValueError(f"must be a positive integer, got {value!r}")
    return value


def one_of(*allowed: str) -> Callable[[object], str]:
    """Make a converter that returns one of the allowed texts and raises ValueError for others."""

    def convert(value: object) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}, got {value!r}")
        return value

    return convert
