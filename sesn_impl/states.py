"""States that say what they belong to, so that those that fit but do not belong are refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

Configuration = dict[str, Sequence[float]]


class Configured(nn.Module):
    """A module whose state dict holds its configuration, a tensor, in `_extra_state`.

    To load the state of another configuration is an error, strict or not; a state without that
    entry, as of earlier versions, loads.
    """

    def configuration(self) -> Configuration:
        """Named numbers with which the weights change their meaning; lists behind their length."""
        raise NotImplementedError

    def get_extra_state(self) -> Tensor:
        """The numbers of the configuration one behind the other, float64."""
        numbers = [number for values in self.configuration().values() for number in values]
        return torch.tensor(numbers, dtype=torch.float64, device="cpu")

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:  # noqa: ANN401
        given = state_dict.pop(f"{prefix}_extra_state", None)
        if given is not None and (difference := _difference(given, self.configuration())):
            name = prefix.removesuffix(".") or type(self).__name__
            rest[-1].append(f"{name} has another configuration than the state: {difference}")
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _difference(state: Any, own: Configuration) -> str:  # noqa: ANN401
    """In what a state's configuration differs first; empty if it is the same.

    Values may have gone through any dtype, and been computed on another machine.
    """
    if not isinstance(state, Tensor):
        return f"its entry _extra_state is of type {type(state).__name__}"
    if state.is_meta:
        return ""
    coarse = 4 * torch.finfo(state.dtype).eps if state.is_floating_point() else 0.0
    error = max(coarse, 1e-6)
    left = state.flatten().tolist()
    for name, mine in own.items():
        theirs, left = left[: len(mine)], left[len(mine) :]
        pairs = zip(theirs, mine, strict=False)
        close = [math.isclose(a, b, rel_tol=error, abs_tol=error) for a, b in pairs]
        if len(close) < len(mine) or not all(close):
            return f"{name} {_shown(mine)} here, {_shown(theirs)} there"
    return f"{len(left)} numbers more there" if left else ""


def _shown(values: Sequence[float]) -> str:
    text = ", ".join(f"{value:.6g}" for value in values[:8])
    return f"({text}, …)" if len(values) > 8 else f"({text})" if len(values) != 1 else text
