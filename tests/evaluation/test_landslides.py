from __future__ import annotations

import numpy as np

from landslide_zoo.evaluation.landslides import SIZES, count_landslides


def square(side: int, size: int = 128, at: tuple[int, int] = (2, 2)) -> np.ndarray:
    mask = np.zeros((size, size), np.uint8)
    mask[at[0] : at[0] + side, at[1] : at[1] + side] = 1
    return mask


def row(mask: np.ndarray, truth: np.ndarray) -> tuple[str, list[int]]:
    """The only class of size that has a landslide."""
    counted = count_landslides(mask, truth)
    (k,) = np.flatnonzero(counted[:, 0])
    return SIZES[k], counted[k].tolist()


def test_a_landslide_is_found_if_half_of_it_is() -> None:
    truth = square(10)
    half = truth.copy()
    half[7:] = 0
    assert row(half, truth) == ("1 to 5 ha", [1, 1, 100, 50])
    half[2, 2] = 0
    assert row(half, truth) == ("1 to 5 ha", [1, 0, 100, 49])


def test_ten_pixels_are_a_tenth_of_a_hectare() -> None:
    truth = np.zeros((40, 40), np.uint8)
    truth[3, 3:13] = 1
    assert row(truth, truth)[0] == "0.1 to 0.5 ha"
    truth[3, 3] = 0
    assert row(truth, truth)[0] == "below 0.1 ha"
    assert row(square(23), square(23))[0] == "5 ha and more"


def test_pixels_that_touch_at_a_corner_are_one_landslide() -> None:
    truth = square(3) | square(3, at=(5, 5))
    assert row(truth, truth) == ("0.1 to 0.5 ha", [1, 1, 18, 18])
    apart = square(3) | square(3, at=(6, 6))
    assert row(apart, apart) == ("below 0.1 ha", [2, 2, 18, 18])


def test_finds_beside_a_landslide_do_not_count() -> None:
    truth = square(10)
    counted = count_landslides(1 - truth, truth)
    assert counted.sum(axis=0).tolist() == [1, 0, 100, 0]


def test_a_patch_without_a_landslide_counts_nothing() -> None:
    assert not count_landslides(square(5), np.zeros((128, 128), np.uint8)).any()
