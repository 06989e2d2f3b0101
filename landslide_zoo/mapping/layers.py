"""A raster read window by window on the grid of a scene, whatever its own grid is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from scipy import ndimage

from landslide_zoo.data.readers import FARTHEST, NODATA
from landslide_zoo.errors import DataError
from landslide_zoo.mapping.products import OPTICAL
from landslide_zoo.mapping.rasters import Placement, Source, Window, per_cent, reading

EXACT = 1e-3
"""Pixels by which grids may differ and still be the same."""
BEYOND = 1.0
"""Pixels of a coarser band that its last value is taken for beyond its border: the 60 m bands of
a crop end up to one of their pixels before the 10 m bands do."""
FINER = 1.5
"""Pixels of a raster to one of the scene from which they are averaged, not interpolated."""
WARP_ERROR = 0.01
"""Pixels by which a warped raster may be misplaced, for the sake of speed."""


class Values(NamedTuple):
    """What a layer holds in a window.

    Attributes:
        values: Shape (B, H, W), float32; NaN where there is none.
        blank: Pixels whose optical bands are all 0 as stored, shape (H, W), bool.
    """

    values: np.ndarray
    blank: np.ndarray


@dataclass(eq=False)
class Layer(Source):
    """Bands of one raster on a scene's grid.

    Same projection: pixels are copied, or interpolated bilinearly between their centres.
    Another projection, a rotated grid or much finer pixels: GDAL warps them. Either way
    the value of a pixel does not depend on the window it is read in.

    Attributes:
        target: The pixels of the scene.
        nearest: Whether each pixel is the nearest of the raster, as classes have to be.
        gains: What stored values are multiplied by, by band; 1 where it is not named.
        offsets: What is added then, by band; what is below 0 after it becomes 0.
        zero_is_missing: Whether 0 stands for no value, band by band, as in products.
        covered: Share of the scene's pixels that the raster lies on, 0 to 1.
    """

    target: Placement
    nearest: bool = False
    gains: Mapping[str, float] = field(default_factory=dict)
    offsets: Mapping[str, float] = field(default_factory=dict)
    zero_is_missing: bool = False

    def __post_init__(self) -> None:
        own = self.placement
        self.covered = own.share_of(self.target)
        # From the scene's pixels to the raster's own.
        to_own = ~own.transform @ self.target.transform
        self._rows = _Axis(to_own.e, to_own.f, own.height)
        self._columns = _Axis(to_own.a, to_own.c, own.width)
        aligned = own.crs == self.target.crs and own.upright
        self._warped: WarpedVRT | None = None
        if not aligned or max(self._rows.scale, self._columns.scale) > FINER:
            self._warped = warped(self, self.target, self.nearest or _flipped(to_own))

    def close(self) -> None:
        """Close what it opened; not the raster itself."""
        if self._warped:
            self._warped.close()

    def read(self, window: Window, bands: Sequence[str]) -> Values:
        """Some of its bands in a window.

        Raises:
            DataError: If the file is damaged.
        """
        indexes = [self.indexes[name] for name in bands]
        stored, inside = self._stored(window, indexes)
        optical = [i for i, name in enumerate(bands) if name in OPTICAL]
        blank = inside & (stored[optical] == 0).all(axis=0)
        values = stored.astype(np.float32, copy=False)
        for i, name in enumerate(bands):
            if gain := self.gains.get(name):
                values[i] *= np.float32(gain)
            if offset := self.offsets.get(name):
                values[i] += np.float32(offset)
                np.maximum(values[i], 0, out=values[i])  # noise in the dark
        if not inside.all():
            values[:, ~inside] = np.nan
        return Values(values, blank)

    def _stored(self, window: Window, indexes: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Stored values (B, H, W), NaN where missing; and where the raster has pixels (H, W)."""
        with reading(self.file):
            if self._warped:
                return self._read_warped(self._warped, window, indexes)
            rows = self._rows.places(window.row, window.height, self.nearest)
            columns = self._columns.places(window.column, window.width, self.nearest)
            part = Window(rows.first, columns.first, rows.number, columns.number).slices
            stored = self._without_missing(self.dataset.read(indexes, window=part))
            inside = rows.inside[:, None] & columns.inside
            if self.masked:
                shown = self.dataset.read_masks(indexes[0], window=part) > 0
                inside = inside & shown[rows.nearest][:, columns.nearest]
        return _interpolated(stored, rows, columns), inside

    def _read_warped(
        self, pixels: WarpedVRT, window: Window, indexes: list[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        if self.masked:
            *bands, shown = pixels.read([*indexes, pixels.count], window=window.slices)
            return self._without_missing(np.array(bands)), shown > 0
        stored = pixels.read(indexes, window=window.slices)
        if self.nodata == 0 and not self.zero_is_missing:
            stored[np.isnan(stored)] = 0  # dark, unless all bands are
        return self._without_missing(stored), np.ones(stored.shape[1:], bool)

    def _without_missing(self, stored: np.ndarray) -> np.ndarray:
        """Stored values, as float32 with NaN in place of those that stand for none."""
        missing = np.zeros(stored.shape, bool)
        if stored.dtype.kind == "f":
            missing |= ~(np.abs(stored) < FARTHEST)
        low, high = stored.min(), stored.max()
        for number in {*NODATA, self.dataset.nodata} - {None, 0}:
            if not (low > number or high < number):  # NaN is neither
                missing |= stored == number
        if self.zero_is_missing:
            missing |= stored == 0
        if not missing.any():
            return stored
        values = stored.astype(np.float32)
        values[missing] = np.nan
        return values


def warped(source: Source, target: Placement, nearest: bool = False) -> WarpedVRT:
    """A raster as GDAL warps it to other pixels: float32, NaN where there is no value.

    Where the raster has a mask or alpha, its last band says where it is shown.

    Args:
        source: The raster.
        target: The pixels.
        nearest: Whether pixels are copied, not interpolated.

    Raises:
        DataError: If GDAL knows no way from one coordinate system to the other.
    """
    sizes = zip(source.placement.pixel_size, target.pixel_size, strict=True)
    down, right = (own / new for own, new in sizes)
    method = Resampling.average if max(down, right) < 1 / FINER else Resampling.bilinear
    try:
        return WarpedVRT(
            source.dataset,
            crs=target.crs,
            transform=target.transform,
            height=target.height,
            width=target.width,
            resampling=Resampling.nearest if nearest else method,
            dtype="float32",
            working_dtype="float32",
            src_nodata=None if source.masked else source.nodata,
            nodata=None if source.masked else np.nan,
            add_alpha=source.masked and ColorInterp.alpha not in source.dataset.colorinterp,
            tolerance=WARP_ERROR,
            UNIFIED_SRC_NODATA="NO",
            # GDAL would estimate them anew in each window, and widen its kernel in a turned one.
            XSCALE=right,
            YSCALE=down,
        )
    except (RasterioError, CPLE_BaseError) as error:
        raise DataError(
            f"{source.file} cannot be warped from {source.dataset.crs} to {target.crs}: check its "
            "projection, or warp it yourself (gdalwarp)."
        ) from error


class _Places(NamedTuple):
    """Where the pixels of a window lie along one axis of a raster."""

    first: int
    number: int
    inside: np.ndarray
    nearest: np.ndarray
    before: np.ndarray | None
    weight: np.ndarray
    """Pixels before and how far beyond their centres; none where pixels are copied."""


class _Axis(NamedTuple):
    """How pixels of the scene map to pixels of a raster along one axis."""

    scale: float
    offset: float
    length: int

    def places(self, start: int, count: int, nearest: bool) -> _Places:
        centres = (np.arange(start, start + count) + 0.5) * self.scale + self.offset
        beyond = BEYOND if self.scale < 1 - EXACT else -EXACT
        inside = (centres >= -beyond) & (centres <= self.length + beyond)
        closest = np.floor(centres).astype(np.int64).clip(0, self.length - 1)
        shift = self.offset - round(self.offset)
        same = abs(self.scale - 1) * self.length < EXACT and abs(shift) < EXACT
        if same or nearest:
            first, last = int(closest.min()), int(closest.max())
            return _Places(
                first, last - first + 1, inside, closest - first, None, np.zeros(0, np.float32)
            )
        between = (centres - 0.5).clip(0, self.length - 1)
        before = np.floor(between).astype(np.int64).clip(0, max(self.length - 2, 0))
        first, last = int(before.min()), min(int(before.max()) + 1, self.length - 1)
        return _Places(
            first,
            last - first + 1,
            inside,
            (closest - first).clip(0, last - first),
            before - first,
            (between - before).astype(np.float32),
        )


def _interpolated(stored: np.ndarray, rows: _Places, columns: _Places) -> np.ndarray:
    """Values between the centres of pixels; what is missing has no part in them."""
    if rows.before is None and columns.before is None:
        if rows.number == len(rows.nearest) and columns.number == len(columns.nearest):
            return stored
        return stored.take(rows.nearest, 1).take(columns.nearest, 2)
    values = stored.astype(np.float32, copy=False)
    missing = np.isnan(values)
    if not missing.any():
        return _between(_between(values, rows, 1), columns, 2)
    known = _between(_between((~missing).astype(np.float32), rows, 1), columns, 2)
    total = _between(_between(np.where(missing, 0, values), rows, 1), columns, 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        total /= known
    total[known < 0.5] = np.nan
    return total


def _between(values: np.ndarray, places: _Places, axis: int) -> np.ndarray:
    if places.before is None:
        return values.take(places.nearest, axis)
    shape = [1, 1, 1]
    shape[axis] = len(places.weight)
    low = values.take(places.before, axis)
    difference = values.take(np.minimum(places.before + 1, values.shape[axis] - 1), axis)
    difference -= low
    difference *= places.weight.reshape(shape)
    low += difference
    return low


def _flipped(to_own: Affine) -> bool:
    """Whether a transform between pixels only changes their order."""
    square = sorted(abs(each) for each in (to_own.a, to_own.b, to_own.d, to_own.e))
    whole = all(abs(each - round(each)) < EXACT for each in (to_own.c, to_own.f))
    return whole and np.allclose(square, (0, 0, 1, 1), atol=1e-6)


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
