"""The training step of any network: without its data, and on a device that is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import unset_fake_temporarily

from benchmarks.data import Normalisation
from benchmarks.data.augmentation import Augmentation
from benchmarks.training.draws import DrawnDropout, take_over_dropout
from benchmarks.training.step import Step
from sesn_impl import create_model

IMAGES, BATCH, ROWS = 6, 4, 3


def sizes_of(name: str) -> tuple[int, int]:
    """Channels and side of images that a network takes: STL-10's own are 96 pixels wide."""
    return (3, 32) if name.startswith("wrn_") else (1, 28)


def prepared(name: str) -> nn.Module:
    """A network whose dropout is drawn elsewhere."""
    channels, side = sizes_of(name)
    model = create_model(name)
    take_over_dropout(model, torch.zeros(1, channels, side, side))
    return model


def step_of(name: str, model: nn.Module, device: torch.device) -> Step:
    """The step of a prepared network, with every augmentation there is for its images.

    Its optimiser is not the recipe's, whose kernel on CUDA asks for a driver.
    """
    channels, side = sizes_of(name)
    normalisation = Normalisation((0.5,) * channels, (0.2,) * channels)
    images = torch.zeros(IMAGES, channels, side, side, dtype=torch.uint8, device=device)
    step = Step(
        model,
        torch.optim.SGD(model.parameters(), 0.1, foreach=False),
        images,
        torch.arange(IMAGES, device=device),
        augmentation=Augmentation(True, channels == 3, normalisation.mean),
        normalisation=normalisation,
        dropouts=[m for m in model.modules() if isinstance(m, DrawnDropout)],
        batch=BATCH,
        rows=ROWS,
    )
    step.drawn.fill_(1)
    return step


def make_fake(model: nn.Module, device: torch.device) -> None:
    """Put fake parameters and buffers in the place of a model's own, inside a FakeTensorMode."""

    def fake(values: Tensor) -> Tensor:
        return torch.empty(values.shape, dtype=values.dtype, device=device)

    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            setattr(module, name, nn.Parameter(fake(parameter)))
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, fake(buffer))


def shapes_alone(plan: Callable[..., tuple[Tensor, ...]]) -> Callable[..., tuple[Tensor, ...]]:
    """For a function of `sesn_impl.fast.constants`: its shapes, inside a FakeTensorMode.

    Its own computation on the CPU may depend on values.
    """

    def call(like: Tensor, *sizes: object) -> tuple[Tensor, ...]:
        with unset_fake_temporarily():
            made = plan(torch.empty(0, dtype=like.dtype), *sizes)
        return tuple(torch.empty(m.shape, dtype=m.dtype, device=like.device) for m in made)

    return call


def backward_without_streams(loss: Tensor) -> None:
    """`torch.autograd.backward`, whose own engine asks a CUDA device for streams, fake or not.

    Calls each node of the graph once all gradients of its outputs are there.
    """
    nodes, todo = dict[Any, int](), [loss.grad_fn]
    while todo:  # count the uses of each node
        for following, _ in todo.pop().next_functions:  # type: ignore[union-attr]
            if following is not None:
                if following not in nodes:
                    todo.append(following)
                nodes[following] = nodes.get(following, 0) + 1
    arrived: dict[Any, dict[int, Tensor]] = {loss.grad_fn: {0: torch.ones_like(loss)}}
    ready: list[Any] = [loss.grad_fn]
    while ready:
        node = ready.pop()
        got = arrived.pop(node, {})
        if hasattr(node, "variable"):
            node.variable.grad = got[0]
            assert got[0].device == node.variable.device
            continue
        inputs = [got.get(i) for i in range(len(node._input_metadata))]
        results = node.apply(*inputs) if hasattr(node, "apply") else node(*inputs)
        results = results if isinstance(results, tuple) else (results,)
        # A function written in Python also answers, by None, for what follows its tensors.
        count = len(node.next_functions)
        assert all(rest is None for rest in results[count:])
        for result, (following, slot) in zip(results[:count], node.next_functions, strict=True):
            if following is None:
                continue
            if result is not None:
                gradient = result.sum_to_size(following._input_metadata[slot].shape)
                of_one = arrived.setdefault(following, {})
                of_one[slot] = of_one[slot] + gradient if slot in of_one else gradient
            nodes[following] -= 1
            if not nodes[following]:
                ready.append(following)
