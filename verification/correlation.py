"""Cross-correlation by Fourier transforms: the sums of a convolution, affordable for wide filters.

Ideal filters reach 6 σ and more, a hundred pixels for a coarse scale; a direct sum would make the
floors of a measurement far dearer than what is measured.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from scipy.fft import next_fast_len
from torch import Tensor


def correlate(images: Tensor, filters: Tensor) -> Tensor:
    """Zero-padded cross-correlation: [B, C, H, W] with [O, C, n, n], n odd -> [B, O, H, W]."""
    rows, columns = images.shape[-2:]
    reach = filters.shape[-1] // 2
    # Taps farther from the centre than the image is wide meet padding only.
    unused = max(0, reach - (max(rows, columns) - 1))
    reach -= unused
    kept = slice(unused, filters.shape[-1] - unused)
    # What wraps around in a frame of side + reach lies outside the pixels that are kept.
    width = 2 * reach + 1
    frame = [next_fast_len(max(side + reach, width), real=True) for side in (rows, columns)]
    margins = [size - width for size in frame]
    framed = F.pad(filters[..., kept, kept], (0, margins[1], 0, margins[0]))
    kernel = torch.fft.rfft2(framed.roll((-reach, -reach), (-1, -2))).conj()
    spectrum = torch.fft.rfft2(images, s=frame)
    answers = torch.einsum("bcyx,ocyx->boyx", spectrum, kernel)
    found: Tensor = torch.fft.irfft2(answers, s=frame)[..., :rows, :columns]
    return found
