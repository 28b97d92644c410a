"""Where networks lose scale, layer by layer, before and after training: `verification.profile`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.data import DataSet, digits
from benchmarks.networks.states import STATES, before_and_after
from benchmarks.session import Session
from benchmarks.training.recipes import Recipe, recipe_for
from benchmarks.training.run import Run
from sesn_impl import SteerableBasis, list_models
from verification import profile_network
from verification.claims.records import Record

CALIBRATION = 128
"""Training images for the statistics of batch norm before training."""
IMAGES = 4


def measure_by_layer(
    seed: int, evidence: Path | None, models: Sequence[str], protocol: str
) -> list[Record]:
    """Profile each network as initialised and as trained on digits; a record for each.

    Raises ValueError for an unknown network or protocol.
    """
    for name in models:
        if name not in list_models() or "_28" not in name:
            raise ValueError(f"models={name!r}: must be networks for images of 28×28 pixels")
    recipe, data, records = recipe_for(protocol, "digits"), digits.digits(), []
    for name in models:
        command = f"python -m benchmarks networks --by-layer --seed {seed} --models {name}"
        session = Session(f"{command} --protocol {protocol}", evidence, {"seed": seed})
        _measure(session, name, protocol, recipe, data)
        records += session.records
    return records


def _measure(session: Session, name: str, protocol: str, recipe: Recipe, data: DataSet) -> None:
    seed = session.seeds["seed"]
    configuration = {
        "model": name, "networks": "by layer", "augmentation": False, "images": IMAGES,
        "training": recipe.description(),
    }  # fmt: skip
    with session.measuring(
        "equivariance", name, configuration, protocol=protocol, data=data.identity
    ) as measurement:
        run = Run(name, data, recipe, augmentation=False, seed=seed, device=torch.device("cpu"))
        images = data.normalisation(data.train.images[:CALIBRATION])
        *profiles, error = before_and_after(run, images, lambda model: profiled(model, seed))
        measurement.numbers.update(
            test_error=error, profiles=dict(zip(STATES, profiles, strict=True))
        )


def profiled(model: nn.Module, seed: int) -> dict[str, Any]:
    """What a record keeps of a profile: of each unit the changes up to it, and shares by part."""
    bases = (getattr(module, "basis", None) for module in model.modules())
    scales = next((basis.scales for basis in bases if isinstance(basis, SteerableBasis)), ())
    profile = profile_network(
        model, side=28, channels=1, images=IMAGES, seed=seed, progress=False,
        scale_ratio=scales[1] / scales[0] if len(scales) > 1 else None,
    )  # fmt: skip
    return {
        "units": [
            {
                "name": unit.name,
                "kind": unit.kind,
                "changes": {key: change.relative for key, change in unit.changes.items()},
                "share": unit.share(),
            }
            for unit in profile.units
        ],
        "by_part": profile.by_part(),
        "remainder": profile.remainder(),
        "notes": list(profile.notes),
    }
