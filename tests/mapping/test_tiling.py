"""Tiles cover a scene at fixed places, and blend without seams and without a dark border."""

from __future__ import annotations

import numpy as np
import pytest

from landslide_zoo.mapping.network import STRIDE, Blender, Tiles

SIZES = [(1, 1), (20, 500), (128, 128), (100, 101), (300, 700), (512, 513), (900, 1000)]


def blended(tiles: Tiles, values: np.ndarray) -> np.ndarray:
    """A scene cut into tiles and put together again, every other tile a little brighter."""
    blender, rows = Blender(tiles), []
    for number, row in enumerate(tiles.rows):
        for place, column in enumerate(tiles.columns):
            part = values[tiles.window(row, column).slices]
            blender.add(number, column, part + 0.1 * ((number + place) % 2))
        start, whole = blender.finish(number)
        assert start == sum(len(each) for each in rows)
        rows.append(whole)
    return np.concatenate(rows)


@pytest.mark.parametrize("size", SIZES)
def test_tiles_cover_a_scene_at_multiples_of_the_stride(size: tuple[int, int]) -> None:
    tiles = Tiles(size, side=256, overlap=64)
    covered = np.zeros(size, dtype=int)
    for row in tiles.rows:
        for column in tiles.columns:
            assert row % STRIDE == column % STRIDE == 0
            window = tiles.window(row, column)
            covered[window.slices] += 1
            part = np.ones((2, window.height, window.width))
            assert tiles.pad(part).shape == (2, *tiles.shape)
    assert covered.min() >= 1
    assert max(tiles.shape) <= 256
    assert min(tiles.shape) >= STRIDE


def test_padding_repeats_the_last_row_and_column() -> None:
    tiles = Tiles((40, 33), side=64, overlap=32)
    values = np.arange(40 * 33, dtype=np.float32).reshape(1, 40, 33)
    padded = tiles.pad(values)[0]
    assert padded.shape == (64, 64)
    assert np.array_equal(padded[:40, :33], values[0])
    assert (padded[40:, :33] == values[0, -1]).all()
    assert (padded[:, 33:] == padded[:, 32:33]).all()


@pytest.mark.parametrize("size", SIZES)
def test_what_all_tiles_agree_on_stays(size: tuple[int, int]) -> None:
    tiles = Tiles(size, side=256, overlap=64)
    blender = Blender(tiles)
    for number, row in enumerate(tiles.rows):
        for column in tiles.columns:
            window = tiles.window(row, column)
            blender.add(number, column, np.full((window.height, window.width), 0.7))
        _, whole = blender.finish(number)
        assert np.allclose(whole, 0.7, atol=1e-6)  # at the scene's border as well


def test_there_are_no_seams_where_tiles_disagree() -> None:
    size = (700, 1000)
    found = blended(Tiles(size, side=256, overlap=64), np.full(size, 0.5))
    assert found.shape == size
    assert found.min() == 0.5
    assert found.max() == pytest.approx(0.6)
    # A step of 0.1 is spread over the overlap: nowhere more than twice its mean slope.
    for axis in (0, 1):
        assert np.abs(np.diff(found, axis=axis)).max() < 2 * 0.1 / 64


def test_work_that_was_interrupted_goes_on_from_what_it_carries() -> None:
    tiles = Tiles((700, 300), side=256, overlap=64)
    values = np.random.default_rng(0).random(tiles.size).astype(np.float32)
    whole = blended(tiles, values)
    carry, row = np.zeros((0, 300), np.float32), 0
    for number, start in enumerate(tiles.rows):
        blender = Blender(tiles)  # a new one for every row, as after an interruption
        blender.carry = carry
        for place, column in enumerate(tiles.columns):
            part = values[tiles.window(start, column).slices]
            blender.add(number, column, part + 0.1 * ((number + place) % 2))
        row, rows = blender.finish(number)
        carry = blender.carry.copy()
        assert np.array_equal(rows, whole[row : row + len(rows)])
