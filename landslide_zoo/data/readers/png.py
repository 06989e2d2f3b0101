"""True-colour pictures (PNG) with display values, and their masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from landslide_zoo.data.bands import TRUE_COLOUR
from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers.hdf5 import MAX_PIXELS, MIN_SIDE, binary_mask
from landslide_zoo.errors import DataError


def read_patch_png(path: Path) -> Patch:
    """Read an 8-bit true-colour PNG as a patch of display values.

    Raises:
        DataError: If the file is no such picture.
    """
    picture = _open(path)
    if picture.mode not in ("RGB", "RGBA"):
        raise DataError(
            f"{path.name} is no 8-bit true-colour picture (its mode is {picture.mode}); "
            "give a PNG with red, green and blue."
        )
    if min(picture.size) < MIN_SIDE:
        raise DataError(
            f"{path.name} is {picture.height} x {picture.width} pixels; "
            f"a patch has at least {MIN_SIDE} x {MIN_SIDE}."
        )
    values = np.asarray(picture.convert("RGB"), dtype=np.float32).transpose(2, 0, 1) / 255
    return Patch(values, bands=TRUE_COLOUR, unit="display", name=path.stem)


def read_mask_png(path: Path) -> np.ndarray:
    """Read a one-channel PNG mask, 0 and 1 or 0 and 255; shape (H, W), uint8.

    Raises:
        DataError: If the file is no such mask.
    """
    picture = _open(path)
    if picture.mode not in ("1", "L", "P"):
        raise DataError(f"{path.name} is no mask: a mask is a one-channel PNG of 0 and 255.")
    return binary_mask(path, np.asarray(picture.convert("L")))


def _open(path: Path) -> Image.Image:
    try:
        picture = Image.open(path, formats=["PNG"])
        if picture.width * picture.height > MAX_PIXELS:
            raise DataError(
                f"{path.name} is too large for one patch ({picture.height} x {picture.width}): "
                "cut it into parts of at most 2048 x 2048 pixels."
            )
        picture.load()
    except UnidentifiedImageError as error:
        raise DataError(f"{path.name} is not a PNG picture.") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path.name} cannot be read: it is cut short or damaged; copy or download it again."
        ) from error
    return picture
