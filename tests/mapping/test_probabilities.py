"""Probabilities on disk: what is written is read back, and only finished work is used again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from landslide_zoo.data.patch import Grid
from landslide_zoo.errors import DataError
from landslide_zoo.mapping.probabilities import JOURNAL, Journal, Probabilities
from landslide_zoo.mapping.rasters import Window

SIZE = (50, 70)


def test_windows_of_what_was_written(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    probability = random.random(SIZE, dtype=np.float32)
    measured, cloud = random.random(SIZE) < 0.8, random.random(SIZE) < 0.3
    written = Probabilities(tmp_path / "work", SIZE)
    written.create()
    for row in (0, 20, 40):
        rows = slice(row, row + 20)
        written.write(row, probability[rows], measured[rows], cloud[rows])

    grid = Grid(crs="EPSG:32643", transform=(10, 0, 600_000, 0, -10, 1_270_000))
    found = Probabilities(tmp_path / "work", SIZE, grid)
    assert (found.size, found.grid) == (SIZE, grid)
    for window in (Window(0, 0, *SIZE), Window(15, 7, 30, 11), Window(49, 69, 1, 1)):
        part = found.read(window)
        assert part.probability.dtype == np.float32
        assert np.array_equal(part.probability, probability[window.slices])
        assert np.array_equal(part.observed, (measured & ~cloud)[window.slices])
        assert np.array_equal(part.cloud, cloud[window.slices])


def test_rows_that_were_not_written_are_not_observed(tmp_path: Path) -> None:
    probabilities = Probabilities(tmp_path / "work", SIZE)
    probabilities.create()
    yes = np.ones((10, SIZE[1]), dtype=bool)
    probabilities.write(30, np.ones((10, SIZE[1])), yes, ~yes)
    observed = probabilities.read(Window(0, 0, *SIZE)).observed
    assert observed[30:40].all()
    assert observed.sum() == 10 * SIZE[1]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"work needs 500000.0 GB for the work, and .* are free"):
        Probabilities(tmp_path / "work", (10**7, 10**7)).create()
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot be written \(.*\): free some space, or choose"):
        Probabilities(tmp_path / "file", SIZE).create()


def test_a_journal_is_found_again_by_its_key(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    journal = Journal(folder, {"scene": "abc", "size": SIZE})
    assert journal.done("rows") == 0
    journal.advance("clouds", 4)
    journal.advance("rows", 2)
    again = Journal(folder, {"scene": "abc", "size": SIZE})
    assert (again.done("clouds"), again.done("rows")) == (4, 2)


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"key": {"scene": "abc"}}'])
def test_another_key_or_a_damaged_journal_starts_over(tmp_path: Path, content: str | None) -> None:
    folder = tmp_path / "work"
    Journal(folder, {"scene": "abc"}).advance("rows", 2)
    if content is not None:
        (folder / JOURNAL).write_text(content)
    journal = Journal(folder, {"scene": "abc" if content is not None else "other"})
    assert journal.done("rows") == 0


def test_old_work_does_not_shine_through(tmp_path: Path) -> None:
    yes = np.ones(SIZE, dtype=bool)
    old = Probabilities(tmp_path / "work", SIZE)
    old.create()
    old.write(0, np.ones(SIZE), yes, ~yes)
    new = Probabilities(tmp_path / "work", SIZE)
    new.create()
    assert not new.read(Window(0, 0, *SIZE)).observed.any()
