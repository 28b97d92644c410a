"""What a user may say of a layer that is to be judged: one list, for Python, shell and pytest.

`check_scale_equivariance` and `parametrize_with_checks` take these as keyword arguments, a factory
may return them in a dictionary, and the shell has an argument for each that can be written there.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any

import torch

from verification.layer.targets import OUTPUTS, OptionError

LAYOUTS = ("BCSHW", "BSCHW", "B(CS)HW", "B(SC)HW", "list")
ENDS = ("zero", "wrap", "drop")


def _shell(help: str, **rest: Any) -> dict[str, Any]:  # noqa: ANN401
    """Keyword arguments of `add_argument`; flag: if it is not the option's own name."""
    return {"shell": {"help": help, **rest}}


def _count(help: str, metavar: str) -> dict[str, Any]:
    return _shell(help, type=int, metavar=metavar)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is said of a layer; what is not said is found out by running it.

    scales: σ of each output scale in any unit, growing; or the ratio of neighbours alone; without
    them the ratio that fits best is estimated. layout: of its axes, see `layer.adapters`.
    lifts: whether it takes images. scale_extent: how many input scales an output sums over. ends:
    what stands for the input scales above the largest: zeros, the smallest ones ("wrap"), or
    nothing, so that there are fewer outputs ("drop"). stride, window: in pixels of the input.
    device: where it runs; inputs are brought there, outputs back. output: "scales", "map" or
    "classes", by default by its number of axes. name: in reports.

    Raises ValueError for a value that is not allowed, naming it.
    """

    scales: Sequence[float] | float | None = None
    layout: str = field(
        default="BCSHW",
        metadata=_shell(
            f"of the axes: {', '.join(LAYOUTS)} (the first)", flag="adapter", metavar="LAYOUT"
        ),
    )
    in_channels: int | None = field(default=None, metadata=_count("found out if not given", "C"))
    lifts: bool | None = None
    scale_extent: int = field(default=1, metadata=_count("input scales per output (1)", "K"))
    ends: str = field(
        default="zero", metadata=_shell(f"of the scale axis: {', '.join(ENDS)} (the first)")
    )
    stride: int | None = field(default=None, metadata=_count("found out if not given", "N"))
    window: int | None = field(
        default=None, metadata=_count("side of an input; found out if not given", "N")
    )
    dtype: torch.dtype | None = None
    device: str | None = field(
        default=None, metadata=_shell("where the layer runs (where it takes inputs from the CPU)")
    )
    output: str | None = field(
        default=None, metadata=_shell(f"of the layer: {', '.join(OUTPUTS)}; by its axes")
    )
    name: str | None = None

    def __post_init__(self) -> None:
        for name, allowed in (("layout", LAYOUTS), ("ends", ENDS), ("output", OUTPUTS)):
            value = getattr(self, name)
            if value not in allowed and not (name == "output" and value is None):
                raise OptionError(f"{name}={value!r}: must be one of {', '.join(allowed)}")
        for name in ("in_channels", "scale_extent", "stride", "window"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise OptionError(f"{name}={value!r}: must be a whole number of at least 1")
        object.__setattr__(self, "scales", _checked(self.scales))
        if self.dtype is not None and not (
            isinstance(self.dtype, torch.dtype) and self.dtype.is_floating_point
        ):
            raise OptionError(f"dtype={self.dtype!r}: must be a floating torch.dtype")
        if self.device is not None:
            _require_device(self.device)

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Options:
        """From names and values. Raises ValueError for a name or value that is not allowed."""
        names = [each.name for each in fields(cls)]
        for name in said:
            if name not in names:
                raise OptionError(f"option {name!r}: must be one of {', '.join(names)}")
        return cls(**said)


def _checked(scales: object) -> tuple[float, ...] | float | None:
    """Plain numbers, whatever kind of sequence they came in."""
    if scales is None:
        return None
    if isinstance(scales, int | float):
        if not 1 < scales < math.inf:
            raise OptionError(
                f"scales={scales!r}: a ratio of neighbours must be above 1, and finite"
            )
        return float(scales)
    allowed = f"scales={scales!r}: must be positive and grow, or be a ratio above 1"
    if not isinstance(scales, Iterable):
        raise OptionError(allowed)
    given = list(scales)
    if any(isinstance(sigma, str | bytes) for sigma in given):
        raise OptionError(allowed)
    try:
        numbers = tuple(float(sigma) for sigma in given)
    except (TypeError, ValueError) as error:
        raise OptionError(allowed) from error
    finite = all(math.isfinite(sigma) for sigma in numbers)
    if not numbers or not finite or any(b <= a for a, b in pairwise([0.0, *numbers])):
        raise OptionError(allowed)
    return numbers


def _require_device(device: str) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        have = ", ".join(["cpu", *(f"cuda:{n}" for n in range(torch.cuda.device_count()))])
        raise OptionError(f"device={device!r}: must be one that torch has here: {have}") from error


def checked_seed(seed: object) -> int:
    """A plain number that torch and numpy take, with room to count on. Raises OptionError."""
    try:
        number = operator.index(seed)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if not 0 <= number < 2**62:
        raise OptionError(f"seed={seed!r}: must be a whole number from 0 to 2**62 - 1")
    return number


def shell_arguments() -> dict[str, dict[str, Any]]:
    """By name of the option, for those that a shell can give: `add_argument`'s words and its flag.

    The scales have a form of their own there.
    """
    found = {}
    for each in fields(Options):
        if "shell" in each.metadata:
            described = dict(each.metadata["shell"])
            described["flag"] = f"--{described.get('flag', each.name).replace('_', '-')}"
            found[each.name] = described
    return found
