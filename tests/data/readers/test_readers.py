"""Readers: whatever the layout, a patch comes out in physical units, or one sentence does."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from patch_files import (
    BAD_PATCHES,
    physical_values,
    random_patch,
    stored,
    write_bad_patch,
    write_h5,
    write_patch,
    write_png,
)
from PIL import Image

from landslide_zoo import read_mask, read_patch
from landslide_zoo.data import patch_files
from landslide_zoo.data.bands import BAND_NAMES, TRUE_COLOUR, display_values
from landslide_zoo.data.readers.hdf5 import write_mask_h5, write_patch_h5
from landslide_zoo.errors import DataError


def test_values_come_back_in_physical_units(tmp_path: Path) -> None:
    physical = physical_values()
    patch = read_patch(write_h5(tmp_path / "scene.v2.final.h5", img=stored(physical)))
    assert patch.values.dtype == np.float32
    assert np.array_equal(patch.values, physical)
    assert (patch.bands, patch.unit, patch.name) == (BAND_NAMES, "physical", "scene.v2.final")
    assert (patch.mask, patch.filled) == (None, 0)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (128, 128), (200, 40)])
@pytest.mark.parametrize("bands_axis", [0, 2])
def test_either_axis_order_and_any_size(
    tmp_path: Path, size: tuple[int, int], bands_axis: int
) -> None:
    physical = physical_values(*size)
    values = np.moveaxis(stored(physical), 2, bands_axis)
    patch = read_patch(write_h5(tmp_path / "patch.h5", img=values))
    assert patch.size == size
    assert np.array_equal(patch.values, physical)


@pytest.mark.parametrize("dtype", ["f4", "f8", "u2"])
def test_number_types(tmp_path: Path, dtype: str) -> None:
    values = stored().round().astype(dtype)
    write_h5(tmp_path / "patch.h5", img=values)
    expected = read_patch(write_h5(tmp_path / "plain.h5", img=values.astype("f8")))
    assert np.array_equal(read_patch(tmp_path / "patch.h5").values, expected.values)


@pytest.mark.parametrize("name", ["mask.h5", "mask.png"])
def test_a_mask_in_its_own_file(tmp_path: Path, name: str) -> None:
    mask = np.zeros((48, 48), np.uint8)
    mask[30:, :7] = 1
    if name.endswith("h5"):
        write_h5(tmp_path / name, anything=mask)
    else:
        Image.fromarray(mask * 255).save(tmp_path / name)
    patch = read_patch(write_patch(tmp_path / "patch.h5"), mask=tmp_path / name)
    assert np.array_equal(patch.mask, mask)
    assert np.array_equal(read_mask(tmp_path / name), mask)


def test_a_mask_file_of_another_size_is_refused(tmp_path: Path) -> None:
    write_mask_h5(tmp_path / "mask.h5", np.zeros((64, 64)))
    with pytest.raises(DataError, match=r"mask mask.h5 is 64 x 64 and the patch .* 48 x 48"):
        read_patch(write_patch(tmp_path / "patch.h5"), mask=tmp_path / "mask.h5")


def test_a_true_colour_picture_holds_display_values(tmp_path: Path) -> None:
    path = write_png(tmp_path / "image_7.png", height=33, width=47)
    patch = read_patch(path)
    assert (patch.bands, patch.unit, patch.size) == (TRUE_COLOUR, "display", (33, 47))
    assert np.array_equal(patch.values.transpose(1, 2, 0) * 255, np.asarray(Image.open(path)))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    patch = random_patch(40, 50)
    write_patch_h5(tmp_path / "patch.h5", patch)
    with h5py.File(tmp_path / "patch.h5") as file:
        assert (file["img"].shape, file["img"].dtype) == ((40, 50, 14), np.float64)
    again = read_patch(tmp_path / "patch.h5")
    assert np.array_equal(again.values, patch.values)


@pytest.mark.parametrize("kind", BAD_PATCHES)
def test_a_bad_file_is_one_sentence_that_names_it(kind: str, tmp_path: Path) -> None:
    path = write_bad_patch(kind, tmp_path)
    with pytest.raises(DataError, match=BAD_PATCHES[kind][1]) as refused:
        read_patch(path)
    message = str(refused.value)
    assert path.name in message
    assert message.endswith(".") and "\n" not in message


def test_no_damage_to_a_file_is_more_than_a_sentence(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "patch.h5", "w") as file:
        file.create_dataset("img", data=stored()[:32, :32], compression="gzip")
        file.create_dataset("mask", data=np.zeros((32, 32), np.uint8))
    whole = (tmp_path / "patch.h5").read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for place in random.integers(0, 3000, 3):  # where HDF5 keeps its tables
            damaged[place] = random.integers(256)
        (tmp_path / "patch.h5").write_bytes(damaged)
        try:
            read_patch(tmp_path / "patch.h5")
        except DataError:
            refused += 1
    assert 30 < refused < 300


@pytest.mark.parametrize(
    ("mode", "size", "sentence"),
    [
        ("L", (48, 48), "no 8-bit true-colour picture"),
        ("RGB", (31, 48), "31 x 48 pixels; a patch has at least 32 x 32"),
        ("RGB", (2049, 2049), "too large for one patch"),
    ],
)
def test_a_picture_that_is_no_patch(
    tmp_path: Path, mode: str, size: tuple[int, int], sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        read_patch(write_png(tmp_path / "picture.png", *size, mode=mode))


def test_what_holds_no_mask_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no mask"):
        read_mask(write_png(tmp_path / "picture.png"))
    with pytest.raises(DataError, match="from 0 to 7"):
        read_mask(write_h5(tmp_path / "mask.h5", mask=np.arange(64).reshape(8, 8) % 8))
    with pytest.raises(DataError, match="no 2-D dataset"):
        read_mask(write_patch(tmp_path / "patch.h5"))


def _real_patches(real_data: Path) -> list[Path]:
    return sorted((real_data / "l4s-14band").rglob("image_*.h5"))


def test_real_bands_are_whole_numbers(real_data: Path) -> None:
    paths = _real_patches(real_data)
    assert len(paths) >= 21
    for path in paths:
        patch = read_patch(path)
        assert (patch.size, patch.filled) == ((128, 128), 0)
        assert np.array_equal(patch.values, np.rint(patch.values)), path
        assert patch.values.min() >= 0 and patch.values.max() <= 65535


def test_real_display_values_equal_the_public_pictures(real_data: Path) -> None:
    pictures = {path.stem: path for path in (real_data / "l4s-rgb" / "images").rglob("*.png")}
    compared = 0
    for path in (real_data / "l4s-14band" / "images").glob("*.h5"):
        picture = pictures.get(path.stem)
        if picture is None:
            continue  # patches without a landslide are not among the pictures
        compared += 1
        shown = display_values(read_patch(path).select(TRUE_COLOUR))
        assert np.abs(shown - read_patch(picture).values).max() <= 1.001 / 255, path
    assert compared >= 10


def test_real_masks_are_read(real_data: Path) -> None:
    folder = real_data / "l4s-14band" / "annotations"
    landslides = {path.stem: int(read_mask(path).sum()) for path in folder.glob("*.h5")}
    assert len(landslides) == 15
    assert landslides["mask_150"] > 1000


@pytest.mark.parametrize("name", ["patch.H5", "patch.hdf5", "image_4 (1).h5", "blob", "patch.png"])
def test_the_first_bytes_decide_not_the_name(name: str, tmp_path: Path) -> None:
    patch = read_patch(write_patch(tmp_path / name))
    assert np.array_equal(patch.values, physical_values())
    assert patch.name == Path(name).stem
    write_png(tmp_path / "picture.png").rename(tmp_path / name)
    assert read_patch(tmp_path / name).unit == "display"


def test_a_folder_tells_its_patches_from_other_files(tmp_path: Path) -> None:
    patches = [write_patch(tmp_path / name) for name in ("a.H5", "b.hdf5", "blob", "d (1).h5")]
    patches.append(write_png(tmp_path / "e.png"))
    for name in ("mask_1.h5", ".hidden.h5", "notes.txt", "empty"):
        (tmp_path / name).write_text("no patch", encoding="utf-8")
    (tmp_path / "within").mkdir()
    (tmp_path / "loop.h5").symlink_to("loop.h5")
    (tmp_path / "gone.h5").symlink_to("nowhere.h5")
    os.mkfifo(tmp_path / "pipe.h5")
    contents = patch_files(tmp_path)
    assert list(contents.files) == sorted(patches)
    assert {path.name: reason for path, reason in contents.skipped.items()} == {
        "notes.txt": "neither HDF5 nor PNG",
        "empty": "neither HDF5 nor PNG",
        "loop.h5": "too many levels of symbolic links",
        "gone.h5": "no such file or directory",
        "pipe.h5": "no regular file",
    }
    with pytest.raises(DataError, match="cannot be listed"):
        patch_files(tmp_path / "nowhere")


def test_a_link_that_leads_to_itself_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "loop.h5").symlink_to("loop.h5")
    with pytest.raises(DataError, match=r"There is no file .*loop.h5"):
        read_patch(tmp_path / "loop.h5")
