"""Does a patch look as it should? Plain sentences before a prediction that would be wrong.

Readers refuse what cannot be a patch. These checks are for files that can be
read and would still mislead a model: nothing is refused here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from landslide_zoo.data.bands import BAND_NAMES
from landslide_zoo.data.patch import Patch

OPTICAL = BAND_NAMES[:12]
BRIGHTEST = 20_000
"""Digital number of twice full reflectance: no median of a real band reaches it."""
DARKEST = 5
"""No median of a real red, green or blue band is below it."""
FEW_MISSING = 0.05
NOT_A_SLOPE, A_SLOPE = 0.3, 0.5
"""On real patches the slope of the DEM correlates 0.71 to 0.86 with the slope band,
and the slope of the slope band -0.16 to 0.24 with the DEM."""
FAR = 4.0
"""Deviations of the training pixels between their mean and a patch's mean; real and
synthetic patches stay below 3."""
CIRRUS = "B10"
"""Thin cloud alone moves this band by 20 deviations on real patches: no sign of trouble."""


def check_patch(patch: Patch) -> list[str]:
    """What is odd about a patch, whatever model it is for.

    Returns:
        One sentence for each oddity: raw digital numbers, reflectances, swapped
        slope and DEM, constant bands, missing or empty pixels. Empty if none.
    """
    sentences = [_missing(patch), _constant(patch)]
    if patch.unit == "physical":
        sentences += [_scale(patch), _swapped(patch), _empty(patch)]
    return [sentence for sentence in sentences if sentence]


def check_statistics(
    values: np.ndarray, names: Sequence[str], mean: np.ndarray, std: np.ndarray, patch_name: str
) -> list[str]:
    """Does a patch lie far from what a model was trained on?

    Args:
        values: The model's channels, unscaled, shape (C, H, W).
        names: Names of the channels.
        mean: Mean of each channel over the training data, shape (C,).
        std: Its standard deviation, shape (C,).
        patch_name: Named in the sentence.

    Returns:
        One sentence that names the channels whose mean over the patch lies more
        than :data:`FAR` deviations from that of the training data, or nothing.
    """
    distance = np.abs(values.mean(axis=(1, 2)) - mean) / std
    far = [
        f"{name} ({d:.1f} deviations)"
        for name, d in zip(names, distance, strict=True)
        if d > FAR and name != CIRRUS
    ]
    if not far:
        return []
    return [
        f"{patch_name} lies far from what this model was trained on in {', '.join(far)}: "
        "do not trust the result without checking it."
    ]


def slope_of(dem: np.ndarray, pixel_size: tuple[float, float] = (10.0, 10.0)) -> np.ndarray:
    """Slope of an elevation model.

    Args:
        dem: Elevation in metres, shape (H, W).
        pixel_size: Height and width of a pixel on the ground, in metres.

    Returns:
        Slope in degrees, shape (H, W).
    """
    down, right = np.gradient(dem, *pixel_size)
    return np.degrees(np.arctan(np.hypot(down, right)))


def _scale(patch: Patch) -> str | None:
    medians = np.median(patch.select(OPTICAL), axis=(1, 2))
    if medians.max() > BRIGHTEST:
        return (
            f"{patch.name} seems to hold raw digital numbers: divide each band by its "
            "Landslide4Sense divisor before writing the .h5, or the result will be wrong."
        )
    if 0 < medians[1:4].max() < DARKEST:
        return (
            f"{patch.name} seems to hold reflectances from 0 to 1: multiply them by 10,000 and "
            "divide each band by its Landslide4Sense divisor, or the result will be wrong."
        )
    return None


def _swapped(patch: Patch) -> str | None:
    slope, dem = patch.select(("slope", "DEM"))
    if slope.std() == 0 or dem.std() == 0:
        return None
    right = _correlation(slope_of(dem, patch.grid.pixel_size), slope)
    reverse = _correlation(slope_of(slope, patch.grid.pixel_size), dem)
    if right < NOT_A_SLOPE and reverse > A_SLOPE:
        return (
            f"Slope and DEM of {patch.name} look swapped: band 13 must be the slope and band 14 "
            "the elevation, or models that use terrain will be wrong."
        )
    return None


def _constant(patch: Patch) -> str | None:
    flat = [
        name
        for name, values in zip(patch.bands, patch.values, strict=True)
        if values.min() == values.max()
    ]
    if len(flat) == len(patch.bands):
        return f"{patch.name} is constant in all bands: there is nothing to see in it."
    if flat:
        return (
            f"{', '.join(flat)} of {patch.name} hold one value throughout: "
            "check that the file is complete."
        )
    return None


def _missing(patch: Patch) -> str | None:
    if not patch.filled:
        return None
    share = patch.filled / patch.values.size
    advice = ": what is found there is a guess" if share > FEW_MISSING else ""
    percent = f"{100 * share:.0f} %" if share >= 0.01 else f"{patch.filled} values"
    return f"{percent} of {patch.name} were missing and filled with the band's median{advice}."


def _empty(patch: Patch) -> str | None:
    empty = float(np.mean((patch.select(OPTICAL) == 0).all(axis=0)))
    if FEW_MISSING < empty < 1:
        return (
            f"{100 * empty:.0f} % of {patch.name} is 0 in all optical bands, as outside a scene: "
            "what is found there means nothing."
        )
    return None


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])
