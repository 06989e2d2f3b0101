"""Windows of a scene as objects are described by them: probabilities and layers of the bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from operator import add

import numpy as np
from scipy import ndimage

from landslide_zoo.data.bands import INDICES
from landslide_zoo.data.patch import Patch
from landslide_zoo.inference.layers import layers_fitting, layers_of, references_of
from landslide_zoo.mapping.assembly import TERRAIN
from landslide_zoo.mapping.change import NDVI_DROP, Earlier, check_change
from landslide_zoo.mapping.lattice import Lattice, Node
from landslide_zoo.mapping.probabilities import Probabilities
from landslide_zoo.mapping.scenes import Scene
from landslide_zoo.mapping.windows import Window, hull

MARGIN = 8
"""Pixels around a window that its layers depend on: texture on 3, the slope of a DEM on 5."""
_KEPT = 4096
"""Neighbourhoods whose references are remembered: a row of blocks of a product has fewer."""
_ON_TERRAIN = {"slope", "elevation"}


@dataclass(frozen=True)
class Coverage:
    """How much of a scene was seen, in pixels.

    Attributes:
        total: All of them.
        observed: Seen, on both dates where there are two.
        cloud: Under cloud.
        unseen_before: Seen, but not on the earlier date.
    """

    total: int = 0
    observed: int = 0
    cloud: int = 0
    unseen_before: int = 0

    @property
    def missing(self) -> int:
        """Pixels that hold no data."""
        return self.total - self.observed - self.cloud - self.unseen_before

    def __add__(self, other: Coverage) -> Coverage:
        return Coverage(*map(add, astuple(self), astuple(other)))


@dataclass(frozen=True, eq=False)
class View:
    """What is known of a window.

    Attributes:
        window: Where it lies.
        probability: The network's, shape (h, w), float32.
        observed: Pixels that were seen, on both dates where there are two, shape (h, w), bool.
        cloud: Pixels under cloud, shape (h, w), bool.
        unseen_before: Pixels that were seen, but not on the earlier date, shape (h, w), bool.
    """

    window: Window
    probability: np.ndarray
    observed: np.ndarray
    cloud: np.ndarray
    unseen_before: np.ndarray

    @property
    def coverage(self) -> Coverage:
        """How much of it was seen."""
        kinds = (self.observed, self.cloud, self.unseen_before)
        return Coverage(self.observed.size, *(int(np.count_nonzero(kind)) for kind in kinds))

    def mask(self, threshold: float) -> np.ndarray:
        """Observed pixels of at least this probability, shape (h, w), bool."""
        return self.observed & (self.probability >= np.float32(threshold))


class Views:
    """Looks at windows of a scene.

    What layers are relative to, as the vegetation around, is measured in neighbourhoods on
    a lattice, once each, so a layer's value does not depend on the window it is looked at in.

    Args:
        scene: The bands.
        probabilities: What the network says, and what is observed.
        before: A scene from before the event.

    Raises:
        DataError: If the scene cannot be compared with the earlier one.
    """

    def __init__(
        self, scene: Scene, probabilities: Probabilities, before: Earlier | None = None
    ) -> None:
        if before is not None:
            check_change(scene)
        self.size = scene.size
        fitting = layers_fitting(scene.bands, scene.unit)
        needed = {name for layer in fitting for each in layer.bands for name in each}
        self._bands = tuple(name for name in scene.bands if name in needed)
        self._relative_to = list({name for layer in fitting for name in layer.references})
        self.layers = [layer.name for layer in fitting]
        if before is not None:
            self.layers.append(NDVI_DROP)
        self._scene = scene
        self._probabilities = probabilities
        self._before = before
        self._lattice = Lattice(scene.size)
        self._references: dict[Node, tuple[np.ndarray, float]] = {}

    def view(self, window: Window) -> View:
        """What the network says of a window, and what is observed of it."""
        known = self._probabilities.read(window)
        unseen_before = np.zeros_like(known.observed)
        if self._before is not None and known.observed.any():
            unseen_before = known.observed & ~self._before.observed(window)
        return View(
            window, known.probability, known.observed & ~unseen_before, known.cloud, unseen_before
        )

    def layers_in(self, window: Window, where: np.ndarray) -> dict[str, np.ndarray]:
        """All layers of a window, by name, each of shape (h, w), float32.

        Args:
            window: Lies inside the scene.
            where: The pixels for which they are wanted, shape (h, w), bool: what they are
                relative to is not measured elsewhere, and those layers mean nothing there.
        """
        found: dict[str, np.ndarray] = {}
        if self._bands:
            inner = window.padded(MARGIN, self.size)
            wanted = np.zeros((inner.height, inner.width), dtype=bool)
            wanted[window.within(inner)] = where
            nodes = self._nodes(inner, wanted)
            outer = hull([inner, *map(self._lattice.window, nodes)])
            patch = self._scene.read(outer, self._bands)
            references = self._reference_layers(patch, outer, nodes, inner)
            found = layers_of(_cut(patch, inner.within(outer)), None, references)
            found = {name: values[window.within(inner)] for name, values in found.items()}
            self._without_terrain(found, window)
        if self._before is not None:
            after = self._scene.read(window, INDICES["NDVI"].bands).index("NDVI")
            found[NDVI_DROP] = self._before.ndvi(window) - after
        return found

    def _nodes(self, window: Window, wanted: np.ndarray) -> list[Node]:
        """The nodes of the lattice that layers of the wanted pixels depend on."""
        if not self._relative_to:
            return []
        around = ndimage.maximum_filter(wanted, 2 * MARGIN + 1)
        return list(self._lattice.nodes(window, around))

    def _without_terrain(self, layers: dict[str, np.ndarray], window: Window) -> None:
        """Take the values out of layers of the terrain where it has none."""
        terrain = [name for name in self._scene.bands if name in TERRAIN]
        if terrain and not layers.keys().isdisjoint(_ON_TERRAIN):
            missing = ~self._scene.read(window, terrain).observed
            for name in _ON_TERRAIN & layers.keys():
                layers[name] = np.where(missing, np.float32(np.nan), layers[name])

    def _reference_layers(
        self, patch: Patch, outer: Window, nodes: Sequence[Node], window: Window
    ) -> dict[str, np.ndarray]:
        """What layers are measured by, for every pixel of a window."""
        if not nodes:
            return {}
        missing = [node for node in nodes if node not in self._references]
        observed = self._probabilities.read(outer).observed if missing else patch.observed
        patch = replace(patch, observed=observed)
        for node in missing:
            part = _cut(patch, self._lattice.window(node).within(outer))
            known = references_of(part, self._relative_to)
            values = np.array([known[name] for name in self._relative_to])
            self._references[node] = values, float(part.observed.mean())
        around = {node: self._references[node] for node in nodes}
        for node in list(self._references)[:-_KEPT]:
            del self._references[node]
        layers = self._lattice.interpolate(around, window)
        return dict(zip(self._relative_to, layers, strict=True))


def _cut(patch: Patch, place: tuple[slice, slice]) -> Patch:
    """A part of a patch."""
    return replace(patch, values=patch.values[:, *place], observed=patch.observed[place], mask=None)
