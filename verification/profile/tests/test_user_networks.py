"""Networks as users have them: each gives a right table or a sentence that says why not."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from verification import profile_network
from verification.profile.actions import Axis
from verification.profile.grids import grid_behind
from verification.profile.tests.test_profile import Cubed

FAST: dict[str, Any] = {"raster": False, "images": 2}


def names(profile) -> list[str]:
    return [unit.name for unit in profile.units]


class Failing(nn.Module):
    """Has children, and raises behind the first."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, x):
        self.conv(x)
        raise RuntimeError("not here")


class Catching(nn.Module):
    """Goes another way, by a module or by a function, where a child cannot."""

    def __init__(self, child: nn.Module, instead: nn.Module | None):
        super().__init__()
        self.first, self.instead, self.cube = child, instead, Cubed()

    def forward(self, x):
        try:
            x = self.first(x)
        except RuntimeError:
            x = self.instead(x) if self.instead else torch.tanh(x)
        return self.cube(x)


@pytest.mark.parametrize(
    ("child", "instead", "units"),
    [
        (Failing, True, ["0.first.conv", "0.instead"]),
        (Failing, False, ["0.first.conv", "0.tanh"]),
        (lambda: nn.Linear(99, 1), True, ["0.instead"]),
        (lambda: nn.Linear(99, 1), False, ["0.tanh"]),
    ],
)
def test_a_network_that_catches_what_its_children_raise(child, instead, units):
    torch.manual_seed(0)
    caught = Catching(child(), nn.Conv2d(1, 1, 3) if instead else None)
    model = nn.Sequential(caught, nn.Conv2d(1, 1, 1)).double()
    profile = profile_network(model, side=24, **FAST)
    assert names(profile) == ["input", *units, "0.cube", "1", "output"]
    assert abs(profile.remainder()) < 1e-6
    assert profile.units[-4].share() != 0  # of what was gone on with
    assert profile.notes == (
        "0.cube: has no forward-mode derivative; by central differences in float64",
    )
    assert not any(module._forward_hooks for module in model.modules())


@dataclass
class Output:
    logits: Tensor


class Calls(nn.Module):
    """A convolution, and what a function makes of its map."""

    def __init__(self, function, **modules: nn.Module):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.function = function
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x):
        return self.function(self, self.conv(x))


def tokens(y):
    return y.flatten(2).transpose(1, 2)


def into_new(_, y):
    new = torch.empty_like(y)
    new[:] = y
    return new.tanh()


def into_view(_, y):
    y.view(len(y), 2, 2, *y.shape[2:])[:, 0].relu_()
    return y


def in_place(_, y):
    y.tanh_()
    return y.mean((2, 3))


NETWORKS: dict[str, tuple[Callable[..., Any], dict[str, nn.Module], list[str]]] = {
    "recurrent": (
        lambda net, y: net.lstm(tokens(y))[0][:, -1], {"lstm": nn.LSTM(4, 3, batch_first=True)},
        ["flatten", "transpose", "lstm", "getitem"],
    ),
    "attention": (
        lambda net, y: net.mha(query=tokens(y), key=tokens(y), value=tokens(y), need_weights=False)[
            0
        ].mean(1),
        {"mha": nn.MultiheadAttention(4, 2, batch_first=True)},
        ["flatten", "transpose", "flatten #2", "transpose #2", "flatten #3", "transpose #3",
         "mha", "mean"],
    ),
    "detached": (
        lambda _, y: y.detach().mean((2, 3)) * y.data.amax((2, 3)), {},
        ["detach", "mean", "get", "amax", "mul"],
    ),
    "dataclass": (lambda _, y: Output(y.mean((2, 3))), {}, ["mean"]),
    "in place": (in_place, {}, ["tanh", "mean"]),
    "into a new tensor": (into_new, {}, ["tanh"]),
    "into a view": (into_view, {}, []),
    "complex": (lambda _, y: torch.fft.rfft2(y).abs().mean((2, 3)), {}, ["abs", "mean"]),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_contributions_sum_to_the_whole_whatever_the_network_does(name):
    torch.manual_seed(0)
    function, modules, units = NETWORKS[name]
    model = Calls(function, **modules).double()
    profile = profile_network(model, side=24, **FAST)
    assert names(profile)[1:-1] == ["conv", *units]
    for kind in ("lie", "translation lie"):
        assert profile.units[-1].changes[kind].error > 0
        assert abs(profile.remainder(kind)) < 1e-5


def test_in_place_is_as_by_return():
    def changes(function):
        torch.manual_seed(0)
        return profile_network(Calls(function).double(), side=24, **FAST).units[-3:]

    for written, returned in (
        (in_place, lambda _, y: torch.tanh(y).mean((2, 3))),
        (into_view, lambda _, y: torch.cat([y[:, :2].relu(), y[:, 2:]], 1)),
    ):
        found, expected = (changes(each)[-1].changes["lie"].error for each in (written, returned))
        assert found == pytest.approx(expected, rel=1e-9)
    for found, expected in zip(changes(in_place), changes(NETWORKS["in place"][0]), strict=True):
        assert found.share() == expected.share()
    assert changes(in_place)[0].share() == pytest.approx(
        changes(lambda _, y: torch.tanh(y).mean((2, 3)))[0].share()
    )


@pytest.mark.parametrize(
    "move",
    [
        lambda x: x[..., 3:-2, 1:],
        lambda x: x.flip(-1),
        lambda x: x.narrow(2, 4, 20),
        lambda x: x.chunk(2, 2)[1],
        lambda x: x.permute(0, 2, 3, 1).permute(0, 3, 1, 2) + x,
    ],
)
def test_what_only_moves_pixels_loses_nothing(move):
    """Known answers: crops, flips and changes of layout keep the frame; the control does not."""
    profile = profile_network(lambda x: move(x).neg(), side=48, channels=2, **FAST)
    end = profile.units[-1]
    for kind in ("lie", "translation lie"):
        assert end.changes[kind].error < 4 * end.changes[kind].floor
    mirrored = profile_network(lambda x: x + x.flip(-1), side=48, channels=2, **FAST)
    change = mirrored.units[-1].changes["translation lie"]
    assert change.error > 100 * change.floor


@pytest.mark.parametrize(
    "pad", [nn.ZeroPad2d((3, 1, 2, 0)), nn.ReplicationPad2d(2), lambda x: F.pad(x, (3, 1, 2, 0))]
)
def test_a_padding_before_a_convolution_keeps_the_frame(pad):
    padded = profile_network(lambda x: pad(x)[..., 5:-5, 5:-5], side=48, channels=1, **FAST)
    end = padded.units[-1].changes["lie"]
    assert end.error < 4 * end.floor


@pytest.mark.parametrize(
    ("taps", "stride", "padding", "more"), [(3, 2, 1, 1), (4, 2, 1, 0), (5, 2, 3, 0), (7, 4, 2, 3)]
)
def test_the_frame_behind_a_transposed_convolution(taps, stride, padding, more):
    """Known answer: one that interpolates linearly makes places of places."""
    up = nn.ConvTranspose2d(1, 1, taps, stride, padding, output_padding=more, bias=False).double()
    away = torch.arange(taps, dtype=torch.float64) - (taps - 1) / 2
    row = (1 - away.abs() / stride).clamp(min=0)
    up.weight.data[0, 0] = row[:, None] * row
    places = torch.arange(12.0, dtype=torch.float64).expand(1, 1, 12, 12)
    found = up(places)
    grid = grid_behind(up, (Axis(12), Axis(12)), places, found)
    assert grid is not None
    expected = grid[1].origin + grid[1].stride * torch.arange(found.shape[-1]).double()
    inner = slice(2 * stride, -3 * stride)
    torch.testing.assert_close(found[0, 0, 20, inner], expected[inner])


class Last(nn.Module):
    """Channels last: pixels are where the image's channels were."""

    def forward(self, x):
        return x.movedim(1, -1)


def test_maps_with_channels_last_are_no_images():
    layers = [nn.Conv2d(1, 24, 3, padding=1), Last(), nn.Linear(24, 24)]
    with pytest.raises(ValueError, match=r"output of shape \(24, 24, 24\).*is not known"):
        profile_network(nn.Sequential(*layers), side=24, **FAST)
    model = Calls(
        lambda net, y: net.mix(net.last(y)).mean((1, 2)), last=Last(), mix=nn.Linear(4, 3)
    )
    profile = profile_network(model.double(), side=24, **FAST)
    assert "counted with the next unit: last, mix" in profile.notes[0]
    assert abs(profile.remainder()) < 1e-9


@pytest.mark.parametrize("whole", [True, False])
def test_a_compiled_network_is_profiled_as_it_was_before(whole):
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh()).double()
    expected = profile_network(model, side=24, **FAST)
    compiled: Any = torch.compile(model if whole else model[0], backend="eager")
    network = compiled if whole else nn.Sequential(compiled, model[1])
    assert profile_network(network, side=24, name=expected.network, **FAST) == expected


def test_an_output_that_is_the_same_for_all_images_is_said_to_be():
    head = nn.Linear(4, 2)
    nn.init.zeros_(head.weight)
    model = Calls(lambda net, y: net.head(y.mean((2, 3))), head=head)
    profile = profile_network(model, side=24, **FAST)
    assert profile.notes == ("output: is the same for all images, so nothing is relative to it",)
    assert "not attributed" not in str(profile)
    steps = profile_network(lambda x: x.round().mean((2, 3)), side=24, **FAST)
    assert steps.notes == ("output: its derivative is zero, as that of steps is",)


def scripted():
    return torch.jit.trace(nn.Conv2d(1, 1, 3), torch.zeros(1, 1, 24, 24))


REFUSED = {
    "is scripted, traced or frozen": lambda: nn.Sequential(scripted()),
    "'weight': is on the device meta": lambda: nn.Conv2d(1, 1, 3, device="meta"),
    "its derivative is lost": lambda: torch.inference_mode()(Calls(lambda _, y: y)),
    "output cannot be followed back": lambda: Calls(lambda _, y: torch.from_numpy(y.numpy())),
    "differs from run to run": lambda: Calls(lambda _, y: F.dropout(y)),
    "depends on the other images of its batch: BatchNorm2d": lambda: Calls(
        lambda net, y: net.norm(y), norm=nn.BatchNorm2d(4, track_running_stats=False)
    ),
    "depends on the other images of its batch$": lambda: Calls(lambda _, y: y - y.mean(0)),
    "gives Tensor: must be a floating": lambda: Calls(lambda _, y: y.argmax(1)),
    r"output of shape \(24, 4, 24\) .* is not known": lambda: Calls(lambda _, y: y.transpose(1, 2)),
    r"output of shape \(4, 24, 24\) .* is not known": lambda: Calls(lambda _, y: y.transpose(0, 1)),
    r"output of shape \(4, 576\) .* is not known": lambda: Calls(lambda _, y: y.flatten(2)),
}


@pytest.mark.filterwarnings("ignore:.torch.jit.trace")
@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_profiled_is_refused(message):
    with pytest.raises(ValueError, match=message):
        profile_network(REFUSED[message](), side=24, channels=1, **FAST)


@pytest.mark.parametrize(
    "wrong", [{"side": 1}, {"side": 24.0}, {"side": "24"}, {"channels": 0}, {"images": 2.5}]
)
def test_numbers_that_are_none_are_named(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name}={value!r}: must be a whole number of at least"):
        profile_network(nn.Conv2d(1, 1, 1), **wrong)
