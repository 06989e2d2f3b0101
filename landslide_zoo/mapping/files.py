"""Files of a map: whole before they get their names, and the same bytes of the same pixels."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import numpy as np
import rasterio
from affine import Affine
from pyogrio.errors import DataLayerError, DataSourceError
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.shutil import copy

from landslide_zoo.data.grid import Grid
from landslide_zoo.errors import DataError
from landslide_zoo.mapping.provenance import Provenance, tags_of
from landslide_zoo.mapping.rasters import environment
from landslide_zoo.mapping.windows import Window, blocks

BLOCK = 512
"""Side of the blocks inside a file, in pixels."""
READ = 1024
"""Side of the windows that are asked for, in pixels."""
_CACHE_BYTES = 32 * 1024 * 1024
"""What GDAL keeps of a file that is written: it is as quick with it as with more."""

Colours = Mapping[int, tuple[int, int, int, int]]
"""Red, green, blue and opacity of values."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what goes wrong while a file is written into one sentence.

    Raises:
        DataError: In place of the errors of the system, of GDAL and of its drivers.
    """
    try:
        yield
    except (OSError, RasterioError, DataSourceError, DataLayerError) as error:
        raise DataError(
            f"{path} cannot be written ({getattr(error, 'strerror', None) or error}): free some "
            "space, or choose another folder."
        ) from error


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A file to write to, which gets its name when it is whole; its folder is made if need be.

    Raises:
        DataError: If it cannot be written; what was there stays.
    """
    new = path.with_name(f".new-{path.name}")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            new.unlink(missing_ok=True)
            yield new
            new.replace(path)
    finally:
        with suppress(OSError):  # its folder may be none
            new.unlink(missing_ok=True)


def write_cog(
    path: Path,
    read: Callable[[Window], np.ndarray],
    size: tuple[int, int],
    grid: Grid,
    provenance: Provenance,
    *,
    name: str,
    dtype: Literal["uint8", "float32"],
    nodata: float,
    colours: Colours | None = None,
    scale: float | None = None,
    resampling: Literal["nearest", "average"] = "nearest",
) -> None:
    """Write a raster of one band as a cloud-optimised GeoTIFF, window by window.

    Args:
        path: The file.
        read: Gives the pixels of a window, shape (h, w).
        size: Height and width in pixels.
        grid: Its place; none is written where it is not known.
        provenance: Where it comes from.
        name: Of the band.
        dtype: Type of the pixels.
        nodata: What stands for no value.
        colours: Colours of the values of a band of uint8.
        scale: What pixels are to be multiplied by.
        resampling: How overviews are made.

    Raises:
        DataError: If it cannot be written.
    """
    profile = {
        "driver": "GTiff",
        "height": size[0],
        "width": size[1],
        "count": 1,
        "dtype": dtype,
        "nodata": nodata,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "deflate",
        "zlevel": 1,
        "bigtiff": "if_safer",
    }
    if grid.crs is not None and grid.transform is not None:
        profile |= {"crs": grid.crs, "transform": Affine(*grid.transform)}
    with written_whole(path) as whole, environment(_CACHE_BYTES), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        plain = whole.with_suffix(".rows.tif")
        try:
            with rasterio.open(plain, "w", **profile) as dataset:
                dataset.set_band_description(1, name)
                if colours:
                    dataset.write_colormap(1, dict(colours))
                if scale is not None:
                    dataset.scales = (scale,)
                dataset.update_tags(**tags_of(provenance))
                for window in blocks(size, READ):
                    dataset.write(read(window), 1, window=window.slices)
            copy(
                plain,
                whole,
                driver="COG",
                compress="DEFLATE",
                level=6,
                blocksize=BLOCK,
                overview_resampling=resampling,
                bigtiff="IF_SAFER",
            )
        finally:
            plain.unlink(missing_ok=True)


def read_plain(file: int, window: Window, width: int, dtype: np.dtype) -> np.ndarray:
    """A window of a raster without a header, row after row in an open file.

    Args:
        file: Its descriptor.
        window: Lies inside the raster.
        width: That of the raster, in pixels.
        dtype: Type of the pixels.

    Returns:
        Shape (h, w).
    """
    values = np.empty((window.height, window.width), dtype)
    # Not mapped: pages of whole rows would count as memory of this process.
    for row, place in zip(values, _places(window, width, dtype), strict=True):
        os.preadv(file, [row.data], place)
    return values


def write_plain(file: int, window: Window, width: int, values: np.ndarray) -> None:
    """Write a window of such a raster, shape (h, w)."""
    for row, place in zip(values, _places(window, width, values.dtype), strict=True):
        os.pwrite(file, row.tobytes(), place)


def _places(window: Window, width: int, dtype: np.dtype) -> range:
    """Where the rows of a window begin in such a file, in bytes."""
    step = width * dtype.itemsize
    first = window.row * step + window.column * dtype.itemsize
    return range(first, first + window.height * step, step)
