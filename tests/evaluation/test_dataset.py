"""What models are trained and evaluated on: subsets of a dataset, their places, and negatives."""

from __future__ import annotations

from pathlib import Path

import pytest
from labelled_data import write_pair
from patch_files import write_patch, write_png

from landslide_zoo.data.landslide4sense import negative_files
from landslide_zoo.errors import DataError
from landslide_zoo.evaluation import LabelledPatches


def write_subsets(folder: Path, **numbers: list[int]) -> Path:
    for subset, chosen in numbers.items():
        for number in chosen:
            write_pair(folder, number, subset)
    return folder


def test_subsets_are_those_there_are_and_all_the_labelled_patches(tmp_path: Path) -> None:
    write_subsets(tmp_path, validation=[3], test=[4, 5])
    write_patch(tmp_path / "images" / "test" / "image_6.h5")
    split = LabelledPatches.split(tmp_path)
    assert {subset: len(patches) for subset, patches in split.items()} == {
        "validation": 1,
        "test": 2,
        "all": 3,
    }
    patches = LabelledPatches.find(tmp_path)
    assert (patches.dataset, patches.protocol, patches.subset) == (tmp_path.name, "folder", "test")
    assert all(patch.mask is not None for patch in patches)


@pytest.mark.parametrize(
    ("folder", "protocol", "subset", "word"),
    [
        (".", "folder", "test", r"it has train \(3\)"),
        (".", "random", "all", "random split"),
        ("nowhere", "folder", "test", "There is no folder"),
    ],
)
def test_what_is_not_there_is_an_error(
    tmp_path: Path, folder: str, protocol: str, subset: str, word: str
) -> None:
    write_subsets(tmp_path, train=[1, 2, 3])
    with pytest.raises(DataError, match=word):
        LabelledPatches.find(tmp_path / folder, protocol, subset)


def test_places_are_known_where_ids_are_those_of_train(tmp_path: Path) -> None:
    def regions(name: str, subset: str, **numbers: list[int]) -> list[str | None]:
        patches = LabelledPatches.find(write_subsets(tmp_path / name, **numbers), subset=subset)
        return [place[0].name if place else None for place in patches.places]

    assert regions("cut", "test", train=[1], test=[3200, 9000]) == ["S3", None]
    # Patches that count from 1 again have no place.
    assert regions("own", "all", train=[1, 2], test=[1]) == ["S1", "S1", None]


def test_negatives_are_the_patches_of_a_folder_or_those_with_empty_masks(
    labelled_folder: Path, tmp_path: Path
) -> None:
    write_patch(tmp_path / "a.h5")
    write_png(tmp_path / "b.png", 64, 32)
    (tmp_path / "notes.txt").write_text("nothing slid here")
    assert [path.name for path in negative_files(tmp_path)] == ["a.h5", "b.png"]
    empty = [path.name for path in negative_files(labelled_folder)]
    assert empty == ["image_9.h5", "image_400.h5"]
    for name in ("nowhere", "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises((DataError, OSError), match=name):
            negative_files(tmp_path / name)
