"""One correlation against torch's convolution: every algorithm, its sizes, and which is chosen."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sesn_impl.fast import correlate
from sesn_impl.fast.correlation import columns_at_a_time, direct, spectral
from sesn_impl.fast.cost import Algorithm, choose
from sesn_impl.fast.geometry import Axis, Geometry
from sesn_impl.tests.against_textbook import assert_same, computed_by

ALGORITHMS = [direct, spectral]


@st.composite
def axes(draw: st.DrawFn) -> Axis:
    """Any axis with an output: taps beyond the image, even numbers of them, crops and dilations."""
    # Beyond 13 columns filters are applied in parts.
    taps, dilation = draw(st.integers(1, 9) | st.integers(13, 28)), draw(st.integers(1, 3))
    padding, reach = draw(st.integers(-2, taps + 2)), dilation * (taps - 1) + 1
    smallest = max(1, reach - 2 * padding, 1 - 2 * padding)
    size = draw(st.integers(smallest, smallest + 8))
    return Axis(size, taps, draw(st.integers(1, 3)), padding, dilation)


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    rows, other = draw(axes()), draw(axes())
    reach = rows.dilation * (other.taps - 1) + 1
    smallest = max(other.size, reach - 2 * other.padding)
    return Geometry(rows, Axis(smallest, other.taps, rows.stride, other.padding, rows.dilation))


def tensors(geometry: Geometry, dtype: torch.dtype, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x, filters = (
        torch.randn(*channels, a, b, dtype=dtype, generator=generator)
        for channels, a, b in (
            ((2, 3), geometry.rows.size, geometry.columns.size),
            ((4, 3), geometry.rows.taps, geometry.columns.taps),
        )
    )
    return x.requires_grad_(), filters.requires_grad_()


def by_torch(x: Tensor, filters: Tensor, geometry: Geometry) -> Tensor:
    rows, across = geometry.rows, geometry.columns
    padded = F.pad(x, [across.padding, across.padding, rows.padding, rows.padding])
    return F.conv2d(padded, filters, None, rows.stride, 0, rows.dilation)


def correlation(x: Tensor, filters: Tensor, geometry: Geometry) -> Tensor:
    rows, across = geometry.rows, geometry.columns
    return correlate(x, filters, rows.stride, (rows.padding, across.padding), rows.dilation)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(
    geometries(),
    st.sampled_from(ALGORITHMS),
    st.sampled_from([torch.float32, torch.float64]),
    st.integers(0, 2**32 - 1),
)
def test_every_algorithm_gives_the_numbers_and_gradients_of_torch(
    geometry: Geometry,
    algorithm: Callable[[Tensor, Tensor, Geometry], Tensor],
    dtype: torch.dtype,
    seed: int,
) -> None:
    x, filters = tensors(geometry, dtype, seed)
    expected = by_torch(x, filters, geometry)
    assert geometry.output == tuple(expected.shape[2:])
    incoming = torch.randn(
        expected.shape, dtype=dtype, generator=torch.Generator().manual_seed(seed)
    )
    actual = algorithm(x, filters, geometry)
    assert_same(
        [actual, *torch.autograd.grad(actual, [x, filters], incoming)],
        [expected, *torch.autograd.grad(expected, [x, filters], incoming)],
    )


def test_comparison_rejects_a_convolution_that_flips_its_filters() -> None:
    geometry = Geometry.of((9, 8), (3, 5), 1, (1, 2), 1)
    x, filters = tensors(geometry, torch.float32, 0)
    flipped = by_torch(x, filters.flip(-1, -2), geometry)
    with pytest.raises(AssertionError):
        assert_same([spectral(x, filters, geometry)], [flipped])


@settings(deadline=None, derandomize=True, max_examples=50)
@given(geometries(), st.sampled_from(["direct", "spectral"]), st.integers(0, 2**32 - 1))
def test_coefficients_of_a_basis_are_as_good_as_the_filters_made_of_them(
    geometry: Geometry, way: Algorithm, seed: int
) -> None:
    x, grid = tensors(geometry, torch.float64, seed)
    basis = grid.detach().flatten(0, 1)[:5]  # [5, k, l]
    coefficients = torch.randn(2, 3, 5, dtype=x.dtype).requires_grad_()
    rows, across = geometry.rows, geometry.columns
    options = rows.stride, (rows.padding, across.padding), rows.dilation
    with computed_by(way):
        found = correlate(x, coefficients, *options, basis=basis)
    expected = by_torch(x, torch.einsum("ocn,nkl->ockl", coefficients, basis), geometry)
    functional = torch.randn_like(expected)
    gradients = [
        torch.autograd.grad(y, [x, coefficients], functional, materialize_grads=True)
        for y in (found, expected)
    ]
    assert_same([found, *gradients[0]], [expected, *gradients[1]])


@pytest.mark.parametrize("way", ["direct", "spectral"])
def test_functions_of_a_basis_in_another_order_are_noticed(way: Algorithm) -> None:
    geometry = Geometry.of((6, 5), (3, 3), 1, (1, 1), 1)
    x, basis = tensors(geometry, torch.float64, 0)
    coefficients = torch.randn(2, 3, 4, dtype=x.dtype)
    basis = basis.detach()[:, 0]  # [4, k, l]
    with computed_by(way):
        found = correlate(x, coefficients, 1, 1, basis=basis)
    turned = torch.einsum("ocn,nkl->ockl", coefficients, basis.flip(0))
    with pytest.raises(AssertionError):
        assert_same([found], [by_torch(x, turned, geometry)])


@pytest.mark.parametrize("taps", [15, 33])
@pytest.mark.parametrize("channels", [1, 5])
def test_wide_filters_give_the_same_with_and_without_a_gradient(taps: int, channels: int) -> None:
    geometry = Geometry.of((9, 40), (3, taps), 1, (1, taps // 2), 1)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, channels, 9, 40, dtype=torch.float64, generator=generator)
    filters = torch.randn(4, channels, 3, taps, dtype=torch.float64, generator=generator)
    expected = by_torch(x, filters, geometry)
    with torch.no_grad():
        assert_same([direct(x, filters, geometry)], [expected])
    assert_same([direct(x, filters, geometry)], [expected])


# torch's own forward mode is written in what torch has given up.
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_second_derivatives_and_transforms(
    algorithm: Callable[[Tensor, Tensor, Geometry], Tensor],
) -> None:
    geometry = Geometry.of((5, 4), (3, 3), 1, (1, 1), 1)
    x, filters = tensors(geometry, torch.float64, 0)
    assert torch.autograd.gradgradcheck(lambda x, w: algorithm(x, w, geometry), (x, filters))
    several = torch.stack([filters, 2 * filters]).detach()
    both = torch.func.vmap(lambda w: algorithm(x.detach(), w, geometry))(several)
    one = algorithm(x, filters, geometry)
    assert_same(both.unbind(), [one, 2 * one])
    along = torch.ones_like(x)
    slope = torch.func.jvp(
        lambda x: algorithm(x, filters.detach(), geometry), (x.detach(),), (along,)
    )[1]
    assert_same([slope], [algorithm(along, filters, geometry)])


def coincidences(axis: Axis, length: int) -> int:
    """Pairs of output and pixel at which other taps meet than the one at their distance."""
    wrong = 0
    lags = [round(lag) for lag in axis.lags]
    every = [axis.dilation * tap for tap in range(axis.taps)]
    for origin, pixel in itertools.product(axis.origins, range(axis.size)):
        distance = pixel - round(origin)
        reached = [lag for lag in lags if (lag - distance) % length == 0]
        wrong += reached != ([distance] if distance in every else [])
    return wrong


@settings(deadline=None, derandomize=True)
@given(axes())
def test_transform_is_the_shortest_without_wrapping_around(axis: Axis) -> None:
    assert coincidences(axis, axis.length) == 0
    # With gaps between taps a shorter transform may happen to fit them.
    gapless = axis.dilation == 1 and axis.stride == 1
    if gapless and axis.length > max(len(axis.lags), axis.size):
        assert coincidences(axis, axis.length - 1) > 0


@pytest.mark.parametrize("spoil", [torch.func.grad, torch.func.vmap, None])
def test_kept_transforms_carry_no_trace_of_their_first_call(
    spoil: Callable[..., Callable[..., Tensor]] | None,
) -> None:
    """Made under inference mode or a function transform, they serve training afterwards."""
    size = {torch.func.grad: 31, torch.func.vmap: 32, None: 33}[spoil]
    geometry = Geometry.of((size, 7), (3, 3), 1, (1, 1), 1)
    x, filters = tensors(geometry, torch.float64, 0)
    if spoil is None:
        with torch.inference_mode():
            spectral(x, filters, geometry)
    else:
        spoil(lambda x: spectral(x, filters.detach(), geometry).sum())(
            x.detach()[None] if spoil is torch.func.vmap else x.detach()
        )
    y = spectral(x, filters, geometry)
    assert_same([y], [by_torch(x, filters, geometry)])
    y.sum().backward()


@pytest.mark.parametrize(
    ("shape", "out_channels", "taps", "algorithm"),
    [
        ((128, 1, 28, 28), 32, 15, "direct"),  # the published networks' layers
        ((128, 32, 14, 14), 63, 15, "spectral"),
        ((128, 63, 7, 7), 95, 15, "spectral"),
        ((16, 63, 7, 7), 95, 15, "spectral"),  # the last batch of an epoch
        ((128, 32, 14, 14), 63, 7, "spectral"),  # the plain network's
        ((1, 32, 14, 14), 63, 3, "direct"),
        ((4, 2, 9, 9), 1, 7, "direct"),
        ((4, 2, 7, 7), 1, 3, "direct"),  # few outputs
        ((0, 2, 9, 9), 1, 7, "direct"),
        ((1, 16, 128, 128), 16, 41, "spectral"),  # large images and filters
        ((4, 32, 96, 96), 32, 21, "spectral"),
        ((1, 3, 512, 512), 16, 7, "direct"),
        ((1, 1, 2048, 2048), 8, 15, "direct"),
    ],
)
def test_choice(
    shape: tuple[int, int, int, int], out_channels: int, taps: int, algorithm: str
) -> None:
    geometry = Geometry.of(shape[2:], (taps, taps), 1, (taps // 2, taps // 2), 1)
    assert choose(geometry, torch.empty(shape), out_channels) == algorithm


def test_a_pixel_that_is_not_finite() -> None:
    """It spoils what reads it, by the spectral algorithm its image, and never another image."""
    geometry = Geometry.of((20, 20), (3, 3), 1, (1, 1), 1)
    x, filters = (tensor.detach() for tensor in tensors(geometry, torch.float32, 0))
    x[1, 0, 4, 5] = torch.nan
    assert direct(x, filters, geometry)[1, 0].isnan().sum() == 9
    spoiled = spectral(x, filters, geometry)
    assert spoiled[1].isnan().all()
    assert_same([spoiled[0]], [by_torch(x, filters, geometry)[0]])
    with (
        pytest.warns(UserWarning, match="Anomaly Detection"),
        torch.autograd.detect_anomaly(),
        pytest.raises(ValueError, match=r"x of shape \(2, 3, 20, 20\): must be finite"),
    ):
        spectral(x, filters, geometry)
    with pytest.warns(UserWarning, match="Anomaly"), torch.autograd.detect_anomaly():
        spectral(x[:1], filters, geometry)


@settings(deadline=None, derandomize=True, max_examples=25)
@given(geometries(), st.sampled_from([torch.float32, torch.float64]), st.integers(0, 2**32 - 1))
def test_exported_graphs_give_the_same(geometry: Geometry, dtype: torch.dtype, seed: int) -> None:
    """A graph holds one convolution, whatever would have been chosen, and serves training."""

    class Correlation(torch.nn.Module):
        def forward(self, x: Tensor, filters: Tensor) -> Tensor:
            return correlation(x, filters, geometry)

    inputs = tensors(geometry, dtype, seed)
    graph = torch.export.export(Correlation(), inputs).module()
    called = [node.name for node in graph.graph.nodes if "conv" in node.name]
    assert len(called) == 1
    found, expected = graph(*inputs), by_torch(*inputs, geometry)
    assert_same(
        [found, *torch.autograd.grad(found.sum(), inputs)],
        [expected, *torch.autograd.grad(expected.sum(), inputs)],
    )


@settings(deadline=None, derandomize=True, max_examples=8)
@given(geometries(), st.sampled_from([torch.float32, torch.float64]), st.integers(0, 2**32 - 1))
def test_compiled_graphs_give_the_same(geometry: Geometry, dtype: torch.dtype, seed: int) -> None:
    torch.compiler.reset()
    inputs = tensors(geometry, dtype, seed)
    compiled = torch.compile(correlation, backend="aot_eager", fullgraph=True)
    found, expected = compiled(*inputs, geometry), by_torch(*inputs, geometry)
    assert_same(
        [found, *torch.autograd.grad(found.sum(), inputs)],
        [expected, *torch.autograd.grad(expected.sum(), inputs)],
    )


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    geometries(),
    st.sampled_from([torch.float16, torch.bfloat16]),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_half_precision_is_as_exact_as_its_digits(
    geometry: Geometry, dtype: torch.dtype, autocast: bool, seed: int
) -> None:
    """Of the same rounded numbers, or of those that autocast rounds, in float64."""
    rounded = [x.detach().to(dtype) for x in tensors(geometry, torch.float64, seed)]
    x, filters = (x.double().requires_grad_() for x in rounded)
    inputs = [(x.float() if autocast else x).requires_grad_() for x in rounded]
    with torch.autocast("cpu", dtype, enabled=autocast):
        found = correlation(inputs[0], inputs[1], geometry)
    assert found.dtype == dtype
    expected = by_torch(x, filters, geometry)
    incoming = torch.ones_like(expected)
    all_found = [found, *torch.autograd.grad(found, inputs, incoming.to(dtype))]
    all_expected = [expected, *torch.autograd.grad(expected, [x, filters], incoming)]
    for one, other in zip(all_found, all_expected, strict=True):
        largest = other.abs().max() if other.numel() else 0
        assert ((one.double() - other).abs() <= 2 * torch.finfo(dtype).eps * largest).all()


def test_half_precision_autocast_and_other_devices_are_left_to_torch() -> None:
    geometry, x = Geometry.of((14, 14), (15, 15), 1, (7, 7), 1), torch.empty(128, 32, 14, 14)
    assert choose(geometry, x, 63) == "spectral"
    assert choose(geometry, x.bfloat16(), 63) == "direct"
    assert choose(geometry, x.to("meta"), 63) == "direct"
    with torch.autocast("cpu", torch.bfloat16):
        assert choose(geometry, x, 63) == "direct"


@pytest.mark.parametrize("threads", [1, 2, 3, 64])
def test_every_thread_gets_as_many_matrices(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where fewer fit into the cache, and where a transform has fewer frequencies."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    for size in (1, 2**18, 2**30):
        step = columns_at_a_time(size)
        assert step >= threads
        assert step % threads == 0
    geometry = Geometry.of((9, 8), (7, 5), 1, (3, 2), 1)
    x, filters = tensors(geometry, torch.float64, 0)
    assert_same([spectral(x, filters, geometry)], [by_torch(x, filters, geometry)])


def test_threads_that_share_filters_get_their_own_answers() -> None:
    """Images of several sizes at once: nothing that a call changes is seen by another."""
    generator = torch.Generator().manual_seed(0)
    filters = torch.randn(16, 8, 15, 15, generator=generator)
    images = [torch.randn(4, 8, *size, generator=generator) for size in ((20, 20), (35, 10))]
    expected = [correlate(x, filters, padding=7) for x in images]
    wrong: list[int] = []

    def work(index: int) -> None:
        with torch.inference_mode():
            for _ in range(10):
                y = correlate(images[index % 2], filters, padding=7)
                if not torch.allclose(y, expected[index % 2], atol=1e-3):
                    wrong.append(index)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
