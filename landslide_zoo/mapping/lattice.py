"""A lattice over a scene: what a neighbourhood of the size of a patch is like, for every pixel.

A network and its rules know a patch of 128 x 128 and take some of their measures from the whole
of it: how bright its brightest pixel is, how green its vegetation. In a scene these come from
neighbourhoods of that size on a lattice fixed to the scene, and change smoothly in between.
There are no seams, and a scene of one patch has one neighbourhood: itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from landslide_zoo.mapping.windows import Window

NEIGHBOURHOOD = 128
"""Side of a neighbourhood in pixels: that of the benchmark's patches."""
SPACING = 64
"""From one neighbourhood to the next, in pixels: half of one overlaps."""

Node = tuple[int, int]
"""Row and column of a neighbourhood in the lattice."""


@dataclass(frozen=True)
class Lattice:
    """Overlapping neighbourhoods that cover a scene; those at its far edges lie flush with them.

    Attributes:
        size: Height and width of the scene in pixels.
    """

    size: tuple[int, int]

    def window(self, node: Node) -> Window:
        """The neighbourhood of a node: the pixels that it is measured on."""
        (row, height), (column, width) = (
            (int(_starts(length)[i]), min(length, NEIGHBOURHOOD))
            for length, i in zip(self.size, node, strict=True)
        )
        return Window(row, column, height, width)

    def nodes(self, window: Window, where: np.ndarray | None = None) -> Iterator[Node]:
        """The nodes that pixels of a window lie between, row by row.

        Args:
            window: Lies inside the scene.
            where: The pixels meant, shape (h, w), bool; all of them where None.
        """
        rows, columns = self._axes(window)
        used = np.ones((rows.weights.shape[1], columns.weights.shape[1]), dtype=bool)
        if where is not None:
            used = rows.touched(columns.touched(where.T).T)
        for i, j in np.argwhere(used):
            yield rows.first + int(i), columns.first + int(j)

    def interpolate(
        self, measured: Mapping[Node, tuple[float | np.ndarray, float]], window: Window
    ) -> np.ndarray:
        """What was measured on the nodes, for every pixel of a window, bilinear in between.

        Args:
            measured: A number for each node of the window, or an array of them, and how much
                it counts, such as the share of the node that was observed. Where the nodes
                around a pixel are left out, or count 0, its value means nothing: it is the
                mean of all.
            window: Lies inside the scene.

        Returns:
            Shape (..., h, w), float32.
        """
        rows, columns = self._axes(window)
        known = [node for node in self.nodes(window) if node in measured]
        places = tuple(np.subtract(known, (rows.first, columns.first)).T)
        values = np.array([measured[node][0] for node in known], dtype=np.float64)
        weight = np.zeros((rows.weights.shape[1], columns.weights.shape[1]))
        weight[places] = [measured[node][1] for node in known]
        weight += 1e-9
        total = _between(rows, columns, weight)
        found = np.empty((*values.shape[1:], window.height, window.width), np.float32)
        for place in np.ndindex(values.shape[1:]):
            own = values[:, *place]
            value = np.full(weight.shape, own.mean())
            value[places] = own
            if (value == value.flat[0]).all():  # exactly so, whatever the weights
                found[place] = value.flat[0]
            else:
                found[place] = _between(rows, columns, weight * value) / total
        return found

    def _axes(self, window: Window) -> tuple[_Axis, _Axis]:
        return (
            _Axis.of(self.size[0], window.row, window.height),
            _Axis.of(self.size[1], window.column, window.width),
        )


@dataclass(frozen=True, eq=False)
class _Axis:
    """Nodes along one side of a window, and how much each counts for every pixel (n, nodes)."""

    first: int
    weights: np.ndarray

    def touched(self, where: np.ndarray) -> np.ndarray:
        """Which nodes chosen pixels (n, m) lie between, shape (nodes, m)."""
        return np.stack([where[along > 0].any(axis=0) for along in self.weights.T])

    @classmethod
    def of(cls, length: int, start: int, count: int) -> _Axis:
        centres = _starts(length) + (min(length, NEIGHBOURHOOD) - 1) / 2
        pixels = np.clip(np.arange(start, start + count), centres[0], centres[-1])
        left = np.clip(np.searchsorted(centres, pixels, side="right") - 1, 0, len(centres) - 1)
        beyond = pixels > centres[left]
        right = left + beyond
        share = (pixels - centres[left]) / np.where(beyond, centres[right] - centres[left], 1)
        first, last = int(left[0]), int(right.max())
        weights = np.zeros((count, last - first + 1))
        weights[np.arange(count), right - first] = share
        weights[np.arange(count), left - first] += 1 - share
        return cls(first, weights)


def _between(rows: _Axis, columns: _Axis, values: np.ndarray) -> np.ndarray:
    """Values of nodes, bilinear in between, shape (h, w), float32."""
    down, across = (axis.weights.astype(np.float32) for axis in (rows, columns))
    # Not by @, whose threads would wait, busily, for cores that a network is using.
    lines = np.einsum("in,nm->im", down, values.astype(np.float32))
    return np.einsum("im,jm->ij", lines, across)


def _starts(length: int) -> np.ndarray:
    """Where neighbourhoods start along a side, the last flush with its end."""
    last = max(0, length - NEIGHBOURHOOD)
    return np.append(np.arange(0, last, SPACING), last)
