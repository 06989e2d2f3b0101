"""The packed copy of a dataset: lossless, made once, and never believed unchecked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from full_disk import largest_file
from labelled_data import packed_pairs, write_pair, write_pairs
from patch_files import physical_values, stored, write_bad_patch, write_h5

from landslide_zoo.data.landslide4sense import Sample, find_samples, labelled
from landslide_zoo.data.packed import PackedDataset, pack
from landslide_zoo.data.patch import Fingerprint
from landslide_zoo.data.readers import read_patch
from landslide_zoo.errors import DataError


def check_lossless(data: PackedDataset) -> None:
    """Every patch is, bit for bit, what its reader gives; so is the fingerprint of all."""
    fingerprint = Fingerprint()
    for index, sample in enumerate(data.samples):
        read, packed = read_patch(sample.image, sample.mask), data.patch(index)
        fingerprint.add(read)
        np.testing.assert_array_equal(packed.values, read.values)
        assert packed.values.dtype == np.float32
        np.testing.assert_array_equal(packed.mask, read.mask)
        assert (packed.bands, packed.unit, packed.name) == (read.bands, read.unit, read.name)
    assert fingerprint.hexdigest() == data.fingerprint


def test_fourteen_bands_keep_every_bit_in_a_quarter_of_the_space(tmp_path: Path) -> None:
    data = packed_pairs(tmp_path, 3, height=40, width=48)
    assert len(data) == 3 and data.values.dtype == np.uint16
    assert data.patch(0).size == (40, 48)
    assert data.index_of([data.samples[2], data.samples[0]]) == [2, 0]
    check_lossless(data)


def test_true_colour_keeps_every_bit_in_a_byte(tmp_path: Path) -> None:
    samples = [write_pair(tmp_path, number, kind="png") for number in (1, 2)]
    data = pack(samples, tmp_path / "packed")
    assert data.values.dtype == np.uint8
    assert data.patch(0).unit == "display"
    check_lossless(data)


def test_the_real_patches_keep_every_bit(real_data: Path, tmp_path: Path) -> None:
    bands = pack(labelled(find_samples(real_data / "l4s-14band")), tmp_path)
    assert len(bands) == 15 and bands.values.dtype == np.uint16
    check_lossless(bands)
    pictures = pack(labelled(find_samples(real_data / "l4s-rgb"))[:40], tmp_path)
    check_lossless(pictures)


def test_numbers_between_whole_ones_are_kept_too(tmp_path: Path) -> None:
    samples = write_pairs(tmp_path / "data", 2)
    write_h5(samples[1].image, img=stored(physical_values(32, 32) + 0.25))
    data = pack(samples, tmp_path / "packed")
    assert data.values.dtype == np.float32
    check_lossless(data)


def test_missing_values_stay_unobserved_and_do_not_cost_the_small_copy(tmp_path: Path) -> None:
    samples = write_pairs(tmp_path / "data", 2)
    values = stored(physical_values(32, 32))
    values[:4, :, 5] = np.nan
    write_h5(samples[0].image, img=values)
    data = pack(samples, tmp_path / "packed")
    assert data.values.dtype == np.uint16
    read = read_patch(samples[0].image)
    assert np.abs(data.patch(0).values - read.values).max() <= 0.5
    assert not data.patch(0).observed[:4].any() and data.patch(0).observed[4:].all()
    assert data.patch(1).observed.all()


def test_it_is_made_once(tmp_path: Path) -> None:
    samples = write_pairs(tmp_path / "data", 3)
    read: list[Sample] = []

    def watch(samples: Sequence[Sample]) -> Sequence[Sample]:
        read.extend(samples)
        return samples

    first = pack(samples, tmp_path / "packed", watch)
    assert read == samples
    again = pack(samples, tmp_path / "packed", watch)
    assert read == samples  # nothing was read again
    assert again.fingerprint == first.fingerprint
    assert len(list((tmp_path / "packed").iterdir())) == 1
    # A changed file is another dataset.
    write_h5(samples[0].image, img=stored(physical_values(32, 32, seed=99)))
    changed = pack(samples, tmp_path / "packed", watch)
    assert len(read) == 6
    assert changed.fingerprint != first.fingerprint


def test_the_fingerprint_is_that_of_the_data_wherever_it_lies(tmp_path: Path) -> None:
    here = packed_pairs(tmp_path / "here", 3)
    there = packed_pairs(tmp_path / "there", 3)
    assert here.fingerprint == there.fingerprint
    write_h5(there.samples[2].mask, mask=np.ones((32, 32), np.uint8))
    assert pack(there.samples, tmp_path / "again").fingerprint != here.fingerprint
    swapped = pack(there.samples[::-1], tmp_path / "again")
    assert swapped.fingerprint != here.fingerprint


def test_a_copy_that_was_changed_or_cut_short_is_refused(tmp_path: Path) -> None:
    data = packed_pairs(tmp_path, 3)
    values = next((tmp_path / "packed").iterdir()) / "values.npy"
    content = bytearray(values.read_bytes())
    content[-1] ^= 1
    values.write_bytes(content)
    with pytest.raises(DataError, match="is damaged or was changed: delete that folder, and it is"):
        pack(data.samples, tmp_path / "packed")
    values.write_bytes(content[:-100])
    with pytest.raises(DataError, match="is damaged or was changed: delete that folder"):
        pack(data.samples, tmp_path / "packed")
    shutil.rmtree(tmp_path / "packed")
    assert pack(data.samples, tmp_path / "packed").fingerprint == data.fingerprint


def test_a_bit_that_flips_unseen_is_found_by_verifying(tmp_path: Path) -> None:
    data = packed_pairs(tmp_path, 3)
    data.verify()
    masks = data.folder / "masks.npy"
    before = masks.stat()
    with masks.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\2")
    os.utime(masks, ns=(before.st_atime_ns, before.st_mtime_ns))
    again = pack(data.samples, tmp_path / "packed")
    with pytest.raises(DataError, match="is damaged or was changed: delete that folder"):
        again.verify()


def test_a_copy_of_the_copy_is_read_through_and_believed(tmp_path: Path) -> None:
    data = packed_pairs(tmp_path, 3)
    for file in data.folder.iterdir():
        os.utime(file)
    assert pack(data.samples, tmp_path / "packed").fingerprint == data.fingerprint


def _corrupt(folder: Path, sample: Sample) -> None:
    write_bad_patch("truncated", folder).replace(sample.image)


def _mask_of_other_size(folder: Path, sample: Sample) -> None:
    write_h5(sample.mask, mask=np.zeros((64, 64), np.uint8))


def _other_size(folder: Path, sample: Sample) -> None:
    write_pair(folder / "data", sample.number, height=64, width=64)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_corrupt, "train: image_2.h5 cannot be read: it is cut short or damaged"),
        (_mask_of_other_size, "train: The mask mask_2.h5 is 64 x 64 and the patch image_2.h5 32"),
        (_other_size, "train/image_2.h5 is 64 x 64 with 14 .* and image_1 32 x 32 with 14"),
    ],
)
def test_a_bad_file_is_named_and_nothing_is_left(
    spoil: object, sentence: str, tmp_path: Path
) -> None:
    samples = write_pairs(tmp_path / "data", 3)
    spoil(tmp_path, samples[1])  # type: ignore[operator]
    with pytest.raises(DataError, match=sentence):
        pack(samples, tmp_path / "packed")
    assert list((tmp_path / "packed").iterdir()) == []


def test_a_patch_without_a_mask_is_refused(tmp_path: Path) -> None:
    sample = write_pair(tmp_path, 1)
    unlabelled = Sample(1, "train", sample.image, None)
    with pytest.raises(DataError, match=r"image_1.h5 has no mask; only labelled patches train"):
        pack([unlabelled], tmp_path / "packed")


def test_a_full_disk_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    samples = write_pairs(tmp_path / "data", 3)
    sentence = r"The packed dataset cannot be written to .*packed \(File too large\): free some"
    with largest_file(50_000), pytest.raises(DataError, match=sentence):
        pack(samples, tmp_path / "packed")
    assert list((tmp_path / "packed").iterdir()) == []
    check_lossless(pack(samples, tmp_path / "packed"))
