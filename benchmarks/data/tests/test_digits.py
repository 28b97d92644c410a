import numpy as np
import pytest
import torch

from benchmarks.data import load
from benchmarks.data.dataset import DataSet
from benchmarks.data.digits import digits, measured_normalisation, place
from benchmarks.data.generation import TRAINED
from benchmarks.data.tests.synthetic import global_random_states
from verification.claims.protocols import load_protocols


def test_sizes_types_and_ranges(small_digits: DataSet) -> None:
    data = small_digits
    assert [len(split) for split in data.splits.values()] == [1_200, 200, 397]
    for split in data.splits.values():
        assert split.images.shape[1:] == (1, 28, 28)
        assert split.scales is not None
        assert 0.3 <= split.scales.min() < 0.35
        assert 0.95 < split.scales.max() <= 1.0


def test_equal_realisations_are_equal_and_others_differ(small_digits: DataSet) -> None:
    first = small_digits.content_hash
    assert digits(0).content_hash == first
    assert digits(1).content_hash != first


def test_classes_keep_their_shares(small_digits: DataSet) -> None:
    for split in small_digits.splits.values():
        counts = torch.bincount(split.labels, minlength=10).double()
        # Shares of the ten classes in the source lie in 9.7..10.2 %; rounding moves one image.
        assert float((counts - len(split) / 10).abs().max()) <= 0.003 * len(split) + 1


def test_splits_share_no_image(small_digits: DataSet) -> None:
    data = small_digits
    images = torch.cat([split.images for split in data.splits.values()]).flatten(1)
    assert len(images) == 1_797
    assert len(torch.unique(images, dim=0)) == len(images)


def test_global_random_state_is_left_alone() -> None:
    before = global_random_states()
    digits(2)
    assert global_random_states() == before


@pytest.mark.parametrize("scale", [0.3, 0.5, 0.77, 1.0])
def test_a_digit_spans_what_its_true_scale_says(scale: float) -> None:
    canvas = place(np.full((8, 8), 255, np.uint8), scale)
    # The ink of a full square is its area; bicubic overshoot at the edges is clipped, so the
    # side found is that of the square to within half a pixel.
    side = np.sqrt(canvas.sum() / 255)
    assert side == pytest.approx(20 * scale, abs=0.5)
    assert np.array_equal(canvas, canvas[::-1])  # centred: no half-pixel offset
    assert np.array_equal(canvas, canvas.T)


def test_a_wrong_scale_would_be_noticed() -> None:
    side = np.sqrt(place(np.full((8, 8), 255, np.uint8), 0.6).sum() / 255)
    assert side != pytest.approx(20 * 0.5, abs=0.5)


def test_normalisation_is_that_of_the_training_pixels(small_digits: DataSet) -> None:
    data = small_digits
    normalised = data.normalisation(data.train.images).double()
    # Mean and deviation are kept to 6 decimals, and float32 arithmetic adds less than that.
    assert normalised.mean().item() == pytest.approx(0, abs=1e-5)
    assert normalised.std().item() == pytest.approx(1, abs=1e-5)
    assert data.normalisation != measured_normalisation(data.test)


@pytest.mark.parametrize("realisation", [-1, 2**32, True])
def test_rejects_realisations_out_of_range(realisation: int) -> None:
    with pytest.raises(ValueError, match=rf"realisation must be .*got {realisation}"):
        digits(realisation)


@pytest.mark.parametrize("word", TRAINED)
def test_restricted_training(word: str) -> None:
    low, high = TRAINED[word]
    data, whole = load(f"digits_{word}", 1), load("digits", 1)
    assert data.name == f"digits_{word}"
    assert torch.equal(data.test.images, whole.test.images)
    for split in (data.train, data.validation):
        assert split.scales is not None
        assert low <= float(split.scales.min()) < float(split.scales.max()) <= high
    assert torch.equal(data.train.labels, whole.train.labels)
    assert data.content_hash == load_protocols()["smoke", data.name].hashes[1]
