"""What a trained network gets wrong, and at which object scales."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.data import BINS_PER_UNIT, Split

_BATCH = {"cpu": 256, "cuda": 2000}  # bounds memory; the result does not depend on it


def mistakes(
    model: nn.Module,
    split: Split,
    prepare: Callable[[Tensor], Tensor],
    device: torch.device,
    between: Callable[[], object] | None = None,
) -> Tensor:
    """Which images of a split are classified wrongly: bool [N] on the CPU.

    prepare: images uint8 [B, C, H, W] on `device` -> what the model takes. between: called before
    every batch; what it raises ends the pass. The model is left in evaluation mode.
    """
    model.eval()
    guesses = []
    for images in torch.split(split.images, _BATCH.get(device.type, 256)):
        if between:
            between()
        with torch.inference_mode():
            guesses.append(_guesses(model, prepare, images.to(device)))
    return torch.cat(guesses).cpu() != split.labels


def _guesses(model: nn.Module, prepare: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Classes [B] of images [B, C, H, W], by halves where the device has too little memory."""
    try:
        logits: Tensor = model(prepare(images))
        return logits.argmax(dim=1)
    except torch.OutOfMemoryError:
        if len(images) <= _BATCH["cpu"]:
            raise
    torch.cuda.empty_cache()
    return torch.cat([_guesses(model, prepare, half) for half in images.chunk(2)])


def percent(wrong: Tensor) -> float:
    """Share of True in bool [N], in percent."""
    return 100 * int(wrong.sum()) / len(wrong)


def errors_by_scale(wrong: Tensor, scales: Tensor | None) -> list[dict[str, Any]]:
    """Images and errors per bin of the true object scale; bins without images are left out.

    wrong: bool [N]; scales: float64 [N], or None where the data do not know them (no bins then).
    A bin holds from <= scale < to.
    """
    if scales is None:
        return []
    bins = (scales * BINS_PER_UNIT).floor().long()
    images = torch.bincount(bins).tolist()
    errors = torch.bincount(bins[wrong], minlength=len(images)).tolist()
    return [
        {
            "from": index / BINS_PER_UNIT,
            "to": (index + 1) / BINS_PER_UNIT,
            "images": images[index],
            "errors": errors[index],
        }
        for index in range(len(images))
        if images[index]
    ]


def weights_hash(model: nn.Module) -> str:
    """SHA-256 (64 hex digits) of names and bytes of all parameters and buffers of a state dict."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        if name.endswith("_extra_state"):  # configuration, which a record has in words
            continue
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().numpy().tobytes())
    return digest.hexdigest()
