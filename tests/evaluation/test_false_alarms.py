from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from labelled_data import write_png_pair
from patch_files import write_patch, write_png

from landslide_zoo import LandslideModel, read_patch
from landslide_zoo.errors import DataError
from landslide_zoo.evaluation.bootstrap import Bootstrap
from landslide_zoo.evaluation.evaluate import evaluate
from landslide_zoo.evaluation.false_alarms import false_alarms
from landslide_zoo.evaluation.labelled import LabelledSet


def test_one_false_pixel_in_a_square_kilometre_is_one_hectare_in_a_hundred() -> None:
    alarms = false_alarms("g", np.array([1, 0]), np.array([10_000, 0]), Bootstrap(range(2)))
    assert (alarms.patches, alarms.square_kilometres) == (1, 1.0)
    assert alarms.hectares_per_100_km2 == pytest.approx(1.0)


def test_enough_ground_has_an_interval() -> None:
    random = np.random.default_rng(0)
    false, pixels = random.integers(0, 300, 40), np.full(40, 16_384)
    alarms = false_alarms("g", false, pixels, Bootstrap(range(40)))
    assert alarms.low is not None and alarms.high is not None
    assert alarms.low < alarms.hectares_per_100_km2 < alarms.high


def measured(
    model: LandslideModel, labelled: LabelledSet, *folders: Path
) -> dict[str, tuple[int, float]]:
    alarms = evaluate(model, labelled, negatives=folders).false_alarms
    return {one.ground: (one.patches, one.hectares_per_100_km2) for one in alarms}


def test_patches_without_masks_are_taken_as_they_are(
    model: LandslideModel, labelled: LabelledSet, tmp_path: Path
) -> None:
    coast = tmp_path / "coast"
    coast.mkdir()
    write_patch(coast / "a.h5", 40, 56, seed=1)
    write_png(coast / "b.png", 64, 32)
    (coast / "notes.txt").write_text("flat ground")
    masks = [model.predict(read_patch(coast / name)).mask for name in ("a.h5", "b.png")]
    share = sum(mask.sum() for mask in masks) / sum(mask.size for mask in masks)
    found = measured(model, labelled, coast)
    assert found["coast"] == (2, pytest.approx(10_000 * share))
    assert len(found) == 2  # beside the set's own patches with empty masks


def test_of_a_dataset_the_patches_with_empty_masks_are_taken(
    model: LandslideModel, labelled: LabelledSet, labelled_folder: Path, tmp_path: Path
) -> None:
    own = evaluate(model, labelled).false_alarms
    assert evaluate(model, labelled, negatives=[labelled_folder]).false_alarms == own
    moved = tmp_path / "elsewhere"
    moved.symlink_to(labelled_folder)
    assert own[0].patches == 2


@pytest.mark.parametrize("kind", ["missing", "empty", "landslides everywhere"])
def test_a_folder_without_such_ground_is_refused(
    model: LandslideModel, labelled: LabelledSet, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "ground"
    if kind != "missing":
        folder.mkdir()
    if kind == "landslides everywhere":
        write_png_pair(folder, 1)
    with pytest.raises(DataError, match=str(folder)):
        evaluate(model, labelled, negatives=[folder])
