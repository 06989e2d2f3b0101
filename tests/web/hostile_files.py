"""Files and cards made to harm whoever reads them, a few of each kind."""

from __future__ import annotations

import io
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

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


def png_of(width: int, height: int, text: bytes = b"", texts: int = 1) -> bytes:
    """A PNG that claims this size, with packed texts before a pixel's worth of data."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    packed = _chunk(b"zTXt", b"a\0\0" + text) * texts if text else b""
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


def _nested(path: Path) -> None:
    with h5py.File(path, "w") as file:
        group = file
        for _ in range(3000):
            group = group.create_group("g")
        group["patch"] = np.ones((14, 32, 32))


def _many_datasets(path: Path) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        for number in range(5000):
            file.create_dataset(f"d{number}_{'x' * 200}", (1, 1, 1), "u1")


def _claims_petabytes(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("img", (14, 2**22, 2**22), "f8", chunks=(14, 16, 16))


FILES: dict[str, Callable[[Path], object]] = {
    "tiny-chunks.h5": _tiny_chunks,
    "large-chunk.h5": _large_chunk,
    "nested-groups.h5": _nested,
    "many-datasets.h5": _many_datasets,
    "petabytes.h5": _claims_petabytes,
    "pixels.png": lambda path: path.write_bytes(png_of(30_000, 30_000)),
    "text.png": lambda path: path.write_bytes(png_of(64, 64, _zeros(GIGABYTE // 2))),
    "texts.png": lambda path: path.write_bytes(png_of(64, 64, _zeros(10**6), 200)),
}
"""How each hostile file is written, by its name."""


def _good_png() -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (580, 580, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


_MARKUP = """---
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
CARDS: dict[str, tuple[str, bytes | None]] = {
    "markup": (_MARKUP, None),
    "deep-quotes": (">" * 20_000 + " a", None),
    "deep-lists": ("".join("  " * i + "- a\n" for i in range(170)), None),
    "brackets": ("[" * 50_000, None),
    "open-links": ("[a](<b" * 10_000, None),
    "backticks": ("`a" * 15_000 + "``" * 8_000, None),
    "wide-table": ("|" * 2000 + "\n" + "|-" * 2000 + "\n" + ("|" * 2000 + "\n") * 20, None),
    "long-text": ("word " * 4_000_000, None),
    "licence-is-a-mapping": ("---\nlicense: {a: [1, 2]}\n---\n# A card\n", None),
    "huge-picture": ("![a](a.png)\n", png_of(30_000, 30_000)),
    "text-bomb": ("![a](a.png)\n", png_of(64, 64, _zeros(10**8))),
    "broken-picture": ("![a](a.png)\n", png_of(64, 64)[:-40]),
    "same-picture-200-times": ("![a](a.png)\n\n" * 200, _good_png()),
    "bytes": ("\udcff\udcfe", None),
}
"""Text of each hostile card, and the picture ``a.png`` beside it."""


def write_models_with_cards(model: Path, folder: Path) -> None:
    """Copy a model folder once for each hostile card."""
    for name, (text, picture) in CARDS.items():
        shutil.copytree(model, folder / name)
        (folder / name / "README.md").write_bytes(text.encode("utf-8", "surrogateescape"))
        if picture:
            (folder / name / "a.png").write_bytes(picture)
