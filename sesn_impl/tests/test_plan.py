"""The sizes of transforms, and which way is chosen for which sizes."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sesn_impl import SteerableBasis, hermite_basis_a, hermite_basis_b
from sesn_impl.fast.plan import Axis, Geometry, choose

WIDE = hermite_basis_b(15, (1.7, 2.45, 3.54, 5.1), 7)
SMALL = hermite_basis_a(7, (0.9, 1.27, 1.79), 3)


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    kernel_size = draw(st.sampled_from([1, 3, 5, 7, 9]))
    padding = draw(st.integers(0, kernel_size + 2))
    smallest = max(1, kernel_size - 2 * padding)
    height, width = (draw(st.integers(smallest, smallest + 8)) for _ in range(2))
    return Geometry(height, width, kernel_size, padding, draw(st.integers(1, 3)))


def coincidences(axis: Axis, radius: int, length: int) -> int:
    """Pairs of output and pixel at which other taps meet than the one at their distance."""
    wrong = 0
    for output, pixel in itertools.product(range(axis.outputs), range(axis.size)):
        distance = pixel - (axis.stride * output + axis.offset)
        reached = [d for d in range(-axis.before, axis.after + 1) if (d - distance) % length == 0]
        wrong += reached != ([distance] if abs(distance) <= radius else [])
    return wrong


@given(geometries())
def test_transform_is_the_shortest_without_wrapping_around(geometry: Geometry) -> None:
    for axis in geometry.axes():
        radius = geometry.kernel_size // 2
        assert coincidences(axis, radius, axis.length) == 0
        if axis.length > axis.before + axis.after + 1:
            assert coincidences(axis, radius, axis.length - 1) > 0


@given(geometries())
def test_outputs_are_those_of_a_convolution(geometry: Geometry) -> None:
    x = torch.zeros(1, 1, geometry.height, geometry.width)
    filters = torch.zeros(1, 1, geometry.kernel_size, geometry.kernel_size)
    y = torch.nn.functional.conv2d(x, filters, stride=geometry.stride, padding=geometry.padding)
    assert geometry.output == tuple(y.shape[2:])


@pytest.mark.parametrize(
    ("basis", "shape", "out_channels", "way"),
    [
        (WIDE, (128, 1, 28, 28), 32, "columns"),  # the published networks' layers
        (WIDE, (128, 32, 14, 14), 63, "spectral"),
        (WIDE, (128, 63, 7, 7), 95, "spectral"),
        (WIDE, (16, 63, 7, 7), 95, "spectral"),  # the last batch of an epoch
        (WIDE, (64, 32, 28, 28), 63, "spectral"),
        (WIDE, (1, 32, 14, 14), 63, "direct"),  # too few images for the filters' spectra
        (SMALL, (16, 32, 48, 48), 32, "spectral"),
        (SMALL, (2, 512, 24, 24), 512, "direct"),  # spectra would not fit
        (SMALL, (4, 2, 9, 9), 1, "columns"),
        (SMALL, (4, 2, 7, 7), 1, "direct"),  # few outputs
        (SMALL, (0, 2, 9, 9), 1, "direct"),
    ],
)
def test_choice(basis: SteerableBasis, shape: tuple[int, ...], out_channels: int, way: str) -> None:
    padding = basis.kernel_size // 2
    geometry = Geometry(shape[-2], shape[-1], basis.kernel_size, padding, 1)
    assert choose(basis, geometry, torch.empty(shape), out_channels) == way


def test_kept_spectra_cost_nothing() -> None:
    geometry, x = Geometry(14, 14, 15, 7, 1), torch.empty(1, 32, 14, 14)
    assert choose(WIDE, geometry, x, 63, cached=True) == "spectral"


def test_half_precision_and_autocast_are_left_to_convolutions() -> None:
    geometry, x = Geometry(14, 14, 15, 7, 1), torch.empty(128, 32, 14, 14)
    assert choose(WIDE, geometry, x.bfloat16(), 63) == "direct"
    with torch.autocast("cpu", torch.bfloat16):
        assert choose(WIDE, geometry, x, 63) == "direct"


def test_other_devices_are_left_to_convolutions() -> None:
    x = torch.empty(128, 32, 14, 14, device="meta")
    assert choose(WIDE, Geometry(14, 14, 15, 7, 1), x, 63) == "direct"
