"""Profiles: how many cases a property is tried on, how large they are, and who chose them.

`smoke` shows in seconds that everything runs. `ci` draws the same cases in every run, so that a
change is judged by the change alone. `fresh` draws as many, new ones in each run, or those of
`--hypothesis-seed=N`. `deep` draws many large new ones for hours, and says how far it is. The
environment variable SESN_PROFILE chooses; `ci` is the default.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings

VARIABLE = "SESN_PROFILE"


@dataclass(frozen=True)
class Profile:
    """Sizes of the cases of one profile.

    examples: cases of a property of usual cost. derandomised: whether they are always the same.
    largest_side: in pixels, of random tensors; largest_count: of their batches and channels.
    progress_seconds: a line is printed this often while a property runs; None: never.
    """

    name: str
    examples: int
    derandomised: bool = True
    largest_side: int = 9
    largest_count: int = 3
    progress_seconds: float | None = None


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("smoke", examples=5, largest_side=7, largest_count=2),
        Profile("ci", examples=80),
        Profile("fresh", examples=80, derandomised=False),
        Profile(
            "deep", examples=5000, derandomised=False, largest_side=24, largest_count=6,
            progress_seconds=10.0,
        ),
    )
}  # fmt: skip


def active() -> Profile:
    """The profile that the environment asks for. Raises ValueError for an unknown one."""
    name = os.environ.get(VARIABLE, "ci")
    if name not in PROFILES:
        raise ValueError(f"{VARIABLE}={name!r}: must be one of {', '.join(PROFILES)}")
    return PROFILES[name]


def load() -> None:
    """Makes the active profile Hypothesis's default. Raises ValueError for an unknown one."""
    profile = active()
    settings.register_profile(
        profile.name,
        max_examples=profile.examples,
        derandomize=profile.derandomised,
        # A case that takes long is no failure: the machine may be busy.
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        # Every failure prints the command that replays it; nothing is kept between runs.
        database=None,
    )
    settings.load_profile(profile.name)


deep_only = pytest.mark.skipif(
    os.environ.get(VARIABLE, "ci") != "deep", reason="takes minutes: under the profile deep only"
)


def cases(share: float) -> settings:
    """Decorator: a property with `share` times the usual number of cases, at least 2.

    Above 1 for a property that costs next to nothing, below 1 for a costly one. Raises ValueError
    for a share that is not positive.
    """
    if not share > 0:
        raise ValueError(f"share={share!r}: must be positive")
    return settings(max_examples=max(2, round(share * active().examples)))
