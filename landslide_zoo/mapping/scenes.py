"""A Sentinel-2 scene: bands, terrain and its classification on one grid, read window by window."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock

import numpy as np
from scipy import ndimage

from landslide_zoo.data.bands import BAND_NAMES, Unit
from landslide_zoo.data.grid import Grid
from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import DataError
from landslide_zoo.inference.clouds import Level
from landslide_zoo.mapping.assembly import (
    TERRAIN,
    elevation_of,
    placed,
    refuse_empty,
    set_scales,
    terrain_of,
)
from landslide_zoo.mapping.grids import Placement
from landslide_zoo.mapping.layers import Layer
from landslide_zoo.mapping.naming import OPTICAL, SCL
from landslide_zoo.mapping.products import Product, open_product
from landslide_zoo.mapping.rasters import Source, environment
from landslide_zoo.mapping.scales import Scale
from landslide_zoo.mapping.terrain import Terrain
from landslide_zoo.mapping.windows import Window

CLOUDS = (8, 9, 10)
"""Classes of a scene classification: cloud of medium and of high probability, and thin cirrus."""
SHADOWS = (3,)
"""Its class of cloud shadows."""


@dataclass(eq=False, repr=False)
class Scene:
    """Bands of a scene on one grid of about 10 m. A context manager: leaving it closes its files.

    Attributes:
        name: Of its file, folder or ZIP, without suffix.
        layers: Its rasters.
        classes: The scene classification of a Level-2A product, where it has one.
        terrain: Its elevation and slope, where they are not among the layers.
        placement: Its pixels on the ground.
        unit: ``physical``, or ``display`` for a true-colour picture.
        level: Product level, None where nothing tells.
        notes: What was taken for granted or is odd, a sentence each.
        elevation: Name of the elevation raster; None where the bands hold the terrain, or
            nothing does.
        fingerprint: Another one when the files or what was said of them change.
        opened: Closes the files.
    """

    name: str
    layers: Sequence[Layer]
    classes: Layer | None
    terrain: Terrain | None
    placement: Placement
    unit: Unit
    level: Level | None
    notes: tuple[str, ...]
    elevation: str | None
    fingerprint: str
    opened: ExitStack
    _lock: Lock = field(default_factory=Lock)

    def __enter__(self) -> Scene:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Scene({self.name!r}, {self.size[0]} x {self.size[1]}, {', '.join(self.bands)})"

    @cached_property
    def bands(self) -> tuple[str, ...]:
        """Those that can be read, ``slope`` and ``DEM`` among them where elevation is known."""
        held = {band for layer in self.layers for band in layer.indexes}
        return tuple(b for b in BAND_NAMES if b in held or (self.terrain and b in TERRAIN))

    @property
    def classified(self) -> bool:
        """Whether it has the scene classification of a Level-2A product."""
        return self.classes is not None

    @cached_property
    def grid(self) -> Grid:
        """Its pixels; without place where the files have none."""
        return self.placement.grid

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.placement.height, self.placement.width

    @property
    def whole(self) -> Window:
        """The window that is all of it."""
        return Window(0, 0, *self.size)

    @property
    def covered(self) -> float:
        """Share of it that its optical rasters lie on, 0 to 1: below 1 on another scene's grid."""
        return min(layer.covered for layer in self.layers if OPTICAL & set(layer.indexes))

    def close(self) -> None:
        """Close the files."""
        self.opened.close()

    def read(self, window: Window, bands: Sequence[str] | None = None) -> Patch:
        """The bands of a window. Several threads may ask; one is served at a time.

        Windows read from left to right and then from top to bottom decode each block of
        the files once.

        Args:
            window: Within the scene.
            bands: Names; all that the scene has where None.

        Returns:
            A patch of float32 values in the scene's unit, offsets undone. Pixels that lack
            a value in one of these bands, or are 0 in all optical ones of them, are not
            observed; missing values are those of the nearest pixel that has one, and 0
            where no optical band has any.

        Raises:
            DataError: If the scene lacks a band, or a file is damaged.
        """
        wanted = self.bands if bands is None else tuple(bands)
        self.require(wanted)
        values = np.empty((len(wanted), window.height, window.width), np.float32)
        blank: np.ndarray | None = None
        with self._lock, environment():
            for layer in self.layers:
                places = [i for i, name in enumerate(wanted) if name in layer.indexes]
                if not places:
                    continue
                values[places], dark = layer.read(window, [wanted[i] for i in places])
                if OPTICAL & {wanted[i] for i in places}:
                    blank = dark if blank is None else blank & dark
            if self.terrain and set(wanted) & set(TERRAIN):
                for name, part in zip(TERRAIN, self.terrain.read(window), strict=True):
                    if name in wanted:
                        values[wanted.index(name)] = part
        missing = ~np.isfinite(values)
        observed = np.asarray(~missing.any(axis=0))
        if blank is not None:
            observed &= ~blank
        filled = int(np.count_nonzero(missing))
        if filled:
            optical = [i for i, name in enumerate(wanted) if name in OPTICAL]
            _fill(values, missing, optical)
        return Patch(
            values,
            wanted,
            self.unit,
            self.name,
            observed=observed,
            grid=window.grid(self.grid),
            filled=filled,
        )

    def require(self, bands: Sequence[str]) -> None:
        """Check that the scene has these bands.

        Raises:
            DataError: If it lacks one; the sentence names it and says what to do.
        """
        missing = [name for name in bands if name not in self.bands]
        if not missing:
            return
        advice = "choose a model that needs no more, or give a scene that has them"
        if set(missing) <= set(TERRAIN):
            advice = "give an elevation raster (DEM) with it"
        raise DataError(
            f"{self.name} has no {', '.join(missing)}; it has {', '.join(self.bands)}: {advice}."
        )

    def classification(self, window: Window, classes: Sequence[int] = CLOUDS) -> np.ndarray | None:
        """Where a window is under cloud or cirrus by the product's own scene classification.

        Args:
            window: Within the scene.
            classes: Those looked for: :data:`CLOUDS`, or :data:`SHADOWS`.

        Returns:
            Shape (H, W), bool; None where the scene has no classification.

        Raises:
            DataError: If the file is damaged.
        """
        if self.classes is None:
            return None
        with self._lock, environment():
            return np.isin(self.classes.read(window, (SCL,)).values[0], classes)


def open_scene(
    path: str | Path | Sequence[str | Path],
    dem: str | Path | None = None,
    level: Level | None = None,
    offset: float | None = None,
    bands: Sequence[str] | None = None,
    scale: Scale | None = None,
    onto: Placement | None = None,
    shift: tuple[float, float] = (0.0, 0.0),
) -> Scene:
    """Open a Sentinel-2 scene.

    Args:
        path: A GeoTIFF or COG, a product folder (.SAFE) or its ZIP, a folder of bands,
            or several files of one scene.
        dem: An elevation raster in metres, in any projection and resolution.
        level: Product level; told from metadata and names where None.
        offset: What is to be added to digital numbers (-1000 since processing baseline
            04.00); told from metadata where None, else 0.
        bands: Names of the files' bands in their order, ``-`` for one to leave out; told
            from descriptions, file names or their number where None.
        scale: What the numbers are; told from type, metadata and values where None.
        onto: Pixels to read the scene on, in place of its own.
        shift: Rows and columns by which the scene lies too far up and left on them.

    Returns:
        The scene, its files open.

    Raises:
        DataError: If it is no such scene; the sentence says what to do.

    Example:
        >>> with open_scene("S2A_MSIL2A.SAFE", dem="dem.tif") as scene:  # doctest: +SKIP
        ...     patch = scene.read(Window(0, 0, 512, 512), ("B4", "B3", "B2"))
    """
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(each) for each in path]
    if not paths:
        raise DataError("No scene was given: give a GeoTIFF, a product folder or its ZIP.")
    with ExitStack() as opened, environment():
        product = open_product(paths, bands, opened)
        elevation = elevation_of(product, dem, opened)
        placement, notes = placed(product, onto)
        target = placement.moved(-shift[0], -shift[1])
        layers, classes = [], None
        for source in product.sources:
            if index := source.indexes.pop(SCL, None):
                classes = Layer(source.file, source.dataset, {SCL: index}, target, nearest=True)
                opened.callback(classes.close)
            if source.indexes:
                layers.append(Layer(source.file, source.dataset, source.indexes, target))
                opened.callback(layers[-1].close)
        unit = set_scales(layers, product, scale, offset)
        terrain = terrain_of(elevation, layers, target)
        if terrain:
            opened.callback(terrain.close)
            notes += filter(None, [terrain.note()])
        refuse_empty(layers, placement)
        return Scene(
            name=product.name,
            layers=layers,
            classes=classes,
            terrain=terrain,
            placement=placement,
            unit=unit,
            level=level or product.level,
            notes=(*product.notes, *notes),
            elevation=elevation.file.inner.name if elevation else None,
            fingerprint=_fingerprint(product, elevation, level, offset, bands, scale, onto, shift),
            opened=opened.pop_all(),
        )


def _fill(values: np.ndarray, missing: np.ndarray, optical: Sequence[int]) -> None:
    """Give missing values those of the nearest pixel; 0 where a pixel has no optical one."""
    if optical:
        outside = missing[optical].all(axis=0)
        for i in optical:
            values[i][outside] = 0
            missing[i] &= ~outside
    nearest: np.ndarray | None = None
    for i, where in enumerate(missing):
        if not where.any():
            continue
        if where.all():
            values[i] = 0
            continue
        if nearest is None or not np.array_equal(where, missing[i - 1]):
            nearest = ndimage.distance_transform_edt(
                where, return_distances=False, return_indices=True
            )
        values[i] = values[i][tuple(nearest)]


def _fingerprint(product: Product, elevation: Source | None, *options: object) -> str:
    """SHA-256 over names, sizes and times of the files, and over what was said of them."""
    files = [*product.files, *([elevation.file] if elevation else [])]
    stamps = [file.stamp for file in files]
    return hashlib.sha256(repr((stamps, product.metadata, options)).encode()).hexdigest()
