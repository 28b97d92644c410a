"""Where does a network lose scale? Profiles any network, package.module:factory, layer by layer.

Nothing has to be declared. A table of every unit's change under rescaling (finite, on functions and
on photographs, and as a Lie derivative), of translation as a control, and of what each contributes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from verification.atomic_files import write_atomically
from verification.optional_packages import require


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m verification profile`."""
    parser.set_defaults(run=run)
    parser.add_argument(
        "origin", metavar="package.module:factory", help="a callable that returns the network"
    )
    parser.add_argument("--side", type=int, help="of the images, in pixels (found by trying)")
    parser.add_argument("--channels", type=int, help="of the images (found by trying)")
    parser.add_argument("--images", type=int, default=2, help="how many, at least 2 (2)")
    parser.add_argument("--factor", type=float, default=1.25, help="of the finite rescaling (1.25)")
    parser.add_argument(
        "--shift",
        type=float,
        default=0.5,
        help="of the control, in pixels along the diagonal (0.5)",
    )
    parser.add_argument(
        "--output",
        metavar="PATH",
        help="what contributions add up to, such as output['out'] (the first)",
    )
    parser.add_argument(
        "--scale-ratio", type=float, help="of neighbouring scales, for maps [B, C, S, H, W]"
    )
    parser.add_argument("--no-raster", action="store_true", help="no photographs")
    parser.add_argument("--no-contributions", action="store_true", help="a few passes only")
    parser.add_argument("--seed", type=int, default=0, help="of weights and images (0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all numbers there")
    parser.add_argument(
        "--figure", type=Path, metavar="FILE", help="also draw it by depth (svg, png, pdf)"
    )


def run(options: argparse.Namespace) -> None:
    """Profiles, writes, prints.

    A factory may return (network, options), options as of `profile_network`; the shell's go first.
    Raises ValueError for a factory or an option that is not allowed, OSError for a file not to be
    written, MissingExtraError for a figure without matplotlib.
    """
    from verification.layer.loading import load  # noqa: PLC0415
    from verification.layer.targets import Target  # noqa: PLC0415
    from verification.profile.figure import FORMATS, as_file  # noqa: PLC0415
    from verification.profile.measure import profile_network  # noqa: PLC0415

    if options.figure is not None:
        require("figures", "--figure")
        if options.figure.suffix not in FORMATS:
            raise ValueError(f"figure {str(options.figure)!r}: must end in {' or '.join(FORMATS)}")
    model, said = load(options.origin, options.seed)
    unknown = set(said) - {"side", "channels", "output", "scale_ratio", "name"}
    if unknown:
        raise ValueError(f"{options.origin!r}: unknown options {sorted(unknown)}")
    given = {name: getattr(options, name) for name in ("side", "channels", "output", "scale_ratio")}
    said |= {name: value for name, value in given.items() if value is not None}
    profile = profile_network(
        model.layer if isinstance(model, Target) else model,
        images=options.images,
        factor=options.factor,
        shift=options.shift,
        contributions=not options.no_contributions,
        raster=not options.no_raster,
        seed=options.seed,
        **{"name": options.origin.partition(":")[2], **said},
    )
    try:  # files first: a terminal that cannot show the table must not cost it
        if options.json is not None:
            write_atomically(options.json, profile.to_json().encode())
        if options.figure is not None:
            write_atomically(options.figure, as_file(profile, options.figure.suffix))
    finally:
        print(profile)
