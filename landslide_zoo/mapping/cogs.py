"""Writing rasters of a whole scene as cloud-optimised GeoTIFFs, window by window."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.shutil import copy

from landslide_zoo.data.grid import Grid
from landslide_zoo.errors import DataError
from landslide_zoo.mapping.labelling import blocks
from landslide_zoo.mapping.rasters import environment
from landslide_zoo.mapping.windows import Window

BLOCK = 512
"""Side of the blocks inside a file, in pixels."""
READ = 1024
"""Side of the windows that are asked for, in pixels."""

Colours = Mapping[int, tuple[int, int, int, int]]
"""Red, green, blue and opacity of values."""


def write_cog(
    path: Path,
    read: Callable[[Window], np.ndarray],
    size: tuple[int, int],
    grid: Grid,
    *,
    dtype: str,
    nodata: float | None = None,
    colours: Colours | None = None,
    names: tuple[str, ...] = (),
    scale: float | None = None,
    tags: Mapping[str, str] | None = None,
    resampling: str = "nearest",
) -> None:
    """Write a raster, whole before it gets its name; the same pixels give the same bytes.

    Args:
        path: The file.
        read: Gives the pixels of a window, shape (h, w), or (B, h, w) for several bands.
        size: Height and width in pixels.
        grid: Its place; none is written where it is not known.
        dtype: Type of the pixels.
        nodata: What stands for no value.
        colours: Colours of the values of a single band of uint8.
        names: Name of each band.
        scale: What pixels are to be multiplied by.
        tags: Metadata.
        resampling: How overviews are made.

    Raises:
        DataError: If it cannot be written.
    """
    plain, whole = (path.with_name(f".{path.name}.{part}.tif") for part in ("rows", "new"))
    placed = grid.crs is not None and grid.transform is not None
    profile = {
        "driver": "GTiff",
        "height": size[0],
        "width": size[1],
        "count": max(1, len(names)),
        "dtype": dtype,
        "nodata": nodata,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "deflate",
        "zlevel": 1,
        "bigtiff": "if_safer",
    }
    if placed:
        profile |= {"crs": grid.crs, "transform": Affine(*(grid.transform or ()))}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with environment(), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(plain, "w", **profile) as dataset:
                for number, name in enumerate(names, start=1):
                    dataset.set_band_description(number, name)
                if colours:
                    dataset.write_colormap(1, dict(colours))
                if scale is not None:
                    dataset.scales = (scale,) * dataset.count
                dataset.update_tags(**(tags or {}))
                for window in blocks(size, READ):
                    values = read(window)
                    dataset.write(
                        values[None] if values.ndim == 2 else values, window=window.slices
                    )
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
        whole.replace(path)
    except (RasterioError, OSError) as error:
        raise DataError(
            f"{path} cannot be written ({getattr(error, 'strerror', None) or error}): free some "
            "space, or choose another folder."
        ) from error
    finally:
        for file in (plain, whole):
            with suppress(OSError):
                file.unlink(missing_ok=True)
