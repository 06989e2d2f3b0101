"""Rasters that nobody vouches for: GeoTIFF, COG and JPEG 2000.

GDAL knows two hundred formats, some of which are a list of other files or hosts,
and it looks for companions beside a file. Here a file's first bytes choose the one
driver that may open it, nothing beside it is looked at, and what it claims is held
against bounds before a pixel is read.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import rasterio
from rasterio._err import CPLE_BaseError  # what GDAL reports and rasterio does not translate
from rasterio.enums import MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.session import DummySession

from landslide_zoo.data.readers.values import NODATA
from landslide_zoo.errors import DataError
from landslide_zoo.mapping.grids import Placement
from landslide_zoo.mapping.inputs import InputFile

CACHE_BYTES = 128 * 1024 * 1024
"""What GDAL keeps of decoded blocks: those of all bands of a product under a window and around it,
1,024 x 1,024 pixels each."""
MAX_SIDE = 100_000
"""Largest height and width in pixels: 1,000 km at 10 m."""
MAX_JPEG_2000_SIDE = 32_768
"""Its decoder keeps books on the whole of an image without tiles; a product's has 10,980."""
MAX_BANDS = 100
MAX_BLOCK_BYTES = 256 * 1024 * 1024
"""GDAL decodes whole blocks, however little of them is asked for."""

_JPEG_2000 = (b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_ELSEWHERE = {"GEOLOCATION", "OVERVIEWS"}
"""Metadata inside a GeoTIFF by which GDAL would open other files."""


@dataclass
class Source:
    """A raster, open, and which of its bands are used.

    Attributes:
        file: Where it lies.
        dataset: The raster.
        indexes: Its bands by name, counted from 1.
    """

    file: InputFile
    dataset: DatasetReader
    indexes: dict[str, int]

    @cached_property
    def placement(self) -> Placement:
        """Its pixels on the ground.

        Raises:
            DataError: If they lie on no place of the Earth.
        """
        placement = Placement.of(self.dataset)
        if not placement.on_earth:
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
    def nodata(self) -> float:
        """What stands for no value, by the raster itself or as is usual: 0 in unsigned ones."""
        if self.dataset.nodata is not None:
            return float(self.dataset.nodata)
        kind = np.dtype(self.dataset.dtypes[0]).kind
        return {"u": 0.0, "i": NODATA[0]}.get(kind, NODATA[1])


def driver_of(file: InputFile) -> str:
    """The one driver that may open a file, by its first bytes.

    Raises:
        DataError: If it is neither a TIFF nor JPEG 2000.
    """
    head = file.read(1024)
    if head.startswith(_TIFF):
        return "GTiff"
    if head.startswith(_JPEG_2000):
        return "JP2OpenJPEG"
    if b"<VRTDataset" in head:
        raise DataError(
            f"{file} is a VRT, which only points to other files: "
            "make a GeoTIFF of it (gdal_translate -of COG)."
        )
    raise DataError(
        f"{file} is neither a GeoTIFF nor JPEG 2000: "
        "convert it (gdal_translate -of COG) and give the GeoTIFF."
    )


def environment(cache: int = CACHE_BYTES) -> rasterio.Env:
    """GDAL's settings for a scene: no companions of a file, no hosts, a bounded cache in bytes."""
    return rasterio.Env(
        DummySession(),  # no credentials of clouds are looked for
        GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR",
        GDAL_PAM_ENABLED="NO",
        GDAL_GEOREF_SOURCES="INTERNAL",
        CPL_VSIL_CURL_ALLOWED_EXTENSIONS="{none}",
        GDAL_CACHEMAX=cache,
    )


@contextmanager
def reading(file: InputFile) -> Iterator[None]:
    """Turn what GDAL finds broken in a file into one sentence.

    Raises:
        DataError: In place of GDAL's own errors.
    """
    try:
        yield
    except (RasterioError, CPLE_BaseError, OSError, ValueError) as error:
        raise DataError(
            f"{file} cannot be read: it is cut short or damaged; copy or download it again."
        ) from error


def open_raster(file: InputFile) -> DatasetReader:
    """Open a raster, and hold what it claims against bounds.

    Its last pixel is read: of a file that is cut short the end is missing.

    Raises:
        DataError: If it is no raster of the kinds that are read, is damaged, points to
            other files, or claims too much.
    """
    driver = driver_of(file)
    with environment(), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with reading(file):
            dataset = rasterio.open(file.gdal_name, driver=driver, sharing=False)
        try:
            _check(file, dataset)
            end = ((dataset.height - 1, dataset.height), (dataset.width - 1, dataset.width))
            with reading(file):
                dataset.read(dataset.count, window=end)
        except DataError:
            dataset.close()
            raise
    return dataset


def _check(file: InputFile, dataset: DatasetReader) -> None:
    height, width, count = dataset.height, dataset.width, dataset.count
    largest = MAX_JPEG_2000_SIDE if dataset.driver == "JP2OpenJPEG" else MAX_SIDE
    if max(height, width) > largest:
        raise DataError(
            f"{file} claims to be {height} x {width} pixels, more than a side of {largest}: "
            "cut it into parts, or download it again if it is smaller."
        )
    if count > MAX_BANDS:
        raise DataError(f"{file} has {count} bands, more than {MAX_BANDS}: give the bands needed.")
    kinds = sorted(set(dataset.dtypes))
    if len(kinds) != 1 or kinds[0].startswith("complex"):
        raise DataError(
            f"{file} holds {', '.join(kinds) or 'no band'}: its bands must be real numbers of one "
            "type."
        )
    rows, columns = dataset.block_shapes[0]
    together = count if dataset.interleaving and dataset.interleaving.value == "PIXEL" else 1
    if rows * columns * together * np.dtype(kinds[0]).itemsize > MAX_BLOCK_BYTES:
        raise DataError(
            f"{file} is stored in blocks of {rows} x {columns} pixels, too large to be read in "
            "parts: rewrite it in tiles (gdal_translate -of COG)."
        )
    if _ELSEWHERE & {name.upper() for name in dataset.tag_namespaces()}:
        raise DataError(
            f"{file} points to other files, which are not opened: "
            "rewrite it without its metadata (gdal_translate -nomd -of COG)."
        )
