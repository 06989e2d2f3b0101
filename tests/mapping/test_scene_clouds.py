"""Clouds of a scene, found at 30 m wherever it is cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from affine import Affine
from scene_files import PLACE, write_raster
from scipy import ndimage

from landslide_zoo.data.bands import BAND_NAMES
from landslide_zoo.data.readers import read_patch
from landslide_zoo.inference.clouds import find_clouds
from landslide_zoo.mapping.clouds import FoundClouds
from landslide_zoo.mapping.probabilities import Progress
from landslide_zoo.scenes.rasters import Window
from landslide_zoo.scenes.scene import open_scene


def clouds_of(path: Path, folder: Path) -> tuple[np.ndarray, FoundClouds]:
    """Where a scene is found to be under cloud, and what found it."""
    folder.mkdir()
    with open_scene(path, level="L1C") as scene:
        found = FoundClouds(scene, folder, Progress())
        return found.read(scene.whole), found


def test_clouds_of_a_larger_scene_are_found_at_30_metres(real_data: Path, tmp_path: Path) -> None:
    cloudy = read_patch(real_data / "l4s-14band/images/image_4.h5")
    clear = read_patch(real_data / "l4s-14band/images/image_2.h5")
    values = np.concatenate([cloudy.values, clear.values, clear.values], axis=2)
    path = write_raster(tmp_path / "scene.tif", values, BAND_NAMES, dtype="float32")
    cloud, found = clouds_of(path, tmp_path / "work")
    assert np.array_equal(found.read(Window(31, 50, 40, 77)), cloud[31:71, 50:127])
    expected = ndimage.binary_erosion(find_clouds(cloudy, "L1C"), iterations=4)
    assert cloud[:, :128][expected].mean() > 0.8
    assert cloud[:, 128:].mean() < 0.01


def test_clouds_do_not_depend_on_where_a_scene_is_cut(real_data: Path, tmp_path: Path) -> None:
    patch = read_patch(real_data / "l4s-14band/images/image_4.h5").values
    row = np.concatenate([patch, patch[:, :, ::-1]] * 4, axis=2)
    ground = np.concatenate([row, row[:, ::-1], row], axis=1)
    cut, masks = 128, []
    for name, first in (("whole", 0), ("part", cut)):
        place = PLACE @ Affine.translation(first, 0)
        path = tmp_path / f"{name}.tif"
        write_raster(path, ground[:, :, first:], BAND_NAMES, transform=place, dtype="float32")
        masks.append(clouds_of(path, tmp_path / name)[0])
    whole, part = masks
    assert whole.mean() > 0.05
    assert (whole[:, cut:] != part).mean() < 0.005
