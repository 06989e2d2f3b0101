"""Warnings before a prediction that would be wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from patch_files import write_h5
from synthetic_patches import make_patch

from landslide_zoo import Patch, read_patch
from landslide_zoo.data.bands import BANDS, TRUE_COLOUR, divisors
from landslide_zoo.data.checks import check_patch, check_statistics, slope_of

MEAN = np.array([band.mean for band in BANDS])
STD = np.array([band.std for band in BANDS])


@pytest.fixture(scope="module")
def patch() -> Patch:
    return make_patch(7)


@pytest.fixture(scope="module")
def real_patches(real_data: Path) -> list[Patch]:
    paths = sorted((real_data / "l4s-14band").glob("*/image_*.h5"))
    assert len(paths) == 21
    return [read_patch(path) for path in paths]


def swapped(patch: Patch) -> Patch:
    values = patch.values.copy()
    values[[12, 13]] = values[[13, 12]]
    return replace(patch, values=values)


def test_a_good_patch_has_no_warning(patch: Patch) -> None:
    assert check_patch(patch) == []
    assert check_statistics(patch.values, patch.bands, MEAN, STD, "patch") == []


def test_real_patches_have_no_warning_and_all_are_noticed_when_swapped(
    real_patches: list[Patch],
) -> None:
    for patch in real_patches:
        assert check_patch(patch) == [], patch.name
        assert check_statistics(patch.values, patch.bands, MEAN, STD, "patch") == [], patch.name
        assert any("look swapped" in one for one in check_patch(swapped(patch))), patch.name


def stretched(values: np.ndarray, low: float, high: float) -> np.ndarray:
    least = values.min(axis=(1, 2), keepdims=True)
    return low + (high - low) * (values - least) / np.ptp(values, (1, 2))[:, None, None]


def standardised(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean(axis=(1, 2), keepdims=True)
    return centred / values.std(axis=(1, 2), keepdims=True)


def reflectances(values: np.ndarray, full: float, terrain: np.ndarray | float = 1) -> np.ndarray:
    return np.concatenate([values[:12] * full / 10_000, values[12:] / terrain])


IN_FILES = divisors()
DATASET = MEAN[:, None, None], STD[:, None, None]
SCALES = {
    "raw": (lambda v: v, "raw digital numbers: divide each band"),
    "reflectance": (lambda v: reflectances(v, 1), "reflectances from 0 to 1: multiply"),
    "reflectance-and-terrain-as-stored": (
        lambda v: reflectances(v, 1, IN_FILES[12:]),
        "reflectances from 0 to 1: multiply",
    ),
    "per-cent": (lambda v: reflectances(v, 100), "reflectances in per cent: multiply"),
    "min-max": (lambda v: stretched(v, 0, 1), "min-max"),
    "min-max-of-bytes": (lambda v: np.rint(stretched(v, 0, 255)), "min-max"),
    "min-max-about-zero": (lambda v: stretched(v, -1, 1), "min-max"),
    "by-one-maximum": (lambda v: v / IN_FILES / (v / IN_FILES).max(), "min-max"),
    "z-scores": (standardised, "z-scores"),
    "z-scores-of-the-dataset": (lambda v: (v - DATASET[0]) / DATASET[1], "z-scores"),
}


@pytest.mark.parametrize("scale", SCALES)
def test_values_in_another_scale_are_recognised(scale: str, tmp_path: Path) -> None:
    convert, words = SCALES[scale]
    for seed in range(3):
        values = convert(make_patch(seed).values.astype(np.float64))
        path = write_h5(tmp_path / "patch.h5", img=values.transpose(1, 2, 0))
        [warning] = check_patch(read_patch(path))
        assert warning.startswith("patch seems to hold ") and words in warning


@pytest.mark.parametrize("scale", SCALES)
def test_real_values_in_another_scale_are_recognised(scale: str, real_patches: list[Patch]) -> None:
    convert, words = SCALES[scale]
    for patch in real_patches:
        stored = convert(patch.values.astype(np.float64))
        values = (stored * IN_FILES).astype(np.float32)
        [warning] = check_patch(replace(patch, values=values))
        assert words in warning, patch.name


def test_dark_water_and_bright_cloud_are_no_other_scale(patch: Patch) -> None:
    water = [0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.2, 0.2, 0.3, 0.6, 0.1, 0.1, 1, 1]
    cloud = [2.5, 3, 3.5, 4.5, 3.5, 1.6, 1.4, 1.5, 2, 5, 2, 3, 1, 1]
    for factors in (water, cloud):
        values = patch.values * np.array(factors, np.float32)[:, None, None]
        assert check_patch(replace(patch, values=values)) == []


def test_a_note_of_the_reader_is_passed_on(patch: Patch) -> None:
    assert check_patch(replace(patch, notes=("It is odd.",))) == ["It is odd."]


def test_a_few_far_brighter_pixels(patch: Patch) -> None:
    values = patch.values.copy()
    values[1:4, 5, 5] = 10_000
    [warning] = check_patch(replace(patch, values=values))
    assert "A few pixels of synthetic_7 (1) are far brighter than all others" in warning
    assert "its true colour is scaled without them" in warning
    peak = (patch.select(TRUE_COLOUR) / divisors(TRUE_COLOUR)).max()
    values[1:4, 5, 5] = 1.2 * peak * divisors(("B2", "B3", "B4"))[:, 0, 0]
    [warning] = check_patch(replace(patch, values=values))
    assert "its true colour is darker for them" in warning


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
    assert few.startswith("12 values of synthetic_7 are missing")
    [many] = check_patch(replace(patch, filled=patch.values.size // 4))
    assert many.startswith("25 % of the values of synthetic_7 are missing")


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
