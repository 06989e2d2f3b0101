"""Local light: a patch is scaled as ever, a far cloud darkens nothing, and there are no seams."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scene_files import scene_values, write_raster

from landslide_zoo.data.bands import BAND_NAMES, TRUE_COLOUR
from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers import read_patch
from landslide_zoo.inference.clouds import find_clouds, without_clouds
from landslide_zoo.mapping.light import LocalLight, Tile
from landslide_zoo.scenes.rasters import Window
from landslide_zoo.scenes.scene import open_scene


def tile_of(
    path: Path, cloud: np.ndarray | None = None, window: Window | None = None, bands=TRUE_COLOUR
) -> Tile:
    with open_scene(path) as scene:
        hidden = np.zeros(scene.size, dtype=bool) if cloud is None else cloud
        light = LocalLight(scene, bands, lambda part: hidden[part.slices], display=True)
        return light.tile(window or scene.whole)


@pytest.fixture
def cloudy(real_data: Path) -> Patch:
    return read_patch(real_data / "l4s-14band/images/image_4.h5")


def test_the_clouds_of_a_patch_are_lowered_as_ever(cloudy: Patch, tmp_path: Path) -> None:
    path = write_raster(tmp_path / "scene.tif", cloudy.values, cloudy.bands, dtype="uint16")
    clouds = find_clouds(cloudy)
    assert clouds.mean() > 0.1
    tile = tile_of(path, clouds, bands=BAND_NAMES)
    seen = without_clouds(cloudy, clouds)
    assert np.array_equal(tile.patch.values, seen.values)
    assert np.array_equal(tile.patch.observed, ~clouds)
    assert tile.measured.all()
    shown = tile.in_unit(TRUE_COLOUR, "display")
    assert np.array_equal(shown, seen.in_unit(TRUE_COLOUR, "display"))


@pytest.fixture
def bright_corner(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A scene whose upper left corner is under a bright cloud."""
    values = scene_values(512, 640, TRUE_COLOUR)
    cloud = np.zeros((512, 640), dtype=bool)
    cloud[:100, :150] = True
    values[:, cloud] = 12_000
    return write_raster(tmp_path / "cloud.tif", values, TRUE_COLOUR), cloud


def test_a_cloud_far_away_darkens_nothing(bright_corner: tuple[Path, np.ndarray]) -> None:
    path, cloud = bright_corner
    window = Window(320, 320, 160, 256)
    marked = tile_of(path, cloud, window).in_unit(TRUE_COLOUR, "display")
    assert 0.3 < marked.mean() < 0.9
    kept = tile_of(path, None, window).in_unit(TRUE_COLOUR, "display")
    assert np.array_equal(marked, kept)  # found or not: it is far away
    near = Window(0, 150, 100, 60)
    assert tile_of(path, cloud, near).in_unit(TRUE_COLOUR, "display").mean() > 0.3
    assert tile_of(path, None, near).in_unit(TRUE_COLOUR, "display").mean() < 0.2


def test_light_does_not_depend_on_the_tile(bright_corner: tuple[Path, np.ndarray]) -> None:
    path, cloud = bright_corner
    with open_scene(path) as scene:
        light = LocalLight(scene, TRUE_COLOUR, lambda part: cloud[part.slices], display=True)
        whole = light.tile(scene.whole).in_unit(TRUE_COLOUR, "display")
        for window in (Window(0, 0, 256, 256), Window(70, 90, 200, 300), Window(448, 600, 64, 40)):
            part = light.tile(window).in_unit(TRUE_COLOUR, "display")
            assert np.abs(part - whole[:, *window.slices]).max() <= 1 / 255 + 1e-6


def test_gaps_are_filled_with_what_is_around(tmp_path: Path) -> None:
    values = scene_values(300, 400, TRUE_COLOUR)
    whole = write_raster(tmp_path / "whole.tif", values, TRUE_COLOUR)
    values[:, 100:200, 150:260] = 0
    values[:, :, 330:] = 0
    tile = tile_of(write_raster(tmp_path / "gaps.tif", values, TRUE_COLOUR))
    gaps = (values == 0).all(axis=0)
    assert np.array_equal(tile.measured, ~gaps)
    assert np.array_equal(tile.patch.observed, ~gaps)
    filled = tile.patch.values[:, 100:200, 150:260]
    low, high = (np.percentile(values[:, ~gaps], share, axis=1) for share in (1, 99))
    assert (filled.min(axis=(1, 2)) > low).all()
    assert (filled.max(axis=(1, 2)) < high).all()
    shown = tile.in_unit(TRUE_COLOUR, "display")
    assert np.isfinite(shown).all()
    # Far from the gaps everything is as without them.
    expected = tile_of(whole).in_unit(TRUE_COLOUR, "display")
    assert np.array_equal(shown[:, 290:, :20], expected[:, 290:, :20])
