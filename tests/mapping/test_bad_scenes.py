"""Rasters that are broken, claim too much or point elsewhere: one sentence each, nothing opened."""

import os
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
    write_dem,
    write_jp2,
    write_raster,
    write_rgb,
    write_safe,
    write_scene,
    write_zip,
)

from landslide_zoo.errors import DataError
from landslide_zoo.mapping.scenes import open_scene


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


def _page(path: Path) -> None:
    path.write_text("<html>the download failed</html>" * 50, encoding="utf-8")


def _vrt(path: Path) -> None:
    path.write_text(
        '<VRTDataset rasterXSize="96" rasterYSize="96"><VRTRasterBand dataType="UInt16" band="1">'
        "<SimpleSource><SourceFilename>/etc/passwd</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>",
        encoding="utf-8",
    )


def _wms(path: Path) -> None:
    path.write_text(
        '<GDAL_WMS><Service name="TMS"><ServerUrl>http://127.0.0.1:1/</ServerUrl></Service>'
        "</GDAL_WMS>",
        encoding="utf-8",
    )


def _truncated(path: Path) -> None:
    whole = write_scene(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def _header_alone(path: Path) -> None:
    path.write_bytes(write_scene(path).read_bytes()[:60])


def _truncated_jp2(path: Path) -> None:
    whole = write_jp2(path.with_suffix(".jp2"), scene_values(bands=("B4",))[0], PLACE).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def _huge(path: Path) -> None:
    _tiff(path, 10**9, 10**9, compression=1)


def _one_block(path: Path) -> None:
    _tiff(path, 90_000, 90_000, compression=8)


def _many_bands(path: Path) -> None:
    write_raster(path, np.ones((101, 8, 8)))


def _complex(path: Path) -> None:
    write_raster(path, np.ones((3, 40, 40)), dtype="complex64")


def _elsewhere(path: Path) -> None:
    """Metadata by which GDAL would take overviews from another file."""
    write_scene(path)
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns="OVERVIEWS", OVERVIEW_FILE="/etc/passwd")


def _geolocation(path: Path) -> None:
    write_scene(path)
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns="GEOLOCATION", X_DATASET="/etc/passwd", X_BAND="1")


def _no_place_on_earth(path: Path) -> None:
    far = Affine(10, 0, 9e9, 0, -10, 9e9)
    write_rgb(path, transform=far)


def _flat_transform(path: Path) -> None:
    flat = Affine(10, 10, PLACE.c, 10, 10, PLACE.f)
    write_rgb(path, transform=flat)


def _on_the_moon(path: Path) -> None:
    moon = (
        'GEOGCS["Moon",DATUM["Moon",SPHEROID["Moon",1737400,0]],PRIMEM["Moon",0],'
        'UNIT["degree",0.0174532925199433]]'
    )
    place = Affine(1e-4, 0, 10, 0, -1e-4, 10)
    write_rgb(path, crs=moon, transform=place)


def _pixels_of_a_kilometre(path: Path) -> None:
    write_rgb(path, transform=PLACE @ Affine.scale(100))


def _huge_jp2(path: Path) -> None:
    """A JPEG 2000 file whose header was changed to claim an image without tiles."""
    small = write_jp2(path.with_suffix(".jp2"), scene_values(bands=("B4",))[0], PLACE)
    content = bytearray(small.read_bytes())
    box, size = content.index(b"ihdr"), content.index(b"\xff\x51")
    content[box + 4 : box + 12] = struct.pack(">II", 90_000, 90_000)
    for field in (6, 22):
        content[size + field : size + field + 8] = struct.pack(">II", 90_000, 90_000)
    path.write_bytes(content)


def _five_bands(path: Path) -> None:
    write_raster(path, scene_values(bands=(*RGB, "B8", "B5")))


def _twice(path: Path) -> None:
    write_raster(path, scene_values(bands=RGB), ("B4", "red", "B2"))


def _empty(path: Path) -> None:
    path.touch()


REFUSED = {
    _page: "is neither a GeoTIFF nor JPEG 2000",
    _vrt: "is a VRT, which only points to other files",
    _wms: "is neither a GeoTIFF nor JPEG 2000",
    _truncated: "cannot be read: it is cut short or damaged",
    _header_alone: "cannot be read: it is cut short or damaged",
    _truncated_jp2: "cannot be read: it is cut short or damaged",
    _huge: "claims to be 1000000000 x 1000000000 pixels",
    _one_block: "is stored in blocks of 90000 x 90000 pixels",
    _many_bands: "has 101 bands, more than 100",
    _complex: "holds complex64",
    _elsewhere: "points to other files",
    _geolocation: "points to other files",
    _no_place_on_earth: "lie on no place of the Earth",
    _flat_transform: "lie on no place of the Earth",
    _on_the_moon: "lie on no place of the Earth",
    _pixels_of_a_kilometre: "are 1000 m wide",
    _huge_jp2: "claims to be 90000 x 90000 pixels, more than a side of 32768",
    _five_bands: "has 5 bands without names",
    _twice: "has a band twice",
    _empty: "is empty",
}


@pytest.mark.parametrize("write", REFUSED, ids=lambda write: write.__name__.strip("_"))
def test_a_bad_raster_is_refused_with_a_sentence(tmp_path: Path, write):
    path = tmp_path / "bad_B04.tif"
    write(path)
    with pytest.raises(DataError) as refusal:
        open_scene(path)

    assert REFUSED[write] in str(refusal.value)
    assert "bad_B04.tif" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    good = write_rgb(tmp_path / "good.tif")
    if write not in (_five_bands, _twice, _pixels_of_a_kilometre):
        with pytest.raises(DataError, match=r"bad_B04\.tif"):
            open_scene(good, dem=path)


def test_damage_in_the_middle_is_found_where_it_is_read(tmp_path: Path):
    path = write_rgb(
        tmp_path / "scene.tif",
        scene_values(256, 256, RGB),
        compress="deflate",
        tiled=True,
        blockxsize=128,
        blockysize=128,
    )
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(200)
    path.write_bytes(content)
    with (
        pytest.raises(DataError, match=r"scene\.tif cannot be read"),
        open_scene(path) as scene,
    ):
        scene.read(scene.whole)


def test_a_pipe_and_a_link_to_itself_are_refused(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.tif")
    (tmp_path / "loop.tif").symlink_to(tmp_path / "loop.tif")
    with pytest.raises(DataError, match="neither a file nor a folder"):
        open_scene(tmp_path / "pipe.tif")
    with pytest.raises(DataError, match=r"loop\.tif cannot be opened"):
        open_scene(tmp_path / "loop.tif")


@pytest.mark.parametrize("given", ["http://127.0.0.1:1/a.tif", "/vsicurl/http://127.0.0.1:1/a.tif"])
def test_addresses_are_no_files(given):
    with pytest.raises(DataError, match="There is no file or folder"):
        open_scene(given)


def test_companions_of_a_file_are_not_looked_at(tmp_path: Path):
    """Masks, overviews, statistics and world files beside a raster do not change what is read."""
    path = write_rgb(tmp_path / "scene.tif")
    with open_scene(path) as scene:
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
    with open_scene(path) as scene:
        after = scene.read(scene.whole)
        assert scene.grid == grid

    np.testing.assert_array_equal(after.values, before.values)
    np.testing.assert_array_equal(after.observed, before.observed)
    assert after.bands == before.bands


def test_settings_of_gdal_are_as_before_once_a_scene_is_read(tmp_path: Path):
    write_rgb(tmp_path / "scene.tif")
    with rasterio.Env() as environment:
        before = dict(environment.options)
        with open_scene(tmp_path / "scene.tif") as scene:
            scene.read(scene.whole)
        assert dict(environment.options) == before


@pytest.mark.parametrize("name", ["../outside_B04.tif", "/etc/B04.tif", "a\\B04.tif"])
def test_a_zip_whose_members_lead_out_of_it_is_refused(tmp_path: Path, name):
    raster = write_raster(tmp_path / "B04.tif", scene_values(bands=("B4",)))
    with zipfile.ZipFile(tmp_path / "scene.zip", "w") as archive:
        info = zipfile.ZipInfo("x")
        info.filename = name
        archive.writestr(info, raster.read_bytes())
    with pytest.raises(DataError, match=r"in scene\.zip leads out of the ZIP"):
        open_scene(tmp_path / "scene.zip")


def test_a_broken_zip_is_refused(tmp_path: Path):
    whole = write_zip(tmp_path / "a.zip", write_safe(tmp_path)).read_bytes()
    (tmp_path / "a.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"a\.zip cannot be read"):
        open_scene(tmp_path / "a.zip")


def test_a_zip_of_far_too_many_files_is_refused(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for i in range(20_001):
            archive.writestr(f"{i}.txt", b"")
    with pytest.raises(DataError, match=r"many\.zip holds more than 20000 files"):
        open_scene(tmp_path / "many.zip")


def test_a_vrt_inside_a_folder_or_zip_is_not_opened(tmp_path: Path):
    folder = tmp_path / "scene"
    for name in RGB:
        write_raster(folder / f"{name}.tif", scene_values(bands=(name,)))
    _vrt(folder / "B8.vrt")
    for path in (folder, write_zip(tmp_path / "scene.zip", folder)):
        with open_scene(path) as scene:
            assert scene.bands == ("B2", "B3", "B4")
    _vrt(folder / "B8.tif")
    with pytest.raises(DataError, match=r"B8\.tif is a VRT"):
        open_scene(folder)


def test_a_product_with_one_damaged_band_names_it(tmp_path: Path):
    product = write_safe(tmp_path)
    band = next(product.rglob("*_B11_20m.jp2"))
    band.write_bytes(band.read_bytes()[:700])
    with pytest.raises(DataError, match=r"_B11_20m\.jp2 cannot be read"):
        open_scene(product)


def test_nothing_given_is_refused():
    with pytest.raises(DataError, match="No scene was given"):
        open_scene([])


def test_closing_a_scene_closes_its_files(tmp_path: Path):
    path = write_scene(tmp_path / "scene.tif")
    dem = write_dem(tmp_path / "dem.tif")
    open_files = Path("/proc/self/fd")
    if not open_files.is_dir():
        pytest.skip("this system does not list open files")
    before = len(list(open_files.iterdir()))
    with open_scene(path, dem=dem) as scene:
        scene.read(scene.whole)
        assert len(list(open_files.iterdir())) > before
    assert len(list(open_files.iterdir())) == before
    with pytest.raises(DataError):
        open_scene(path, dem=write_raster(tmp_path / "two.tif", np.ones((2, 9, 9))))
    assert len(list(open_files.iterdir())) == before
