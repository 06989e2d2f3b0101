"""Landslides of a whole scene: found, described and judged by rules as those of a patch are.

The mask of the scene and its labels lie in memory, 9 bytes a pixel; of the bands only what they
say of the pixels in the mask, read window by window.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import geopandas
import numpy as np
import rasterio.features
import shapely
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS
from scipy import ndimage
from shapely.geometry import MultiPolygon

from landslide_zoo.data.patch import Grid
from landslide_zoo.inference.indices import layers_fitting, layers_of, references_in
from landslide_zoo.inference.objects import EIGHT_NEIGHBOURS, measure, objects_of
from landslide_zoo.inference.rules import (
    LISTED,
    DroppedObject,
    cut_by_rules,
    dropped_by,
    why_skipped,
)
from landslide_zoo.mapping.change import NDVI_DROP, Earlier, check_change
from landslide_zoo.mapping.light import Lattice, Node
from landslide_zoo.mapping.probabilities import Listener, Probabilities, Progress
from landslide_zoo.models.config import Rule
from landslide_zoo.scenes.rasters import Placement, Window, blocks, hull, strips
from landslide_zoo.scenes.scene import TERRAIN, Scene

LONGITUDE_LATITUDE = "EPSG:4326"
STEP = "landslides"
NOT_OBSERVED = 255
"""Value of the mask where nothing is known."""
ATTRIBUTES: dict[str, tuple[str, int]] = {
    "area_m2": ("area", 1),
    "perimeter_m": ("perimeter", 1),
    "length_m": ("length", 1),
    "width_m": ("width", 1),
    "azimuth_deg": ("azimuth", 1),
    "elongation": ("elongation", 3),
    "compactness": ("compactness", 3),
    "mean_probability": ("mean_probability", 4),
    "max_probability": ("max_probability", 4),
    "mean_slope_deg": ("mean_slope", 2),
    "mean_elevation_m": ("mean_elevation", 1),
    "elevation_range_m": ("elevation_range", 1),
    "mean_ndvi": ("mean_ndvi", 4),
    "ndvi_drop": ("median_ndvi_drop", 4),
    "vegetation": ("mean_vegetation", 4),
    "brightness": ("mean_brightness", 1),
    "water_contact": ("water_contact", 3),
    "hidden_share": ("hidden_contact", 3),
    "longitude": ("longitude", 7),
    "latitude": ("latitude", 7),
    "row": ("row", 1),
    "column": ("column", 1),
}
"""Columns of the tables: measure and digits. ``docs/maps.md`` says what each is."""

_SEEN, _UNSEEN_BEFORE = 1, 2
"""What was observed, and what was not on the earlier date; 0 elsewhere."""
_BLOCK, _CELL = 1024, 256
"""Sides of the windows of the bands, in pixels: what is read together, and what a processor keeps
at hand."""
_TOGETHER = 4
"""Rows of neighbourhoods that are read together: they overlap."""
_END = 10
"""Per cent of a landslide's pixels that are its crown, the highest, or its toe, the lowest."""
_FLAT = 1.0
"""Metres from crown to toe below which a landslide has no direction to measure along."""


@dataclass(frozen=True)
class Coverage:
    """How much of a scene was seen, in pixels.

    Attributes:
        total: All of them.
        observed: Seen, on both dates where there are two.
        cloud: Under cloud.
        unseen_before: Seen, but not on the earlier date.
    """

    total: int
    observed: int
    cloud: int
    unseen_before: int

    @property
    def missing(self) -> int:
        """Pixels that hold no data."""
        return self.total - self.observed - self.cloud - self.unseen_before


@dataclass(frozen=True, eq=False)
class Landslides:
    """The landslides of a scene.

    Attributes:
        ground: The scene's grid, and measures on it.
        threshold: Probability from which a pixel counts as landslide.
        rules: The rules that were applied.
        skipped: Why rules could not be applied, a sentence each.
        table: The landslides, the largest first: the columns of :data:`ATTRIBUTES`, not a
            number where one is not known, and outlines in the scene's coordinates.
        dropped: What rules dropped, likewise: whole objects, and parts cut out of objects from
            ten pixels on. ``rule`` is the attribute, ``why`` a sentence.
        specks: How many objects of less than ten pixels were too small by the rules; they
            are not listed.
        notes: What is odd about the scene, and the earlier one, a sentence each.
        coverage: How much was seen.
        mask: 1 landslide, 0 not, 255 not observed, shape (H, W), uint8.
    """

    ground: Ground
    threshold: float
    rules: tuple[Rule, ...]
    skipped: tuple[str, ...]
    notes: tuple[str, ...]
    table: geopandas.GeoDataFrame
    dropped: geopandas.GeoDataFrame
    specks: int
    coverage: Coverage
    mask: np.ndarray

    @property
    def area(self) -> float:
        """Area of all landslides in square metres."""
        return float(self.table.area_m2.sum())


def find_landslides(
    scene: Scene,
    probabilities: Probabilities,
    *,
    threshold: float,
    rules: Sequence[Rule],
    minimum_area: float | None = None,
    before: Earlier | None = None,
    progress: Listener | None = None,
) -> Landslides:
    """Find the landslides of a scene from a network's probabilities.

    On a scene of 128 x 128 they are those that are found in the patch.

    Args:
        scene: The bands, by which objects are described and rules judge.
        probabilities: What the network says of the same pixels, and which are observed.
        threshold: Probability from which a pixel counts as landslide.
        rules: The rules that are switched on; with ``before``, those of
            :func:`landslide_zoo.mapping.change.rules_with_change`.
        minimum_area: Smallest landslide in hectares, in place of the rules' own.
        before: A scene from before the event: what was not observed then is not observed.
        progress: Is told how far the work is.

    Raises:
        DataError: If the scene cannot be compared with the earlier one.
    """
    rules = _with_minimum(rules, minimum_area)
    ground, layers = Ground(scene.grid, scene.size), _Layers(scene, probabilities, before)
    seen, kinds, probability, coverage = _threshold(probabilities, threshold, before)
    water, flat, columns = _describe_pixels(layers, kinds, rules, Progress(progress))
    labels, broken, specks = _label(kinds, flat, ground, rules)
    numbers = labels.ravel()[flat]
    observed, listed = seen == _SEEN, numbers > 0
    del kinds, seen
    for name in columns:  # one after the other: they are large
        columns[name] = columns[name][listed]
    elevation = columns.get("elevation")
    measures = measure(
        labels,
        probability[listed],
        columns,
        observed,
        water if "ndwi" in columns else None,
        ground.grid.pixel_size,
    )
    del columns, water, probability
    shapes = outlines(labels)
    measures |= _on_the_ground(ground, shapes, measures, labels, elevation)
    why = np.full(len(broken), None, object)
    for i, landslide in enumerate(objects_of(measures)):
        broken[i] = broken[i] or dropped_by(landslide, layers.names, rules)
        if broken[i]:
            why[i] = DroppedObject(landslide, rules[broken[i] - 1]).why
    by_size = np.lexsort((broken, -measures["pixels"]))
    dropped = by_size[broken[by_size] > 0]
    rule = [rules[number - 1].attribute for number in broken[dropped]]
    mask = np.where(observed, np.uint8(0), np.uint8(NOT_OBSERVED))
    mask.ravel()[flat] = np.append(False, broken == 0)[numbers]
    return Landslides(
        ground=ground,
        threshold=threshold,
        rules=rules,
        skipped=tuple(reason for rule in rules if (reason := why_skipped(rule, layers.names))),
        notes=(*scene.notes, *(before.notes(scene) if before else ())),
        table=_table(ground, shapes, measures, np.flatnonzero(broken == 0)),
        dropped=_table(ground, shapes, measures, dropped, rule=rule, why=why[dropped]),
        specks=specks,
        coverage=coverage,
        mask=mask,
    )


def _with_minimum(rules: Sequence[Rule], minimum_area: float | None) -> tuple[Rule, ...]:
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


def _threshold(
    probabilities: Probabilities, threshold: float, before: Earlier | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Coverage]:
    """Where the scene was seen and a network finds landslides.

    Returns:
        Whether each pixel was seen, :data:`_SEEN` or :data:`_UNSEEN_BEFORE`, and 1 where a
        landslide is, each of shape (H, W), uint8; the probability of each landslide pixel, row
        by row, shape (n,); and how much was seen.
    """
    size = probabilities.size
    seen, mask = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    values, cloud = [], 0
    for strip in strips(size):
        part = probabilities.read(strip)
        observed = part.observed
        if before is not None and observed.any():
            observed = observed & before.observed(strip)
        seen[strip.slices] = np.where(part.observed, np.where(observed, _SEEN, _UNSEEN_BEFORE), 0)
        found = observed & (part.probability >= np.float32(threshold))
        mask[strip.slices] = found
        values.append(part.probability[found])
        cloud += int(np.count_nonzero(part.cloud))
    counts = [int(np.count_nonzero(seen == kind)) for kind in (_SEEN, _UNSEEN_BEFORE)]
    return seen, mask, np.concatenate(values), Coverage(seen.size, counts[0], cloud, counts[1])


def _describe_pixels(
    layers: _Layers,
    kinds: np.ndarray,
    rules: Sequence[Rule],
    progress: Progress,
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Look at the bands where a mask is: its pixels become 1, or 1 + the rule that cuts them out.

    Args:
        layers: What the bands say.
        kinds: The mask, which is changed, shape (H, W), uint8.
        rules: The rules, counted from 1.
        progress: Is told of each block.

    Returns:
        Open water that touches the mask, shape (H, W), bool; and for each of its n pixels, row
        by row, the place in the flattened scene and what the layers say, each of shape (n,).
    """
    size = kinds.shape
    water = np.zeros(size, bool)
    places: list[np.ndarray] = []
    columns: dict[str, list[np.ndarray]] = {name: [] for name in layers.names}
    windows = list(blocks(size, _BLOCK))
    progress.start(STEP, len(windows))
    for window in windows:
        around = window.padded(1, size)
        if kinds[around.slices].any():
            wanted = ndimage.maximum_filter(kinds[around.slices] > 0, 3)[window.within(around)]
            values = layers.read(window, wanted)
            mask = kinds[window.slices] > 0
            kinds[window.slices] += cut_by_rules(mask, values, rules).astype(np.uint8)
            if "ndwi" in values:
                water[window.slices] = wanted & (values["ndwi"] > 0)
            rows, across = np.nonzero(mask)
            places.append((rows + window.row) * size[1] + across + window.column)
            for name, column in columns.items():
                column.append(values[name][mask])
        progress.advance()
    flat = np.concatenate([np.zeros(0, np.int64), *places])
    order = np.argsort(flat)
    nothing = np.zeros(0, np.float32)
    return (
        water,
        flat[order],
        {name: np.concatenate([nothing, *columns.pop(name)])[order] for name in layers.names},
    )


def _label(
    kinds: np.ndarray, flat: np.ndarray, ground: Ground, rules: Sequence[Rule]
) -> tuple[np.ndarray, np.ndarray, int]:
    """Number the connected parts of each kind of pixel, the largest first, without specks.

    Args:
        kinds: 1, or 1 + the rule that cut a pixel out of the mask; 0 elsewhere, shape (H, W).
        flat: Places of the pixels that are not 0, in their order.
        ground: Measures them.
        rules: Say how large a landslide has to be.

    Returns:
        The number of each pixel's part, from 1, 0 where it is none or a speck, shape (H, W),
        int32; the rule of each part, 0 where none cut it out, shape (K,); and how many
        specks are not listed that no rule cut out.
    """
    labels = np.zeros(kinds.shape, np.int32)
    kind = kinds.ravel()[flat]
    parts, broken = np.zeros(len(flat), np.int32), [np.zeros(1, np.int64)]
    for value in np.unique(kind):
        count = ndimage.label(kinds == value, EIGHT_NEIGHBOURS, output=labels)
        chosen = kind == value
        parts[chosen] = labels.ravel()[flat[chosen]] + sum(map(len, broken)) - 1
        broken.append(np.full(count, value - 1, np.int64))
    rule = np.concatenate(broken)
    pixels = np.bincount(parts, minlength=len(rule))
    first = np.zeros(len(rule), np.int64)
    first[parts[::-1]] = flat[::-1]
    limits = [rule.minimum or 0.0 for rule in rules if rule.attribute == "hectares"]
    areas = pixels * ground.pixel_areas(first // kinds.shape[1])
    small = (rule > 0) | (areas < 10_000 * max(limits, default=0.0))
    listed = np.flatnonzero((pixels > 0) & ~(small & (pixels < LISTED)))
    listed = listed[np.lexsort((first[listed], -pixels[listed]))]
    number = np.zeros(len(rule), np.int32)
    number[listed] = np.arange(1, len(listed) + 1)
    labels.fill(0)
    labels.ravel()[flat] = number[parts]
    specks = np.count_nonzero((rule == 0) & (pixels > 0)) - np.count_nonzero(rule[listed] == 0)
    return labels, rule[listed], int(specks)


def outlines(labels: np.ndarray) -> list[MultiPolygon]:
    """The outlines of the parts of a label image, in pixels, in the order of their numbers.

    They follow the edges of the pixels: x is the column and y the row, and the upper left
    corner is (0, 0). Pixels that touch at a corner alone are polygons of their own.

    Args:
        labels: Number of each pixel's part, from 1 without gaps, 0 where there is none, shape
            (H, W), int32.
    """
    polygons = defaultdict(list)
    # Four neighbours: a ring that meets itself at a corner would not be valid.
    for shape, number in rasterio.features.shapes(labels, mask=labels > 0, connectivity=4):
        shell, *holes = shape["coordinates"]
        polygons[int(number)].append(shapely.Polygon(shell, holes))
    return [shapely.normalize(MultiPolygon(polygons.pop(n))) for n in sorted(polygons)]


def crown_to_toe(rows: np.ndarray, columns: np.ndarray, elevation: np.ndarray) -> np.ndarray | None:
    """The way from the centre of a landslide's highest tenth to that of its lowest.

    Args:
        rows: Of its pixels, shape (n,).
        columns: Likewise.
        elevation: In metres, likewise; not a number where it is not known.

    Returns:
        Columns to the right and rows down; None where the ground is flat or not known.
    """
    known = ~np.isnan(elevation)
    if not known.any():
        return None
    places, heights = np.stack([columns[known], rows[known]], axis=1), elevation[known]
    low, high = np.percentile(heights, (_END, 100 - _END))
    way = places[heights <= low].mean(axis=0) - places[heights >= high].mean(axis=0)
    return way if high - low >= _FLAT and way.any() else None


def _on_the_ground(
    ground: Ground,
    shapes: Sequence[MultiPolygon],
    measures: Mapping[str, np.ndarray],
    labels: np.ndarray,
    elevation: np.ndarray | None,
) -> dict[str, np.ndarray]:
    """What landslides measure on the ground: further columns for their table."""
    rows, columns = np.nonzero(labels)
    order = np.argsort(labels[rows, columns], kind="stable")
    extents = np.empty((len(shapes), 3))
    end = np.cumsum(measures["pixels"])
    for i, shape in enumerate(shapes):
        fall = None
        if elevation is not None:
            own = order[end[i] - measures["pixels"][i] : end[i]]
            fall = crown_to_toe(rows[own], columns[own], elevation[own])
        extents[i] = ground.extent(shape, measures["row"][i], fall)
    pixel_areas = ground.pixel_areas(measures["row"])
    areas = measures["pixels"] * pixel_areas
    scale = np.sqrt(pixel_areas / ground.grid.pixel_area)
    return {
        "area": areas,
        "hectares": areas / 10_000,
        "perimeter": np.round(scale * measures["perimeter"], 1),
        **dict(zip(("length", "width", "azimuth"), extents.T, strict=True)),
        **ground.degrees(measures["row"], measures["column"]),
    }


def _table(
    ground: Ground,
    shapes: Sequence[MultiPolygon],
    measures: Mapping[str, np.ndarray],
    chosen: np.ndarray,
    **further: object,
) -> geopandas.GeoDataFrame:
    """The chosen landslides, numbered in this order, as :data:`ATTRIBUTES` has them."""
    unknown = np.full(len(shapes), np.nan)
    columns = {
        name: np.round(measures.get(measure, unknown)[chosen].astype(float), digits)
        for name, (measure, digits) in ATTRIBUTES.items()
    }
    return geopandas.GeoDataFrame(
        {"id": np.arange(1, len(chosen) + 1), **columns, **further},
        geometry=[ground.place(shapes[i]) for i in chosen],
        crs=ground.grid.crs if ground.placed else None,
    )


class Ground:
    """Measures of a scene's pixels on the ground.

    Args:
        grid: The scene's; upright, as grids of scenes are.
        size: Height and width of the scene in pixels.
    """

    def __init__(self, grid: Grid, size: tuple[int, int]) -> None:
        self.grid = grid
        self.placed = grid.crs is not None and grid.transform is not None
        """Whether it is known where the pixels lie; outlines are in pixels where it is not."""
        self.transform = Affine(*(grid.transform or Affine.identity()[:6]))
        if self.placed:
            self._to_degrees = Transformer.from_crs(grid.crs, LONGITUDE_LATITUDE, always_xy=True)
            placement = Placement(CRS.from_user_input(grid.crs), self.transform, *size)
            self._heights, self._widths = placement.pixel_sizes
        else:
            self._heights, self._widths = (np.full((size[0], 1), s) for s in grid.pixel_size)

    def place(self, outline: MultiPolygon) -> MultiPolygon:
        """An outline in pixels, in coordinates of the grid; in pixels where there are none."""
        return shapely.transform(outline, self._coordinates) if self.placed else outline

    def pixels(self, coordinates: np.ndarray) -> np.ndarray:
        """Columns and rows of coordinates of the grid, shape (n, 2)."""
        return np.stack(~self.transform @ coordinates.T, axis=1)

    def degrees(self, rows: np.ndarray, columns: np.ndarray) -> dict[str, np.ndarray]:
        """Longitude and latitude of centres of pixels (WGS 84), if it is known where they lie."""
        if not self.placed:
            return {}
        centres = np.stack([columns, rows], axis=-1) + 0.5
        return dict(zip(("longitude", "latitude"), self._degrees(centres).T, strict=True))

    def pixel_size(self, row: float) -> tuple[float, float]:
        """Height and width of the pixels of a row in metres."""
        return self._heights[round(row)].item(), self._widths[round(row)].item()

    def pixel_areas(self, rows: np.ndarray) -> np.ndarray:
        """Area of the pixels of rows in square metres, shape (n,)."""
        return (self._heights * self._widths)[np.round(rows).astype(int), 0]

    def extent(
        self, outline: MultiPolygon, row: float, fall: np.ndarray | None
    ) -> tuple[float, float, float]:
        """How far an outline reaches along the slope and across it.

        Args:
            outline: In pixels.
            row: That of its centre, for the size of its pixels.
            fall: From its crown to its toe, as :func:`crown_to_toe` finds it.

        Returns:
            Length from crown to toe, or along the longer side of the smallest rectangle around
            it where the elevation does not say which way it fell; width across that, both in
            metres; and the direction, in degrees clockwise from the grid's north, or not a number.
        """
        height, width = self.pixel_size(row)
        hull = shapely.transform(outline.convex_hull, lambda pixels: pixels * (width, height))
        if fall is None:
            box = shapely.get_coordinates(shapely.minimum_rotated_rectangle(hull))
            sides = np.hypot(*np.diff(box[:3], axis=0).T)
            return float(sides.max()), float(sides.min()), math.nan
        right, down = fall * (width, height)
        right, down = np.array((right, down)) / np.hypot(right, down)
        corners = shapely.get_coordinates(hull)
        along, across = corners @ (right, down), corners @ (-down, right)
        azimuth = float(np.degrees(np.arctan2(right, -down)) % 360)
        return float(np.ptp(along)), float(np.ptp(across)), azimuth

    def _coordinates(self, pixels: np.ndarray) -> np.ndarray:
        """Coordinates of columns and rows, shape (n, 2)."""
        return np.stack(self.transform @ pixels.T, axis=1)

    def _degrees(self, pixels: np.ndarray) -> np.ndarray:
        """Longitude and latitude of columns and rows, shape (n, 2)."""
        return np.stack(self._to_degrees.transform(*self._coordinates(pixels).T), axis=1)


class _Layers:
    """What the bands of a scene say, window by window.

    What layers are relative to, as the vegetation around, is measured in neighbourhoods on
    a lattice, once each, so a layer's value does not depend on the window it is looked at in.

    Args:
        scene: The bands.
        probabilities: Which pixels are observed.
        before: A scene from before the event.

    Raises:
        DataError: If the scene cannot be compared with the earlier one.
    """

    def __init__(
        self, scene: Scene, probabilities: Probabilities, before: Earlier | None = None
    ) -> None:
        fitting = layers_fitting(scene.bands, scene.unit)
        needed = {name for layer in fitting for names in layer.bands for name in names}
        self._bands = tuple(name for name in scene.bands if name in needed)
        self._optical = tuple(name for name in self._bands if name not in TERRAIN)
        self._relative_to = list({name for layer in fitting for name in layer.references})
        self.names = [layer.name for layer in fitting]
        if before is not None:
            check_change(scene)
            self.names.append(NDVI_DROP)
        self._scene, self._probabilities, self._before = scene, probabilities, before
        self._lattice = Lattice(scene.size)
        self._references: dict[Node, tuple[np.ndarray, float]] = {}

    def read(self, window: Window, wanted: np.ndarray) -> dict[str, np.ndarray]:
        """All layers of a window, by name, each of shape (h, w), float32.

        Args:
            window: Lies inside the scene.
            wanted: The pixels for which they are wanted, shape (h, w), bool: layers mean
                nothing elsewhere.
        """
        if self._relative_to:
            self._measure_around(window, wanted)
        values = {name: np.zeros(wanted.shape, np.float32) for name in self.names}
        for cell in blocks(wanted.shape, _CELL):
            if wanted[cell.slices].any():
                for name, part in self._layers_of(cell.moved(window.row, window.column)).items():
                    values[name][cell.slices] = part
        if self._before is not None:
            values[NDVI_DROP] = self._before.ndvi(window) - values["ndvi"]
        return values

    def _layers_of(self, cell: Window) -> dict[str, np.ndarray]:
        """All layers of a small window but what changed."""
        nodes = self._lattice.nodes(cell)
        around = {node: self._references[node] for node in nodes if node in self._references}
        references = {}
        if around:
            local = self._lattice.interpolate(around, cell)
            references = dict(zip(self._relative_to, local, strict=True))
        patch = self._scene.read(cell, self._bands)
        layers = layers_of(patch, references)
        for name in {"slope", "elevation"} & set(layers):
            layers[name] = np.where(patch.observed, layers[name], np.float32(np.nan))
        return layers

    def _measure_around(self, window: Window, wanted: np.ndarray) -> None:
        """Measure what the layers of wanted pixels are relative to, unless it is known."""
        nodes = [n for n in self._lattice.nodes(window, wanted) if n not in self._references]
        for _, group in groupby(nodes, key=lambda node: node[0] // _TOGETHER):
            near = list(group)
            windows = [self._lattice.window(node) for node in near]
            outer = hull(windows)
            observed = self._probabilities.read(outer).observed
            patch = replace(self._scene.read(outer, self._optical), observed=observed)
            places = [window.within(outer) for window in windows]
            measured = references_in(patch, self._relative_to, places)
            for node, place, known in zip(near, places, measured, strict=True):
                values = np.array([known[name] for name in self._relative_to])
                self._references[node] = values, float(observed[place].mean())
