"""Landslides of a whole scene: found, described and judged by rules as those of a patch are.

The scene is looked at block by block. What lies inside one block is described there; what
crosses the border of blocks is joined and described in a window of its own. Nothing grows with
the scene but the list of landslides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from shapely.geometry import MultiPolygon

from landslide_zoo.inference.objects import LandslideObject, connected_parts, describe
from landslide_zoo.inference.rules import (
    LISTED,
    cut_by_rules,
    dropped_by,
    why_skipped,
)
from landslide_zoo.mapping.change import Earlier
from landslide_zoo.mapping.labelling import NOTHING, Labelling, Parts, parts_of_kinds
from landslide_zoo.mapping.large import describe_large
from landslide_zoo.mapping.polygons import Ground, crown_to_toe, outlines
from landslide_zoo.mapping.probabilities import Probabilities
from landslide_zoo.mapping.progress import Listener, Progress
from landslide_zoo.mapping.records import Landslide
from landslide_zoo.mapping.scenes import Scene
from landslide_zoo.mapping.views import Coverage, View, Views
from landslide_zoo.mapping.windows import Window, blocks, hull
from landslide_zoo.models.config import Rule
from landslide_zoo.models.prediction import Prediction

STEP, BORDERS = "landslides", "borders"
"""Steps as progress names them: blocks, then what crosses their borders."""
NOT_OBSERVED = 255
"""Value of the mask where nothing is known."""
MEMORY = 1024**3
"""Bytes that a block may take, roughly, where nothing else is asked for."""
_BYTES_A_PIXEL = 600
REACH = 128
"""Pixels beyond a block in which a landslide that begins in it may end to be described with it."""
_SIDES = (256, 1024)
"""Sides of blocks in pixels, the least and the most."""
LARGEST = 1024 * 1024
"""Pixels of the window around a landslide up to which it is described as a whole."""


class Landslides:
    """What was found in a scene. Its labels lie in a file without a name.

    Attributes:
        ground: The scene's grid, and measures on it.
        size: Height and width of the scene in pixels.
        threshold: Probability from which a pixel counts as landslide.
        rules: The rules that were applied.
        skipped: Why rules could not be applied, a sentence each.
        notes: What is odd about the scene, and the earlier one, a sentence each.
        objects: The landslides, the largest first.
        dropped: What rules dropped, the largest first: whole objects, and parts cut out of
            objects from ten pixels on.
        specks: How many objects of less than ten pixels were too small by the rules; they
            are not listed.
        coverage: How much was seen.
    """

    def __init__(
        self,
        finder: _Finder,
        objects: list[Landslide],
        dropped: list[Landslide],
        specks: int,
        kept: np.ndarray,
    ) -> None:
        self.ground = finder.ground
        self.size = finder.views.size
        self.threshold = finder.threshold
        self.rules = finder.rules
        self.skipped = tuple(
            reason for rule in finder.rules if (reason := why_skipped(rule, finder.views.layers))
        )
        self.notes = finder.notes
        self.objects = objects
        self.dropped = dropped
        self.specks = specks
        self.coverage = finder.coverage
        self._finder = finder
        self._kept = kept

    @property
    def area(self) -> float:
        """Area of all landslides in square metres."""
        return sum(one.area for one in self.objects)

    def mask(self, window: Window) -> np.ndarray:
        """1 landslide, 0 not, 255 not observed, shape (h, w), uint8."""
        labels, unseen_before = self._finder.labelling.read(window)
        mask = self._kept[labels].astype(np.uint8)
        mask[~self._finder.probabilities.read(window).observed | unseen_before] = NOT_OBSERVED
        return mask


def find_landslides(
    scene: Scene,
    probabilities: Probabilities,
    *,
    threshold: float,
    rules: Sequence[Rule],
    minimum_area: float | None = None,
    before: Earlier | None = None,
    memory: int = MEMORY,
    folder: Path | None = None,
    progress: Listener | None = None,
) -> Landslides:
    """Find the landslides of a scene from a network's probabilities.

    The result does not depend on ``memory``: blocks are joined. On a scene of 128 x 128 it
    is what :func:`landslide_zoo.inference.result.detect` finds in the patch.

    Args:
        scene: The bands, by which objects are described and rules judge.
        probabilities: What the network says of the same pixels, and which are observed.
        threshold: Probability from which a pixel counts as landslide.
        rules: The rules that are switched on; with ``before``, those of
            :func:`landslide_zoo.mapping.change.rules_with_change`.
        minimum_area: Smallest landslide in hectares, in place of the rules' own.
        before: A scene from before the event: what was not observed then is not observed.
        memory: Bytes that may be used, roughly.
        folder: Where the labels lie, 4 bytes a pixel; among the temporary files where None.
        progress: Is told how far the work is.

    Raises:
        DataError: If the scene cannot be compared with the earlier one, or the labels
            cannot be written.
    """
    told = Progress(progress)
    finder = _Finder(scene, probabilities, threshold, _with(rules, minimum_area), before, folder)
    side = int(np.clip(math.isqrt(memory // _BYTES_A_PIXEL), *_SIDES))
    windows = list(blocks(scene.size, side))
    told.start(STEP, len(windows))
    for window in windows:
        finder.look_at(window)
        told.advance()
    return finder.finish(told)


def _with(rules: Sequence[Rule], minimum_area: float | None) -> tuple[Rule, ...]:
    """The rules with another smallest area, in hectares."""
    if minimum_area is None:
        return tuple(rules)
    return (
        *(rule for rule in rules if rule.attribute != "hectares"),
        Rule(
            attribute="hectares",
            minimum=minimum_area,
            reason="it is smaller than was asked for",
            source="chosen for this map",
        ),
    )


class _Finder:
    """Finds landslides block by block; what is in the making lies here."""

    def __init__(
        self,
        scene: Scene,
        probabilities: Probabilities,
        threshold: float,
        rules: tuple[Rule, ...],
        before: Earlier | None,
        folder: Path | None,
    ) -> None:
        self.views = Views(scene, probabilities, before)
        self.ground = Ground(scene.grid, scene.size)
        self.notes = tuple(scene.notes) + (before.notes(scene) if before else ())
        self.probabilities = probabilities
        self.threshold = threshold
        self.rules = rules
        self.coverage = Coverage()
        self.labelling = Labelling(scene.size, folder)
        self._described: dict[int, Landslide] = {}  # by the first pixel, which no two share
        limits = [rule.minimum or 0.0 for rule in rules if rule.attribute == "hectares"]
        self._smallest = 10_000 * max(limits, default=0.0)  # square metres

    def look_at(self, block: Window) -> None:
        """Label a block, and describe the landslides that begin in it."""
        reach = _reach(block, self.views.size)
        around = self.views.view(reach)
        view = around.part(block)
        self.coverage += view.coverage
        kinds = np.full(view.observed.shape, NOTHING, dtype=np.int16)
        if view.mask(self.threshold).any():
            mask = _touching(around.mask(self.threshold), block.within(reach))
            box = _box(mask, reach).padded(1, self.views.size).common(reach)
            mask = mask[box.within(reach)]
            layers = self.views.layers_in(box, mask)
            broken = np.where(mask, cut_by_rules(mask, layers, self.rules), NOTHING)
            labels, parts = parts_of_kinds(broken, box, self.views.size[1])
            begun = _begun(parts, block) & _whole(parts, reach, self.views.size)
            wanted = np.flatnonzero(begun & self._listed(parts))
            self._describe(around.part(box), layers, _only(labels, wanted), parts.taken(wanted))
            inside = box.common(block)
            kinds[inside.within(block)] = broken[inside.within(box)]
        elif not view.unseen_before.any():
            return
        self.labelling.add(block, kinds, view.unseen_before)

    def finish(self, progress: Progress) -> Landslides:
        """Join the blocks, describe what crosses their borders, and let the rules judge."""
        parts = self.labelling.join()
        listed = self._listed(parts)
        known = np.isin(parts.first, list(self._described))
        groups = list(_groups(parts, np.flatnonzero(listed & ~known)))
        progress.start(BORDERS, len(groups))
        for window, numbers in groups:
            self._describe_group(window, parts, numbers)
            progress.advance()
        kept = np.zeros(len(parts) + 1, dtype=bool)
        objects, dropped = [], []
        for i in np.flatnonzero(listed):
            one, broken = self._described.pop(int(parts.first[i])), int(parts.kind[i])
            broken = broken or dropped_by(one.object, self.views.layers, self.rules)
            if broken:
                dropped.append((broken, one.by(self.rules[broken - 1])))
            else:
                objects.append(one)
                kept[i + 1] = True
        # What is equally large stays in the order of the first pixels.
        objects.sort(key=lambda one: -one.object.pixels)
        dropped.sort(key=lambda pair: (-pair[1].object.pixels, pair[0]))
        return Landslides(
            self,
            [one.numbered(number) for number, one in enumerate(objects, start=1)],
            [one.numbered(number) for number, (_, one) in enumerate(dropped, start=1)],
            int(np.count_nonzero((parts.kind == 0) & ~listed)),
            kept,
        )

    def _listed(self, parts: Parts) -> np.ndarray:
        """Which parts are described: all but specks, shape (n,), bool."""
        cut = parts.kind > 0
        areas = parts.pixels * self.ground.pixel_areas(parts.top)
        # Its own rows may be a little smaller or larger than the first.
        slack = 1.0 if self.ground.even else 0.99
        small = cut | (areas < slack * self._smallest)
        return ~(small & (parts.pixels < LISTED))

    def _describe_group(self, window: Window, parts: Parts, numbers: np.ndarray) -> None:
        """Describe parts that cross the borders of blocks, of one window."""
        if window.area > LARGEST:
            (number,) = numbers
            one, outline, fall = describe_large(
                self.views,
                self.labelling,
                int(number) + 1,
                window,
                int(parts.pixels[number]),
                self.ground.grid,
            )
            self._keep(one, outline, fall, int(parts.first[number]))
            return
        around = self.views.view(window.padded(1, self.views.size))
        labels = _only(self.labelling.read(around.window)[0], numbers)
        layers = self.views.layers_in(around.window, labels > 0)
        self._describe(around, layers, labels, parts.taken(numbers))

    def _describe(
        self, view: View, layers: dict[str, np.ndarray], labels: np.ndarray, parts: Parts
    ) -> None:
        """Describe parts that lie inside a view; labels count them from 1."""
        prediction = Prediction(
            view.probability, view.observed, self.threshold, "", self.ground.grid
        )
        shapes = outlines(labels, view.window)
        for one in describe(labels, prediction, layers):
            box = slice(one.top, one.bottom + 1), slice(one.left, one.right + 1)
            rows, columns = np.nonzero(labels[box] == one.number)
            fall = None
            if "elevation" in layers:
                fall = crown_to_toe(rows, columns, layers["elevation"][box][rows, columns])
            first = int(parts.first[one.number - 1])
            self._keep(_moved(one, view.window), shapes[one.number], fall, first)

    def _keep(
        self, one: LandslideObject, outline: MultiPolygon, fall: np.ndarray | None, first: int
    ) -> None:
        """Measure on the ground what was described."""
        area = self.ground.area(outline)
        pixel_area = math.prod(self.ground.pixel_size(one.row))
        scale = math.sqrt(pixel_area / self.ground.grid.pixel_area)
        perimeter = round(scale * one.attributes["perimeter"], 1)
        attributes = {**one.attributes, "perimeter": perimeter}
        self._described[first] = Landslide.of(
            replace(one, hectares=area / 10_000, attributes=attributes),
            outline,
            area,
            self.ground.extent(outline, one.row, fall),
            self.ground.longitude_latitude(one.row, one.column),
        )


def _moved(one: LandslideObject, window: Window) -> LandslideObject:
    """An object of a window, in rows and columns of the scene."""
    row, column = window.row, window.column
    return replace(
        one,
        row=round(one.row + row, 1),
        column=round(one.column + column, 1),
        top=one.top + row,
        left=one.left + column,
        bottom=one.bottom + row,
        right=one.right + column,
    )


def _reach(block: Window, size: tuple[int, int]) -> Window:
    """A block with a pixel around it, and with what it is looked at beyond its far sides."""
    near, far = block.padded(1, size), block.padded(REACH, size)
    bottom, right = far.row + far.height, far.column + far.width
    return Window(near.row, near.column, bottom - near.row, right - near.column)


def _touching(mask: np.ndarray, place: tuple[slice, slice]) -> np.ndarray:
    """The parts of a mask (h, w) that have a pixel at a place, whole; bool."""
    labels, count = connected_parts(mask)
    chosen = np.zeros(count + 1, dtype=bool)
    chosen[labels[place]] = True
    chosen[0] = False
    return chosen[labels]


def _box(mask: np.ndarray, window: Window) -> Window:
    """The smallest window around the pixels of a mask that lies at a window."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    height, width = int(rows[-1]) - top + 1, int(columns[-1]) - left + 1
    return Window(window.row + top, window.column + left, height, width)


def _begun(parts: Parts, block: Window) -> np.ndarray:
    """Which parts have the upper left corner of their window in a block, shape (n,), bool."""
    bottom, right = block.row + block.height, block.column + block.width
    return (
        (parts.top >= block.row)
        & (parts.left >= block.column)
        & (parts.top < bottom)
        & (parts.left < right)
    )


def _whole(parts: Parts, window: Window, size: tuple[int, int]) -> np.ndarray:
    """Which parts do not touch the border of a window inside the scene, shape (n,), bool."""
    bottom, right = window.row + window.height, window.column + window.width
    return (
        ((parts.top > window.row) | (window.row == 0))
        & ((parts.left > window.column) | (window.column == 0))
        & ((parts.bottom < bottom - 1) | (bottom == size[0]))
        & ((parts.right < right - 1) | (right == size[1]))
    )


def _only(labels: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Labels (h, w) of the parts at these places alone, counted anew from 1; 0 elsewhere."""
    numbers = np.zeros(labels.max() + 1, dtype=np.int32)
    numbers[places + 1] = np.arange(1, len(places) + 1)
    return numbers[labels]


def _groups(parts: Parts, places: np.ndarray) -> Iterator[tuple[Window, np.ndarray]]:
    """Parts that are described in one window, as it is no larger than theirs, with the window."""
    near = np.lexsort((parts.left[places], parts.top[places] // _SIDES[1]))
    window, group = None, []
    for place in places[near]:
        own = parts.window(place)
        both = hull([window, own]) if window else own
        if window and both.area > min(LARGEST, window.area + own.area):
            yield window, np.sort(group)
            both, group = own, []
        window = both
        group.append(place)
    if window:
        yield window, np.sort(group)
