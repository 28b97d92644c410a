"""The floor: the filters of a random stack with nothing cut off, by Fourier transforms.

The filters are evaluated by `verification`, not by the layers, on supports of ±4 σ. Transforms make
supports of a hundred pixels cheap, and give the sums that the layers would to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks.panels.networks import Stack
from benchmarks.panels.settings import WIDE_SUPPORT
from verification.continuum import HermiteBasis, sampled_filters
from verification.correlation import correlate


def ideal_responses(stack: Stack, images: Tensor) -> Iterator[Tensor]:
    """As `Stack.responses`, zero-padded: [B, 1, H, W] -> [B, C, S, H, W] for each layer."""
    x = images.float()
    functions = [f.float() for f in ideal_functions(stack.basis)]
    for weight in stack.coefficients:
        responses = []
        for scale, function in enumerate(functions):
            # A lifting layer has no scale axis, hence no neighbours to sum over.
            extent = 1 if weight.ndim == 3 else min(weight.shape[2], len(functions) - scale)
            inputs = x if weight.ndim == 3 else x[:, :, scale : scale + extent].flatten(1, 2)
            used = weight if weight.ndim == 3 else weight[:, :, :extent].flatten(1, 2)
            responses.append(correlate(inputs, torch.einsum("ocb,byx->ocyx", used, function)))
        y = torch.stack(responses, dim=2)
        yield y
        x = y.relu()


def ideal_functions(basis: HermiteBasis) -> list[Tensor]:
    """The basis functions reaching ±4 σ at each scale: each [N_b, n, n] float64."""
    supports = [int(WIDE_SUPPORT * scale) // 2 * 2 + 1 for scale in basis.scales]
    return [
        torch.from_numpy(sampled_filters(basis, scale, support))
        for scale, support in enumerate(supports)
    ]
