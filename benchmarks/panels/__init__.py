"""The paper's three panels of the equivariance error, measured: no code for them was published.

Random networks on photograph patches, rescaled by kornia, between a floor (nothing cut off, same
coefficients, same rescalings) and a ceiling (one fixed scale, as a plain convolution); and the same
networks by the exact probe, which shows how much of each curve is the rescaling's own error.

depth: up to 50 layers. down_scaling: factors up to 32. inter_scale: scale extents 1 to 4.
The layers have the scales and supports of the published deep networks (basis A, σ = 0.9·1.41^i,
V = 7), since those of the paper's own panels are not known.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from benchmarks.panels.depth import measure_depth
from benchmarks.panels.down_scaling import measure_down_scaling
from benchmarks.panels.inter_scale import measure_inter_scale
from benchmarks.panels.session import Session
from benchmarks.panels.settings import FULL, QUICK, Settings
from verification.evidence import Record

__all__ = ["FULL", "PANELS", "QUICK", "SEEDS", "Session", "Settings", "measure"]

SEEDS = {"full": 5, "quick": 3}
"""Random networks, where nothing else is asked for."""

PANELS: dict[str, Callable[[Session], None]] = {
    "depth": measure_depth,
    "down_scaling": measure_down_scaling,
    "inter_scale": measure_inter_scale,
}


def measure(seeds: int, evidence: Path, settings: Settings = FULL) -> list[Record]:
    """Measure all panels and write two records for each; returns them.

    seeds: random networks, at least 1 (two or more show a trend). evidence: folder of the records.
    Raises ValueError for a number out of range.
    """
    session = Session(seeds, evidence, settings)
    for panel in (progress := tqdm(PANELS, desc="panels", disable=None)):
        progress.set_postfix_str(panel)
        PANELS[panel](session)
    return session.records
