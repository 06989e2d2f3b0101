"""Files and a card made to harm whoever reads them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
GIGABYTE = 10**9


def _zeros(count: int) -> bytes:
    """So many zeros, packed: a thousandth of them."""
    packer, out, block = zlib.compressobj(9), [], bytes(2**20)
    for _ in range(count // len(block)):
        out.append(packer.compress(block))
    return b"".join(out) + packer.flush()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int, text: bytes = b"") -> bytes:
    """A PNG that claims this size, with a packed text before a pixel's worth of data."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    packed = _chunk(b"zTXt", b"a\0\0" + text) if text else b""
    pixels = _chunk(b"IDAT", zlib.compress(bytes(64 * 193)))
    return _SIGNATURE + header + packed + pixels + _chunk(b"IEND", b"")


def _tiny_chunks(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("img", (14, 512, 512), "f8", chunks=(1, 1, 1), fillvalue=1.0)


def _large_chunk(path: Path) -> None:
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple((14, 32, 32), (14, h5py.h5s.UNLIMITED, h5py.h5s.UNLIMITED))
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((14, 1500, 1500))
        plist.set_deflate(9)
        dataset = h5py.h5d.create(file.id, b"img", h5py.h5t.NATIVE_DOUBLE, space, plist)
        dataset.write_direct_chunk((0, 0, 0), _zeros(14 * 1500 * 1500 * 8))


def _claims_petabytes(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("img", (14, 2**22, 2**22), "f8", chunks=(14, 16, 16))


FILES: dict[str, Callable[[Path], object]] = {
    "tiny-chunks.h5": _tiny_chunks,
    "large-chunk.h5": _large_chunk,
    "petabytes.h5": _claims_petabytes,
    "pixels.png": lambda path: path.write_bytes(png_of(30_000, 30_000)),
    "text.png": lambda path: path.write_bytes(png_of(64, 64, _zeros(GIGABYTE // 2))),
}
"""How each hostile file is written, by its name."""


CARD = """---
license: apache-2.0
---
# A card <script>document.title = "taken"</script>

<img src="http://198.51.100.1/pixel.png" onerror="document.title='taken'">
![a pixel](http://198.51.100.1/pixel.png) ![up](../../secret.png)
[press me](javascript:document.title='taken') [a page](https://example.org/)

| a | b |
|---|---|
| 1 | 2 |
"""
