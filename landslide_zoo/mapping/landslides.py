"""Landslides of a whole scene: found, described and judged by rules as those of a patch are."""

from __future__ import annotations

import math
import tempfile
import weakref
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields, replace
from functools import cache
from itertools import groupby
from operator import add
from pathlib import Path

import numpy as np
import shapely
from affine import Affine
from pyproj import Geod, Transformer
from rasterio.crs import CRS
from rasterio.features import shapes
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely.geometry import MultiPolygon
from shapely.geometry.polygon import orient

from landslide_zoo.data.patch import Grid
from landslide_zoo.inference.indices import layers_fitting, layers_of, references_in
from landslide_zoo.inference.objects import LandslideObject, connected_parts, describe
from landslide_zoo.inference.rules import (
    LISTED,
    DroppedObject,
    cut_by_rules,
    dropped_by,
    why_skipped,
)
from landslide_zoo.mapping.change import NDVI_DROP, Earlier, check_change
from landslide_zoo.mapping.light import Lattice, Node
from landslide_zoo.mapping.probabilities import (
    Listener,
    Probabilities,
    Progress,
    read_plain,
    write_plain,
    writing,
)
from landslide_zoo.mapping.rasters import Placement, Window, blocks, hull
from landslide_zoo.mapping.scenes import TERRAIN, Scene
from landslide_zoo.models.config import Rule

LONGITUDE_LATITUDE = "EPSG:4326"
END = 10
"""Per cent of a landslide's pixels that are its crown, the highest, or its toe, the lowest."""
FLAT = 1.0
"""Metres from crown to toe below which a landslide has no direction to measure along."""
_WGS84 = Geod(ellps="WGS84")


def outlines(labels: np.ndarray, window: Window) -> dict[int, MultiPolygon]:
    """The outlines of the parts of a label image, in pixels of the scene.

    They follow the edges of the pixels: x is the column and y the row, and the scene's
    upper left corner is (0, 0). Pixels that touch at a corner alone are polygons of their own.

    Args:
        labels: Number of each pixel's part, 0 where there is none, shape (h, w), int32.
        window: Where it lies in the scene.
    """
    found = defaultdict(list)
    shift = np.array([window.column, window.row])
    # Four neighbours: a ring that meets itself at a corner would not be valid.
    for shape, number in shapes(labels, mask=labels > 0, connectivity=4):
        shell, *holes = (np.array(ring) + shift for ring in shape["coordinates"])
        found[int(number)].append(shapely.Polygon(shell, holes))
    return {
        number: shapely.normalize(shapely.MultiPolygon(parts)) for number, parts in found.items()
    }


def joined(pieces: Sequence[MultiPolygon]) -> MultiPolygon:
    """The outline of a part that was cut into pieces, without the corners that cuts leave."""
    whole = shapely.normalize(shapely.simplify(shapely.union_all(pieces), 0))
    return whole if isinstance(whole, MultiPolygon) else MultiPolygon([whole])


def crown_to_toe(rows: np.ndarray, columns: np.ndarray, elevation: np.ndarray) -> np.ndarray | None:
    """The way from the centre of a landslide's highest tenth to that of its lowest.

    Args:
        rows: Of its pixels, shape (n,).
        columns: Likewise.
        elevation: Likewise, in metres; NaN where it is not known.

    Returns:
        Columns and rows, shape (2,); None where the ground is flat or not known.
    """
    known = ~np.isnan(elevation)
    if not known.any():
        return None
    places, heights = np.stack([columns[known], rows[known]], axis=1), elevation[known]
    low, high = np.percentile(heights, (END, 100 - END))
    way = places[heights <= low].mean(axis=0) - places[heights >= high].mean(axis=0)
    return way if high - low >= FLAT and way.any() else None


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a landslide reaches.

    Attributes:
        length: In the direction from its crown to its toe, or along the longer side of the
            smallest rectangle around it where the elevation does not tell them; metres.
        width: Across it, in metres.
        azimuth: Direction from crown to toe, in degrees clockwise from the grid's north, or None.
    """

    length: float
    width: float
    azimuth: float | None


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
        if grid.crs is not None and grid.transform is not None:
            self._to_degrees = Transformer.from_crs(grid.crs, LONGITUDE_LATITUDE, always_xy=True)
            crs, self._transform = CRS.from_user_input(grid.crs), Affine(*grid.transform)
            self._heights, self._widths = Placement(crs, self._transform, *size).pixel_sizes
        else:
            self._heights, self._widths = (np.full((size[0], 1), s) for s in grid.pixel_size)

    @property
    def even(self) -> bool:
        """Whether all pixels have one size: not in degrees, nor in a stretched projection."""
        return not (np.ptp(self._heights) or np.ptp(self._widths))

    def place(self, outline: MultiPolygon) -> MultiPolygon:
        """An outline in pixels, in coordinates of the grid; in pixels where there are none."""
        return shapely.transform(outline, self._coordinates) if self.placed else outline

    def longitude_latitude(self, row: float, column: float) -> tuple[float, float] | None:
        """Where the centre of a pixel lies, in degrees (WGS 84); None where it is not known."""
        if not self.placed:
            return None
        ((longitude, latitude),) = self._degrees(np.array([[column + 0.5, row + 0.5]]))
        return float(longitude), float(latitude)

    def pixel_size(self, row: float) -> tuple[float, float]:
        """Height and width of the pixels of a row in metres."""
        return self._heights[round(row)].item(), self._widths[round(row)].item()

    def pixel_areas(self, rows: np.ndarray) -> np.ndarray:
        """Area of the pixels of rows in square metres, shape (n,)."""
        return (self._heights * self._widths)[rows, 0]

    def area(self, outline: MultiPolygon) -> float:
        """Area of an outline in square metres, on the ellipsoid where pixels differ in size."""
        if self.even:
            height, width = self.pixel_size(0)
            return outline.area * height * width
        degrees = shapely.transform(outline, self._degrees)
        # How a ring turns gives its area a sign: holes turn against their shell.
        parts = [orient(part) for part in degrees.geoms]
        return float(sum(_WGS84.geometry_area_perimeter(part)[0] for part in parts))

    def extent(self, outline: MultiPolygon, row: float, fall: np.ndarray | None) -> Extent:
        """How far an outline reaches along the slope and across it.

        Args:
            outline: In pixels.
            row: That of its centre, for the size of its pixels.
            fall: From its crown to its toe, as :func:`crown_to_toe` finds it.
        """
        height, width = self.pixel_size(row)
        hull = shapely.transform(outline.convex_hull, lambda pixels: pixels * (width, height))
        if fall is None:
            box = shapely.get_coordinates(shapely.minimum_rotated_rectangle(hull))
            sides = np.hypot(*np.diff(box[:3], axis=0).T)
            return Extent(float(sides.max()), float(sides.min()), None)
        right, down = fall[:2] * (width, height)
        right, down = np.array((right, down)) / np.hypot(right, down)
        corners = shapely.get_coordinates(hull)
        along, across = corners @ (right, down), corners @ (-down, right)
        azimuth = float(np.degrees(np.arctan2(right, -down)) % 360)
        return Extent(float(np.ptp(along)), float(np.ptp(across)), azimuth)

    def _coordinates(self, pixels: np.ndarray) -> np.ndarray:
        """Coordinates of columns and rows, shape (n, 2)."""
        return np.stack(self._transform @ pixels.T, axis=1)

    def _degrees(self, pixels: np.ndarray) -> np.ndarray:
        """Longitude and latitude of columns and rows, shape (n, 2)."""
        return np.stack(self._to_degrees.transform(*self._coordinates(pixels).T), axis=1)


NOTHING = -1
"""Kind of a pixel that belongs to no part."""
HIDDEN = np.iinfo(np.uint32).max
"""Label of a pixel that a caller marked as hidden."""
_STORED = np.dtype(np.uint32)


@dataclass(frozen=True, eq=False)
class Parts:
    """What is known of connected parts, one value each in arrays of shape (n,).

    Attributes:
        kind: What its pixels have in common.
        pixels: Number of pixels.
        first: Its first pixel, counted along the rows of the scene: no two parts share it.
        top: First row.
        left: First column.
        bottom: Last row.
        right: Last column.
    """

    kind: np.ndarray
    pixels: np.ndarray
    first: np.ndarray
    top: np.ndarray
    left: np.ndarray
    bottom: np.ndarray
    right: np.ndarray

    def __len__(self) -> int:
        return len(self.kind)

    def window(self, index: int) -> Window:
        """The smallest window around a part."""
        sides = (self.top, self.left, self.bottom, self.right)
        top, left, bottom, right = (int(side[index]) for side in sides)
        return Window(top, left, bottom - top + 1, right - left + 1)

    @classmethod
    def together(cls, several: Sequence[Parts]) -> Parts:
        """The parts of several, one after the other."""
        nothing = np.zeros(0, dtype=np.int64)
        names = [field.name for field in fields(cls)]
        return cls(
            *(np.concatenate([nothing, *(getattr(one, name) for one in several)]) for name in names)
        )

    def taken(self, order: np.ndarray) -> Parts:
        """The parts at these places, in this order."""
        return Parts(*(getattr(self, field.name)[order] for field in fields(self)))

    def joined(self, group: np.ndarray) -> Parts:
        """One part for each group.

        Args:
            group: Number of the group of each part, from 0 without gaps, shape (n,).
        """
        order = np.argsort(group, kind="stable")
        starts = np.flatnonzero(np.diff(group[order], prepend=-1))
        of_parts = self.taken(order)
        return Parts(
            kind=np.minimum.reduceat(of_parts.kind, starts),
            pixels=np.add.reduceat(of_parts.pixels, starts),
            first=np.minimum.reduceat(of_parts.first, starts),
            top=np.minimum.reduceat(of_parts.top, starts),
            left=np.minimum.reduceat(of_parts.left, starts),
            bottom=np.maximum.reduceat(of_parts.bottom, starts),
            right=np.maximum.reduceat(of_parts.right, starts),
        )


class Labelling:
    """Labels of a scene: first blocks are added, row by row of blocks, then they are joined.

    Pixels of one kind that touch, at a corner too, belong to one part.

    Args:
        size: Height and width of the scene in pixels.
        folder: Where the file of labels lies; among the temporary files where None.

    Raises:
        DataError: If the file cannot be made.
    """

    def __init__(self, size: tuple[int, int], folder: Path | None = None) -> None:
        self._size = size
        self._found: list[Parts] = []
        self._count = 0
        self._touching: list[np.ndarray] = []
        self._number = np.zeros(1, dtype=np.uint32)  # of each label, once joined
        with writing(folder or Path(tempfile.gettempdir())):
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed with this
            weakref.finalize(self, self._file.close)
            self._file.truncate(size[0] * size[1] * _STORED.itemsize)

    def add(self, window: Window, kinds: np.ndarray, hidden: np.ndarray | None = None) -> None:
        """Label a block; those above and to the left of it have been added.

        Args:
            window: Where it lies.
            kinds: Kind of each pixel, :data:`NOTHING` where there is none, shape (h, w).
            hidden: Pixels to mark with :data:`HIDDEN`, shape (h, w), bool.
        """
        labels, found = parts_of_kinds(kinds, window, self._size[1])
        self._found.append(found)
        stored = np.where(labels > 0, labels + self._count, 0).astype(_STORED)
        if hidden is not None:
            stored[hidden] = HIDDEN
        self._count += len(found)
        if stored.any():
            write_plain(self._file.fileno(), window, self._size[1], stored)
            self._touch(window)

    def join(self) -> Parts:
        """Join what touches over the borders of blocks, once all of them are added.

        Returns:
            The parts of the scene in the order of their first pixels, by which they are
            numbered from 1.
        """
        every = Parts.together(self._found)
        pairs = np.concatenate([*self._touching, np.zeros((0, 2), np.int64)]) - 1
        one, other = pairs[every.kind[pairs[:, 0]] == every.kind[pairs[:, 1]]].T
        alike = coo_array((np.ones(len(one)), (one, other)), shape=(self._count, self._count))
        _, group = connected_components(alike, directed=False)
        parts = every.joined(group)
        order = np.argsort(parts.first)
        number = np.empty(len(order), dtype=np.uint32)
        number[order] = np.arange(1, len(order) + 1)
        self._number = np.concatenate([np.zeros(1, np.uint32), number[group]])
        self._found, self._touching = [], []
        return parts.taken(order)

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """The labels of a window, after they are joined.

        Returns:
            The number of each pixel's part, 0 where there is none, shape (h, w), int32;
            and the pixels marked as hidden, bool.
        """
        stored = self._stored(window)
        hidden = stored == HIDDEN
        return self._number[np.where(hidden, 0, stored)].astype(np.int32), hidden

    def _stored(self, window: Window) -> np.ndarray:
        return read_plain(self._file.fileno(), window, self._size[1], _STORED)

    def _touch(self, window: Window) -> None:
        """Note which labels of a block touch those above it and to the left of it."""
        top, left, height, width = window
        frame, inside = (
            Window(top - 1, left - 1, height + 2, width + 2),
            window.padded(1, self._size),
        )
        labels = np.zeros((frame.height, frame.width), dtype=_STORED)
        labels[inside.within(frame)] = self._stored(inside)
        self._note(labels[1, 1:-1], labels[0])
        self._note(labels[1:-1, 1], labels[:, 0])

    def _note(self, line: np.ndarray, before: np.ndarray) -> None:
        """Note which labels of a line touch those of the line before, a pixel longer each way."""
        beside = np.stack([before[:-2], before[1:-1], before[2:]])
        pairs = np.stack([np.broadcast_to(line, beside.shape), beside], axis=-1).reshape(-1, 2)
        real = ((pairs > 0) & (pairs < HIDDEN)).all(axis=1)
        if real.any():
            self._touching.append(np.unique(pairs[real], axis=0).astype(np.int64))


def parts_of_kinds(kinds: np.ndarray, window: Window, scene_width: int) -> tuple[np.ndarray, Parts]:
    """The parts of a window by itself.

    Args:
        kinds: Kind of each pixel, :data:`NOTHING` where there is none, shape (h, w).
        window: Where it lies.
        scene_width: Of the scene, in pixels.

    Returns:
        The number of each pixel's part, from 1, shape (h, w), int32; and those parts in the
        order of their numbers, with their place in the scene.
    """
    labels, count = np.zeros(kinds.shape, dtype=np.int32), 0
    for kind in np.unique(kinds[kinds != NOTHING]):
        part, parts = connected_parts(kinds == kind)
        labels[part > 0] = part[part > 0] + count
        count += parts
    rows, columns = np.nonzero(labels)
    top, left = rows + window.row, columns + window.column
    each = Parts(  # of one pixel each
        kind=kinds[rows, columns].astype(np.int16),
        pixels=np.ones(len(rows), dtype=np.int64),
        first=top * scene_width + left,
        top=top,
        left=left,
        bottom=top,
        right=left,
    )
    return labels, each.joined(labels[rows, columns] - 1)


_KINDS = {
    field.name: int if field.type == "int" else float
    for field in fields(LandslideObject)
    if field.name != "attributes"
}
"""Of the measures that every object has, in their order."""
_OWN = len(_KINDS)
_NUMBER = list(_KINDS).index("number")


@dataclass(frozen=True, eq=False, slots=True)
class Landslide:
    """One landslide of a scene, or what a rule dropped.

    Attributes:
        names: Names of the attributes of its object.
        numbers: Measures of the object and its attributes; then area, extent and place.
        wkb: Its outline.
        rule: The rule that dropped it; None for a landslide.
        why: What of it breaks the rule, in a sentence.
    """

    names: tuple[str, ...]
    numbers: array[float]
    wkb: bytes
    rule: Rule | None = None
    why: str | None = None

    @classmethod
    def of(
        cls,
        one: LandslideObject,
        outline: MultiPolygon,
        area: float,
        extent: Extent,
        place: tuple[float, float] | None,
    ) -> Landslide:
        """From what is known of it; the properties say what each is."""
        own = (getattr(one, name) for name in _KINDS)
        azimuth = math.nan if extent.azimuth is None else extent.azimuth
        last = (area, extent.length, extent.width, azimuth, *(place or (math.nan, math.nan)))
        numbers = array("d", (*own, *one.attributes.values(), *last))
        return cls(_shared(tuple(one.attributes)), numbers, shapely.to_wkb(outline))

    @property
    def object(self) -> LandslideObject:
        """What it is like.

        Its rows and columns are those of the scene, its hectares and perimeter those on
        the ground.
        """
        own = {name: kind(n) for (name, kind), n in zip(_KINDS.items(), self.numbers, strict=False)}
        attributes = dict(zip(self.names, self.numbers[_OWN:], strict=False))
        return LandslideObject(**own, attributes=attributes)  # type: ignore[arg-type]

    @property
    def outline(self) -> MultiPolygon:
        """Along the edges of its pixels, in pixels of the scene: x is the column, y the row."""
        return shapely.from_wkb(self.wkb)

    @property
    def area(self) -> float:
        """In square metres."""
        return self.numbers[-6]

    @property
    def extent(self) -> Extent:
        """How far it reaches along the slope and across it."""
        length, width, azimuth = self.numbers[-5:-2]
        return Extent(length, width, None if math.isnan(azimuth) else azimuth)

    @property
    def place(self) -> tuple[float, float] | None:
        """Longitude and latitude of its centre, in degrees; None where they are not known."""
        longitude, latitude = self.numbers[-2:]
        return None if math.isnan(longitude) else (longitude, latitude)

    def by(self, rule: Rule) -> Landslide:
        """The same, dropped by a rule."""
        return replace(self, rule=rule, why=DroppedObject.by(rule, self.object).why)

    def numbered(self, number: int) -> Landslide:
        """The same with another number."""
        numbers = self.numbers[:]
        numbers[_NUMBER] = number
        return replace(self, numbers=numbers)


@cache
def _shared(names: tuple[str, ...]) -> tuple[str, ...]:
    """The same names, kept once for all that have them."""
    return names


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


PIECE = 512
"""Side of a piece in pixels."""
SAMPLE = 500_000
"""Pixels by which the layers are summed up, at most."""
_EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


def describe_large(
    views: Views, labelling: Labelling, number: int, window: Window, pixels: int, grid: Grid
) -> tuple[LandslideObject, MultiPolygon, np.ndarray | None]:
    """Describe one part of a scene.

    Args:
        views: The scene.
        labelling: Its labels, joined.
        number: The part's label.
        window: The smallest window around it.
        pixels: How many pixels it has.
        grid: The scene's.

    Returns:
        What it is like; its outline in pixels; and the way from its crown to its toe.
    """
    step, met = -(-pixels // SAMPLE), 0
    sums, highest, probability = np.zeros(6), 0.0, 0.0
    rim = np.zeros(3, dtype=np.int64)
    samples: dict[str, list[np.ndarray]] = {}
    places: list[np.ndarray] = []
    pieces: list[MultiPolygon] = []
    for small in blocks((window.height, window.width), PIECE):
        piece = small.moved(window.row, window.column)
        around = piece.padded(1, views.size)
        labels, _ = labelling.read(around)
        own = labels == number
        if not own.any():
            continue
        view, layers = views.view(around), views.layers_in(around, own)
        core = piece.within(around)
        edge = ndimage.binary_dilation(own, _EIGHT_NEIGHBOURS) & ~own
        water = edge & view.observed & (layers.get("ndwi", np.zeros(own.shape)) > 0)
        rim += [np.count_nonzero(each[core]) for each in (edge, edge & ~view.observed, water)]
        own = own[core]
        if not own.any():
            continue
        rows, columns = np.argwhere(own).T + np.array([[piece.row], [piece.column]], np.float64)
        powers = (rows, columns, rows**2, columns**2, rows * columns)
        sums += [len(rows), *map(np.sum, powers)]
        probabilities = view.probability[core][own]
        probability += float(probabilities.sum(dtype=np.float64))
        highest = max(highest, float(probabilities.max()))
        chosen = (np.arange(len(rows)) + met) % step == 0
        met += len(rows)
        places.append(np.stack([rows, columns])[:, chosen])
        for name, values in layers.items():
            samples.setdefault(name, []).append(values[core][own][chosen])
        pieces += outlines(own.astype(np.int32), piece).values()
    outline = joined(pieces)
    row, column = sums[1:3] / pixels
    layers = {name: np.concatenate(parts) for name, parts in samples.items()}
    attributes = _summed_up(layers, grid)
    fall = None
    if "elevation" in layers:
        rows, columns = np.concatenate(places, axis=1)
        fall = crown_to_toe(rows, columns, layers["elevation"])
    hidden, water = (round(float(each), 3) for each in rim[1:] / max(1, rim[0]))
    attributes["hidden_contact"] = hidden
    if "ndwi" in samples:
        attributes["water_contact"] = water
    one = LandslideObject(
        number=number,
        pixels=pixels,
        hectares=grid.hectares(pixels),
        row=round(float(row), 1),
        column=round(float(column), 1),
        top=window.row,
        left=window.column,
        bottom=window.row + window.height - 1,
        right=window.column + window.width - 1,
        mean_probability=round(probability / pixels, 4),
        max_probability=round(highest, 4),
        attributes={**_shape(sums, outline, grid), **attributes},
    )
    return one, outline, fall


def _summed_up(layers: dict[str, np.ndarray], grid: Grid) -> dict[str, float]:
    """What layers (n,) say of the pixels of one object."""
    if not layers:
        return {}
    count = len(next(iter(layers.values())))
    row = np.ones((1, count), dtype=np.int32)
    samples = {name: values[None] for name, values in layers.items()}
    (one,) = describe(row, row.astype(np.float32), row > 0, grid, samples)
    own = ("perimeter", "elongation", "compactness", "hidden_contact", "water_contact")
    return {name: value for name, value in one.attributes.items() if name not in own}


def _shape(sums: np.ndarray, outline: MultiPolygon, grid: Grid) -> dict[str, float]:
    """The measures of shape of :func:`landslide_zoo.inference.objects.describe`."""
    height, width = grid.pixel_size
    metres = shapely.transform(outline, lambda pixels: pixels * (width, height))
    # Steps around a slanting edge are longer than the edge, by 4 / pi in the mean.
    perimeter = metres.length * np.pi / 4
    _, row, column, rows, columns, both = sums / sums[0]
    down, across = rows - row**2, columns - column**2
    covariance = np.array([[down, both - row * column], [both - row * column, across]])
    short, long = 4 * np.sqrt(np.linalg.eigvalsh(covariance).clip(0))
    return {
        "perimeter": round(float(perimeter), 1),
        "elongation": round(float((long + 1) / (short + 1)), 3),
        "compactness": round(min(1.0, float(4 * np.pi * metres.area / perimeter**2)), 3),
    }


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
    is what :func:`landslide_zoo.inference.predict` finds in the patch.

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
        shapes = outlines(labels, view.window)
        for one in describe(labels, view.probability, view.observed, self.ground.grid, layers):
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
