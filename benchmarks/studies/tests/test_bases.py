"""The bases of the study: predicted errors, what is broken, names and records."""

from __future__ import annotations

import json
import math

import pytest
import torch

from benchmarks.studies.bases import (
    BasisSettings,
    StudiedBasis,
    create_network,
    predicted_error,
    studied_bases,
    studied_models,
    trainable,
)
from benchmarks.studies.choose import DRAWS, NETWORKS, SIGNAL
from benchmarks.training.train import configuration_of
from sesn_impl import LiftingConv2d, create_model, list_models
from sesn_impl.networks.mnist import SESN_CONFIGURATIONS
from verification.budget.signals import SIGNALS, predict_budgets

PUBLISHED = BasisSettings(13, (1.5, 2.6, 4.5), 1.5)


def by_name(network: str) -> dict[str, StudiedBasis]:
    return {row.name: row for row in studied_bases() if row.network == network}


@pytest.mark.parametrize("network", NETWORKS)
def test_at_least_twelve_bases_whose_errors_spread_over_three_decades(network: str) -> None:
    rows = by_name(network)
    assert len(rows) >= 12
    errors = [row.error for row in rows.values()]
    assert math.log10(max(errors) / min(errors)) >= 3
    published, limit = rows["published"].settings, rows["published"].taps
    configuration = SESN_CONFIGURATIONS[network]
    assert (published.scales, published.kernel_size, published.mult) == (
        configuration.scales, configuration.kernel_size, configuration.mult,
    )  # fmt: skip
    assert rows["calibrated"].taps <= limit < rows["calibrated_twice"].taps <= 2 * limit
    assert rows["calibrated_twice"].error < rows["calibrated"].error < rows["published"].error


@pytest.mark.parametrize("row", studied_bases(), ids=lambda row: row.model)
def test_what_the_file_says_is_what_the_settings_give(row: StudiedBasis) -> None:
    basis = row.settings.build()
    assert predicted_error(basis, SIGNALS[SIGNAL].draws(DRAWS)) == pytest.approx(
        row.error, rel=1e-3
    )
    assert row.taps == sum(side**2 for side in basis.supports)
    assert row.settings.description()["supports"] == list(basis.supports)
    described = configuration_of(row.model, False, "digits", "smoke")
    assert ("basis" in described) is (row.name != "published")
    assert json.loads(json.dumps(described.get("basis"))) == described.get("basis")


def test_predicted_errors_are_those_of_the_budget() -> None:
    basis, draws = PUBLISHED.build(), SIGNALS["smooth"].draws(2)
    worst = max(pair.total for pair in predict_budgets(basis, draws))
    assert predicted_error(basis, draws) == pytest.approx(worst, rel=1e-9)


def test_laws() -> None:
    """σ⁰ undoes the factor, own norm makes every sample one of norm 1; nothing else changes."""
    right = PUBLISHED.build().functions
    without = BasisSettings(13, (1.5, 2.6, 4.5), 1.5, law="σ⁰").build().functions
    ratio = (without * right).sum(dim=(0, 2, 3)) / (right**2).sum(dim=(0, 2, 3))
    torch.testing.assert_close(ratio, (torch.tensor([1.5, 2.6, 4.5]).double() / 1.5) ** 2)
    own = BasisSettings(13, (1.5, 2.6, 4.5), 1.5, law="own norm").build().functions
    torch.testing.assert_close(own.flatten(2).norm(dim=2), torch.ones(49, 3).double())
    with pytest.raises(ValueError, match="law='σ': must be one of σ⁻², σ⁰, own norm"):
        BasisSettings(13, (1.5, 2.6, 4.5), 1.5, law="σ").build()


def test_names() -> None:
    assert len(set(trainable())) == len(list_models()) + len(studied_models())
    model = create_network("sesn_vector_28_calibrated")
    settings = studied_models()["sesn_vector_28_calibrated"].settings
    assert {
        layer.basis.scales for layer in model.modules() if isinstance(layer, LiftingConv2d)
    } == {settings.scales}
    published = create_model("sesn_vector_28")
    shapes, expected = (
        {name: tuple(p.shape) for name, p in network.named_parameters()}
        for network in (model, published)
    )
    assert shapes == expected
