"""How much is measured: the numbers that a comparison is run with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

METHODS = (
    "cnn", "sicnn", "si_convnet", "sevf_scalar", "sevf_vector", "dss_scalar", "dss_vector",
    "ss_cnn", "sesn_scalar", "sesn_vector",
)  # fmt: skip
"""The paper's methods; the plain network comes first, since all others are compared with it."""
REFERENCE = "cnn_28"
FRAME = 28
SIDES = (14, 18, 22, 36, 44, 56)
"""Sides in pixels that a 28×28 image is rescaled to: all even, so that it stays centred."""
FACTORS = tuple(side / FRAME for side in SIDES)
"""The factors s of all measurements, 0.5 to 2: inside the range of scales of every method."""

_OF_COSTS = ("rounds", "batch")


@dataclass(frozen=True)
class Settings:
    """Sizes of a comparison; all at least 2, but repetitions, patches and rounds at least 1.

    repetitions: draws of weights and images; 8 let a permutation test decide against 8 rivals.
    scenes: analytic images per repetition for the first layer; trunk_scenes: for the trunk.
    digits, patches: real images per repetition.
    calibration: digits that set the statistics of batch normalisation.
    rounds: of timing, on batches of `batch` images.

    Raises ValueError for a number below.
    """

    repetitions: int = 8
    scenes: int = 64
    trunk_scenes: int = 12
    digits: int = 32
    patches: int = 4
    calibration: int = 128
    rounds: int = 5
    batch: int = 128

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least = 1 if name in ("repetitions", "patches", "rounds") else 2
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name}={value!r}: must be an integer of at least {least}")

    @property
    def of_errors(self) -> dict[str, Any]:
        """What the errors depend on, for a record's configuration."""
        return {name: value for name, value in asdict(self).items() if name not in _OF_COSTS}

    @property
    def of_costs(self) -> dict[str, Any]:
        """What the costs depend on, for a record's configuration."""
        return {name: getattr(self, name) for name in _OF_COSTS}


FULL = Settings()
QUICK = Settings(
    repetitions=2, scenes=16, trunk_scenes=4, digits=8, patches=1, calibration=16, rounds=2, batch=8
)
