"""Clouds laid over a patch: bright, and no landslide."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter

from landslide_zoo.data.bands import BAND_NAMES, Unit, band
from landslide_zoo.data.synthetic.confusers import make_clouds
from landslide_zoo.data.synthetic.generate import OPAQUE
from landslide_zoo.data.synthetic.spectra import CLOUD

_DIRECT = 0.6
"""Share of the light on open ground that comes straight from the sun, which a shadow takes."""


def lay_clouds(
    values: np.ndarray,
    mask: np.ndarray,
    bands: Sequence[str],
    unit: Unit,
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Cover a patch with clouds like those of the synthetic patches, and with their shadows.

    Display values are divided by the brightest of them, as the benchmark's true-colour
    pictures are: under a bright cloud the ground turns dark.

    Args:
        values: The patch's values, shape (C, H, W); they are not changed in place.
        mask: Its mask, shape (H, W).
        bands: Names of the C bands. Terrain is left as it is.
        unit: What the values are.
        random: Source of the randomness.

    Returns:
        Values of the same shape, and the mask without what lies under an opaque cloud.
    """
    # From jagged cumulus to soft veils.
    softness = random.uniform(0, 2)
    opacity, shadow = (
        gaussian_filter(share, softness)
        for share in make_clouds(random, mask.shape, azimuth=random.uniform(0, 360))
    )
    optical = [i for i, name in enumerate(bands) if band(name).unit == "DN"]
    ground = values[optical]
    cloud = _brightness([bands[i] for i in optical], ground, unit)
    seen = ground * (1 - _DIRECT * shadow)
    seen = seen + opacity * (cloud[:, None, None] - seen)
    values = values.copy()
    # A black picture has no brightest value to divide by, and stays black.
    values[optical] = seen / seen.max() if unit == "display" and seen.any() else seen
    return values, np.where(opacity < OPAQUE, mask, 0).astype(mask.dtype)


def _brightness(names: Sequence[str], ground: np.ndarray, unit: Unit) -> np.ndarray:
    """Values (C,) of an opaque cloud over the ground (C, H, W), in the ground's unit."""
    numbers = np.array([CLOUD[BAND_NAMES.index(name)] for name in names])
    if unit == "physical":
        return numbers
    # A picture does not say what it was divided by; its ground, taken to be as bright as
    # the train patches' mean, tells.
    described = [band(name) for name in names]
    in_file = numbers / [each.divisor for each in described]
    usual = np.mean([each.mean / each.divisor for each in described])
    return in_file * np.median(ground) / usual
