"""The one way in for files: a path becomes a patch or a mask, or one clear sentence.

The first bytes of a file decide what it is: HDF5 with fourteen bands, or a PNG with true
colour.
"""

from __future__ import annotations

from dataclasses import replace
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
        values, observed = physical_values(bands, path)
        patch = Patch(values, name=path.stem, observed=observed)
        if own_mask is not None:
            patch = _with_mask(patch, binary_mask(own_mask, path), path)
    return patch if mask is None else _with_mask(patch, read_mask(mask), Path(mask))


def read_mask(path: str | Path) -> np.ndarray:
    """Read a mask from HDF5 (dataset ``mask``, or the only 2-D one) or PNG.

    The numbers of a picture with a palette are the mask, whatever colours they have.

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
    return binary_mask(np.asarray(picture), path)


def patch_files(folder: str | Path) -> list[Path]:
    """The patches of a folder, by suffix or first bytes; not what is hidden or called a mask."""
    return [
        path
        for path in sorted(Path(folder).iterdir())
        if path.is_file()
        and not path.name.lower().startswith((".", "mask_"))
        and (path.suffix.lower() in SUFFIXES or _begins_as_png(path) or h5py.is_hdf5(path))
    ]


def physical_values(stored: np.ndarray, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Multiply the divisors of the fourteen bands back, and set missing values apart.

    Missing values (NaN, Inf, :data:`NODATA` and what is beyond :data:`FARTHEST`)
    are filled with the median of their band, so that a network has numbers to
    work on; their pixels are not observed. Neither are those that are 0 in all
    optical bands, as outside a scene.

    Args:
        stored: Values as in a Landslide4Sense file, shape (14, H, W).
        path: Named in errors.

    Returns:
        Physical values (14, H, W), float32 and finite; and the observed pixels (H, W), bool.

    Raises:
        DataError: If no pixel has a value in every band.
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
    observed = ~missing.any(axis=0) & (values[_OPTICAL] != 0).any(axis=0)
    if not observed.any():
        empty = [band.name for band, gone in zip(BANDS, missing, strict=True) if gone.all()]
        raise DataError(
            f"No pixel of {shown(path.name)} has a value in every band: there is nothing to see "
            f"in it ({', '.join(empty) or 'no band'} is missing throughout)."
        )
    for plane, gone in zip(values, missing, strict=True):
        if gone.any():
            plane[gone] = np.median(plane[~gone])
    return values, observed


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
    if _begins_as_png(path):
        return True
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
    """A PNG with 8 bits a colour, unpacked once its size is known to be safe."""
    with path.open("rb") as file:
        sixteen_bits = file.read(25)[24:] == b"\x10"
    if sixteen_bits:
        raise DataError(
            f"{shown(path.name)} holds 16 bits a colour, which this zoo does not read from a "
            "picture: give the 14-band .h5 patch, or true colour and masks with 8 bits."
        )
    try:
        picture = Image.open(path, formats=["PNG"])
        check_size(path, picture.height, picture.width)
        picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise damaged(path) from error
    return picture
