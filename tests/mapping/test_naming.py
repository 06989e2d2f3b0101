"""Which band a description or a file name speaks of."""

import pytest

from landslide_zoo.data.bands import BAND_NAMES
from landslide_zoo.errors import DataError
from landslide_zoo.mapping.products import band_of, bands_given


@pytest.mark.parametrize(
    ("text", "band"),
    [
        ("B04", "B4"),
        ("b4", "B4"),
        ("B4_10m", "B4"),
        ("Band 12", "B12"),
        ("B8A", "B8A"),
        ("B08", "B8"),
        ("B4 red", "B4"),
        ("T43PFN_20180815T050649_B8A_20m", "B8A"),
        ("S2A_43PFN_20180815_0_L2A.nir08", "B8A"),
        ("red", "B4"),
        ("rededge1", "B5"),
        ("Vegetation red edge 3", "B7"),
        ("near infrared, 842 nm", "B8"),
        ("short-wave infrared 1, 1610 nm", "B11"),
        ("swir22", "B12"),
        ("coastal", "B1"),
        ("water vapour, 945 nm", "B9"),
        ("R", "B4"),
        ("slope, ALOS PALSAR", "slope"),
        ("copernicus_dem", "DEM"),
        ("SCL_20m", "SCL"),
        ("redwood", None),
        ("red edge", None),
        ("B13", None),
        ("quality", None),
        ("", None),
    ],
)
def test_a_band_is_told_from_its_name(text, band):
    assert band_of(text) == band


def test_bands_can_be_named_and_left_out():
    assert bands_given(["nir", "-", "B04"], 3, "scene.tif") == ["B8", None, "B4"]
    assert bands_given(BAND_NAMES, 14, "scene.tif") == list(BAND_NAMES)


def test_too_few_names_and_unknown_names_are_refused():
    with pytest.raises(DataError, match="has 3 bands, and 2 were named"):
        bands_given(["B4", "B3"], 3, "scene.tif")
    with pytest.raises(DataError, match="no band 'thermal'"):
        bands_given(["thermal"], 1, "scene.tif")
