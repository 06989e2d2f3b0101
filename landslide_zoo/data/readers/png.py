"""True-colour pictures (PNG) with display values, and masks.

The header decides whether a picture is read at all, and of the rest only what
makes the pixels is handed to the decoder: texts, profiles and animations, which
may unpack to anything, are left out.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from landslide_zoo.data.bands import TRUE_COLOUR
from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers.limits import MAX_PNG_CHUNKS, check_size, damaged, shown
from landslide_zoo.data.readers.values import binary_mask
from landslide_zoo.errors import DataError

SUFFIXES: tuple[str, ...] = (".png",)

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_GREY, _RGB, _PALETTE, _RGBA = 0, 2, 3, 6
_KINDS = {_GREY: "grey", _RGB: "RGB", _PALETTE: "a palette", 4: "grey with alpha", _RGBA: "RGBA"}
_CHANNELS = {_GREY: 1, _RGB: 3, _PALETTE: 1, 4: 2, _RGBA: 4}
_BLANK_SHARE = 0.01
"""Share of black pixels from which they are a blank area, not shadows."""


class _Header(NamedTuple):
    """What the first chunk of a PNG says."""

    width: int
    height: int
    depth: int
    colour: int
    compression: int
    filter: int
    interlace: int


def recognises(path: Path) -> bool:
    """Whether a file begins as PNG does."""
    with path.open("rb") as file:
        return file.read(8) == _SIGNATURE


def read_patch(path: Path) -> Patch:
    """Read an 8-bit true-colour PNG as a patch of display values.

    Pixels that are wholly transparent, or part of a blank area, are not observed.

    Raises:
        DataError: If the file is no such picture.
    """
    data, header = _pixel_chunks(path)
    if header.colour not in (_RGB, _RGBA):
        raise DataError(
            f"{shown(path.name)} is no 8-bit true-colour picture (it holds "
            f"{_KINDS[header.colour]}); give a PNG with red, green and blue."
        )
    check_size(path, header.height, header.width)
    pixels = np.asarray(_decode(path, data))
    observed = pixels[..., :3].max(axis=2) > 0
    if observed.mean() > 1 - _BLANK_SHARE:
        observed[:] = True
    if header.colour == _RGBA:
        observed &= pixels[..., 3] > 0
    if not observed.any():
        raise DataError(f"{shown(path.name)} is black or transparent: there is nothing to see.")
    values = pixels[..., :3].astype(np.float32).transpose(2, 0, 1) / 255
    return Patch(values, bands=TRUE_COLOUR, unit="display", name=path.stem, observed=observed)


def read_mask(path: Path) -> np.ndarray:
    """Read a one-channel PNG mask, 0 and 1 or 0 and 255.

    The numbers of a picture with a palette are the mask, whatever colours they
    have; where they are others than 0 and 1, black and white are.

    Returns:
        Landslide pixels as 1, others 0, shape (H, W), uint8.

    Raises:
        DataError: If the file is no such mask.
    """
    data, header = _pixel_chunks(path)
    if header.colour not in (_GREY, _PALETTE):
        raise DataError(f"{shown(path.name)} is no mask: a mask is a one-channel PNG of 0 and 255.")
    check_size(path, header.height, header.width)
    picture = _decode(path, data)
    numbers = np.asarray(picture)
    if header.colour == _PALETTE and not np.isin(numbers, (0, 1)).all():
        colours = np.asarray(picture.convert("RGB"))
        if np.isin(colours, (0, 255)).all() and (np.ptp(colours, axis=2) == 0).all():
            numbers = colours[..., 0]
    return binary_mask(numbers, path)


def _decode(path: Path, data: bytes) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(data), formats=["PNG"])
        picture.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise damaged(path) from error
    return picture


def _pixel_chunks(path: Path) -> tuple[bytes, _Header]:
    """A PNG with only the chunks that make its pixels, and what its header says."""
    kept, header, room = [_SIGNATURE], None, 0
    with path.open("rb") as file:
        file.seek(len(_SIGNATURE))
        for _ in range(MAX_PNG_CHUNKS):
            start = file.read(8)
            if len(start) < 8:
                break
            length, kind = struct.unpack(">I4s", start)
            if header is None:
                header = _header(path, kind, file.read(length) if length == 13 else b"")
                file.seek(-13, io.SEEK_CUR)
                raw = header.height * (header.width * _CHANNELS[header.colour] + 8)
                room = raw + raw // 100 + 65536  # deflate never makes pixels much larger
            elif kind == b"IHDR":
                break
            if kind not in _PIXELS:
                file.seek(length + 4, io.SEEK_CUR)
                continue
            room -= length
            if room < 0:
                break
            kept += [start, file.read(length + 4)]
            if kind == b"IEND":
                return b"".join(kept), header
    raise damaged(path)


def _header(path: Path, kind: bytes, content: bytes) -> _Header:
    if kind != b"IHDR" or len(content) != 13:
        raise damaged(path)
    header = _Header(*struct.unpack(">IIBBBBB", content))
    if header.depth == 16:
        raise DataError(
            f"{shown(path.name)} holds 16 bits a colour, which this zoo does not read from a "
            "picture: give the 14-band .h5 patch, or true colour and masks with 8 bits."
        )
    if header.colour not in _KINDS or header.depth not in (1, 2, 4, 8):
        raise damaged(path)
    return header
