"""Unpacks a bundle into a scratch folder and starts it there; this file travels in the bundle.

Needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tarfile
import tempfile
import time
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PARTS = ("tests", "timings", "campaign")


def main() -> None:
    """Checks the bundle, unpacks it unless that was done before, and becomes its `node`."""
    begin = time.time()
    parser = argparse.ArgumentParser(prog="run.sh", description="Run what the bundle holds.")
    parser.add_argument("budget", type=float, metavar="BUDGET_SECONDS")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: cuda if it is there")
    parser.add_argument("--scratch", type=Path, help="default: a folder for temporary files")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    parser.add_argument("--per-gpu", default="auto", help="processes on each GPU (auto)")
    parser.add_argument(
        "--campaign", default="", metavar="'OPTIONS'",
        help="what to train, in place of what the bundle was made for: options of `campaign run`",
    )  # fmt: skip
    options = parser.parse_args()
    bundle = Path(__file__).resolve().parent
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    check(bundle, manifest)
    commit = manifest["commit"]
    scratch = options.scratch or Path(tempfile.gettempdir()) / f"sesn-{commit[:12]}"
    scratch = scratch.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    prepare(bundle, manifest, scratch)
    search = [scratch / "source", scratch / "wheels"]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, [*search, *_given("PYTHONPATH")])),
        "SESN_DATA_DIR": str(scratch / "data"),
        "SESN_CACHE_DIR": str(scratch / "cache"),
    }
    options.scratch, options.out, options.end = (
        scratch,
        options.out.resolve(),
        begin + options.budget,
    )
    os.chdir(scratch / "source")
    given = json.dumps(vars(options), default=str)
    command = [sys.executable, "-u", "-m", "benchmarks.bundle.node", given]
    os.execve(sys.executable, command, environment)


def check(bundle: Path, manifest: dict[str, Any]) -> None:
    """End with a sentence for a bundle that is damaged or for another Python."""
    here = "{}.{}".format(*sys.version_info[:2])
    if here != manifest["python"]:
        sys.exit(
            f"error: this bundle is for Python {manifest['python']}, {sys.executable} is {here}: "
            "name another one by PYTHON=…, or make the bundle with --python " + here
        )
    for name, expected in manifest["files"].items():
        try:
            found = hashlib.sha256((bundle / name).read_bytes()).hexdigest()
        except OSError as error:
            sys.exit(f"error: the bundle is not complete: {error}")
        if found != expected:
            sys.exit(f"error: the bundle is damaged: {bundle / name} has another hash")


def prepare(bundle: Path, manifest: dict[str, Any], scratch: Path) -> None:
    """Unpack sources, data and missing wheels; what an earlier call has unpacked stays as it is."""
    done = scratch / "unpacked"
    if done.is_file() and done.read_text() == json.dumps(manifest, sort_keys=True):
        return
    for archive, folder in (("source.tar.gz", "source"), ("data.tar", "data")):
        with tarfile.open(bundle / archive) as tar:
            tar.extractall(scratch / folder, filter="data")
    (scratch / "wheels").mkdir(parents=True, exist_ok=True)
    for wheel in sorted((bundle / "wheels").glob("*.whl")):
        name = wheel.name.partition("-")[0]
        try:
            version(name)
        except PackageNotFoundError:
            print(f"{name}: not installed here, taken from the bundle")
            with zipfile.ZipFile(wheel) as packed:
                packed.extractall(scratch / "wheels")
    with tarfile.open(bundle / "state.tar.gz") as tar:
        tar.extractall(scratch / "state", filter="data")
    done.write_text(json.dumps(manifest, sort_keys=True))


def _given(name: str) -> list[str]:
    return [os.environ[name]] if os.environ.get(name) else []


if __name__ == "__main__":
    main()
