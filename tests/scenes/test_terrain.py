"""Elevation and slope from rasters in any projection and resolution."""

from pathlib import Path

import numpy as np
import pytest
from scene_files import (
    PLACE,
    RGB,
    UTM,
    read_scene,
    scene_values,
    write_dem,
    write_raster,
    write_rgb,
    write_scene,
)

from landslide_zoo.data.bands import BAND_NAMES
from landslide_zoo.errors import DataError
from landslide_zoo.scenes.scene import open_scene

TERRAIN = ("DEM", "slope")


def tilted(x, y):
    """A plane that rises 0.4 m a metre to the east and 0.3 m to the north: 26.565 degrees."""
    return 1000 + 0.4 * (x - PLACE.c) + 0.3 * (y - PLACE.f)


TILT = np.degrees(np.arctan(0.5))


@pytest.fixture
def scene_path(tmp_path: Path) -> Path:
    return write_rgb(tmp_path / "scene.tif")


@pytest.mark.parametrize(
    ("crs", "pixel"),
    [
        ("EPSG:4326", 1 / 3600),
        (UTM, 10),
        (UTM, 2),
        ("EPSG:32644", 25),
    ],
)
def test_elevation_and_slope_fit_the_ground_whatever_the_raster(tmp_path, scene_path, crs, pixel):
    dem = write_dem(tmp_path / "dem.tif", elevation=tilted, crs=crs, pixel=pixel)
    with open_scene(scene_path, dem=dem) as scene:
        patch = scene.read(scene.whole, TERRAIN)

    elevation, slope = patch.values
    rows, columns = np.mgrid[:96, :120] + 0.5
    expected = tilted(*(PLACE @ (columns, rows)))
    assert patch.observed.all()
    assert not scene.notes
    np.testing.assert_allclose(elevation, expected, atol=1.5)
    np.testing.assert_allclose(slope, TILT, atol=0.3)


def test_slope_and_elevation_of_a_scene_are_kept_unless_others_are_given(tmp_path: Path):
    path = write_scene(tmp_path / "scene.tif")
    own = scene_values()[[BAND_NAMES.index(name) for name in TERRAIN]]
    with open_scene(path) as scene:
        np.testing.assert_array_equal(scene.read(scene.whole, TERRAIN).values, own)
    with open_scene(path, dem=write_dem(tmp_path / "dem.tif", elevation=tilted)) as scene:
        slope = scene.read(scene.whole, ("slope",)).values[0]

    assert scene.notes == ("slope and DEM were taken from dem.tif, not from the scene.",)
    np.testing.assert_allclose(slope, TILT, atol=0.3)


def test_an_elevation_raster_beside_the_bands_is_found(tmp_path: Path, scene_path: Path):
    write_dem(tmp_path / "dem.tif", elevation=tilted)
    with open_scene(tmp_path) as scene:
        assert scene.bands == ("B2", "B3", "B4", "slope", "DEM")
        assert scene.notes == ("Elevation was taken from dem.tif.",)
        np.testing.assert_allclose(scene.read(scene.whole, ("slope",)).values, TILT, atol=0.3)


@pytest.mark.parametrize("nodata", [None, -32768, -9999])
def test_where_elevation_is_missing_nothing_that_needs_it_is_observed(
    tmp_path: Path, scene_path: Path, nodata
):
    def half(x, y):
        return np.where(x < PLACE.c + 600, tilted(x, y), -32768 if nodata is None else nodata)

    dem = write_dem(
        tmp_path / "dem.tif", elevation=half, crs=UTM, pixel=10, nodata=nodata, margin=0
    )
    with open_scene(scene_path, dem=dem) as scene:
        patch = scene.read(scene.whole)
        colours = scene.read(scene.whole, RGB)

    expected = np.arange(120)[None].repeat(96, 0) < 60
    np.testing.assert_array_equal(patch.observed, expected)
    assert colours.observed.all()
    assert "dem.tif covers 50 % of the scene" in scene.notes[0]
    slope, elevation = patch.select(("slope", "DEM"))
    np.testing.assert_allclose(slope, TILT, atol=0.3)  # to the border, and filled beyond it
    assert elevation.max() < 1300
    assert elevation.min() > 600


def test_an_elevation_raster_without_projection_must_match_the_scene(tmp_path: Path, scene_path):
    nowhere = {"crs": None, "transform": None}
    same = write_raster(tmp_path / "same.tif", np.full((1, 96, 120), 700), dtype="int16", **nowhere)
    other = write_raster(tmp_path / "other.tif", np.ones((1, 50, 50)), dtype="int16", **nowhere)
    unplaced = write_rgb(tmp_path / "unplaced.tif", **nowhere)
    patch = read_scene(unplaced, TERRAIN, dem=same)
    assert (patch.values[0] == 700).all()
    assert (patch.values[1] == 0).all()

    with pytest.raises(DataError, match=r"other\.tif cannot be laid over the scene"):
        open_scene(unplaced, dem=other)
    with pytest.raises(DataError, match=r"same\.tif cannot be laid over the scene"):
        open_scene(scene_path, dem=same)
