"""What the bases are made of: order, widths, supports, normalisation, and bad arguments."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from scipy.special import eval_hermitenorm

from sesn_impl import HermiteFunction, SteerableBasis, hermite_basis_a, hermite_basis_b
from sesn_impl.networks.mnist import SESN_CONFIGURATIONS

PUBLISHED = SESN_CONFIGURATIONS["sesn_scalar_28"].basis()
SMALL = hermite_basis_a(7, (1.0, 2.0), 3)


def test_order_of_kind_a() -> None:
    """Index m·e + n, with n the order along the rows and m along the columns."""
    expected = [HermiteFunction(n, m, 1.0) for m in range(3) for n in range(3)]
    assert list(SMALL.atoms) == expected
    assert SMALL.atoms[1 * 3 + 2] == HermiteFunction(row_order=2, column_order=1, relative_width=1)


def test_order_of_kind_b() -> None:
    """Total order up to 4 gives 15 functions; 49 = 15 + 15 + 15 + 4 at widths σ/1.5^level."""
    orders = [(n, m) for m in range(5) for n in range(5) if n + m <= 4]
    assert [(a.row_order, a.column_order) for a in PUBLISHED.atoms] == (orders * 4)[:49]
    widths = [a.relative_width for a in PUBLISHED.atoms]
    assert widths == [1.0] * 15 + [1.5**-1] * 15 + [1.5**-2] * 15 + [1.5**-3] * 4


def test_first_axis_is_rows() -> None:
    """Order (2, 0) varies like He₂ down a column and like a Gaussian along a row."""
    sample = SMALL.functions[2, 1]  # σ = 2
    offsets = torch.arange(-3, 4, dtype=torch.float64) / 2
    gaussian = torch.exp(-(offsets**2) / 2)
    hermite = torch.from_numpy(eval_hermitenorm(2, offsets.numpy())) * gaussian
    torch.testing.assert_close(sample[:, 3] / sample[3, 3], hermite / hermite[3])
    torch.testing.assert_close(sample[3] / sample[3, 3], gaussian)


@pytest.mark.parametrize(
    ("name", "supports"),
    [
        ("sesn_scalar_28", (5, 7, 11, 15)),
        ("sesn_scalar_56p", (5, 9, 17)),
        ("sesn_vector_28", (5, 7, 13)),
        ("sesn_vector_56", (7, 9, 11, 15)),
    ],
)
def test_supports_are_proportional_to_scale_and_the_rest_is_zero(
    name: str, supports: tuple[int, ...]
) -> None:
    basis = SESN_CONFIGURATIONS[name].basis()
    assert basis.supports == supports
    for index, support in enumerate(supports):
        margin = (basis.kernel_size - support) // 2
        inside = slice(margin, margin + support)
        outside = basis.functions[:, index].clone()
        outside[:, inside, inside] = 0
        assert not outside.any()
        assert basis.functions[:, index, inside, inside].abs().amax(0).all()


@pytest.mark.parametrize("basis", [PUBLISHED, SMALL])
def test_norm_is_1_at_the_smallest_scale_only(basis: SteerableBasis) -> None:
    norms = basis.functions.square().sum((-1, -2)).sqrt()  # [N_b, S]
    torch.testing.assert_close(norms[:, 0], torch.ones_like(norms[:, 0]))
    # Not for every function of the published basis: its finest samples are cut and undersampled.
    wide = [i for i, atom in enumerate(basis.atoms) if atom == HermiteFunction(0, 0, 1.0)]
    assert (norms[wide, 1:] < 1).all()


def test_one_divisor_serves_all_scales() -> None:
    """Undoing the division gives σ⁻² at the centre of the Gaussian at each scale."""
    centre = PUBLISHED.functions[0, :, 7, 7] * PUBLISHED.norms[0]
    expected = [scale**-2 for scale in PUBLISHED.scales]
    torch.testing.assert_close(centre, torch.tensor(expected, dtype=torch.float64))


def test_ranks_of_the_published_basis() -> None:
    """49 functions are 25 on 5×5 pixels, 45 on 7×7, and independent above."""
    ranks = [int(torch.linalg.matrix_rank(PUBLISHED.functions[:, i].flatten(1))) for i in range(4)]
    assert ranks == [25, 45, 49, 49]


def test_values_are_float64_and_sizes_agree() -> None:
    assert PUBLISHED.functions.dtype == torch.float64
    assert PUBLISHED.functions.shape == (49, 4, 15, 15)
    assert (PUBLISHED.num_functions, PUBLISHED.num_scales, PUBLISHED.kernel_size) == (49, 4, 15)
    assert len(PUBLISHED.norms) == 49


GOOD: dict[str, Any] = {"kernel_size": 7, "scales": (1.0, 2.0), "effective_size": 3}


@pytest.mark.parametrize("make", [hermite_basis_a, hermite_basis_b])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"kernel_size": 8}, r"kernel_size=8: must be odd and positive"),
        ({"kernel_size": -1}, r"kernel_size=-1: must be odd and positive"),
        ({"scales": ()}, r"scales=\(\): must be one or more finite positive numbers"),
        ({"scales": (0.0, 1.0)}, r"scales=\(0.0, 1.0\): must be one or more finite positive"),
        ({"scales": (1.0, math.nan)}, r"scales=\(1.0, nan\): must be one or more finite positive"),
        ({"scales": (2.0, 1.0)}, r"scales=\(2.0, 1.0\): must grow from first to last"),
        ({"scales": (1.0, 1.0)}, r"scales=\(1.0, 1.0\): must grow from first to last"),
        ({"effective_size": 0}, r"effective_size=0: must be at least 1"),
        ({"kernel_size": 3, "scales": (1.0, 4.0)}, r"support is 1 pixels, on which .* vanishes"),
    ],
)
def test_arguments_out_of_range(
    make: Callable[..., SteerableBasis], bad: dict[str, Any], message: str
) -> None:
    make(**GOOD)
    with pytest.raises(ValueError, match=message):
        make(**GOOD | bad)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"max_order": -1}, r"max_order=-1: must be at least 0"),
        ({"mult": 1.0}, r"mult=1.0: must be a finite number above 1"),
        ({"mult": math.inf}, r"mult=inf: must be a finite number above 1"),
    ],
)
def test_arguments_of_kind_b_out_of_range(bad: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hermite_basis_b(**GOOD | bad)


def test_unknown_options_are_rejected() -> None:
    with pytest.raises(TypeError, match="mult"):
        hermite_basis_a(**GOOD | {"mult": 1.5})
