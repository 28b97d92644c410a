"""Wheels of pure-Python distributions, made of what is installed here: no index is asked."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOTS = ("filelock", "hypothesis", "pytest", "tqdm")
"""What trainings and tests import besides torch, NumPy and the compiled libraries of the data."""

_NOT_CARRIED = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


def pure_distributions(python: str) -> list[Distribution]:
    """Return ROOTS and all they need under that Python, as far as it is pure Python.

    Raises ValueError where one of ROOTS is not installed here, or not made for that Python.
    """
    found: dict[str, Distribution] = {}
    wanted = list(ROOTS)
    while wanted:
        name = canonicalize_name(wanted.pop())
        if name in found:
            continue
        try:
            one = distribution(name)
        except PackageNotFoundError:
            if name in ROOTS:
                raise ValueError(f"{name}: not installed here, so no wheel of it") from None
            continue  # needed under another Python than this one alone
        found[name] = one
        wanted += [r.name for r in map(Requirement, one.requires or []) if _applies(r, python)]
    return [one for _, one in sorted(found.items()) if _is_pure(one)]


def write_wheel(one: Distribution, folder: Path) -> Path:
    """Write an installed distribution as a wheel and return its path."""
    name = canonicalize_name(one.metadata["Name"]).replace("-", "_")
    path = folder / f"{name}-{one.version}-py3-none-any.whl"
    lines = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for file in one.files or []:
            if ".." in file.parts or file.suffix == ".pyc" or file.name in _NOT_CARRIED:
                continue
            content = Path(str(file.locate())).read_bytes()
            wheel.writestr(file.as_posix(), content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            lines.append(f"{file.as_posix()},sha256={digest.decode()},{len(content)}\n")
        record = next(file for file in one.files or [] if file.name == "RECORD").as_posix()
        wheel.writestr(record, "".join([*lines, f"{record},,\n"]))
    return path


def _applies(requirement: Requirement, python: str) -> bool:
    environment = {"python_version": python, "python_full_version": f"{python}.0", "extra": ""}
    return requirement.marker is None or requirement.marker.evaluate(environment)


def _is_pure(one: Distribution) -> bool:
    wheel = one.read_text("WHEEL") or ""
    return "Root-Is-Purelib: true" in wheel and "py3-none-any" in wheel
