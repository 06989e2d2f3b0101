"""Tiles cover a scene at fixed places, and blend without seams and without a dark border."""

from __future__ import annotations

import numpy as np
import pytest

from landslide_zoo.mapping.network import STRIDE, Tiles


def blended(tiles: Tiles, values: np.ndarray, step: float) -> np.ndarray:
    """A scene cut into tiles and put together again, every other tile a little brighter."""
    whole = np.zeros(tiles.size, np.float32)
    for number, window in enumerate(tiles):
        part = values[window.slices] + step * (number % 2)
        whole[window.slices] += tiles.weight(window) * part
    return whole


@pytest.mark.parametrize("size", [(1, 1), (20, 500), (128, 128), (300, 700), (512, 513)])
def test_tiles_cover_a_scene_at_multiples_of_the_stride(size: tuple[int, int]) -> None:
    tiles = Tiles(size, side=256, overlap=64)
    assert not any(window.row % STRIDE or window.column % STRIDE for window in tiles)
    values = np.random.default_rng(0).random(size)
    assert np.allclose(blended(tiles, values, 0.0), values, atol=1e-6)  # at the border as well
    *_, last = tiles
    assert tiles.pad(values[last.slices]).shape == tiles.shape


def test_there_are_no_seams_where_tiles_disagree() -> None:
    size = (700, 1000)
    found = blended(Tiles(size, side=256, overlap=64), np.full(size, 0.5), 0.1)
    assert found.min() == pytest.approx(0.5)
    assert found.max() == pytest.approx(0.6)
    # A step of 0.1 is spread over the overlap: nowhere more than twice its mean slope.
    for axis in (0, 1):
        assert np.abs(np.diff(found, axis=axis)).max() < 2 * 0.1 / 64
