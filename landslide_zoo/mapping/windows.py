"""Windows: the parts that a scene is read, mapped and written in."""

from __future__ import annotations

from typing import NamedTuple


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
