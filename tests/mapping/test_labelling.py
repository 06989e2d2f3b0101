"""Parts labelled block by block are those of the whole scene."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from landslide_zoo.errors import DataError
from landslide_zoo.mapping.landslides import NOTHING, Labelling, Parts
from landslide_zoo.mapping.rasters import Window, blocks

SIZE = (83, 97)
WHOLE = Window(0, 0, *SIZE)


def label(kinds: np.ndarray, side: int) -> tuple[Labelling, Parts]:
    labelling = Labelling(kinds.shape)
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
def test_blocks_of_any_side_give_the_labels_of_the_whole(share: float, side: int) -> None:
    kinds = two_kinds(share)
    labelling, parts = label(kinds, side)
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


def test_what_is_known_of_parts_does_not_depend_on_blocks() -> None:
    kinds = two_kinds(0.4, seed=3)
    _, small = label(kinds, 9)
    labelling, whole = label(kinds, 200)
    for name in Parts.__dataclass_fields__:
        assert np.array_equal(getattr(small, name), getattr(whole, name)), name
    labels, _ = labelling.read(WHOLE)
    assert np.array_equal(np.bincount(labels.ravel())[1:], whole.pixels)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        assert whole.window(number - 1).slices == box
        first = np.flatnonzero(labels == number)[0]
        assert first == whole.first[number - 1]
    assert (np.diff(whole.first) > 0).all()


def test_a_spiral_over_many_blocks_is_one() -> None:
    kinds = np.full(SIZE, NOTHING, dtype=np.int16)
    for ring in range(0, 40, 4):
        kinds[ring, ring : 97 - ring] = kinds[82 - ring, ring : 97 - ring] = 0
        kinds[ring : 83 - ring, ring] = kinds[ring : 83 - ring, 96 - ring] = 0
        kinds[ring + 1 : ring + 5, ring + 20] = 0  # to the next ring
    labelling, parts = label(kinds, 10)
    assert len(parts) == 1
    assert parts.pixels[0] == (kinds == 0).sum()
    assert parts.window(0) == WHOLE
    part, _ = labelling.read(Window(30, 40, 20, 11))
    assert np.array_equal(part == 1, kinds[30:50, 40:51] == 0)


def test_corners_touch_across_blocks_in_both_directions() -> None:
    kinds = np.full((20, 20), NOTHING, dtype=np.int16)
    kinds[9, 9] = kinds[10, 10] = 0  # from the upper left to the lower right
    kinds[4, 10] = kinds[5, 9] = 0  # from the upper right to the lower left, beside a border
    kinds[9, 15] = kinds[10, 14] = 0
    _, parts = label(kinds, 10)
    assert parts.pixels.tolist() == [2, 2, 2]


def test_hidden_pixels_are_remembered_and_touch_nothing() -> None:
    kinds = np.full((20, 20), NOTHING, dtype=np.int16)
    kinds[5, :] = 0
    hidden = np.zeros((20, 20), dtype=bool)
    hidden[:, 10:12] = True
    kinds[hidden] = NOTHING
    labelling = Labelling((20, 20))
    for window in blocks((20, 20), 10):
        labelling.add(window, kinds[window.slices], hidden[window.slices])
    assert labelling.join().pixels.tolist() == [10, 8]
    labels, marked = labelling.read(Window(0, 0, 20, 20))
    assert np.array_equal(marked, hidden)
    assert np.array_equal(labels > 0, kinds == 0)


def test_nothing_takes_no_room_and_no_file_is_seen(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    labelling = Labelling((40_000, 50_000), tmp_path)  # 8 GB, were there anything in it
    labelling.add(Window(0, 0, 500, 500), np.full((500, 500), NOTHING, dtype=np.int16))
    assert len(labelling.join()) == 0
    assert free - shutil.disk_usage(tmp_path).free < 4e9
    assert not labelling.read(Window(39_990, 49_990, 10, 10))[0].any()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing cannot be written .*: free some space"):
        Labelling((10, 10), tmp_path / "missing")
    with pytest.raises(DataError, match=r"cannot be written .*: free some space"):
        Labelling((10**9, 10**9), tmp_path)
