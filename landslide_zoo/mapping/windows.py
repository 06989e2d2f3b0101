"""Windows: the parts that a scene is read, mapped and written in."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from landslide_zoo.data.grid import Grid


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
