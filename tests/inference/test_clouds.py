"""Clouds are found by real networks on real patches, and are not observed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from landslide_zoo.data.bands import BAND_NAMES, display_values
from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers import read_patch
from landslide_zoo.errors import DataError
from landslide_zoo.inference.clouds import (
    cloud_note,
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
    assert clouds[2:12, 90:110].mean() > 0.9  # the cloud at its upper edge
    assert cloud_note(clouds) == "16 % of this patch is under cloud."
    bands = ("B2", "B3", "B4", "B8")  # are enough
    few = find_clouds(Patch(cloudy.select(bands), bands))
    assert (few & clouds).sum() / (few | clouds).sum() > 0.5
    wide = find_clouds(Patch(np.tile(cloudy.values, (1, 3, 5)), BAND_NAMES))  # more than a tile
    assert (wide == np.tile(clouds, (3, 5))).mean() > 0.9


def test_forest_without_a_cloud() -> None:
    forest = np.array([1200, 880, 740, 450, 760, 2000, 2450, 2500, 760, 10, 1300, 590, 35, 1000])
    values = np.random.default_rng(0).normal(1, 0.05, (14, 64, 64)) * forest[:, None, None]
    clouds = find_clouds(Patch(values.astype(np.float32), BAND_NAMES))
    assert not clouds.any() and cloud_note(clouds) is None


def test_under_a_cloud_nothing_is_observed_and_the_ground_keeps_its_light() -> None:
    ground = np.full((14, 32, 32), 500, dtype=np.float32)
    ground[:, 20:, 20:] = 1000
    hidden = np.zeros((32, 32), dtype=bool)
    hidden[:8, :8] = True
    cloudy = ground.copy()
    cloudy[:12, :8, :8] = 9000
    patch = Patch(cloudy, BAND_NAMES)
    clear = without_clouds(patch, hidden)
    assert np.array_equal(clear.observed, ~hidden)
    shown = display_values(clear.select(("B4", "B3", "B2")))
    assert np.array_equal(shown[:, ~hidden], display_values(ground[[3, 2, 1]])[:, ~hidden])
    assert np.array_equal(clear.select(("DEM",)), patch.select(("DEM",)))
    assert patch.values.max() == 9000  # the patch itself is as it was
    assert not without_clouds(patch, np.ones((32, 32), bool)).observed.any()


def test_bands_that_do_not_allow_it_are_named() -> None:
    picture = Patch(np.zeros((3, 32, 32), np.float32), ("B4", "B3", "B2"), "display", "photo")
    with pytest.raises(DataError, match="photo"):
        find_clouds(picture)
    reason = why_no_clouds(Patch(np.zeros((3, 32, 32), np.float32), ("B4", "B3", "B2")))
    assert reason is not None and "B8" in reason


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
