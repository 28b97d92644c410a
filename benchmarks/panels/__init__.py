"""The paper's three panels of the equivariance error, measured: no code for them was published.

Random networks on photograph patches, rescaled by kornia, between a floor (nothing cut off, same
coefficients, same rescalings) and a ceiling (one fixed scale, as a plain convolution); and the same
networks by the exact probe, which shows how much of each curve is the rescaling's and the border's.

depth: up to 50 layers. down_scaling: factors up to 32. inter_scale: scale extents 1 to 4.
And what users of SESN reported since, on the same networks: padding, stride, and two mistakes.
The networks and the scales of the paper's own panels are not known. So each panel is measured on
three grids (`settings.GRIDS`): the two families that were published, and a wide one that is well
sampled and not cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from benchmarks.panels.depth import measure_depth
from benchmarks.panels.down_scaling import measure_down_scaling
from benchmarks.panels.inter_scale import measure_inter_scale
from benchmarks.panels.mistakes import measure_mistakes
from benchmarks.panels.padding import measure_padding
from benchmarks.panels.session import Session
from benchmarks.panels.settings import FULL, GRIDS, QUICK, Grid, Settings
from benchmarks.panels.stride import measure_stride
from verification.claims.records import Record

__all__ = ["FULL", "GRIDS", "PANELS", "QUICK", "SEEDS", "Session", "Settings", "measure"]

SEEDS = {"full": 20, "quick": 3}
"""Random networks, where nothing else is asked for."""

PANELS: dict[str, Callable[[Session, Grid], None]] = {
    "depth": measure_depth,
    "down_scaling": measure_down_scaling,
    "inter_scale": measure_inter_scale,
    "padding": measure_padding,
    "stride": measure_stride,
    "mistakes": measure_mistakes,
}


def measure(
    seeds: int, evidence: Path, settings: Settings = FULL, grids: Sequence[Grid] = GRIDS,
    panels: Sequence[str] = (),
) -> list[Record]:  # fmt: skip
    """Measure panels on all grids and write their records; returns them.

    seeds: random networks, at least 1 (two or more show a trend). evidence: folder of the records.
    panels: some of `PANELS`; all if none is named. Raises ValueError for a number out of range or
    an unknown panel.
    """
    for name in panels:
        if name not in PANELS:
            raise ValueError(f"panels={name!r}: must be some of {', '.join(PANELS)}")
    session = Session(seeds, evidence, settings, panels)
    parts = [(name, grid) for name in panels or PANELS for grid in grids]
    for name, grid in (progress := tqdm(parts, desc="panels", disable=None)):
        progress.set_postfix_str(f"{name}, {grid.name}")
        PANELS[name](session, grid)
    return session.records
