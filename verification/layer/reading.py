"""Reads the filters of a layer off its own answers, so that nothing need be known beforehand.

A layer that is affine in its input answers at one output pixel by bias + Σ x·g. The gradient of
that answer is g, exactly; it is believed only if it gives the layer's own answers to noise, up to
rounding. Where it does not (no gradient, or a wrong one) one impulse per input pixel gives g.

Convention: a filter's centre is the middle of the window; a cross-correlation, as in torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from verification.layer.probe import at_centre
from verification.layer.targets import Target
from verification.reference.analytic import FloatArray
from verification.tolerances import rounding_error

_MOST_IMPULSES = 8192
_CHUNK = 512


class NotAffineError(ValueError):
    """The layer is no sum over pixels plus a bias, so it has no filters."""


@dataclass(frozen=True, eq=False)
class ReadFilters:
    """The filters of a layer, whatever they are made of.

    taps: [S, C_out, I, W, …] about the point they look at; I counts input channels, and for a layer
    on scale and space the K_S input scales that an output scale sums over: I = K_S·C_in, slowest
    first. bias: [S, C_out].
    elsewhere: share of the filters' energy on input scales that no output scale should see.
    by_gradient: whether the gradient gave them, so that it is right.
    precision: relative size below which a tap is rounding. whole: of all input scales, also those
    that no output scale should see: [S, C_out, C_in, S_in, W, W].
    """

    taps: FloatArray
    bias: FloatArray
    elsewhere: float
    by_gradient: bool
    precision: float
    whole: FloatArray | None = None

    @property
    def reaches(self) -> tuple[float, ...]:
        """Of each scale: pixels from the centre to the farthest tap that is not rounding.

        Half numbers where the centre lies between pixels.
        """
        distance = distances(self.taps)
        found = []
        for taps in np.abs(self.taps):
            seen = taps.max(axis=(0, 1)) > self.precision * taps.max(initial=0.0)
            found.append(float(distance[seen].max(initial=distance.min())))
        return tuple(found)


def distances(taps: FloatArray) -> FloatArray:
    """Of each pixel of filters [S, C_out, I, W, …], from the middle along the farther axis."""
    side = taps.shape[-1]
    offsets = np.indices((side,) * (taps.ndim - 3)) - (side - 1) / 2
    return np.asarray(np.abs(offsets).max(axis=0))


def read_filters(target: Target, seed: int = 0) -> ReadFilters:
    """The filters at the centre pixel of the target's window; read again if its weights change.

    Raises NotAffineError if no filters give the layer's answers, or centres of its scales lie
    between pixels for some and not for others, and ValueError for an output without a centre pixel.
    """
    held = _fingerprint(target)
    if target.readings.get("weights") != held:
        try:
            target.readings["filters"] = _read(target, seed)
        except NotAffineError as error:
            target.readings["filters"] = error
        target.readings["weights"] = held
    found: ReadFilters | NotAffineError = target.readings["filters"]
    if isinstance(found, NotAffineError):
        raise found
    return found


def _fingerprint(target: Target) -> tuple[float, ...]:
    """Two sums of each tensor that the layer's state holds."""
    if not isinstance(target.layer, nn.Module):
        return ()
    tensors = [t.detach().double() for t in (*target.layer.parameters(), *target.layer.buffers())]
    return tuple(float(x) for t in tensors for x in (t.sum(), t.square().sum()))


def _read(target: Target, seed: int) -> ReadFilters:
    if len({2 * x % 2 for centre in target.centres for x in centre}) > 1:
        raise NotAffineError(
            f"layer {target.name}: some scales look at pixels and some between them, so their "
            "filters have no common grid"
        )
    shape = target.shape()
    bias = _centre(target, torch.zeros((1, *shape), dtype=target.dtype))[0]
    for by_gradient, read in ((True, _by_gradient), (False, _by_impulses)):
        if not by_gradient and not _is_additive(target, shape, bias, seed):
            break
        taps = read(target, shape, bias)
        if taps is not None and _gives_the_answers(target, taps, bias, seed):
            return _arranged(target, taps, bias, by_gradient)
    raise NotAffineError(
        f"layer {target.name}: is not affine in its input, so it has no filters to be read"
    )


def _centre(target: Target, x: Tensor) -> Tensor:
    """Answers at the centre pixel: [B, C_out, S]."""
    y = target.layer(x)
    expected = len(target.scales)
    if y.ndim != 3 + target.dims or y.shape[2] != expected:
        raise ValueError(
            f"output of {target.name} of shape {tuple(y.shape)}: must be [B, C_out, S={expected}] "
            f"and {target.dims} axes of space"
        )
    return at_centre(target, y)


def _by_gradient(target: Target, shape: tuple[int, ...], bias: Tensor) -> Tensor | None:
    """[C_out, S, *shape]; None if the layer has no gradient."""
    x = torch.zeros((1, *shape), dtype=target.dtype, requires_grad=True)
    try:
        answers = _centre(target, x)[0].flatten()
        rows = [
            torch.autograd.grad(answer, x, retain_graph=True, allow_unused=True)[0]
            for answer in answers
        ]
    except (RuntimeError, TypeError):
        return None
    found = [torch.zeros_like(x) if row is None else row for row in rows]
    return torch.cat(found).reshape(*bias.shape, *shape).detach().double()


def _by_impulses(target: Target, shape: tuple[int, ...], bias: Tensor) -> Tensor | None:
    """[C_out, S, *shape]; None if there are too many pixels."""
    count = int(np.prod(shape))
    if count > _MOST_IMPULSES:
        return None
    impulses = torch.eye(count, dtype=target.dtype).reshape(count, *shape)
    with torch.no_grad():
        answers = torch.cat([_centre(target, part) for part in torch.split(impulses, _CHUNK)])
    return (answers - bias).double().movedim(0, -1).reshape(*bias.shape, *shape).detach()


def _is_additive(target: Target, shape: tuple[int, ...], bias: Tensor, seed: int) -> bool:
    """Whether the answer to a sum is the sum of answers: a few images tell, before many are run."""
    generator = torch.Generator().manual_seed(seed)
    one, two = torch.randn((2, 1, *shape), generator=generator, dtype=torch.float64).to(
        target.dtype
    )
    with torch.no_grad():
        answers = [_centre(target, x).double() - bias for x in (one, two, one + two)]
    size = float(answers[0].square().sum() + answers[1].square().sum())
    off = float((answers[2] - answers[0] - answers[1]).square().sum())
    return off <= 100 * rounding_error(target.dtype) * (size + float(bias.detach().square().sum()))


def _gives_the_answers(target: Target, taps: Tensor, bias: Tensor, seed: int) -> bool:
    """Whether bias + Σ x·g is what the layer answers to noise, weak and strong."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn((4, *taps.shape[2:]), generator=generator, dtype=torch.float64)
    x = (x * torch.tensor([0.1, 1.0, -1.0, 10.0]).reshape(4, *[1] * (x.ndim - 1))).to(target.dtype)
    with torch.no_grad():
        answers = _centre(target, x).double()
    offset = bias.detach().double()
    expected = torch.einsum("osk,bk->bos", taps.flatten(2), x.double().flatten(1)) + offset
    size = (expected - offset).square().sum(dim=(1, 2)) + offset.square().sum()
    change = (answers - expected).square().sum(dim=(1, 2))
    return bool((change <= rounding_error(target.dtype) * size).all())


def _arranged(target: Target, taps: Tensor, bias: Tensor, by_gradient: bool) -> ReadFilters:
    """[C_out, S, C_in, (S,) W, …] -> [S, C_out, K_S·C_in, W, …], about the centre of each scale."""
    filters = taps.numpy().swapaxes(0, 1)
    every = filters[:, :, :, None] if target.lifts else filters
    elsewhere = 0.0
    if not target.lifts:
        whole = float((filters**2).sum())
        filters = _own_inputs(filters, target.scale_extent)
        elsewhere = 1 - float((filters**2).sum()) / whole if whole else 0.0
    if target.centres:
        centres = [target.centre_of(scale) for scale in range(len(filters))]
        filters = _about(filters, np.asarray(centres))
    return ReadFilters(
        taps=filters,
        bias=bias.detach().double().numpy().T,
        elsewhere=elsewhere,
        by_gradient=by_gradient,
        precision=rounding_error(target.dtype) ** 0.5,
        whole=every,
    )


def _own_inputs(filters: FloatArray, extent: int) -> FloatArray:
    """[S, C_out, C_in, S_in, W, …] -> [S, C_out, K_S·C_in, W, …]: inputs i … i + K_S − 1 of i."""
    scales, channels_out, channels_in = filters.shape[:3]
    own = np.zeros((scales, channels_out, extent, channels_in, *filters.shape[4:]))
    for scale in range(scales):
        for step in range(min(extent, scales - scale)):
            own[scale, :, step] = filters[scale, :, :, scale + step]
    return own.reshape(scales, channels_out, extent * channels_in, *filters.shape[4:])


def _about(filters: FloatArray, centres: FloatArray) -> FloatArray:
    """Filters [S, C_out, I, W, …] with zeros around, so that each scale's centre is the middle."""
    side = filters.shape[-1]
    # Twice the distance from the middle of the window is how much one end has to grow.
    grown = np.rint(2 * centres - (side - 1)).astype(int)
    most = int(np.abs(grown).max())
    moved = []
    for taps, growth in zip(filters, grown, strict=True):
        ends = [((most - g) // 2, most - (most - g) // 2) for g in growth]
        moved.append(np.pad(taps, [(0, 0), (0, 0), *ends]))
    return np.stack(moved)
