"""Layers by name: "package.module:factory", as the shell and the pytest plugin take them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from verification.layer.options import Options
from verification.layer.targets import Target

Made = tuple[Callable[..., object] | Target, dict[str, Any]]


def load(origin: str, seed: int = 0) -> Made:
    """Calls the factory: a layer or a `Target`, and what else it says of the layer.

    Torch is seeded first, so that a layer of random weights is the same one when it is replayed.

    A factory takes nothing and returns a layer, a `Target`, or (layer, options) with options as of
    `verification.check_scale_equivariance`. Modules are found from the current folder as well.

    Raises ValueError, naming what is wrong with the name, the import or what was returned.
    """
    module_name, colon, factory_name = origin.partition(":")
    if not (module_name and colon and factory_name):
        raise ValueError(f"{origin!r}: must be package.module:factory")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever a foreign module does when it is imported
        told = f"{type(error).__name__}: {error}"
        raise ValueError(f"{origin!r}: {module_name} cannot be imported: {told}") from error
    factory = getattr(module, factory_name, None)
    if not callable(factory):
        raise ValueError(f"{origin!r}: {module_name} has no callable {factory_name}")
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            made = factory()
    except Exception as error:
        raise ValueError(f"{origin!r}: raised {type(error).__name__}: {error}") from error
    layer, options = made if isinstance(made, tuple) and len(made) == 2 else (made, {})
    if not (callable(layer) or isinstance(layer, Target)) or not isinstance(options, Mapping):
        raise ValueError(f"{origin!r}: must return a layer, a Target, or (layer, options)")
    return layer, dict(options)


def declared(options: dict[str, Any]) -> tuple[Options, dict[str, str]]:
    """What a factory says of its layer, and its expected failures: reasons by check.

    Raises ValueError for an option that does not exist, or a value that is not allowed.
    """
    expected = options.get("expected_failures", {})
    if not isinstance(expected, Mapping) or not all(
        isinstance(word, str) for pair in expected.items() for word in pair
    ):
        raise ValueError(f"expected_failures={expected!r}: must be a reason for each check")
    rest = {name: value for name, value in options.items() if name != "expected_failures"}
    return Options.of(rest), dict(expected)


def expectations(pairs: list[str]) -> dict[str, str]:
    """CHECK=REASON pairs as a mapping. Raises ValueError for one without a reason."""
    found = {}
    for pair in pairs:
        check, sign, reason = pair.partition("=")
        if not (check and sign and reason.strip()):
            raise ValueError(f"expected failure {pair!r}: must be CHECK=REASON")
        found[check] = reason.strip()
    return found
