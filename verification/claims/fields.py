"""Checks of the fields of claims and records; every message names the field and its value."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeGuard, TypeVar

T = TypeVar("T")
_LARGEST = sys.float_info.max


def is_integer(value: object) -> TypeGuard[int]:
    """Whether a value is an integer and not a truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number that a float holds, finite and not a truth value."""
    return (is_integer(value) or isinstance(value, float)) and abs(value) <= _LARGEST


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


def check(convert: Callable[[object], object], **values: object) -> None:
    """Raise ValueError naming the first of the values that a converter refuses."""
    for name, value in values.items():
        try:
            convert(value)
        except ValueError as error:
            raise ValueError(f"{name} {error}") from error


def _converter(
    allowed: str, accepts: Callable[[Any], object], convert: Callable[[Any], T]
) -> Callable[[object], T]:
    """Make a function that returns a value in its final type, or raises ValueError."""

    def converted(value: object) -> T:
        if not accepts(value):
            raise ValueError(f"must be {allowed}, got {value!r}")
        return convert(value)

    return converted


def one_of(*allowed: str) -> Callable[[object], str]:
    """Make a converter that accepts the given texts alone."""
    return _converter(f"one of {', '.join(allowed)}", lambda value: value in allowed, str)


as_text = _converter(
    "text that is not empty", lambda value: isinstance(value, str) and value.strip(), str
)
as_flag = _converter("true or false", lambda value: isinstance(value, bool), bool)
as_number = _converter("a finite number", is_number, float)
as_positive = _converter("a positive number", lambda n: is_number(n) and n > 0, float)
as_not_negative = _converter("a number and not negative", lambda n: is_number(n) and n >= 0, float)
as_positive_integer = _converter("a positive integer", lambda n: is_integer(n) and n >= 1, int)
