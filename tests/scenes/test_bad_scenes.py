"""Rasters that are broken, claim too much or point elsewhere: one sentence each, nothing opened."""

import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from scene_files import (
    PLACE,
    RGB,
    scene_values,
    write_jp2,
    write_raster,
    write_rgb,
    write_scene,
    write_zip,
)

from landslide_zoo.errors import DataError
from landslide_zoo.scenes.scene import open_scene


def _tiff(path: Path, width: int, height: int, compression: int) -> Path:
    """Write a TIFF of 2,000 bytes that claims any size, in one strip."""
    entries = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, 16),
        (259, 3, compression),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (278, 4, height),
        (279, 4, 1000),
    ]
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    head += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    path.write_bytes(head + bytes(2000))
    return path


PAGE = "<html>the download failed</html>" * 50
VRT = (
    '<VRTDataset rasterXSize="96" rasterYSize="96"><VRTRasterBand dataType="UInt16" band="1">'
    "<SimpleSource><SourceFilename>/etc/passwd</SourceFilename></SimpleSource>"
    "</VRTRasterBand></VRTDataset>"
)


def _cut_short(path: Path, whole: Path) -> None:
    content = whole.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _pointing(path: Path, namespace: str, **tags: str) -> None:
    """Metadata by which GDAL would take something from another file."""
    write_scene(path)
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns=namespace, **tags)


def _jp2(path: Path) -> Path:
    return write_jp2(path.with_suffix(".jp2"), scene_values(bands=("B4",))[0], PLACE)


SHORT, NOWHERE = "if it is cut short or damaged", "lie on no place of the Earth"
REFUSED = {
    "page": (lambda path: path.write_text(PAGE), "is neither a GeoTIFF nor JPEG 2000"),
    "vrt": (lambda path: path.write_text(VRT), "is neither a GeoTIFF nor JPEG 2000"),
    "truncated": (lambda path: _cut_short(path, write_scene(path)), SHORT),
    "truncated jp2": (lambda path: _cut_short(path, _jp2(path)), SHORT),
    "huge": (
        lambda path: _tiff(path, 10**9, 10**9, compression=1),
        "claims to be 1000000000 x 1000000000 pixels",
    ),
    "one block": (
        lambda path: _tiff(path, 90_000, 90_000, compression=8),
        "is stored in blocks of 90000 x 90000 pixels",
    ),
    "overviews elsewhere": (
        lambda path: _pointing(path, "OVERVIEWS", OVERVIEW_FILE="/etc/passwd"),
        "points to other files",
    ),
    "geolocation": (
        lambda path: _pointing(path, "GEOLOCATION", X_DATASET="/etc/passwd", X_BAND="1"),
        "points to other files",
    ),
    "no place on Earth": (
        lambda path: write_rgb(path, transform=Affine(10, 0, 9e9, 0, -10, 9e9)),
        NOWHERE,
    ),
    "flat transform": (
        lambda path: write_rgb(path, transform=Affine(10, 10, PLACE.c, 10, 10, PLACE.f)),
        NOWHERE,
    ),
}
"""What is no raster, as bands and as elevation: what writes it, and what is said of it."""
NO_BANDS = {
    "pixels of a kilometre": (
        lambda path: write_rgb(path, transform=PLACE @ Affine.scale(100)),
        "are 1000 m wide",
    ),
    "five bands": (
        lambda path: write_raster(path, scene_values(bands=(*RGB, "B8", "B5"))),
        "has 5 bands without names",
    ),
    "twice": (
        lambda path: write_raster(path, scene_values(bands=RGB), ("B4", "red", "B2")),
        "has a band twice",
    ),
}


@pytest.mark.parametrize("kind", [*REFUSED, *NO_BANDS])
def test_a_bad_raster_is_refused_with_a_sentence(tmp_path: Path, kind: str):
    path = tmp_path / "bad_B04.tif"
    write, sentence = (REFUSED | NO_BANDS)[kind]
    write(path)
    with pytest.raises(DataError) as refusal:
        open_scene(path)

    assert sentence in str(refusal.value)
    assert "bad_B04.tif" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    good = write_rgb(tmp_path / "good.tif")
    if kind in REFUSED:
        with pytest.raises(DataError, match=r"bad_B04\.tif"):
            open_scene(good, dem=path)


def test_companions_of_a_file_are_not_looked_at(tmp_path: Path):
    """Masks, overviews, statistics and world files beside a raster do not change what is read."""
    path = write_rgb(tmp_path / "scene.tif")
    with open_scene(path, companions=False) as scene:
        before = scene.read(scene.whole)
        grid = scene.grid
    mask = write_raster(tmp_path / "mask.tif", np.zeros((1, 96, 120)), dtype="uint8")
    shutil.copy(mask, tmp_path / "scene.tif.msk")
    shutil.copy(mask, tmp_path / "scene.tif.ovr")
    (tmp_path / "scene.tfw").write_text("1\n0\n0\n-1\n0\n0\n", encoding="utf-8")
    (tmp_path / "scene.tif.aux.xml").write_text(
        '<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">/etc/passwd</MDI>'
        '</Metadata><PAMRasterBand band="1"><NoDataValue>500</NoDataValue>'
        "<Description>B8</Description></PAMRasterBand></PAMDataset>",
        encoding="utf-8",
    )
    with open_scene(path, companions=False) as scene:
        after = scene.read(scene.whole)
        assert scene.grid == grid

    np.testing.assert_array_equal(after.values, before.values)
    np.testing.assert_array_equal(after.observed, before.observed)
    assert after.bands == before.bands


@pytest.mark.parametrize("name", ["../outside_B04.tif", "/etc/B04.tif", "..\\B04.tif"])
def test_a_zip_whose_members_lead_out_of_it_is_refused(tmp_path: Path, name):
    raster = write_raster(tmp_path / "B04.tif", scene_values(bands=("B4",)))
    with zipfile.ZipFile(tmp_path / "scene.zip", "w") as archive:
        info = zipfile.ZipInfo("x")
        info.filename = name
        archive.writestr(info, raster.read_bytes())
    with pytest.raises(DataError, match=r"in scene\.zip leads out of the ZIP"):
        open_scene(tmp_path / "scene.zip")


def test_a_vrt_inside_a_folder_or_zip_is_not_opened(tmp_path: Path):
    folder = tmp_path / "scene"
    for name in RGB:
        write_raster(folder / f"{name}.tif", scene_values(bands=(name,)))
    (folder / "B8.vrt").write_text(VRT)
    for path in (folder, write_zip(tmp_path / "scene.zip", folder)):
        with open_scene(path) as scene:
            assert scene.bands == ("B2", "B3", "B4")
    (folder / "B8.tif").write_text(VRT)
    with pytest.raises(DataError, match=r"B8\.tif is neither"):
        open_scene(folder)
