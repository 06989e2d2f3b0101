"""Windows of a scene as objects are described by them: probabilities and layers of the bands."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from itertools import groupby
from operator import add

import numpy as np
from scipy import ndimage

from landslide_zoo.inference.layers import layers_fitting, layers_of, references_in
from landslide_zoo.mapping.assembly import TERRAIN
from landslide_zoo.mapping.change import NDVI_DROP, Earlier, check_change
from landslide_zoo.mapping.lattice import Lattice, Node
from landslide_zoo.mapping.probabilities import Probabilities
from landslide_zoo.mapping.scenes import Scene
from landslide_zoo.mapping.windows import Window, blocks, hull

MARGIN = 3
"""Pixels around a window that its layers depend on: those of texture."""
CELL = 256
"""Side of the windows in pixels in which layers are made: what a processor keeps at hand."""
_TOGETHER = 4
"""Rows of neighbourhoods that are read together: they overlap."""
_KEPT = 4096
"""Neighbourhoods whose references are remembered: a row of blocks of a product has fewer."""


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

    def part(self, window: Window) -> View:
        """The same of a window that lies inside this one."""
        known = (self.probability, self.observed, self.cloud, self.unseen_before)
        return View(window, *(values[window.within(self.window)] for values in known))

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
        self._bands = tuple(n for n in scene.bands if n in needed and n not in TERRAIN)
        self._terrain = tuple(n for n in scene.bands if n in needed and n in TERRAIN)
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
            where: The pixels for which they are wanted, shape (h, w), bool: layers mean
                nothing but there and on the pixels that touch them.
        """
        wanted = ndimage.maximum_filter(where, 3)
        if self._relative_to:
            self._measure(window, wanted)
        found = {name: np.zeros(where.shape, np.float32) for name in self.layers}
        for cell in blocks(where.shape, CELL):
            if wanted[cell.slices].any():
                for name, values in self._layers_of(cell.moved(window.row, window.column)).items():
                    found[name][cell.slices] = values
        for node in list(self._references)[:-_KEPT]:
            del self._references[node]
        if self._before is not None:
            found[NDVI_DROP] = self._before.ndvi(window) - found["ndvi"]
        return found

    def _layers_of(self, cell: Window) -> dict[str, np.ndarray]:
        """All layers of a small window but what changed."""
        found: dict[str, np.ndarray] = {}
        if self._bands:
            inner = cell.padded(MARGIN, self.size)
            nodes = self._lattice.nodes(inner)
            around = {node: self._references[node] for node in nodes if node in self._references}
            references = {}
            if around:
                values = self._lattice.interpolate(around, inner)
                references = dict(zip(self._relative_to, values, strict=True))
            layers = layers_of(self._scene.read(inner, self._bands), None, references)
            found = {name: values[cell.within(inner)] for name, values in layers.items()}
        if self._terrain:
            patch = self._scene.read(cell, self._terrain)
            for name, values in layers_of(patch).items():
                found[name] = np.where(patch.observed, values, np.float32(np.nan))
        return found

    def _measure(self, window: Window, where: np.ndarray) -> None:
        """Measure what the layers of chosen pixels are relative to, unless it is known."""
        inner = window.padded(MARGIN, self.size)
        wanted = np.zeros((inner.height, inner.width), dtype=bool)
        wanted[window.within(inner)] = where
        wanted = ndimage.maximum_filter(wanted, 2 * MARGIN + 1)
        nodes = [n for n in self._lattice.nodes(inner, wanted) if n not in self._references]
        for _, each in groupby(nodes, key=lambda node: node[0] // _TOGETHER):
            near = list(each)
            windows = [self._lattice.window(node) for node in near]
            outer = hull(windows)
            observed = self._probabilities.read(outer).observed
            patch = replace(self._scene.read(outer, self._bands), observed=observed)
            places = [window.within(outer) for window in windows]
            measured = references_in(patch, self._relative_to, places)
            for node, place, known in zip(near, places, measured, strict=True):
                values = np.array([known[name] for name in self._relative_to])
                self._references[node] = values, float(observed[place].mean())
