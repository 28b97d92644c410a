"""Three ways to correlate images with filters made of a steerable basis.

All give, for one scale with filters w = Σ_n a_n ψ_n and input slices k, the same sums

    y[b, o, p] = Σ_k Σ_c Σ_d x_k[b, c, t·p + a + d] w[o, c, k, d],   x = 0 outside the image,

t the stride and a = V//2 − padding, and differ in how many products they take:

- `Direct`: one convolution on the scale's own support: H'·W'·v² products per pair of channels.
- `Columns`: as many, the shifts along a row laid out as channels. For images of one channel or few,
  where a convolution loads more than it computes.
- `Spectral`: 4 products per frequency, about (H + V/2)²/2 of them, and two small matrix products
  into and out of the frequencies. On small maps, where most taps of a large filter meet only
  padding, this is a tenth. The basis is transformed once: a filter's spectrum is the same sum of
  the basis functions' spectra.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from sesn_impl.fast.plan import Axis, Geometry, Way


class Correlation(Protocol):
    """A way to compute responses: `prepare` and `filters` once, `respond` for each scale."""

    functions: Tensor

    def filters(self, coefficients: Tensor, scale: int) -> Tensor:
        """Filters of one scale, in this way's own form, of coefficients [C_out, C_in, K, N_b]."""

    def prepare(self, x: Tensor) -> Tensor:
        """What all scales need of an input slice [B, C_in, H, W]."""

    def respond(self, slices: Sequence[Tensor], filters: Tensor) -> Tensor:
        """Response [B, C_out, H', W'] of K prepared slices to the filters of one scale."""


def correlation(
    way: Way, functions: Tensor, supports: Sequence[int], geometry: Geometry
) -> Correlation:
    """The named way for a basis.

    functions: [N_b, S, V, V]; supports: odd side in pixels of each scale's own grid.
    """
    if way == "spectral":
        return Spectral(functions, geometry)
    return (Columns if way == "columns" else Direct)(functions, supports, geometry)


class Direct:
    """One convolution per scale, on the scale's own support."""

    def __init__(self, functions: Tensor, supports: Sequence[int], geometry: Geometry) -> None:
        self.functions = functions
        self.supports = supports
        self.geometry = geometry

    def filters(self, coefficients: Tensor, scale: int) -> Tensor:
        """[C_out, C_in, K, N_b] -> [C_out, K·C_in, v, v]."""
        support = self.supports[scale]
        margin = self._margin(support)
        inside = slice(margin, margin + support)
        functions = self.functions[:, scale, inside, inside].reshape(-1, support * support)
        filters = coefficients.transpose(1, 2).flatten(1, 2) @ functions
        return filters.view(*filters.shape[:2], support, support)

    def prepare(self, x: Tensor) -> Tensor:
        """[B, C_in, H, W], as it is."""
        return x

    def respond(self, slices: Sequence[Tensor], filters: Tensor) -> Tensor:
        """K × [B, C_in, H, W], [C_out, K·C_in, v, v] -> [B, C_out, H', W']."""
        # As if the filters were zero-padded to V×V.
        padding = self.geometry.padding - self._margin(filters.shape[-1])
        x = F.pad(_join(slices, 1), [min(padding, 0)] * 4)
        return F.conv2d(x, filters, stride=self.geometry.stride, padding=max(padding, 0))

    def _margin(self, support: int) -> int:
        """Zeros on each side between a scale's support and V×V."""
        return (self.geometry.kernel_size - support) // 2


class Columns(Direct):
    """A convolution down the columns, whose channels are the shifts along a row."""

    def filters(self, coefficients: Tensor, scale: int) -> Tensor:
        """[C_out, C_in, K, N_b] -> [C_out, K·v·C_in, v, 1]."""
        out_channels, in_channels, extent = coefficients.shape[:3]
        filters = super().filters(coefficients, scale)
        filters = filters.view(out_channels, extent, in_channels, *filters.shape[2:])
        return filters.permute(0, 1, 4, 2, 3).flatten(1, 3).unsqueeze(-1)

    def prepare(self, x: Tensor) -> Tensor:
        """[B, C_in, H, W] -> [B, V, C_in, H, W'], shifted by each of V steps along its rows."""
        stride = self.geometry.stride
        padded = F.pad(x, [self.geometry.padding] * 2)
        span = stride * (self.geometry.output[1] - 1) + 1
        starts = range(self.geometry.kernel_size)
        return torch.stack([padded[..., i : i + span : stride] for i in starts], 1)

    def respond(self, slices: Sequence[Tensor], filters: Tensor) -> Tensor:
        """K × [B, V, C_in, H, W'], [C_out, K·v·C_in, v, 1] -> [B, C_out, H', W']."""
        support = filters.shape[2]
        margin = self._margin(support)
        padding, stride = self.geometry.padding - margin, self.geometry.stride
        seen = [x[:, margin : margin + support].flatten(1, 2) for x in slices]
        x = F.pad(_join(seen, 1), [0, 0, min(padding, 0), min(padding, 0)])
        return F.conv2d(x, filters, stride=(stride, 1), padding=(max(padding, 0), 0))


class Spectral:
    """Discrete Fourier transforms as matrix products, the basis transformed beforehand.

    Frequencies come first in all tensors, those of the columns before those of the rows; so every
    step is a product of a small matrix with contiguous memory, and nothing large is permuted.
    """

    def __init__(self, functions: Tensor, geometry: Geometry) -> None:
        rows, columns = geometry.axes()
        self.functions = functions
        self.output = geometry.output
        at, half = rows.frequencies(), columns.frequencies()[: columns.half_length]
        # Negative frequencies of the columns mirror the positive ones: each stands for two.
        weights = torch.full_like(half, 2 / columns.length)
        weights[0] /= 2
        if columns.length % 2 == 0:
            weights[-1] /= 2
        into_rows = _turn(-at[:, None] * rows.pixels()).permute(2, 0, 1, 3)
        out_of_rows = _turn(rows.centres()[:, None] * at).permute(0, 2, 3, 1) / rows.length
        out_of_columns = weights[:, None, None] * _half_turn(half[:, None] * columns.centres())

        def matrix(values: Tensor) -> Tensor:
            return values.flatten(-2).flatten(0, -2).to(functions).contiguous()

        self.into_columns = matrix(_half_turn(half[:, None] * columns.pixels())[..., None])
        self.into_rows = matrix(into_rows)  # [N·2, 2·H]
        self.out_of_rows = matrix(out_of_rows)  # [2·H', N·2]
        self.out_of_columns = matrix(out_of_columns[..., None])  # [M·2, W']
        self.spectra = _spectra(functions, rows, columns).to(functions)

    def filters(self, coefficients: Tensor, scale: int) -> Tensor:
        """[C_out, C_in, K, N_b] -> their spectra [N_f, C_out, K·2·C_in], real beside imaginary."""
        out_channels, in_channels, extent, functions = coefficients.shape
        flat = coefficients.transpose(1, 2).reshape(-1, functions)
        spectra = (self.spectra[scale] @ flat.mT).view(2, -1, out_channels, extent, in_channels)
        return spectra.permute(1, 2, 3, 0, 4).flatten(2)

    def prepare(self, x: Tensor) -> Tensor:
        """[B, C_in, H, W] -> its spectrum [N_f, 2·B, 2·C_in] as [[re, −im], [im, re]]."""
        batch, channels, height, width = x.shape
        lines = x.permute(2, 0, 1, 3).reshape(-1, width)  # [H·B·C, W]
        halfway = (self.into_columns @ lines.mT).view(-1, 2 * height, batch * channels)
        spectrum = (self.into_rows @ halfway).view(-1, 2, batch, channels)
        real, imaginary = spectrum.unbind(1)
        upper, lower = torch.cat([real, -imaginary], 2), torch.cat([imaginary, real], 2)
        return torch.cat([upper, lower], 1)

    def respond(self, slices: Sequence[Tensor], filters: Tensor) -> Tensor:
        """K × [N_f, 2·B, 2·C_in], [N_f, C_out, K·2·C_in] -> [B, C_out, H', W']."""
        out_channels = filters.shape[1]
        height, width = self.output
        y = torch.bmm(_join(slices, 2), filters.mT)  # [N_f, 2·B, C_out]
        y = y.view(-1, self.out_of_rows.shape[1], y.shape[1] // 2 * out_channels)
        halfway = self.out_of_rows @ y  # [M, 2·H', B·C_out]
        lines = halfway.view(len(self.out_of_columns), -1).mT @ self.out_of_columns
        return lines.view(height, -1, out_channels, width).permute(1, 2, 0, 3)


def _join(slices: Sequence[Tensor], dim: int) -> Tensor:
    return slices[0] if len(slices) == 1 else torch.cat(list(slices), dim)


def _turn(angles: Tensor) -> Tensor:
    """Multiplication by exp(iθ) as real matrices on (re, im): [m, n] -> [2, 2, m, n]."""
    cosine, sine = angles.cos(), angles.sin()
    return torch.stack([torch.stack([cosine, -sine]), torch.stack([sine, cosine])])


def _half_turn(angles: Tensor) -> Tensor:
    """Real numbers times exp(−iθ), or the real part of complex ones times exp(iθ): [m, 2, n]."""
    return torch.stack([angles.cos(), -angles.sin()], 1)


def _spectra(functions: Tensor, rows: Axis, columns: Axis) -> Tensor:
    """Σ_d ψ(d) exp(iωd) of all basis functions: [N_b, S, V, V] -> [S, 2·N_f, N_b], re then im."""
    middle = functions.shape[-1] // 2
    inside = [slice(middle - axis.before, middle + axis.after + 1) for axis in (rows, columns)]
    taps = functions[:, :, inside[0], inside[1]].detach().to("cpu", torch.complex128)
    phases = [torch.exp(1j * axis.frequencies()[:, None] * axis.taps()) for axis in (rows, columns)]
    along_rows = torch.einsum("nsyx,fx->nsyf", taps, phases[1][: columns.half_length])
    spectra = torch.einsum("nsyf,gy->sfgn", along_rows, phases[0]).flatten(1, 2)
    return torch.cat([spectra.real, spectra.imag], 1)
