"""Parts labelled block by block are those of the whole scene."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from landslide_zoo.errors import DataError
from landslide_zoo.mapping.labelling import NOTHING, Labelling, Parts, blocks
from landslide_zoo.mapping.windows import Window

SIZE = (83, 97)
WHOLE = Window(0, 0, *SIZE)


def label(kinds: np.ndarray, side: int, folder: Path) -> tuple[Labelling, Parts]:
    labelling = Labelling(folder / f"labels-{side}", kinds.shape)
    for window in blocks(kinds.shape, side):
        labelling.add(window, kinds[window.slices])
    return labelling, labelling.join()


def two_kinds(share: float, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    kinds = np.where(random.random(SIZE) < share, 0, NOTHING).astype(np.int16)
    kinds[(kinds == 0) & (random.random(SIZE) < 0.3)] = 2
    return kinds


@pytest.mark.parametrize("side", [5, 16, 40, 200])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.45, 0.7, 1.0])
def test_blocks_of_any_side_give_the_labels_of_the_whole(
    share: float, side: int, tmp_path: Path
) -> None:
    kinds = two_kinds(share)
    labelling, parts = label(kinds, side, tmp_path)
    found, _ = labelling.read(WHOLE)
    expected, boxes = [], 0
    for kind in (0, 2):
        labels, count = ndimage.label(kinds == kind, np.ones((3, 3)))
        boxes += count
        expected.append(labels)
        numbers = parts.kind[found[kinds == kind] - 1]
        assert (numbers == kind).all()
        # One to one: as many pairs of labels as there are parts.
        pairs = np.unique(np.stack([labels[labels > 0], found[labels > 0]]), axis=1)
        assert pairs.shape[1] == count
    assert len(parts) == boxes
    assert np.array_equal(found > 0, kinds != NOTHING)


def test_what_is_known_of_parts_does_not_depend_on_blocks(tmp_path: Path) -> None:
    kinds = two_kinds(0.4, seed=3)
    _, small = label(kinds, 9, tmp_path)
    labelling, whole = label(kinds, 200, tmp_path)
    for name in Parts.__dataclass_fields__:
        assert np.array_equal(getattr(small, name), getattr(whole, name)), name
    labels, _ = labelling.read(WHOLE)
    assert np.array_equal(np.bincount(labels.ravel())[1:], whole.pixels)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        assert whole.window(number - 1).slices == box
        first = np.flatnonzero(labels == number)[0]
        assert first == whole.first[number - 1]
    assert (np.diff(whole.first) > 0).all()


def test_a_spiral_over_many_blocks_is_one(tmp_path: Path) -> None:
    kinds = np.full(SIZE, NOTHING, dtype=np.int16)
    for ring in range(0, 40, 4):
        kinds[ring, ring : 97 - ring] = kinds[82 - ring, ring : 97 - ring] = 0
        kinds[ring : 83 - ring, ring] = kinds[ring : 83 - ring, 96 - ring] = 0
        kinds[ring + 1 : ring + 5, ring + 20] = 0  # to the next ring
    labelling, parts = label(kinds, 10, tmp_path)
    assert len(parts) == 1
    assert parts.pixels[0] == (kinds == 0).sum()
    assert parts.window(0) == WHOLE
    part, _ = labelling.read(Window(30, 40, 20, 11))
    assert np.array_equal(part == 1, kinds[30:50, 40:51] == 0)


def test_corners_touch_across_blocks_in_both_directions(tmp_path: Path) -> None:
    kinds = np.full((20, 20), NOTHING, dtype=np.int16)
    kinds[9, 9] = kinds[10, 10] = 0  # from the upper left to the lower right
    kinds[4, 10] = kinds[5, 9] = 0  # from the upper right to the lower left, beside a border
    kinds[9, 15] = kinds[10, 14] = 0
    _, parts = label(kinds, 10, tmp_path)
    assert parts.pixels.tolist() == [2, 2, 2]


def test_hidden_pixels_are_remembered_and_touch_nothing(tmp_path: Path) -> None:
    kinds = np.full((20, 20), NOTHING, dtype=np.int16)
    kinds[5, :] = 0
    hidden = np.zeros((20, 20), dtype=bool)
    hidden[:, 10:12] = True
    kinds[hidden] = NOTHING
    labelling = Labelling(tmp_path / "labels", (20, 20))
    for window in blocks((20, 20), 10):
        labelling.add(window, kinds[window.slices], hidden[window.slices])
    assert labelling.join().pixels.tolist() == [10, 8]
    labels, marked = labelling.read(Window(0, 0, 20, 20))
    assert np.array_equal(marked, hidden)
    assert np.array_equal(labels > 0, kinds == 0)


def test_nothing_takes_no_room(tmp_path: Path) -> None:
    labelling = Labelling(tmp_path / "labels", (4000, 4000))
    for window in blocks((4000, 4000), 2000):
        labelling.add(window, np.full((2000, 2000), NOTHING, dtype=np.int16))
    assert len(labelling.join()) == 0
    assert (tmp_path / "labels").stat().st_blocks * 512 < 1_000_000
    assert not labelling.read(Window(3990, 3990, 10, 10))[0].any()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels cannot be written .*: free some space"):
        Labelling(tmp_path / "missing" / "labels", (10, 10))
