import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.data import DataError, DataSet, DataWarning
from benchmarks.data import mnist_scale as module
from benchmarks.data.cache import read_cache, write_cache
from benchmarks.data.locations import cache_folders, first_writable, may_write
from benchmarks.data.mnist_scale import mnist_scale
from benchmarks.data.mnist_scale_recipe import NORMALISATION, Recipe, generate, pixel_hash

FILE = "mnist_scale_0.cache"


@pytest.fixture
def cached(data_dir: Path, recipe: Recipe) -> Path:
    """A cache file that has been written in its default place."""
    mnist_scale(0, data_dir, recipe=recipe)
    return data_dir / "mnist_scale" / FILE


def test_round_trip_keeps_everything(tmp_path: Path, small_digits: DataSet) -> None:
    data = small_digits
    write_cache(data, tmp_path / "file")
    back = read_cache(tmp_path / "file", "digits", 0, data.normalisation)
    assert back.content_hash == data.content_hash
    assert (back.name, back.realisation, back.normalisation) == ("digits", 0, data.normalisation)


def test_a_second_call_reads_the_cache_and_needs_no_mnist(
    data_dir: Path, recipe: Recipe, cached: Path
) -> None:
    first = mnist_scale(0, data_dir, recipe=recipe)
    for path in (data_dir / "MNIST" / "raw").iterdir():
        path.unlink()
    assert mnist_scale(0, data_dir, recipe=recipe).content_hash == first.content_hash
    cached.unlink()
    with pytest.raises(DataError, match="is missing"):
        mnist_scale(0, data_dir, recipe=recipe)


@pytest.mark.parametrize("kept", [0, 1, 64, 65, 5_000, -1])
def test_a_cut_off_cache_is_reported_and_replaced(
    data_dir: Path, recipe: Recipe, cached: Path, kept: int
) -> None:
    intact = cached.read_bytes()
    cached.write_bytes(intact[:kept])
    with pytest.warns(DataWarning, match=rf"{FILE} are not used and will be .* damaged: \d+ bytes"):
        data = mnist_scale(0, data_dir, recipe=recipe)
    assert pixel_hash(data) == recipe.pixel_md5[0]
    assert cached.read_bytes() == intact


def test_a_single_wrong_bit_anywhere_is_noticed(cached: Path) -> None:
    intact = cached.read_bytes()
    generator = np.random.default_rng(0)
    for position in (0, 64, 65, *generator.integers(len(intact), size=50).tolist()):
        damaged = bytearray(intact)
        damaged[position] ^= 1 << int(generator.integers(8))
        cached.write_bytes(damaged)
        with pytest.raises(DataError, match="damaged"):
            read_cache(cached, "mnist_scale", 0, NORMALISATION)
    cached.write_bytes(intact)
    read_cache(cached, "mnist_scale", 0, NORMALISATION)


def test_pixels_are_checked_after_every_load(data_dir: Path, recipe: Recipe, cached: Path) -> None:
    """A file that is intact, but holds other pixels than the published ones, is not used."""
    data = mnist_scale(0, data_dir, recipe=recipe)
    data.test.images[3, 0, 14, 14] ^= 1
    write_cache(data, cached)
    with pytest.warns(DataWarning, match=f"pixels have MD5 .*expected {recipe.pixel_md5[0]}"):
        again = mnist_scale(0, data_dir, recipe=recipe)
    assert pixel_hash(again) == recipe.pixel_md5[0]


def test_another_realisation_under_this_name_is_not_used(
    data_dir: Path, recipe: Recipe, cached: Path
) -> None:
    mnist_scale(1, data_dir, recipe=recipe)
    cached.with_name("mnist_scale_1.cache").replace(cached)
    with pytest.warns(DataWarning, match="holds mnist_scale 1, expected mnist_scale 0"):
        mnist_scale(0, data_dir, recipe=recipe)


def test_a_foreign_archive_is_not_used(tmp_path: Path) -> None:
    from benchmarks.data.cache import digest_line

    payload = b"not an archive of arrays"
    (tmp_path / "file").write_bytes(digest_line(payload) + payload)
    with pytest.raises(DataError, match="not in the expected form"):
        read_cache(tmp_path / "file", "digits", 0, NORMALISATION)


def test_a_failed_write_leaves_nothing_and_the_old_file_in_place(
    cached: Path, small_digits: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    intact = cached.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_cache(small_digits, cached)
    assert [path.name for path in cached.parent.iterdir()] == [FILE]
    assert cached.read_bytes() == intact


def test_a_cache_that_cannot_be_written_costs_only_a_warning(
    data_dir: Path, recipe: Recipe, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("a file where a folder should be")
    with pytest.warns(DataWarning, match="could not be cached as .* again next time"):
        data = mnist_scale(0, data_dir, cache_dir=tmp_path / "file", recipe=recipe)
    assert pixel_hash(data) == recipe.pixel_md5[0]


def test_a_read_only_data_directory_is_left_alone(
    data_dir: Path, recipe: Recipe, tmp_path: Path
) -> None:
    """Also for the superuser, whom permission bits do not stop."""
    data_dir.chmod(0o555)
    try:
        mnist_scale(0, data_dir, recipe=recipe)
        assert [path.name for path in data_dir.iterdir()] == ["MNIST"]
    finally:
        data_dir.chmod(0o755)
    assert (tmp_path / "user_cache" / "sesn" / "mnist_scale" / FILE).is_file()
    assert may_write(data_dir / "mnist_scale")  # control: with the bits set it would be used


def test_a_cache_prepared_in_a_read_only_directory_is_used(
    data_dir: Path, recipe: Recipe, cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "generate", lambda *_: pytest.fail("the cache was not used"))
    data_dir.chmod(0o555)
    try:
        assert pixel_hash(mnist_scale(0, data_dir, recipe=recipe)) == recipe.pixel_md5[0]
    finally:
        data_dir.chmod(0o755)
    cached.unlink()
    with pytest.raises(pytest.fail.Exception, match="the cache was not used"):
        mnist_scale(0, data_dir, recipe=recipe)


def test_order_of_the_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, user = tmp_path / "data", tmp_path / "user_cache" / "sesn"
    assert cache_folders(data, None, "x") == [data / "x", user / "x"]
    assert cache_folders(None, None, "x") == [user / "x"]
    monkeypatch.setenv("SESN_CACHE_DIR", str(tmp_path / "chosen"))
    assert cache_folders(data, None, "x") == [tmp_path / "chosen" / "x"]
    assert cache_folders(data, tmp_path / "given", "x") == [tmp_path / "given" / "x"]
    monkeypatch.delenv("SESN_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folders(None, None, "x") == [tmp_path / ".cache" / "sesn" / "x"]


def test_a_user_without_a_home_has_no_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_: str) -> str:
        return "~/.cache"  # what there is no home for stays as it is

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", nobody)
    with pytest.raises(RuntimeError):
        Path("~/.cache").expanduser()
    assert cache_folders(tmp_path, None, "x") == [tmp_path / "x"]
    assert cache_folders(None, None, "x") == []


def test_first_writable_folder(tmp_path: Path) -> None:
    closed, open_ = tmp_path / "closed", tmp_path / "open"
    closed.mkdir(mode=0o555)
    assert first_writable([closed / "x", open_ / "x"]) == open_ / "x"
    assert first_writable([closed / "x"]) == closed / "x"
    closed.chmod(0o755)
    assert first_writable([closed / "x", open_ / "x"]) == closed / "x"


def test_unverified_data_would_differ(data_dir: Path, recipe: Recipe) -> None:
    """The negative control of every pixel check above: other realisations hash differently."""
    from benchmarks.data.mnist import read_mnist

    source = read_mnist(data_dir, files=recipe.files)
    assert pixel_hash(generate(source, 1, recipe)) != recipe.pixel_md5[0]
