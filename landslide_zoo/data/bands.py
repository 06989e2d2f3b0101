"""The fourteen bands of a Landslide4Sense patch, and the indices made from them.

A file of the benchmark holds ``raw / divisor`` with one fixed divisor a band
(stated by the authors of the dataset). Multiplied back, every band is an exact
integer: digital numbers (top-of-atmosphere reflectance x 10,000) for the twelve
Sentinel-2 bands, degrees for the slope and metres for the elevation model.

Source: Ghorbanzadeh et al., IEEE TGRS 60, 2022, doi 10.1109/TGRS.2022.3215209.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from landslide_zoo.errors import DataError

Unit = Literal["physical", "display"]
"""What a patch's values are: physical units, or display values from 0 to 1."""


@dataclass(frozen=True)
class Band:
    """One layer of a patch.

    Attributes:
        name: Short name, as in ``B4``.
        title: What it shows, in plain words.
        unit: Unit of its physical values.
        divisor: What the benchmark's files divide the physical values by.
        mean: Mean over the 3,799 train patches, in physical units.
        std: Standard deviation over the same patches, in physical units.
    """

    name: str
    title: str
    unit: str
    divisor: float
    mean: float
    std: float


def _band(name: str, title: str, unit: str, divisor: float, mean: float, std: float) -> Band:
    """A band whose statistics are given as they are in the benchmark's files."""
    return Band(name, title, unit, divisor, mean * divisor, std * divisor)


# Statistics of the train patches as three public codebases state them.
BANDS: tuple[Band, ...] = (
    _band("B1", "coastal aerosol, 443 nm", "DN", 1111.81236406, 0.92570, 0.1410),
    _band("B2", "blue, 490 nm", "DN", 824.63171476, 0.92270, 0.2207),
    _band("B3", "green, 560 nm", "DN", 663.41636217, 0.95411, 0.3184),
    _band("B4", "red, 665 nm", "DN", 445.17289745, 0.95964, 0.5724),
    _band("B5", "red edge 1, 705 nm", "DN", 645.8582926, 1.02279, 0.4601),
    _band("B6", "red edge 2, 740 nm", "DN", 1547.73508126, 1.04261, 0.4465),
    _band("B7", "red edge 3, 783 nm", "DN", 1960.44401001, 1.03584, 0.4651),
    _band("B8", "near infrared, 842 nm", "DN", 1941.32229668, 1.04676, 0.4948),
    _band("B9", "water vapour, 945 nm", "DN", 674.07572865, 1.16994, 0.5133),
    _band("B10", "cirrus, 1375 nm", "DN", 9.04787384, 1.17360, 0.6836),
    _band("B11", "short-wave infrared 1, 1610 nm", "DN", 1113.98338755, 1.04950, 0.5323),
    _band("B12", "short-wave infrared 2, 2190 nm", "DN", 519.90397929, 1.03703, 0.6628),
    _band("slope", "slope, ALOS PALSAR", "degrees", 20.29228266, 1.25111, 0.6784),
    _band("DEM", "elevation, ALOS PALSAR", "m", 772.83144788, 1.64954, 1.0727),
)

BAND_NAMES: tuple[str, ...] = tuple(band.name for band in BANDS)
TRUE_COLOUR: tuple[str, ...] = ("B4", "B3", "B2")

_BY_NAME = {band.name: band for band in BANDS}


INDICES: dict[str, tuple[str, str]] = {"NDVI": ("B8", "B4")}
"""Spectral indices that a model may derive: normalised differences of two bands, by name."""


def normalised_difference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The index ``(first - second) / (first + second)`` of two bands; 0 where their sum is 0."""
    total = first + second
    return np.divide(first - second, total, out=np.zeros_like(total), where=total != 0)


def band(name: str) -> Band:
    """Look a band up by its name.

    Raises:
        DataError: If there is no band of that name.
    """
    if name not in _BY_NAME:
        raise DataError(f"There is no band {name!r}; the bands are {', '.join(BAND_NAMES)}.")
    return _BY_NAME[name]


def divisors(names: tuple[str, ...] = BAND_NAMES) -> np.ndarray:
    """Divisors of the named bands, shape (C, 1, 1), float64."""
    return np.array([band(name).divisor for name in names], dtype=np.float64)[:, None, None]


HANDFUL = 16
"""So many pixels of a patch of 128 x 128, or one in a thousand, may be glint or defects."""
STEP, SPREAD = 1.25, 1.75
"""On 25 real patches each of the brightest 16 pixels is at most 1.11 times as bright as the
next, and all of them at most 1.53 times as bright as the 17th."""


def brightest(values: np.ndarray, step: float = STEP, spread: float = SPREAD) -> tuple[float, int]:
    """The maximum of a patch that a handful of glinting or defective pixels cannot move.

    Pixels are taken from dark to bright; the maximum is the last before one that
    stands far above those before it.

    Args:
        values: True colour, shape (3, H, W); a pixel is as bright as its brightest band.
        step: How many times as bright as the one before is far above.
        spread: How many times as bright as the darkest of the handful is far above.

    Returns:
        The maximum, and how many pixels stand above it: 0 for nearly every real
        patch, and the maximum is then that of all values.
    """
    pixels = values.max(axis=0).ravel()
    handful = min(max(HANDFUL, pixels.size // 1000), pixels.size - 1)
    ascending = np.sort(np.partition(pixels, -handful - 1)[-handful - 1 :])
    if ascending[0] <= 0:
        return float(ascending[-1]), 0
    far = (ascending[1:] > step * ascending[:-1]) | (ascending[1:] > spread * ascending[0])
    last = int(far.argmax()) if far.any() else handful
    return float(ascending[last]), handful - last


def display_values(true_colour: np.ndarray, peak: np.ndarray | float | None = None) -> np.ndarray:
    """Turn physical true colour into display values, as the public RGB patches were made.

    A pixel is ``floor(255 v / max(v))`` with ``v`` the values as in the
    benchmark's files and the maximum taken over the whole patch, but for a
    handful of pixels far above all others (:func:`brightest`), which are cut off.

    Args:
        true_colour: Bands B4, B3, B2 in digital numbers, shape (3, H, W).
        peak: The maximum, over the divisors: one number, or one for each pixel, shape
            (H, W); that of the patch where None.

    Returns:
        Values from 0 to 1 in steps of 1/255, shape (3, H, W), float32.
    """
    v = true_colour / divisors(TRUE_COLOUR)
    if peak is None:
        peak, _ = brightest(v)
    peak = np.where(np.asarray(peak) > 0, peak, 1.0)  # where nothing is bright, all is 0
    np.clip(v, 0, peak, out=v)  # in place: a scene has thousands of tiles
    v *= 255.0
    v /= peak
    np.floor(v, out=v)
    v /= 255.0
    return v.astype(np.float32)
