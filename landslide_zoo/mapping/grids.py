"""The 10 m grid of a scene, and how large its pixels are on the ground."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
from affine import Affine
from pyproj import Geod, Transformer
from pyproj.exceptions import ProjError
from rasterio.crs import CRS
from rasterio.io import DatasetReader

from landslide_zoo.data.grid import UNPLACED, Grid

PIXEL = 10.0
"""Metres: what the networks know."""
KEPT = 7.0, 15.0
"""Pixels between these are taken as they are; others are resampled to 10 m."""
COARSEST = 60.0
"""Metres: no band of Sentinel-2 is coarser."""
_NOMINAL = 0.005
"""Within this share of a projection's own unit a pixel has its nominal size: a Mercator zone's
scale differs by 0.0004 to 0.001."""
_LATTICE = 64
"""Side of the lattice on which a share of ground is counted."""
_WGS84 = Geod(ellps="WGS84")


def per_cent(share: float) -> int:
    """A share above 0 and below 1 in whole per cent, neither 0 nor 100."""
    return min(99, max(1, round(100 * share)))


@dataclass(frozen=True)
class Placement:
    """Pixels on the ground: coordinate system, transform and size.

    Attributes:
        crs: Coordinate system; None where the place is not known.
        transform: From column and row to coordinates.
        height: Number of rows.
        width: Number of columns.
    """

    crs: CRS | None
    transform: Affine
    height: int
    width: int

    @classmethod
    def of(cls, dataset: DatasetReader) -> Placement:
        """The pixels of a raster: without coordinate system or transform, of no known place."""
        crs, transform = dataset.crs, dataset.transform
        if not crs or not (crs.is_geographic or crs.is_projected) or transform.is_identity:
            crs, transform = None, Affine.identity()
        return cls(crs, transform, dataset.height, dataset.width)

    @property
    def upright(self) -> bool:
        """Whether rows run from north to south and columns from west to east."""
        t = self.transform
        return self.crs is None or (t.b == t.d == 0 and t.a > 0 and t.e < 0)

    @cached_property
    def pixel_sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """Height and width of a pixel on the ground in metres, row by row, each of shape (H, 1)."""
        return self._sizes_in(np.arange(self.height))

    @cached_property
    def pixel_size(self) -> tuple[float, float]:
        """Height and width of the middle row's pixels in metres."""
        down, right = self._sizes_in(np.array([self.height // 2]))
        return down.item(), right.item()

    @property
    def on_earth(self) -> bool:
        """Whether its coordinates are those of a place, in its coordinate system."""
        inside = all(math.isfinite(size) and size > 0 for size in self.pixel_size)
        return inside and not self.transform.is_degenerate

    @property
    def pixel_area(self) -> float:
        """Area of the middle row's pixels in square metres."""
        return math.prod(self.pixel_size)

    @property
    def grid(self) -> Grid:
        """The same as a grid that patches and predictions have."""
        if self.crs is None:
            return UNPLACED
        a, b, c, d, e, f = self.transform[:6]
        return Grid(self.pixel_size, self.crs.to_string(), (a, b, c, d, e, f))

    def overlaps(self, other: Placement) -> bool:
        """Whether both have ground in common; without place, whether both have one size."""
        if self.crs is None or other.crs is None:
            same = (self.height, self.width) == (other.height, other.width)
            return self.crs is other.crs and same
        try:
            to_own = Transformer.from_crs(other.crs, self.crs, always_xy=True)
            left, bottom, right, top = to_own.transform_bounds(*other.bounds)
        except ProjError:
            return False
        west, south, east, north = self.bounds
        return left < east and right > west and bottom < north and top > south

    def share_of(self, other: Placement) -> float:
        """Share of another's ground that these pixels cover, 0 to 1, on a lattice over it."""
        if self.crs is None or other.crs is None:
            return float(self.overlaps(other))
        steps = (np.arange(_LATTICE) + 0.5) / _LATTICE
        places: np.ndarray = np.stack(np.meshgrid(steps * other.width, steps * other.height))
        to_own = Transformer.from_crs(other.crs, self.crs, always_xy=True)
        places = np.stack(to_own.transform(*(other.transform @ places)))
        columns, rows = ~self.transform @ places
        within = (columns >= 0) & (columns <= self.width) & (rows >= 0) & (rows <= self.height)
        return float(within.mean())

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Least x and y, and greatest x and y, of its corners."""
        corners = product((0, self.width), (0, self.height))
        x, y = zip(*(self.transform @ corner for corner in corners), strict=True)
        return min(x), min(y), max(x), max(y)

    def moved(self, rows: float, columns: float) -> Placement:
        """The same number of pixels, this many rows and columns further."""
        return replace(self, transform=self.transform @ Affine.translation(columns, rows))

    def widened(self, margin: int) -> Placement:
        """With a margin of so many pixels on each side."""
        height, width = self.height + 2 * margin, self.width + 2 * margin
        return replace(self.moved(-margin, -margin), height=height, width=width)

    def coarse(self, height: int, width: int) -> Placement:
        """The same ground in fewer pixels."""
        scale = Affine.scale(self.width / width, self.height / height)
        return Placement(self.crs, self.transform @ scale, height, width)

    def to_10_metres(self) -> Placement:
        """Upright pixels of about 10 m that cover the same ground; itself where it has them."""
        upright = self if self.upright else self._bounding()
        size = upright.pixel_size
        if all(KEPT[0] <= side <= KEPT[1] for side in size):
            return upright
        down, right = size[0] / PIXEL, size[1] / PIXEL
        scaled = upright.transform @ Affine.scale(1 / right, 1 / down)
        height, width = math.ceil(upright.height * down), math.ceil(upright.width * right)
        return Placement(self.crs, scaled, height, width)

    def _bounding(self) -> Placement:
        """Upright pixels of the same size around all of these."""
        left, bottom, right, top = self.bounds
        t = self.transform
        across, down = math.hypot(t.a, t.d), math.hypot(t.b, t.e)
        return Placement(
            self.crs,
            Affine(across, 0, left, 0, -down, top),
            math.ceil((top - bottom) / down - 1e-6),
            math.ceil((right - left) / across - 1e-6),
        )

    def _sizes_in(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sizes in these rows: degrees become metres at their latitude, on the WGS 84 ellipsoid."""
        if self.crs is None:
            return np.full((len(rows), 1), PIXEL), np.full((len(rows), 1), PIXEL)
        middle = self.width / 2
        down = self._distance(middle, rows, middle, rows + 1)
        right = self._distance(middle - 0.5, rows + 0.5, middle + 0.5, rows + 0.5)
        t = self.transform
        if self.crs.is_projected:
            unit = self.crs.linear_units_factor[1]
            nominal = math.hypot(t.b, t.e) * unit, math.hypot(t.a, t.d) * unit
            for sizes, size in zip((down, right), nominal, strict=True):
                if (np.abs(sizes / size - 1) < _NOMINAL).all():
                    sizes[:] = size
        return down[:, None], right[:, None]

    def _distance(
        self, column: float, row: np.ndarray, to_column: float, to_row: np.ndarray
    ) -> np.ndarray:
        try:
            to_degrees = Transformer.from_crs(self.crs, "EPSG:4326", always_xy=True)
            start, end = (
                to_degrees.transform(*(self.transform @ np.stack(np.broadcast_arrays(*place))))
                for place in ((column, row), (to_column, to_row))
            )
        except ProjError:  # such as the Moon's
            return np.full(len(row), np.nan)
        if not all(np.isfinite(each).all() for each in (*start, *end)):
            return np.full(len(row), np.nan)
        return np.array(_WGS84.inv(*start, *end)[2])
