"""Against what others measure in networks, derived anew from their definitions.

"The Lie derivative for measuring learned equivariance" (Gruver et al., 2023): a layer m has the
derivative d/dt T₋ₜ[m(Tₜ x)] at t = 0, with the translation T by linear interpolation between
pixels, and contributes what the layers behind it make of that. The derivative of linear
interpolation differs from left to right; the mean of both is taken.

The normalised variance of the package tmeasures ("Measuring (in)variances in convolutional
networks", Quiroga et al., 2019): for each unit the standard deviation over transformations,
averaged over images, relative to that over images, averaged over transformations.
"""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.func import jvp

from verification import profile_network
from verification.profile.actions import Action
from verification.profile.images import Pair, analytic_images, analytic_pair, stacked
from verification.profile.result import Profile

SIDE = 48


def slope(y: Tensor) -> Tensor:
    """d/dt of y translated by t pixels along the diagonal; zero of what has no place to go."""
    if y.ndim == 2 or y.shape[-1] == 1:
        return torch.zeros_like(y)
    rows, columns = torch.gradient(y, dim=(-2, -1))  # central, and one-sided at the ends
    return -(rows + columns) * math.sqrt(0.5)


def pushed_on(f: nn.Module, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    found = jvp(f, (x,), (v,))
    return found[0], found[1]


def derivatives(layers: nn.Sequential, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Of the whole network, and what each layer contributes to it: [C] and a list of [C]."""
    pushed = []
    start = x
    for i, layer in enumerate(layers):
        end, flow = pushed_on(layer, x, slope(x))
        if i + 1 < len(layers):
            own = flow - slope(end)
            pushed.append(pushed_on(layers[i + 1 :], end, own)[1][0])
        else:
            pushed.append((flow - slope(end))[0])
        x = end
    return pushed_on(layers, start, slope(start))[1][0], pushed


def of_a_profile(layers: nn.Sequential) -> tuple[Profile, Tensor]:
    """The profile of two smooth images, and the images."""
    profile = profile_network(layers, side=SIDE, channels=1, raster=False, images=2, seed=1)
    return profile, stacked(analytic_images(SIDE, 1, 2, 1), SIDE)


def network(stride: int = 1, padding: int = 1) -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=padding), nn.Tanh(),
        nn.Conv2d(4, 6, 3, stride=stride, padding=padding), nn.Tanh(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5),
    ).double().requires_grad_(False)  # fmt: skip


def shares(layers: nn.Sequential, images: Tensor) -> tuple[float, list[float]]:
    """Mean square of the whole derivative, and each layer's share of it."""
    found = [derivatives(layers, image[None]) for image in images]
    size = sum(float(whole @ whole) for whole, _ in found)
    parts = [
        sum(float(pushed[i] @ whole) for whole, pushed in found) / size for i in range(len(layers))
    ]
    return size / len(found), parts


def test_the_definition_sums_to_the_whole():
    """The chain rule: what its layers contribute is the derivative of the network."""
    layers = network()
    _, images = of_a_profile(layers)
    whole, pushed = derivatives(layers, images[:1])
    torch.testing.assert_close(torch.stack(pushed).sum(0), whole, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("stride", "padding"), [(1, 1), (1, 0), (2, 1)])
def test_the_derivative_of_the_network_agrees(stride, padding):
    layers = network(stride, padding)
    profile, images = of_a_profile(layers)
    size, _ = shares(layers, images)
    assert profile.units[-1].changes["translation lie"].error == pytest.approx(size, rel=0.05)


def test_what_layers_contribute_agrees_where_pixels_are_fine_and_nothing_is_padded():
    layers = network(padding=0)
    profile, images = of_a_profile(layers)
    found = {unit.name: unit.share("translation lie") for unit in profile.units}
    for i, share in enumerate(shares(layers, images)[1]):
        assert found[str(i)] == pytest.approx(share, abs=0.05)


def test_behind_a_stride_linear_interpolation_gives_another_layer_the_loss():
    """The wholes agree, and what a strided layer adds to them differs even in sign.

    Between coarse pixels lines are a bad derivative: what they err by is counted with the strided
    layer when the map is moved back, and with the next one, of opposite sign, when it is moved.
    """
    layers = network(stride=2)
    profile, images = of_a_profile(layers)
    found = {unit.name: unit.share("translation lie") for unit in profile.units}
    by_lines = shares(layers, images)[1][2]
    assert by_lines < -0.2
    assert found["2"] > 0.2


def normalised_variance(before: Tensor, after: Tensor) -> float:
    """Of outputs [N, units] to images and to what one transformation makes of them."""
    answers = torch.stack([before, after])
    return float(answers.std(0).mean() / answers.std(1).mean())


def pair_of(key: str, count: int) -> Pair:
    images = analytic_images(SIDE, 1, count, 1)
    if key == "translation":
        return analytic_pair(images, SIDE, Action("translation", SIDE), 0.5)
    return analytic_pair(images, SIDE, Action("rescaling", SIDE), math.log(1.25))


@pytest.mark.parametrize("key", ["analytic", "translation"])
def test_changes_of_invariant_outputs_are_a_normalised_variance(key):
    """Both are changes over what unrelated images differ by, one of sizes and one of squares.

    The mean size of normally distributed changes is √(2/π) = 0.80 of their root mean square, and
    less where a few images have the largest; and they average what unrelated images differ by over
    both, which rescaling makes more unlike. So many images are needed.
    """
    layers = network(padding=0)
    profile = profile_network(
        layers, side=SIDE, channels=1, raster=False, images=16, seed=1, contributions=False
    )
    pair = pair_of(key, 16)
    theirs = normalised_variance(layers(pair.images), layers(pair.acted))
    ours = math.sqrt(profile.units[-1].changes[key].relative)
    assert 0.5 < theirs / ours < 0.85


def test_a_map_moved_back_by_bilinear_interpolation_has_the_loss_of_interpolation():
    """There maps are transformed back by `grid_sample`: an identity is not equivariant then."""
    pair = pair_of("translation", 2)
    step = 2 * 0.5 * math.sqrt(0.5) / SIDE  # half a pixel along the diagonal, of a frame of 2
    back = torch.tensor([[1, 0, step], [0, 1, step]], dtype=torch.float64).expand(2, 2, 3)
    grid = nn.functional.affine_grid(back, [2, 1, SIDE, SIDE], align_corners=False)
    moved = nn.functional.grid_sample(pair.acted, grid, padding_mode="border", align_corners=False)
    theirs = normalised_variance(pair.images.flatten(1), moved.flatten(1))
    identity = nn.Conv2d(1, 1, 1, bias=False).double()
    nn.init.ones_(identity.weight)
    profile = profile_network(
        identity, side=SIDE, channels=1, raster=False, images=2, seed=1, contributions=False
    )
    assert theirs > 30 * math.sqrt(profile.units[1].changes["translation"].relative)
