"""Clouds are found by real networks on real patches, and are not observed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from landslide_zoo.data.bands import BAND_NAMES, display_values
from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers import read_patch
from landslide_zoo.errors import DataError
from landslide_zoo.inference.clouds import (
    CloudMask,
    find_clouds,
    product_level,
    why_no_clouds,
    without_clouds,
)


@pytest.fixture(scope="module")
def cloudy(real_data: Path) -> Patch:
    """A real patch, a sixth of it under cloud."""
    return read_patch(next((real_data / "l4s-14band/images").rglob("image_4.h5")))


def test_the_clouds_of_a_real_patch(cloudy: Patch) -> None:
    clouds = find_clouds(cloudy)
    assert product_level(cloudy) == "L1C"
    assert 0.1 < clouds.share < 0.2
    assert clouds.cloud[2:12, 90:110].mean() > 0.9  # the cloud at its upper edge
    assert clouds.sentence() == "16 % of this patch is under cloud."


def test_four_bands_are_enough(cloudy: Patch) -> None:
    bands = ("B2", "B3", "B4", "B8")
    few = find_clouds(Patch(cloudy.select(bands), bands)).cloud
    every = find_clouds(cloudy).cloud
    assert (few & every).sum() / (few | every).sum() > 0.5


def test_a_patch_larger_than_a_tile_is_covered(cloudy: Patch) -> None:
    wide = np.tile(cloudy.values, (1, 3, 5))
    clouds = find_clouds(Patch(wide, BAND_NAMES))
    assert clouds.classes.shape == (384, 640)
    repeated = np.tile(find_clouds(cloudy).cloud, (3, 5))
    assert (clouds.cloud == repeated).mean() > 0.9


def test_forest_without_a_cloud() -> None:
    forest = np.array([1200, 880, 740, 450, 760, 2000, 2450, 2500, 760, 10, 1300, 590, 35, 1000])
    values = np.random.default_rng(0).normal(1, 0.05, (14, 64, 64)) * forest[:, None, None]
    clouds = find_clouds(Patch(values.astype(np.float32), BAND_NAMES))
    assert clouds.share == 0
    assert clouds.sentence() == "0 % of this patch is under cloud."


def test_under_a_cloud_nothing_is_observed_and_the_ground_keeps_its_light() -> None:
    ground = np.full((14, 32, 32), 500, dtype=np.float32)
    ground[:, 20:, 20:] = 1000
    hidden = np.zeros((32, 32), dtype=bool)
    hidden[:8, :8] = True
    cloudy = ground.copy()
    cloudy[:12, :8, :8] = 9000
    patch = Patch(cloudy, BAND_NAMES)
    seen = without_clouds(patch, CloudMask(hidden.astype(np.uint8)))
    assert np.array_equal(seen.observed, ~hidden)
    shown = display_values(seen.select(("B4", "B3", "B2")))
    assert np.array_equal(shown[:, ~hidden], display_values(ground[[3, 2, 1]])[:, ~hidden])
    assert np.array_equal(seen.select(("DEM",)), patch.select(("DEM",)))
    assert patch.values.max() == 9000  # the patch itself is as it was


def test_a_scar_in_the_shadow_of_a_cloud_stays_observed() -> None:
    classes = np.zeros((32, 32), dtype=np.uint8)
    classes[0], classes[1] = 1, 2
    patch = Patch(np.ones((14, 32, 32), np.float32), BAND_NAMES)
    seen = without_clouds(patch, CloudMask(classes))
    assert seen.observed[1].all() and not seen.observed[0].any()


def test_a_patch_all_under_cloud_is_not_observed_at_all() -> None:
    patch = Patch(np.ones((14, 32, 32), np.float32), BAND_NAMES)
    seen = without_clouds(patch, CloudMask(np.ones((32, 32), np.uint8)))
    assert not seen.observed.any()
    assert np.isfinite(seen.values).all()


def test_a_picture_says_that_clouds_cannot_be_told() -> None:
    picture = Patch(np.zeros((3, 32, 32), np.float32), ("B4", "B3", "B2"), "display", "photo")
    reason = why_no_clouds(picture)
    assert reason is not None
    with pytest.raises(DataError, match="photo: Clouds cannot be told in a true-colour picture"):
        find_clouds(picture)


def test_missing_bands_are_named() -> None:
    patch = Patch(np.zeros((3, 32, 32), np.float32), ("B4", "B3", "B2"))
    assert why_no_clouds(patch) == "Clouds cannot be told without B8."


@pytest.mark.parametrize(
    ("bands", "level"),
    [
        (BAND_NAMES, "L1C"),
        (tuple(name for name in BAND_NAMES if name != "B10"), "L2A"),
        (("B4", "B3", "B2", "B8"), "L1C"),
    ],
)
def test_the_product_level_that_bands_speak_for(bands: tuple[str, ...], level: str) -> None:
    patch = Patch(np.zeros((len(bands), 32, 32), np.float32), bands)
    assert product_level(patch) == level


def test_nothing_heavy_is_loaded_before_it_is_used() -> None:
    heavy = "openvino", "onnxruntime", "ukis_csmask", "skimage", "sklearn"
    code = (
        "import sys, landslide_zoo.inference.clouds, landslide_zoo.inference.rules;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
