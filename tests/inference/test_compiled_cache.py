"""Compiled networks on disk: whole or not there, bounded, shared by processes."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from landslide_zoo.inference.backends.compiled import CompiledCache, cache_folder


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    cache = CompiledCache(tmp_path / "made")
    assert cache.read("a") is None
    cache.write("a", b"network")
    assert cache.read("a") == b"network" and cache.read("b") is None
    assert [path.suffix for path in cache.folder.iterdir()] == [".blob"]
    cache.remove("a")
    assert cache.read("a") is None


@pytest.mark.parametrize("damage", [b"", b"net", b"netw0rk"])
def test_a_damaged_file_is_as_if_it_were_not_there(tmp_path: Path, damage: bytes) -> None:
    cache = CompiledCache(tmp_path)
    cache.write("a", b"network")
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage)
    assert cache.read("a") is None and not path.exists()
    cache.write("a", b"network")
    assert cache.read("a") == b"network"


def test_the_longest_unused_go_first(tmp_path: Path) -> None:
    cache = CompiledCache(tmp_path, limit=250)
    for age, key in ((300, "a"), (200, "b")):
        cache.write(key, key.encode() * 100)
        (path,) = tmp_path.glob(f"{key}.*")
        os.utime(path, (time.time() - age,) * 2)
    assert cache.read("a") is not None  # used now
    cache.write("c", b"c" * 100)
    assert [key for key in "abc" if cache.read(key)] == ["a", "c"]
    cache.write("d", b"d" * 1000)  # larger than the limit: alone
    assert [key for key in "abcd" if cache.read(key)] == ["d"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    for name, age in (("killed.new", 7200), ("writing.new", 0)):
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    CompiledCache(tmp_path).write("a", b"network")
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".blob", ".new"]


def test_many_write_and_read_at_once(tmp_path: Path) -> None:
    content = bytes(range(256)) * 4000

    def work(_: int) -> bytes | None:
        cache = CompiledCache(tmp_path)
        cache.write("a", content)
        return cache.read("a")

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(64))) == {content}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_cannot_be_written_to_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"no folder")
    cache = CompiledCache(tmp_path / "file" / "inside")
    cache.write("a", b"network")
    assert cache.read("a") is None


def test_the_environment_names_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LANDSLIDE_ZOO_CACHE", str(tmp_path))
    assert CompiledCache().folder == tmp_path / "compiled"
    monkeypatch.delenv("LANDSLIDE_ZOO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "landslide-zoo"
