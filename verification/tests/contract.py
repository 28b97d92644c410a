"""What the tests of the layers' contract share: layers, images and the documented answers."""

import re

import pytest
import torch
import torch.nn.functional as F

from sesn_impl import LiftingConv2d, ScaleConv2d, hermite_basis_b
from verification.checks.diagnosis import documented_filters
from verification.layer.targets import describe
from verification.reference.errors import equivariance_error
from verification.tolerances import rounding_error

SCALES = (1.0, 1.5, 2.3)
BASIS = hermite_basis_b(9, SCALES, 3, max_order=2, mult=1.3)
TWO = hermite_basis_b(7, SCALES[:2], 3, max_order=2, mult=1.3)
BUILDS = {
    "lifting": lambda **options: LiftingConv2d(2, 3, BASIS, **options),
    "scale_1": lambda **options: ScaleConv2d(2, 3, BASIS, **options),
    "scale_2": lambda **options: ScaleConv2d(2, 3, BASIS, 2, **options),
    "scale_3": lambda **options: ScaleConv2d(2, 3, BASIS, 3, **options),
    "scale_1 of two": lambda **options: ScaleConv2d(2, 3, TWO, **options),
    "scale_2 of two": lambda **options: ScaleConv2d(2, 3, TWO, 2, **options),
}


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def randomised(layer):
    """In float64, with every parameter random."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in layer.double().parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return layer


def expected(layer, x: torch.Tensor) -> torch.Tensor:
    """The documented answer: padded filters, one plain convolution for each scale."""
    target = describe(layer)
    documented = documented_filters(target)
    middle, radius = target.window // 2, layer.basis.kernel_size // 2
    inside = slice(middle - radius, middle + radius + 1)
    kernels = torch.from_numpy(documented.kernels[..., inside, inside].copy())
    x = x.unsqueeze(2) if target.lifts else x
    answers = []
    for scale in range(len(target.scales)):
        seen = [
            F.conv2d(x[:, :, i], kernels[:, :, i, scale], None, layer.stride, layer.padding)
            for i in range(x.shape[2])
        ]
        answers.append(torch.stack(seen).sum(0))
    return torch.stack(answers, 2) + torch.from_numpy(documented.bias)[..., None, None]


def agree(a: torch.Tensor, b: torch.Tensor) -> bool:
    return equivariance_error(a.detach(), b.detach()) <= rounding_error(a.dtype)


def image_for(name: str, side: int = 13, batch: int = 2) -> torch.Tensor:
    if name == "lifting":
        return noise(batch, 2, side, side - 1)
    return noise(batch, 2, 2 if name.endswith("two") else 3, side, side - 1)


def refused(make, message: str, *arguments, **options) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make(*arguments, **options)
