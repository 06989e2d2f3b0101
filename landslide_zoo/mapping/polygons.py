"""Outlines of landslides along the edges of their pixels, and their measures on the ground."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from pyproj import Geod, Transformer
from rasterio.crs import CRS
from rasterio.features import shapes
from shapely.geometry import MultiPolygon
from shapely.geometry.polygon import orient

from landslide_zoo.data.grid import Grid
from landslide_zoo.mapping.grids import Placement
from landslide_zoo.mapping.windows import Window

LONGITUDE_LATITUDE = "EPSG:4326"
END = 10
"""Per cent of a landslide's pixels that are its crown, the highest, or its toe, the lowest."""
FLAT = 1.0
"""Metres from crown to toe below which a landslide has no direction to measure along."""
_WGS84 = Geod(ellps="WGS84")


def outlines(labels: np.ndarray, window: Window) -> dict[int, MultiPolygon]:
    """The outlines of the parts of a label image, in pixels of the scene.

    They follow the edges of the pixels: x is the column and y the row, and the scene's
    upper left corner is (0, 0). Pixels that touch at a corner alone are polygons of their own.

    Args:
        labels: Number of each pixel's part, 0 where there is none, shape (h, w), int32.
        window: Where it lies in the scene.
    """
    found = defaultdict(list)
    shift = np.array([window.column, window.row])
    # Four neighbours: a ring that meets itself at a corner would not be valid.
    for shape, number in shapes(labels, mask=labels > 0, connectivity=4):
        shell, *holes = (np.array(ring) + shift for ring in shape["coordinates"])
        found[int(number)].append(shapely.Polygon(shell, holes))
    return {
        number: shapely.normalize(shapely.MultiPolygon(parts)) for number, parts in found.items()
    }


def joined(pieces: Sequence[MultiPolygon]) -> MultiPolygon:
    """The outline of a part that was cut into pieces, without the corners that cuts leave."""
    whole = shapely.normalize(shapely.simplify(shapely.union_all(pieces), 0))
    return whole if isinstance(whole, MultiPolygon) else MultiPolygon([whole])


def crown_to_toe(rows: np.ndarray, columns: np.ndarray, elevation: np.ndarray) -> np.ndarray | None:
    """The way from the centre of a landslide's highest tenth to that of its lowest.

    Args:
        rows: Of its pixels, shape (n,).
        columns: Likewise.
        elevation: Likewise, in metres; NaN where it is not known.

    Returns:
        Columns and rows, shape (2,); None where the ground is flat or not known.
    """
    known = ~np.isnan(elevation)
    if not known.any():
        return None
    places, heights = np.stack([columns[known], rows[known]], axis=1), elevation[known]
    low, high = np.percentile(heights, (END, 100 - END))
    way = places[heights <= low].mean(axis=0) - places[heights >= high].mean(axis=0)
    return way if high - low >= FLAT and way.any() else None


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a landslide reaches.

    Attributes:
        length: In the direction from its crown to its toe, or along the longer side of the
            smallest rectangle around it where the elevation does not tell them; metres.
        width: Across it, in metres.
        azimuth: Direction from crown to toe, in degrees clockwise from the grid's north, or None.
    """

    length: float
    width: float
    azimuth: float | None


class Ground:
    """Measures of a scene's pixels on the ground.

    Args:
        grid: The scene's; upright, as grids of scenes are.
        size: Height and width of the scene in pixels.
    """

    def __init__(self, grid: Grid, size: tuple[int, int]) -> None:
        self.grid = grid
        self.placed = grid.crs is not None and grid.transform is not None
        """Whether it is known where the pixels lie; outlines are in pixels where it is not."""
        if grid.crs is not None and grid.transform is not None:
            self._to_degrees = Transformer.from_crs(grid.crs, LONGITUDE_LATITUDE, always_xy=True)
            crs, self._transform = CRS.from_user_input(grid.crs), Affine(*grid.transform)
            self._heights, self._widths = Placement(crs, self._transform, *size).pixel_sizes
        else:
            self._heights, self._widths = (np.full((size[0], 1), s) for s in grid.pixel_size)

    @property
    def even(self) -> bool:
        """Whether all pixels have one size: not in degrees, nor in a stretched projection."""
        return not (np.ptp(self._heights) or np.ptp(self._widths))

    def place(self, outline: MultiPolygon) -> MultiPolygon:
        """An outline in pixels, in coordinates of the grid; in pixels where there are none."""
        return shapely.transform(outline, self._coordinates) if self.placed else outline

    def longitude_latitude(self, row: float, column: float) -> tuple[float, float] | None:
        """Where the centre of a pixel lies, in degrees (WGS 84); None where it is not known."""
        if not self.placed:
            return None
        ((longitude, latitude),) = self._degrees(np.array([[column + 0.5, row + 0.5]]))
        return float(longitude), float(latitude)

    def pixel_size(self, row: float) -> tuple[float, float]:
        """Height and width of the pixels of a row in metres."""
        return self._heights[round(row)].item(), self._widths[round(row)].item()

    def pixel_areas(self, rows: np.ndarray) -> np.ndarray:
        """Area of the pixels of rows in square metres, shape (n,)."""
        return (self._heights * self._widths)[rows, 0]

    def area(self, outline: MultiPolygon) -> float:
        """Area of an outline in square metres, on the ellipsoid where pixels differ in size."""
        if self.even:
            height, width = self.pixel_size(0)
            return outline.area * height * width
        degrees = shapely.transform(outline, self._degrees)
        # How a ring turns gives its area a sign: holes turn against their shell.
        parts = [orient(part) for part in degrees.geoms]
        return float(sum(_WGS84.geometry_area_perimeter(part)[0] for part in parts))

    def extent(self, outline: MultiPolygon, row: float, fall: np.ndarray | None) -> Extent:
        """How far an outline reaches along the slope and across it.

        Args:
            outline: In pixels.
            row: That of its centre, for the size of its pixels.
            fall: From its crown to its toe, as :func:`crown_to_toe` finds it.
        """
        height, width = self.pixel_size(row)
        hull = shapely.transform(outline.convex_hull, lambda pixels: pixels * (width, height))
        if fall is None:
            box = shapely.get_coordinates(shapely.minimum_rotated_rectangle(hull))
            sides = np.hypot(*np.diff(box[:3], axis=0).T)
            return Extent(float(sides.max()), float(sides.min()), None)
        right, down = fall[:2] * (width, height)
        right, down = np.array((right, down)) / np.hypot(right, down)
        corners = shapely.get_coordinates(hull)
        along, across = corners @ (right, down), corners @ (-down, right)
        azimuth = float(np.degrees(np.arctan2(right, -down)) % 360)
        return Extent(float(np.ptp(along)), float(np.ptp(across)), azimuth)

    def _coordinates(self, pixels: np.ndarray) -> np.ndarray:
        """Coordinates of columns and rows, shape (n, 2)."""
        return np.stack(self._transform @ pixels.T, axis=1)

    def _degrees(self, pixels: np.ndarray) -> np.ndarray:
        """Longitude and latitude of columns and rows, shape (n, 2)."""
        return np.stack(self._to_degrees.transform(*self._coordinates(pixels).T), axis=1)
