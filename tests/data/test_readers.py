"""Readers: whatever the layout, a patch comes out in physical units, or one sentence does."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from patch_files import (
    BAD_PATCHES,
    BANDS_COUNT,
    physical_values,
    stored,
    write_bad_patch,
    write_h5,
    write_patch,
    write_png,
)
from PIL import Image

from landslide_zoo import read_mask, read_patch
from landslide_zoo.data.bands import TRUE_COLOUR, display_values, divisors
from landslide_zoo.data.readers import patch_files
from landslide_zoo.errors import DataError

SHAPE = (48, 48, BANDS_COUNT)
PHYSICAL = physical_values()
MASK = np.zeros((48, 48), np.uint8)
MASK[5:20, 7:30] = 1


@pytest.mark.parametrize(
    ("size", "bands_axis", "dtype"), [((32, 32), 0, "f4"), ((200, 40), 2, "f8")]
)
def test_axis_order_size_and_number_type_make_no_difference(
    tmp_path: Path, size: tuple[int, int], bands_axis: int, dtype: str
) -> None:
    physical = physical_values(*size)
    values = np.moveaxis(stored(physical), 2, bands_axis)[None].astype(dtype)
    patch = read_patch(write_h5(tmp_path / "scene.v2.h5", img=values))
    assert (patch.name, patch.size, patch.mask) == ("scene.v2", size, None)
    np.testing.assert_allclose(patch.values, physical, rtol=1e-6)


@pytest.mark.parametrize(
    "mask", [MASK[None], MASK[..., None] * 255.0, MASK.astype(bool)], ids=["1hw", "hw1", "bool"]
)
@pytest.mark.parametrize("group", ["", "a/b/"])
def test_a_mask_has_unit_axes_any_number_type_and_any_group(
    mask: np.ndarray, group: str, tmp_path: Path
) -> None:
    both = write_h5(tmp_path / "both.h5", **{f"{group}img": stored(), f"{group}mask": mask})
    assert np.array_equal(read_patch(both).mask, MASK)
    apart = write_h5(tmp_path / "mask.h5", **{f"{group}label": mask})
    assert np.array_equal(read_patch(write_patch(tmp_path / "p.h5"), apart).mask, MASK)


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "gzip", "shuffle": True, "fletcher32": True},
        {"chunks": (512, 512, 14), "compression": "gzip"},
    ],
)
def test_ordinary_chunks_and_filters_are_read(options: dict, tmp_path: Path) -> None:
    physical = np.tile(physical_values(64, 64), (1, 8, 8))
    with h5py.File(tmp_path / "patch.h5", "w", userblock_size=2048) as file:
        file.create_dataset("img", data=stored(physical), **options)
    assert np.array_equal(read_patch(tmp_path / "patch.h5").values, physical)


@pytest.mark.parametrize("number", [-9999, np.nan, 1e36])
@pytest.mark.parametrize("divided", [True, False])
def test_nodata_is_not_observed_and_filled_with_the_median(
    number: float, divided: bool, tmp_path: Path
) -> None:
    # A program writes nodata in place of the digital number, or of the value in the file.
    values = stored()
    values[:10] = number / divisors()[:, 0, 0].round(2) if divided else number
    patch = read_patch(write_h5(tmp_path / "patch.h5", img=values))
    assert not patch.observed[:10].any() and patch.observed[10:].all()
    expected = np.median(PHYSICAL[:, 10:], axis=(1, 2))
    np.testing.assert_allclose(patch.values[:, 3, 5], expected, rtol=1e-6)


def test_one_missing_band_is_enough_and_below_the_sea_is_not_missing(tmp_path: Path) -> None:
    physical = PHYSICAL.copy()
    physical[13] -= 400
    physical[:12, :, :12] = 0  # outside the scene
    physical[3, 40, 40] = 0  # one dark band is no blank pixel
    physical[7, :3, 20:25] = np.nan
    patch = read_patch(write_h5(tmp_path / "patch.h5", img=stored(physical)))
    observed = np.ones((48, 48), bool)
    observed[:, :12] = observed[:3, 20:25] = False
    assert np.array_equal(patch.observed, observed)


def test_pictures_hold_display_values(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(1, 256, (64, 50, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[:8, :, 3] = 0
    pixels[8:16, :, :3] = 0
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    patch = read_patch(tmp_path / "picture.png")
    assert (patch.bands, patch.unit, patch.name) == (TRUE_COLOUR, "display", "picture")
    assert np.array_equal(np.rint(patch.values * 255), pixels[..., :3].transpose(2, 0, 1))
    assert not patch.observed[:16].any() and patch.observed[16:].all()
    pixels = pixels[16:, :, :3]
    pixels[0, :20] = 0  # a few black pixels are shadows
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    assert read_patch(tmp_path / "picture.png").observed.all()


@pytest.mark.parametrize("palette", [None, [0, 0, 0, 128, 0, 0], [255, 255, 255, 0, 0, 0]])
def test_the_numbers_of_a_picture_are_the_mask(palette: list[int] | None, tmp_path: Path) -> None:
    picture = Image.frombytes("P" if palette else "L", (48, 48), MASK.tobytes())
    if palette:
        picture.putpalette(palette)
    picture.save(tmp_path / "mask.png")
    assert np.array_equal(read_mask(tmp_path / "mask.png"), MASK)


@pytest.mark.parametrize("kind", BAD_PATCHES)
def test_a_bad_file_is_one_sentence_that_names_it(kind: str, tmp_path: Path) -> None:
    path = write_bad_patch(kind, tmp_path)
    with pytest.raises(DataError, match=BAD_PATCHES[kind][1]) as refused:
        read_patch(path)
    message = str(refused.value)
    assert kind in message and message.endswith(".") and message.isprintable()


def _external_link(file: h5py.File) -> None:
    file["a"] = h5py.ExternalLink("elsewhere.h5", "/")
    file["img"] = h5py.SoftLink("/a/img")


def _external_storage(file: h5py.File) -> None:
    file.create_dataset("img", SHAPE, "f8", external=[("elsewhere", 0, h5py.h5f.UNLIMITED)])


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(SHAPE, "f8")
    layout[...] = h5py.VirtualSource("elsewhere.h5", "img", SHAPE)
    file.create_virtual_dataset("img", layout)


def _own_scaling(file: h5py.File) -> None:
    file.create_dataset("img", data=stored(), scaleoffset=4, chunks=SHAPE)


def _odd_names(file: h5py.File) -> None:
    for name in (b"a\r\n\x1b[31m", b"c\xff\xfe"):
        space = h5py.h5s.create_simple(SHAPE)
        h5py.h5d.create(file.id, name, h5py.h5t.NATIVE_DOUBLE, space)


def _many_chunks(file: h5py.File) -> None:
    file.create_dataset("img", (512, 512, 14), "f8", chunks=(1, 1, 1))


def _large_chunk(file: h5py.File) -> None:
    largest = (None, None, 14)
    file.create_dataset("img", SHAPE, "f8", chunks=(1000, 1000, 14), maxshape=largest)


def _bomb(file: h5py.File) -> None:
    """A chunk that gzip unpacks to 300 MB, from a header that says 258 kB."""
    file.create_dataset("img", SHAPE, "f8", chunks=SHAPE, compression="gzip")
    file["img"].id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(300_000_000), 9))


HOSTILE: tuple[Callable[[h5py.File], None], ...] = (
    *(_external_link, _external_storage, _virtual, _own_scaling, _odd_names),
    *(_many_chunks, _large_chunk, _bomb),
)


@pytest.mark.parametrize("write", HOSTILE, ids=lambda write: write.__name__)
def test_a_hostile_h5_file_is_refused(write: Callable[[h5py.File], None], tmp_path: Path) -> None:
    write_patch(tmp_path / "elsewhere.h5")
    with h5py.File(tmp_path / "patch.h5", "w") as file:
        write(file)
    with pytest.raises(DataError, match=r"patch\.h5") as refused:
        read_patch(tmp_path / "patch.h5")
    assert len(str(refused.value)) < 400 and str(refused.value).isprintable()


def test_no_damage_to_a_file_is_more_than_a_sentence(tmp_path: Path) -> None:
    whole = write_h5(tmp_path / "patch.h5", img=stored()[:32, :32]).read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        damaged = bytearray(whole)
        for place in random.integers(0, 2048, 3):  # where HDF5 keeps its tables
            damaged[place] = random.integers(256)
        (tmp_path / "patch.h5").write_bytes(damaged)
        try:
            read_patch(tmp_path / "patch.h5")
        except DataError:
            refused += 1
    assert 20 < refused < 200


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, depth: int = 8, before: bytes = b"", pixels: int = 0) -> bytes:
    """A PNG by hand, its pixels black."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0))
    content = _chunk(b"IDAT", zlib.compress(bytes(pixels or height * (3 * width + 1))))
    return b"\x89PNG\r\n\x1a\n" + header + before + content + _chunk(b"IEND", b"")


HOSTILE_PICTURES = {
    "size": _png(2**31 - 1, 2**31 - 1, pixels=9),
    "strip": _png(131_072, 32, pixels=9),
    "second-header": _png(64, 64, before=_png(30_000, 3_000, pixels=9)[8:33]),
    "sixteen-bits": _png(64, 64, depth=16),
    "texts": _png(64, 64, before=_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(3 * 10**8)))),
    "cut-short": _png(64, 64)[:-30],
    "black": _png(64, 64),
}


@pytest.mark.parametrize("kind", HOSTILE_PICTURES)
def test_a_hostile_picture_is_refused(kind: str, tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(HOSTILE_PICTURES[kind])
    with pytest.raises(DataError, match=r"picture\.png"):
        read_patch(tmp_path / "picture.png")


def test_what_holds_no_mask_is_refused(tmp_path: Path) -> None:
    for path in (
        write_png(tmp_path / "picture.png"),
        write_h5(tmp_path / "classes.h5", mask=np.arange(64).reshape(8, 8) % 8),
        write_patch(tmp_path / "patch.h5"),
    ):
        with pytest.raises(DataError, match=path.name):
            read_mask(path)


@pytest.mark.parametrize("name", ["patch.H5", "image_4 (1).h5", "blob", "patch.png"])
def test_the_first_bytes_decide_not_the_name(name: str, tmp_path: Path) -> None:
    patch = read_patch(write_patch(tmp_path / name))
    assert np.array_equal(patch.values, PHYSICAL) and patch.name == Path(name).stem
    write_png(tmp_path / "picture.png").rename(tmp_path / name)
    assert read_patch(tmp_path / name).unit == "display"


def test_a_folder_tells_its_patches_from_other_files(tmp_path: Path) -> None:
    patches = [write_patch(tmp_path / name) for name in ("a.H5", "b.hdf5", "blob")]
    patches.append(write_png(tmp_path / "e.png"))
    for name in ("mask_1.h5", ".hidden.h5", "notes.txt"):
        (tmp_path / name).write_text("no patch", encoding="utf-8")
    (tmp_path / "within").mkdir()
    (tmp_path / "loop.h5").symlink_to("loop.h5")
    os.mkfifo(tmp_path / "pipe.h5")
    assert patch_files(tmp_path) == sorted(patches)
    for bad in ("loop.h5", "pipe.h5"):
        with pytest.raises(DataError, match=bad):
            read_patch(tmp_path / bad)


def test_real_bands_are_whole_numbers_and_shown_as_the_public_pictures(real_data: Path) -> None:
    pictures = {path.stem: path for path in (real_data / "l4s-rgb" / "images").rglob("*.png")}
    compared = 0
    for path in (real_data / "l4s-14band" / "images").glob("*.h5"):
        patch = read_patch(path)
        assert np.array_equal(patch.values, np.rint(patch.values))
        if path.stem in pictures:  # patches without a landslide are not among the pictures
            compared += 1
            picture = read_patch(pictures[path.stem])
            shown = display_values(patch.select(TRUE_COLOUR))
            assert np.abs(shown - picture.values).max() <= 1.001 / 255, path
    assert compared >= 10
