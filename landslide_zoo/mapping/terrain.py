"""Elevation and slope of a scene, from an elevation raster in any projection and resolution."""

from __future__ import annotations

import numpy as np
from rasterio.io import DatasetReader
from scipy import ndimage

from landslide_zoo.errors import DataError
from landslide_zoo.mapping.grids import Placement, per_cent
from landslide_zoo.mapping.layers import warped
from landslide_zoo.mapping.rasters import Source, reading
from landslide_zoo.mapping.windows import Window

SMOOTHING = 1.0
"""Pixels of 10 m: the sources have 30 m, and between them a warped raster is made of facets."""
MARGIN = 6
"""Pixels around a window that its slope depends on: four deviations of the smoothing, and two."""
HIGHEST, LOWEST = 9_000.0, -1_000.0
"""Metres between which all land lies; beyond them is no elevation."""
_SAMPLES = 96
"""Side of the lattice on which the share that a raster covers is counted."""


def slope_in_degrees(
    elevation: np.ndarray, heights: np.ndarray | float, widths: np.ndarray | float
) -> np.ndarray:
    """Slope of an elevation model, smoothed as its 30 m source is, whatever is missing in it.

    The change to each side is smoothed, and not the elevation: that would be flat where
    it ends.

    Args:
        elevation: Metres, NaN where missing, shape (H, W).
        heights: Height of a pixel on the ground in metres, by row, shape (H, 1), or of all.
        widths: Its width, likewise.

    Returns:
        Degrees, NaN where the elevation is missing, shape (H, W), float32.
    """
    missing = np.isnan(elevation)
    if missing.all():
        return elevation
    down = _smoothed(_difference(elevation, axis=0), missing) / heights
    right = _smoothed(_difference(elevation, axis=1), missing) / widths
    slope = np.degrees(np.arctan(np.hypot(down, right))).astype(np.float32)
    slope[missing] = np.nan
    return slope


class Terrain:
    """Elevation and slope on the grid of a scene.

    Args:
        source: The raster; its band ``DEM`` holds the elevation.
        target: The pixels of the scene.
        gain: What stored values are multiplied by to be metres.

    Raises:
        DataError: If it has no place, or no elevation in the scene.
    """

    def __init__(self, source: Source, target: Placement, gain: float = 1.0) -> None:
        own = source.placement
        if (own.crs is None) != (target.crs is None) or not (own.crs or own.overlaps(target)):
            raise DataError(
                f"{source.file} cannot be laid over the scene, as not both have a projection: "
                "assign one (gdal_edit.py -a_srs), or give both without one and of one size."
            )
        self._source, self._gain = source, gain
        self._size = target.height, target.width
        self._heights, self._widths = target.pixel_sizes
        # Pixels beyond the scene help at its border.
        self._beyond = MARGIN if own.crs else 0
        self._warped = warped(source, target.widened(MARGIN)) if own.crs else None
        self.covered = self._covered(target)
        if not self.covered:
            raise DataError(
                f"{source.file} has no elevation anywhere in the scene: give one that covers it."
            )

    def close(self) -> None:
        """Close what it opened; not the raster itself."""
        if self._warped:
            self._warped.close()

    def note(self) -> str | None:
        """How much of the scene has no elevation, in a sentence; None where all of it has."""
        if self.covered == 1:
            return None
        return (
            f"{self._source.file} covers {per_cent(self.covered)} % of the scene: elsewhere slope "
            "and DEM are missing, and what needs them does not count as observed."
        )

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Slope in degrees and elevation in metres in a window, NaN where missing.

        Returns:
            Two arrays of shape (H, W), float32.

        Raises:
            DataError: If the file is damaged.
        """
        height, width = self._size
        beyond = self._beyond
        moved = window.moved(beyond, beyond)
        part = moved.padded(MARGIN, (height + 2 * beyond, width + 2 * beyond))
        elevation = self._read(self._warped or self._source.dataset, part)
        rows = (np.arange(part.row, part.row + part.height) - beyond).clip(0, height - 1)
        slope = slope_in_degrees(elevation, self._heights[rows], self._widths[rows])
        inner = moved.within(part)
        return slope[inner], elevation[inner]

    def _read(
        self,
        pixels: DatasetReader,
        part: Window | None = None,
        size: tuple[int, int] | None = None,
    ) -> np.ndarray:
        band, place = self._source.indexes["DEM"], part and part.slices
        with reading(self._source.file):
            stored = pixels.read(band, window=place, out_shape=size)
            elevation = stored.astype(np.float32, copy=False)
            if self._source.masked:
                shown = pixels.read_masks(band, window=place, out_shape=size)
                elevation[shown == 0] = np.nan
        if self._source.dataset.nodata is not None:
            elevation[elevation == np.float32(self._source.dataset.nodata)] = np.nan
        elevation *= np.float32(self._gain)
        elevation[~((elevation > LOWEST) & (elevation < HIGHEST))] = np.nan
        return elevation

    def _covered(self, target: Placement) -> float:
        """Share of the scene that has an elevation, 0 to 1, on a lattice over it."""
        size = min(_SAMPLES, target.height), min(_SAMPLES, target.width)
        if target.crs is None:
            return float(np.isfinite(self._read(self._source.dataset, size=size)).mean())
        with warped(self._source, target.coarse(*size), nearest=True) as samples:
            return float(np.isfinite(self._read(samples)).mean())


def _smoothed(values: np.ndarray, missing: np.ndarray) -> np.ndarray:
    total = ndimage.gaussian_filter(np.where(missing, 0, values), SMOOTHING)
    if not missing.any():
        return total
    weight = ndimage.gaussian_filter((~missing).astype(np.float32), SMOOTHING)
    return total / np.maximum(weight, 1e-6)


def _difference(values: np.ndarray, axis: int) -> np.ndarray:
    """Change from pixel to pixel: the mean of those to both sides, or to the side there is."""
    if not np.isnan(values).any():
        return np.asarray(np.gradient(values, axis=axis))
    steps = np.diff(values, axis=axis)
    edge = np.full_like(values.take([0], axis), np.nan)
    both = np.stack([np.concatenate(pair, axis) for pair in ((edge, steps), (steps, edge))])
    known = np.isfinite(both)
    return np.where(known, both, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
