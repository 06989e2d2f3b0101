"""Scenes in single rasters: bands, units, what is observed, and windows of them."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from scene_files import (
    PLACE,
    RGB,
    UTM,
    hide,
    read_scene,
    scene_values,
    write_dem,
    write_raster,
    write_rgb,
    write_scene,
)

from landslide_zoo.data.bands import BAND_NAMES
from landslide_zoo.scenes.products import SENTINEL_2
from landslide_zoo.scenes.rasters import Window
from landslide_zoo.scenes.scene import open_scene

PART = Window(10, 20, 30, 40)


def _levels() -> np.ndarray:
    values = scene_values(bands=RGB)
    return np.rint(255 * values / values.max())


def test_a_named_geotiff_gives_its_numbers_and_its_place(tmp_path: Path):
    with open_scene(write_scene(tmp_path / "scene.tif")) as scene:
        patch = scene.read(PART, ("B8", "slope", "B4"))

    assert (scene.name, scene.size, scene.unit) == ("scene", (96, 120), "physical")
    assert scene.bands == BAND_NAMES
    assert not scene.classification(PART).any()
    assert scene.grid.crs == UTM
    assert scene.grid.pixel_size == (10, 10)
    whole = scene_values()[[BAND_NAMES.index(name) for name in patch.bands]]
    np.testing.assert_array_equal(patch.values, whole[:, 10:40, 20:60])
    assert patch.values.dtype == np.float32
    assert patch.observed.all()
    assert patch.grid.transform == (10, 0, PLACE.c + 200, 0, -10, PLACE.f - 100)


@pytest.mark.parametrize(
    "bands",
    [
        RGB,
        (*RGB, "B8"),
        [name for name in SENTINEL_2 if name != "B10"],
        SENTINEL_2,
        BAND_NAMES,
    ],
    ids=len,
)
def test_bands_without_names_are_taken_in_the_usual_order(tmp_path: Path, bands):
    stored = scene_values(bands=bands)
    path = write_raster(tmp_path / "scene.tif", stored, photometric="minisblack")
    with open_scene(path) as scene:
        patch = scene.read(scene.whole)

    assert set(scene.bands) == set(bands) - {"B8A"}
    assert any("scene.tif have no names" in note for note in scene.notes)
    for name in scene.bands:
        np.testing.assert_array_equal(patch.select((name,))[0], stored[list(bands).index(name)])


# What the numbers are


def test_a_picture_has_display_values(tmp_path: Path):
    levels = _levels()
    path = write_raster(tmp_path / "picture.tif", levels, dtype="uint8", photometric="rgb")
    with open_scene(path) as scene:
        patch = scene.read(scene.whole, RGB)

    assert (scene.unit, patch.unit) == ("display", "display")
    np.testing.assert_allclose(patch.values, levels / 255, atol=1e-7)
    assert not scene.notes

    path = write_rgb(tmp_path / "real.tif", levels / 255, dtype="float32")
    with open_scene(path) as scene:
        assert scene.unit == "display"


@pytest.mark.parametrize(
    ("name", "level"),
    [("S2_L1C_2015", "L1C"), ("s2_l2a", "L2A"), ("MSIL2A_x", "L2A"), ("all2arms", None)],
)
def test_the_level_is_told_from_a_name_or_given(tmp_path: Path, name, level):
    path = write_scene(tmp_path / f"{name}.tif")
    with open_scene(path) as scene:
        assert scene.level == level
    with open_scene(path, level="L1C") as scene:
        assert scene.level == "L1C"


# What is observed


def test_blank_pixels_are_not_observed_and_a_dark_band_is(tmp_path: Path):
    stored = scene_values()
    stored[:12, :10] = 0
    stored[9, 20:30] = 0  # cirrus is as dark as that
    path = write_raster(tmp_path / "scene.tif", stored, BAND_NAMES, nodata=0)
    patch = read_scene(path)

    np.testing.assert_array_equal(patch.observed, np.arange(96)[:, None].repeat(120, 1) >= 10)
    assert (patch.values[:12, :10] == 0).all()


@pytest.mark.parametrize(
    ("number", "dtype", "nodata"),
    [
        (np.nan, "float32", None),
        (-9999, "float32", None),
        (-3.4e38, "float32", None),
        (65535, "uint16", None),
        (7, "uint16", 7),
    ],
)
def test_a_pixel_without_value_in_one_band_is_not_observed(tmp_path: Path, number, dtype, nodata):
    stored = np.maximum(scene_values(), 8)
    stored[3, 40:60, 50:70] = number
    path = write_raster(tmp_path / "scene.tif", stored, BAND_NAMES, dtype=dtype, nodata=nodata)
    patch = read_scene(path)

    expected = np.ones((96, 120), bool)
    expected[40:60, 50:70] = False
    np.testing.assert_array_equal(patch.observed, expected)
    assert np.isfinite(patch.values).all()
    hole = patch.values[3, 40:60, 50:70]
    around = patch.values[3, 39:61, 49:71][patch.observed[39:61, 49:71]]
    assert around.min() <= hole.min() <= hole.max() <= around.max()
    assert read_scene(path, RGB[1:]).observed.all()


def test_what_a_mask_or_alpha_hides_is_not_observed(tmp_path: Path):
    hidden = np.zeros((96, 120), bool)
    hidden[:, 100:] = True
    path = hide(write_rgb(tmp_path / "mask.tif"), hidden)
    np.testing.assert_array_equal(read_scene(path).observed, ~hidden)

    levels = np.concatenate([_levels(), 255.0 * ~hidden[None]])
    path = write_raster(
        tmp_path / "alpha.tif", levels, dtype="uint8", photometric="rgb", alpha="yes"
    )
    with rasterio.open(path) as dataset:
        assert dataset.colorinterp[3] == ColorInterp.alpha
    patch = read_scene(path)
    assert patch.bands == ("B2", "B3", "B4")
    np.testing.assert_array_equal(patch.observed, ~hidden)


def test_the_fingerprint_changes_with_file_and_options(tmp_path: Path):
    path = write_scene(tmp_path / "scene.tif")

    def fingerprint(**options):
        with open_scene(path, **options) as scene:
            return scene.fingerprint

    first = fingerprint()
    assert fingerprint() == first
    assert fingerprint(offset=-1000) != first
    assert fingerprint(dem=write_dem(tmp_path / "dem.tif")) != first
    write_scene(path, seed=1)
    assert fingerprint() != first
