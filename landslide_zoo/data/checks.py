"""Does a patch look as it should? Plain sentences before a prediction that would be wrong.

Readers refuse what cannot be a patch. These checks are for files that can be
read and would still mislead a model: nothing is refused here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from landslide_zoo.data.bands import BAND_NAMES, TRUE_COLOUR, band, brightest, divisors
from landslide_zoo.data.patch import Patch

OPTICAL = BAND_NAMES[:12]
FEW_BANDS = 6
"""Optical bands below which the scale of the values cannot be told."""
NEGATIVE_SHARE = 0.01
"""Share of negative optical values that no processing leaves in digital numbers."""
NOT_A_SLOPE, A_SLOPE = 0.3, 0.5
"""On real patches the slope of the DEM correlates 0.71 to 0.86 with the slope band,
and the slope of the slope band -0.16 to 0.24 with the DEM."""
REDDEST_BLUE = 0.7
"""Red spreads at least 2.1 times as far as blue in each of 1,572 public true-colour patches."""
DARKENING = 1.15, 1.6
"""Step and spread of the brightest pixels just above those of 25 real patches."""
FAR = 4.0
"""Deviations of the training pixels between their mean and a patch's mean; real patches
stay below 3."""
SAMPLE = 5_000
"""Pixels, about, of which the median of a band is taken."""
CIRRUS = "B10"
"""Thin cloud alone moves this band by 20 deviations on real patches: no sign of trouble."""

DARKEST, BRIGHTEST = 200, 20_000
"""Reflectance x 10,000 of the brightest band: 95 of 100 pixels of any scene lie below a number
between these."""
LEAVES = 7_000
"""Green ground is not brighter in near infrared."""
ADDED = 1_000
"""What products since processing baseline 04.00 hold is too high by so much."""

_AS_STORED = "give digital numbers over each band's Landslide4Sense divisor"
# What else files hold, and what digital numbers are multiplied by to make it.
_SCALES = {
    "raw digital numbers: divide each band by its Landslide4Sense divisor before writing the "
    ".h5": 1.0,
    "reflectances from 0 to 1: multiply them by 10,000 and divide each band by its "
    "Landslide4Sense divisor": 1e-4,
    "reflectances in per cent: multiply them by 100 and divide each band by its "
    "Landslide4Sense divisor": 1e-2,
}


def check_patch(patch: Patch) -> list[str]:
    """What is odd about a patch, whatever model it is for.

    Returns:
        One sentence for each oddity: missing or empty pixels, values in another scale
        (raw digital numbers, reflectances, min-max, z-scores), constant bands, swapped
        slope and DEM, a few far too bright pixels, grey or BGR pictures. Empty if none.
    """
    sentences = [_missing(patch), _empty(patch)]
    if patch.unit == "display":
        sentences += [_constant(patch), _colours(patch), _glint(patch)]
    elif scale := _scale(patch):
        sentences.append(scale)
    else:
        sentences += [_constant(patch), _swapped(patch), _glint(patch)]
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
    optical = [name for name in OPTICAL if name in patch.bands]
    if len(optical) < FEW_BANDS or not patch.observed.any():
        return None
    # One band after another: a patch may take hundreds of megabytes.
    low, high, median, negative = np.array([_summary(patch, name) for name in patch.bands]).T
    places = [patch.bands.index(name) for name in optical]
    if (low == high).all():
        return None
    range_ = high[places[0]] - low[places[0]]
    alike = max(np.ptp(low[places]), np.ptp(high[places])) <= 1e-3 * range_
    scale = None
    if alike or (low.min() >= 0 and high.max() <= 1 + 1e-6):
        scale = f"values stretched to a fixed range (min-max): {_AS_STORED}"
    elif negative[places].mean() > NEGATIVE_SHARE:
        scale = f"standardised values (z-scores): {_AS_STORED}"
    else:
        medians = np.log10(median[places].clip(1e-9))
        usual = np.array([band(name).mean for name in optical])

        def distance(expected: np.ndarray) -> float:
            return float(np.abs(medians - np.log10(expected)).mean())

        nearest = distance(usual / divisors(tuple(optical)).ravel())
        for title, factor in _SCALES.items():
            if distance(usual * factor) < nearest:
                scale, nearest = title, distance(usual * factor)
    if scale is None:
        return None
    return f"{patch.name} seems to hold {scale}, or the result will be wrong."


def _summary(patch: Patch, name: str) -> tuple[float, float, float, float]:
    """Minimum, maximum and median of a band before its divisor, and its share below 0."""
    values = patch.values[patch.bands.index(name)]
    values = values.ravel() if patch.observed.all() else values[patch.observed]
    divisor = band(name).divisor
    sample = values[:: values.size // SAMPLE + 1]
    low, high, median = values.min() / divisor, values.max() / divisor, np.median(sample) / divisor
    return float(low), float(high), float(median), float((values < 0).mean()) if low < 0 else 0.0


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
    count = _amount(patch.filled, patch.values.size)
    return f"{count} values of {patch.name} are missing (NaN, Inf or nodata): {_NOT_OBSERVED}"


def _empty(patch: Patch) -> str | None:
    optical = [i for i, name in enumerate(patch.bands) if name in OPTICAL]
    dark = reduce(np.logical_and, (patch.values[i] == 0 for i in optical), ~patch.observed)
    if not optical or not dark.any():
        return None
    count = _amount(int(dark.sum()), dark.size)
    return (
        f"{count} pixels of {patch.name} are 0 in all optical bands, as outside a scene: "
        f"{_NOT_OBSERVED}"
    )


_NOT_OBSERVED = "their pixels count as not observed."


def _amount(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} % of the" if part >= 0.01 * whole else str(part)


def _glint(patch: Patch) -> str | None:
    """A few pixels that true colour is scaled without, or is darkened by."""
    if not set(TRUE_COLOUR) <= set(patch.bands):
        return None
    physical = patch.unit == "physical"
    values = patch.select(TRUE_COLOUR) / (divisors(TRUE_COLOUR) if physical else 1)
    _, above = brightest(values)
    _, odd = brightest(values, *DARKENING) if physical else (0, above)
    if not odd:
        return None
    effect = "is darker for them: landslides may be missed"
    if above and physical:
        effect = "is scaled without them"
    return (
        f"A few pixels of {patch.name} ({above or odd}) are far brighter than all others (glint, "
        f"cloud or a defect), and its true colour {effect}."
    )


def _colours(patch: Patch) -> str | None:
    red, green, blue = patch.values
    if (red == green).all() and (green == blue).all() and red.std() > 0:
        return (
            f"{patch.name} is grey: red, green and blue are the same, and models for true colour "
            "will be wrong."
        )
    if red.std() < REDDEST_BLUE * blue.std():
        return (
            f"Red and blue of {patch.name} look swapped (BGR): save the picture as RGB, or the "
            "result will be wrong."
        )
    return None


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])
