"""Cross-correlation by Fourier transforms: the sums of a convolution, affordable for wide filters.

Ideal filters reach 6 σ and more, a hundred pixels for a coarse scale; a direct sum would make the
floors of a measurement far dearer than what is measured.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from scipy.fft import next_fast_len
from torch import Tensor


def correlate(images: Tensor, filters: Tensor, periodic: bool = False) -> Tensor:
    """Cross-correlation that keeps the size: [B, C, H, W] with [O, C, n, n], n odd -> [B, O, H, W].

    Around the image are zeros, or, if `periodic`, the image again.
    """
    rows, columns = images.shape[-2:]
    if periodic:
        return _products(images, _wrapped(filters, rows, columns), [rows, columns])
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
    return _products(images, framed.roll((-reach, -reach), (-1, -2)), frame)[..., :rows, :columns]


def _products(images: Tensor, kernel: Tensor, frame: list[int]) -> Tensor:
    """Periodic correlation in a frame, by products of spectra."""
    spectra = torch.fft.rfft2(images, s=frame), torch.fft.rfft2(kernel).conj()
    found: Tensor = torch.fft.irfft2(torch.einsum("bcyx,ocyx->boyx", *spectra), s=frame)
    return found


def _wrapped(filters: Tensor, rows: int, columns: int) -> Tensor:
    """Filters around pixel (0, 0) of a periodic image, as often around it as they are wide."""
    offsets = torch.arange(filters.shape[-1]) - filters.shape[-1] // 2
    kernel = filters.new_zeros(*filters.shape[:2], rows, filters.shape[-1])
    kernel.index_add_(2, offsets % rows, filters)
    wrapped = filters.new_zeros(*filters.shape[:2], rows, columns)
    return wrapped.index_add_(3, offsets % columns, kernel)
