"""Rasters read window by window on the grid of a scene, whatever their own grid is; terrain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import MaskFlags, Resampling
from rasterio.io import DatasetReader
from rasterio.warp import reproject
from scipy import ndimage

from landslide_zoo.data.bands import BANDS
from landslide_zoo.data.readers import FARTHEST, NODATA
from landslide_zoo.errors import DataError
from landslide_zoo.scenes.rasters import (
    InputFile,
    Placement,
    Window,
    per_cent,
    reading,
    windows_from_the_middle,
)

OPTICAL = frozenset(band.name for band in BANDS if band.unit == "DN")
"""The bands of Sentinel-2 that patches have too."""
SCL = "SCL"
"""The scene classification of a Level-2A product."""
TERRAIN = ("slope", "DEM")
EXACT = 1e-3
"""Pixels by which grids may differ and still be the same."""
FINER = 1.5
"""Pixels of a raster to one of the scene from which they are averaged, not interpolated."""
WARP_ERROR = 0.01
"""Pixels by which a warped raster may be misplaced, for the sake of speed."""
MISSING = (*NODATA, -10_000.0)
"""Numbers that programs write where there is no value, without saying so."""
SMOOTHING = 1.0
"""Pixels of 10 m: the sources have 30 m, and between them a warped raster is made of facets."""
MARGIN = 6
"""Pixels around a window that its slope depends on: four deviations of the smoothing, and two."""
LOWEST, HIGHEST = -1_000.0, 9_000.0
"""Metres between which all land lies; beyond them is no elevation."""
TOO_STEEP = 50.0
"""Median slope in degrees that no wide ground is beyond."""
_ANYWHERE = CRS.from_epsg(3857)
"""Stands for the coordinates of rasters without a place."""
_SAMPLES = 96
"""Side of the lattice on which the share that a raster covers is counted."""
_UNITS = {"ft": 0.3048, "foot": 0.3048, "feet": 0.3048, "us survey foot": 0.3048006, "dm": 0.1}
"""Metres of the units that elevation rasters are in, where these are not metres."""


@dataclass(eq=False)
class Raster:
    """A raster, open, and which of its bands are used.

    The value of a pixel does not depend on the window it is read in.

    Attributes:
        file: Where it lies.
        dataset: The raster.
        indexes: Its bands by name, counted from 1.
        gains: What stored values are multiplied by, by band; 1 where it is not named.
        offsets: What is added then, by band; what is below 0 after it becomes 0.
        missing: Numbers that stand for no value.
        zero_is_missing: Whether 0 stands for no value, band by band, as in products.
        limits: Values beyond these are none.
    """

    file: InputFile
    dataset: DatasetReader
    indexes: dict[str, int]
    gains: dict[str, float] = field(default_factory=dict)
    offsets: dict[str, float] = field(default_factory=dict)
    missing: tuple[float, ...] = MISSING
    zero_is_missing: bool = False
    limits: tuple[float, float] = (-FARTHEST, FARTHEST)

    @cached_property
    def placement(self) -> Placement:
        """Its pixels on the ground.

        Raises:
            DataError: If they lie on no place of the Earth.
        """
        placement = Placement.of(self.dataset)
        sizes = np.array(placement.pixel_size)
        if not (np.isfinite(sizes) & (sizes > 0)).all() or placement.transform.is_degenerate:
            raise DataError(
                f"The coordinates of {self.file} lie on no place of the Earth in {placement.crs}: "
                "assign the right projection (gdal_edit.py -a_srs)."
            )
        return placement

    @cached_property
    def masked(self) -> bool:
        """Whether it has a mask or alpha of its own."""
        flags = {flag for flags in self.dataset.mask_flag_enums for flag in flags}
        return bool(flags & {MaskFlags.per_dataset, MaskFlags.alpha})

    @property
    def optical(self) -> list[str]:
        """Those of its bands that are reflectance."""
        return [name for name in self.indexes if name in OPTICAL]

    def read(self, target: Placement, names: Sequence[str], nearest: bool = False) -> np.ndarray:
        """Some of its bands on other pixels: copied where these are its own, else warped.

        Args:
            target: The pixels.
            names: The bands.
            nearest: Whether each pixel is the nearest of the raster, as classes have to be.

        Returns:
            Shape (B, h, w), float32; NaN where there is no value.

        Raises:
            DataError: If the file is damaged.
        """
        own = self.placement
        to_own = ~own.transform @ target.transform
        shifts = round(to_own.f), round(to_own.c)
        same = np.allclose(
            (to_own.a * target.width, to_own.b, to_own.c, to_own.d, to_own.e * target.height),
            (target.width, 0, shifts[1], 0, target.height),
            rtol=0,
            atol=EXACT,
        ) and math.isclose(to_own.f, shifts[0], abs_tol=EXACT)
        if own.crs == target.crs and same:
            return self._copied(Window(*shifts, *target.size), names)
        return self._warped(own, target, names, nearest)

    def _copied(self, window: Window, names: Sequence[str]) -> np.ndarray:
        inside = window.inside(self.placement.size)
        values = np.full((len(names), window.height, window.width), np.nan, np.float32)
        if inside.height > 0 and inside.width > 0:
            values[:, *inside.within(window)] = self._stored(inside, names)
        return values

    def _warped(
        self, own: Placement, target: Placement, names: Sequence[str], nearest: bool
    ) -> np.ndarray:
        values = np.full((len(names), *target.size), np.nan, np.float32)
        columns, rows = own.pixels_of(target, np.linspace(0, 1, 17))
        known = np.isfinite(columns) & np.isfinite(rows)
        if not known.any():
            return values
        columns, rows = columns[known], rows[known]
        sizes = zip(own.pixel_size, target.pixel_size, strict=True)
        down, right = (theirs / ours for ours, theirs in sizes)
        factor = max(1, int(min(down, right) // 3))  # far more pixels than are needed
        margin = math.ceil(3 + 2 * max(down, right))
        top, left, bottom, right_end = (
            int(edge) // factor * factor
            for edge in (
                rows.min() - margin,
                columns.min() - margin,
                rows.max() + margin + factor,
                columns.max() + margin + factor,
            )
        )
        window = Window(top, left, bottom - top, right_end - left).inside(own.size)
        height, width = (side // factor * factor for side in window[2:])
        window = window._replace(height=height, width=width)
        if height <= 0 or width <= 0:
            return values
        source = self._stored(window, names, factor)
        transform = own.window(window).coarse(*source.shape[1:]).transform
        if max(down, right) < 1:  # the last value is that of the ground up to a pixel beyond
            source = np.pad(source, ((0, 0), (1, 1), (1, 1)), mode="edge")
            transform @= Affine.translation(-1, -1)
        averaged = max(down, right) > FINER
        method = Resampling.average if averaged else Resampling.bilinear
        gaps = bool(np.isnan(source).any())
        with reading(self.file):
            reproject(
                source,
                values,
                src_transform=transform,
                src_crs=own.crs or _ANYWHERE,
                src_nodata=np.nan if gaps else None,
                dst_transform=target.transform,
                dst_crs=target.crs or _ANYWHERE,
                dst_nodata=np.nan if gaps else None,
                init_dest_nodata=False,
                resampling=Resampling.nearest if nearest else method,
                tolerance=WARP_ERROR,
                UNIFIED_SRC_NODATA="NO",
                # GDAL would estimate them anew in each window.
                XSCALE=factor / right,
                YSCALE=factor / down,
            )
        return values

    def _stored(self, window: Window, names: Sequence[str], factor: int = 1) -> np.ndarray:
        """Values of a window as they are meant, float32, NaN where there is none.

        Only every so-manyth row and column where a factor is given.
        """
        bands = [self.indexes[name] for name in names]
        shape = window.height // factor, window.width // factor
        optical = [i for i, name in enumerate(names) if name in OPTICAL]
        with reading(self.file):
            stored = self.dataset.read(bands, window=window.slices, out_shape=(len(bands), *shape))
            with np.errstate(over="ignore"):
                values = stored.astype(np.float32)
            missing = ~(np.abs(values) < FARTHEST)
            low, high = stored.min(), stored.max()
            for number in {*self.missing, self.dataset.nodata} - {None, 0}:
                if not (low > number or high < number):  # NaN is neither
                    missing |= stored == number
            if self.zero_is_missing:
                missing |= stored == 0
            elif len(optical) > 1:
                missing[optical] |= (stored[optical] == 0).all(axis=0)
            if self.masked:
                shown = self.dataset.read_masks(bands[0], window=window.slices, out_shape=shape)
                missing |= shown == 0
        for i, name in enumerate(names):
            if gain := self.gains.get(name):
                values[i] *= np.float32(gain)
            if offset := self.offsets.get(name):
                values[i] += np.float32(offset)
                if name in OPTICAL:
                    np.maximum(values[i], 0, out=values[i])  # noise in the dark
        low, high = self.limits
        missing |= (values <= low) | (values >= high)
        values[missing] = np.nan
        return values


def fill_missing(values: np.ndarray, missing: np.ndarray, optical: Sequence[int]) -> None:
    """Give missing values those of the nearest pixel; 0 where a pixel has no optical one."""
    if optical:
        outside = missing[optical].all(axis=0)
        for i in optical:
            values[i][outside] = 0
            missing[i] &= ~outside
    nearest: np.ndarray | None = None
    for i, where in enumerate(missing):
        if not where.any():
            continue
        if where.all():
            values[i] = 0
            continue
        if nearest is None or not np.array_equal(where, missing[i - 1]):
            nearest = ndimage.distance_transform_edt(
                where, return_distances=False, return_indices=True
            )
        values[i] = values[i][tuple(nearest)]


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
    down = _smoothed(_difference(elevation, axis=0), missing) / heights
    right = _smoothed(_difference(elevation, axis=1), missing) / widths
    slope = np.degrees(np.arctan(np.hypot(down, right))).astype(np.float32)
    slope[missing] = np.nan
    return slope


class Terrain:
    """Elevation and slope on the grid of a scene.

    Args:
        raster: Its band ``DEM`` holds the elevation, in whatever unit it says.
        target: The pixels of the scene.

    Raises:
        DataError: If it has no place, no elevation in the scene, or is nowhere on Earth.
    """

    def __init__(self, raster: Raster, target: Placement) -> None:
        own = raster.placement
        if (own.crs is None) != (target.crs is None) or not (own.crs or own.share_of(target)):
            raise DataError(
                f"{raster.file} cannot be laid over the scene, as not both have a projection: "
                "assign one (gdal_edit.py -a_srs), or give both without one and of one size."
            )
        self._raster, self._target = raster, target
        self._heights, self._widths = target.pixel_sizes
        self.notes: list[str] = []
        self._set_unit()
        samples = target.coarse(*(min(_SAMPLES, length) for length in target.size))
        covered = float(np.isfinite(raster.read(samples, ("DEM",), nearest=True)).mean())
        if not covered:
            raise DataError(
                f"{raster.file} has no elevation anywhere in the scene: give one that covers it."
            )
        self._check_slope()
        if covered < 1:
            self.notes.append(
                f"{raster.file} covers {per_cent(covered)} % of the scene: elsewhere slope and DEM "
                "are missing, and what needs them does not count as observed."
            )

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Slope in degrees and elevation in metres in a window, NaN where missing.

        Returns:
            Two arrays of shape (H, W), float32.

        Raises:
            DataError: If the file is damaged.
        """
        # Pixels beyond the scene help at its border.
        part = Window(
            window.row - MARGIN,
            window.column - MARGIN,
            window.height + 2 * MARGIN,
            window.width + 2 * MARGIN,
        )
        (elevation,) = self._raster.read(self._target.window(part), ("DEM",))
        rows = np.arange(part.row, part.row + part.height).clip(0, self._target.height - 1)
        slope = slope_in_degrees(elevation, self._heights[rows], self._widths[rows])
        inner = window.within(part)
        return slope[inner], elevation[inner]

    def _set_unit(self) -> None:
        """Take scale, offset and unit from the raster's tags."""
        raster, index = self._raster, self._raster.indexes["DEM"] - 1
        dataset = raster.dataset
        unit = (dataset.units[index] or "").strip().lower()
        gain, offset = _UNITS.get(unit, 1.0), 0.0
        if np.dtype(dataset.dtypes[index]).kind != "f":  # real numbers are scaled already
            offset = dataset.offsets[index] * gain
            gain *= dataset.scales[index]
        raster.gains = {"DEM": gain * raster.gains.get("DEM", 1.0)}
        raster.offsets = {"DEM": offset}
        raster.limits = LOWEST, HIGHEST
        if gain != 1 or offset:
            self.notes.append(
                f"Elevations of {raster.file} were multiplied by {gain:g}"
                f"{f' and {offset:g} m added' if offset else ''} to be metres, as its tags say."
            )

    def _check_slope(self) -> None:
        """Check that the ground is one of the Earth, by its slopes."""
        parts = [self.read(w)[0] for w in windows_from_the_middle(self._target.size)]
        slopes = np.concatenate([part[np.isfinite(part)] for part in parts])
        middle = float(np.median(slopes)) if slopes.size else 0.0
        if middle > TOO_STEEP:
            raise DataError(
                f"{self._raster.file} makes half of the ground steeper than {middle:.0f} degrees, "
                "as nowhere on Earth: check the unit of its elevations and the size of its pixels."
            )


def _smoothed(values: np.ndarray, missing: np.ndarray) -> np.ndarray:
    total = ndimage.gaussian_filter(np.where(missing, 0, values), SMOOTHING)
    weight = ndimage.gaussian_filter((~missing).astype(np.float32), SMOOTHING)
    return total / np.maximum(weight, 1e-6)


def _difference(values: np.ndarray, axis: int) -> np.ndarray:
    """Change from pixel to pixel: the mean of those to both sides, or to the side there is."""
    steps = np.diff(values, axis=axis)
    edge = np.full_like(values.take([0], axis), np.nan)
    both = np.stack([np.concatenate(pair, axis) for pair in ((edge, steps), (steps, edge))])
    known = np.isfinite(both)
    return np.where(known, both, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
