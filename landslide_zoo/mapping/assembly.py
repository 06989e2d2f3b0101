"""How the rasters of a scene are put together: one grid, one scale, one elevation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from landslide_zoo.data.bands import Unit
from landslide_zoo.errors import DataError
from landslide_zoo.mapping.grids import COARSEST, Placement
from landslide_zoo.mapping.inputs import input_files
from landslide_zoo.mapping.layers import Layer
from landslide_zoo.mapping.naming import OPTICAL
from landslide_zoo.mapping.products import Product
from landslide_zoo.mapping.rasters import MAX_SIDE, Source, open_raster
from landslide_zoo.mapping.scales import Radiometry, Scale, radiometry_of
from landslide_zoo.mapping.terrain import Terrain
from landslide_zoo.mapping.windows import Window, windows_from_the_middle

TERRAIN = ("slope", "DEM")
SCANNED = 4 * 1024 * 1024
"""Pixels looked through at once for a first value."""


def elevation_of(product: Product, dem: str | Path | None, opened: ExitStack) -> Source | None:
    """The elevation raster that was given, or that lies among the bands."""
    if dem is None:
        for source in product.sources:
            if set(source.indexes) == {"DEM"}:
                product.sources.remove(source)
                product.notes.append(f"Elevation was taken from {source.file}.")
                return source
        return None
    found = list(input_files([Path(dem)]))
    if len(found) != 1:
        raise DataError(f"{dem} holds {len(found)} files: give one raster of elevation.")
    file = found[0]
    dataset = opened.enter_context(open_raster(file))
    if dataset.count != 1:
        raise DataError(
            f"{file} has {dataset.count} bands where an elevation raster has one: give one with "
            "elevations in metres."
        )
    own = [name for source in product.sources for name in source.indexes if name in TERRAIN]
    if own:
        product.notes.append(f"{' and '.join(own)} were taken from {file}, not from the scene.")
        for source in product.sources:
            source.indexes = {n: i for n, i in source.indexes.items() if n not in TERRAIN}
        product.sources[:] = [source for source in product.sources if source.indexes]
    return Source(file, dataset, {"DEM": 1})


def placed(product: Product, onto: Placement | None) -> tuple[Placement, list[str]]:
    """The pixels to read on: the finest optical bands', made upright and about 10 m wide."""
    optical = [source for source in product.sources if OPTICAL & set(source.indexes)]
    usual, _ = Counter(source.placement.crs for source in optical).most_common(1)[0]
    finest = min(
        (source for source in optical if source.placement.crs == usual),
        key=lambda source: source.placement.pixel_area,
    )
    own = finest.placement
    if onto is None and max(own.pixel_size) > 1.1 * COARSEST:
        raise DataError(
            f"Pixels of {finest.file} are {round(max(own.pixel_size), 2):g} m wide, and models "
            "know 10 m: give a scene of Sentinel-2."
        )
    placement = onto or own.to_10_metres()
    if max(placement.height, placement.width) > MAX_SIDE:
        raise DataError(
            f"{finest.file} has {placement.height} x {placement.width} pixels of 10 m, more than a "
            f"side of {MAX_SIDE}: cut it into parts."
        )
    notes: list[str] = []
    for source in product.sources:
        other = source.placement
        if not other.overlaps(placement):
            where = "the scene that it is laid onto" if onto else str(finest.file)
            raise DataError(
                f"{source.file} has no ground in common with {where}: give rasters of one place, "
                "all of them with a projection, or all without and of one size."
            )
        if other.crs != own.crs:
            notes.append(
                f"{source.file} is in {other.crs} and {finest.file} in {own.crs}: "
                "it was warped to the latter."
            )
    if own.crs is None:
        notes.append(
            f"{finest.file} has no projection: outputs are in pixels, taken to be 10 m wide, and "
            "lie nowhere on the map."
        )
        if finest.dataset.gcps[0]:
            notes.append("It has ground control points: warp it first (gdalwarp) to place it.")
    elif onto is None and not own.upright:
        notes.append(
            f"{finest.file} is rotated or mirrored: it is resampled to a grid that points north."
        )
    elif onto is None and placement != own:
        height, width = (round(size, 2) for size in own.pixel_size)
        notes.append(
            f"Pixels of {finest.file} are {height:g} x {width:g} m: they are resampled to "
            f"{round(placement.pixel_size[0], 2):g} m, which models know; what smaller pixels show "
            "is lost, and larger ones gain nothing."
        )
    return placement, notes


def set_scales(
    layers: Sequence[Layer], product: Product, scale: Scale | None, offset: float | None
) -> Unit:
    """Tell the layers what their numbers mean; the unit that they become."""
    metadata = product.metadata
    if metadata is None or scale is not None:
        radiometry = radiometry_of(product.name, layers, scale, offset)
    else:
        offsets = metadata.offsets if offset is None else dict.fromkeys(OPTICAL, offset)
        radiometry = Radiometry(
            gains=dict.fromkeys(OPTICAL, metadata.gain),
            offsets={name: added * metadata.gain for name, added in offsets.items()},
        )
        if offset is None and any(offsets.values()):
            added = ", ".join(sorted({f"{each:g}" for each in offsets.values()}))
            radiometry.notes.append(
                f"The offset of {added} was added to its numbers, as {metadata.source} says."
            )
        for layer in layers:  # 0 is no value in a product, though cirrus may be as dark
            layer.zero_is_missing = bool(OPTICAL - {"B10"} & set(layer.indexes))
    for layer in layers:
        layer.gains, layer.offsets = radiometry.gains, radiometry.offsets
    product.notes += radiometry.notes
    return radiometry.unit


def terrain_of(
    elevation: Source | None, layers: Sequence[Layer], placement: Placement
) -> Terrain | None:
    """Slope and elevation from their raster, or from the band that a scene has without a slope."""
    if elevation:
        return Terrain(elevation, placement)
    if any("slope" in layer.indexes for layer in layers):
        return None
    for layer in layers:
        if "DEM" in layer.indexes:
            source = Source(layer.file, layer.dataset, {"DEM": layer.indexes.pop("DEM")})
            return Terrain(source, placement, layer.gains.get("DEM", 1.0))
    return None


def refuse_empty(layers: Sequence[Layer], placement: Placement) -> None:
    """Refuse a scene without any value; a scene that has some is left at the first of them."""
    layer = next(layer for layer in layers if OPTICAL & set(layer.indexes))
    bands = [name for name in layer.indexes if name in OPTICAL]
    size = placement.height, placement.width
    rows = max(1, SCANNED // size[1])
    strips = (Window(row, 0, rows, size[1]).inside(size) for row in range(0, size[0], rows))
    for window in (*windows_from_the_middle(size), *strips):
        values, blank = layer.read(window, bands)
        if (~blank & np.isfinite(values).all(axis=0)).any():
            return
    raise DataError(
        f"{layer.file} has no value anywhere: all of it is nodata or 0; "
        "check that it was downloaded and cut right."
    )
