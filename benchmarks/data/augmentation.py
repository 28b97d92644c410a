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


@dataclass(frozen=True)
class Augmentation:
    """What a recipe does to its training images, in two parts: random numbers, then tensor work.

    scaling: by 0.5 to 2 about the centre; crop_flip_cutout: as STL-10's recipe, which cuts out with
    the values `fill`, one per channel or one for all.
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
        drawn = [scaling_ratios(images, generator)] if self.scaling else []
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
            tops, lefts, mirrored, rows, columns = (number.long() for number in numbers)
            images = _mirrored(_cropped(images, tops, lefts, CROP_PADDING), mirrored)
            images = _covered_by(images, rows, columns, CUTOUT_SIZE, self.fill)
        return images


def random_scaling(
    images: Tensor, generator: torch.Generator, lowest: float = 0.5, highest: float = 2.0
) -> Tensor:
    """Floating [B, C, H, W] in [0, 1] -> same shape, each scaled once about the image centre.

    The ratio (size out / size in) is uniform in lowest..highest: the "+" of MNIST-scale.
    Raises ValueError unless 0 < lowest <= highest.
    """
    return scale_about_centre(images, scaling_ratios(len(images), generator, lowest, highest))


def scaling_ratios(
    images: int, generator: torch.Generator, lowest: float = 0.5, highest: float = 2.0
) -> Tensor:
    """Ratios (size out / size in), uniform in lowest..highest: float64 [B].

    Raises ValueError unless 0 < lowest <= highest.
    """
    if not 0 < lowest <= highest:
        raise ValueError(f"need 0 < lowest <= highest, got lowest={lowest}, highest={highest}")
    draws = torch.rand(images, generator=generator, device=generator.device)
    return lowest + (highest - lowest) * draws.double()


def scale_about_centre(images: Tensor, ratios: Tensor) -> Tensor:
    """Floating [B, C, H, W] in [0, 1], ratios (size out / size in) [B] -> [B, C, H, W] in [0, 1].

    Convention: bicubic with a = -1 as in Pillow's affine, half-pixel centres, centre of scaling
    (H/2, W/2) in pixels from the outer edge, no antialiasing, 0 outside, overshoot clipped. A
    ratio of 1 returns the image itself, bit for bit.
    """
    _check_images(images)
    if ratios.shape != images.shape[:1] or bool((ratios <= 0).any()):
        raise ValueError(
            f"ratios must be {images.shape[0]} positive numbers, one per image, "
            f"got {list(ratios.shape)} {ratios.tolist()[:8]}"
        )
    return rescaled(images, ratios)


def rescaled(images: Tensor, ratios: Tensor) -> Tensor:
    """`scale_about_centre` of arguments known to be right, where ratios are: nothing is awaited."""
    matrices = {
        size: _resampling_matrix(size, ratios).to(images.device, images.dtype).unsqueeze(1)
        for size in images.shape[-2:]
    }  # [B, 1, size, size]
    rows, columns = (matrices[size] for size in images.shape[-2:])
    return (rows @ images @ columns.mT).clamp(0, 1)


def random_crop(images: Tensor, generator: torch.Generator, padding: int = CROP_PADDING) -> Tensor:
    """Floating [B, C, H, W] -> same shape: padded with 0 on all sides, then cropped at random.

    Every shift of -padding..padding pixels along either axis is equally likely.
    """
    _check_images(images)
    ends = (2 * padding + 1,) * 2
    tops, lefts = (_integers(end, len(images), generator).to(images.device) for end in ends)
    return _cropped(images, tops, lefts, padding)


def random_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Floating [B, C, H, W] -> same shape, each mirrored left to right with probability 1/2."""
    _check_images(images)
    return _mirrored(images, _integers(2, len(images), generator).to(images.device))


def cutout(
    images: Tensor,
    generator: torch.Generator,
    size: int = CUTOUT_SIZE,
    fill: tuple[float, ...] = (0.0,),
) -> Tensor:
    """Floating [B, C, H, W] -> same shape, with one square of size x size pixels set to `fill`.

    The square's centre is uniform over all pixels and what lies beyond the border is lost, as in
    the cutout the recipe uses: near a border fewer than size² pixels are covered. `fill` is one
    value, or one per channel.

    Raises ValueError where `fill` has another length or `size` is not an even positive number.
    """
    _check_images(images)
    batch, channels, *pixels = images.shape
    if size <= 0 or size % 2:
        raise ValueError(f"size must be even and positive, got {size}")
    if len(fill) not in (1, channels):
        raise ValueError(f"fill must have 1 or {channels} values, got {fill}")
    rows, columns = (_integers(end, batch, generator).to(images.device) for end in pixels)
    return _covered_by(images, rows, columns, size, fill)


def stl10_augmentation(
    images: Tensor, generator: torch.Generator, fill: tuple[float, ...]
) -> Tensor:
    """Floating [B, 3, 96, 96] in [0, 1] -> same shape: crop, flip, cutout, as STL-10's recipe.

    The recipe cuts out after normalising, with 0; so before normalising `fill` is the mean.
    """
    augmentation = Augmentation(crop_flip_cutout=True, fill=fill)
    height, width = images.shape[-2:]
    drawn = augmentation.draw(len(images), height, width, generator)
    return augmentation(images, drawn.to(images.device))


def _cropped(images: Tensor, tops: Tensor, lefts: Tensor, padding: int) -> Tensor:
    """Of the padded image, the window that begins at row `tops` and column `lefts`, both [B]."""
    batch, _, height, width = images.shape
    padded = torch.nn.functional.pad(images, (padding,) * 4)
    rows = tops[:, None] + torch.arange(height, device=images.device)  # [B, H]
    columns = lefts[:, None] + torch.arange(width, device=images.device)  # [B, W]
    item = torch.arange(batch, device=images.device)[:, None, None]
    cropped = padded[item, :, rows[:, :, None], columns[:, None, :]]  # [B, H, W, C]
    return cropped.movedim(-1, 1).contiguous()


def _mirrored(images: Tensor, which: Tensor) -> Tensor:
    return torch.where(which.bool().view(-1, 1, 1, 1), images.flip(-1), images)


def _covered_by(
    images: Tensor, rows: Tensor, columns: Tensor, size: int, fill: tuple[float, ...]
) -> Tensor:
    """Squares with centres (rows, columns), both [B], set to `fill`."""
    height, width = images.shape[-2:]
    inside = _covered(height, size, rows)[:, :, None] & _covered(width, size, columns)[:, None, :]
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


def _covered(length: int, size: int, centres: Tensor) -> Tensor:
    """Centres [B] -> bool [B, length]: the pixels centre - size/2 .. centre + size/2 - 1."""
    offset = torch.arange(length, device=centres.device) - centres[:, None]
    return (offset >= -(size // 2)) & (offset < size // 2)


def _integers(end: int, count: int, generator: torch.Generator) -> Tensor:
    return torch.randint(end, (count,), generator=generator, device=generator.device)


def _check_images(images: Tensor) -> None:
    if images.ndim != 4 or not images.is_floating_point():
        raise ValueError(
            f"images must be floating [B, C, H, W], got {images.dtype} {list(images.shape)}"
        )
