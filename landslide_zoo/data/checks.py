"""Does a patch look as it should? Plain sentences before a prediction that would be wrong.

Readers refuse what cannot be a patch. These checks are for files that can be
read and would still mislead a model: nothing is refused here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from landslide_zoo.data.bands import BAND_NAMES, TRUE_COLOUR, band, divisors
from landslide_zoo.data.patch import Patch

OPTICAL = BAND_NAMES[:12]
FEW_BANDS = 6
"""Optical bands below which the scale of the values cannot be told."""
NEGATIVE_SHARE = 0.01
"""Share of negative optical values that no processing leaves in digital numbers."""
NOT_A_SLOPE, A_SLOPE = 0.3, 0.5
"""On real patches the slope of the DEM correlates 0.71 to 0.86 with the slope band,
and the slope of the slope band -0.16 to 0.24 with the DEM."""
FAR = 4.0
"""Deviations of the training pixels between their mean and a patch's mean; real patches
stay below 3."""
SAMPLE = 50_000
"""Pixels, about, by which the scale of a patch's values is told."""
CIRRUS = "B10"
"""Thin cloud alone moves this band by 20 deviations on real patches: no sign of trouble."""

DARKEST, BRIGHTEST = 200, 20_000
"""Reflectance x 10,000 of the brightest band: 95 of 100 pixels of any scene lie below a number
between these."""
LEAVES = 7_000
"""Green ground is not brighter in near infrared."""
ADDED = 1_000
"""What products since processing baseline 04.00 hold is too high by so much."""

# What else files hold, and what digital numbers are multiplied by to make it.
_SCALES = {"raw digital numbers": 1.0, "reflectances from 0 to 1": 1e-4, "per cent": 1e-2}


def check_patch(patch: Patch) -> list[str]:
    """What is odd about a patch, whatever model it is for.

    Returns:
        One sentence for each oddity: unobserved pixels, values in another scale (raw digital
        numbers, reflectances, min-max, z-scores), constant bands, swapped slope and DEM.
        Empty if none.
    """
    scale = _scale(patch) if patch.unit == "physical" else None
    others = [scale] if scale else [_constant(patch), _swapped(patch)]
    return [sentence for sentence in (_unobserved(patch), *others) if sentence]


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


def is_reflectance(values: np.ndarray, names: Sequence[str]) -> bool:
    """Can values be Sentinel-2 reflectance x 10,000, over land, water, snow or cloud?

    Args:
        values: Shape (B, N).
        names: Of the B bands; what is said of one that is not there is passed over.
    """
    bands = dict(zip(names, values, strict=True))
    middle, bright, highest = np.percentile(values, (50, 95, 99), axis=1)
    ground = np.array([name != CIRRUS for name in names])
    if not (ground.any() and DARKEST <= bright[ground].max() <= BRIGHTEST):
        return False
    if (highest <= np.where(ground, 0, -ADDED / 10)).any():
        return False  # a band is 0 everywhere
    if any((bands[name] <= 0).mean() > 0.2 for name in TRUE_COLOUR if name in bands):
        return False  # an offset was undone twice
    if not {"B4", "B8"} <= set(names):
        return True
    red, infrared = bands["B4"], bands["B8"]
    green = infrared - red > 0.4 * (infrared + red)
    if green.mean() >= 0.2:
        typical = dict(zip(names, np.median(values[:, green], axis=1), strict=True))
        leaves = typical["B8"]
        dark = min(value for name, value in typical.items() if name != CIRRUS)
        return bool(typical.get("B2", 0) < leaves < LEAVES and dark >= 20)
    usual = dict(zip(names, middle, strict=True))
    others = [2 * usual["B8"], *(1.5 * usual[name] for name in ("B3", "B2") if name in names)]
    return bool(usual["B4"] <= max(others))  # nothing is as red as that: bands are confused


def all_bright(values: np.ndarray) -> bool:
    """Is every band so bright, even in the shade, that 1000 may have been added to it?"""
    return bool(np.percentile(values, 1, axis=1).min() >= 0.9 * ADDED)


def is_clear(values: np.ndarray, names: Sequence[str]) -> bool:
    """Do values show clear ground: dense vegetation, or no cirrus to speak of?"""
    bands = dict(zip(names, values, strict=True))
    if not is_reflectance(values, names):
        return False
    if CIRRUS in bands:
        return True
    if not {"B4", "B8"} <= set(names):
        return False
    red, infrared = bands["B4"], bands["B8"]
    return bool((infrared - red > 0.5 * (infrared + red)).mean() >= 0.05)


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
    """Which other scale the values have, judged by what they were before the divisors."""
    optical = tuple(name for name in OPTICAL if name in patch.bands)
    step = patch.observed.size // SAMPLE + 1
    observed = patch.observed.ravel()[::step]
    if len(optical) < FEW_BANDS or not observed.any():
        return None
    values = patch.values.reshape(len(patch.bands), -1)[:, ::step][:, observed]
    values = values / divisors(patch.bands)[..., 0]
    low, high = values.min(axis=1), values.max(axis=1)
    if (low == high).all():
        return None
    places = [patch.bands.index(name) for name in optical]
    range_ = high[places[0]] - low[places[0]]
    alike = max(np.ptp(low[places]), np.ptp(high[places])) <= 1e-3 * range_
    if alike or (low.min() >= 0 and high.max() <= 1 + 1e-6):
        scale = "values stretched to a fixed range (min-max)"
    elif (values[places] < 0).mean() > NEGATIVE_SHARE:
        scale = "standardised values (z-scores)"
    else:
        medians = np.log10(np.median(values[places], axis=1).clip(1e-9))
        usual = np.array([band(name).mean for name in optical])
        scales = {"": 1 / divisors(optical).ravel(), **_SCALES}
        scale = min(
            scales, key=lambda name: np.abs(medians - np.log10(usual * scales[name])).mean()
        )
    if not scale:
        return None
    return (
        f"{patch.name} seems to hold {scale}: give digital numbers (reflectance x 10,000) over "
        "each band's Landslide4Sense divisor, or the result will be wrong."
    )


def _swapped(patch: Patch) -> str | None:
    if not {"slope", "DEM"} <= set(patch.bands):
        return None
    slope, dem = patch.select(("slope", "DEM"))
    size = patch.grid.pixel_size
    if (
        _correlation(slope_of(dem, size), slope) < NOT_A_SLOPE
        and _correlation(slope_of(slope, size), dem) > A_SLOPE
    ):
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
    if flat:
        return (
            f"{', '.join(flat)} of {patch.name} hold one value throughout: "
            "check that the file is complete."
        )
    return None


def _unobserved(patch: Patch) -> str | None:
    share = 1 - patch.observed.mean()
    if not share:
        return None
    return (
        f"{max(share, 0.01):.0%} of {patch.name} is missing, blank or nodata: it counts as not "
        "observed."
    )


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])
