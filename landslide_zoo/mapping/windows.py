"""Windows: the parts that a scene is read, mapped and written in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from landslide_zoo.data.grid import Grid

_SMALL = 256
"""Side of a small window in pixels."""


class Window(NamedTuple):
    """A rectangle of a scene, in pixels of its grid.

    Attributes:
        row: Its first row.
        column: Its first column.
        height: Its number of rows.
        width: Its number of columns.
    """

    row: int
    column: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Its rows and columns, as an array of the whole scene is indexed by."""
        return (
            slice(self.row, self.row + self.height),
            slice(self.column, self.column + self.width),
        )

    @property
    def area(self) -> int:
        """Number of its pixels."""
        return self.height * self.width

    def grid(self, scene: Grid) -> Grid:
        """The window's own grid, given that of the scene.

        Example:
            >>> grid = Grid(crs="EPSG:32643", transform=(10, 0, 600_000, 0, -10, 1_300_000))
            >>> Window(row=3, column=5, height=8, width=8).grid(grid).transform
            (10, 0, 600050, 0, -10, 1299970)
        """
        if scene.transform is None:
            return scene
        a, b, c, d, e, f = scene.transform
        x, y = a * self.column + b * self.row + c, d * self.column + e * self.row + f
        return replace(scene, transform=(a, b, x, d, e, y))

    def padded(self, margin: int, size: tuple[int, int]) -> Window:
        """The window with a margin of so many pixels, as far as a scene of this size reaches.

        Example:
            >>> Window(row=3, column=5, height=8, width=8).padded(4, size=(100, 16))
            Window(row=0, column=1, height=15, width=15)
        """
        top, left = max(0, self.row - margin), max(0, self.column - margin)
        bottom = min(size[0], self.row + self.height + margin)
        right = min(size[1], self.column + self.width + margin)
        return Window(top, left, bottom - top, right - left)

    def inside(self, size: tuple[int, int]) -> Window:
        """The part of it that lies in a scene of this size."""
        return self.padded(0, size)

    def moved(self, rows: int, columns: int) -> Window:
        """A window of the same size, this many rows and columns further."""
        return self._replace(row=self.row + rows, column=self.column + columns)

    def common(self, other: Window) -> Window:
        """What it has in common with another window, which it overlaps."""
        top, left = max(self.row, other.row), max(self.column, other.column)
        bottom = min(self.row + self.height, other.row + other.height)
        right = min(self.column + self.width, other.column + other.width)
        return Window(top, left, bottom - top, right - left)

    def within(self, outer: Window) -> tuple[slice, slice]:
        """Its rows and columns, as an array of an outer window is indexed by."""
        return self.moved(-outer.row, -outer.column).slices


def hull(windows: Iterable[Window]) -> Window:
    """The smallest window around several.

    Example:
        >>> hull([Window(0, 0, 2, 2), Window(5, 1, 1, 4)])
        Window(row=0, column=0, height=6, width=5)
    """
    every = list(windows)
    top, left = min(one.row for one in every), min(one.column for one in every)
    bottom = max(one.row + one.height for one in every)
    right = max(one.column + one.width for one in every)
    return Window(top, left, bottom - top, right - left)


def blocks(size: tuple[int, int], side: int) -> Iterator[Window]:
    """The blocks of a scene, row by row; those at its far edges are smaller."""
    for row in range(0, size[0], side):
        for column in range(0, size[1], side):
            yield Window(row, column, side, side).inside(size)


def windows_from_the_middle(size: tuple[int, int]) -> Iterator[Window]:
    """Nine small windows spread over a scene, the middle one first."""
    height, width = (min(_SMALL, length) for length in size)
    for down in (0.5, 0.2, 0.8):
        for right in (0.5, 0.2, 0.8):
            top, left = int((size[0] - height) * down), int((size[1] - width) * right)
            yield Window(top, left, height, width)
