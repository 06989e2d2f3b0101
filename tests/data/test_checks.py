"""Warnings before a prediction that would be wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_patches import make_patch

from landslide_zoo import Patch, read_patch
from landslide_zoo.data.bands import BANDS, TRUE_COLOUR, divisors
from landslide_zoo.data.checks import check_patch, check_statistics, slope_of

MEAN = np.array([band.mean for band in BANDS])
STD = np.array([band.std for band in BANDS])


@pytest.fixture(scope="module")
def patch() -> Patch:
    return make_patch(7)


def swapped(patch: Patch) -> Patch:
    values = patch.values.copy()
    values[[12, 13]] = values[[13, 12]]
    return replace(patch, values=values)


def test_a_good_patch_has_no_warning(patch: Patch) -> None:
    assert check_patch(patch) == []
    assert check_statistics(patch.values, patch.bands, MEAN, STD, "patch") == []


def test_real_patches_have_no_warning_and_all_are_noticed_when_swapped(real_data: Path) -> None:
    paths = sorted((real_data / "l4s-14band").glob("*/image_*.h5"))
    assert len(paths) == 21
    for path in paths:
        patch = read_patch(path)
        assert check_patch(patch) == [], path.name
        assert check_statistics(patch.values, patch.bands, MEAN, STD, "patch") == [], path.name
        assert any("look swapped" in one for one in check_patch(swapped(patch))), path.name


def test_raw_digital_numbers_in_a_file(patch: Patch) -> None:
    # Written without dividing, they are multiplied all the same on reading.
    [warning] = check_patch(replace(patch, values=patch.values * divisors().astype(np.float32)))
    assert "raw digital numbers" in warning and "divisor" in warning


def test_reflectances_in_a_file(patch: Patch) -> None:
    values = patch.values.copy()
    values[:12] /= 10_000
    [warning] = check_patch(replace(patch, values=values))
    assert "reflectances from 0 to 1" in warning


def test_swapped_slope_and_dem(patch: Patch) -> None:
    [warning] = check_patch(swapped(patch))
    assert "look swapped" in warning


def test_flat_ground_is_not_called_swapped(patch: Patch) -> None:
    values = patch.values.copy()
    values[12:] = [[[0.0]], [[100.0]]]
    assert not any("swapped" in one for one in check_patch(replace(patch, values=values)))


def test_constant_bands(patch: Patch) -> None:
    values = patch.values.copy()
    values[4] = 7
    [warning] = check_patch(replace(patch, values=values))
    assert warning.startswith("B5 of")
    [warning] = check_patch(replace(patch, values=np.full_like(values, 500)))
    assert "constant in all bands" in warning


def test_missing_values_are_counted(patch: Patch) -> None:
    [few] = check_patch(replace(patch, filled=12))
    assert "12 values" in few and "guess" not in few
    [many] = check_patch(replace(patch, filled=patch.values.size // 4))
    assert "25 %" in many and "a guess" in many


def test_pixels_outside_a_scene(patch: Patch) -> None:
    values = patch.values.copy()
    values[:12, :16] = 0
    [warning] = check_patch(replace(patch, values=values))
    assert "25 % of" in warning and "outside a scene" in warning


def test_far_from_the_training_data_names_the_band(patch: Patch) -> None:
    values = patch.values.copy()
    values[7] += 9 * BANDS[7].std
    [warning] = check_statistics(values, patch.bands, MEAN, STD, "scene")
    assert warning.startswith("scene lies far") and "B8 (" in warning and "B4" not in warning


def test_cirrus_alone_is_no_sign_of_trouble(patch: Patch) -> None:
    values = patch.values.copy()
    values[9] += 50 * BANDS[9].std
    assert check_statistics(values, patch.bands, MEAN, STD, "scene") == []


def test_a_picture_is_checked_without_terrain() -> None:
    values = np.random.default_rng(0).random((3, 40, 40), np.float32)
    assert check_patch(Patch(values, bands=TRUE_COLOUR, unit="display")) == []


def test_slope_of_a_plane() -> None:
    rows, columns = np.mgrid[:8, :8]
    assert slope_of(10.0 * columns) == pytest.approx(45.0)  # 10 m up every 10 m
    assert slope_of(0.0 * rows) == pytest.approx(0.0)
