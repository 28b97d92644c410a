"""What a user may say of a layer that is to be judged: one list, for Python, shell and pytest.

`check_scale_equivariance` and `parametrize_with_checks` take these as keyword arguments, a factory
may return them in a dictionary, `python -m verification judge` has `--name value` for each, and
pytest `--sesn-name value`.
"""

from __future__ import annotations

import argparse
import math
import operator
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any

import torch

from verification.layer.layouts import Layout
from verification.layer.targets import OUTPUTS, OptionError

ENDS = ("zero", "wrap", "drop", "replicate")


def _yes(text: str) -> bool:
    if text not in {"yes", "no"}:
        raise ValueError(f"{text!r}: must be yes or no")
    return text == "yes"


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(word) for word in text.replace(",", " ").split())


def _key(text: str) -> int | str:
    return int(text) if text.isdigit() else text


def _dtype(text: str) -> object:
    return getattr(torch, text.removeprefix("torch."), text)


def _shell(
    help: str, parse: Callable[[str], Any] = str, metavar: str | None = None
) -> dict[str, Any]:
    """What a shell needs: a line of help, and how its words are read."""
    return {"help": help, "parse": parse, "metavar": metavar}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is said of a layer; what is not said is found out by running it.

    scales: σ of each output scale in any unit, growing; or the ratio of neighbours alone; without
    them the ratio that fits best is estimated. layout: of its axes, see `layer.layouts`. select:
    which of several outputs: a key, an index, or a function of them. lifts: whether it takes
    images. takes_scale: whether it is called once for each scale, as layer(x, σ). scale_extent:
    how many input scales an output sums over. ends: what stands for the input scales above the
    largest: zeros, the smallest ones ("wrap"), the largest one ("replicate"), or nothing, so that
    there are fewer outputs ("drop"). stride, window: in pixels of the input. fixed_size: the one
    size of inputs that the layer takes. device: where it runs; inputs are brought there, outputs
    back. output: "scales", "map" or "classes", by default by its number of axes. tolerance: of the
    relative squared error of equivariance, in place of what is derived. name: in reports.

    Raises OptionError for a value that is not allowed, naming it.
    """

    scales: Sequence[float] | float | None = field(
        default=None, metadata=_shell("of its outputs", _numbers, "SIGMA")
    )
    layout: str = field(
        default="BCSHW", metadata=_shell("order of its axes, such as BSHWC, B(CS)HW or list")
    )
    select: str | int | Callable[[Any], Any] | None = field(
        default=None, metadata=_shell("which of several outputs: a key or an index", _key, "KEY")
    )
    in_channels: int | None = field(
        default=None, metadata=_shell("found out if not given", int, "C")
    )
    lifts: bool | None = field(
        default=None, metadata=_shell("whether it takes images; found out if not given", _yes)
    )
    takes_scale: bool = field(
        default=False, metadata=_shell("whether it is called as layer(x, sigma)", _yes)
    )
    scale_extent: int = field(default=1, metadata=_shell("input scales per output (1)", int, "K"))
    ends: str = field(
        default="zero", metadata=_shell(f"of the scale axis: {', '.join(ENDS)} (the first)")
    )
    stride: int | None = field(default=None, metadata=_shell("found out if not given", int, "N"))
    window: int | None = field(
        default=None, metadata=_shell("side of an input; found out if not given", int, "N")
    )
    fixed_size: int | None = field(
        default=None, metadata=_shell("the one side of inputs that it takes", int, "N")
    )
    dtype: torch.dtype | None = field(
        default=None, metadata=_shell("found out if not given", _dtype)
    )
    device: str | None = field(
        default=None, metadata=_shell("where it runs (where it takes inputs from the CPU)")
    )
    output: str | None = field(
        default=None, metadata=_shell(f"of the layer: {', '.join(OUTPUTS)}; by its axes")
    )
    tolerance: float | None = field(
        default=None, metadata=_shell("of equivariance, relative and squared", float)
    )
    name: str | None = field(default=None, metadata=_shell("in reports"))

    def __post_init__(self) -> None:
        for name, allowed in (("ends", ENDS), ("output", OUTPUTS)):
            value = getattr(self, name)
            if value not in allowed and not (name == "output" and value is None):
                raise OptionError(f"{name}={value!r}: must be one of {', '.join(allowed)}")
        Layout.of(self.layout)
        for name in ("in_channels", "scale_extent", "stride", "window", "fixed_size"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise OptionError(f"{name}={value!r}: must be a whole number of at least 1")
        for name in ("lifts", "takes_scale"):
            if getattr(self, name) not in {None, True, False}:
                raise OptionError(f"{name}={getattr(self, name)!r}: must be True or False")
        object.__setattr__(self, "scales", _checked(self.scales))
        if self.tolerance is not None and not self.tolerance > 0:
            raise OptionError(f"tolerance={self.tolerance!r}: must be positive")
        if self.fixed_size and self.window and self.fixed_size != self.window:
            raise OptionError(
                f"window={self.window!r}: must be fixed_size={self.fixed_size!r}, or not given"
            )
        self._agree_on_scales()
        if self.dtype is not None and not (
            isinstance(self.dtype, torch.dtype) and self.dtype.is_floating_point
        ):
            raise OptionError(f"dtype={self.dtype!r}: must be a floating torch.dtype")
        if self.device is not None:
            _require_device(self.device)

    def _agree_on_scales(self) -> None:
        layout = Layout.of(self.layout)
        if not isinstance(self.scales, tuple) and (layout.gives.folded or layout.takes.folded):
            raise OptionError(
                f"layout={self.layout!r}: scales must be given, to part a folded axis"
            )
        if self.takes_scale and self.lifts is False:
            raise OptionError("takes_scale=True: the layer must lift images, not lifts=False")
        if self.takes_scale and not isinstance(self.scales, tuple):
            raise OptionError("takes_scale=True: scales must be given, to call the layer with each")

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Options:
        """From names and values. Raises OptionError for one that is not allowed."""
        names = [each.name for each in fields(cls)]
        for name in given:
            if name not in names:
                raise OptionError(f"option {name!r}: must be one of {', '.join(names)}")
        return cls(**given)


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


# --- On a shell -----------------------------------------------------------------------------------


def add_arguments(parser: argparse._ArgumentGroup) -> None:
    """An argument of a shell for every option, and --ratio, which stands for scales."""
    for each in fields(Options):
        flag = f"--{each.name.replace('_', '-')}"
        rest: dict[str, Any] = {"type": each.metadata["parse"], "metavar": each.metadata["metavar"]}
        if each.metadata["parse"] is _yes:
            rest = {"action": argparse.BooleanOptionalAction}
        elif each.name == "scales":
            rest |= {"type": float, "nargs": "+"}
        flags = [flag, "--adapter"] if each.name == "layout" else [flag]
        parser.add_argument(
            *flags, dest=each.name, default=None, help=each.metadata["help"], **rest
        )
    parser.add_argument("--ratio", type=float, help="of neighbouring scales, in place of --scales")


def read_arguments(words: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, by name of the option; values may still be words, as pytest has them.

    Raises OptionError for a word that cannot be read, and for --ratio besides --scales.
    """
    given: dict[str, Any] = {}
    for each in fields(Options):
        value = words.get(each.name)
        try:
            parsed = each.metadata["parse"](value) if isinstance(value, str) else value
        except ValueError as error:
            raise OptionError(f"{each.name}={value!r}: cannot be read: {error}") from error
        if parsed is not None:
            given[each.name] = tuple(parsed) if each.name == "scales" else parsed
    if words.get("ratio") is not None:
        if "scales" in given:
            raise OptionError(f"--ratio {float(words['ratio']):g}: must not be given with --scales")
        given["scales"] = float(words["ratio"])
    return given


def as_arguments(given: Mapping[str, Any]) -> str:
    """The words that give these options to a shell; what only Python can say is left out."""
    words = []
    for name, value in given.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        elif name == "scales" and isinstance(value, float):
            words += ["--ratio", f"{value:.17g}"]
        elif name == "scales":
            words += [flag, *(f"{scale:.17g}" for scale in value)]
        elif not callable(value):
            words += [flag, shlex.quote(str(value).removeprefix("torch."))]
    return " ".join(words)
