"""Tiles of a scene as a network takes them: light measured nearby, clouds and gaps evened out.

A network for true colour knows patches that were divided by their brightest pixel, and rules
compare with the vegetation of a patch. In a scene that pixel may be a cloud fifty kilometres
away, and tiles divided each by its own would not fit together. So such measures are taken in
neighbourhoods as large as a patch, on a lattice fixed to the scene, and change smoothly in
between. A scene of one patch has one neighbourhood: itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from landslide_zoo.data.bands import (
    TRUE_COLOUR,
    Unit,
    band,
    brightest,
    display_values,
    divisors,
)
from landslide_zoo.data.patch import Patch
from landslide_zoo.mapping.clouds import CloudReader
from landslide_zoo.scenes.rasters import Window, hull
from landslide_zoo.scenes.scene import Scene

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
        row, column = (int(_starts(length)[i]) for length, i in zip(self.size, node, strict=True))
        height, width = (min(length, NEIGHBOURHOOD) for length in self.size)
        return Window(row, column, height, width)

    def nodes(self, window: Window, where: np.ndarray | None = None) -> list[Node]:
        """The nodes that pixels of a window lie between, row by row.

        Args:
            window: Lies inside the scene.
            where: The pixels meant, shape (h, w), bool; all of them where None.
        """
        rows, columns = self._places(window)
        if where is None:
            down, right = (
                range(int(side[0]), int(np.ceil(side[-1])) + 1) for side in (rows, columns)
            )
            return list(product(down, right))
        row, column = np.nonzero(where)
        nodes = {
            node
            for down, right in product((np.floor, np.ceil), repeat=2)
            for node in zip(down(rows[row]).tolist(), right(columns[column]).tolist(), strict=True)
        }
        return sorted((int(down), int(right)) for down, right in nodes)

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
        rows, columns = self._places(window)
        first = int(rows[0]), int(columns[0])
        shape = int(np.ceil(rows[-1])) - first[0] + 1, int(np.ceil(columns[-1])) - first[1] + 1
        nodes = [node for node in self.nodes(window) if node in measured]
        values = np.array([measured[node][0] for node in nodes], np.float64)
        weight = np.zeros(shape)
        value = np.empty((*values.shape[1:], *shape))
        value[...] = values.mean(axis=0)[..., None, None]
        for node, known in zip(nodes, values, strict=True):
            place = node[0] - first[0], node[1] - first[1]
            value[..., *place], weight[place] = known, measured[node][1]
        weight += 1e-9

        def between(lattice: np.ndarray) -> np.ndarray:
            lines = _between(lattice, rows - first[0], axis=-2)
            return _between(lines, columns - first[1], axis=-1)

        return (between(weight * value) / between(weight)).astype(np.float32)

    def _places(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Where the rows and columns of a window lie among the nodes."""
        sides = zip(self.size, window.slices, strict=True)
        rows, columns = (
            np.interp(
                np.arange(side.start, side.stop),
                _starts(length) + (min(length, NEIGHBOURHOOD) - 1) / 2,
                np.arange(len(_starts(length))),
            )
            for length, side in sides
        )
        return rows, columns


def _starts(length: int) -> np.ndarray:
    """Where neighbourhoods start along a side, the last flush with its end."""
    last = max(0, length - NEIGHBOURHOOD)
    return np.append(np.arange(0, last, SPACING), last)


def _between(values: np.ndarray, places: np.ndarray, axis: int) -> np.ndarray:
    """Values at fractional places along an axis, -2 or -1."""
    low, high = np.floor(places).astype(int), np.ceil(places).astype(int)
    share = (places - low)[:, None] if axis == -2 else places - low
    return values.take(low, axis) * (1 - share) + values.take(high, axis) * share


@dataclass(frozen=True, eq=False)
class Tile:
    """A window of a scene, ready for a network.

    Attributes:
        patch: Its values, finite everywhere; observed is what is measured and not under cloud.
        measured: Pixels that hold data, under cloud or not, shape (h, w), bool.
        cloud: Pixels under cloud, shape (h, w), bool.
        peak: True colour that is white on display, over the divisors: one number, or one
            for each pixel, shape (h, w).
    """

    patch: Patch
    measured: np.ndarray
    cloud: np.ndarray
    peak: np.ndarray | float

    def in_unit(self, names: Sequence[str], unit: Unit) -> np.ndarray:
        """The named bands in the unit that a predictor takes, shape (B, h, w), float32.

        Raises:
            DataError: If a band is missing or the unit cannot be had.
        """
        if unit == self.patch.unit or not set(names) <= set(TRUE_COLOUR):
            return self.patch.in_unit(names, unit)
        shown = display_values(self.patch.select(TRUE_COLOUR), self.peak)
        return shown[[TRUE_COLOUR.index(name) for name in names]]


@dataclass(frozen=True, eq=False)
class _Neighbourhood:
    """What the observed pixels around a node are like.

    Attributes:
        share: Share of its pixels that is observed.
        peak: The brightest true colour, over the divisors.
        levels: Lowest value, median and highest value of each band, shape (3, B); where
            all is observed, nothing needs them and they are 0.
    """

    share: float
    peak: float
    levels: np.ndarray


class LocalLight:
    """Reads tiles of a scene.

    It keeps what it measured around the last row of tiles: they are best read row by row.

    Args:
        scene: The scene.
        bands: What is read of it.
        clouds: Where it is under cloud.
        display: Whether display values will be asked for.
    """

    def __init__(
        self, scene: Scene, bands: Sequence[str], clouds: CloudReader, display: bool
    ) -> None:
        self._scene = scene
        self._bands = tuple(bands)
        self._clouds = clouds
        self._lattice = Lattice(scene.size)
        self._measured: dict[Node, _Neighbourhood] = {}
        self._display = display and scene.unit == "physical"

    def tile(self, window: Window) -> Tile:
        """A window of the scene."""
        patch = self._scene.read(window, self._bands)
        cloud = self._clouds(window)
        observed = patch.observed & ~cloud
        tile = Tile(replace(patch, observed=observed), patch.observed, cloud, 0.0)
        if not observed.any() or (observed.all() and not self._display):
            return tile
        nodes = self._neighbourhoods(window)
        peak: np.ndarray | float = next(iter(nodes.values())).peak
        if len(nodes) > 1:
            peak = self._lattice.interpolate(
                {n: (m.peak, m.share) for n, m in nodes.items()}, window
            )
        if observed.all():
            return replace(tile, peak=peak)
        # Clouds are lowered to the brightest around, and gaps filled.
        low, middle, high = self._lattice.interpolate(
            {n: (m.levels, m.share if m.share < 1 else 0.0) for n, m in nodes.items()}, window
        )
        optical = np.array([band(name).unit == "DN" for name in self._bands])[:, None, None]
        values = np.where(cloud & optical, np.minimum(patch.values, high), patch.values)
        strange = ~patch.observed & ~((values >= low) & (values <= high))
        values = np.where(strange, middle, values)
        return replace(tile, patch=replace(tile.patch, values=values), peak=peak)

    def _neighbourhoods(self, window: Window) -> dict[Node, _Neighbourhood]:
        """What is around the nodes of a window; what was not known is measured at once."""
        nodes = self._lattice.nodes(window)
        self._measured = {n: m for n, m in self._measured.items() if n[0] >= nodes[0][0]}
        missing = {n: self._lattice.window(n) for n in nodes if n not in self._measured}
        if missing:
            around = hull(missing.values())
            patch = self._scene.read(around, self._bands)
            observed = patch.observed & ~self._clouds(around)
            for node, near in missing.items():
                part = near.within(around)
                self._measured[node] = self._measure(patch.values[:, *part], observed[part])
        return {node: self._measured[node] for node in nodes}

    def _measure(self, values: np.ndarray, observed: np.ndarray) -> _Neighbourhood:
        levels, peak = np.zeros((3, len(values))), 0.0
        if not observed.any():
            return _Neighbourhood(0.0, peak, levels)
        if not observed.all():
            seen = values[:, observed]
            levels = np.stack([seen.min(axis=1), np.median(seen, axis=1), seen.max(axis=1)])
            # Under a cloud the ground would be black beside its maximum.
            values = np.where(observed, values, np.fmin(values, levels[2][:, None, None]))
        if self._display:
            places = [self._bands.index(name) for name in TRUE_COLOUR]
            peak, _ = brightest(values[places] / divisors(TRUE_COLOUR))
        return _Neighbourhood(float(observed.mean()), peak, levels)
