"""Files are written whole, whoever else writes or reads them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from landslide_zoo.errors import DataError
from landslide_zoo.io import public_name, write_whole


def test_many_writers_of_one_file_never_mix(tmp_path: Path) -> None:
    contents = [bytes([number]) * 200_000 for number in range(16)]
    path = tmp_path / "made" / "record.json"

    def write(content: bytes) -> bytes:
        write_whole(path, content)
        return path.read_bytes()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(write, contents * 8)) <= set(contents)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_records_name_a_path_by_its_last_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "someone" / "patches").mkdir(parents=True)
    (tmp_path / "weights.pth").touch()
    monkeypatch.chdir(tmp_path)
    assert public_name("someone/patches") == "patches"
    assert public_name(tmp_path / "someone" / "..") == tmp_path.name
    assert public_name(tmp_path / "weights.pth") == "weights.pth"
    for name in ("someone/on-the-hub", "imagenet", "--epochs", "x" * 5000):
        assert public_name(name) == name


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "card.md").mkdir()
    for path in (tmp_path / "card.md", tmp_path / "card.md" / "x" / ("n" * 300)):
        with pytest.raises(DataError, match="cannot be written"):
            write_whole(path, "text")
    assert [file.name for file in tmp_path.iterdir()] == ["card.md"]
