"""Sentinel-2 products: folders, ZIPs and files of bands at 10, 20 and 60 m, and their metadata."""

import shutil
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS
from scene_files import (
    PLACE,
    RESOLUTIONS,
    SENTINEL_2,
    UTM,
    metadata_xml,
    read_in_parts,
    read_scene,
    real_level_1c,
    scene_values,
    write_dem,
    write_jp2,
    write_raster,
    write_safe,
    write_zip,
)
from scipy import ndimage

from landslide_zoo.data.bands import BAND_NAMES
from landslide_zoo.errors import DataError
from landslide_zoo.mapping.rasters import Placement, Window
from landslide_zoo.mapping.scenes import SHADOWS, open_scene

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


@pytest.fixture(scope="module")
def level_1c(tmp_path_factory) -> Path:
    return write_safe(tmp_path_factory.mktemp("level_1c"), "L1C", offset=0)


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
    assert scene.classified
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


def test_windows_of_a_product_make_the_whole(level_2a: Path):
    whole = read_scene(level_2a)
    parts = read_in_parts(level_2a, 40, 45, whole.bands)
    np.testing.assert_allclose(parts, whole.values, rtol=1e-6)


def test_a_level_1c_product_has_cirrus_and_no_offset(level_1c: Path):
    with open_scene(level_1c) as scene:
        patch = scene.read(scene.whole, ("B4",))

    assert (scene.level, scene.classified, scene.notes) == ("L1C", False, ())
    assert "B10" in scene.bands
    np.testing.assert_array_equal(patch.values[0], _expected("B4", SENTINEL_2))


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_offset_and_quantification_are_undone(tmp_path: Path, level):
    bands = SENTINEL_2 if level == "L1C" else L2A_BANDS
    product = write_safe(tmp_path, level, offset=-1000, quantification=20_000)
    patch = read_scene(product, ("B8",))

    np.testing.assert_array_equal(patch.values[0], _expected("B8", bands))


def test_the_offset_is_told_from_the_name_where_metadata_are_missing(tmp_path: Path, level_2a):
    product = tmp_path / level_2a.name
    shutil.copytree(level_2a, product)
    (product / "MTD_MSIL2A.xml").unlink()
    with open_scene(product) as scene:
        patch = scene.read(scene.whole, ("B4",))

    assert scene.level == "L2A"
    assert "as the name S2A_MSIL2A" in scene.notes[0]
    np.testing.assert_array_equal(patch.values[0], _expected("B4"))


def test_level_and_offset_that_nothing_tells_are_given(tmp_path: Path, level_2a: Path):
    copied = [
        shutil.copy(path, tmp_path / f"{path.stem[-7:]}.jp2")
        for path in _files(level_2a, "B4", "B3", "B2")
    ]
    with open_scene(copied) as scene:
        assert scene.level is None
        assert "to which 1000 was added" in scene.notes[0]
    with open_scene(copied, level="L2A", offset=-1000) as scene:
        patch = scene.read(scene.whole, ("B4",))

    assert (scene.level, scene.notes) == ("L2A", ())
    np.testing.assert_array_equal(patch.values[0], _expected("B4"))


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


def test_classes_are_not_mixed_where_they_are_warped(tmp_path: Path):
    classes = np.full((60, 90), 4)
    classes[20:40, 30:60] = 10
    product = write_safe(tmp_path, classes=classes)
    degree = 1 / 11_132
    longitude, latitude = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True).transform(
        PLACE.c, PLACE.f
    )
    transform = Affine(degree, 0, longitude, 0, -degree, latitude)
    onto = Placement(CRS.from_epsg(4326), transform, 120, 180)
    with open_scene(product, onto=onto) as scene:
        cloud = scene.classification(scene.whole)
        vegetation = scene.classification(scene.whole, (4,))
        between = scene.classification(scene.whole, (5, 6, 7, 8, 9))

    assert cloud.sum() == pytest.approx(40 * 60, rel=0.05)
    assert vegetation.sum() == pytest.approx(120 * 180 - 40 * 60, rel=0.05)
    assert not between.any()


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


def test_bands_named_as_catalogues_do_are_put_together(tmp_path: Path):
    names = ("red", "green", "blue", "nir", "nir08", "swir16")
    bands = ("B4", "B3", "B2", "B8", "B8A", "B11")
    values = scene_values(*SIZE, bands)
    for name, stored in zip(names, values, strict=True):
        write_raster(tmp_path / f"{name}.tif", stored[None])
    (tmp_path / "thumbnail.jpg").write_bytes(b"\xff\xd8")
    (tmp_path / "item.json").write_text("{}", encoding="utf-8")
    with open_scene(tmp_path) as scene:
        patch = scene.read(scene.whole)

    assert scene.bands == ("B2", "B3", "B4", "B8", "B11")
    np.testing.assert_array_equal(patch.select(("B11",))[0], values[5])


def test_bands_in_another_projection_are_warped_onto_the_rest(tmp_path: Path):
    values = scene_values(*SIZE, ("B4", "B3", "B2"))
    for band, stored in zip(("B04", "B03", "B02"), values, strict=True):
        write_raster(tmp_path / f"{band}.tif", stored[None])
    degrees = write_dem(
        tmp_path / "B08.tif",
        height=120,
        width=180,
        elevation=lambda x, y: (x - PLACE.c) + 2 * (PLACE.f - y),
        pixel=1 / 11_132,
    )
    with open_scene(tmp_path) as scene:
        nir = scene.read(scene.whole, ("B8",)).values[0]

    assert any(degrees.name in note and "EPSG:4326" in note for note in scene.notes)
    rows, columns = np.mgrid[:120, :180] * 10 + 5
    np.testing.assert_allclose(nir, columns + 2 * rows, atol=1)


def test_files_of_other_places_or_twice_the_same_band_are_refused(tmp_path: Path):
    far = PLACE @ Affine.translation(5_000, 0)
    here = write_raster(tmp_path / "here_B04.tif", scene_values(bands=("B4",)))
    there = write_raster(tmp_path / "there_B03.tif", scene_values(bands=("B3",)), transform=far)
    with pytest.raises(DataError, match=r"there_B03\.tif has no ground in common with here_B04"):
        open_scene([here, there])
    again = shutil.copy(here, tmp_path / "again_B04.tif")
    with pytest.raises(DataError, match=r"B4 is there twice, in .*: give the files of one scene"):
        open_scene([here, again])


def test_one_file_without_a_projection_among_others_is_refused(tmp_path: Path):
    placed = write_raster(tmp_path / "B04.tif", scene_values(bands=("B4",)))
    nowhere = write_raster(
        tmp_path / "B03.tif", scene_values(bands=("B3",)), crs=None, transform=None
    )
    with pytest.raises(DataError, match="all of them with a projection"):
        open_scene([placed, nowhere])


def test_a_file_that_does_not_say_which_band_it_is_is_refused(tmp_path: Path):
    path = write_raster(tmp_path / "image.tif", scene_values(bands=("B4",)))
    with pytest.raises(DataError, match=r"image\.tif does not say which band it is"):
        open_scene(path)
    with open_scene(path, bands=("B4",)) as scene:
        assert scene.bands == ("B4",)


def test_a_folder_without_bands_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="holds no band of Sentinel-2"):
        open_scene(tmp_path)
    with pytest.raises(DataError, match="There is no file or folder"):
        open_scene(tmp_path / "missing.SAFE")


def test_a_real_level_1c_crop_is_read_at_10_metres():
    folder = real_level_1c()
    names = tuple(name for name in SENTINEL_2 if name != "B8A")
    with open_scene(folder) as scene:
        assert scene.size == (1947, 1933)
        assert scene.grid.crs == "EPSG:32618"
        assert scene.bands == names
        patch = scene.read(Window(900, 900, 256, 256))
        corner = scene.read(Window(1947 - 64, 1933 - 64, 64, 64))
    with rasterio.open(folder / "s2_B04.jp2") as dataset:
        red = dataset.read(1, window=((900, 1156), (900, 1156)))

    np.testing.assert_array_equal(patch.select(("B4",))[0], red)
    assert patch.observed.all()
    assert corner.observed.all()  # 60 m pixels end 30 m before it


def test_metadata_that_are_hostile_or_damaged_are_refused(tmp_path: Path, level_2a: Path):
    product = tmp_path / level_2a.name
    shutil.copytree(level_2a, product)
    metadata = product / "MTD_MSIL2A.xml"
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>'
    for content, sentence in (
        (bomb, "declares a document type"),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', "declares a document type"),
        (metadata_xml()[:300], "no whole XML file"),
        (metadata_xml().replace(">-1000<", ">many<"), "offsets or a quantification that are none"),
        (metadata_xml().replace('band_id="3"', 'band_id="99"'), "offsets or a quantification"),
        (metadata_xml(quantification=0), "offsets or a quantification"),
        ("<x>" + " " * 17_000_000 + "</x>", "larger than any product's metadata"),
    ):
        metadata.write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match=rf"MTD_MSIL2A\.xml.*{sentence}"):
            open_scene(product)
