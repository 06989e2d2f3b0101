"""The protocols: what is trained on, and what it must not have seen."""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path

import pytest

from landslide_zoo.data.landslide4sense import (
    REGIONS,
    Sample,
    Split,
    find_samples,
    known_places,
    place,
    split_samples,
)
from landslide_zoo.errors import DataError


def sample(number: int, subset: str = "train", mask: bool = True) -> Sample:
    folder = Path(subset)
    image = folder / f"image_{number}.h5"
    return Sample(number, subset, image, folder / f"mask_{number}.h5" if mask else None)


TRAIN = [sample(number) for number in range(1, 3800)]
VALIDATION = [sample(number, "validation") for number in range(1, 246)]
TEST = [sample(number, "test") for number in range(1, 801)]
BENCHMARK = [*TRAIN, *VALIDATION, *TEST]


def numbers(split: Split) -> dict[str, list[int]]:
    return {subset: [one.number for one in samples] for subset, samples in split.items()}


def neighbours(number: int) -> set[tuple[str, int, int]]:
    """The patch's place and the eight around it."""
    region, row, column = place(number)
    steps = product((-1, 0, 1), repeat=2)
    return {(region.name, row + down, column + right) for down, right in steps}


def test_places_are_those_measured_from_the_edges_of_patches(real_data: Path) -> None:
    with (real_data / "l4s-rgb" / "index.csv").open() as file:
        for line in csv.DictReader(file):
            region, row, column = place(int(line["id"]))
            assert (region.name, row, column) == (
                line["region"],
                int(line["row"]),
                int(line["column"]),
            )


def test_regions_cover_the_train_patches_once() -> None:
    covered = [n for region in REGIONS for n in range(region.first, region.last + 1)]
    assert covered == list(range(1, 3800))
    for outside in (0, 3800):
        with pytest.raises(DataError, match=f"image_{outside} is no train patch"):
            place(outside)


def test_places_are_known_where_ids_are_those_of_train_patches(real_data: Path) -> None:
    # The benchmark's validation and test patches count from 1 again.
    assert set(known_places(BENCHMARK)) == {one.image for one in TRAIN}
    # The true-colour folder was cut from the train patches: its test patches have a place.
    pictures = find_samples(real_data / "l4s-rgb")
    assert len(known_places(pictures)) == len(pictures)


def test_random_is_the_papers_share_and_always_the_same() -> None:
    split = split_samples(BENCHMARK, "random")
    assert {subset: len(chosen) for subset, chosen in split.items()} == {
        "train": 3039,
        "validation": 760,
    }
    chosen = numbers(split)
    assert sorted(chosen["train"] + chosen["validation"]) == list(range(1, 3800))
    assert numbers(split_samples(BENCHMARK, "random")) == chosen
    # It leaks: that is why its results stand by themselves.
    held_out = {place(number)[0].name for number in chosen["validation"]}
    assert held_out == {"S1", "S2", "S3", "S4"}


@pytest.mark.parametrize("protocol", ["spatial", "region:S1", "region:S2", "region:S3"])
def test_no_patch_has_a_neighbour_in_another_subset(protocol: str) -> None:
    chosen = numbers(split_samples(BENCHMARK, protocol))
    assert set(chosen) == {"train", "validation", "test"}
    for subset, other in product(chosen, repeat=2):
        if subset != other:
            places = {(place(n)[0].name, *place(n)[1:]) for n in chosen[other]}
            assert not any(neighbours(number) & places for number in chosen[subset])


def test_spatial_keeps_two_blocks_of_every_region_and_most_for_training() -> None:
    chosen = numbers(split_samples(BENCHMARK, "spatial"))
    for subset in ("validation", "test"):
        assert {place(number)[0].name for number in chosen[subset]} == {"S1", "S2", "S3", "S4"}
        assert 0.13 < len(chosen[subset]) / 3799 < 0.18
    assert len(chosen["train"]) / 3799 > 0.6


def test_a_region_left_out_is_the_whole_test_set_and_nowhere_else() -> None:
    chosen = numbers(split_samples(BENCHMARK, "region:S3"))
    assert chosen["test"] == list(range(3184, 3305))
    others = {place(number)[0].name for number in chosen["train"] + chosen["validation"]}
    assert others == {"S1", "S2", "S4"}


def test_folder_and_official_follow_the_folders() -> None:
    for protocol in ("folder", "official"):
        split = split_samples(BENCHMARK, protocol)
        assert split == {"train": TRAIN, "validation": VALIDATION, "test": TEST}


def test_official_wants_the_whole_benchmark() -> None:
    with pytest.raises(DataError, match=r"'test': 800} labelled patches and this .*'test': 799}"):
        split_samples(BENCHMARK[:-1], "official")


def test_patches_without_a_mask_are_left_out() -> None:
    samples = [sample(1), sample(2, mask=False), sample(1, "validation"), sample(5, "test", False)]
    split = split_samples(samples, "folder")
    assert numbers(split) == {"train": [1], "validation": [1]}


@pytest.mark.parametrize(
    ("samples", "protocol", "sentence"),
    [
        (TRAIN[:200], "region:S4", "This dataset has no labelled train patch in region S4"),
        (TRAIN, "region:S9", "There is no region 'S9': they are S1, S2, S3, S4"),
        (TRAIN, "weekly", "There is no split 'weekly': use folder, random, spatial, official"),
        ([sample(4000)], "spatial", "image_4000 is no train patch of the benchmark"),
    ],
)
def test_a_split_that_cannot_be_made_is_one_sentence(
    samples: list[Sample], protocol: str, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        split_samples(samples, protocol)
