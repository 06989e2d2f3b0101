"""A Sentinel-2 scene: bands, terrain and its classification on one grid, read window by window."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Literal, get_args

import numpy as np
from scipy import ndimage

from landslide_zoo.data.bands import BAND_NAMES, TRUE_COLOUR, Unit, band
from landslide_zoo.data.checks import FEW_BANDS
from landslide_zoo.data.patch import Grid, Patch
from landslide_zoo.errors import DataError, quoted
from landslide_zoo.inference.clouds import Level
from landslide_zoo.mapping.layers import Layer, Terrain
from landslide_zoo.mapping.products import (
    OFFSET,
    OPTICAL,
    QUANTIFICATION,
    SCL,
    Product,
    open_product,
)
from landslide_zoo.mapping.rasters import (
    COARSEST,
    MAX_SIDE,
    Placement,
    Source,
    Window,
    environment,
    input_files,
    open_raster,
    windows_from_the_middle,
)

Scale = Literal["DN", "reflectance", "percent", "landslide4sense", "display"]
"""Digital numbers (reflectance x 10,000); reflectance from 0 to 1, or in per cent; values over
the divisors of Landslide4Sense, as its files hold them; levels of a true-colour picture."""

_FACTORS: dict[Scale, float] = {"DN": 1.0, "reflectance": 1e4, "percent": 100.0}
_ENOUGH = 20_000
"""Pixels by which the values are judged."""


@dataclass
class Radiometry:
    """How stored values become physical values or display values.

    Attributes:
        unit: What they become.
        gains: What they are multiplied by, by band.
        offsets: What is added then, by band.
        notes: What was taken for granted, a sentence each.
    """

    unit: Unit = "physical"
    gains: dict[str, float] = field(default_factory=dict)
    offsets: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def radiometry_of(
    name: str, layers: Sequence[Layer], scale: Scale | None, offset: float | None
) -> Radiometry:
    """What the numbers of a scene without a product's metadata mean.

    Args:
        name: Of the scene, for sentences.
        layers: Its rasters, read as they are stored.
        scale: What the numbers are; told from type, metadata and values where None.
        offset: What is to be added to digital numbers; 0 where None.

    Raises:
        DataError: If the numbers do not tell, or cannot be what was given.
    """
    if scale is not None and scale not in get_args(Scale):
        raise DataError(
            f"There is no scale {quoted(scale)}: choose among {', '.join(get_args(Scale))}."
        )
    optical = [layer for layer in layers if OPTICAL & set(layer.indexes)]
    kind = np.result_type(*(layer.dataset.dtypes[0] for layer in optical))
    if scale == "display" or (scale is None and kind == np.uint8):
        return _display(name, optical, kind)
    if scale is None and (written := _written(optical)):
        return written
    bands, sample = _sample(optical)
    radiometry = Radiometry()
    if scale is None:
        scale = _told_by(name, bands, sample) if kind.kind == "f" else "DN"
        if scale == "display":
            return _display(name, optical, kind)
        if scale != "DN":
            radiometry.notes.append(f"The values of {name} were taken for {_TITLES[scale]}.")
    if scale == "landslide4sense":
        held = {each for layer in layers for each in layer.indexes if each in BAND_NAMES}
        radiometry.gains = {each: band(each).divisor for each in held}
    elif scale != "DN":
        radiometry.gains = dict.fromkeys(bands, _FACTORS[scale])
    if offset:
        radiometry.offsets = dict.fromkeys(bands, offset)
    elif offset is None and scale == "DN" and _seems_offset(sample):
        radiometry.notes.append(
            f"All values of {name} lie above 1000: if it is of processing baseline 04.00 or "
            "later and its offset was not undone, give the offset -1000."
        )
    return radiometry


_TITLES = {
    "reflectance": "reflectance from 0 to 1",
    "percent": "reflectance in per cent",
    "landslide4sense": "digital numbers over the divisors of Landslide4Sense",
}


def _display(name: str, optical: Sequence[Layer], kind: np.dtype) -> Radiometry:
    bands = [each for layer in optical for each in layer.indexes if each in OPTICAL]
    if set(bands) != set(TRUE_COLOUR):
        raise DataError(
            f"{name} holds levels of a picture, and only true colour ({', '.join(TRUE_COLOUR)}) "
            f"can be taken from one; it has {', '.join(bands)}: give the digital numbers instead."
        )
    highest = float(np.iinfo(kind).max) if kind.kind == "u" else 1.0
    return Radiometry("display", gains=dict.fromkeys(TRUE_COLOUR, 1 / highest))


def _written(optical: Sequence[Layer]) -> Radiometry | None:
    """Scale and offset as the rasters themselves state them, for reflectance or digital numbers."""
    stated = {
        name: (layer.dataset.scales[i - 1], layer.dataset.offsets[i - 1])
        for layer in optical
        for name, i in layer.indexes.items()
        if name in OPTICAL
    }
    if set(stated.values()) == {(1.0, 0.0)}:
        return None
    radiometry = Radiometry()
    for name, (gain, offset) in stated.items():
        factor = QUANTIFICATION if gain < 0.01 else 1.0
        radiometry.gains[name], radiometry.offsets[name] = gain * factor, offset * factor
    return radiometry


def _told_by(name: str, bands: Sequence[str], sample: np.ndarray) -> Scale:
    """Which scale real numbers have, judged by the usual values of each band."""
    if not sample.size:
        return "DN"
    median, high = np.median(sample, axis=1), float(np.percentile(sample, 99))
    if len(bands) >= FEW_BANDS:
        usual = np.array([band(each).mean for each in bands])
        factors: dict[Scale, np.ndarray | float] = {
            **_FACTORS,
            "landslide4sense": np.array([band(each).divisor for each in bands]),
        }
        distances = {
            each: float(np.abs(np.log10(np.maximum(median * factor, 0.1) / usual)).mean())
            for each, factor in factors.items()
        }
        return min(distances, key=lambda each: distances[each])
    levels = sample * 255
    if set(bands) == set(TRUE_COLOUR) and high <= 1 and np.allclose(levels, levels.round()):
        return "display"
    if high > 100:
        return "DN"
    if high <= 2:
        return "reflectance"
    raise DataError(
        f"The values of {name} lie below {high:.3g}, and it is not plain what they are: "
        f"give their scale ({', '.join(get_args(Scale))})."
    )


def _seems_offset(sample: np.ndarray) -> bool:
    """Whether no band has dark pixels, as where 1000 was added to all of them."""
    return bool(sample.size and np.percentile(sample, 0.1, axis=1).min() >= -OFFSET)


def _sample(optical: Sequence[Layer]) -> tuple[list[str], np.ndarray]:
    """The optical bands, and values of them where all have some, shape (B, N).

    Raises:
        DataError: If a file is damaged.
    """
    bands = [[each for each in layer.indexes if each in OPTICAL] for layer in optical]
    found: list[np.ndarray] = []
    target = optical[0].target
    for window in windows_from_the_middle((target.height, target.width)):
        parts = [layer.read(window, names) for layer, names in zip(optical, bands, strict=True)]
        values = np.concatenate([part.values for part in parts])
        blank = np.logical_and.reduce([part.blank for part in parts])
        found.append(values[:, ~blank & np.isfinite(values).all(axis=0)])
        if sum(each.shape[1] for each in found) >= _ENOUGH:
            break
    return [name for names in bands for name in names], np.concatenate(found, axis=1)


TERRAIN = ("slope", "DEM")
SCANNED = 4 * 1024 * 1024
"""Pixels looked through at once for a first value."""


def elevation_of(product: Product, dem: str | Path | None, opened: ExitStack) -> Source | None:
    """The elevation raster that was given, or that lies among the bands."""
    if dem is None:
        for source in product.sources:
            if set(source.indexes) == {"DEM"}:
                product.sources.remove(source)
                product.notes.append(f"Elevation was taken from {source.file}.")
                return source
        return None
    found = list(input_files([Path(dem)]))
    if len(found) != 1:
        raise DataError(f"{dem} holds {len(found)} files: give one raster of elevation.")
    file = found[0]
    dataset = opened.enter_context(open_raster(file))
    if dataset.count != 1:
        raise DataError(
            f"{file} has {dataset.count} bands where an elevation raster has one: give one with "
            "elevations in metres."
        )
    own = [name for source in product.sources for name in source.indexes if name in TERRAIN]
    if own:
        product.notes.append(f"{' and '.join(own)} were taken from {file}, not from the scene.")
        for source in product.sources:
            source.indexes = {n: i for n, i in source.indexes.items() if n not in TERRAIN}
        product.sources[:] = [source for source in product.sources if source.indexes]
    return Source(file, dataset, {"DEM": 1})


def placed(product: Product, onto: Placement | None) -> tuple[Placement, list[str]]:
    """The pixels to read on: the finest optical bands', made upright and about 10 m wide."""
    optical = [source for source in product.sources if OPTICAL & set(source.indexes)]
    usual, _ = Counter(source.placement.crs for source in optical).most_common(1)[0]
    finest = min(
        (source for source in optical if source.placement.crs == usual),
        key=lambda source: source.placement.pixel_area,
    )
    own = finest.placement
    if onto is None and max(own.pixel_size) > 1.1 * COARSEST:
        raise DataError(
            f"Pixels of {finest.file} are {round(max(own.pixel_size), 2):g} m wide, and models "
            "know 10 m: give a scene of Sentinel-2."
        )
    placement = onto or own.to_10_metres()
    if max(placement.height, placement.width) > MAX_SIDE:
        raise DataError(
            f"{finest.file} has {placement.height} x {placement.width} pixels of 10 m, more than a "
            f"side of {MAX_SIDE}: cut it into parts."
        )
    notes: list[str] = []
    for source in product.sources:
        other = source.placement
        if not other.overlaps(placement):
            where = "the scene that it is laid onto" if onto else str(finest.file)
            raise DataError(
                f"{source.file} has no ground in common with {where}: give rasters of one place, "
                "all of them with a projection, or all without and of one size."
            )
        if other.crs != own.crs:
            notes.append(
                f"{source.file} is in {other.crs} and {finest.file} in {own.crs}: "
                "it was warped to the latter."
            )
    if own.crs is None:
        notes.append(
            f"{finest.file} has no projection: outputs are in pixels, taken to be 10 m wide, and "
            "lie nowhere on the map."
        )
        if finest.dataset.gcps[0]:
            notes.append("It has ground control points: warp it first (gdalwarp) to place it.")
    elif onto is None and not own.upright:
        notes.append(
            f"{finest.file} is rotated or mirrored: it is resampled to a grid that points north."
        )
    elif onto is None and placement != own:
        height, width = (round(size, 2) for size in own.pixel_size)
        notes.append(
            f"Pixels of {finest.file} are {height:g} x {width:g} m: they are resampled to "
            f"{round(placement.pixel_size[0], 2):g} m, which models know; what smaller pixels show "
            "is lost, and larger ones gain nothing."
        )
    return placement, notes


def set_scales(
    layers: Sequence[Layer], product: Product, scale: Scale | None, offset: float | None
) -> Unit:
    """Tell the layers what their numbers mean; the unit that they become."""
    metadata = product.metadata
    if metadata is None or scale is not None:
        radiometry = radiometry_of(product.name, layers, scale, offset)
    else:
        offsets = metadata.offsets if offset is None else dict.fromkeys(OPTICAL, offset)
        radiometry = Radiometry(
            gains=dict.fromkeys(OPTICAL, metadata.gain),
            offsets={name: added * metadata.gain for name, added in offsets.items()},
        )
        if offset is None and any(offsets.values()):
            added = ", ".join(sorted({f"{each:g}" for each in offsets.values()}))
            radiometry.notes.append(
                f"The offset of {added} was added to its numbers, as {metadata.source} says."
            )
        for layer in layers:  # 0 is no value in a product, though cirrus may be as dark
            layer.zero_is_missing = bool(OPTICAL - {"B10"} & set(layer.indexes))
    for layer in layers:
        layer.gains, layer.offsets = radiometry.gains, radiometry.offsets
    product.notes += radiometry.notes
    return radiometry.unit


def terrain_of(
    elevation: Source | None, layers: Sequence[Layer], placement: Placement
) -> Terrain | None:
    """Slope and elevation from their raster, or from the band that a scene has without a slope."""
    if elevation:
        return Terrain(elevation, placement)
    if any("slope" in layer.indexes for layer in layers):
        return None
    for layer in layers:
        if "DEM" in layer.indexes:
            source = Source(layer.file, layer.dataset, {"DEM": layer.indexes.pop("DEM")})
            return Terrain(source, placement, layer.gains.get("DEM", 1.0))
    return None


def refuse_empty(layers: Sequence[Layer], placement: Placement) -> None:
    """Refuse a scene without any value; a scene that has some is left at the first of them."""
    layer = next(layer for layer in layers if OPTICAL & set(layer.indexes))
    bands = [name for name in layer.indexes if name in OPTICAL]
    size = placement.height, placement.width
    rows = max(1, SCANNED // size[1])
    strips = (Window(row, 0, rows, size[1]).inside(size) for row in range(0, size[0], rows))
    for window in (*windows_from_the_middle(size), *strips):
        values, blank = layer.read(window, bands)
        if (~blank & np.isfinite(values).all(axis=0)).any():
            return
    raise DataError(
        f"{layer.file} has no value anywhere: all of it is nodata or 0; "
        "check that it was downloaded and cut right."
    )


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
