"""How much each layer's output changes when the image is rescaled, and which layers lose it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from verification.profile.actions import Action
from verification.profile.images import analytic_images, analytic_pair, raster_pair
from verification.profile.passes import Passes
from verification.profile.result import Profile
from verification.profile.tracing import Tracer

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
    squared and relative to those between unrelated images. The network is used in evaluation mode
    and left as it was. See `Profile` for what comes out.

    Raises ValueError for arguments that are not allowed, a network that takes no such image, or
    gives numbers that are not finite.
    """
    _check(images, factor, shift, scale_ratio)
    module = model if isinstance(model, nn.Module) else _Wrapped(model)
    states = [(each, each.training) for each in module.modules()]
    notes = []
    try:
        module.eval()
        if any(parameter.dtype in _NARROW for parameter in module.parameters()):
            states, module = [], copy.deepcopy(module).float().eval()
            notes.append("measured on a float32 copy: rounding of narrower types has no derivative")
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
        for each, training in states:
            each.training = training


class _Wrapped(nn.Module):
    """A function as a network without modules."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:  # noqa: ANN401
        return self.function(x)


def _check(images: int, factor: float, shift: float, scale_ratio: float | None) -> None:
    if images < 2:
        raise ValueError(
            f"images={images!r}: must be at least 2, as changes are relative to theirs"
        )
    if not (0 < factor < math.inf and factor != 1):
        raise ValueError(f"factor={factor!r}: must be positive and not 1")
    if not 0 < abs(shift) < math.inf:
        raise ValueError(f"shift={shift!r}: must be a number of pixels other than 0")
    if scale_ratio is not None and not 1 < scale_ratio < math.inf:
        raise ValueError(f"scale_ratio={scale_ratio!r}: must be above 1")


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
            f"side={side!r}, channels={channels!r}: the network takes no such images; tried sides "
            f"{(side,) if side else SIDES}, channels {all_channels}; the last answer was {said}"
        )
