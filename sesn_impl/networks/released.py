"""Checkpoints of the authors' released code, read into the networks of this package.

Coefficients keep their order, so they load unchanged. What differs: names; a buffer `basis` in each
convolution, which is compared and dropped; 1×1 weights with two axes of length 1 more. The `_56`
networks are wrapped in an up-sampling, which puts `1.` before each name.
Source: the authors' released code, `models/mnist_ses.py` and `models/stl_ses.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sesn_impl.basis import SteerableBasis
from sesn_impl.layers import LiftingConv2d, ScaleConv1x1
from sesn_impl.networks.mnist import MnistNet
from sesn_impl.networks.wrn import WideResNet

_SCALAR, _VECTOR = (0, 4, 5, 9, 10, 14), (0, 3, 4, 7, 8, 12)
"""Places of the three convolutions and batch norms in the released `main`."""

_WIDE = (
    (r"entry", r"conv1"),
    (r"exit\.1\.0", r"bn1"),
    (r"classifier", r"fc"),
    (r"(.*)\.activation\.0", r"\1.bn1"),
    (r"(.*)\.residual\.0(\.1)?", r"\1.conv1\2"),
    (r"(.*)\.residual\.1", r"\1.bn2"),
    (r"(.*)\.residual\.4", r"\1.conv2"),
    (r"(.*)\.shortcut", r"\1.convShortcut"),
)
"""Modules of `WideResNet` and what the release calls them, inside the blocks and outside."""


def load_released(model: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Loads a state dict of the authors' code into a network of `create_model("sesn_…")`.

    model: an SESN for MNIST-scale or STL-10, of the same configuration; changed in place.
    state_dict: what `torch.load` gives of a released network; a prefix `module.` is dropped.

    Raises TypeError for another network, ValueError that names each tensor that is missing, not
    used, of another shape or (a `basis`) of another configuration; the model is then unchanged.
    """
    modules = _released_modules(model)
    given = {name.removeprefix("module."): tensor for name, tensor in state_dict.items()}
    loaded, faults = {}, []
    for name, own in model.state_dict().items():
        module, _, leaf = name.rpartition(".")
        if leaf == "_extra_state":
            continue
        released = f"{modules[module]}.{leaf}"
        tensor = given.pop(released, None)
        if tensor is None:
            faults.append(f"{released} is missing")
            continue
        if isinstance(model.get_submodule(module), ScaleConv1x1) and tensor.shape[2:] == (1, 1):
            tensor = tensor.flatten(1)
        if tensor.shape != own.shape:
            shapes = f"{tuple(tensor.shape)}, must be {tuple(own.shape)}"
            faults.append(f"{released} is of shape {shapes}")
        loaded[name] = tensor
    for module, released in modules.items():
        basis = given.pop(f"{released}.basis", None)
        own_basis = getattr(model.get_submodule(module), "basis", None)
        if basis is not None and not (own_basis and _is_sampled(basis, own_basis)):
            faults.append(f"{released}.basis is of other scales, supports or functions")
    faults += [f"{name} has no place" for name in given]
    if faults:
        raise ValueError(f"state_dict does not fit: {'; '.join(faults)}")
    model.load_state_dict(loaded)


def _released_modules(model: nn.Module) -> dict[str, str]:
    """Names of all modules that have a state, and what the release calls them."""
    names = [name for name, module in model.named_modules() if list(module.parameters(False))]
    lifts = sum(isinstance(m, LiftingConv2d) for m in model.modules())
    if isinstance(model, MnistNet) and lifts:
        enlarges = any(isinstance(m, nn.Upsample) for m in model.modules())
        places = [f"main.{i}" for i in (_SCALAR if lifts == 3 else _VECTOR)]
        places += [f"linear.{i}" for i in (0, 1, 4)]
        prefix = "1." if enlarges else ""
        return {name: prefix + place for name, place in zip(names, places, strict=True)}
    if isinstance(model, WideResNet) and lifts:
        return {name: _in_wide(name) for name in names}
    raise TypeError(f"model of type {type(model).__name__}: must be a SESN that create_model makes")


def _in_wide(name: str) -> str:
    for ours, theirs in _WIDE:
        name = re.sub(f"^{ours}$", theirs, name)
    block = re.match(r"blocks\.(\d+)\.", name)
    if block is None:
        return name
    group, place = divmod(int(block[1]), 2)
    return f"block{group + 1}.layer.{place}.{name[block.end() :]}"


def _is_sampled(released: Tensor, basis: SteerableBasis) -> bool:
    """Whether a released basis is the one that a layer has, up to its float32."""
    functions = basis.functions
    released = released.detach().to(functions)
    return released.shape == functions.shape and torch.allclose(released, functions, 0, 1e-5)
