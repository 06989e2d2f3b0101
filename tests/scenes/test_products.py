"""Sentinel-2 products: folders, ZIPs and files of bands at 10, 20 and 60 m, and their metadata."""

import shutil
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED

import numpy as np
import pytest
import rasterio
from affine import Affine
from scene_files import (
    PLACE,
    RESOLUTIONS,
    SENTINEL_2,
    metadata_xml,
    read_scene,
    scene_values,
    write_jp2,
    write_raster,
    write_safe,
    write_zip,
)
from scipy import ndimage

from landslide_zoo.data.bands import BAND_NAMES
from landslide_zoo.errors import DataError
from landslide_zoo.scenes.products import band_of, bands_given
from landslide_zoo.scenes.rasters import Window
from landslide_zoo.scenes.scene import SHADOWS, open_scene

SIZE = 120, 180
L2A_BANDS = tuple(name for name in SENTINEL_2 if name != "B10")


def _files(product: Path, *bands: str) -> list[Path]:
    numbers = {f"_B{int(name[1:]):02}" for name in bands}
    return sorted(p for p in product.rglob("*.jp2") if any(n in p.name for n in numbers))


def _expected(band: str, bands=L2A_BANDS) -> np.ndarray:
    return scene_values(*SIZE, bands)[bands.index(band)]


@pytest.fixture(scope="module")
def level_2a(tmp_path_factory) -> Path:
    return write_safe(tmp_path_factory.mktemp("level_2a"))


@pytest.mark.parametrize("given", ["folder", "metadata", "images", "zip", "files", "stored zip"])
def test_a_product_is_the_same_however_it_is_given(tmp_path: Path, level_2a: Path, given):
    images = next(level_2a.rglob("IMG_DATA"))
    path = {
        "folder": level_2a,
        "metadata": level_2a / "MTD_MSIL2A.xml",
        "images": images,
        "files": sorted(images.rglob("*.jp2")),
    }.get(given)
    if path is None:
        stored = {"zip": ZIP_DEFLATED, "stored zip": ZIP_STORED}[given]
        path = write_zip(tmp_path / f"{level_2a.stem}.SAFE.zip", level_2a, stored)
    with open_scene(path) as scene:
        patch = scene.read(scene.whole)
        classes = scene.classification(scene.whole)

    assert scene.name == level_2a.stem
    assert (scene.level, scene.size, scene.unit) == ("L2A", SIZE, "physical")
    assert scene.bands == tuple(name for name in BAND_NAMES[:12] if name != "B10")
    assert not classes.any()
    assert scene.grid.transform == PLACE[:6]
    assert patch.observed.all()
    for name in RESOLUTIONS[10]:
        np.testing.assert_array_equal(patch.select((name,))[0], _expected(name))
    (note,) = scene.notes
    assert "-1000 is added, as MTD_MSIL2A.xml says" in note


def test_coarser_bands_are_interpolated_between_their_centres(level_2a: Path):
    patch = read_scene(level_2a, ("B1", "B5"))
    with rasterio.open(*_files(level_2a, "B1")) as dataset:
        coarse = dataset.read(1) - 1000.0

    b1, b5 = patch.values
    places = (np.mgrid[:120, :180] + 0.5) / 6 - 0.5
    np.testing.assert_allclose(
        b1, ndimage.map_coordinates(coarse, places, order=1, mode="nearest"), rtol=1e-5
    )
    assert np.abs(b5 - _expected("B5")).mean() < 0.03 * _expected("B5").mean()


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_offset_and_quantification_are_undone(tmp_path: Path, level):
    bands = SENTINEL_2 if level == "L1C" else L2A_BANDS
    product = write_safe(tmp_path, level, offset=-1000, quantification=20_000)
    patch = read_scene(product, ("B8",))

    np.testing.assert_array_equal(patch.values[0], _expected("B8", bands))


def test_clouds_and_shadows_come_from_the_classification(tmp_path: Path):
    classes = np.full((60, 90), 4)
    classes[:10, :10], classes[:10, 10:20], classes[:10, 20:30] = 8, 9, 10
    classes[20:30, :10], classes[30:40, :10] = 3, 7
    with open_scene(write_safe(tmp_path, classes=classes)) as scene:
        cloud = scene.classification(scene.whole)
        part = scene.classification(Window(11, 37, 30, 31))
        shadow = scene.classification(scene.whole, SHADOWS)

    expected = np.zeros(SIZE, bool)
    expected[:20, :60] = True
    np.testing.assert_array_equal(cloud, expected)
    np.testing.assert_array_equal(part, expected[11:41, 37:68])
    assert np.argwhere(shadow).min(axis=0).tolist() == [40, 0]
    assert shadow.sum() == 400


def test_the_border_of_the_swath_is_not_observed(tmp_path: Path):
    patch = read_scene(write_safe(tmp_path, blank=60))

    assert not patch.observed[:, :60].any()
    assert patch.observed[:, 60:].all()
    assert (patch.values[:, :, :50] == 0).all()
    np.testing.assert_array_equal(patch.select(("B4",))[0][:, 60:], _expected("B4")[:, 60:])
    # The coarser bands at the border are those of the swath, not half of nothing.
    b1 = patch.select(("B1",))[0]
    assert b1[:, 60:66].min() > 0.8 * b1[:, 66:].min()


def test_the_finest_of_several_resolutions_is_taken(tmp_path: Path):
    values = scene_values(*SIZE, ("B4", "B3", "B2"))
    for metres, factor in ((10, 1), (20, 2), (60, 6)):
        for band, stored in zip(("B04", "B03", "B02"), values, strict=True):
            write_jp2(
                tmp_path / f"R{metres}m" / f"T43PFN_{band}_{metres}m.jp2",
                stored[: 120 // factor, : 180 // factor],
                PLACE @ Affine.scale(factor),
            )
    write_raster(
        tmp_path / "R10m" / "T43PFN_TCI_10m.jp2", values / 40, driver="JP2OpenJPEG", dtype="uint8"
    )
    with open_scene(tmp_path) as scene:
        np.testing.assert_array_equal(scene.read(scene.whole, ("B4", "B3", "B2")).values, values)


def test_files_of_other_places_or_twice_the_same_band_are_refused(tmp_path: Path):
    far = PLACE @ Affine.translation(5_000, 0)
    here = write_raster(tmp_path / "here_B04.tif", scene_values(bands=("B4",)))
    there = write_raster(tmp_path / "there_B03.tif", scene_values(bands=("B3",)), transform=far)
    with pytest.raises(DataError, match=r"there_B03\.tif has no ground in common"):
        open_scene([here, there])
    again = shutil.copy(here, tmp_path / "again_B04.tif")
    with pytest.raises(DataError, match=r"B4 is there twice, in .*"):
        open_scene([here, again])


def test_metadata_that_are_hostile_or_damaged_are_refused(tmp_path: Path, level_2a: Path):
    product = tmp_path / level_2a.name
    shutil.copytree(level_2a, product)
    metadata = product / "MTD_MSIL2A.xml"
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>'
    for content in (
        bomb,
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        metadata_xml()[:300],
        metadata_xml().replace(">-1000<", ">many<"),
        metadata_xml().replace('band_id="3"', 'band_id="99"'),
        metadata_xml(quantification=0),
        "<x>" + " " * 17_000_000 + "</x>",
    ):
        metadata.write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match=r"MTD_MSIL2A\.xml is no product's metadata"):
            open_scene(product)


@pytest.mark.parametrize(
    ("text", "band"),
    [
        ("B04", "B4"),
        ("Band 12", "B12"),
        ("B08", "B8"),
        ("B4 red", "B4"),
        ("T43PFN_20180815T050649_B8A_20m", "B8A"),
        ("S2A_43PFN_20180815_0_L2A.nir08", "B8A"),
        ("rededge1", "B5"),
        ("copernicus_dem", "DEM"),
        ("SCL_20m", "SCL"),
        ("red edge", None),
        ("quality", None),
    ],
)
def test_a_band_is_told_from_its_name(text, band):
    assert band_of(text) == band


def test_bands_can_be_named_and_left_out():
    assert bands_given(["nir", "-", "B04"], 3, "scene.tif") == ["B8", None, "B4"]
    assert bands_given(BAND_NAMES, 14, "scene.tif") == list(BAND_NAMES)
