"""HDF5: masks wherever they lie, files others have open, and files that ask for too much."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from patch_files import BANDS_COUNT, physical_values, stored, write_h5, write_patch

from landslide_zoo import read_mask, read_patch
from landslide_zoo.errors import DataError

SHAPE = (48, 48, BANDS_COUNT)
MASK = np.zeros((48, 48), np.uint8)
MASK[5:20, 7:30] = 1


@pytest.mark.parametrize(
    "mask",
    [MASK[None], MASK[..., None], MASK.astype(float), MASK.astype(bool), MASK[None] * 255.0],
    ids=["1-h-w", "h-w-1", "float", "bool", "255"],
)
@pytest.mark.parametrize("group", ["", "data/", "a/b/"])
def test_a_mask_has_unit_axes_any_number_type_and_any_group(
    mask: np.ndarray, group: str, tmp_path: Path
) -> None:
    both = write_h5(tmp_path / "both.h5", **{f"{group}img": stored(), f"{group}mask": mask})
    assert np.array_equal(read_patch(both).mask, MASK)
    apart = write_h5(tmp_path / "mask.h5", **{f"{group}mask": mask})
    assert np.array_equal(read_mask(apart), MASK)
    assert np.array_equal(read_patch(write_patch(tmp_path / "p.h5"), apart).mask, MASK)


def test_a_batch_of_one_is_a_patch(tmp_path: Path) -> None:
    patch = read_patch(write_h5(tmp_path / "patch.h5", img=stored()[None], mask=MASK[None]))
    assert np.array_equal(patch.values, physical_values())


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("mask", np.ones((48, 48, 2)), r"'mask' in patch.h5, of shape \(48, 48, 2\), is not used"),
        ("label", MASK, "'label' in patch.h5, of shape .* a mask is called 'mask' and is 48 x 48"),
    ],
)
def test_a_mask_that_is_not_used_is_mentioned(
    name: str, data: np.ndarray, said: str, tmp_path: Path
) -> None:
    patch = read_patch(write_h5(tmp_path / "patch.h5", img=stored(), **{name: data}))
    assert patch.mask is None
    [note] = patch.notes
    assert re.search(said, note)


def test_a_file_that_is_open_elsewhere_is_read(tmp_path: Path) -> None:
    path = write_patch(tmp_path / "patch.h5")
    code = (
        f"import h5py, sys; f = h5py.File({str(path)!r}, 'a'); print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None and other.stdout.readline()
        assert np.array_equal(read_patch(path).values, physical_values())
        other.communicate()


@pytest.mark.parametrize("version", ["earliest", "latest"])
def test_a_file_whose_writer_broke_off_is_read_or_said_to_be_in_use(
    version: str, tmp_path: Path
) -> None:
    path = tmp_path / "patch.h5"
    np.save(tmp_path / "img.npy", stored())
    code = (
        f"import h5py, numpy as np, os; f = h5py.File({str(path)!r}, 'w', libver={version!r}); "
        f"f['img'] = np.load({str(tmp_path / 'img.npy')!r}); f.flush(); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    try:
        assert np.array_equal(read_patch(path).values, physical_values())
    except DataError as error:
        assert "being written by another program, or was left so" in str(error)


def _soft_links(file: h5py.File) -> None:
    file["img"], file["other"] = h5py.SoftLink("/other"), h5py.SoftLink("/img")


def _link_in_group(file: h5py.File) -> None:
    file.create_group("a")["img"] = h5py.ExternalLink("elsewhere.h5", "img")


def _link_through_link(file: h5py.File) -> None:
    file["a"] = h5py.ExternalLink("elsewhere.h5", "/")
    file["img"] = h5py.SoftLink("/a/img")


def _virtual_in_itself(file: h5py.File) -> None:
    file["real"] = stored()
    layout = h5py.VirtualLayout(SHAPE, "f8")
    layout[...] = h5py.VirtualSource(".", "real", SHAPE)
    file.create_virtual_dataset("img", layout)


def _deep(file: h5py.File) -> None:
    group: h5py.Group = file
    for _ in range(200):
        group = group.create_group("g")
    group["volume"] = stored()


def _wide(file: h5py.File) -> None:
    for number in range(1001):
        file.create_group(f"g{number}")
    file["volume"] = stored()


def _long_names(file: h5py.File) -> None:
    for number in range(500):
        file.create_dataset(f"{number}" + 200 * "x", (1, 1, 1), "f4")


def _odd_names(file: h5py.File) -> None:
    for name in (b"a\r\n\x1b[31m", b"b\a", b"c\xff\xfe"):
        space = h5py.h5s.create_simple(SHAPE)
        h5py.h5d.create(file.id, name, h5py.h5t.NATIVE_DOUBLE, space)


def _many_chunks(file: h5py.File) -> None:
    file.create_dataset("img", (512, 512, 14), "f8", chunks=(1, 1, 1))


def _large_chunk(file: h5py.File) -> None:
    largest = (None, None, 14)
    file.create_dataset("img", SHAPE, "f8", chunks=(1000, 1000, 14), maxshape=largest)


def _packed_chunk(file: h5py.File, filters: int = 1) -> None:
    """A chunk of 258 kB that gzip unpacks to 200 MB, from a header that says 258 kB."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk(SHAPE)
    for _ in range(filters):
        properties.set_deflate(9)
    space = h5py.h5s.create_simple(SHAPE)
    dataset = h5py.h5d.create(file.id, b"img", h5py.h5t.NATIVE_DOUBLE, space, properties)
    packed = zlib.compress(bytes(300_000_000), 9)
    dataset.write_direct_chunk((0, 0, 0), zlib.compress(packed) if filters == 2 else packed)


def _packed_twice(file: h5py.File) -> None:
    _packed_chunk(file, filters=2)


def _own_scaling(file: h5py.File) -> None:
    file.create_dataset("img", data=stored(), scaleoffset=4, chunks=SHAPE)


def _references(file: h5py.File) -> None:
    file.create_dataset("img", SHAPE, h5py.ref_dtype)


def _compound(file: h5py.File) -> None:
    file.create_dataset("img", SHAPE, [("a", "f4"), ("b", "f4")])


def _complex(file: h5py.File) -> None:
    file.create_dataset("img", SHAPE, "c8")


def _nothing(file: h5py.File) -> None:
    file.create_dataset("img", data=h5py.Empty("f4"))


def _long_strip(file: h5py.File) -> None:
    file.create_dataset("img", (32, 100_000, 14), "f4", chunks=(32, 1000, 14))


HOSTILE: dict[Callable[[h5py.File], None], str] = {
    _soft_links: "no 3-D dataset",
    _link_in_group: "'a/img' in .* is a link to another file",
    _link_through_link: "'a' in .* is a link to another file",
    _virtual_in_itself: "is kept in other files",
    _deep: "no 3-D dataset",
    _wide: "more than 1000 groups and datasets",
    _long_names: "500 3-D datasets",
    _odd_names: "2 3-D datasets",
    _many_chunks: "chunks that are too many",
    _large_chunk: "chunks that are too many, too large",
    _packed_chunk: "larger than they say",
    _packed_twice: "needs a filter plugin",
    _own_scaling: "needs a filter plugin",
    _references: "does not hold numbers",
    _compound: "does not hold numbers",
    _complex: "does not hold numbers",
    _nothing: "has 0 dimensions",
    _long_strip: "too large for one patch",
}


@pytest.mark.parametrize("write", HOSTILE, ids=lambda write: write.__name__.strip("_"))
def test_a_hostile_file_is_refused_at_once_in_a_short_sentence(
    write: Callable[[h5py.File], None], tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "patch.h5", "w") as file:
        write(file)
    start = time.monotonic()
    with pytest.raises(DataError, match=HOSTILE[write]) as refused:
        read_patch(tmp_path / "patch.h5")
    assert time.monotonic() - start < 5
    message = str(refused.value)
    assert len(message) < 400 and message.isprintable()


def test_img_is_found_however_much_lies_beside_it(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "patch.h5", "w") as file:
        _wide(file)
        file["img"] = stored()
        file["elsewhere"] = h5py.ExternalLink("elsewhere.h5", "img")
    assert np.array_equal(read_patch(tmp_path / "patch.h5").values, physical_values())


def test_a_group_within_itself_is_looked_through_once(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "patch.h5", "w") as file:
        file.create_group("a")["loop"] = file["/"]
        file["a/volume"] = stored()
    assert np.array_equal(read_patch(tmp_path / "patch.h5").values, physical_values())


def test_a_soft_link_leads_to_what_is_found_anyway(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "patch.h5", "w") as file:
        file["a/volume"] = stored()
        file["img"] = h5py.SoftLink("/a/volume")
    assert np.array_equal(read_patch(tmp_path / "patch.h5").values, physical_values())


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "gzip", "shuffle": True, "fletcher32": True},
        {"compression": "lzf", "shuffle": True},
        {"chunks": (8, 8, 14), "fletcher32": True},
        {"chunks": (512, 512, 14), "compression": "gzip"},
    ],
)
def test_ordinary_chunks_and_filters_are_read(options: dict, tmp_path: Path) -> None:
    physical = np.tile(physical_values(64, 64), (1, 8, 8))
    with h5py.File(tmp_path / "patch.h5", "w") as file:
        file.create_dataset("img", data=stored(physical), **options)
    assert np.array_equal(read_patch(tmp_path / "patch.h5").values, physical)


def test_a_block_of_the_users_own_before_the_file(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "patch", "w", userblock_size=2048) as file:
        file["img"] = stored()
    assert np.array_equal(read_patch(tmp_path / "patch").values, physical_values())
