"""PNG files, packed fast rather than small."""

from __future__ import annotations

import struct

import numpy as np
from isal import isal_zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB, _INDEXED = 2, 3
_UP = 2
"""The filter by which a row is kept as its difference from the one above."""


def png(picture: np.ndarray, colours: np.ndarray | None = None) -> bytes:
    """A picture as a PNG file.

    Pillow tries every filter on every row; one that suits pictures and enlarged
    ones alike, packed by ISA-L, takes a tenth of the time, for files as large.

    Args:
        picture: Shape (H, W, 3), uint8; or, where ``colours`` are given, the number
            of each pixel's colour, shape (H, W), uint8.
        colours: Red, green, blue and opacity of each colour, shape (K, 4), uint8.
    """
    height, width = picture.shape[:2]
    rows = np.ascontiguousarray(picture).reshape(height, -1)
    packed = np.empty((height, rows.shape[1] + 1), dtype=np.uint8)
    packed[:, 0] = _UP
    packed[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=packed[1:, 1:])
    kind = _RGB if colours is None else _INDEXED
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    palette = b""
    if colours is not None:
        palette = _chunk(b"PLTE", colours[:, :3].tobytes()) + _chunk(
            b"tRNS", colours[:, 3].tobytes()
        )
    pixels = isal_zlib.compress(packed.data, level=1)
    return b"".join(
        [
            _SIGNATURE,
            _chunk(b"IHDR", header),
            palette,
            _chunk(b"IDAT", pixels),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(name: bytes, content: bytes) -> bytes:
    check = isal_zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)
