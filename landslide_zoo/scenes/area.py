"""The part of a scene that is wanted: a rectangle in degrees, or the one around outlines."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
from affine import Affine
from rasterio.crs import CRS

from landslide_zoo.errors import DataError, shown
from landslide_zoo.scenes.rasters import Placement, Window, hull

Box = tuple[float, float, float, float]
"""West, south, east and north, in degrees; across the antimeridian west is greater than east."""

GRAIN = 64
"""Pixels: parts begin at multiples of it, with as many around, so that light and vegetation are
measured in the neighbourhoods of the whole scene, and landslides are those of its map."""


def box_of(text: str) -> Box | None:
    """The rectangle that a text gives as ``west,south,east,north``; None if it gives none.

    Raises:
        DataError: If four numbers are no rectangle on the Earth.

    Example:
        >>> box_of("76.11, 11.48, 76.14, 11.51")
        (76.11, 11.48, 76.14, 11.51)
        >>> box_of("valley.gpkg")
    """
    try:
        west, south, east, north = map(float, text.split(","))
    except ValueError:
        return None
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south < north <= 90):
        raise DataError(
            f"{shown(text)} is no rectangle: give west,south,east,north in degrees, south below "
            "north, as 76.11,11.48,76.14,11.51."
        )
    return west, south, east, north


def part_of(placement: Placement, aoi: str | Path | Box, scene: str) -> Window:
    """The part of a scene around an area, a margin included.

    Args:
        placement: The pixels of the scene.
        aoi: A rectangle, or a vector file with polygons in any projection.
        scene: The scene's name, for errors.

    Raises:
        DataError: If the area cannot be read, is none, or lies outside the scene.
    """
    if placement.crs is None:
        raise DataError(f"{scene} lies nowhere on the map, so no part of it can be asked for.")
    area = _placed(box_of(aoi) or Path(aoi) if isinstance(aoi, str) else aoi)
    columns, rows = placement.pixels_of(area, np.linspace(0, 1, 33))
    known = np.isfinite(columns) & np.isfinite(rows)
    if known.any():
        inside = Window(
            int(np.floor(rows[known].min())),
            int(np.floor(columns[known].min())),
            int(np.ceil(np.ptp(rows[known]))) + 1,
            int(np.ceil(np.ptp(columns[known]))) + 1,
        ).inside(placement.size)
        if inside.height > 0 and inside.width > 0:
            corners = (inside.moved(-GRAIN, -GRAIN), inside.moved(GRAIN, GRAIN))
            around = hull(corners)
            top, left = around.row // GRAIN * GRAIN, around.column // GRAIN * GRAIN
            bottom, right = around.row + around.height, around.column + around.width
            return Window(top, left, bottom - top, right - left).inside(placement.size)
    raise DataError(f"{scene} has no ground in the area that was asked for: give one inside it.")


def _placed(aoi: Path | Box) -> Placement:
    """The rectangle around an area, as one pixel."""
    if isinstance(aoi, tuple):
        crs, (west, south, east, north) = CRS.from_epsg(4326), aoi
        east += 360 * (east < west)
    else:
        try:
            table = geopandas.read_file(aoi)
        except Exception as error:  # each of GDAL's drivers has errors of its own
            raise DataError(
                f"{aoi} is no area: give a vector file, or west,south,east,north in degrees."
            ) from error
        outlines = table.geometry[table.geometry.geom_type.isin(("Polygon", "MultiPolygon"))]
        outlines = outlines[~outlines.is_empty]
        if table.crs is None or outlines.empty:
            lack = "polygon" if outlines.empty else "projection"
            raise DataError(f"{aoi} is no area, as it has no {lack}: draw one around the area.")
        crs, (west, south, east, north) = CRS.from_wkt(table.crs.to_wkt()), outlines.total_bounds
    return Placement(crs, Affine(east - west, 0, west, 0, south - north, north), 1, 1)
