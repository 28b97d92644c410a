"""What is compared: one 2-D map per method, the same kind of quantity for all of them.

Every network is a chain conv → … → pool → norm → … . Its *response* is what reaches a pool, with
scales or columns pooled by the maximum, vectors by their length, and then rectified:

    r_f(p) = max(0, max_σ Y_f(σ, p))            [B, C, H, W]

which is what the network itself hands on, or would if it projected there. A method that is
equivariant in scale, with no end of the scale axis in reach, has r_{L_s f}(s·p) = r_f(p).

| method | promises, after its maximum over scale | and is approximate because |
|---|---|---|
| cnn | nothing | |
| sicnn | invariance, up to the step 1.49 of its 7 filter sizes | filters are resized and cropped |
| si_convnet | the same, its input resized | resizing aliases, and loses the border |
| sevf_* | invariance, up to the step 1.26 of its 8 input sizes | resizing aliases |
| dss_* | invariance under factors of 2, if subsampled | two scales, and pooling is no subsampling |
| ss_cnn | steering to sizes 5 … 13 of a 2-D filter | square crops, amplitudes not steered |
| sesn_* | invariance, up to the step of its σ grid | supports cut off, narrow filters |

All scale axes end, and none but SEVF's steps fine: between its steps a method promises nothing. How
well a method keeps its promise away from the ends, before the maximum, is measured in `steps`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from sesn_impl import create_model
from sesn_impl.baselines import VectorConv2d, VectorLiftingConv2d, VectorMaxPool2d
from sesn_impl.baselines.sevf import magnitude

Response = Callable[[Tensor], Tensor]
"""Images [B, 1, H, W] -> map [B, C, H', W'], at least 0."""

_POOLS = (nn.MaxPool2d, nn.MaxPool3d, VectorMaxPool2d)


class PooledResponse(nn.Module):
    """The layers of a network up to one of its pools, as a map: [B, 1, H, W] -> [B, C, H', W'].

    Biases are set to zero unless they are to stay: some methods start with random ones and some
    with none, and a constant added to a response makes every relative error look small.
    """

    def __init__(self, layers: nn.Sequential, biases: bool = False) -> None:
        super().__init__()
        self.layers = copy.deepcopy(layers)
        self.is_field = isinstance(layers[-1], VectorConv2d | VectorLiftingConv2d)
        if biases:
            return
        with torch.no_grad():
            for name, parameter in self.layers.named_parameters():
                if name.rpartition(".")[2] == "bias":
                    parameter.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """[B, 1, H, W] -> [B, C, H', W'], at least 0."""
        y: Tensor = self.layers(x)
        if y.ndim == 5:
            y = magnitude(y) if self.is_field else y.amax(dim=2)
        return y.relu()


def first_response(model: nn.Module) -> PooledResponse:
    """The first layer of an MNIST network, [B, 1, H, W] -> [B, C, H, W]."""
    return PooledResponse(_before_pool(model, 0))


def trunk_response(model: nn.Module) -> PooledResponse:
    """All layers before its last pool, [B, 1, H, W] -> [B, C, H/4, W/4]."""
    return PooledResponse(_before_pool(model, -1))


def block_response(model: nn.Module, block: int) -> PooledResponse:
    """All layers before its pool number `block`, from 0, with their biases."""
    return PooledResponse(_before_pool(model, block), biases=True)


def seeded_model(name: str, seed: int) -> nn.Module:
    """A network of `create_model`, initialised from a seed, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = create_model(name)
    return model.eval()


def calibrate(model: nn.Module, images: Tensor) -> None:
    """Sets the running statistics of all batch norms to those of images [B, 1, H, W].

    One pass in training mode. Untrained running statistics are 0 and 1 whatever the network is, so
    that in evaluation mode its layers would see inputs of a size that no training ever leaves them.
    """
    norms: list[Any] = [module for module in model.modules() if hasattr(module, "momentum")]
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    model.train()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        model(images)
    model.eval()
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum


def _before_pool(model: nn.Module, which: int) -> nn.Sequential:
    features = model.get_submodule("features")
    if not isinstance(features, nn.Sequential):
        raise TypeError(f"features of {type(model).__name__}: must be a Sequential")
    pools = [i for i, layer in enumerate(features) if isinstance(layer, _POOLS)]
    return features[: pools[which]]
