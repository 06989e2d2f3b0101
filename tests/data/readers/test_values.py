"""Missing values are counted and filled from their own band, or the patch is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from patch_files import physical_values, stored, write_h5

from landslide_zoo import read_patch
from landslide_zoo.data.readers.values import fill_missing
from landslide_zoo.errors import DataError

BANDS = ("first", "second")


def test_each_missing_value_gets_the_median_of_its_band() -> None:
    values = np.arange(2 * 3 * 3, dtype=np.float64).reshape(2, 3, 3)
    values[0, 0, 0], values[0, 2, 2], values[1, 1, 1] = np.nan, np.inf, -np.inf
    filled, missing = fill_missing(values, BANDS, "patch.h5")
    assert missing == 3
    assert filled.dtype == np.float32
    assert filled[0, 0, 0] == filled[0, 2, 2] == np.median(np.arange(1, 8))
    assert filled[1, 1, 1] == np.median([9, 10, 11, 12, 14, 15, 16, 17])
    known = np.isfinite(values)
    assert np.array_equal(filled[known], values[known])


def test_whole_values_are_left_alone() -> None:
    values = np.ones((2, 3, 3))
    filled, missing = fill_missing(values, BANDS, "patch.h5")
    assert missing == 0
    assert np.array_equal(filled, values)


def test_half_may_be_missing_and_no_more() -> None:
    values = np.ones((2, 4, 4))
    values[:, :2] = np.nan
    assert fill_missing(values, BANDS, "patch.h5")[1] == 16
    values[0, 2, 0] = np.nan
    with pytest.raises(DataError, match=r"patch.h5 is 53 % missing .*at most half"):
        fill_missing(values, BANDS, "patch.h5")


def test_a_band_without_any_value_is_refused() -> None:
    values = np.ones((2, 4, 4))
    values[1] = np.inf
    with pytest.raises(DataError, match=r"Band second of patch.h5 is missing throughout"):
        fill_missing(values, BANDS, "patch.h5")


def test_a_patch_tells_how_many_values_were_missing(tmp_path: Path) -> None:
    physical = physical_values()
    values = stored(physical)
    values[:3, :5, 7] = np.nan
    values[10, 10, 13] = -np.inf
    values[20, 20, 0] = 1e300  # infinite in float32
    patch = read_patch(write_h5(tmp_path / "patch.h5", img=values))
    assert patch.filled == 3 * 5 + 2
    others = np.ones((48, 48), dtype=bool)
    others[:3, :5] = False
    assert (patch.values[7, :3, :5] == np.float32(np.median(physical[7][others]))).all()
    assert np.array_equal(patch.values[7][others], physical[7][others])
