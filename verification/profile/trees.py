"""The tensors in what modules are given and give back: tuples, lists, mappings, dataclasses."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from torch import Tensor


def named_tensors(tree: Any, path: str) -> Iterator[tuple[str, Tensor]]:  # noqa: ANN401
    """All tensors with their paths, such as output['out'][0]."""
    if isinstance(tree, Tensor):
        yield path, tree
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from named_tensors(value, f"{path}[{key!r}]")
    elif isinstance(tree, tuple | list):
        for i, value in enumerate(tree):
            yield from named_tensors(value, f"{path}[{i}]")
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        for each in dataclasses.fields(tree):
            yield from named_tensors(getattr(tree, each.name), f"{path}.{each.name}")


def tensors(tree: Any) -> Iterator[Tensor]:  # noqa: ANN401
    """All tensors."""
    return (tensor for _, tensor in named_tensors(tree, ""))


def outputs(tree: Any) -> dict[str, Tensor]:  # noqa: ANN401
    """The floating tensors of a network's output by their paths."""
    return {path: y for path, y in named_tensors(tree, "output") if y.is_floating_point()}


def floating(tree: Any) -> list[Tensor]:  # noqa: ANN401
    """The floating tensors, in the order in which `replaced` meets them."""
    return [tensor for tensor in tensors(tree) if tensor.is_floating_point()]


def replaced(tree: Any, change: Callable[[Tensor], Tensor]) -> Any:  # noqa: ANN401
    """The same with every floating tensor changed."""
    if isinstance(tree, Tensor):
        return change(tree) if tree.is_floating_point() else tree
    if isinstance(tree, MutableMapping):
        new = copy.copy(tree)
        for key, value in tree.items():
            new[key] = replaced(value, change)
        return new
    if isinstance(tree, tuple | list):
        parts = [replaced(value, change) for value in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        made = copy.copy(tree)
        for each in dataclasses.fields(tree):
            object.__setattr__(made, each.name, replaced(getattr(tree, each.name), change))
        return made
    return tree
