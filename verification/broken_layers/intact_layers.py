"""Intact modules that mistakes are made in, and the checks that each of them has to pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from sesn_impl.basis import SteerableBasis, hermite_basis_b
from sesn_impl.layers import LiftingConv2d, ScaleConv1x1, ScaleConv2d, ScaleMaxProjection
from verification import checks
from verification.broken_layers.broken_layer import Mutant, SteerableConv
from verification.checks import CheckResult
from verification.layer.probe import complete_pairs, random_probe
from verification.layer.receptive_field import steerable_window
from verification.layer.targets import Target, describe

BASIS = hermite_basis_b(21, (1.5, 2.25, 3.0), 3, max_order=2)
"""Small, with two widths; ratios of whole numbers, and supports of 7 σ so that truncation is small
beside any mistake."""
OFFSET = (2, -2)
DIRECTION_SEED = 1


@dataclass(frozen=True, eq=False)
class Subject:
    """A module that is judged: intact, or broken in one way.

    module: freshly made, in eval mode; documented: the intact layer, if it is a convolution.
    build: makes the module again with random parameters from a seed. x: an input in float64.
    """

    name: str
    module: nn.Module
    documented: SteerableConv | None
    build: Callable[[int], nn.Module]
    x: Tensor

    @property
    def target(self) -> Target:
        """The module under the description of the intact layer. Raises ValueError without one."""
        return replace(describe(self._documented), name=self.name, layer=self.module)

    @property
    def basis(self) -> SteerableBasis | None:
        """The basis that the module itself claims to use."""
        found = getattr(self.module, "basis", None)
        return found if isinstance(found, SteerableBasis) else None

    @property
    def _documented(self) -> SteerableConv:
        if self.documented is None:
            raise ValueError(f"{self.name}: must be a convolution")
        return self.documented

    def border(self) -> CheckResult:
        """`check_border`, on a crop of an image without structure."""
        layer = self._documented
        stages = [(steerable_window(layer, scale),) for scale in range(layer.basis.num_scales)]
        side, margin = BASIS.kernel_size + 4, BASIS.kernel_size + 3
        chosen = slice(margin, margin + side)
        whole = 2 * margin + side
        image = _noise((1, *self.x.shape[1:-2], whole, whole))
        return checks.check_border(self.module, image, (chosen, chosen), stages, self.name)

    def zero_border(self) -> CheckResult:
        """`check_zero_border`, with a frame as wide as the filters reach."""
        reach = BASIS.kernel_size // 2
        return checks.check_zero_border(
            self.module, self.x, reach, self._documented.stride, self.name
        )

    def padding(self) -> CheckResult:
        """`check_padding`, with the same frame."""
        reach = BASIS.kernel_size // 2
        return checks.check_padding(self.module, self.x, reach, self._documented.stride, self.name)


Check = Callable[[Subject], CheckResult]


@dataclass(frozen=True)
class Specimen:
    """An intact kind of module: how it is built from a seed, its input, and what it must pass."""

    build: Callable[[int], nn.Module]
    shape: tuple[int, ...]
    checks: Mapping[str, Check]

    def subject(self, mutant: Mutant | None = None) -> Subject:
        """The intact module, or a mutant of it."""

        def build(seed: int) -> nn.Module:
            intact = self.build(seed)
            return intact if mutant is None else mutant.make(intact).eval()

        intact = self.build(0)
        documented = intact if isinstance(intact, SteerableConv) else None
        name = "intact" if mutant is None else mutant.name
        return Subject(name, build(0), documented, build, _noise(self.shape))


def _noise(shape: tuple[int, ...]) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def _seeded(make: Callable[[], nn.Module]) -> Callable[[int], nn.Module]:
    """Builds a float64 module in eval mode whose parameters and statistics are random."""

    def build(seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = make().double().eval()
            with torch.no_grad():
                for parameter in module.parameters():
                    parameter.uniform_(-0.5, 0.5)
                for part in module.modules():
                    if isinstance(part, nn.BatchNorm3d):
                        assert part.running_mean is not None
                        assert part.running_var is not None
                        part.running_mean.uniform_(-0.5, 0.5)
                        part.running_var.uniform_(0.5, 1.5)
        return module

    return build


def _block() -> nn.Module:
    return nn.Sequential(
        ScaleConv2d(2, 3, BASIS, 2, padding=10), nn.BatchNorm3d(3), nn.ReLU(), nn.Dropout(0.3),
        ScaleMaxProjection(),
    )  # fmt: skip


def _worst_pair(subject: Subject) -> CheckResult:
    target = subject.target
    probe = random_probe(target, 0)
    results = [
        checks.check_scale_equivariance(target, probe, *pair) for pair in complete_pairs(target)
    ]
    return max(results, key=lambda result: result.error / result.threshold)


def _gradient_equivariance(subject: Subject) -> CheckResult:
    target = subject.target
    probe, direction = (random_probe(target, seed, points=2) for seed in (0, DIRECTION_SEED))
    return checks.check_gradient_equivariance(target, probe, direction, *complete_pairs(target)[0])


def _gradient_density(subject: Subject) -> CheckResult:
    target = subject.target
    probe = random_probe(target, 0, points=1)
    return checks.check_gradient_density(target, probe, *complete_pairs(target)[0])


_CONDUCT: Mapping[str, Check] = {
    "determinism": lambda s: checks.check_determinism(s.module, s.x, s.name),
    "input_unchanged": lambda s: checks.check_input_unchanged(s.module, s.x, s.name),
    "output_dtype": lambda s: checks.check_output_dtype(s.module, s.x, s.name),
    "batch_independence": lambda s: checks.check_batch_independence(s.module, s.x, s.name),
    "memory_format": lambda s: checks.check_memory_format(s.module, s.x, s.name),
}
_LEARNED: Mapping[str, Check] = {
    "follows_weights": lambda s: checks.check_follows_weights(s.module, s.x, s.name),
    "state_complete": lambda s: checks.check_state_complete(
        s.module, lambda: s.build(1), s.x, s.name
    ),
    "state_round_trip": lambda s: checks.check_state_round_trip(s.module, s.x, s.name),
    "gradients": lambda s: checks.check_gradients(s.module, s.x, s.name),
}
_GRADCHECK: Mapping[str, Check] = {
    "gradcheck": lambda s: checks.check_gradcheck(s.module, s.x, s.name),
}
_BY_SCALE: Mapping[str, Check] = {
    "commutes_with_scale_shift": lambda s: checks.check_commutes_with_scale_shift(
        s.module, s.x, s.name
    ),
}
_CONVOLUTION: Mapping[str, Check] = {
    "response": lambda s: checks.check_response(s.target, random_probe(s.target, 0)),
    "scale_equivariance": _worst_pair,
    "integer_translation": lambda s: checks.check_integer_translation(
        s.target, random_probe(s.target, 0), OFFSET
    ),
    "border": Subject.border,
    "gradient_equivariance": _gradient_equivariance,
    "gradient_density": _gradient_density,
    **_CONDUCT,
    **_LEARNED,
    **_GRADCHECK,
}
BASIS_CHECKS: Mapping[str, Callable[[SteerableBasis, str], CheckResult]] = {
    "closed_form": checks.check_closed_form,
    "sigma_law": checks.check_sigma_law,
    "ranks": lambda basis, name: checks.check_ranks(basis, name, checks.basis_ranks(BASIS)),
}
"""Of the basis that a module says it uses; a wrapped layer says nothing."""

_SIDE = BASIS.kernel_size
SPECIMENS: Mapping[str, Specimen] = {
    "lifting": Specimen(
        _seeded(lambda: LiftingConv2d(2, 3, BASIS)), (3, 2, _SIDE, _SIDE), _CONVOLUTION
    ),
    "padded": Specimen(
        _seeded(lambda: LiftingConv2d(2, 3, BASIS, stride=2, padding=10)),
        (3, 2, 15, 15),
        {**_CONVOLUTION, "zero_border": Subject.zero_border, "padding": Subject.padding},
    ),
    "scale": Specimen(
        _seeded(lambda: ScaleConv2d(2, 3, BASIS, 2)), (3, 2, 3, _SIDE, _SIDE), _CONVOLUTION
    ),
    "mixing": Specimen(
        _seeded(lambda: ScaleConv1x1(2, 3)),
        (3, 2, 3, 4, 4),
        {**_CONDUCT, **_LEARNED, **_GRADCHECK, **_BY_SCALE},
    ),
    "norm": Specimen(
        _seeded(lambda: nn.BatchNorm3d(2)), (3, 2, 3, 4, 4), {**_CONDUCT, **_LEARNED, **_BY_SCALE}
    ),
    "block": Specimen(_seeded(_block), (3, 2, 3, 9, 9), {**_CONDUCT, **_LEARNED}),
    "pooling": Specimen(
        lambda seed: nn.MaxPool3d((1, 2, 2)), (3, 2, 3, 4, 4), {**_CONDUCT, **_BY_SCALE}
    ),
    "projection": Specimen(
        lambda seed: ScaleMaxProjection(),
        (3, 3, 3, 4, 4),
        {
            **_CONDUCT,
            "max_projection": lambda s: checks.check_max_projection(s.module, s.x, s.name),
        },
    ),
}
