"""What stored numbers mean: physical values, missing ones, and masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from landslide_zoo.data.bands import BANDS, divisors
from landslide_zoo.data.readers.limits import shown
from landslide_zoo.errors import DataError

NODATA = (-32768.0, -9999.0, 65535.0)
"""Numbers that programs write where there is no value, beside NaN and Inf. No band can
hold them, neither as stored nor in physical units."""
FARTHEST = 1e9
"""No band holds such a number, in whichever scale; programs write 1e20 or 1e36 for nodata."""
OPTICAL = slice(0, 12)
_USUAL = (-9000, 65_000)
"""Where everything lies within, nothing is nodata."""
_ROWS = 64
"""Rows worked on at once: a whole patch in float64 may take half a gigabyte."""


def physical_values(stored: np.ndarray, path: Path) -> tuple[np.ndarray, np.ndarray, int]:
    """Multiply the divisors of the fourteen bands back, and set missing values apart.

    Missing values (NaN, Inf, :data:`NODATA` and what is beyond :data:`FARTHEST`)
    are filled with the median of their band, so that a network has numbers to
    work on; their pixels are not observed. Neither are those that are 0 in all
    optical bands, as outside a scene.

    Args:
        stored: Values as in a Landslide4Sense file, shape (14, H, W).
        path: Named in errors.

    Returns:
        Physical values (14, H, W), float32 and finite; the observed pixels (H, W), bool;
        and how many values were filled.

    Raises:
        DataError: If more than half of the patch, the whole of a band, or every
            pixel is missing.
    """
    values = np.empty(stored.shape, dtype=np.float32)
    missing = np.zeros(stored.shape, dtype=bool)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is missing
        for top in range(0, stored.shape[1], _ROWS):
            rows = slice(top, top + _ROWS)
            physical = stored[:, rows] * divisors()
            values[:, rows] = physical
            if physical.min() > _USUAL[0] and physical.max() < _USUAL[1]:
                continue  # NaN is neither
            missing[:, rows] = ~(np.abs(physical) < FARTHEST)
            for number in NODATA:  # divided, perhaps, by rounded divisors
                missing[:, rows] |= stored[:, rows] == number
                missing[:, rows] |= np.abs(physical - number) < 2.5e-4 * abs(number)
    name = shown(path.name)
    filled = int(np.count_nonzero(missing))
    if filled > missing.size / 2:
        raise DataError(
            f"{name} is {100 * filled / missing.size:.0f} % missing (NaN, Inf or nodata); "
            "at most half may be."
        )
    for i, band in enumerate(BANDS):
        if missing[i].all():
            raise DataError(
                f"Band {band.name} of {name} is missing throughout (NaN, Inf or nodata)."
            )
        if missing[i].any():
            values[i][missing[i]] = np.median(values[i][~missing[i]])
    observed = ~missing.any(axis=0) & (values[OPTICAL] != 0).any(axis=0)
    if not observed.any():
        raise DataError(
            f"No pixel of {name} has a value in every band: there is nothing to see in it."
        )
    return values, observed, filled


def binary_mask(values: np.ndarray, path: Path) -> np.ndarray:
    """Check that an array is a mask of 0 and 1, or 0 and 255.

    Returns:
        Landslide pixels as 1, others 0, of the same shape, uint8.

    Raises:
        DataError: If it holds other values.
    """
    found = np.unique(values)
    if not (np.isin(found, (0, 1)).all() or np.isin(found, (0, 255)).all()):
        raise DataError(
            f"{shown(path.name)} is no mask: it holds values other than 0 and 1 (or 0 and 255), "
            f"from {shown(found.min())} to {shown(found.max())}."
        )
    return (values > 0).astype(np.uint8)
