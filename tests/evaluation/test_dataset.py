"""What models are evaluated on: subsets of a dataset, their places, and negatives."""

from __future__ import annotations

from pathlib import Path

import pytest
from labelled_data import write_pair
from patch_files import write_patch, write_png

from landslide_zoo.errors import DataError
from landslide_zoo.evaluation import LabelledPatches
from landslide_zoo.evaluation.dataset import negative_files


def write_subsets(folder: Path, **numbers: list[int]) -> Path:
    for subset, chosen in numbers.items():
        for number in chosen:
            write_pair(folder, number, subset)
    return folder


def test_a_flat_folder_has_the_subset_all(labelled_folder: Path) -> None:
    found = LabelledPatches.find(labelled_folder, subset="all")
    assert (found.dataset, found.protocol, found.subset) == (labelled_folder.name, "folder", "all")
    assert len(found) == len(list(found)) == 8
    assert all(patch.mask is not None for patch in found)


def test_a_test_folder_alone_will_do(tmp_path: Path) -> None:
    """To train, a dataset needs train patches; to be evaluated on, it does not."""
    write_subsets(tmp_path, test=[1, 2])
    assert len(LabelledPatches.find(tmp_path)) == 2


def test_all_are_the_labelled_patches_of_every_subset(tmp_path: Path) -> None:
    write_subsets(tmp_path, train=[1, 2], validation=[3], test=[4])
    write_patch(tmp_path / "images" / "test" / "image_5.h5")
    assert len(LabelledPatches.find(tmp_path, subset="all")) == 4


@pytest.mark.parametrize(
    ("folder", "protocol", "subset", "sentence"),
    [
        (
            ".",
            "folder",
            "test",
            r"no labelled test patches by the folder split; it has train \(3\)",
        ),
        (".", "random", "all", r"has no labelled all patches by the random split"),
        (".", "sideways", "test", "There is no split 'sideways'"),
        ("nowhere", "folder", "test", "There is no folder"),
    ],
)
def test_what_is_not_there_is_said(
    tmp_path: Path, folder: str, protocol: str, subset: str, sentence: str
) -> None:
    write_subsets(tmp_path, train=[1, 2, 3])
    with pytest.raises(DataError, match=sentence):
        LabelledPatches.find(tmp_path / folder, protocol, subset)


def regions(dataset: LabelledPatches) -> list[str | None]:
    return [place[0].name if place else None for place in dataset.places]


def test_places_are_known_where_ids_are_those_of_train(tmp_path: Path) -> None:
    write_subsets(tmp_path, train=[1], validation=[3034], test=[3200, 9000])
    assert regions(LabelledPatches.find(tmp_path, subset="validation")) == ["S2"]
    assert regions(LabelledPatches.find(tmp_path)) == ["S3", None]


def test_patches_that_count_from_one_again_have_no_place(tmp_path: Path) -> None:
    write_subsets(tmp_path, train=[1, 2], test=[1, 2])
    assert regions(LabelledPatches.find(tmp_path)) == [None, None]
    assert regions(LabelledPatches.find(tmp_path, subset="all")) == ["S1", "S1", None, None]


def test_negatives_are_patches_without_masks_or_those_with_empty_ones(
    labelled_folder: Path, tmp_path: Path
) -> None:
    write_patch(tmp_path / "a.h5")
    write_png(tmp_path / "b.png", 64, 32)
    (tmp_path / "notes.txt").write_text("nothing slid here")
    assert [path.name for path in negative_files(tmp_path)] == ["a.h5", "b.png"]
    found = [path.name for path in negative_files(labelled_folder)]
    assert found == ["image_9.h5", "image_400.h5"]


@pytest.mark.parametrize("kind", ["missing", "empty", "landslides everywhere"])
def test_a_folder_without_negatives_is_refused(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "negatives"
    if kind != "missing":
        folder.mkdir()
    if kind == "landslides everywhere":
        write_pair(folder, 1, kind="png")
    with pytest.raises(DataError, match=str(folder)):
        negative_files(folder)
