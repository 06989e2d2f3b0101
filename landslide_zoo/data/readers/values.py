"""Missing values: counted, reported and filled, never guessed from elsewhere."""

from __future__ import annotations

import numpy as np

from landslide_zoo.errors import DataError


def fill_missing(
    values: np.ndarray, bands: tuple[str, ...], file_name: str
) -> tuple[np.ndarray, int]:
    """Fill NaN and Inf with the median of their band.

    Args:
        values: Shape (C, H, W).
        bands: Names of the C bands.
        file_name: Named in errors.

    Returns:
        The filled values, float32, and how many were missing.

    Raises:
        DataError: If more than half of the patch, or the whole of a band, is missing.
    """
    filled = values.astype(np.float32)
    present = np.isfinite(filled)
    missing = int(present.size - np.count_nonzero(present))
    if missing == 0:
        return filled, 0
    share = missing / present.size
    if share > 0.5:
        raise DataError(
            f"{file_name} is {100 * share:.0f} % missing (NaN or Inf); at most half may be."
        )
    for i, name in enumerate(bands):
        known = present[i]
        if not known.any():
            raise DataError(f"Band {name} of {file_name} is missing throughout (NaN or Inf).")
        filled[i][~known] = np.median(filled[i][known])
    return filled, missing
