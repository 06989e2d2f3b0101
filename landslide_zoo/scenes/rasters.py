"""Rasters that nobody vouches for: where their files lie, and their pixels on the ground.

GDAL knows two hundred formats, some of which are a list of other files or hosts. Here a file's
first bytes choose the one driver that may open it, and what it claims is held against bounds
before a pixel is read.
"""

from __future__ import annotations

import math
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import product
from pathlib import Path, PurePath, PurePosixPath
from typing import NamedTuple

import numpy as np
import rasterio
from affine import Affine
from pyproj import Geod, Transformer
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader
from rasterio.session import DummySession

from landslide_zoo.data.patch import UNPLACED, Grid
from landslide_zoo.errors import DataError, damaged, shown

PIXEL = 10.0
"""Metres: what the networks know."""
KEPT = 7.0, 15.0
"""Pixels between these are taken as they are; others are resampled to 10 m."""
COARSEST = 60.0
"""Metres: no band of Sentinel-2 is coarser."""
CACHE_BYTES = 128 * 1024 * 1024
"""What GDAL keeps of decoded blocks: those of all bands of a product under a window and around it,
1,024 x 1,024 pixels each."""
MAX_RASTERS = 200
"""Rasters in a folder or a ZIP; a product has about 40."""
MAX_SIDE = 100_000
"""Largest height and width in pixels: 1,000 km at 10 m."""
MAX_BLOCK_BYTES = 256 * 1024 * 1024
"""GDAL decodes whole blocks, however little of them is asked for."""
SUFFIXES = {".tif": "GTiff", ".tiff": "GTiff", ".jp2": "JP2OpenJPEG", ".j2k": "JP2OpenJPEG"}
"""What rasters in a folder or a ZIP are called; a file that is given may be called anything."""

_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_JPEG_2000 = (b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
_ELSEWHERE = {"GEOLOCATION", "OVERVIEWS"}
"""Metadata by which GDAL would open other files."""
_NOT_BANDS = {"QI_DATA", "AUX_DATA", "HTML", "rep_info", "preview", "__MACOSX"}
"""Folders of a product, or of a Mac's ZIP, that hold no bands."""
_NOMINAL = 0.005
"""Within this share of a projection's own unit a pixel has its nominal size: a Mercator zone's
scale differs by 0.0004 to 0.001."""
_SHARE_SIDE = 64
"""Side of the lattice of points on which a share of ground is counted."""
_WGS84 = Geod(ellps="WGS84")
_SMALL = 256
"""Side of a small window in pixels."""


class Window(NamedTuple):
    """A rectangle of a scene, in pixels of its grid.

    Attributes:
        row: Its first row.
        column: Its first column.
        height: Its number of rows.
        width: Its number of columns.
    """

    row: int
    column: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Its rows and columns, as an array of the whole scene is indexed by."""
        return (
            slice(self.row, self.row + self.height),
            slice(self.column, self.column + self.width),
        )

    def grid(self, scene: Grid) -> Grid:
        """The window's own grid, given that of the scene.

        Example:
            >>> grid = Grid(crs="EPSG:32643", transform=(10, 0, 600_000, 0, -10, 1_300_000))
            >>> Window(row=3, column=5, height=8, width=8).grid(grid).transform
            (10, 0, 600050, 0, -10, 1299970)
        """
        if scene.transform is None:
            return scene
        a, b, c, d, e, f = scene.transform
        x, y = a * self.column + b * self.row + c, d * self.column + e * self.row + f
        return replace(scene, transform=(a, b, x, d, e, y))

    def padded(self, margin: int, size: tuple[int, int]) -> Window:
        """The window with a margin of so many pixels, as far as a scene of this size reaches.

        Example:
            >>> Window(row=3, column=5, height=8, width=8).padded(4, size=(100, 16))
            Window(row=0, column=1, height=15, width=15)
        """
        top, left = max(0, self.row - margin), max(0, self.column - margin)
        bottom = min(size[0], self.row + self.height + margin)
        right = min(size[1], self.column + self.width + margin)
        return Window(top, left, bottom - top, right - left)

    def inside(self, size: tuple[int, int]) -> Window:
        """The part of it that lies in a scene of this size."""
        return self.padded(0, size)

    def moved(self, rows: int, columns: int) -> Window:
        """A window of the same size, this many rows and columns further."""
        return self._replace(row=self.row + rows, column=self.column + columns)

    def within(self, outer: Window) -> tuple[slice, slice]:
        """Its rows and columns, as an array of an outer window is indexed by."""
        return self.moved(-outer.row, -outer.column).slices


def hull(windows: Iterable[Window]) -> Window:
    """The smallest window around several.

    Example:
        >>> hull([Window(0, 0, 2, 2), Window(5, 1, 1, 4)])
        Window(row=0, column=0, height=6, width=5)
    """
    every = list(windows)
    top, left = min(one.row for one in every), min(one.column for one in every)
    bottom = max(one.row + one.height for one in every)
    right = max(one.column + one.width for one in every)
    return Window(top, left, bottom - top, right - left)


def blocks(size: tuple[int, int], side: int) -> Iterator[Window]:
    """The blocks of a scene, row by row; those at its far edges are smaller."""
    for row in range(0, size[0], side):
        for column in range(0, size[1], side):
            yield Window(row, column, side, side).inside(size)


def strips(size: tuple[int, int], height: int = 256) -> Iterator[Window]:
    """The strips of a scene, from top to bottom, each as wide as the scene."""
    for row in range(0, size[0], height):
        yield Window(row, 0, height, size[1]).inside(size)


def windows_from_the_middle(size: tuple[int, int]) -> Iterator[Window]:
    """Nine small windows spread over a scene, the middle one first."""
    height, width = (min(_SMALL, length) for length in size)
    for down in (0.5, 0.2, 0.8):
        for right in (0.5, 0.2, 0.8):
            top, left = int((size[0] - height) * down), int((size[1] - width) * right)
            yield Window(top, left, height, width)


@dataclass(frozen=True)
class InputFile:
    """A file on disk, or a member of a ZIP.

    Attributes:
        path: The file, or the ZIP.
        member: Its name inside the ZIP; None for a file of its own.
    """

    path: Path
    member: str | None = None

    @property
    def inner(self) -> PurePosixPath:
        """Where it lies, as a path: on disk, or inside the ZIP as GDAL reads it."""
        return PurePosixPath((self.member or self.path.as_posix()).replace("\\", "/"))

    def __str__(self) -> str:
        """Its name as a sentence shows it."""
        return shown(self.inner.name)

    @property
    def gdal_name(self) -> str:
        """What GDAL opens: this file and no other."""
        path = self.path.absolute()
        return str(path) if self.member is None else f"/vsizip/{{{path}}}/{self.inner}"

    def read(self, limit: int) -> bytes:
        """Its first bytes, at most ``limit`` of them.

        Raises:
            DataError: If it cannot be read.
        """
        try:
            if self.member is None:
                with self.path.open("rb") as file:
                    return file.read(limit)
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as part:
                return part.read(limit)
        except (OSError, RuntimeError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise damaged(self.path) from error


def input_files(paths: Sequence[Path]) -> Iterator[InputFile]:
    """Every file of what was given: of folders and ZIPs what they hold, sorted by name.

    Args:
        paths: Files, folders or ZIPs; the metadata of a product stands for its folder.

    Raises:
        DataError: If one of them is missing, or a ZIP that cannot be read.
    """
    for path in paths:
        if path.is_dir():
            yield from _in_folder(path)
        elif not path.is_file():  # nor anything that would be waited for
            raise DataError(f"There is no file or folder {path}.")
        elif is_metadata(path):
            yield from _in_folder(path.parent)
        elif InputFile(path).read(4) == b"PK\3\4":
            yield from _in_zip(path)
        else:
            yield InputFile(path)


def is_metadata(path: PurePath) -> bool:
    """Whether a file is the metadata of a Sentinel-2 product, by its name."""
    return re.match(r"MTD_MSIL(1C|2A).*\.XML$", path.name.upper()) is not None


def _in_folder(folder: Path) -> Iterator[InputFile]:
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if not (inner.name[0] == "." or _NOT_BANDS & {*inner.parts}) and path.is_file():
            yield InputFile(path)


def _in_zip(path: Path) -> Iterator[InputFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise damaged(path) from error
    for member in sorted(members, key=lambda member: member.filename):
        file = InputFile(path, member.filename)
        if file.inner.is_absolute() or ".." in file.inner.parts:
            raise DataError(
                f"{shown(member.filename)!r} in {shown(path.name)} leads out of the ZIP."
            )
        if not (member.is_dir() or file.inner.name[0] == "." or _NOT_BANDS & {*file.inner.parts}):
            yield file


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
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.height, self.width

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
    def grid(self) -> Grid:
        """The same as a grid that patches and predictions have."""
        if self.crs is None:
            return UNPLACED
        a, b, c, d, e, f = self.transform[:6]
        return Grid(self.pixel_size, self.crs.to_string(), (a, b, c, d, e, f))

    def share_of(self, other: Placement) -> float:
        """Share of another's ground that these pixels cover, 0 to 1, on a lattice over it."""
        if self.crs is None or other.crs is None:
            return float(self.crs is other.crs and self.size == other.size)
        columns, rows = self.pixels_of(other, (np.arange(_SHARE_SIDE) + 0.5) / _SHARE_SIDE)
        within = (columns >= 0) & (columns <= self.width) & (rows >= 0) & (rows <= self.height)
        return float(within.mean())

    def pixels_of(self, other: Placement, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Columns and rows here of points over another's ground; not finite where there are none.

        Args:
            other: Has a place if these pixels have one.
            steps: Where the points lie along each of its sides, 0 to 1.
        """
        lattice: np.ndarray = np.stack(np.meshgrid(steps * other.width, steps * other.height))
        x, y = other.transform @ lattice
        if self.crs and other.crs and self.crs != other.crs:
            x, y = _transformer(other.crs.to_wkt(), self.crs.to_wkt()).transform(x, y)
        if self.crs and self.crs.is_geographic:  # by whole turns as close as can be
            west, _, east, _ = self.bounds
            x = x - 360 * np.round((x - (west + east) / 2) / 360)
        columns, rows = ~self.transform @ np.stack((x, y))
        return columns, rows

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Least x and y, and greatest x and y, of its corners."""
        corners = product((0, self.width), (0, self.height))
        x, y = zip(*(self.transform @ corner for corner in corners), strict=True)
        return min(x), min(y), max(x), max(y)

    def moved(self, rows: float, columns: float) -> Placement:
        """The same number of pixels, this many rows and columns further."""
        return replace(self, transform=self.transform @ Affine.translation(columns, rows))

    def window(self, window: Window) -> Placement:
        """The pixels of a window, which may reach beyond these."""
        moved = self.moved(window.row, window.column)
        return replace(moved, height=window.height, width=window.width)

    def coarse(self, height: int, width: int) -> Placement:
        """The same ground in fewer pixels."""
        scale = Affine.scale(self.width / width, self.height / height)
        return Placement(self.crs, self.transform @ scale, height, width)

    def to_10_metres(self) -> Placement:
        """Upright pixels of about 10 m that cover the same ground; itself where it has them."""
        t = self.transform
        north = self.crs is None or (t.b == t.d == 0 and t.a > 0 and t.e < 0)
        upright = self if north else self._bounding()
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
        middle = np.full(len(rows), self.width / 2)
        down = self._distance((middle, rows), (middle, rows + 1))
        right = self._distance((middle - 0.5, rows + 0.5), (middle + 0.5, rows + 0.5))
        t = self.transform
        if self.crs.is_projected:
            unit = self.crs.linear_units_factor[1]
            nominal = math.hypot(t.b, t.e) * unit, math.hypot(t.a, t.d) * unit
            for sizes, size in zip((down, right), nominal, strict=True):
                if (np.abs(sizes / size - 1) < _NOMINAL).all():
                    sizes[:] = size
        return down[:, None], right[:, None]

    def _distance(self, *ends: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Metres between two places for each row, given by column and row; NaN beyond the Earth."""
        assert self.crs is not None
        to_degrees = _transformer(self.crs.to_wkt(), "EPSG:4326")
        start, end = (to_degrees.transform(*(self.transform @ np.stack(at))) for at in ends)
        places = np.array([*start, *end])
        known = np.isfinite(places).all(axis=0)
        return np.where(known, _WGS84.inv(*np.where(known, places, 0))[2], np.nan)


@cache
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


def per_cent(share: float) -> int:
    """A share above 0 and below 1 in whole per cent, neither 0 nor 100."""
    return min(99, max(1, round(100 * share)))


def environment(cache: int = CACHE_BYTES, companions: bool = False) -> rasterio.Env:
    """GDAL's settings for a scene: no hosts, a bounded cache in bytes.

    Args:
        cache: What GDAL keeps of decoded blocks, in bytes.
        companions: Whether masks, names and places in files beside a raster count.
    """
    alone = {} if companions else {"GDAL_GEOREF_SOURCES": "INTERNAL"}
    return rasterio.Env(
        DummySession(),  # no credentials of clouds are looked for
        GDAL_DISABLE_READDIR_ON_OPEN="FALSE" if companions else "EMPTY_DIR",
        GDAL_PAM_ENABLED="YES" if companions else "NO",
        CPL_VSIL_CURL_ALLOWED_EXTENSIONS="{none}",
        GDAL_CACHEMAX=cache,
        **alone,
    )


@contextmanager
def reading(file: InputFile) -> Iterator[None]:
    """Turn what GDAL finds broken in a file, or lacks for it, into one sentence.

    Raises:
        DataError: In place of GDAL's own errors.
    """
    try:
        yield
    except (DataError, MemoryError):
        raise
    except Exception as error:  # GDAL's own errors have no public class
        reason = str(error.__cause__ or error).replace(str(file.path.absolute().parent), "")
        raise DataError(
            f"{file} cannot be read ({shown(reason.strip())}): if it is cut short or damaged, "
            "copy or download it again."
        ) from error


def open_raster(file: InputFile) -> DatasetReader:
    """Open a raster, and hold what it claims against bounds.

    Its last pixel is read: of a file that is cut short the end is missing.

    Raises:
        DataError: If it is no raster of the kinds that are read, is damaged, points to
            other files, or claims too much.
    """
    driver = SUFFIXES.get(file.inner.suffix.lower(), "GTiff") if file.member else _driver_of(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with reading(file):
            dataset = rasterio.open(file.gdal_name, driver=driver, sharing=False)
        _check(file, dataset)
        end = ((dataset.height - 1, dataset.height), (dataset.width - 1, dataset.width))
        with reading(file):
            dataset.read(dataset.count, window=end)
    return dataset


def _driver_of(file: InputFile) -> str:
    """The one driver that may open a file, by its first bytes."""
    head = file.read(1024)
    if head.startswith(_TIFF):
        return "GTiff"
    if head.startswith(_JPEG_2000):
        return "JP2OpenJPEG"
    raise DataError(
        f"{file} is neither a GeoTIFF nor JPEG 2000: convert it (gdal_translate -of COG); patches "
        "of Landslide4Sense (.h5) are for landslide-zoo predict."
    )


def _check(file: InputFile, dataset: DatasetReader) -> None:
    height, width = dataset.shape
    if max(height, width) > MAX_SIDE:
        raise DataError(f"{file} claims to be {height} x {width} pixels: cut it into parts.")
    rows, columns = dataset.block_shapes[0]
    by_pixel = dataset.interleaving and dataset.interleaving.value == "PIXEL"
    together = dataset.count if by_pixel else 1
    if rows * columns * together * np.dtype(dataset.dtypes[0]).itemsize > MAX_BLOCK_BYTES:
        raise DataError(
            f"{file} is stored in blocks of {rows} x {columns} pixels, too large to be read in "
            "parts: rewrite it in tiles (gdal_translate -of COG)."
        )
    if _ELSEWHERE & {name.upper() for name in dataset.tag_namespaces()}:
        raise DataError(
            f"{file} points to other files, which are not opened: "
            "rewrite it without its metadata (gdal_translate -nomd -of COG)."
        )
