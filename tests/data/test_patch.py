"""Bands, units and patches: names are checked, and values never change unit by accident."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from patch_files import random_patch
from synthetic_patches import make_patch

from landslide_zoo import Patch
from landslide_zoo.data.bands import BAND_NAMES, BANDS, TRUE_COLOUR, band, display_values
from landslide_zoo.errors import DataError

PATCH = random_patch(name="scene")
PICTURE = Patch(np.full((3, 40, 40), 0.5, np.float32), TRUE_COLOUR, "display", "picture")


def test_the_fourteen_are_in_the_order_of_the_files() -> None:
    assert " ".join(BAND_NAMES) == "B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12 slope DEM"
    assert [band.unit for band in BANDS] == ["DN"] * 12 + ["degrees", "m"]
    assert np.array_equal(PATCH.select(("DEM", "B4")), PATCH.values[[13, 3]])
    for ask in (lambda: band("B8A"), lambda: PATCH.select(("B4", "B8A"))):
        with pytest.raises(DataError, match="B8A"):
            ask()


def test_display_values_are_whole_steps_up_to_one_maximum() -> None:
    shown = PATCH.in_unit(TRUE_COLOUR, "display")
    assert shown.dtype == np.float32
    assert np.count_nonzero(shown.max(axis=(1, 2)) == 1) == 1
    assert np.allclose(shown * 255, np.rint(shown * 255), atol=1e-4)
    assert np.array_equal(PATCH.in_unit(("B2",), "display"), shown[2:])
    for dark in (0.0, -5.0):
        assert not display_values(np.full((3, 4, 4), dark)).any()


@pytest.mark.parametrize(("dn", "count"), [(5000, 1), (20_000, 16), (65_000, 9)])
def test_a_handful_of_bright_pixels_does_not_darken_the_others(dn: int, count: int) -> None:
    patch = make_patch(3, 128)
    values = patch.values.copy()
    # A spread of brightness, as at the edge of a cloud.
    values[1:4, 60, 40 : 40 + count] = np.linspace(dn, 0.6 * dn, count)
    before = patch.in_unit(TRUE_COLOUR, "display")
    after = replace(patch, values=values).in_unit(TRUE_COLOUR, "display")
    others = np.ones(patch.size, bool)
    others[60, 40 : 40 + count] = False
    assert np.array_equal(after[:, others], before[:, others]) and after.max() == 1


def test_what_has_no_such_values_is_refused() -> None:
    assert np.array_equal(PICTURE.in_unit(TRUE_COLOUR, "display"), PICTURE.values)
    with pytest.raises(DataError, match=r"give it the 14-band .h5 patch"):
        PICTURE.in_unit(TRUE_COLOUR, "physical")
    with pytest.raises(DataError, match="Only B4, B3, B2"):
        PATCH.in_unit(("B8",), "display")
