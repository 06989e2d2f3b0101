"""The one way in for files: a path becomes a patch or a mask, or one clear sentence."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers.hdf5 import read_mask_h5, read_patch_h5
from landslide_zoo.data.readers.png import read_mask_png, read_patch_png
from landslide_zoo.errors import DataError

SUFFIXES = (".h5", ".hdf5", ".png")
"""Suffixes of the files that hold patches."""


def read_patch(path: str | Path, mask: str | Path | None = None) -> Patch:
    """Read a patch: a 14-band ``.h5`` file in physical units, or a true-colour PNG.

    Args:
        path: HDF5 with a dataset ``img`` (or one 3-D dataset), 14 bands on the
            first or last axis, any height and width from 32; or an 8-bit RGB PNG.
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
    path = _existing(path)
    patch = read_patch_png(path) if path.suffix.lower() == ".png" else read_patch_h5(path)
    if mask is None:
        return patch
    truth = read_mask(mask)
    if truth.shape != patch.size:
        raise DataError(
            f"The mask {Path(mask).name} is {truth.shape[0]} x {truth.shape[1]} and the patch "
            f"{path.name} {patch.size[0]} x {patch.size[1]}: they must have one size."
        )
    return replace(patch, mask=truth)


def read_mask(path: str | Path) -> np.ndarray:
    """Read a mask from ``.h5`` (dataset ``mask``, or the only 2-D one) or PNG.

    Returns:
        Landslide pixels as 1, others 0, shape (H, W), uint8.

    Raises:
        DataError: If the file holds no mask.
    """
    path = _existing(path)
    return read_mask_png(path) if path.suffix.lower() == ".png" else read_mask_h5(path)


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path} is a folder; give a file in it.")
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    if not os.access(path, os.R_OK):
        raise DataError(f"{path} may not be read: ask for permission, or copy it.")
    if path.stat().st_size == 0:
        raise DataError(f"{path.name} is empty; copy or download it again.")
    return path
