"""The one way in for files: a path becomes a patch or a mask, or one clear sentence.

The first bytes of a file decide what it is: HDF5 with fourteen bands, or a PNG with true
colour.
"""

from __future__ import annotations

import stat
import struct
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from landslide_zoo.data import hdf5
from landslide_zoo.data.bands import BANDS, TRUE_COLOUR, divisors
from landslide_zoo.data.patch import Patch, check_size
from landslide_zoo.errors import DataError, damaged, shown

SUFFIXES = (*hdf5.SUFFIXES, ".png")
"""Suffixes that files with patches usually have, in lower case."""

NODATA = (-32768.0, -9999.0, 65535.0)
"""Numbers that programs write where there is no value, beside NaN and Inf. No band can
hold them, neither as stored nor in physical units."""
FARTHEST = 1e9
"""No band holds such a number, in whichever scale; programs write 1e20 or 1e36 for nodata."""
_OPTICAL = slice(0, 12)
_USUAL = (-9000, 65_000)
"""Where everything lies within, nothing is nodata."""
_ROWS = 64
"""Rows worked on at once: a whole patch in float64 may take half a gigabyte."""

_PNG = b"\x89PNG\r\n\x1a\n"
_MASK_MODES = {"1", "L", "P"}
_METADATA = 2**20
"""Bytes that a PNG may hold beside its pixels."""
_BLANK_SHARE = 0.01
"""Share of black pixels from which they are a blank area, not shadows."""


def read_patch(path: str | Path, mask: str | Path | None = None) -> Patch:
    """Read a patch: a 14-band ``.h5`` file in physical units, or a true-colour PNG.

    Args:
        path: HDF5 with a dataset ``img`` (or one 3-D dataset), 14 bands on the
            first or last axis, any height and width from 32; or an 8-bit RGB PNG.
            Its name does not matter.
        mask: File of the patch's mask, if there is one.

    Returns:
        The patch, its divisors multiplied back and missing values filled.

    Raises:
        DataError: If the file holds no patch, or the mask has another size.

    Example:
        >>> from landslide_zoo import read_patch
        >>> read_patch("image_1.h5").values.shape  # doctest: +SKIP
        (14, 128, 128)
    """
    path = Path(path)
    if _is_png(path):
        patch = _picture(path)
    else:
        bands, own_mask = hdf5.read_bands(path)
        check_size(path, *bands.shape[1:])
        values, observed, filled = physical_values(bands, path)
        patch = Patch(values, name=path.stem, observed=observed, filled=filled)
        if own_mask is not None:
            patch = _with_mask(patch, binary_mask(own_mask, path), path)
    return patch if mask is None else _with_mask(patch, read_mask(mask), Path(mask))


def read_mask(path: str | Path) -> np.ndarray:
    """Read a mask from HDF5 (dataset ``mask``, or the only 2-D one) or PNG.

    The numbers of a picture with a palette are the mask, whatever colours they
    have; where they are others than 0 and 1, black and white are.

    Returns:
        Landslide pixels as 1, others 0, shape (H, W), uint8.

    Raises:
        DataError: If the file holds no mask.
    """
    path = Path(path)
    if not _is_png(path):
        return binary_mask(hdf5.read_plane(path), path)
    picture = _pixels(path)
    if picture.mode not in _MASK_MODES:
        raise DataError(f"{shown(path.name)} is no mask: a mask is a one-channel PNG of 0 and 255.")
    numbers = np.asarray(picture)
    if picture.mode == "P" and not np.isin(numbers, (0, 1)).all():
        colours = np.asarray(picture.convert("RGB"))
        if np.isin(colours, (0, 255)).all() and (np.ptp(colours, axis=2) == 0).all():
            numbers = colours[..., 0]
    return binary_mask(numbers, path)


@dataclass(frozen=True)
class FolderContents:
    """Which files of a folder can be read.

    Attributes:
        files: Those that can, by name.
        skipped: The other files, with why; neither hidden files nor folders are counted.
    """

    files: tuple[Path, ...]
    skipped: dict[Path, str]


def patch_files(folder: str | Path) -> FolderContents:
    """The patches of a folder: what can be read and is not called a mask.

    Raises:
        DataError: If the folder cannot be listed.
    """
    contents = readable_files(folder)
    patches = [path for path in contents.files if not path.name.lower().startswith("mask_")]
    return replace(contents, files=tuple(patches))


def readable_files(folder: str | Path) -> FolderContents:
    """The files of a folder that hold patches or masks, by their suffix or their first bytes.

    Raises:
        DataError: If the folder cannot be listed.
    """
    try:
        entries = sorted(Path(folder).iterdir())
    except OSError as error:
        raise DataError(f"The folder {folder} cannot be listed ({error.strerror}).") from error
    files: list[Path] = []
    skipped: dict[Path, str] = {}
    for path in entries:
        if path.name.startswith("."):
            continue
        try:
            kind = path.stat().st_mode
            if stat.S_ISDIR(kind):
                continue
            if not stat.S_ISREG(kind):
                skipped[path] = "no regular file"
            elif path.suffix.lower() in SUFFIXES or _begins_as_png(path) or h5py.is_hdf5(path):
                files.append(path)
            else:
                skipped[path] = "neither HDF5 nor PNG"
        except OSError as error:  # such as a link that leads to itself
            skipped[path] = (error.strerror or str(error)).lower()
    return FolderContents(tuple(files), skipped)


def physical_values(stored: np.ndarray, path: Path) -> tuple[np.ndarray, np.ndarray, int]:
    """Multiply the divisors of the fourteen bands back, and set missing values apart.

    Missing values (NaN, Inf, :data:`NODATA` and what is beyond :data:`FARTHEST`)
    are filled with the median of their band, so that a network has numbers to
    work on; their pixels are not observed. Neither are those that are 0 in all
    optical bands, as outside a scene.

    Args:
        stored: Values as in a Landslide4Sense file, shape (14, H, W).
        path: Named in errors.

    Returns:
        Physical values (14, H, W), float32 and finite; the observed pixels (H, W), bool;
        and how many values were filled.

    Raises:
        DataError: If more than half of the patch, the whole of a band, or every
            pixel is missing.
    """
    values = np.empty(stored.shape, dtype=np.float32)
    missing = np.zeros(stored.shape, dtype=bool)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is missing
        for top in range(0, stored.shape[1], _ROWS):
            rows = slice(top, top + _ROWS)
            physical = stored[:, rows] * divisors()
            values[:, rows] = physical
            if physical.min() > _USUAL[0] and physical.max() < _USUAL[1]:
                continue  # NaN is neither
            missing[:, rows] = ~(np.abs(physical) < FARTHEST)
            for number in NODATA:  # divided, perhaps, by rounded divisors
                missing[:, rows] |= stored[:, rows] == number
                missing[:, rows] |= np.abs(physical - number) < 2.5e-4 * abs(number)
    name = shown(path.name)
    filled = int(np.count_nonzero(missing))
    if filled > missing.size / 2:
        raise DataError(
            f"{name} is {100 * filled / missing.size:.0f} % missing (NaN, Inf or nodata); "
            "at most half may be."
        )
    for i, band in enumerate(BANDS):
        if missing[i].all():
            raise DataError(
                f"Band {band.name} of {name} is missing throughout (NaN, Inf or nodata)."
            )
        if missing[i].any():
            values[i][missing[i]] = np.median(values[i][~missing[i]])
    observed = ~missing.any(axis=0) & (values[_OPTICAL] != 0).any(axis=0)
    if not observed.any():
        raise DataError(
            f"No pixel of {name} has a value in every band: there is nothing to see in it."
        )
    return values, observed, filled


def binary_mask(values: np.ndarray, path: Path) -> np.ndarray:
    """Check that an array is a mask of 0 and 1, or 0 and 255.

    Returns:
        Landslide pixels as 1, others 0, of the same shape, uint8.

    Raises:
        DataError: If it holds other values.
    """
    numbers = np.unique(values)
    if not (np.isin(numbers, (0, 1)).all() or np.isin(numbers, (0, 255)).all()):
        raise DataError(
            f"{shown(path.name)} is no mask: it holds values other than 0 and 1 (or 0 and 255), "
            f"from {shown(numbers.min())} to {shown(numbers.max())}."
        )
    return (values > 0).astype(np.uint8)


def _with_mask(patch: Patch, mask: np.ndarray, path: Path) -> Patch:
    if mask.shape != patch.size:
        raise DataError(
            f"The mask in {shown(path.name)} is {mask.shape[0]} x {mask.shape[1]} and its patch "
            f"{shown(patch.name)} {patch.size[0]} x {patch.size[1]}: they must have one size."
        )
    return replace(patch, mask=mask)


def _is_png(path: Path) -> bool:
    """Whether a file is PNG, not HDF5.

    Raises:
        DataError: If there is no such file, or it is neither.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    try:
        if _begins_as_png(path):
            return True
    except OSError as error:
        raise DataError(f"{path} cannot be opened ({error.strerror or error}).") from error
    if not h5py.is_hdf5(path):
        raise DataError(
            f"{shown(path.name)} is neither an HDF5 file nor a PNG picture: give a Landslide4Sense "
            ".h5 patch or a true-colour PNG."
        )
    return False


def _begins_as_png(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8) == _PNG


def _picture(path: Path) -> Patch:
    """An 8-bit true-colour PNG as a patch of display values.

    Pixels that are wholly transparent, or part of a blank area, are not observed.
    """
    picture = _pixels(path)
    if picture.mode not in ("RGB", "RGBA"):
        raise DataError(
            f"{shown(path.name)} is no 8-bit true-colour picture (its pixels are "
            f"{picture.mode}); give a PNG with red, green and blue."
        )
    pixels = np.asarray(picture)
    observed = pixels[..., :3].max(axis=2) > 0
    if observed.mean() > 1 - _BLANK_SHARE:
        observed[:] = True
    if picture.mode == "RGBA":
        observed &= pixels[..., 3] > 0
    if not observed.any():
        raise DataError(f"{shown(path.name)} is black or transparent: there is nothing to see.")
    values = pixels[..., :3].astype(np.float32).transpose(2, 0, 1) / 255
    return Patch(values, bands=TRUE_COLOUR, unit="display", name=path.stem, observed=observed)


def _pixels(path: Path) -> Image.Image:
    """A PNG with 8 bits a colour, unpacked once its header shows that this is safe."""
    with path.open("rb") as file:
        header = file.read(26)
    if len(header) < 26 or header[12:16] != b"IHDR":
        raise damaged(path)
    width, height, depth = struct.unpack(">IIB", header[16:25])
    if depth == 16:
        raise DataError(
            f"{shown(path.name)} holds 16 bits a colour, which this zoo does not read from a "
            "picture: give the 14-band .h5 patch, or true colour and masks with 8 bits."
        )
    check_size(path, height, width)
    largest = 4 * height * width  # and deflate never makes pixels much larger
    if path.stat().st_size > largest + largest // 100 + _METADATA:
        raise DataError(f"{shown(path.name)} holds far more than its pixels: save it as plain PNG.")
    try:
        picture = Image.open(path, formats=["PNG"])
        if picture.size != (width, height):  # a second header
            raise damaged(path)
        picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise damaged(path) from error
    return picture
