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

    def nodes(self, window: Window) -> Iterator[Node]:
        """The nodes that the pixels of a window lie between, row by row."""
        rows, columns = self._axes(window)
        for i in range(rows.first, rows.last + 1):
            for j in range(columns.first, columns.last + 1):
                yield i, j

    def interpolate(
        self, values: Mapping[Node, float], weights: Mapping[Node, float], window: Window
    ) -> np.ndarray:
        """What was measured on the nodes, for every pixel of a window, bilinear in between.

        Args:
            values: A number for each node of the window.
            weights: How much each node counts, such as the share of it that was
                observed; the nodes around a pixel all have the weight 0 only where
                the pixel's value does not matter: it is 0.
            window: Lies inside the scene.

        Returns:
            Shape (h, w), float32.
        """
        rows, columns = self._axes(window)
        grid = (rows.last - rows.first + 1, columns.last - columns.first + 1)
        nodes = list(self.nodes(window))
        weight = np.array([weights[node] for node in nodes]).reshape(grid)
        value = np.array([values[node] for node in nodes]).reshape(grid)
        if (value == value.flat[0]).all():  # exactly so, whatever the weights
            return np.full((window.height, window.width), value.flat[0], dtype=np.float32)
        total = rows.weights @ weight @ columns.weights.T
        mean = rows.weights @ (weight * value) @ columns.weights.T
        return (mean / np.where(total > 0, total, 1)).astype(np.float32)

    def _axes(self, window: Window) -> tuple[_Axis, _Axis]:
        return (
            _Axis.of(self.size[0], window.row, window.height),
            _Axis.of(self.size[1], window.column, window.width),
        )


@dataclass(frozen=True, eq=False)
class _Axis:
    """Nodes along one side of a window, and how much each counts for every pixel (n, nodes)."""

    first: int
    last: int
    weights: np.ndarray

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
        return cls(first, last, weights)


def _starts(length: int) -> np.ndarray:
    """Where neighbourhoods start along a side, the last flush with its end."""
    last = max(0, length - NEIGHBOURHOOD)
    return np.append(np.arange(0, last, SPACING), last)
