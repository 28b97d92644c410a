"""How each check of the registry is run on a target with a seed: (target, seed) -> result.

The checks themselves are those of `verification.checks`; here their inputs are drawn (`on_noise`,
`on_scene`, …), and of several pairs of scales the worst is told. Made here are those that only a
judge needs: whether the output is a function of scale and space at all, in other precisions and on
other devices.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from verification import checks
from verification.budget.layers import predict_pair
from verification.checks import black_box
from verification.checks.needs import Need, padding_window, whole_ratio_pairs
from verification.checks.power import ignoring_scale
from verification.checks.result import CheckResult, NotApplicableError, worst
from verification.layer.layouts import SPACES
from verification.layer.probe import (
    complete_pairs,
    known_filters,
    random_probe,
    reference_responses,
)
from verification.layer.receptive_field import steerable_window
from verification.layer.scenes import random_scene
from verification.layer.targets import Target
from verification.layer.windows import noise
from verification.reference.errors import relative_change
from verification.tolerances import bound_and_rounding, tolerance

_BATCH = 3
Run = Callable[[Target, int], CheckResult]


def random_input(target: Target, seed: int, batch: int = _BATCH, wider: int = 2) -> Tensor:
    """Noise that fits the target: [batch, C_in, (S,) n, …], n its window and `wider` strides."""
    side = target.window + (0 if target.one_size else wider * target.stride)
    return noise(target, side, batch, seed)


def on_noise(
    check: Callable[..., CheckResult], of: Callable[[Target], Any] | None = None, **drawn: int
) -> Run:
    """The check of a module, an input and a name, on the target's layer and noise.

    of: what is made of the target in its place; drawn: as of `random_input`.
    """

    def run(target: Target, seed: int) -> CheckResult:
        layer = target.layer if of is None else of(target)
        return check(layer, random_input(target, seed, **drawn), target.name)

    return run


def on_frame(check: Callable[..., CheckResult]) -> Run:
    """The check of a layer, an input, and a frame about it as wide as the layer's padding."""

    def run(target: Target, seed: int) -> CheckResult:
        window = padding_window(target)
        if window is None:
            raise ValueError(f"padding of {target.name}: must be known")
        margin = -(-window.padding // target.stride) * target.stride
        # A reflection needs an image that is wider than the frame.
        beyond = max(0, margin + 1 - target.window)
        x = random_input(target, seed, wider=2 + -(-beyond // target.stride))
        return check(target.layer, x, margin, target.stride, target.name)

    return run


def on_scene(check: Callable[..., CheckResult], *rest: object) -> Run:
    """The check of a target and a scene in which each object has its own scale."""

    def run(target: Target, seed: int) -> CheckResult:
        steps = (1, 0, -1) if len(target.scales) > 2 else (1, 0)
        return check(target, random_scene(target, seed, steps), *rest)

    return run


def on_basis(check: Callable[..., CheckResult]) -> Run:
    """The check of a basis and a name, on that of the layer."""
    return lambda target, seed: check(target.layer.basis, target.name)  # type: ignore[attr-defined]


# --- Any callable ---------------------------------------------------------------------------------


def output(target: Target, seed: int) -> CheckResult:
    """Rank, batch, scales, finiteness and device of the output; counts what is wrong."""
    x = random_input(target, seed)
    with torch.no_grad():
        y = target.layer(x)
    wrong = list(_wrong_with(y, x, target))
    return CheckResult(
        "output", target.name, float(len(wrong)), 0.0, "; ".join(wrong) or "as it should be",
        configuration=target.configuration, seed=seed,
    )  # fmt: skip


def _wrong_with(y: object, x: Tensor, target: Target) -> Iterable[str]:
    if not isinstance(y, Tensor):
        yield f"the output is a {type(y).__name__}, not a tensor: an adapter is needed"
        return
    space = ", ".join(SPACES[target.dims - 1])
    layout = {"scales": f"[B, C, S, {space}]", "map": f"[B, C, {space}]", "classes": "[B, classes]"}
    rank = layout[target.output].count(",") + 1
    if y.ndim != rank:
        yield f"the output of shape {tuple(y.shape)} must be {layout[target.output]}"
    elif target.output == "scales" and y.shape[2] != len(target.scales):
        place = list(y.shape).index(len(target.scales)) if len(target.scales) in y.shape else None
        hint = "" if place is None else f"; axis {place} has that many, so it may be the scale axis"
        yield (
            f"the output of shape {tuple(y.shape)} has {y.shape[2]} entries on axis 2 "
            f"where {len(target.scales)} scales are expected{hint}"
        )
    if y.ndim and y.shape[0] != len(x):
        yield f"the output has {y.shape[0]} entries for {len(x)} images"
    if y.device != x.device:
        yield f"the output is on {y.device}, the input on {x.device}"
    if not torch.isfinite(y).all():
        bad = int((~torch.isfinite(y)).sum())
        yield f"{bad} of {y.numel()} output values are NaN or infinite for finite input"


def determinism(target: Target, seed: int) -> CheckResult:
    """See `verification.checks.check_determinism`; up to the rounding of sums in another order."""
    allowed = tolerance("batch_independence", target.dtype)
    return checks.check_determinism(target.layer, random_input(target, seed), target.name, allowed)


def output_dtype(target: Target, seed: int) -> CheckResult:
    """See `verification.checks.check_output_dtype`.

    A module is also converted to the other of float32 and float64: a cast that is written into it
    shows in one of them alone.
    """
    x = random_input(target, seed)
    results = [checks.check_output_dtype(target.layer, x, target.name)]
    if Need.MODULE.met(target) and Need.PARAMETERS.met(target) and target.dtype in _OTHER:
        other = _OTHER[target.dtype]
        with contextlib.suppress(NotApplicableError):
            converted = copied(target).to(other)
            results.append(checks.check_output_dtype(converted, x.to(other), target.name))
    return worst(results)


_OTHER = {torch.float64: torch.float32, torch.float32: torch.float64}


# --- Modules --------------------------------------------------------------------------------------


def module_of(target: Target) -> nn.Module:
    """The layer itself. Raises TypeError if it is no module."""
    if not isinstance(target.layer, nn.Module):
        raise TypeError(f"layer {target.name}: must be a torch.nn.Module")
    return target.layer


def copied(target: Target) -> nn.Module:
    """A copy in which all parameters learn, as a layer's own that were frozen do not."""
    module = module_of(target)
    try:
        copied = copy.deepcopy(module)
    except Exception as error:  # whatever a foreign module holds, such as a lock
        raise NotApplicableError(
            f"the layer cannot be copied ({type(error).__name__}), and this check would change it"
        ) from error
    for parameter in copied.parameters():
        if parameter.is_floating_point():
            parameter.requires_grad_(True)
    return copied


def dtype(target: Target, seed: int) -> CheckResult:
    """The layer converted to float32 against itself converted to float64."""
    x = random_input(target, seed).float()
    found = []
    for precision in (torch.float64, torch.float32):
        converted = copied(target).to(precision)
        with torch.no_grad():
            found.append(converted(x.to(precision)).double())
    return CheckResult(
        "dtype", target.name, relative_change(*found), tolerance("response", torch.float32),
        "output in float32 against float64; a larger error means filters that stay in one "
        "precision, are rounded, or are computed from rounded numbers",
        configuration=target.configuration, seed=seed,
    )  # fmt: skip


def device(target: Target, seed: int) -> CheckResult:
    """The layer runs where it is moved: on CUDA if there is one, else on torch's `meta` device.

    That device computes no numbers, but refuses to mix its tensors with those left behind.
    """
    place = "cuda" if torch.cuda.is_available() else "meta"
    moved = copied(target).to(place)
    trouble = ""
    try:
        with torch.no_grad():
            moved(random_input(target, seed).to(place))
    except (RuntimeError, NotImplementedError, ValueError) as error:
        said = " ".join(str(error).split())
        # What cannot be known without numbers, such as a branch on a value, is no mistake.
        if "device" in said and "cpu" in said:
            trouble = said[:200]
    return CheckResult(
        "device", target.name, float(bool(trouble)), 0.0,
        f"the layer moved to {place}: {trouble or 'runs, or asks for values'}; a failure means "
        "tensors in plain attributes, which do not move with the module: register them as buffers",
        configuration=target.configuration, seed=seed,
    )  # fmt: skip


def state_complete(target: Target, seed: int) -> CheckResult:
    """See `verification.checks.check_state_complete`; by a copy where nobody can build it anew."""
    module, x = copied(target), random_input(target, seed)

    def anew() -> nn.Module:
        if target.rebuild is None:
            return checks.with_another_past(module, x)
        made = target.rebuild(seed + 1)
        assert isinstance(made, nn.Module)
        return made

    return checks.check_state_complete(module, anew, x, target.name)


# --- Translation and border -----------------------------------------------------------------------


def integer_translation(target: Target, seed: int) -> CheckResult:
    """See `verification.checks.check_integer_translation`; by two strides down and one left."""
    offset = (2 * target.stride, -target.stride, target.stride)[: target.dims]
    return checks.check_integer_translation(target, random_probe(target, seed), offset)


def border(target: Target, seed: int) -> CheckResult:
    """See `verification.checks.check_border`, by the support of each scale where it is known."""
    window = padding_window(target)
    if window is None:
        raise ValueError(f"padding of {target.name}: must be known")
    scales = range(len(target.scales))
    # Attributes of these names mean something else in other people's layers.
    known = (
        Need.BASIS.met(target)
        and padding_window(target) is not None
        and all(
            isinstance(getattr(target.layer, name, None), int) for name in ("padding", "stride")
        )
    )
    stages = [(steerable_window(target.layer, s),) if known else (window,) for s in scales]  # type: ignore[arg-type]
    reach = window.size + window.padding
    margin = -(-reach // target.stride) * target.stride
    size = window.size + 2 * target.stride
    frame = (margin + margin + size - target.window) // target.stride + 1
    image = random_input(target, seed, batch=1, wider=frame)
    crop = slice(margin, margin + size)
    every = known and _edges_are_felt(target)
    return checks.check_border(target.layer, image, (crop, crop), stages, target.name, every=every)


def _edges_are_felt(target: Target) -> bool:
    """Whether the outermost taps of every filter weigh so much that rounding cannot hide them.

    At ±10 σ a filter reaches a border in name only: no output there has to change.
    """
    felt = 100 * tolerance("integer_translation", target.dtype) ** 0.5
    layer: Any = target.layer
    basis, weight = layer.basis, layer.weight.detach().to("cpu", torch.float64)
    for scale, support in enumerate(basis.supports):
        begin = (basis.functions.shape[-1] - support) // 2
        inside = slice(begin, begin + support)
        filters = torch.tensordot(weight, basis.functions[:, scale, inside, inside], 1).abs()
        if filters[..., 0, :].max() < felt * filters.sum(dim=(-1, -2)).max():
            return False
    return True


# --- Filters and scales ---------------------------------------------------------------------------


def response(target: Target, seed: int) -> CheckResult:
    """See `verification.checks.check_response`.

    A layer that answers as documented is a steerable one; ignoring scale, it would give the
    documented answers of another scale.
    """
    probe = random_probe(target, seed)
    result = checks.check_response(target, probe)
    if len(target.scales) < 2:
        return result
    documented = reference_responses(target, probe)
    near, far = documented[..., :-1], documented[..., 1:]
    return replace(result, ignoring=min(relative_change(near, far), relative_change(far, near)))


def scale_equivariance(target: Target, seed: int) -> CheckResult:
    """See `verification.checks.check_scale_equivariance`; the worst of all complete pairs.

    Without documented filters by the layer's own: see `verification.checks.black_box`.
    """
    if target.filters is None:
        return black_box.scale_equivariance(target, seed)
    probe = random_probe(target, seed)
    answers = reference_responses(target, probe)
    results = []
    for fine, coarse in complete_pairs(target):
        result = checks.check_scale_equivariance(target, probe, fine, coarse)
        near = answers[..., fine]
        # Of the part that varies: a large bias hides no error.
        share = float((near**2).sum() / ((near - known_filters(target).bias) ** 2).sum())
        results.append(
            replace(
                result,
                error=share * result.error,
                threshold=share * result.threshold,
                floor=share * (result.floor or 0.0),
                ignoring=ignoring_scale(target, probe, fine, coarse),
            )
        )
    return worst(results)


def scale_axis_shift(target: Target, seed: int) -> CheckResult:
    """See `verification.checks.check_scale_axis_shift`.

    The error of all pairs together is an average of theirs, so the largest of their bounds holds.
    """
    probe = random_probe(target, seed)
    bound = max(predict_pair(target, probe, *pair).bound for pair in complete_pairs(target))
    wanted = bound_and_rounding(bound, target.dtype)
    return checks.check_scale_axis_shift(target, probe, wanted)


def maximum(y: Tensor) -> Tensor:
    """Over scales: [B, C, S, …] -> [B, C, …]."""
    return y.max(dim=2).values


# --- Gradients of the input -----------------------------------------------------------------------


def gradient_equivariance(target: Target, seed: int) -> CheckResult:
    """See `verification.checks.check_gradient_equivariance`; the worst of all complete pairs."""
    probe = random_probe(target, seed, points=2)
    direction = replace(random_probe(target, seed + 1, points=2), points=probe.points)
    return worst(
        checks.check_gradient_equivariance(target, probe, direction, *pair)
        for pair in complete_pairs(target)
    )


def gradient_density(target: Target, seed: int) -> CheckResult:
    """See `verification.checks.check_gradient_density`; the worst of the pairs that fit."""
    probe = random_probe(target, seed, points=1)
    return worst(
        checks.check_gradient_density(target, probe, *pair) for pair in whole_ratio_pairs(target)
    )
