"""Pictures of a patch's bands."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps

from landslide_zoo.data.bands import PIXEL_SIZE, TRUE_COLOUR
from landslide_zoo.data.patch import Patch

FALSE_COLOUR = ("B8", "B4", "B3")
NDVI_COLOURS = "YlGn"
_PERCENTILES = (1.0, 99.0)
_SUN_AZIMUTH, _SUN_ALTITUDE = 315.0, 45.0  # cartography's customary light, from the north-west


def true_colour(patch: Patch) -> np.ndarray:
    """Bands B4, B3, B2 as red, green, blue, each stretched between percentiles of the patch.

    A patch of display values is shown as it is.

    Returns:
        Shape (H, W, 3), uint8.

    Raises:
        DataError: If the patch lacks one of the bands.
    """
    values = patch.select(TRUE_COLOUR)
    if patch.unit == "display":
        return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    return _stretched(values)


def false_colour(patch: Patch) -> np.ndarray:
    """Bands B8, B4, B3 as red, green, blue: plants are red, bare ground is grey to cyan.

    Returns:
        Shape (H, W, 3), uint8, each band stretched between percentiles of the patch.

    Raises:
        DataError: If the patch lacks one of the bands.
    """
    return _stretched(patch.select(FALSE_COLOUR))


def ndvi(patch: Patch) -> np.ndarray:
    """NDVI on a fixed scale, from 0 (pale: bare ground, rock, water) to 1 (dark green: plants).

    Returns:
        Shape (H, W, 3), uint8.

    Raises:
        DataError: If the patch lacks B8 or B4, or has display values.
    """
    return colormaps[NDVI_COLOURS](np.clip(patch.index("NDVI"), 0, 1), bytes=True)[..., :3]


def band_picture(values: np.ndarray) -> np.ndarray:
    """One layer (H, W) in grey, stretched between its percentiles.

    Returns:
        Shape (H, W, 3), uint8.
    """
    return _stretched(np.repeat(values[None], 3, axis=0))


def hillshade(dem: np.ndarray) -> np.ndarray:
    """Terrain lit from the north-west, 45 degrees above the horizon.

    The cosine of the angle between the light and the surface's normal; the
    gradient is numpy's central difference.

    Args:
        dem: Elevation in metres on a 10 m grid, shape (H, W), north up.

    Returns:
        Grey, shape (H, W, 3), uint8.
    """
    down, east = np.gradient(dem.astype(np.float64), PIXEL_SIZE)
    azimuth, altitude = np.deg2rad(_SUN_AZIMUTH), np.deg2rad(_SUN_ALTITUDE)
    # Rows run south, so the slope towards north is -down.
    towards_light = east * np.sin(azimuth) - down * np.cos(azimuth)
    lit = (np.sin(altitude) - np.cos(altitude) * towards_light) / np.sqrt(1 + east**2 + down**2)
    grey = np.rint(255 * np.clip(lit, 0, 1)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _stretched(values: np.ndarray) -> np.ndarray:
    """Bands (3, H, W) as a picture (H, W, 3); a constant band becomes mid-grey."""
    low, high = np.percentile(values, _PERCENTILES, axis=(1, 2), keepdims=True)
    flat = high <= low
    shares = np.where(flat, 0.5, (values - low) / np.where(flat, 1, high - low))
    return np.rint(255 * np.clip(shares, 0, 1)).astype(np.uint8).transpose(1, 2, 0)
