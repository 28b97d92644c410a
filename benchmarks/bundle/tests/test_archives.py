"""Archives of what a bundle leaves: whole, or refused."""

from pathlib import Path

import pytest

from benchmarks.bundle.archives import RESULTS, ArchiveError, contents, leave


def test_an_archive_with_one_changed_byte_is_no_shorter_archive(tmp_path: Path) -> None:
    record = tmp_path / "training-0123.json"
    record.write_text("0123456789" * 50)
    (tmp_path / "out").mkdir()
    leave(tmp_path / "out", [record], [], [])
    archive = tmp_path / "out" / RESULTS
    whole = archive.read_bytes()
    for place in range(10, len(whole), 7):
        archive.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ArchiveError, match=RESULTS):
            list(contents(archive))


def test_a_checkpoint_that_changed_is_left_out_and_the_others_are_not(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.pt" for name in "abc"]
    for path in paths:
        path.write_bytes(path.name.encode() * 200)
    (tmp_path / "out").mkdir()
    leave(tmp_path / "out", [], [], paths)
    archive = tmp_path / "out" / "checkpoints-1.tar"
    whole = archive.read_bytes()
    for damage in (whole.replace(b"b.ptb.pt", b"b.ptc.pt", 1), whole[: whole.index(b"sums.json")]):
        archive.write_bytes(damage)
        found = dict[str, bytes]()
        with pytest.raises(
            ArchiveError, match=r"b\.pt changed or missing|sums are missing|damaged"
        ):
            collect(archive, found)
        assert {"checkpoints/a.pt", "checkpoints/c.pt"} <= found.keys()
        for name, content in found.items():
            assert content == name.removeprefix("checkpoints/").encode() * 200


def collect(archive: Path, found: dict[str, bytes]) -> None:
    for name, content in contents(archive):
        found[name] = content
