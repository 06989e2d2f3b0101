"""Tiles of a scene as a network takes them: light measured nearby, clouds and gaps evened out.

A network for true colour knows patches that were divided by their brightest pixel. In a scene
that pixel may be a cloud fifty kilometres away, and tiles divided each by its own would not fit
together. So the brightest pixel that is observed is looked for in neighbourhoods as large as
a patch, on a lattice (:class:`landslide_zoo.mapping.light.Lattice`), and changes smoothly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from landslide_zoo.data.bands import (
    HANDFUL,
    TRUE_COLOUR,
    Unit,
    band,
    brightest,
    display_values,
    divisors,
)
from landslide_zoo.data.patch import Patch
from landslide_zoo.mapping.clouds import CloudReader
from landslide_zoo.mapping.rasters import Window, hull
from landslide_zoo.mapping.scenes import Scene

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
        seen = Tile(replace(patch, observed=observed), patch.observed, cloud, 0.0)
        hidden = not observed.all()
        if not observed.any() or not (hidden or self._display):
            return seen
        nodes = self._neighbourhoods(window)
        peak: np.ndarray | float = next(iter(nodes.values())).peak
        if len(nodes) > 1:
            peak = self._lattice.interpolate(
                {node: (one.peak, one.share) for node, one in nodes.items()}, window
            )
        evened = self._even_out(seen, nodes, window) if hidden else seen.patch
        return replace(seen, patch=evened, peak=peak)

    def _even_out(self, tile: Tile, nodes: dict[Node, _Neighbourhood], window: Window) -> Patch:
        """The patch with its clouds lowered to the brightest around and its gaps filled."""
        low, middle, high = self._lattice.interpolate(
            {n: (one.levels, one.share if one.share < 1 else 0.0) for n, one in nodes.items()},
            window,
        )
        values = tile.patch.values
        optical = np.array([band(name).unit == "DN" for name in tile.patch.bands])[:, None, None]
        values = np.where(tile.cloud & optical, np.minimum(values, high), values)
        strange = ~tile.measured & ~((values >= low) & (values <= high))
        return replace(tile.patch, values=np.where(strange, middle, values))

    def _neighbourhoods(self, window: Window) -> dict[Node, _Neighbourhood]:
        """What is around the nodes of a window; what was not known is measured at once."""
        nodes = list(self._lattice.nodes(window))
        top = nodes[0][0]
        self._measured = {node: one for node, one in self._measured.items() if node[0] >= top}
        missing = {n: self._lattice.window(n) for n in nodes if n not in self._measured}
        if missing:
            around = hull(missing.values())
            patch = self._scene.read(around, self._bands)
            observed = patch.observed & ~self._clouds(around)
            brightest_in = _brightest_in(self._brightness(patch.values))
            for node, window in missing.items():
                part = window.within(around)
                self._measured[node] = self._measure(
                    patch.values[:, *part], observed[part], brightest_in(part)
                )
        return {node: self._measured[node] for node in nodes}

    def _brightness(self, values: np.ndarray) -> np.ndarray:
        """The brightest band of true colour, over the divisors; 0 where nobody asks for it."""
        if not self._display:
            return np.zeros(values.shape[1:])
        places = [self._bands.index(name) for name in TRUE_COLOUR]
        return np.asarray((values[places] / divisors(TRUE_COLOUR)).max(axis=0))

    def _measure(
        self, values: np.ndarray, observed: np.ndarray, brightness: np.ndarray
    ) -> _Neighbourhood:
        levels = np.zeros((3, len(values)))
        if not observed.any():
            return _Neighbourhood(0.0, 0.0, levels)
        if not observed.all():
            seen = values[:, observed]
            levels = np.stack([seen.min(axis=1), np.median(seen, axis=1), seen.max(axis=1)])
            # Under a cloud the ground would be black beside its maximum.
            values = np.where(observed, values, np.fmin(values, levels[2][:, None, None]))
            brightness = self._brightness(values)
        peak, _ = brightest(brightness[None])
        return _Neighbourhood(float(observed.mean()), peak, levels)


def _brightest_in(brightness: np.ndarray) -> Callable[[tuple[slice, slice]], np.ndarray]:
    """Gives the brightest pixels of a neighbourhood, all that :func:`brightest` looks at.

    Neighbourhoods overlap by half, so these are looked for once in each quarter of one.
    """
    height, width = (length // SPACING for length in brightness.shape)
    if brightness.shape != (height * SPACING, width * SPACING):  # flush with the scene's end
        return lambda part: brightness[part]
    quarters = brightness.reshape(height, SPACING, width, SPACING).swapaxes(1, 2)
    most = HANDFUL + 1
    top = np.partition(quarters.reshape(height, width, -1), -most)[..., -most:]

    def of(part: tuple[slice, slice]) -> np.ndarray:
        rows, columns = (slice(side.start // SPACING, side.stop // SPACING) for side in part)
        return top[rows, columns].reshape(1, -1)

    return of
