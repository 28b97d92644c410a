"""The recipes' random augmentations, for whole batches, drawn from an explicit generator.

Source: the training recipes of the paper's MNIST-scale ("+") and STL-10 experiments. Random
numbers are drawn on the generator's device and then moved, so that a CPU generator gives the same
augmentation on every device. `Augmentation` draws and applies at different times.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.data.dataset import per_channel

CROP_PADDING = 12
CUTOUT_SIZE = 32
LOWEST_RATIO, HIGHEST_RATIO = 0.5, 2.0  # size out / size in


@dataclass(frozen=True)
class Augmentation:
    """What a recipe does to its training images, in two parts: random numbers, then tensor work.

    scaling: by 0.5 to 2 about the centre, uniformly: the "+" of MNIST-scale; crop_flip_cutout: as
    STL-10's recipe, which cuts out after normalising, with 0; so that before it `fill`, one value
    per channel or one for all, is the mean.
    """

    scaling: bool = False
    crop_flip_cutout: bool = False
    fill: tuple[float, ...] = (0.0,)

    @property
    def numbers(self) -> int:
        """Random numbers for each image."""
        return self.scaling + 5 * self.crop_flip_cutout

    def draw(self, images: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        """All random numbers of a batch: float64 [B, numbers], whole numbers where they count."""
        drawn = []
        if self.scaling:
            uniform = torch.rand(images, generator=generator, device=generator.device)
            drawn.append(LOWEST_RATIO + (HIGHEST_RATIO - LOWEST_RATIO) * uniform.double())
        if self.crop_flip_cutout:
            ends = (2 * CROP_PADDING + 1,) * 2 + (2, height, width)
            drawn += [_integers(end, images, generator).double() for end in ends]
        return torch.stack(drawn, 1) if drawn else torch.empty(images, 0, dtype=torch.float64)

    def __call__(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Floating [B, C, H, W] in [0, 1], numbers [B, numbers] -> [B, C, H, W] in [0, 1].

        All on one device, which the host does not wait for.
        """
        numbers = list(drawn.unbind(1))
        if self.scaling:
            images = rescaled(images, numbers.pop(0))
        if self.crop_flip_cutout:
            tops, lefts, flips, rows, columns = (number.long() for number in numbers)
            images = cut_out(
                mirrored(cropped(images, tops, lefts), flips), rows, columns, self.fill
            )
        return images


def rescaled(images: Tensor, ratios: Tensor) -> Tensor:
    """Floating [B, C, H, W] in [0, 1], ratios (size out / size in) [B] -> [B, C, H, W] in [0, 1].

    Convention: bicubic with a = -1 as in Pillow's affine, half-pixel centres, centre of scaling
    (H/2, W/2) in pixels from the outer edge, no antialiasing, 0 outside, overshoot clipped. A
    ratio of 1 returns the image itself, bit for bit. Computed where the ratios are.
    """
    matrices = {
        size: _resampling_matrix(size, ratios).to(images.device, images.dtype).unsqueeze(1)
        for size in images.shape[-2:]
    }  # [B, 1, size, size]
    rows, columns = (matrices[size] for size in images.shape[-2:])
    return (rows @ images @ columns.mT).clamp(0, 1)


def cropped(images: Tensor, tops: Tensor, lefts: Tensor) -> Tensor:
    """[B, C, H, W] -> same shape: padded by CROP_PADDING, then the window at (tops, lefts) [B]."""
    batch, _, height, width = images.shape
    padded = torch.nn.functional.pad(images, (CROP_PADDING,) * 4)
    rows = tops[:, None] + torch.arange(height, device=images.device)  # [B, H]
    columns = lefts[:, None] + torch.arange(width, device=images.device)  # [B, W]
    item = torch.arange(batch, device=images.device)[:, None, None]
    cropped = padded[item, :, rows[:, :, None], columns[:, None, :]]  # [B, H, W, C]
    return cropped.movedim(-1, 1).contiguous()


def mirrored(images: Tensor, which: Tensor) -> Tensor:
    """[B, C, H, W] -> same shape: those of `which`, [B], mirrored left to right."""
    return torch.where(which.bool().view(-1, 1, 1, 1), images.flip(-1), images)


def cut_out(images: Tensor, rows: Tensor, columns: Tensor, fill: tuple[float, ...]) -> Tensor:
    """[B, C, H, W] -> same shape, a square of CUTOUT_SIZE² pixels set to `fill` in each.

    What of the square about (rows, columns), both [B], lies beyond the border is lost, as in the
    cutout the recipe uses. `fill` is one value, or one per channel.
    """
    height, width = images.shape[-2:]
    inside = _covered(height, rows)[:, :, None] & _covered(width, columns)[:, None, :]
    return torch.where(inside.unsqueeze(1), per_channel(images, fill), images)


def _resampling_matrix(size: int, ratios: Tensor) -> Tensor:
    """Ratios [B] -> float64 [B, size, size]: row o holds the bicubic weights of output pixel o."""
    ratios = ratios.double().view(-1, 1, 1)
    pixels = torch.arange(size, dtype=torch.float64, device=ratios.device)
    # Offsets from the centre are whole or half pixels: exact, so that a ratio of 1 is exact.
    position = (pixels.view(1, -1, 1) + 0.5 - size / 2) / ratios + size / 2 - 0.5  # [B, size, 1]
    distance = (position - pixels).abs()  # [B, size, size]
    near = (distance - 2) * distance**2 + 1
    far = ((5 - distance) * distance - 8) * distance + 4
    weights = torch.where(distance < 1, near, torch.where(distance < 2, far, 0.0))
    return weights * ((position >= -0.5) & (position < size - 0.5))


def _covered(length: int, centres: Tensor) -> Tensor:
    """Centres [B] -> bool [B, length]: the pixels of the square about each."""
    offset = torch.arange(length, device=centres.device) - centres[:, None]
    return (offset >= -(CUTOUT_SIZE // 2)) & (offset < CUTOUT_SIZE // 2)


def _integers(end: int, count: int, generator: torch.Generator) -> Tensor:
    return torch.randint(end, (count,), generator=generator, device=generator.device)
