"""Missing values are counted, set apart and filled from their own band, or the patch is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from patch_files import physical_values, write_h5

from landslide_zoo import Patch, read_patch
from landslide_zoo.data import check_patch
from landslide_zoo.data.bands import BAND_NAMES, divisors
from landslide_zoo.errors import DataError

PHYSICAL = physical_values()
NODATA = [-9999, -32768, 65535, np.nan, np.inf, -np.inf]


def read(folder: Path, values: np.ndarray) -> Patch:
    """Read values as stored, shape (14, H, W)."""
    return read_patch(write_h5(folder / "patch.h5", img=values.transpose(1, 2, 0)))


@pytest.mark.parametrize("number", NODATA)
@pytest.mark.parametrize("divided", [True, False, "roughly"])
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_nodata_is_not_observed_and_filled_with_the_median(
    number: float, divided: bool | str, dtype: str, tmp_path: Path
) -> None:
    # A program writes nodata in place of the digital number, or of the value in the file.
    values = PHYSICAL / divisors()
    divisor = divisors().round(2) if divided == "roughly" else divisors()
    values[:, :10] = number / divisor if divided else number
    patch = read(tmp_path, values.astype(dtype))
    assert not patch.observed[:10].any() and patch.observed[10:].all()
    assert patch.filled == 14 * 10 * 48
    expected = np.median(PHYSICAL[:, 10:], axis=(1, 2))
    np.testing.assert_allclose(patch.values[:, 3, 5], expected, rtol=1e-6)
    np.testing.assert_allclose(patch.values[:, 10:], PHYSICAL[:, 10:], rtol=1e-6)
    [sentence] = check_patch(patch)
    assert sentence.startswith("21 % of the values of patch are missing (NaN, Inf or nodata)")


def test_one_band_is_enough_for_a_pixel_not_to_be_observed(tmp_path: Path) -> None:
    values = PHYSICAL / divisors()
    values[7, :3, :5] = np.nan
    values[13, 10, 10] = -9999 / divisors()[13, 0, 0]
    values[0, 20, 20] = 1e300  # infinite in float32
    patch = read(tmp_path, values)
    assert patch.filled == 3 * 5 + 2 == np.count_nonzero(~patch.observed)
    assert np.array_equal(patch.values[0][patch.observed], PHYSICAL[0][patch.observed])


def test_elevations_below_the_sea_are_values(tmp_path: Path) -> None:
    physical = PHYSICAL.copy()
    physical[13] -= 400
    patch = read(tmp_path, physical / divisors())
    assert patch.filled == 0 and patch.observed.all()


def test_pixels_outside_the_scene_are_not_observed(tmp_path: Path) -> None:
    values = PHYSICAL / divisors()
    values[:12, :, :12] = 0
    values[3, 40, 40] = 0  # one dark band is no blank pixel
    patch = read(tmp_path, values)
    assert not patch.observed[:, :12].any() and patch.observed[:, 12:].all()
    assert patch.filled == 0
    [sentence] = check_patch(patch)
    assert "25 % of the pixels of patch are 0 in all optical bands" in sentence


def test_half_may_be_missing_and_no_more(tmp_path: Path) -> None:
    values = PHYSICAL / divisors()
    values[:, :24] = np.nan
    assert read(tmp_path, values).filled == 14 * 24 * 48
    values[:, 24] = np.nan
    with pytest.raises(DataError, match=r"patch.h5 is 52 % missing .*at most half"):
        read(tmp_path, values)


@pytest.mark.parametrize("number", NODATA)
def test_a_band_without_any_value_is_refused(number: float, tmp_path: Path) -> None:
    values = PHYSICAL / divisors()
    values[BAND_NAMES.index("B8")] = number
    with pytest.raises(DataError, match=r"Band B8 of patch.h5 is missing throughout"):
        read(tmp_path, values)


def test_a_patch_without_a_whole_pixel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is nothing to see in it"):
        read(tmp_path, np.zeros((14, 48, 48)))
    values = PHYSICAL / divisors()
    values[0, :24], values[1, 24:] = np.nan, np.nan
    with pytest.raises(DataError, match=r"No pixel of patch.h5 has a value in every band"):
        read(tmp_path, values)
