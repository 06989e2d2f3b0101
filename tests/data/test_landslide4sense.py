"""Where the patches and masks of a dataset lie, in every layout that is known."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from labelled_data import random_mask, write_pair, write_pairs
from loopback_hub import LoopbackHub
from synthetic_patches import write_dataset

from landslide_zoo import read_mask, read_patch
from landslide_zoo.data.landslide4sense import dataset_folder, find_samples, labelled
from landslide_zoo.errors import DataError, HubError


@pytest.mark.parametrize("layout", ["mirror", "zenodo"])
def test_both_public_layouts_hold_the_same_patches(layout: str, tmp_path: Path) -> None:
    write_dataset(tmp_path, {"train": 11, "validation": 2, "test": 1}, layout, size=32)
    samples = find_samples(tmp_path)
    found = [(sample.subset, sample.number) for sample in samples]
    # By number, not by name: image_10 comes after image_9.
    assert found == [
        *(("train", number) for number in range(1, 12)),
        *(("validation", number) for number in (1, 2)),
        ("test", 1),
    ]
    for sample in samples:
        assert sample.image.name == f"image_{sample.number}.h5" and sample.image.is_file()
        assert sample.mask is not None and sample.mask.is_file()
        assert sample.mask.name == f"mask_{sample.number}.h5"


def test_a_flat_folder_is_one_subset_and_a_patch_may_lack_its_mask(real_data: Path) -> None:
    samples = find_samples(real_data / "l4s-14band")
    assert [sample.number for sample in samples[:5]] == [1, 2, 3, 4, 16]
    assert {sample.subset for sample in samples} == {"all"}
    assert len(labelled(samples)) == 15


def test_true_colour_patches_with_their_subsets(real_data: Path) -> None:
    samples = labelled(find_samples(real_data / "l4s-rgb"))
    assert Counter(sample.subset for sample in samples) == {
        "train": 1150,
        "validation": 123,
        "test": 299,
    }


def test_a_mask_of_the_patchs_own_kind_comes_first(tmp_path: Path) -> None:
    write_pair(tmp_path, 1)
    picture = write_pair(tmp_path, 1, kind="png")
    other = write_pair(tmp_path, 2, kind="png")
    assert picture.mask is not None and other.mask is not None
    named = other.mask.rename(other.mask.with_suffix(".h5"))
    masks = {sample.image.name: sample.mask for sample in find_samples(tmp_path)}
    assert masks["image_1.png"] == picture.mask
    assert masks["image_1.h5"] == picture.mask.with_suffix(".h5")
    assert masks["image_2.png"] == named
    assert np.array_equal(read_mask(named), random_mask(32, 32, seed=2))


def test_any_suffix_and_what_browsers_add_to_a_name(tmp_path: Path) -> None:
    write_pairs(tmp_path, 6)
    for folder, word in (("images", "image"), ("annotations", "mask")):
        for number, name in ((2, "_2.H5"), (3, "_3.hdf5"), (4, "_4 (1).h5"), (5, "_5")):
            (tmp_path / folder / "train" / f"{word}_{number}.h5").rename(
                tmp_path / folder / "train" / f"{word}{name}"
            )
    samples = find_samples(tmp_path)
    assert [sample.number for sample in samples] == [1, 2, 3, 4, 5, 6]
    for sample in samples:
        patch = read_patch(sample.image, sample.mask)
        assert np.array_equal(patch.mask, random_mask(32, 32, seed=sample.number))


def test_other_files_are_left_out_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sample = write_pair(tmp_path, 7)
    folder = sample.image.parent
    for name in ("image_8.txt", "image_9.h5.part", "image_.h5", "my_image_9.h5", ".image_9.h5"):
        (folder / name).touch()
    (folder / "image_7 (1).h5").write_bytes(sample.image.read_bytes())
    (folder / "image_10.h5").symlink_to("image_10.h5")
    assert find_samples(tmp_path) == [sample]
    [record] = caplog.records
    assert record.getMessage().startswith(f"6 files in {folder} are no patches of the dataset")


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: None], ids=["empty", "missing"])
def test_a_folder_without_a_dataset_says_what_it_needs(make: object, tmp_path: Path) -> None:
    make(tmp_path / "nothing")  # type: ignore[operator]
    with pytest.raises(DataError, match="nothing holds no Landslide4Sense dataset: it needs"):
        find_samples(tmp_path / "nothing")


def test_a_dataset_comes_from_the_hub_by_its_id(hub: LoopbackHub, tmp_path: Path) -> None:
    write_dataset(tmp_path / "made", {"train": 2, "validation": 1, "test": 1}, size=32)
    name = f"{hub.namespace}/patches"
    hub.api().create_repo(name, repo_type="dataset")
    hub.api().upload_folder(repo_id=name, repo_type="dataset", folder_path=tmp_path / "made")
    folder = dataset_folder(name)
    before, after = find_samples(tmp_path / "made"), find_samples(folder)
    assert [sample.image.read_bytes() for sample in before] == [
        sample.image.read_bytes() for sample in after
    ]


def test_a_local_folder_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "someone" / "patches").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert dataset_folder("someone/patches") == Path("someone/patches")


@pytest.mark.parametrize("name", ["/no/such/folder", "no-such-folder", "a/b/c", "../patches"])
def test_what_is_neither_folder_nor_id_is_refused_without_asking_the_hub(
    name: str, hub: LoopbackHub
) -> None:
    with pytest.raises(DataError, match=f"There is no folder {name}; give a folder or"):
        dataset_folder(name)
    assert hub.requests == []


def test_a_dataset_that_the_hub_lacks_is_one_sentence(hub: LoopbackHub) -> None:
    with pytest.raises(HubError, match=f"The Hub has no repo {hub.namespace}/nothing"):
        dataset_folder(f"{hub.namespace}/nothing")
