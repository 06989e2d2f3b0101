"""Tiles of a scene as a network takes them: light measured nearby, clouds and gaps evened out.

A network for true colour knows patches that were divided by their brightest pixel. In a scene
that pixel may be a cloud fifty kilometres away, and tiles divided each by its own would not fit
together. So the brightest pixel that is observed is looked for in neighbourhoods as large as
a patch, on a lattice (:class:`landslide_zoo.mapping.lattice.Lattice`), and changes smoothly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from landslide_zoo.mapping.lattice import SPACING, Lattice, Node
from landslide_zoo.mapping.scenes import Scene
from landslide_zoo.mapping.windows import Window, hull


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
