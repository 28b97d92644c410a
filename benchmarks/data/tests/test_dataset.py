import re
from dataclasses import replace

import pytest
import torch

from benchmarks.data import NAMES, DataSet, Normalisation, Split, load, unit_range


def small_split(count: int, seed: int = 0) -> Split:
    generator = torch.Generator().manual_seed(seed)
    return Split(
        torch.randint(256, (count, 1, 4, 4), generator=generator).to(torch.uint8),
        torch.arange(count) % 10,
        torch.rand(count, generator=generator, dtype=torch.float64),
    )


@pytest.fixture
def data() -> DataSet:
    normalisation = Normalisation((0.5,), (0.25,))
    splits = small_split(5, 0), small_split(3, 1), small_split(4, 2)
    return DataSet("small", 0, *splits, normalisation)


@pytest.mark.parametrize(
    ("images", "labels", "scales", "message"),
    [
        (torch.zeros(2, 1, 4, 4), torch.zeros(2).long(), None, "uint8 [N, C, H, W], got torch.fl"),
        (torch.zeros(2, 4, 4).byte(), torch.zeros(2).long(), None, "torch.uint8 [2, 4, 4]"),
        (torch.zeros(2, 1, 4, 4).byte(), torch.zeros(3).long(), None, "labels must be torch.int64"),
        (torch.zeros(2, 1, 4, 4).byte(), torch.zeros(2), None, "got torch.float32 [2]"),
        (torch.zeros(2, 1, 4, 4).byte(), torch.tensor([0, 10]), None, "0..9, got 0..10"),
        (torch.zeros(2, 1, 4, 4).byte(), torch.tensor([-1, 3]), None, "0..9, got -1..3"),
        (
            torch.zeros(2, 1, 4, 4).byte(),
            torch.tensor([0, 1]),
            torch.ones(2),
            "scales must be torch.float64 [2] for 2 images, got torch.float32 [2]",
        ),
    ],
)
def test_split_rejects_what_it_does_not_promise(
    images: torch.Tensor, labels: torch.Tensor, scales: torch.Tensor | None, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Split(images, labels, scales)


def test_content_hash_is_a_function_of_the_content(data: DataSet) -> None:
    copy = replace(
        data,
        train=Split(data.train.images.clone(), data.train.labels.clone(), small_split(5, 0).scales),
    )
    assert copy.content_hash == data.content_hash
    assert data.identity == {"name": "small", "hash": data.content_hash}


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize("part", ["images", "labels", "scales"])
def test_content_hash_notices_any_single_change(data: DataSet, split: str, part: str) -> None:
    before = data.content_hash
    changed = getattr(data.splits[split], part).clone()
    changed.view(-1)[0] += 1
    splits = dict(data.splits)
    splits[split] = replace(splits[split], **{part: changed})
    altered = replace(
        data, train=splits["train"], validation=splits["validation"], test=splits["test"]
    )
    assert altered.content_hash != before


def test_content_hash_notices_exchanged_splits(data: DataSet) -> None:
    assert replace(data, train=data.test, test=data.train).content_hash != data.content_hash


def test_content_hash_ignores_memory_layout(data: DataSet) -> None:
    images = data.train.images.transpose(2, 3).contiguous().transpose(2, 3)
    assert not images.is_contiguous()
    assert replace(data, train=replace(data.train, images=images)).content_hash == data.content_hash


def test_normalisation_takes_pixels_or_unit_range(data: DataSet) -> None:
    images = data.train.images
    expected = (images.double() / 255 - 0.5) / 0.25
    torch.testing.assert_close(data.normalisation(images).double(), expected, rtol=0, atol=1e-6)
    assert torch.equal(data.normalisation(unit_range(images)), data.normalisation(images))
    assert data.normalisation(images.double() / 255).dtype == torch.float64


def test_normalisation_rejects_wrong_channels_and_values(data: DataSet) -> None:
    with pytest.raises(
        ValueError, match=re.escape("images must be [B, 1, H, W], got [2, 3, 4, 4]")
    ):
        data.normalisation(torch.zeros(2, 3, 4, 4))
    with pytest.raises(ValueError, match="std must be positive, got"):
        Normalisation((0.5,), (0.0,))
    with pytest.raises(ValueError, match="one value per channel"):
        Normalisation((0.5,), (0.1, 0.2))
    with pytest.raises(TypeError, match=r"uint8 or floating, got torch\.int64"):
        unit_range(torch.zeros(2).long())


def test_load_rejects_unknown_names_with_the_list() -> None:
    with pytest.raises(ValueError, match=r"digits, mnist_scale, stl10, .*_large, got 'cifar'"):
        load("cifar")
    assert load(NAMES[0]).name == "digits"


def test_stl10_has_one_realisation() -> None:
    with pytest.raises(ValueError, match="realisation of stl10 must be 0, got 1"):
        load("stl10", 1)
