"""The paper's networks by name: `create_model("sesn_scalar_28")`, `list_models()`."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import partial

from torch import nn

from sesn_impl.basis import SteerableBasis
from sesn_impl.networks import mnist, mnist_baselines, stl10
from sesn_impl.networks.released import load_released

__all__ = ["create_model", "leaf_modules", "list_models", "load_released"]

_BUILDERS: dict[str, Callable[..., nn.Module]] = {
    **{f"cnn_{size}": partial(mnist.MnistNet, partial(mnist.cnn, size)) for size in (28, 56)},
    **{
        name: partial(mnist.MnistNet, partial(mnist.sesn, name))
        for name in mnist.SESN_CONFIGURATIONS
    },
    **{
        f"{name}_{size}": partial(mnist.MnistNet, partial(features, size), channels, head_bias)
        for name, (features, channels, head_bias) in mnist_baselines.FEATURES.items()
        for size in (28, 56)
    },
    **{name: partial(stl10.wide_resnet, name) for name in stl10.METHODS},
}


def list_models(pattern: str = "*") -> list[str]:
    """Names that `create_model` knows, sorted; `pattern` filters them as a shell would."""
    return sorted(name for name in _BUILDERS if fnmatchcase(name, pattern))


def create_model(
    name: str, *, num_classes: int | None = None, in_channels: int | None = None,
    dropout: float | None = None, basis: SteerableBasis | None = None,
) -> nn.Module:  # fmt: skip
    """A freshly initialised network, images [B, C_in, H, W] -> logits [B, num_classes].

    name: one of `list_models()`.
    num_classes, in_channels: in place of the published 10, and 1 (MNIST-scale) or 3 (STL-10).
    dropout: probability in [0, 1) in place of the published one.
    basis: of the SESN networks for MNIST-scale, in place of the published one; a network has as
    many coefficients as its basis has functions.

    Initialisation draws from torch's global generator: seed it with `torch.manual_seed`.
    Raises ValueError for an unknown name or an option out of range.
    """
    if name not in _BUILDERS:
        raise ValueError(f"name={name!r}: unknown model; known are {', '.join(list_models())}")
    if dropout is not None and not 0 <= dropout < 1:
        raise ValueError(f"dropout={dropout!r}: must be at least 0 and below 1")
    for option, number in (("num_classes", num_classes), ("in_channels", in_channels)):
        if number is not None and number < 1:
            raise ValueError(f"{option}={number!r}: must be at least 1")
    if basis is not None and name not in mnist.SESN_CONFIGURATIONS:
        known = ", ".join(mnist.SESN_CONFIGURATIONS)
        raise ValueError(f"basis={basis!r} for name={name!r}: only these take one: {known}")
    options = {
        "num_classes": num_classes, "in_channels": in_channels, "dropout": dropout, "basis": basis,
    }  # fmt: skip
    return _BUILDERS[name](**{k: value for k, value in options.items() if value is not None})


def leaf_modules(model: nn.Module) -> list[type[nn.Module]]:
    """Kinds of layers in a model that torch.fx cannot look into, for it to call as they are.

    `create_feature_extractor(model, nodes, tracer_kwargs={"leaf_modules": leaf_modules(model)})`
    """
    networks = ("sesn_impl.networks.plain", "sesn_impl.networks.mnist_baselines")
    rooms = ("sesn_impl.layers", "sesn_impl.baselines.", *networks)
    return list({type(m): None for m in model.modules() if type(m).__module__.startswith(rooms)})
