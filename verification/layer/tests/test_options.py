"""What may be said of a layer, in Python, on the shell, by a factory; and what is said wrongly."""

import argparse
import shlex
import sys
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import pytest_sesn
import verification.__main__
from sesn_impl import hermite_basis_a
from verification import check_scale_equivariance, parametrize_with_checks
from verification.broken_layers import BROKEN_LAYERS
from verification.layer.adapters import Adapted
from verification.layer.loading import declared
from verification.layer.options import Options, add_arguments, as_arguments, read_arguments
from verification.layer.targets import OptionError
from verification.runner.engine import UnmatchedExpectationWarning
from verification.runner.layer_verdict import Status
from verification.tests.layers import Wrapped, build_lifting, build_scale_conv

SCALES = (1.0, 1.5, 2.25)
BASIS = hermite_basis_a(11, SCALES, 3)


EVERY: dict[str, Any] = {
    "scales": (1.0, 1.5), "layout": "B(CS)HW", "select": "maps", "in_channels": 2, "lifts": False,
    "takes_scale": False, "scale_extent": 2, "ends": "replicate", "stride": 2, "window": 9,
    "fixed_size": 9, "dtype": torch.bfloat16, "device": "cpu", "output": "map", "tolerance": 0.125,
    "name": "my layer",
}  # fmt: skip


def parsed(line):
    parser = argparse.ArgumentParser()
    add_arguments(parser.add_argument_group("layer"))
    return read_arguments(vars(parser.parse_args(shlex.split(line))))


def test_python_shell_and_pytest_offer_the_same_options():
    names = [each.name for each in fields(Options)]
    assert list(EVERY) == names
    assert parsed(as_arguments(EVERY)) == EVERY == vars(Options.of(EVERY))
    assert parsed("--ratio 1.5 --lifts --adapter list") == {
        "scales": 1.5, "layout": "list", "lifts": True,
    }  # fmt: skip
    assert set(pytest_sesn.OPTIONS) == {*names, "ratio"}
    words = {name: str(value) for name, value in EVERY.items()}
    words |= {"scales": "1, 1.5", "lifts": "no", "takes_scale": "no"}
    assert read_arguments(words) == EVERY


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"lifts": "perhaps"}, "lifts='perhaps': cannot be read: 'perhaps': must be yes or no"),
        ({"window": "wide"}, "window='wide': cannot be read"),
        ({"scales": "1 2", "ratio": "2"}, "--ratio 2: must not be given with --scales"),
    ],
)
def test_words_that_cannot_be_read_are_named(words, message):
    with pytest.raises(OptionError, match=message):
        read_arguments(words)


MISTAKES = [
    ({"layout": "HWC"}, "layout='HWC': must be a permutation"),
    ({"ends": "mirror"}, "ends='mirror': must be one of zero, wrap, drop, replicate"),
    ({"output": "image"}, "output='image': must be one of scales, map, classes"),
    ({"window": 0}, "window=0: must be a whole number of at least 1"),
    ({"in_channels": 1.5}, "in_channels=1.5: must be a whole number"),
    ({"fixed_size": 0}, "fixed_size=0: must be a whole number of at least 1"),
    ({"fixed_size": 32, "window": 33}, "window=33: must be fixed_size=32, or not given"),
    ({"lifts": "yes"}, "lifts='yes': must be True or False"),
    ({"takes_scale": True, "scales": 1.5}, "takes_scale=True: scales must be given"),
    ({"takes_scale": True, "lifts": False}, "takes_scale=True: the layer must lift images"),
    ({"tolerance": 0.0}, "tolerance=0.0: must be positive"),
    ({"layout": "BCSHWX"}, "layout='BCSHWX': must be a permutation of BCSHW, of BCSL"),
    ({"layout": "BCHW->BCSL"}, "layout='BCHW->BCSL': must be a permutation"),
    ({"layout": "(CH)BSW"}, "must be a permutation"),
    ({"stride": -1}, "stride=-1: must be a whole number"),
    ({"scale_extent": 0}, "scale_extent=0: must be a whole number"),
    ({"scales": 0.5}, "scales=0.5: a ratio of neighbours must be above 1"),
    ({"scales": (2.0, 1.0)}, r"scales=\(2.0, 1.0\): must be positive and grow"),
    ({"scales": ()}, r"scales=\(\): must be positive and grow"),
    ({"scales": (1.0, "2")}, r"scales=\(1.0, '2'\): must be positive and grow"),
    ({"scales": (1.0, float("nan"))}, r"scales=\(1.0, nan\): must be positive and grow"),
    ({"dtype": torch.int64}, "dtype=torch.int64: must be a floating torch.dtype"),
    ({"dtype": "float32"}, "dtype='float32': must be a floating torch.dtype"),
    ({"device": "gpu"}, "device='gpu': must be one that torch has here: cpu"),
    ({"device": "cuda:99"}, "device='cuda:99': must be one that torch has here: cpu"),
    ({"layuot": "BCSHW"}, "option 'layuot': must be one of scales, layout"),
]


@pytest.mark.parametrize(
    "scales", [[1, 2, 3], np.array([1, 2, 3]), torch.tensor([1.0, 2.0, 3.0]), range(1, 4)]
)
def test_scales_may_come_in_any_sequence(scales):
    assert Options(scales=scales).scales == (1.0, 2.0, 3.0)


@pytest.mark.parametrize(("said", "message"), MISTAKES)
def test_a_wrong_option_is_named_with_its_value_and_what_is_allowed(said, message):
    layer = build_lifting(BASIS, 0)
    with pytest.raises(ValueError, match=message):
        check_scale_equivariance(layer, **{"scales": SCALES, **said})
    with pytest.raises(ValueError, match=message):
        parametrize_with_checks([layer], **{"scales": SCALES, **said})
    with pytest.raises(ValueError, match=message):
        declared(said)


def test_what_only_shows_with_the_layer_is_named_too():
    layer = build_lifting(BASIS, 0).forward
    with pytest.raises(ValueError, match=r"layout='B.CS.HW': scales must be given"):
        check_scale_equivariance(layer, layout="B(CS)HW")
    with pytest.raises(ValueError, match="scale_extent=4: must be from 1 to 3 scales"):
        check_scale_equivariance(layer, SCALES, scale_extent=4, dtype=torch.float64)
    with pytest.raises(ValueError, match="tolerance=-1: must be positive"):
        check_scale_equivariance(layer, SCALES, tolerance=-1, dtype=torch.float64)
    with pytest.warns(UnmatchedExpectationWarning, match="no check is called 'boarder'; known are"):
        parametrize_with_checks([layer], SCALES, expected_failures={"boarder": "by design"})


# --- Options that the layer has to fit ------------------------------------------------------------


def wrapping() -> nn.Module:
    """Above its largest scale come the smallest."""
    (mutant,) = (m for m in BROKEN_LAYERS if m.name == "padded_by_wrap_around")
    return mutant.make(build_scale_conv(BASIS, 0, 2, padding=2))


def test_ends_that_wrap_around_are_no_mistake_where_they_are_declared():
    options: dict[str, Any] = {"scale_extent": 2, "lifts": False, "in_channels": 2}
    only = ["output", "integer_translation", "scaled_copies", "scale_equivariance", "scale_ratio"]
    verdict = check_scale_equivariance(wrapping(), SCALES, ends="wrap", checks=only, **options)
    verdict.require()
    assert all(outcome.status is Status.PASSED for outcome in verdict)
    reversed_scales = Wrapped(wrapping(), lambda layer, x: layer(x.flip(2)).flip(2))
    verdict = check_scale_equivariance(reversed_scales, SCALES, ends="wrap", checks=only, **options)
    assert verdict.of("scaled_copies").status is Status.FAILED
    # Dropped ends would leave fewer scales than there are.
    verdict = check_scale_equivariance(wrapping(), SCALES, ends="drop", checks=only, **options)
    assert verdict.of("output").status is Status.FAILED


def test_a_layer_on_the_cpu_may_say_so():
    only = ["output", "scale_equivariance", "scaled_copies"]
    layer = build_lifting(BASIS, 0)
    said = check_scale_equivariance(layer, SCALES, device="cpu", checks=only)
    assert said.outcomes == check_scale_equivariance(layer, SCALES, checks=only).outcomes
    said.require()


def test_a_layer_elsewhere_is_given_its_inputs_there():
    places = []

    def layer(x):
        places.append(x[0].device.type)
        return list(x) if isinstance(x, list) else x

    there = Adapted(layer, Options(device="meta"))
    assert places == []
    x = torch.zeros(2, 3, 4, 5)
    with pytest.raises(NotImplementedError, match="meta"):
        there(x)
    assert places == ["meta"]
    listed = Adapted(layer, Options(device="cpu", layout="list"))
    y = torch.randn(2, 3, 2, 4, 5)
    assert torch.equal(listed(y), y)
    assert places == ["meta", "cpu"]


# --- Layers that were changed by torch ------------------------------------------------------------


def test_compiled_layers_are_judged_as_the_layers_are():
    torch.compiler.reset()
    layer = build_lifting(hermite_basis_a(7, (1.0, 1.5), 2), 0)
    only = ["output", "batch_independence", "response", "scale_equivariance", "state_round_trip"]
    verdict = check_scale_equivariance(torch.compile(layer, backend="eager"), checks=only)
    verdict.require()
    assert all(outcome.status is Status.PASSED for outcome in verdict)
    backwards = torch.compile(Wrapped(layer, lambda f, x: f(x).flip(2)), backend="eager")
    verdict = check_scale_equivariance(
        backwards, (1.0, 1.5), window=7, in_channels=2, lifts=True, checks=["supports"]
    )
    assert [outcome.check for outcome in verdict.complaints] == ["supports"]


def blurred(x, dims):
    """A lifting in one to three dimensions of space: [B, 1, …] -> [B, 1, S, …]."""
    convolve = (nn.functional.conv1d, nn.functional.conv2d, nn.functional.conv3d)[dims - 1]
    scales = []
    for sigma in BLURS:
        u = torch.arange(-int(5 * sigma) - 1, int(5 * sigma) + 2, dtype=x.dtype)
        weights, y = torch.exp(-(u**2) / (2 * sigma**2)) / sigma, x
        for axis in range(dims):
            shape = [len(u) if i == axis else 1 for i in range(dims)]
            y = convolve(y, weights.reshape(1, 1, *shape), padding=[n // 2 for n in shape])
        scales.append(y)
    return torch.stack(scales, 2)


BLURS = (1.0, 1.5, 2.25)


@pytest.mark.parametrize(("layout", "dims"), [("BCSL", 1), ("BCSHW", 2), ("BCSDHW", 3)])
def test_layers_in_one_to_three_dimensions(layout, dims):
    known: dict[str, Any] = {"layout": layout, "window": 27, "in_channels": 1, "lifts": True}
    right = check_scale_equivariance(lambda x: blurred(x, dims), BLURS, **known)
    assert right.passed, str(right)
    wrong = check_scale_equivariance(
        lambda x: blurred(x, dims).flip(2), BLURS, checks=["scaled_copies"], **known
    )
    assert "reversed" in str(wrong)
    assert wrong.failed


def test_exported_programs_are_judged_as_the_layers_are():
    auto = torch.export.Dim.AUTO
    x = torch.zeros(2, 2, 11, 13, dtype=torch.float64)

    def program(layer):
        return torch.export.export(layer, (x,), dynamic_shapes=[{0: auto, 2: auto, 3: auto}])

    layer = build_lifting(hermite_basis_a(7, (1.0, 1.5), 2), 0, padding=3)
    options: dict[str, Any] = {"window": 7, "in_channels": 2, "lifts": True}
    check_scale_equivariance(program(layer).module(), (1.0, 1.5), **options).require()
    wrong = check_scale_equivariance(program(layer).module(), (1.0, 3.0), **options)
    assert "given is 3" in wrong.findings[0]


# --- Factories ------------------------------------------------------------------------------------

FACTORIES = """
from sesn_impl import LiftingConv2d, hermite_basis_a
def right():
    return LiftingConv2d(1, 2, hermite_basis_a(7, (1.0, 1.5), 2)).double()
def raising():
    raise KeyError("weights.pt")
def needing(path):
    return right()
def misspelt():
    return right(), {"layuot": "BSCHW"}
def with_settings():
    return right(), {"seed": 1}
def unreasoned():
    return right(), {"expected_failures": ["border"]}
"""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["own_factories:raising"], "'own_factories:raising': raised KeyError: 'weights.pt'"),
        (["own_factories:needing"], "raised TypeError: needing() missing 1 required"),
        (["own_factories:misspelt"], "option 'layuot': must be one of scales, layout"),
        (["own_factories:with_settings"], "option 'seed': must be one of scales"),
        (["own_factories:unreasoned"], "expected_failures=['border']: must be a reason for each"),
        (["own_broken:right"], "own_broken cannot be imported: SyntaxError"),
        (["own_factories:right", "--ends", "mirror"], "ends='mirror': must be one of zero, wrap"),
        (["own_factories:right", "--device", "gpu"], "device='gpu': must be one that torch has"),
        (
            ["own_factories:right", "--adapter", "HWC"],
            "layout='HWC': must be a permutation of BCSHW",
        ),
        (["own_factories:right", "--ratio", "0.5"], "scales=0.5: a ratio of neighbours must be"),
        (["own_factories:right", "--tolerance", "-1"], "tolerance=-1.0: must be positive"),
    ],
)
def test_what_a_factory_or_a_line_says_wrongly_is_named(
    tmp_path, monkeypatch, capsys, arguments, message
):
    (tmp_path / "own_factories.py").write_text(FACTORIES)
    (tmp_path / "own_broken.py").write_text("def right(:\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert verification.__main__.main(["judge", *arguments]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""
    sys.modules.pop("own_factories", None)


def test_a_replay_line_has_every_option_that_was_given(tmp_path, monkeypatch, capsys):
    (tmp_path / "own_factories.py").write_text(FACTORIES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    line = ["own_factories:right", "--scales", "1", "3", "--window", "7", "--adapter", "BCSHW",
            "--device", "cpu", "--check", "supports", "--check", "scale_ratio"]  # fmt: skip
    assert verification.__main__.main(["judge", *line]) == 1
    wanted = (
        "python -m verification judge own_factories:right --scales 1 3 --layout BCSHW "
        "--window 7 --device cpu --check scale_ratio --seed 0"
    )
    assert wanted in capsys.readouterr().out
    sys.modules.pop("own_factories", None)
