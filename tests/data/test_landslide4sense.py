"""Where patches and masks lie, in every layout; what is trained on, and what it must not see."""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from labelled_data import random_mask, write_pair
from loopback_hub import LoopbackHub
from synthetic_patches import write_dataset

from landslide_zoo import read_patch
from landslide_zoo.data.landslide4sense import (
    OFFICIAL_SIZES,
    Sample,
    dataset_folder,
    find_samples,
    known_places,
    labelled,
    place,
    split_samples,
)
from landslide_zoo.errors import DataError, HubError


@pytest.mark.parametrize("layout", ["mirror", "zenodo"])
def test_both_public_layouts_hold_the_same_patches(layout: str, tmp_path: Path) -> None:
    write_dataset(tmp_path, {"train": 11, "validation": 2, "test": 1}, layout, size=32)
    samples = find_samples(tmp_path)
    numbers = [(sample.subset, sample.number) for sample in samples]
    # By number, not by name: image_10 comes after image_9.
    assert numbers == [
        *(("train", number) for number in range(1, 12)),
        *(("validation", number) for number in (1, 2)),
        ("test", 1),
    ]
    for sample in samples:
        assert sample.mask is not None and sample.mask.name == f"mask_{sample.number}.h5"


def test_a_flat_folder_is_one_subset_and_a_patch_may_lack_its_mask(tmp_path: Path) -> None:
    samples = find_samples(write_dataset(tmp_path, {"train": 3}, "flat", size=32))
    assert {sample.subset for sample in samples} == {"all"} and samples[0].mask is not None
    samples[0].mask.unlink()
    assert labelled(find_samples(tmp_path)) == samples[1:]


def test_any_suffix_and_what_browsers_add_to_a_name(tmp_path: Path) -> None:
    endings = ("_1.h5", "_2.H5", "_3.hdf5", "_4 (1).h5", "_5")
    for number, ending in enumerate(endings, 1):
        sample = write_pair(tmp_path, number)
        sample.image.rename(sample.image.with_name(f"image{ending}"))
        assert sample.mask is not None
        sample.mask.rename(sample.mask.with_name(f"mask{ending}"))
    samples = find_samples(tmp_path)
    assert [sample.number for sample in samples] == [1, 2, 3, 4, 5]
    for sample in samples:
        patch = read_patch(sample.image, sample.mask)
        assert np.array_equal(patch.mask, random_mask(32, 32, seed=sample.number))


def test_other_files_are_left_out(tmp_path: Path) -> None:
    sample = write_pair(tmp_path, 7)
    folder = sample.image.parent
    for name in ("image_8.txt", "image_.h5", "my_image_9.h5", ".image_9.h5", "image_7 (1).h5"):
        (folder / name).touch()
    assert find_samples(tmp_path) == [sample]
    with pytest.raises(DataError, match="nothing holds no Landslide4Sense dataset"):
        find_samples(tmp_path / "nothing")


def test_a_dataset_is_a_folder_or_comes_from_the_hub_by_its_id(
    hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dataset(tmp_path / "made", {"train": 2, "validation": 1, "test": 1}, size=32)
    name = f"{hub.namespace}/patches"
    hub.api().create_repo(name, repo_type="dataset")
    hub.api().upload_folder(repo_id=name, repo_type="dataset", folder_path=tmp_path / "made")
    before, after = find_samples(tmp_path / "made"), find_samples(dataset_folder(name))
    assert [a.image.read_bytes() for a in before] == [b.image.read_bytes() for b in after]
    with pytest.raises(HubError, match=f"{hub.namespace}/nothing"):
        dataset_folder(f"{hub.namespace}/nothing")
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir(parents=True)
    assert dataset_folder(name) == Path(name)


def sample(number: int, subset: str = "train") -> Sample:
    image = Path(subset) / f"image_{number}.h5"
    return Sample(number, subset, image, image.with_name(f"mask_{number}.h5"))


BENCHMARK = [
    sample(number, subset)
    for subset, count in OFFICIAL_SIZES.items()
    for number in range(1, count + 1)
]


def numbers_of(protocol: str) -> dict[str, list[int]]:
    split = split_samples(BENCHMARK, protocol)
    return {subset: [each.number for each in samples] for subset, samples in split.items()}


def test_places_are_those_measured_from_the_edges_of_patches(real_data: Path) -> None:
    with (real_data / "l4s-rgb" / "index.csv").open() as file:
        for line in csv.DictReader(file):
            region, row, column = place(int(line["id"]))
            known = (line["region"], int(line["row"]), int(line["column"]))
            assert (region.name, row, column) == known
    # The benchmark's validation and test patches count from 1 again.
    assert set(known_places(BENCHMARK)) == {each.image for each in BENCHMARK[:3799]}
    # The true-colour folder was cut from the train patches: its test patches have a place.
    pictures = find_samples(real_data / "l4s-rgb")
    assert len(known_places(pictures)) == len(pictures)


def test_random_is_the_papers_share_and_always_the_same() -> None:
    split = numbers_of("random")
    assert {name: len(numbers) for name, numbers in split.items()} == {
        "train": 3039,
        "validation": 760,
    }
    assert sorted(split["train"] + split["validation"]) == list(range(1, 3800))
    assert numbers_of("random") == split


@pytest.mark.parametrize("protocol", ["spatial", "region:S1", "region:S3"])
def test_no_patch_has_a_neighbour_in_another_subset(protocol: str) -> None:
    split = numbers_of(protocol)
    assert set(split) == {"train", "validation", "test"}
    for subset, other in product(split, repeat=2):
        places = {(place(n)[0].name, *place(n)[1:]) for n in split[other]}
        for number in split[subset] if subset != other else ():
            region, row, column = place(number)
            steps = product((-1, 0, 1), repeat=2)
            assert not {(region.name, row + i, column + j) for i, j in steps} & places


def test_spatial_keeps_two_blocks_of_every_region_and_a_region_is_left_out_whole() -> None:
    spatial = numbers_of("spatial")
    for subset in ("validation", "test"):
        assert {place(number)[0].name for number in spatial[subset]} == {"S1", "S2", "S3", "S4"}
        assert 0.13 < len(spatial[subset]) / 3799 < 0.18
    assert numbers_of("region:S2")["test"] == list(range(3034, 3184))


def test_folder_and_official_are_the_datasets_own_subsets() -> None:
    sizes = {subset: len(numbers) for subset, numbers in numbers_of("official").items()}
    assert sizes == OFFICIAL_SIZES and numbers_of("folder") == numbers_of("official")
    with pytest.raises(DataError, match="official split"):
        split_samples(BENCHMARK[:-1], "official")


@pytest.mark.parametrize(
    ("samples", "protocol", "word"),
    [
        (BENCHMARK[:200], "region:S4", "region S4"),
        (BENCHMARK, "region:S9", "S9; .* are S1, S2, S3, S4"),
        (BENCHMARK, "weekly", "'weekly'"),
        ([sample(4000)], "spatial", "image_4000"),
    ],
)
def test_a_split_that_cannot_be_made_is_one_sentence(
    samples: list[Sample], protocol: str, word: str
) -> None:
    with pytest.raises(DataError, match=word):
        split_samples(samples, protocol)
