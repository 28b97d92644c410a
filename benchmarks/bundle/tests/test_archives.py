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
