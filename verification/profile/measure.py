"""How much each layer's output changes when the image is rescaled, and which layers lose it."""

from __future__ import annotations

import contextlib
import copy
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from verification.profile.actions import Action
from verification.profile.images import analytic_images, analytic_pair, raster_pair
from verification.profile.passes import Passes, near
from verification.profile.result import Profile
from verification.profile.tracing import Tracer
from verification.profile.trees import outputs

FACTOR = 1.25
SHIFT = 0.5
SIDES = (224, 96, 64, 56, 32, 28)
"""Tried in this order if no side is given."""
_NARROW = (torch.float16, torch.bfloat16)


def profile_network(
    model: Callable[[Tensor], Any],
    *,
    side: int | None = None,
    channels: int | None = None,
    images: int = 2,
    factor: float = FACTOR,
    shift: float = SHIFT,
    output: str | None = None,
    scale_ratio: float | None = None,
    contributions: bool = True,
    raster: bool = True,
    seed: int = 0,
    name: str | None = None,
    progress: bool | None = None,
) -> Profile:
    """What rescaling does to the output of every layer of a network for images [B, C, H, H].

    side, channels: of the images; found by trying if not given. images: how many, at least 2.
    factor: of the finite rescaling, out/in; shift: of the control, a translation along the
    diagonal, in pixels. output: path of the tensor that contributions are pushed to, such as
    output['out'], by default the first. scale_ratio: of neighbouring scales of maps
    [B, C, S, H, W].
    progress: None shows a bar if standard error is a terminal.

    Maps are compared after undoing what was done to the image; [B, C] must not change. Changes are
    squared and relative to those between unrelated images. The network is used in evaluation mode,
    uncompiled, and left as it was. See `Profile` for what comes out.

    Raises ValueError for arguments that are not allowed; a network that is scripted, takes no such
    image, is random in evaluation mode, mixes the images of a batch, or gives numbers that are not
    finite; one that cannot be followed from the image to its output, or has no derivative.
    """
    _check(images, factor, shift, scale_ratio, side, channels)
    module = model if isinstance(model, nn.Module) else _Wrapped(model)
    _check_modules(module)
    states = [(each, each.training) for each in module.modules()]
    notes = []
    undo = contextlib.ExitStack()
    try:
        module.eval()
        if any(parameter.dtype in _NARROW for parameter in module.parameters()):
            states, module = [], copy.deepcopy(module).float().eval()
            notes.append("measured on a float32 copy: rounding of narrower types has no derivative")
        undo.enter_context(_uncompiled())
        network = _Network(module, side, channels)
        drawn = analytic_images(network.side, network.channels, images, seed)
        rescaling = Action("rescaling", network.side, scale_ratio=scale_ratio)
        translation = replace(rescaling, kind="translation")
        pairs = {
            "analytic": (
                rescaling,
                analytic_pair(drawn, network.side, rescaling, math.log(factor)),
            ),
            "translation": (translation, analytic_pair(drawn, network.side, translation, shift)),
        }
        if raster:
            warped = raster_pair(network.side, network.channels, images, seed, math.log(factor))
            pairs["raster"] = rescaling, warped
        drawn_images = pairs["analytic"][1].images.to(network.device, network.dtype)
        _check_function(module, drawn_images, output)
        # disable=None: no bar where standard error is not a terminal.
        with tqdm(unit="pass", disable=None if progress is None else not progress) as bar:
            passes = Passes(Tracer(module, output), network.device, network.dtype, bar)
            passes.prepare(pairs["analytic"][1].images[:1])
            for key, (action, pair) in pairs.items():
                passes.compare(key, action, pair)
            for action in (rescaling, translation):
                passes.differentiate(action, drawn, contributions=contributions)
        return Profile(
            network=name or type(model).__name__,
            side=network.side,
            channels=network.channels,
            dtype=str(network.dtype).removeprefix("torch."),
            images=images,
            seed=seed,
            amounts={key: pair.amount for key, (_, pair) in pairs.items()},
            units=tuple(passes.units),
            notes=(*notes, *passes.notes),
        )
    finally:
        undo.close()
        for each, training in states:
            each.training = training


class _Wrapped(nn.Module):
    """A function as a network without modules."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:  # noqa: ANN401
        return self.function(x)


def _check(
    images: int, factor: float, shift: float, scale_ratio: float | None, side: int | None,
    channels: int | None,
) -> None:  # fmt: skip
    least = {"images": (images, 2), "side": (side, 2), "channels": (channels, 1)}
    for name, (number, smallest) in least.items():
        if number is not None and (not isinstance(number, int) or number < smallest):
            raise ValueError(f"{name}={number!r}: must be a whole number of at least {smallest}")
    if not (0 < factor < math.inf and factor != 1):
        raise ValueError(f"factor={factor!r}: must be positive and not 1")
    if not 0 < abs(shift) < math.inf:
        raise ValueError(f"shift={shift!r}: must be a number of pixels other than 0")
    if scale_ratio is not None and not 1 < scale_ratio < math.inf:
        raise ValueError(f"scale_ratio={scale_ratio!r}: must be above 1")


def _check_modules(model: nn.Module) -> None:
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise ValueError(
                f"module {name or type(module).__name__!r}: is scripted, traced or frozen by "
                "torch.jit, so that its layers cannot be followed; profile what it was made of"
            )
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_meta:
            raise ValueError(f"{name!r}: is on the device meta and has no values")


def _uncompiled() -> contextlib.AbstractContextManager[None]:
    """Where `torch.compile` was used: layers of a compiled graph cannot be followed."""
    used = "torch._dynamo" in sys.modules  # nothing can be compiled that did not load this
    return torch.compiler.set_stance("force_eager") if used else contextlib.nullcontext()


def _check_function(model: nn.Module, images: Tensor, output: str | None) -> None:
    """That the images [B, C, H, H] have the same output again, and beside other images."""
    with torch.no_grad():
        first, again, beside = (
            outputs(model(x)) for x in (images, images, torch.cat([images[:1], -images[1:]]))
        )
    name = output or next(iter(first), "")
    if name not in first or len(first[name]) != len(images):
        return  # said later
    y = first[name]
    if not near(again[name], y):
        raise ValueError(
            f"{name}: differs from run to run for the same images: the network draws random "
            "numbers in evaluation mode"
        )
    if not near(beside[name][:1], y[:1]):
        kinds = sorted({type(each).__name__ for each in model.modules() if _is_of_batch(each)})
        raise ValueError(
            f"{name}: that of an image depends on the other images of its batch"
            + (f": {', '.join(kinds)} with the batch's own statistics" if kinds else "")
        )


def _is_of_batch(module: nn.Module) -> bool:
    """A normalisation that uses the statistics of the batch, whatever the mode."""
    tracked = getattr(module, "running_mean", False)
    return tracked is None or (tracked is not False and module.training)


class _Network:
    """A network as a tracer, with what it runs on and the images that it takes."""

    def __init__(self, model: nn.Module, side: int | None, channels: int | None) -> None:
        self.model = model
        parameter = next((p for p in model.parameters() if p.is_floating_point()), None)
        self.dtype = torch.get_default_dtype() if parameter is None else parameter.dtype
        self.device = torch.device("cpu") if parameter is None else parameter.device
        self.side, self.channels = self._fitting(side, channels)

    def _fitting(self, side: int | None, channels: int | None) -> tuple[int, int]:
        """Side and channels that the network takes. Raises ValueError if there are none."""
        declared = (getattr(each, "in_channels", None) for each in self.model.modules())
        first = next((n for n in declared if isinstance(n, int)), None)
        all_channels = (channels,) if channels else (first,) if first else (3, 1)
        said = ""
        for n in (side,) if side else SIDES:
            for c in all_channels:
                try:
                    with torch.no_grad():
                        self.model(torch.zeros(2, c, n, n, dtype=self.dtype, device=self.device))
                except (
                    Exception
                ) as error:  # whatever a network does with a shape it was not made for
                    said = f"{type(error).__name__}: {error}"
                else:
                    return n, c
        raise ValueError(
            f"side={side!r}, channels={channels!r}: the network takes no such square images; "
            f"tried sides {(side,) if side else SIDES}, channels {all_channels}; the last answer "
            f"was {said}"
        )
