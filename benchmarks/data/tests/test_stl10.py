import hashlib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.data import DataError, load
from benchmarks.data.stl10 import FOLDER, PUBLISHED_FILES, BinaryFile, stl10
from benchmarks.data.tests.synthetic import write_stl10


def test_reads_images_upright_and_labels_from_zero(data_dir: Path) -> None:
    data = stl10(data_dir, files=write_stl10(data_dir))
    expected = np.random.default_rng(0).integers(0, 256, (6, 3, 96, 96), dtype=np.uint8)
    assert np.array_equal(data.train.images.numpy(), expected)
    assert not np.array_equal(data.train.images.mT.numpy(), expected)
    assert data.train.labels.tolist() == [0, 3, 6, 9, 2, 5]
    assert [len(split) for split in data.splits.values()] == [6, 0, 4]
    assert data.train.scales is None
    assert data.validation.images.shape == (0, 3, 96, 96)
    assert data.normalisation(data.test.images).shape == (4, 3, 96, 96)


def test_the_unlabelled_images_are_not_needed(data_dir: Path) -> None:
    stl10(data_dir, files=write_stl10(data_dir))
    assert not (data_dir / FOLDER / "unlabeled_X.bin").exists()


def test_other_files_than_the_published_are_rejected_by_default(data_dir: Path) -> None:
    write_stl10(data_dir)
    with pytest.raises(DataError, match=r"train_X\.bin is cut off \(165888 bytes, 138240000 ex"):
        load("stl10", data_dir=data_dir)


@pytest.mark.parametrize("name", list(PUBLISHED_FILES))
def test_each_wrong_file_is_named(data_dir: Path, name: str) -> None:
    files = write_stl10(data_dir)
    path = data_dir / FOLDER / name
    content = path.read_bytes()
    for changed, message in [
        (content[:-1], "is cut off"),
        (content + b"\1", "is too long"),
        (bytes([content[0] ^ 1]) + content[1:], "is altered"),
    ]:
        path.write_bytes(changed)
        with pytest.raises(DataError, match=rf"{name} {message}.*expected"):
            stl10(data_dir, files=files)
    path.unlink()
    with pytest.raises(DataError, match=rf"{name} is missing.*SESN_DATA_DIR"):
        stl10(data_dir, files=files)


def test_labels_beyond_the_ten_classes_are_rejected(data_dir: Path) -> None:
    files = write_stl10(data_dir)
    labels = bytes([1, 2, 3, 11])
    (data_dir / FOLDER / "test_y.bin").write_bytes(labels)
    files["test_y.bin"] = BinaryFile(len(labels), hashlib.md5(labels).hexdigest())
    with pytest.raises(ValueError, match=r"labels must lie in 0\.\.9, got 0\.\.10"):
        stl10(data_dir, files=files)


def test_an_incomplete_description_is_rejected(data_dir: Path) -> None:
    files = write_stl10(data_dir)
    del files["test_y.bin"]
    with pytest.raises(ValueError, match=r"lacks \['test_y\.bin'\]"):
        stl10(data_dir, files=files)


def test_downloads_only_when_asked_and_needed(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.datasets import STL10

    asked: list[str] = []

    def fetch(dataset: STL10) -> None:
        asked.append(str(dataset.root))
        raise OSError("no route to host")

    monkeypatch.setattr(STL10, "download", fetch)
    files = write_stl10(data_dir)
    stl10(data_dir, files=files, download=True)
    (data_dir / FOLDER / "train_y.bin").unlink()
    with pytest.raises(DataError, match="is missing"):
        stl10(data_dir, files=files)
    assert asked == []
    with pytest.raises(DataError, match=r"could not be fetched .*no route to host"):
        stl10(data_dir, files=files, download=True)
    assert asked == [str(data_dir)]


def test_without_any_directory_the_message_says_how_to_give_one() -> None:
    with pytest.raises(DataError, match="STL-10 needs a data directory: give data_dir or set SESN"):
        stl10()
