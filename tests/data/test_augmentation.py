"""Augmentation: what it changes, and what it must leave alone."""

from __future__ import annotations

import numpy as np
from patch_files import physical_values

from landslide_zoo.data.augmentation import Augmentation
from landslide_zoo.data.bands import BAND_NAMES, TRUE_COLOUR

OPTICAL, TERRAIN = slice(0, 12), slice(12, 14)


def patch(height: int = 8, width: int = 8) -> tuple[np.ndarray, np.ndarray]:
    values = physical_values(height, width).astype(np.float32)
    mask = np.zeros((height, width), np.uint8)
    mask[1, 2] = 1
    return values, mask


def apply(
    augmentation: Augmentation, values: np.ndarray, mask: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return augmentation(values, mask, BAND_NAMES, "physical", random)


def test_turns_all_eight_ways_and_keeps_the_mask_on_its_pixels() -> None:
    values, mask = patch()
    marked = values[:, 1, 2]
    seen = set()
    for seed in range(60):
        turned, truth = apply(Augmentation(), values, mask, seed)
        ((row, column),) = np.argwhere(truth)
        np.testing.assert_array_equal(turned[:, row, column], marked)
        np.testing.assert_array_equal(np.sort(turned, axis=None), np.sort(values, axis=None))
        seen.add(turned.tobytes())
    assert len(seen) == 8


def test_a_patch_that_is_no_square_keeps_its_shape() -> None:
    values, mask = patch(6, 10)
    seen = set()
    for seed in range(40):
        turned, truth = apply(Augmentation(), values, mask, seed)
        assert turned.shape == values.shape and truth.shape == mask.shape
        ((row, column),) = np.argwhere(truth)
        np.testing.assert_array_equal(turned[:, row, column], values[:, 1, 2])
        seen.add(turned.tobytes())
    assert len(seen) == 4


def test_switched_off_it_changes_nothing() -> None:
    values, mask = patch()
    same, truth = apply(Augmentation(flips=False), values, mask, 0)
    np.testing.assert_allclose(same, values, rtol=1e-6)
    np.testing.assert_array_equal(truth, mask)


def test_light_changes_the_optical_bands_and_never_the_terrain() -> None:
    values, mask = patch()
    before = values.copy()
    changed, truth = apply(Augmentation(flips=False, brightness=0.3), values, mask, 3)
    np.testing.assert_array_equal(changed[TERRAIN], values[TERRAIN])
    change = np.abs(changed[OPTICAL] - values[OPTICAL]).mean(axis=(1, 2))
    assert (change > 0.01 * values[OPTICAL].mean(axis=(1, 2))).all()
    np.testing.assert_array_equal(truth, mask)
    np.testing.assert_array_equal(values, before)  # not in place
    assert changed.dtype == np.float32


def test_brightness_is_a_limit_and_one_for_all_optical_bands() -> None:
    values, mask = patch()
    ratios = []
    for seed in range(100):
        changed, _ = apply(Augmentation(flips=False, brightness=0.3), values, mask, seed)
        ratios.append(changed[OPTICAL].mean(axis=(1, 2)) / values[OPTICAL].mean(axis=(1, 2)))
    found = np.array(ratios)
    assert found.min() > 0.7 - 1e-3 and found.max() < 1.3 + 1e-3
    assert found.max() - found.min() > 0.5  # and it is reached
    assert np.ptp(found, axis=1).max() < 1e-3


def test_display_values_stay_in_range() -> None:
    values = np.random.default_rng(0).random((3, 8, 8), dtype=np.float32)
    for seed in range(10):
        random = np.random.default_rng(seed)
        mask = np.zeros((8, 8), np.uint8)
        changed, _ = Augmentation(brightness=0.9)(values, mask, TRUE_COLOUR, "display", random)
        assert changed.min() >= 0 and changed.max() <= 1
