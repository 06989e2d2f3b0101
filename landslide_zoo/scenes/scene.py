"""A Sentinel-2 scene: bands, terrain and its classification on one grid, read window by window."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Literal, NamedTuple

import numpy as np

from landslide_zoo.data.bands import BAND_NAMES, TRUE_COLOUR, Unit, band
from landslide_zoo.data.checks import FEW_BANDS, all_bright, is_clear, is_reflectance
from landslide_zoo.data.patch import Grid, Patch
from landslide_zoo.errors import DataError
from landslide_zoo.scenes.area import Box, part_of
from landslide_zoo.scenes.layers import (
    OPTICAL,
    SCL,
    TERRAIN,
    Raster,
    Terrain,
    fill_missing,
)
from landslide_zoo.scenes.products import (
    OFFSET,
    QUANTIFICATION,
    Product,
    elevation_of,
    open_product,
)
from landslide_zoo.scenes.rasters import (
    COARSEST,
    MAX_SIDE,
    Placement,
    Window,
    environment,
    windows_from_the_middle,
)
from landslide_zoo.settings import Level

CLOUDS = (8, 9, 10)
"""Classes of a scene classification: cloud of medium and of high probability, and thin cirrus."""
SHADOWS = (3,)
"""Its class of cloud shadows."""
Scale = Literal["DN", "reflectance", "percent", "landslide4sense", "display"]
"""Digital numbers (reflectance x 10,000); reflectance from 0 to 1, or in per cent; values over
the divisors of Landslide4Sense, as its files hold them; levels of a true-colour picture."""
DIGITAL_NUMBERS = "digital numbers"
_SCALES: dict[Scale, str] = {
    "DN": DIGITAL_NUMBERS,
    "landslide4sense": "digital numbers over the divisors of Landslide4Sense",
    "reflectance": "reflectance from 0 to 1",
    "percent": "reflectance in per cent",
}
_ENOUGH = 150_000
"""Pixels by which the values are judged."""
_FILL = 0.01
"""Share of the pixels from which one number far from all others is no value."""
_SCANNED = 1024
"""Side of the lattice on which a first value is looked for."""


@dataclass(eq=False, repr=False)
class Scene:
    """Bands of a scene on one grid of about 10 m. A context manager: leaving it closes its files.

    Attributes:
        name: Of its file, folder or ZIP, without suffix.
        rasters: Those of its bands.
        classes: The scene classification of a Level-2A product, where it has one.
        terrain: Its elevation and slope, where they are not among the bands.
        placement: Its pixels on the ground.
        target: The same, shifted to where its rasters say that they lie.
        unit: ``physical``, or ``display`` for a true-colour picture.
        level: Product level, None where nothing tells.
        notes: What was taken for granted or is odd, a sentence each.
        elevation: Name of the elevation raster; None where the bands hold the terrain, or
            nothing does.
        fingerprint: Another one when the files or what was said of them change.
        companions: Whether what lies beside its files counts.
        opened: Closes the files.
    """

    name: str
    rasters: Sequence[Raster]
    classes: Raster | None
    terrain: Terrain | None
    placement: Placement
    target: Placement
    unit: Unit
    level: Level | None
    notes: tuple[str, ...]
    elevation: str | None
    fingerprint: str
    companions: bool
    opened: ExitStack
    _lock: Lock = field(default_factory=Lock)

    def __enter__(self) -> Scene:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def bands(self) -> tuple[str, ...]:
        """Those that can be read, ``slope`` and ``DEM`` among them where elevation is known."""
        held = {name for raster in self.rasters for name in raster.indexes}
        return tuple(b for b in BAND_NAMES if b in held or (self.terrain and b in TERRAIN))

    @cached_property
    def grid(self) -> Grid:
        """Its pixels; without place where the files have none."""
        return self.placement.grid

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.placement.size

    @property
    def whole(self) -> Window:
        """The window that is all of it."""
        return Window(0, 0, *self.size)

    @property
    def covered(self) -> float:
        """Share of it that its optical rasters lie on, 0 to 1: below 1 on another scene's grid."""
        return min(r.placement.share_of(self.target) for r in self.rasters if r.optical)

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
        with self._lock, environment(companions=self.companions):
            for raster in self.rasters:
                if places := [i for i, name in enumerate(wanted) if name in raster.indexes]:
                    names = [wanted[i] for i in places]
                    values[places] = raster.read(self.target.window(window), names)
            if self.terrain and set(wanted) & set(TERRAIN):
                for name, part in zip(TERRAIN, self.terrain.read(window), strict=True):
                    if name in wanted:
                        values[wanted.index(name)] = part
        missing = np.isnan(values)
        observed = np.asarray(~missing.any(axis=0))
        optical = [i for i, name in enumerate(wanted) if name in OPTICAL]
        if optical:
            observed &= (values[optical] != 0).any(axis=0)
        if missing.any():
            fill_missing(values, missing, optical)
        name, grid = self.name, window.grid(self.grid)
        return Patch(values, wanted, self.unit, name, observed=observed, grid=grid)

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

    def classification(self, window: Window, classes: Sequence[int] = CLOUDS) -> np.ndarray:
        """Where a window is under cloud or cirrus by the product's own scene classification.

        Args:
            window: Within the scene.
            classes: Those looked for: :data:`CLOUDS`, or :data:`SHADOWS`.

        Returns:
            Shape (H, W), bool; nowhere, if the scene has no classification.

        Raises:
            DataError: If the file is damaged.
        """
        if self.classes is None:
            return np.zeros((window.height, window.width), bool)
        with self._lock, environment(companions=self.companions):
            (found,) = self.classes.read(self.target.window(window), (SCL,), nearest=True)
            return np.isin(found, classes)


def open_scene(
    path: str | Path | Sequence[str | Path],
    dem: str | Path | None = None,
    level: Level | None = None,
    offset: float | None = None,
    bands: Sequence[str] | None = None,
    scale: Scale | None = None,
    *,
    aoi: str | Path | Box | None = None,
    onto: Placement | None = None,
    shift: tuple[float, float] = (0.0, 0.0),
    companions: bool = True,
    max_pixels: int | None = None,
) -> Scene:
    """Open a Sentinel-2 scene.

    Args:
        path: A GeoTIFF or COG, a product folder (.SAFE) or its ZIP, a folder of bands,
            or several files of one scene.
        dem: An elevation raster, in any projection and resolution; in metres, unless its
            tags name another unit or a scale.
        level: Product level; detected from metadata and names where None.
        offset: What is to be added to digital numbers (-1000 since processing baseline
            04.00); detected where None.
        bands: Names of the files' bands in their order, ``-`` for one to leave out;
            detected from descriptions, file names, colours or their number where None.
        scale: What the numbers are; detected where None.
        aoi: The area of interest: a vector file with polygons, or west, south, east and north
            in degrees. Only the part of the scene around it is read.
        onto: Pixels to read the scene on, in place of its own.
        shift: Rows and columns by which the scene lies too far up and left on them.
        companions: Whether masks, names and places in files beside a raster count; not
            where strangers may have laid them there.
        max_pixels: A larger scene is refused before any of it is read.

    Returns:
        The scene, its files open.

    Raises:
        DataError: If it is no such scene; the sentence says what to do.

    Example:
        >>> with open_scene("S2A_MSIL2A.SAFE", dem="dem.tif") as scene:  # doctest: +SKIP
        ...     patch = scene.read(Window(0, 0, 512, 512), ("B4", "B3", "B2"))
    """
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(each) for each in path]
    with ExitStack() as opened, environment(companions=companions):
        product = open_product(paths, bands, opened)
        elevation = elevation_of(product, dem, opened)
        placement = _placed(product, onto, aoi, max_pixels)
        target = placement.moved(-shift[0], -shift[1])
        files = [Path(f) for r in (*product.rasters, elevation) if r for f in r.dataset.files]
        classes = next((r for r in product.rasters if SCL in r.indexes), None)
        rasters = [raster for raster in product.rasters if raster is not classes]
        held = {name: raster for raster in rasters for name in raster.indexes}
        unit = _set_scales(rasters, product, target, scale, offset)
        if not elevation and "DEM" in held and "slope" not in held:
            raster, index = held["DEM"], held["DEM"].indexes.pop("DEM")
            elevation = Raster(raster.file, raster.dataset, {"DEM": index}, raster.gains)
        terrain = Terrain(elevation, target) if elevation else None
        product.notes += terrain.notes if terrain else []
        # A coordinate system's own representation changes as it is used.
        pixels = placement.grid, placement.size, onto is None
        options = (product.metadata, level, offset, bands, scale, pixels, shift, companions)
        return Scene(
            name=product.name,
            rasters=rasters,
            classes=classes,
            terrain=terrain,
            placement=placement,
            target=target,
            unit=unit,
            level=level or product.level,
            notes=tuple(product.notes),
            elevation=elevation.file.inner.name if elevation else None,
            fingerprint=_fingerprint(files, *options),
            companions=companions,
            opened=opened.pop_all(),
        )


def _placed(
    product: Product,
    onto: Placement | None,
    aoi: str | Path | Box | None,
    max_pixels: int | None,
) -> Placement:
    """The pixels to read on: the finest optical bands', made upright and about 10 m wide."""
    optical = [raster for raster in product.rasters if raster.optical]
    usual, _ = Counter(raster.placement.crs for raster in optical).most_common(1)[0]
    finest = min(
        (raster for raster in optical if raster.placement.crs == usual),
        key=lambda raster: raster.placement.pixel_size,
    )
    own, notes = finest.placement, product.notes
    if onto is None and max(own.pixel_size) > 1.1 * COARSEST:
        size = max(own.pixel_size)
        raise DataError(
            f"Pixels of {finest.file} are {size:.4g} m wide: give a scene of Sentinel-2."
        )
    whole = onto or own.to_10_metres()
    placement = whole
    if aoi is not None:
        placement = whole.window(part_of(whole, aoi, product.name))
        notes.append(
            f"Only the part of {product.name} around the area that was asked for was read: "
            "{} x {} pixels of {} x {}.".format(*placement.size, *whole.size)
        )
    height, width = placement.size
    if max(height, width) > MAX_SIDE or height * width > (max_pixels or MAX_SIDE**2):
        limit = f"{(max_pixels or MAX_SIDE**2) / 1e6:g} million"
        raise DataError(f"{product.name} is {height} x {width} pixels of 10 m, more than {limit}.")
    for raster in product.rasters:
        if not raster.placement.share_of(placement):
            raise DataError(
                f"{raster.file} has no ground in common with {product.name}: give rasters of one "
                "place, all of them with a projection, or all without and of one size."
            )
    if own.crs is None:
        notes.append(
            f"{finest.file} has no projection: outputs are in pixels, taken to be 10 m wide, and "
            "lie nowhere on the map."
        )
    elif onto is None and whole != own:
        (down, right), pixel = own.pixel_size, whole.pixel_size[0]
        notes.append(
            f"{finest.file} has pixels of {down:.4g} x {right:.4g} m: it is resampled to pixels of "
            f"{pixel:.4g} m in rows from north to south, which models know."
        )
    return placement


class _Reading(NamedTuple):
    """One way to understand stored numbers: values x gain + offset is reflectance x 10,000.

    Attributes:
        words: What the numbers are then.
        gain: For all bands, or for each, shape (B, 1).
        offset: Likewise.
        hint: Whether a tag, a name or a file beside says so.
    """

    words: str
    gain: float | np.ndarray
    offset: float | np.ndarray = 0.0
    hint: bool = False


def _set_scales(
    rasters: Sequence[Raster],
    product: Product,
    target: Placement,
    scale: Scale | None,
    offset: float | None,
) -> Unit:
    """Find out what stored numbers mean: of all that they may be, the first that fits.

    Metadata, tags and names are hints; whether the numbers can be reflectance is judged by
    their values. What was given explicitly is taken as it is, with a note if it does not fit.
    """
    optical = [raster for raster in rasters if raster.optical]
    kind = np.result_type(*(raster.dataset.dtypes[0] for raster in optical))
    bands = [name for raster in optical for name in raster.optical]
    if product.metadata:
        for raster in optical:  # 0 is no value in a product, though cirrus may be as dark
            raster.zero_is_missing = kind.kind == "u"
    sample = _sample(optical, target, product.notes)
    if scale == "display" or (scale is None and _is_picture(kind, bands, sample)):
        if set(bands) != set(TRUE_COLOUR):
            raise DataError(
                f"{product.name} holds levels of a picture, and only true colour can be taken from "
                f"one; it has {', '.join(bands)}: give the digital numbers instead."
            )
        highest = float(np.iinfo(kind).max) if kind.kind == "u" else 1.0
        for raster in optical:
            raster.gains = dict.fromkeys(bands, 1 / highest)
        return "display"
    explicit = scale is not None or (offset is not None and kind.kind != "f")
    chosen, rejected = None, ""
    for reading in _readings(product, optical, bands, sample, scale, offset):
        values = sample * reading.gain + reading.offset
        if explicit:
            chosen = reading
            if not is_reflectance(values, bands):
                product.notes.append(
                    f"Taken for {reading.words}, as was asked for, the values of {product.name} "
                    "are not those of Sentinel-2 over land: check --scale, --offset and --bands."
                )
        elif is_reflectance(values, bands):
            chosen = reading
            if not (reading.hint or offset is not None) and all_bright(values):
                added = f"{reading.words} to which {-OFFSET / np.max(reading.gain):g} was added"
                clear = is_clear(values + OFFSET, bands)
                chosen = reading._replace(words=added, offset=OFFSET) if clear else None
        else:
            rejected = rejected or (reading.words if reading.hint else "")
            continue
        break
    if chosen is None:
        low, high = np.percentile(sample, (1, 99))
        raise DataError(
            f"The values of {product.name}, most of them from {low:.4g} to {high:.4g}, are not "
            "plain: no usual scale, or more than one, makes them those of Sentinel-2 over land. "
            "Give their --scale, --offset (0 or -1000), or the order of the --bands."
        )
    if rejected or not (explicit or chosen.words == DIGITAL_NUMBERS):
        instead = f" and not for {rejected}" if rejected else ""
        product.notes.append(
            f"The values of {product.name} were taken for {chosen.words}{instead}."
        )
    gains, offsets = (
        dict(zip(bands, np.broadcast_to(each, (len(bands), 1)).ravel().tolist(), strict=True))
        for each in (chosen.gain, chosen.offset)
    )
    if chosen.words == _SCALES["landslide4sense"]:
        gains |= {name: band(name).divisor for name in TERRAIN}
    for raster in rasters:
        raster.gains, raster.offsets = gains, offsets
    return "physical"


def _readings(
    product: Product,
    optical: Sequence[Raster],
    bands: Sequence[str],
    sample: np.ndarray,
    scale: Scale | None,
    offset: float | None,
) -> Iterator[_Reading]:
    """What stored numbers may be, the likeliest first."""
    whole = all(np.dtype(raster.dataset.dtypes[0]).kind != "f" for raster in optical)
    metadata = product.metadata
    if metadata and (scale is None or (scale == "DN" and offset is None)):
        factor = QUANTIFICATION / metadata.quantification
        added = [metadata.offsets.get(name, 0.0) if offset is None else offset for name in bands]
        words = DIGITAL_NUMBERS
        if any(added):
            words += f" to which {added[0]:g} is added, as {metadata.source} says"
        yield _Reading(words, factor, factor * np.array(added)[:, None], hint=True)
    held = [
        (raster.dataset, raster.indexes[name] - 1) for raster in optical for name in raster.optical
    ]
    tags = np.array([(dataset.scales[i], dataset.offsets[i]) for dataset, i in held])
    if whole and scale is None and offset is None and (tags != (1, 0)).any():
        gains, offsets = tags.T[..., None]
        for factor in (QUANTIFICATION, 100.0, 1.0):
            words = "reflectance by the scale and offset in its tags"
            yield _Reading(words, gains * factor, offsets * factor, hint=True)
    divisors = np.array([band(name).divisor for name in bands])[:, None]
    gains_of: dict[Scale, float | np.ndarray] = {
        "DN": 1.0,
        "landslide4sense": divisors,
        "reflectance": QUANTIFICATION,
        "percent": 100.0,
    }
    if scale is not None:
        yield _Reading(_SCALES[scale], gains_of[scale], offset or 0.0)
        return
    usual = np.array([band(name).mean for name in bands])
    stored = np.median(sample, axis=1)
    distances = {
        np.abs(np.log10(np.maximum(stored * np.ravel(gain), 0.1) / usual)).mean(): each
        for each, gain in gains_of.items()
    }
    if len(bands) < FEW_BANDS or distances[min(distances)] != "landslide4sense":
        del gains_of["landslide4sense"]
    for each, gain in gains_of.items():
        yield _Reading(_SCALES[each], gain, offset or 0.0)
    if whole:
        yield _Reading("reflectance x 65,535", QUANTIFICATION / 65_535, offset or 0.0)


def _is_picture(kind: np.dtype, bands: Sequence[str], sample: np.ndarray) -> bool:
    """Whether numbers are the levels of a picture: bytes, or whole 255ths in true colour."""
    if kind.kind != "f" or set(bands) != set(TRUE_COLOUR):
        return kind == np.uint8
    levels = sample * 255
    return bool(sample.max() <= 1 and np.allclose(levels, levels.round(), atol=1e-3))


def _sample(optical: Sequence[Raster], target: Placement, notes: list[str]) -> np.ndarray:
    """Stored values of the optical bands where all have some, shape (B, N).

    One number that fills a part of all bands and is far from all others is none.
    """
    parts = []
    coarse = target.coarse(*(min(_SCANNED, length) for length in target.size))
    for part in (*map(target.window, windows_from_the_middle(target.size)), coarse):
        read = [raster.read(part, raster.optical, nearest=part is coarse) for raster in optical]
        values = np.concatenate(read).reshape(sum(map(len, read)), -1)
        parts.append(values[:, np.isfinite(values).all(axis=0) & (values != 0).any(axis=0)])
        if sum(part.shape[1] for part in parts) >= _ENOUGH:
            break
    sample = np.concatenate(parts, axis=1)
    if not sample.size:
        raise DataError(
            f"{optical[0].file} has no value anywhere: all of it is nodata or 0; "
            "check that it was downloaded and cut right."
        )
    for extreme in (sample.min(), sample.max()):
        filled = (sample == extreme).all(axis=0)
        rest = sample[:, ~filled]
        if filled.mean() < _FILL or not rest.size:
            continue
        if extreme < min(0, rest.min()) or extreme > 2 * np.percentile(rest, 99.9):
            for raster in optical:
                raster.missing = (*raster.missing, float(extreme))
            notes.append(f"{extreme:g} in all bands counts as not observed.")
            sample = rest
    return sample


def _fingerprint(files: Sequence[Path], *options: object) -> str:
    """SHA-256 over names, sizes and times of the files, and over what was said of them."""
    stamps = []
    for file in files:
        name = str(file)
        if name.startswith("/vsizip/{"):
            name = name.removeprefix("/vsizip/{").partition("}/")[0]
        path = Path(name)
        status = path.stat()
        stamps.append((file.name, status.st_size, status.st_mtime_ns))
    return hashlib.sha256(repr((stamps, options)).encode()).hexdigest()
