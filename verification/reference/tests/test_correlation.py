"""Correlation by Fourier transforms gives the sums of a convolution."""

import pytest
import torch
import torch.nn.functional as F

from verification.reference.correlation import correlate


@pytest.mark.parametrize(
    ("sides", "window"),
    [((20, 20), 7), ((13, 13), 31), ((9, 9), 41), ((12, 12), 1), ((5, 30), 21), ((30, 5), 61)],
)
def test_sums_are_those_of_a_convolution(sides, window):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, *sides, generator=generator).double()
    filters = torch.randn(4, 3, window, window, generator=generator).double()
    expected = F.conv2d(x, filters, padding=window // 2)
    torch.testing.assert_close(correlate(x, filters), expected, rtol=0, atol=1e-12 * window**2)


def test_a_flipped_filter_is_seen():
    x, filters = torch.randn(1, 1, 20, 20).double(), torch.randn(1, 1, 7, 7).double()
    flipped = F.conv2d(x, filters.flip(-1, -2), padding=3)
    assert (correlate(x, filters) - flipped).abs().max() > 1.0


@pytest.mark.parametrize(("sides", "window"), [((20, 20), 7), ((9, 12), 5), ((6, 7), 31)])
def test_periodic_sums_are_those_of_a_tiled_image(sides, window):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, *sides, generator=generator).double()
    filters = torch.randn(4, 3, window, window, generator=generator).double()
    tiles = 2 * (window // min(sides) + 1) + 1
    tiled = F.conv2d(x.repeat(1, 1, tiles, tiles), filters, padding=window // 2)
    rows, columns = (slice(tiles // 2 * n, (tiles // 2 + 1) * n) for n in sides)
    found = correlate(x, filters, periodic=True)
    expected = tiled[..., rows, columns]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12 * window**2)
    assert (found - correlate(x, filters)).abs().max() > 1.0  # a border of zeros is another thing
