"""Places that are no paths: what lies there is copied once, and written whole."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import fsspec
import pytest

from landslide_zoo.errors import DataError
from landslide_zoo.mapping.storage import (
    absolute,
    fetch,
    is_remote,
    local_path,
    read_text,
    sizes_in,
    stamps_of,
    store,
    write_text,
)

PLACE = "memory://bucket/scenes"


@pytest.fixture
def bucket() -> fsspec.AbstractFileSystem:
    """Object storage in memory with a raster and a product folder, removed afterwards."""
    system = fsspec.filesystem("memory")
    system.pipe("/bucket/scenes/valley.tif", b"a raster")
    system.pipe("/bucket/scenes/S2A.SAFE/MTD.xml", b"<metadata/>")
    system.pipe("/bucket/scenes/S2A.SAFE/GRANULE/B02.jp2", b"blue")
    yield system
    system.rm("/bucket", recursive=True)


def test_paths_are_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scene = tmp_path / "a scene.tif"
    scene.write_bytes(b"1")
    assert not is_remote("a scene.tif") and not is_remote(scene.as_uri())
    assert is_remote("s3://bucket/scene.tif") and is_remote(PLACE)
    assert local_path(scene.as_uri()) == scene
    assert fetch(str(scene), tmp_path / "copies") == scene
    assert absolute("a scene.tif") == str(scene) and absolute(PLACE) == PLACE
    assert [path.name for path in tmp_path.iterdir()] == ["a scene.tif"]


def test_a_file_and_a_folder_are_copied(bucket: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    raster = fetch(f"{PLACE}/valley.tif", tmp_path)
    assert raster == tmp_path / "valley.tif" and raster.read_bytes() == b"a raster"
    product = fetch(f"{PLACE}/S2A.SAFE", tmp_path)
    assert product == tmp_path / "S2A.SAFE"
    assert (product / "MTD.xml").read_bytes() == b"<metadata/>"
    assert (product / "GRANULE" / "B02.jp2").read_bytes() == b"blue"
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]


def test_what_was_copied_is_copied_again_only_where_it_changed(
    bucket: fsspec.AbstractFileSystem, tmp_path: Path
) -> None:
    before = stamps_of(f"{PLACE}/valley.tif")
    copy = fetch(f"{PLACE}/valley.tif", tmp_path)
    first = copy.stat()
    assert os.path.samestat(fetch(f"{PLACE}/valley.tif", tmp_path).stat(), first)
    # Another machine's copy of the same file has the same time, so that the scene is the same.
    elsewhere = fetch(f"{PLACE}/valley.tif", tmp_path / "elsewhere")
    assert elsewhere.stat().st_mtime_ns == first.st_mtime_ns

    bucket.pipe("/bucket/scenes/valley.tif", b"another!")
    assert stamps_of(f"{PLACE}/valley.tif") != before
    assert fetch(f"{PLACE}/valley.tif", tmp_path).read_bytes() == b"another!"


def test_the_files_of_a_folder_have_stamps(tmp_path: Path) -> None:
    for name in ("b.jp2", "inner/a.jp2"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    stamps = stamps_of(str(tmp_path))
    assert [(name, size) for name, size, _ in stamps] == [("b.jp2", 5), ("inner/a.jp2", 11)]
    os.utime(tmp_path / "b.jp2", (1, 1))
    assert stamps_of(str(tmp_path)) != stamps


@pytest.mark.parametrize("remote", [True, False])
def test_what_is_written_can_be_read(
    bucket: fsspec.AbstractFileSystem, tmp_path: Path, remote: bool
) -> None:
    folder = "memory://bucket/maps" if remote else str(tmp_path / "maps")
    assert read_text(f"{folder}/.finished/one.json") is None
    assert sizes_in(folder) == {}
    write_text(f"{folder}/.finished/one.json", "done: é")
    assert read_text(f"{folder}/.finished/one.json") == "done: é"
    mask = tmp_path / "valley_mask.tif"
    mask.write_bytes(b"123")
    store([mask], folder)
    assert sizes_in(folder) == {"valley_mask.tif": 3}


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        (f"{PLACE}/gone.tif", f"There is no {PLACE}/gone.tif"),
        ("nope://bucket/scene.tif", "nope://bucket/scene.tif cannot be reached"),
        ("/no/such/scene.tif", "There is no /no/such/scene.tif"),
    ],
)
def test_what_cannot_be_had_is_a_sentence(place: str, sentence: str) -> None:
    with pytest.raises(DataError) as told:
        stamps_of(place)
    assert str(told.value).startswith(sentence) and str(told.value).endswith(".")


def test_a_storage_whose_package_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(DataError, match=r"s3://bucket/x\.tif needs another package .*s3fs"):
        stamps_of("s3://bucket/x.tif")


def test_a_name_that_leads_out_of_its_folder_is_refused(
    bucket: fsspec.AbstractFileSystem, tmp_path: Path
) -> None:
    bucket.store["/bucket/scenes/S2A.SAFE/../../x.jp2"] = bucket.open("/bucket/scenes/valley.tif")
    with pytest.raises(DataError, match="leads out of its folder"):
        fetch(f"{PLACE}/S2A.SAFE", tmp_path / "copies")
    assert not (tmp_path / "x.jp2").exists()
