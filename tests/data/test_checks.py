"""Warnings before a prediction that would be wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_patches import make_patch

from landslide_zoo import Patch, read_patch
from landslide_zoo.data.bands import BANDS, divisors
from landslide_zoo.data.checks import check_patch, check_statistics

MEAN = np.array([band.mean for band in BANDS])
STD = np.array([band.std for band in BANDS])
PATCH = make_patch(7)


@pytest.fixture(scope="module")
def real_patches(real_data: Path) -> list[Patch]:
    return [read_patch(path) for path in sorted((real_data / "l4s-14band").glob("*/image_*.h5"))]


def changed(patch: Patch, change: Callable[[np.ndarray], object]) -> list[str]:
    """Warnings of a patch whose values are changed in place."""
    values = patch.values.copy()
    change(values)
    return check_patch(replace(patch, values=values))


def swap(values: np.ndarray) -> None:
    values[[12, 13]] = values[[13, 12]]


def test_real_patches_have_no_warning_and_all_are_noticed_when_swapped(
    real_patches: list[Patch],
) -> None:
    assert len(real_patches) == 21
    for patch in (PATCH, *real_patches):
        assert check_patch(patch) == [], patch.name
        assert check_statistics(patch.values, patch.bands, MEAN, STD, "patch") == [], patch.name
        assert any("look swapped" in warning for warning in changed(patch, swap)), patch.name


def stretched(values: np.ndarray, low: float, high: float) -> np.ndarray:
    least = values.min(axis=(1, 2), keepdims=True)
    return low + (high - low) * (values - least) / np.ptp(values, (1, 2))[:, None, None]


def reflectances(values: np.ndarray, full: float) -> np.ndarray:
    return np.concatenate([values[:12] * full / 10_000, values[12:]])


SCALES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "raw": (lambda v: v, "raw digital numbers"),
    "reflectance": (lambda v: reflectances(v, 1), "reflectances from 0 to 1"),
    "per-cent": (lambda v: reflectances(v, 100), "per cent"),
    "min-max": (lambda v: stretched(v, 0, 1), "min-max"),
    "min-max-of-bytes": (lambda v: np.rint(stretched(v, 0, 255)), "min-max"),
    "z-scores": (lambda v: (v - MEAN[:, None, None]) / STD[:, None, None], "z-scores"),
}


@pytest.mark.parametrize("scale", SCALES)
def test_values_in_another_scale_are_recognised(scale: str, real_patches: list[Patch]) -> None:
    convert, words = SCALES[scale]
    for patch in (PATCH, *real_patches):
        values = convert(patch.values.astype(np.float64)) * divisors()
        [warning] = check_patch(replace(patch, values=values.astype(np.float32)))
        assert words in warning, patch.name


def flat(values: np.ndarray) -> None:
    values[12:] = [[[0.0]], [[100.0]]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (swap, "look swapped"),
        (lambda values: values[4].fill(7), "B5 of synthetic_7 hold one value"),
        (lambda values: values.fill(500), "hold one value"),
        (flat, "slope, DEM of synthetic_7 hold one value"),  # and are not called swapped
    ],
)
def test_odd_values_are_named(change: Callable[[np.ndarray], object], words: str) -> None:
    [warning] = changed(PATCH, change)
    assert words in warning


def test_pixels_that_are_not_observed_are_counted() -> None:
    observed = PATCH.observed.copy()
    observed[:, :16] = False
    [warning] = check_patch(replace(PATCH, observed=observed))
    assert warning.startswith("25% of synthetic_7 is missing")


def test_far_from_the_training_data_names_the_band_but_not_cirrus() -> None:
    values = PATCH.values.copy()
    values[7] += 9 * BANDS[7].std
    values[9] += 50 * BANDS[9].std
    [warning] = check_statistics(values, PATCH.bands, MEAN, STD, "scene")
    assert warning.startswith("scene lies far") and "B8 (" in warning and "B10" not in warning
