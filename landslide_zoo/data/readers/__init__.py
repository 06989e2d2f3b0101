"""The one way in for files: a path becomes a patch or a mask, or one clear sentence.

The kind of a file is told by its first bytes. A reader is a module with
``recognises``, ``read_patch``, ``read_mask`` and ``SUFFIXES``; a new one is added
to :data:`READERS`.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers import hdf5, png
from landslide_zoo.data.readers.limits import shown
from landslide_zoo.errors import DataError


class Reader(Protocol):
    """What a module that reads one kind of file offers."""

    SUFFIXES: tuple[str, ...]

    def recognises(self, path: Path) -> bool:
        """Whether a file is of this kind, by its first bytes."""

    def read_patch(self, path: Path) -> Patch:
        """The patch in a file of this kind."""

    def read_mask(self, path: Path) -> np.ndarray:
        """The mask in a file of this kind: shape (H, W), uint8, 0 and 1."""


READERS: tuple[Reader, ...] = (hdf5, png)
SUFFIXES = tuple(suffix for reader in READERS for suffix in reader.SUFFIXES)
"""Suffixes that files with patches usually have, in lower case."""


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
    patch = _reader_of(path).read_patch(path)
    if mask is None:
        return patch
    truth = read_mask(mask)
    if truth.shape != patch.size:
        raise DataError(
            f"The mask {shown(Path(mask).name)} is {truth.shape[0]} x {truth.shape[1]} and the "
            f"patch {shown(path.name)} {patch.size[0]} x {patch.size[1]}: "
            "they must have one size."
        )
    return replace(patch, mask=truth)


def read_mask(path: str | Path) -> np.ndarray:
    """Read a mask from HDF5 (dataset ``mask``, or the only 2-D one) or PNG.

    Returns:
        Landslide pixels as 1, others 0, shape (H, W), uint8.

    Raises:
        DataError: If the file holds no mask.
    """
    path = Path(path)
    return _reader_of(path).read_mask(path)


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
    folder = Path(folder)
    try:
        entries = sorted(folder.iterdir())
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
            elif path.suffix.lower() in SUFFIXES or any(r.recognises(path) for r in READERS):
                files.append(path)
            else:
                skipped[path] = "neither HDF5 nor PNG"
        except OSError as error:  # such as a link that leads to itself
            skipped[path] = (error.strerror or str(error)).lower()
    return FolderContents(tuple(files), skipped)


def _reader_of(path: Path) -> Reader:
    try:
        if path.is_dir():
            raise DataError(f"{path} is a folder; give a file in it.")
        if not path.is_file():
            raise DataError(f"There is no file {path}.")
        if not os.access(path, os.R_OK):
            raise DataError(f"{path} may not be read: ask for permission, or copy it.")
        if path.stat().st_size == 0:
            raise DataError(f"{shown(path.name)} is empty; copy or download it again.")
        for reader in READERS:
            if reader.recognises(path):
                return reader
    except OSError as error:  # such as a link that points to itself
        raise DataError(f"{path} cannot be opened ({error.strerror or error}).") from error
    raise DataError(
        f"{shown(path.name)} is neither an HDF5 file nor a PNG picture: give a Landslide4Sense "
        ".h5 patch or a true-colour PNG."
    )
