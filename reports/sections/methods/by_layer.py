"""Section on where the paper's networks lose scale, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from reports.drawings.by_layer import COLOURS, draw
from reports.readers import measurements
from reports.readers.material import Material
from reports.readers.measurements import finite
from reports.writing.markdown import table
from reports.writing.section import Section, picture, section
from reports.writing.wording import known, listing
from verification.claims.records import Record

TITLE = "## Where the networks lose scale, layer by layer"
EXPLANATION = (
    "Classes should not change when the image is rescaled. How fast they do, by the Lie derivative "
    "of the network as initialised and as trained on digits, is the sum of what every layer adds, "
    "carried to the output by the chain rule. *Share* (untrained → trained): that part's product "
    "with the sum over the sum's square; shares sum to 100 %, and negative ones cancel others. "
    "Stride is aliasing, border is where windows reach into the padding, the rest goes by what a "
    "layer is."
)
NOT_MEASURED = "**Not run.** `python -m benchmarks networks --by-layer` measures it in minutes."
STATES = tuple(COLOURS)


@dataclass(frozen=True)
class Network:
    """One record: a profile of each state."""

    record: Record
    profiles: dict[str, Any]


def write(material: Material) -> Section:
    """The shares of all parts before and after training, and the figure by depth."""
    found = measurements.read(material.latest("equivariance"), "profiles", _network)
    if not found:
        return section(TITLE, EXPLANATION, NOT_MEASURED)
    drawn = [(network.record.subject, network.profiles) for network in found]
    return section(
        TITLE,
        EXPLANATION,
        f"**Finding.** The largest shares are {'; '.join(map(_finding, found))}.",
        _table(material, found),
        picture(
            "by_layer",
            "Change of every output by depth, and shares of parts, before and after training",
            "Above: squared change when the image is rescaled by 1.25, relative to that between "
            "unrelated images, up to each unit. Below: shares of the output's Lie derivative.",
            partial(draw, drawn),
        ),
    )


def _network(record: Record) -> Network:
    profiles = {state: record.numbers["profiles"][state] for state in STATES}
    for profile in profiles.values():
        total = sum(finite(share) for share in profile["by_part"].values())
        if abs(total + profile["remainder"] - 1) > 1e-6 or not profile["units"]:
            raise ValueError(f"shares sum to {total}, beside a remainder {profile['remainder']}")
    return Network(record, profiles)


def _finding(network: Network) -> str:
    told = []
    for state, profile in network.profiles.items():
        largest = sorted(profile["by_part"].items(), key=lambda pair: (-pair[1], pair[0]))[:2]
        told.append(f"{state} {listing([f'{part} {100 * s:.0f} %' for part, s in largest])}")
    return f"`{network.record.subject}`: {', '.join(told)}"


def _table(material: Material, found: list[Network]) -> str:
    parts = sorted({p for n in found for state in STATES for p in n.profiles[state]["by_part"]})
    rows = [[part, *(_shares(network, part) for network in found)] for part in parts]
    rows.append(["Evidence", *(material.cite(network.record) for network in found)])
    return table(["Share, %", *(f"`{network.record.subject}`:" for network in found)], rows)


def _shares(network: Network, part: str) -> str:
    shares = [network.profiles[state]["by_part"].get(part) for state in STATES]
    return " → ".join(known(share, lambda share: f"{100 * share:.1f}") for share in shares)
