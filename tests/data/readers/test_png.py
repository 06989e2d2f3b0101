"""PNG: the header decides, palettes are numbers, and only pixels are unpacked."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from synthetic_patches import make_patch, write_true_colour

from landslide_zoo import read_mask, read_patch
from landslide_zoo.data import check_patch
from landslide_zoo.errors import DataError

MASK = np.zeros((64, 64), np.uint8)
MASK[10:30, 20:50] = 1
PIXELS = np.random.default_rng(0).integers(1, 256, (64, 64, 3), np.uint8)
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int = 64,
    height: int = 64,
    depth: int = 8,
    colour: int = 2,
    before: bytes = b"",
    pixels: bytes | None = None,
) -> bytes:
    """A PNG by hand; its pixels are random RGB where none are given."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    if pixels is None:
        pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in PIXELS))
    return (
        SIGNATURE + chunk(b"IHDR", header) + before + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("colour", [0, 2, 4, 6], ids=["grey", "rgb", "grey-alpha", "rgba"])
def test_sixteen_bits_are_refused_by_the_header(colour: int, tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    row = b"\0" + np.full(64 * channels, 1000, ">u2").tobytes()
    path.write_bytes(png(depth=16, colour=colour, pixels=zlib.compress(64 * row)))
    for read in (read_patch, read_mask):
        with pytest.raises(DataError, match=r"deep.png holds 16 bits a colour.* give the 14-band"):
            read(path)


@pytest.mark.parametrize(
    "palette",
    [None, [0, 0, 0, 128, 0, 0], [0, 0, 0, 255, 255, 255], [255, 255, 255, 0, 0, 0]],
    ids=["none", "voc", "black-white", "white-black"],
)
def test_the_numbers_of_a_palette_picture_are_the_mask(
    palette: list[int] | None, tmp_path: Path
) -> None:
    picture = Image.frombytes("P", (64, 64), MASK.tobytes())
    if palette:
        picture.putpalette(palette)
    picture.save(tmp_path / "mask.png")
    assert np.array_equal(read_mask(tmp_path / "mask.png"), MASK)


def test_other_numbers_are_a_mask_where_their_colours_are_black_and_white(tmp_path: Path) -> None:
    palette = np.zeros((256, 3), np.uint8)
    palette[[3, 7]] = [[0, 0, 0], [255, 255, 255]]
    picture = Image.frombytes("P", (64, 64), (3 + 4 * MASK).tobytes())
    picture.putpalette(palette.ravel().tolist())
    picture.save(tmp_path / "mask.png")
    assert np.array_equal(read_mask(tmp_path / "mask.png"), MASK)
    palette[7] = [128, 0, 0]
    picture.putpalette(palette.ravel().tolist())
    picture.save(tmp_path / "mask.png")
    with pytest.raises(DataError, match=r"no mask: .* from 3 to 7"):
        read_mask(tmp_path / "mask.png")


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_masks(mode: str, tmp_path: Path) -> None:
    Image.fromarray(MASK * np.uint8(255)).convert(mode).save(tmp_path / "mask.png")
    assert np.array_equal(read_mask(tmp_path / "mask.png"), MASK)


def test_transparent_and_black_pixels_are_not_observed(tmp_path: Path) -> None:
    pixels = np.dstack([PIXELS, np.full((64, 64), 255, np.uint8)])
    pixels[:8, :, 3] = 0
    pixels[8:16, :, :3] = 0
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    patch = read_patch(tmp_path / "picture.png")
    assert not patch.observed[:16].any() and patch.observed[16:].all()
    pixels[..., 3] = 0
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    with pytest.raises(DataError, match=r"picture.png is black or transparent"):
        read_patch(tmp_path / "picture.png")


def test_a_few_black_pixels_are_shadows(tmp_path: Path) -> None:
    pixels = PIXELS.copy()
    pixels[0, :40] = 0
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    assert read_patch(tmp_path / "picture.png").observed.all()


def test_grey_and_bgr_pictures_and_glint_are_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    write_true_colour(path, make_patch(3))
    assert check_patch(read_patch(path)) == []
    right = np.asarray(Image.open(path))

    def warned(pixels: np.ndarray) -> str:
        Image.fromarray(pixels).save(path)
        [sentence] = check_patch(read_patch(path))
        return sentence

    assert "picture is grey" in warned(np.dstack([right.max(axis=2)] * 3))
    assert "look swapped (BGR)" in warned(right[..., ::-1].copy())
    dim = right // 4
    dim[5, 5:9] = 255
    assert "A few pixels of picture (4) are far brighter" in warned(dim)


BOMB = zlib.compress(bytes(300_000_000), 9)
HOSTILE = {
    "size": (png(30_000, 30_000), "too large for one patch"),
    "larger-than-int": (png(2**31 - 1, 2**31 - 1), "too large for one patch"),
    "strip": (png(131_072, 32), "too large for one patch"),
    "no-pixels": (SIGNATURE + png()[8:33] + chunk(b"IEND", b""), "cut short or damaged"),
    "only-signature": (SIGNATURE, "cut short or damaged"),
    "no-size": (png(0, 0), "0 x 0 pixels"),
    "cut-short": (png()[:-2000], "cut short or damaged"),
    "no-header-first": (SIGNATURE + chunk(b"tEXt", b"a\0b") + png()[8:], "cut short or damaged"),
    "second-header": (png(before=png(30_000, 30_000)[8:33]), "cut short or damaged"),
    "unknown-colours": (png(colour=5), "cut short or damaged"),
    "length": (png()[:33] + struct.pack(">I", 2**31 - 1) + b"IDAT" + b"x" * 10, "cut short"),
    "many-chunks": (png(before=chunk(b"prVt", b"") * 200_000), "cut short or damaged"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_picture_is_refused_at_once(name: str, tmp_path: Path) -> None:
    content, sentence = HOSTILE[name]
    (tmp_path / "picture.png").write_bytes(content)
    start = time.monotonic()
    with pytest.raises(DataError, match=sentence):
        read_patch(tmp_path / "picture.png")
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"zTXt", b"a\0\0" + BOMB),
        chunk(b"iTXt", b"a\0\1\0\0\0" + BOMB),
        chunk(b"iCCP", b"a\0\0" + BOMB),
        b"".join(chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(900_000))) for _ in range(200)),
        chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)),
        chunk(b"eXIf", b"MM\0*" + bytes(1000)),
    ],
    ids=["ztxt", "itxt", "profile", "many-texts", "animation", "exif"],
)
def test_nothing_but_pixels_is_unpacked(extra: bytes, tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(png(before=extra))
    tracemalloc.start()
    patch = read_patch(tmp_path / "picture.png")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
    assert np.array_equal(patch.values * 255, PIXELS.transpose(2, 0, 1))
