"""Bands, units and patches: names are checked, and values never change unit by accident."""

from __future__ import annotations

import numpy as np
import pytest
from patch_files import physical_values

from landslide_zoo.data.bands import BAND_NAMES, BANDS, TRUE_COLOUR, band, display_values
from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import DataError


@pytest.fixture
def patch() -> Patch:
    return Patch(physical_values().astype(np.float32), name="scene")


@pytest.fixture
def picture() -> Patch:
    return Patch(np.full((3, 40, 40), 0.5, np.float32), TRUE_COLOUR, "display", "picture")


def test_the_fourteen_are_in_the_order_of_the_files() -> None:
    assert " ".join(BAND_NAMES) == "B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12 slope DEM"
    assert [band.unit for band in BANDS] == ["DN"] * 12 + ["degrees", "m"]


def test_an_unknown_band_is_named() -> None:
    with pytest.raises(DataError, match="no band 'B8A'; the bands are B1, "):
        band("B8A")


def test_bands_are_selected_by_name_in_the_order_asked(patch: Patch) -> None:
    chosen = patch.select(("DEM", "B4"))
    assert np.array_equal(chosen, patch.values[[13, 3]])
    with pytest.raises(DataError, match="scene has no band B8A; it has B1, "):
        patch.select(("B4", "B8A"))


def test_display_values_are_whole_steps_up_to_one(patch: Patch) -> None:
    shown = patch.in_unit(TRUE_COLOUR, "display")
    assert shown.dtype == np.float32
    assert shown.max() == 1
    assert np.allclose(shown * 255, np.rint(shown * 255), atol=1e-4)
    assert np.array_equal(patch.in_unit(("B2",), "display"), shown[2:])


def test_display_values_have_one_maximum_for_all_three_bands(patch: Patch) -> None:
    peaks = patch.in_unit(TRUE_COLOUR, "display").max(axis=(1, 2))
    assert np.count_nonzero(peaks == 1) == 1


@pytest.mark.parametrize("value", [0.0, -5.0])
def test_a_dark_patch_is_shown_black(value: float) -> None:
    assert not display_values(np.full((3, 4, 4), value)).any()


def test_a_picture_cannot_be_turned_into_physical_values(picture: Patch) -> None:
    with pytest.raises(DataError, match=r"give it the 14-band .h5 patch, or choose .* -rgb"):
        picture.in_unit(TRUE_COLOUR, "physical")
    assert np.array_equal(picture.in_unit(TRUE_COLOUR, "display"), picture.values)


def test_only_true_colour_has_display_values(patch: Patch) -> None:
    with pytest.raises(DataError, match="Only B4, B3, B2 have display values"):
        patch.in_unit(("B8",), "display")
