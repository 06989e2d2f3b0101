from __future__ import annotations

from pathlib import Path

import pytest
from labelled_data import write_pair
from patch_files import write_patch

from landslide_zoo.data.synthetic.dataset import write_dataset
from landslide_zoo.errors import DataError
from landslide_zoo.evaluation.evaluate import evaluate
from landslide_zoo.evaluation.labelled import LabelledSet


def write_subsets(folder: Path, **numbers: list[int]) -> Path:
    for subset, chosen in numbers.items():
        for number in chosen:
            write_pair(folder, number, subset)
    return folder


def test_a_flat_folder_has_the_subset_all(labelled_folder: Path) -> None:
    found = LabelledSet.find(labelled_folder, subset="all")
    assert (found.dataset, found.protocol, found.subset) == (labelled_folder.name, "folder", "all")
    assert len(found) == len(list(found)) == 8
    assert all(patch.mask is not None for patch in found)


def test_a_test_folder_alone_will_do(tmp_path: Path) -> None:
    """To train, a dataset needs train patches; to be measured on, it does not."""
    write_subsets(tmp_path, test=[1, 2])
    assert len(LabelledSet.find(tmp_path)) == 2


def test_all_are_the_labelled_patches_of_every_subset(tmp_path: Path) -> None:
    write_subsets(tmp_path, train=[1, 2], validation=[3], test=[4])
    write_patch(tmp_path / "images" / "test" / "image_5.h5")
    assert len(LabelledSet.find(tmp_path, subset="all")) == 4


@pytest.mark.parametrize(
    ("protocol", "subset", "sentence"),
    [
        ("folder", "test", r"has no labelled test patches by the folder split; it has train \(3\)"),
        ("random", "all", r"has no labelled all patches by the random split"),
        ("sideways", "test", "There is no split 'sideways'"),
    ],
)
def test_a_subset_that_is_not_there_is_told(
    tmp_path: Path, protocol: str, subset: str, sentence: str
) -> None:
    write_subsets(tmp_path, train=[1, 2, 3])
    with pytest.raises(DataError, match=sentence):
        LabelledSet.find(tmp_path, protocol, subset)


def test_a_dataset_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no folder"):
        LabelledSet.find(tmp_path / "nowhere")


def regions(labelled: LabelledSet) -> list[str | None]:
    return [place[0].name if place else None for place in labelled.places]


def test_places_are_known_where_ids_are_those_of_train(tmp_path: Path) -> None:
    write_subsets(tmp_path, train=[1], validation=[3034], test=[3200, 9000])
    assert regions(LabelledSet.find(tmp_path, subset="validation")) == ["S2"]
    assert regions(LabelledSet.find(tmp_path)) == ["S3", None]


def test_patches_that_count_from_one_again_have_no_place(tmp_path: Path) -> None:
    write_subsets(tmp_path, train=[1, 2], test=[1, 2])
    assert regions(LabelledSet.find(tmp_path)) == [None, None]
    assert regions(LabelledSet.find(tmp_path, subset="all")) == ["S1", "S1", None, None]


def test_generated_patches_have_no_place(model: object, tmp_path: Path) -> None:
    write_dataset(tmp_path, train=2, validation=0, test=0, size=(32, 32))
    result = evaluate(model, LabelledSet.find(tmp_path, subset="all"))  # type: ignore[arg-type]
    assert result.places == (None, None)
    assert result.bootstrap.blocks == 2
