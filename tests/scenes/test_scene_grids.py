"""Grids of scenes: turned north, resampled to 10 m, measured on the ground."""

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from scene_files import PLACE, RGB, coarser, scene_values, write_raster, write_rgb
from scipy import ndimage

from landslide_zoo.data.bands import BAND_NAMES
from landslide_zoo.scenes.rasters import Window
from landslide_zoo.scenes.scene import open_scene


def test_without_a_projection_a_scene_works_and_says_so(tmp_path: Path):
    path = write_raster(
        tmp_path / "scene.tif", scene_values(), BAND_NAMES, crs=None, transform=None
    )
    with open_scene(path) as scene:
        patch = scene.read(Window(10, 20, 30, 40))

    assert (scene.grid.crs, scene.grid.transform, scene.grid.pixel_size) == (None, None, (10, 10))
    assert "has no projection: outputs are in pixels" in scene.notes[0]
    np.testing.assert_array_equal(patch.values, scene_values()[:, 10:40, 20:60])


@pytest.mark.parametrize("turn", [30, 90, 180])
def test_a_rotated_scene_is_turned_north(tmp_path: Path, turn):
    """A pixel of the turned scene holds what lies at its coordinates in the rotated one."""
    values = scene_values(bands=RGB)
    rotated = PLACE @ Affine.rotation(turn)
    path = write_rgb(tmp_path / "turned.tif", values, transform=rotated)
    with open_scene(path) as scene:
        patch = scene.read(scene.whole, RGB)

    a, b, _, d, e, _ = scene.grid.transform
    assert (a, b, d, e) == pytest.approx((10, 0, 0, -10))
    assert "in rows from north to south" in scene.notes[0]
    rows, columns = np.nonzero(patch.observed)
    assert len(rows) == pytest.approx(96 * 120, rel=0.04)
    x, y = Affine(*scene.grid.transform) @ (columns + 0.5, rows + 0.5)
    own_columns, own_rows = ~rotated @ (x, y)
    inner = (own_rows > 1) & (own_rows < 95) & (own_columns > 1) & (own_columns < 119)
    expected = ndimage.map_coordinates(values[0], (own_rows - 0.5, own_columns - 0.5), order=1)
    np.testing.assert_allclose(patch.values[0][rows, columns][inner], expected[inner], atol=2)


def test_degrees_become_metres_at_their_latitude(tmp_path: Path):
    degree = 1 / 11_132
    for latitude, width in ((0.0, 10.0), (45.0, 7.08)):
        transform = Affine(degree, 0, 91.75, 0, -degree, latitude)
        path = write_rgb(tmp_path / f"{latitude}.tif", crs="EPSG:4326", transform=transform)
        with open_scene(path) as scene:
            assert scene.size == (96, 120)
            assert scene.grid.pixel_size[1] == pytest.approx(width, abs=0.02)
            assert scene.grid.pixel_size[0] == pytest.approx(9.95, abs=0.05)


@pytest.mark.parametrize(("metres", "factor"), [(5, 0.5), (20, 2), (30, 3)])
def test_other_pixels_are_resampled_to_10_metres(tmp_path: Path, metres, factor):
    values = scene_values(bands=RGB)
    transform = PLACE @ Affine.scale(factor)
    with open_scene(write_rgb(tmp_path / "a.tif", values, transform=transform)) as scene:
        patch = scene.read(scene.whole, RGB)

    assert scene.size == (96 * factor, 120 * factor)
    assert scene.grid.pixel_size == (10, 10)
    assert f"pixels of {metres} x {metres} m" in scene.notes[0]
    assert patch.observed.all()
    if factor < 1:
        expected = values.reshape(3, 48, 2, 60, 2).mean(axis=(2, 4))
        np.testing.assert_allclose(patch.values, expected, atol=1)
    else:
        np.testing.assert_allclose(patch.values.mean(), values.mean(), rtol=0.01)
        back = np.stack([coarser(each, factor) for each in patch.values])
        assert np.abs(back - values).mean() < 0.02 * values.mean()
