"""Overlapping tiles over a scene, and their blending into one without seams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landslide_zoo.mapping.windows import Window

STRIDE = 32
"""Tiles start at multiples of it: a network sees the same ground alike, however a scene is cut."""


@dataclass(frozen=True)
class Tiles:
    """Square tiles that cover a scene, at places that are fixed in it.

    The last tiles of a row or column may reach beyond the scene by less than
    :data:`STRIDE`, and a tile is as small as a scene allows.

    Attributes:
        size: Height and width of the scene in pixels.
        side: Side of a tile in pixels, a multiple of :data:`STRIDE`.
        overlap: How far a tile reaches into the next one, likewise.
    """

    size: tuple[int, int]
    side: int
    overlap: int

    @property
    def rows(self) -> tuple[int, ...]:
        """First rows of the rows of tiles."""
        return _starts(self.size[0], self.side, self.overlap)

    @property
    def columns(self) -> tuple[int, ...]:
        """First columns of the tiles of a row."""
        return _starts(self.size[1], self.side, self.overlap)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a tile."""
        height, width = (min(self.side, -(-length // STRIDE) * STRIDE) for length in self.size)
        return height, width

    def window(self, row: int, column: int) -> Window:
        """What a tile covers of the scene."""
        return Window(row, column, *self.shape).inside(self.size)

    def pad(self, values: np.ndarray) -> np.ndarray:
        """A tile's values (..., h, w) continued beyond the scene, shape (..., height, width).

        The last row and column are repeated, as a network's own padding does.
        """
        height, width = self.shape
        below, beside = height - values.shape[-2], width - values.shape[-1]
        if not below and not beside:
            return values
        return np.pad(values, [(0, 0)] * (values.ndim - 2) + [(0, below), (0, beside)], mode="edge")


class Blender:
    """Blends tiles, row by row of them, into rows of the scene.

    The weights of the tiles that cover a pixel add up to 1, and no tile ends
    abruptly. At the scene's border its tile alone counts, in full.

    Args:
        tiles: Where the tiles lie.
    """

    def __init__(self, tiles: Tiles) -> None:
        self._tiles = tiles
        height, width = tiles.size
        side_down, side_across = tiles.shape
        self._down = _weights(height, tiles.rows, side_down, tiles.overlap)
        self._across = _weights(width, tiles.columns, side_across, tiles.overlap)
        self._sum = np.zeros((side_down, width), dtype=np.float32)
        self.carry = self._sum[:0]
        """What the row of tiles before adds to the first rows of this one, shape (h, W)."""

    def add(self, number: int, column: int, values: np.ndarray) -> None:
        """Add a tile to the row of tiles.

        Args:
            number: Which row of tiles it belongs to, from 0.
            column: Where it starts.
            values: Shape (h, w), inside the scene.
        """
        height, width = values.shape
        across = self._across[self._tiles.columns.index(column)]
        weight = np.outer(self._down[number][:height], across[:width])
        self._sum[:height, column : column + width] += values * weight

    def finish(self, number: int) -> tuple[int, np.ndarray]:
        """End a row of tiles.

        Args:
            number: Which one it is.

        Returns:
            The first row that is now whole, and all that are, shape (h, W), float32.
        """
        rows = self._tiles.rows
        row = rows[number]
        end = rows[number + 1] if number + 1 < len(rows) else self._tiles.size[0]
        self._sum[: len(self.carry)] += self.carry
        whole, self.carry = self._sum[: end - row].copy(), self._sum[end - row :].copy()
        self._sum[...] = 0
        return row, whole


def _starts(length: int, side: int, overlap: int) -> tuple[int, ...]:
    """Where tiles start so that they cover a length; the last as early as it can."""
    last = max(0, -(-(length - side) // STRIDE) * STRIDE)
    return (*range(0, last, side - overlap), last)


def _weights(length: int, starts: tuple[int, ...], side: int, overlap: int) -> list[np.ndarray]:
    """How much each of the tiles that overlap counts along a side; together 1 everywhere."""
    ramp = (np.arange(overlap) + 0.5) / max(overlap, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    profiles = []
    for number in range(len(starts)):
        profile = np.ones(side)
        if number > 0:
            profile[:overlap] *= ramp
        if number + 1 < len(starts):
            profile[side - overlap :] *= ramp[::-1]
        profiles.append(profile)
    total = np.zeros(max(length, starts[-1] + side))
    for start, profile in zip(starts, profiles, strict=True):
        total[start : start + side] += profile
    return [
        (profile / total[start : start + side]).astype(np.float32)
        for start, profile in zip(starts, profiles, strict=True)
    ]
