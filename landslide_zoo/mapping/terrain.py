"""Elevation and slope of a scene, from an elevation raster in any projection and resolution."""

from __future__ import annotations

import numpy as np
from rasterio.io import DatasetReader
from rasterio.windows import Window as RasterioWindow
from scipy import ndimage

from landslide_zoo.errors import DataError
from landslide_zoo.mapping.grids import Placement, per_cent
from landslide_zoo.mapping.inputs import InputFile
from landslide_zoo.mapping.layers import is_masked, warped
from landslide_zoo.mapping.rasters import reading
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
        file: The raster.
        dataset: The same, open; :meth:`close` closes it.
        own: Its pixels.
        target: The pixels of the scene.
        band: Which of its bands holds the elevation.
        gain: What stored values are multiplied by to be metres.

    Raises:
        DataError: If it has no place, or no elevation in the scene.
    """

    def __init__(
        self,
        file: InputFile,
        dataset: DatasetReader,
        own: Placement,
        target: Placement,
        band: int = 1,
        gain: float = 1.0,
    ) -> None:
        self._file, self._dataset, self._band, self._gain = file, dataset, band, gain
        self.size = target.height, target.width
        if (own.crs is None) != (target.crs is None) or (
            own.crs is None and self.size != (own.height, own.width)
        ):
            raise DataError(
                f"{file} cannot be laid over the scene, as not both have a projection: assign "
                "one (gdal_edit.py -a_srs), or give both without one and of one size."
            )
        self._heights, self._widths = target.pixel_sizes
        self._margin = 0 if own.crs is None else MARGIN
        self._pixels = dataset
        if own.crs is not None:
            self._pixels = warped(file, dataset, target.widened(MARGIN))
        self.covered = self._covered(own, target)
        if not self.covered:
            raise DataError(
                f"{file} has no elevation anywhere in the scene: give one that covers it."
            )

    def close(self) -> None:
        """Close the raster."""
        if self._pixels is not self._dataset:
            self._pixels.close()
        self._dataset.close()

    def note(self) -> str | None:
        """How much of the scene has no elevation, in a sentence; None where all of it has."""
        if self.covered == 1:
            return None
        return (
            f"{self._file} covers {per_cent(self.covered)} % of the scene: elsewhere slope and DEM "
            "are missing, and what needs them does not count as observed."
        )

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Elevation in metres and slope in degrees in a window, NaN where missing.

        Returns:
            Two arrays of shape (H, W), float32.

        Raises:
            DataError: If the file is damaged.
        """
        height, width = self.size
        beyond = self._margin  # pixels beyond the scene help at its border
        top = max(-beyond, window.row - MARGIN)
        left = max(-beyond, window.column - MARGIN)
        bottom = min(height + beyond, window.row + window.height + MARGIN)
        right = min(width + beyond, window.column + window.width + MARGIN)
        part = RasterioWindow(left + beyond, top + beyond, right - left, bottom - top)
        elevation = self._read(self._pixels, part)
        rows = np.arange(top, bottom).clip(0, height - 1)
        slope = slope_in_degrees(elevation, self._heights[rows], self._widths[rows])
        inner = Window(window.row - top, window.column - left, window.height, window.width).slices
        return elevation[inner], slope[inner]

    def _read(
        self,
        pixels: DatasetReader,
        part: RasterioWindow | None = None,
        size: tuple[int, int] | None = None,
    ) -> np.ndarray:
        with reading(self._file):
            stored = pixels.read(self._band, window=part, out_shape=size)
            elevation = stored.astype(np.float32, copy=False)
            if is_masked(self._dataset):
                shown = pixels.read_masks(self._band, window=part, out_shape=size)
                elevation[shown == 0] = np.nan
        if self._dataset.nodata is not None:
            elevation[elevation == np.float32(self._dataset.nodata)] = np.nan
        elevation *= np.float32(self._gain)
        elevation[~((elevation > LOWEST) & (elevation < HIGHEST))] = np.nan
        return elevation

    def _covered(self, own: Placement, target: Placement) -> float:
        """Share of the scene that has an elevation, 0 to 1, on a lattice over it."""
        size = min(_SAMPLES, target.height), min(_SAMPLES, target.width)
        if own.crs is None:
            return float(np.isfinite(self._read(self._dataset, size=size)).mean())
        coarse = target.coarse(*size)
        with warped(self._file, self._dataset, coarse, nearest=True) as samples:
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
    first = [(0, 0), (0, 0)]
    last = [(0, 0), (0, 0)]
    first[axis], last[axis] = (1, 0), (0, 1)
    before = np.pad(steps, first, constant_values=np.nan)
    after = np.pad(steps, last, constant_values=np.nan)
    both = np.stack([before, after])
    known = np.isfinite(both)
    return np.where(known, both, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
