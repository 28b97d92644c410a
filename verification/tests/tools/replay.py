"""One line that replays exactly one generated case: what it looks like, and what runs it.

    SESN_PROFILE=ci python -m pytest 'path::test_name[parameter]' --sesn-case 'dict(seed=7)'

The expression gives the drawn arguments; parameters and fixtures come from the test itself.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import os
import shlex
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from verification.tests.tools import profiles, strategies

Property = Callable[..., None]


def inner_test(item: pytest.Item) -> Property | None:
    """The function behind a Hypothesis test, which takes the drawn arguments; else None."""
    handle = getattr(getattr(item, "obj", None), "hypothesis", None)
    return getattr(handle, "inner_test", None)


def command(item: pytest.Item, drawn: Mapping[str, Any] | None) -> str:
    """The line to paste; without drawn arguments it runs the whole test again.

    Arguments that no expression gives back (a function without a name, a tensor) are left out, and
    the line says so.
    """
    line = f"{profiles.VARIABLE}={profiles.active().name} python -m pytest {_quoted(item.nodeid)}"
    if drawn is None:
        return line
    expression = f"dict({', '.join(f'{name}={_source(value)}' for name, value in drawn.items())})"
    try:
        evaluate(item, expression)
    except Exception as error:
        return f"{line}  # all its cases: {expression} cannot be evaluated ({error!r})"
    return f"{line} --sesn-case {shlex.quote(expression)}"


def evaluate(item: pytest.Item, expression: str) -> dict[str, Any]:
    """Drawn arguments from an expression in the names of the test's module and the strategies.

    Read are numbers, words, tuples, lists, dictionaries, names, and calls of what is named; nothing
    else is run. Raises ValueError or TypeError, NameError for an unknown name.
    """
    module = getattr(item, "module", None)
    names = {**vars(builtins), **vars(strategies), **(vars(module) if module else {})}
    found = _value(ast.parse(expression, mode="eval").body, names)
    if not isinstance(found, dict):
        raise TypeError(f"--sesn-case {expression!r}: must be a dict of the drawn arguments")
    return found


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    def of(each: ast.expr) -> Any:
        return _value(each, names)

    match node:
        case ast.Name(id=name):
            if name not in names:
                raise NameError(f"name {name!r} is not defined")
            return names[name]
        case ast.Attribute(value=owner, attr=name):
            return getattr(of(owner), name)
        case ast.Call(func=function, args=args, keywords=keywords):
            return of(function)(*map(of, args), **{str(k.arg): of(k.value) for k in keywords})
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return (tuple if isinstance(node, ast.Tuple) else list)(map(of, parts))
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return {of(key): of(value) for key, value in zip(keys, values, strict=True) if key}
        case _:
            return ast.literal_eval(node)


def run(item: pytest.Function, expression: str) -> None:
    """The one case of a property. Raises UsageError for arguments that it does not take."""
    test = inner_test(item)
    if test is None:
        raise pytest.UsageError(f"--sesn-case: {item.nodeid} draws nothing")
    names = set(inspect.signature(test).parameters)
    fixtures = {name: value for name, value in item.funcargs.items() if name in names}
    drawn = evaluate(item, expression)
    if set(drawn) != names - set(fixtures):
        raise pytest.UsageError(
            f"--sesn-case {expression!r}: must give {', '.join(sorted(names - set(fixtures)))}"
        )
    test(**fixtures, **drawn)


def _source(value: object) -> str:
    """An expression for a value: functions and classes by their name, all else by its repr."""
    if isinstance(value, tuple | list):
        inside = ", ".join(map(_source, value))
        comma = "," if len(value) == 1 and isinstance(value, tuple) else ""
        return f"({inside}{comma})" if isinstance(value, tuple) else f"[{inside}]"
    if inspect.isfunction(value) or inspect.isclass(value):
        return value.__name__
    return repr(value)


def _quoted(nodeid: str) -> str:
    return shlex.quote(nodeid) if os.name == "posix" else f'"{nodeid}"'
