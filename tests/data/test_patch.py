"""Bands, units and patches: names are checked, and values never change unit by accident."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from patch_files import random_patch
from synthetic_patches import make_patch

from landslide_zoo import read_patch
from landslide_zoo.data.bands import (
    BAND_NAMES,
    BANDS,
    TRUE_COLOUR,
    band,
    brightest,
    display_values,
    divisors,
)
from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import DataError


@pytest.fixture
def patch() -> Patch:
    return random_patch(name="scene")


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


@pytest.mark.parametrize("dn", [5000, 20_000, 65_000])
@pytest.mark.parametrize("count", [1, 3, 9, 16])
def test_a_handful_of_bright_pixels_does_not_darken_the_others(dn: int, count: int) -> None:
    patch = make_patch(3, 128)
    values = patch.values.copy()
    # A spread of brightness, as at the edge of a cloud.
    values[1:4, 60, 40 : 40 + count] = np.linspace(dn, 0.6 * dn, count)
    before = patch.in_unit(TRUE_COLOUR, "display")
    after = replace(patch, values=values).in_unit(TRUE_COLOUR, "display")
    others = np.ones(patch.size, bool)
    others[60, 40 : 40 + count] = False
    assert np.array_equal(after[:, others], before[:, others])
    assert after.max() == 1


def test_what_is_not_far_brighter_counts() -> None:
    true_colour = make_patch(3).select(TRUE_COLOUR)
    peak, above = brightest(true_colour)
    assert (peak, above) == (true_colour.max(), 0)
    true_colour[0, 5, 5] = 1.2 * peak
    assert brightest(true_colour) == (np.float32(1.2 * peak), 0)


def test_real_patches_are_divided_by_their_maximum(real_data: Path) -> None:
    paths = sorted(real_data.glob("l4s-14band*/*/image_*.h5"))
    assert len(paths) >= 25
    for path in paths:
        v = read_patch(path).select(TRUE_COLOUR) / divisors(TRUE_COLOUR)
        expected = (np.floor(255 * v / v.max()) / 255).astype(np.float32)
        assert np.array_equal(read_patch(path).in_unit(TRUE_COLOUR, "display"), expected)


def test_a_picture_cannot_be_turned_into_physical_values(picture: Patch) -> None:
    with pytest.raises(DataError, match=r"give it the 14-band .h5 patch, or choose .* -rgb"):
        picture.in_unit(TRUE_COLOUR, "physical")
    assert np.array_equal(picture.in_unit(TRUE_COLOUR, "display"), picture.values)


def test_only_true_colour_has_display_values(patch: Patch) -> None:
    with pytest.raises(DataError, match="Only B4, B3, B2 have display values"):
        patch.in_unit(("B8",), "display")
