"""Check of what the border of an image may touch: exactly what the receptive field says.

Padding invents what lies outside the image. An output whose receptive field lies inside sees none
of it, so it is what it would be in a larger image, at the place that the crop was taken from:
equivariance to translation, and the width of the border, in one comparison. What padding invents
shows when the image is framed: by the right frame nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from verification.checks.result import CheckResult
from verification.layer.receptive_field import Stages, moved, outputs, untouched
from verification.tolerances import tolerance


def check_border(
    layer: Callable[[Tensor], Tensor],
    image: Tensor,
    crop: tuple[slice, slice],
    stages: Sequence[Stages],
    name: str,
    every: bool = True,
) -> CheckResult:
    """Outputs of a crop are those of the whole image, except where the border touches them.

    image: [B, C, (S,) H, W], without structure, so that what lies beyond the crop matters.
    crop: rows and columns, with a start and stop that the layer's strides divide.
    stages: of all outputs, or one for each scale of outputs [B, C, S, H', W'].
    every: whether every touched output must change as well; false behind a maximum or a ReLU, which
    may let nothing of the border through.
    The error counts pixels (and scales) that are not as predicted.

    Raises ValueError if the image does not reach far enough beyond the crop.
    """
    with torch.no_grad():
        whole, alone = layer(image), layer(image[..., crop[0], crop[1]])
    start, predicted = _prediction(image, crop, stages)
    inside = tuple(
        slice(begin, begin + n) for begin, n in zip(start, alone.shape[-2:], strict=True)
    )
    there = whole[..., inside[0], inside[1]]
    allowed = tolerance("integer_translation", image.dtype) ** 0.5 * float(whole.abs().max())
    differs = (alone - there).abs() > allowed
    # Over batch and channels: one that changes is enough.
    changed = differs.flatten(0, 1).any(dim=0).numpy()
    predicted = np.broadcast_to(predicted if changed.ndim == 3 else predicted[0], changed.shape)
    wrong = changed & predicted if not every else changed == predicted
    return CheckResult(
        "border",
        name,
        float(wrong.sum()),
        0.0,
        f"{int(predicted.sum())} outputs must not see the border and {int((~predicted).sum())} "
        f"may; {int((changed & predicted).sum())} see it and must not: they look farther, wrap "
        f"around or know their position; {int((~changed & ~predicted).sum())} do not see it",
        configuration=f"image {tuple(image.shape)}, crop {crop}, {image.dtype}, {stages}",
    )


def check_zero_border(
    layer: Callable[[Tensor], Tensor], image: Tensor, margin: int, stride: int, name: str
) -> CheckResult:
    """Beyond its border an image goes on with zeros: framing it with zeros changes no output.

    image: [B, C, (S,) H, W]. margin: pixels of the frame, at least the layer's padding.
    stride: input pixels from one output to the next.

    The error counts the outputs that change.

    Raises ValueError for a margin that is no multiple of the stride.
    """
    changed = _changed_by_frames(layer, image, margin, stride)
    differing = int(changed["constant"].sum())
    cause = ""
    if differing:
        others = [name for mode, name in _FRAMES.items() if not changed[mode].any()]
        cause = f"; the padding is {others[0] if others else 'no known one'}"
    return CheckResult(
        "zero_border",
        name,
        float(differing),
        0.0,
        f"outputs of an image that are others in a frame of {margin} zeros{cause}",
        configuration=f"image {tuple(image.shape)}, {image.dtype}",
    )


def check_padding(
    layer: Callable[[Tensor], Tensor], image: Tensor, margin: int, stride: int, name: str
) -> CheckResult:
    """Beyond the border of an image all scales of an output [B, C, S, H', W'] see the same.

    Whether that is zeros or something else does not matter. A scale that sees no border agrees with
    all others, and one whose padding is none of the known ones is not judged. Arguments as of
    `check_zero_border`; the error counts the scales that see something else than most.

    Raises ValueError for a margin that is no multiple of the stride.
    """
    changed = _changed_by_frames(layer, image, margin, stride)
    touched = {
        mode: changes.movedim(2, 0).flatten(1).any(dim=1) for mode, changes in changed.items()
    }
    scales = range(len(touched["constant"]))
    kinds = [[mode for mode in _FRAMES if not touched[mode][scale]] for scale in scales]
    usual = max(_FRAMES, key=lambda mode: sum(mode in kind for kind in kinds))
    odd = {scale: kind[0] for scale, kind in enumerate(kinds) if kind and usual not in kind}
    told = "; ".join(f"scale {scale} is padded by {_FRAMES[kind]}" for scale, kind in odd.items())
    unknown = [str(scale) for scale, kind in enumerate(kinds) if not kind]
    return CheckResult(
        "padding",
        name,
        float(len(odd)),
        0.0,
        f"padding of each scale: {told or 'no scale is padded otherwise than the others'}"
        f"{', the others by ' + _FRAMES[usual] if odd else ''}"
        f"{'; not known of scales ' + ', '.join(unknown) if unknown else ''}",
        configuration=f"image {tuple(image.shape)}, {image.dtype}",
    )


_FRAMES = {
    "constant": "zeros", "circular": "circular", "reflect": "reflect", "replicate": "replicate",
}  # fmt: skip
"""How an image may go on beyond its border: `torch.nn.functional.pad`'s name, and ours."""


def _changed_by_frames(
    layer: Callable[[Tensor], Tensor], image: Tensor, margin: int, stride: int
) -> dict[str, Tensor]:
    """For each kind of frame: which outputs of an image are others when it is framed so."""
    if margin % stride:
        raise ValueError(f"margin={margin!r}: must be a multiple of the stride, {stride}")
    begin = margin // stride
    with torch.no_grad():
        alone = layer(image)
        rows, columns = (slice(begin, begin + side) for side in alone.shape[-2:])
        return {
            mode: _differs(alone, layer(_framed(image, margin, mode))[..., rows, columns])
            for mode in _FRAMES
        }


def _differs(expected: Tensor, found: Tensor) -> Tensor:
    """Where outputs differ by more than rounding."""
    allowed = tolerance("integer_translation", expected.dtype) ** 0.5 * float(expected.abs().max())
    differs: Tensor = (expected - found).abs() > allowed
    return differs


def _framed(image: Tensor, margin: int, mode: str) -> Tensor:
    flat = image if image.ndim == 4 else image.flatten(1, 2)
    framed = F.pad(flat, [margin] * 4, mode=mode)
    return framed.view(*image.shape[:-2], *framed.shape[-2:])


def _prediction(
    image: Tensor, crop: tuple[slice, slice], stages: Sequence[Stages]
) -> tuple[tuple[int, int], np.ndarray]:
    """Where the crop's outputs begin in the whole, and which are untouched: [S or 1, H', W']."""
    rows, columns = crop
    masks = []
    for chain in stages:
        axes = []
        for size, chosen in zip(image.shape[-2:], (rows, columns), strict=True):
            count, begin = outputs(chain, chosen.stop - chosen.start), moved(chain, chosen.start)
            if not untouched(chain, size)[begin : begin + count].all():
                raise ValueError(
                    f"crop={crop}: the image of shape {tuple(image.shape)} must reach farther "
                    "beyond it, by the layer's receptive field"
                )
            axes.append(untouched(chain, chosen.stop - chosen.start))
        masks.append(np.logical_and.outer(*axes))
    start = moved(stages[0], rows.start), moved(stages[0], columns.start)
    return start, np.stack(masks)
