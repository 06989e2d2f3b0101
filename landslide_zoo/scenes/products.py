"""Which file of a scene holds which band, and what a product's metadata say of its numbers."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree
from zipfile import is_zipfile

import numpy as np
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from landslide_zoo.data.bands import BAND_NAMES, TRUE_COLOUR
from landslide_zoo.errors import DataError, quoted, shown
from landslide_zoo.scenes.layers import OPTICAL, SCL, TERRAIN, Raster
from landslide_zoo.scenes.rasters import (
    MAX_RASTERS,
    SUFFIXES,
    InputFile,
    input_files,
    is_metadata,
    open_raster,
)
from landslide_zoo.settings import Level

SENTINEL_2 = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
"""The bands of the instrument in the order of its products, which number them from 0."""
KNOWN = (*BAND_NAMES, "B8A", SCL)
"""What a raster's band may be; no model reads B8A."""
QUANTIFICATION = 10_000.0
"""Digital numbers of reflectance 1, where a product does not say otherwise."""
OFFSET = -1000.0
"""What processing baseline 04.00 and later have to be corrected by."""
MAX_XML_BYTES = 16 * 1024 * 1024
"""A product's metadata has 50 KB."""
_PARENTS = 5
"""Folders from a band's file up to its product's metadata: IMG_DATA/R10m is four below it."""
_OFFSET_SINCE = 400
"""The first processing baseline that adds 1000, as its number in a product's name, N0400."""
_NO_BANDS = re.compile(
    r"(^|[^a-z])(tci|pvi|aot|wvp|msk|cld|snw|preview|thumbnail|overview|visual)([^a-z]|$)"
)
"""Files beside the bands of a product."""
_SAME = 0.25
"""Share by which the pixels of one band at two resolutions differ in height at least."""

_NAMES = {
    "coastal": "B1",
    "blue": "B2",
    "green": "B3",
    "red": "B4",
    "rededge1": "B5",
    "rededge2": "B6",
    "rededge3": "B7",
    "nir": "B8",
    "nir08": "B8A",
    "narrownir": "B8A",
    "nir09": "B9",
    "cirrus": "B10",
    "swir16": "B11",
    "swir1": "B11",
    "swir22": "B12",
    "swir2": "B12",
    "slope": "slope",
    "dem": "DEM",
    "elevation": "DEM",
    "scl": SCL,
}
_SPELLINGS = (
    (r"red[ _-]?edge[ _-]*", "rededge"),
    (r"narrow[ _-]?nir|nir[ _-]?narrow", "narrownir"),
    (r"\bband[ _-]*(?=\d)", "b"),
)
_NUMBERED = re.compile(r"b0?([1-9]|1[0-2]|8a)")

_USUAL: dict[int, tuple[str, ...]] = {
    len(names): names
    for names in (
        TRUE_COLOUR,
        (*TRUE_COLOUR, "B8"),
        tuple(name for name in SENTINEL_2 if name != "B10"),
        SENTINEL_2,
        BAND_NAMES,
    )
}
"""The order that bands without names are taken in, by their number."""


@dataclass(frozen=True)
class ProductMetadata:
    """What the metadata of a product say of its numbers.

    Attributes:
        level: Level-1C or Level-2A.
        quantification: Digital numbers of reflectance 1.
        offsets: What is to be added to digital numbers, by band; empty before baseline 04.00.
        source: Where they come from: a file, or the product's name.
    """

    level: Level | None = None
    quantification: float = QUANTIFICATION
    offsets: dict[str, float] = field(default_factory=dict)
    source: str = ""


@dataclass
class Product:
    """All that was given as one scene.

    Attributes:
        name: Of the scene: of its file, folder or ZIP.
        rasters: Those whose bands are used, open.
        metadata: Those of the product, where there are any.
        notes: What was taken for granted or left out, a sentence each.
    """

    name: str
    rasters: list[Raster]
    metadata: ProductMetadata | None
    notes: list[str] = field(default_factory=list)

    @property
    def level(self) -> Level | None:
        """The product level that metadata or names speak of; None where nothing tells."""
        level = self.metadata.level if self.metadata else None
        names = (*(raster.file.inner.stem for raster in self.rasters), self.name)
        return level or next(filter(None, map(_level_in, names)), None)


def open_product(paths: Sequence[Path], bands: Sequence[str] | None, opened: ExitStack) -> Product:
    """Find the bands in what was given, each at its finest resolution.

    Args:
        paths: Files, folders or ZIPs of one scene.
        bands: Names of the files' bands in their order; detected where None.
        opened: Closes the rasters.

    Raises:
        DataError: If there is no band, one is there twice, or a file cannot be read.
    """
    files = list(input_files(paths))
    given = {path.absolute() for path in paths if not (is_metadata(path) or is_zipfile(path))}
    candidates = [
        file
        for file in files
        if file.path.absolute() in given
        or (file.inner.suffix.lower() in SUFFIXES and not _NO_BANDS.search(file.inner.stem.lower()))
    ]
    if len(candidates) > MAX_RASTERS:
        raise DataError(f"{shown(paths[0].name)} holds more than {MAX_RASTERS} rasters.")
    product = Product(scene_name(*paths), [], _metadata_among(files))
    remaining = None if bands is None else list(bands)
    for file in candidates:
        dataset = opened.enter_context(open_raster(file))
        asked_for = file.path.absolute() in given
        names = _names_of(file, dataset, remaining, asked_for, product.notes)
        if remaining is not None:
            del remaining[: dataset.count]
        known = [name for name in names if name in (*BAND_NAMES, SCL)]
        if len(set(known)) < len(known):
            raise DataError(f"{file} has a band twice ({', '.join(known)}): name its bands.")
        if known:
            indexes = {name: i for i, name in enumerate(names, 1) if name in known}
            product.rasters.append(Raster(file, dataset, indexes))
    if remaining:
        raise DataError(f"More bands were named than there are: {', '.join(remaining)}.")
    _keep_finest(product.rasters)
    if not any(OPTICAL & set(raster.indexes) for raster in product.rasters):
        raise DataError(
            f"{product.name} holds no band of Sentinel-2: give a GeoTIFF with named bands, a "
            "product folder (.SAFE) or its ZIP, or name the bands."
        )
    return product


def elevation_of(product: Product, dem: str | Path | None, opened: ExitStack) -> Raster | None:
    """The elevation raster that was given, or that lies among the bands."""
    if dem is None:
        for raster in product.rasters:
            if set(raster.indexes) == {"DEM"}:
                product.rasters.remove(raster)
                product.notes.append(f"Elevation was taken from {raster.file}.")
                return raster
        return None
    files = list(input_files([Path(dem)]))
    dataset = opened.enter_context(open_raster(files[0]))
    if len(files) != 1 or dataset.count != 1:
        raise DataError(f"{dem} is not one band of elevations: give a raster of them, in metres.")
    own = [name for raster in product.rasters for name in raster.indexes if name in TERRAIN]
    if own:
        product.notes.append(f"{' and '.join(own)} were taken from {files[0]}, not from the scene.")
        for raster in product.rasters:
            raster.indexes = {n: i for n, i in raster.indexes.items() if n not in TERRAIN}
        product.rasters[:] = [raster for raster in product.rasters if raster.indexes]
    return Raster(files[0], dataset, {"DEM": 1})


def scene_name(*paths: Path) -> str:
    """What a scene is called: as its product, as what was given, or as its files begin.

    Example:
        >>> scene_name(Path("S2A.SAFE.zip")), scene_name(Path("S2A.SAFE/MTD_MSIL2A.xml"))
        ('S2A', 'S2A')
    """
    first = paths[0].absolute()
    for folder in (first, *first.parents[:_PARENTS]):
        if folder.suffix.upper() == ".SAFE":
            return _printable(folder.stem)
    if len(paths) == 1:
        first = first.parent if is_metadata(first) else first
        suffix = r"(\.SAFE)?\.zip$|\.(tiff?|jp2|j2k)$"
        return _printable(re.sub(suffix, "", first.name, flags=re.IGNORECASE))
    common = os.path.commonprefix([path.stem for path in paths])  # noqa: RUF071
    return _printable(re.sub(r"[\W_]+(B\d*)?$", "", common) or first.parent.name)


def _printable(name: str) -> str:
    plain = "".join(c if c.isprintable() else "_" for c in name)
    return plain.encode("utf-8", "replace").decode() or "scene"


def band_of(text: str) -> str | None:
    """The band that a description or a file's stem speaks of; None where it does not.

    Example:
        >>> band_of("T43PFN_20180815T050649_B04_10m"), band_of("rededge1"), band_of("B8 nir")
        ('B4', 'B5', 'B8')
    """
    plain = text.strip().lower()
    for spelling, name in _SPELLINGS:
        plain = re.sub(spelling, name, plain)
    words = re.split(r"[^a-z0-9]+", plain)
    numbered = [match[1] for word in words if (match := _NUMBERED.fullmatch(word))]
    if numbered:
        return f"B{numbered[-1].upper()}"
    named = [_NAMES[word] for word in words if word in _NAMES]
    return named[-1] if named else None


def bands_given(names: Sequence[str], count: int, file: str) -> list[str | None]:
    """The bands that somebody named for a file; ``-`` is one to leave out.

    Raises:
        DataError: If there are more or fewer names than bands, or a name is none.
    """
    if len(names) != count:
        raise DataError(f"{file} has {count} bands: name each in its order, or - for none.")
    bands: list[str | None] = []
    for name in names:
        band = None if name == "-" else name if name in KNOWN else band_of(name)
        if band is None and name != "-":
            raise DataError(f"There is no band {quoted(name)}; the bands are {', '.join(KNOWN)}.")
        bands.append(band)
    return bands


def _names_of(
    file: InputFile,
    dataset: DatasetReader,
    given: Sequence[str] | None,
    asked_for: bool,
    notes: list[str],
) -> Sequence[str | None]:
    """The band that each band of a raster is, None for one to leave out."""
    if given is not None:
        return bands_given(given[: dataset.count], dataset.count, str(file))
    texts = [text or "" for text in dataset.descriptions]
    counts = [re.fullmatch(r"band[ _-]*0*(\d+)", text.strip().lower()) for text in texts]
    if dataset.count > 1 and all(m and int(m[1]) == i for i, m in enumerate(counts, 1)):
        texts = []  # they only count, as in Band 1, Band 2
    names = [band_of(text) for text in texts]
    if dataset.count == 1:
        name = names[0] or band_of(file.inner.stem)
        if name is None and asked_for:
            raise DataError(f"{file} does not say which band it is: name it, as in scene_B04.tif.")
        return [name]
    if any(names):
        return names
    colours = [colour for colour in dataset.colorinterp if colour != ColorInterp.alpha]
    usual: Sequence[str | None] | None = _USUAL.get(len(colours))
    if usual is None:
        raise DataError(
            f"{file} has {len(colours)} bands without names, and only 3, 4, 12, 13 or 14 tell "
            "which they are: name the file's bands in their order (as in B4,B3,B2)."
        )
    coloured = [band_of(colour.name) for colour in colours]
    if set(TRUE_COLOUR) <= set(coloured) and len(coloured) <= 4:
        usual = [name or "B8" for name in coloured]
    if tuple(coloured) != TRUE_COLOUR:
        notes.append(f"The bands of {file} have no names: taken for {', '.join(map(str, usual))}.")
    rest = iter(usual)
    return [None if c == ColorInterp.alpha else next(rest) for c in dataset.colorinterp]


def _keep_finest(rasters: list[Raster]) -> None:
    """Leave each band to the raster with the smallest pixels, and forget rasters without any."""
    best: dict[str, Raster] = {}
    for raster in rasters:
        for name in raster.indexes:
            other = best.get(name)
            ratio = raster.placement.pixel_size[0] / other.placement.pixel_size[0] if other else 0.0
            if other and abs(ratio - 1) < _SAME:
                raise DataError(f"{name} is there twice, in {other.file} and in {raster.file}.")
            if ratio < 1:
                best[name] = raster
    for raster in rasters:
        raster.indexes = {name: i for name, i in raster.indexes.items() if best[name] is raster}
    rasters[:] = [raster for raster in rasters if raster.indexes]


def _metadata_among(files: Sequence[InputFile]) -> ProductMetadata | None:
    """The metadata among a product's files, or above them, or else what its name says."""
    for file in files:
        if is_metadata(file.inner):
            return _read_metadata(file)
    for parent in files[0].path.absolute().parents[:_PARENTS] if files else ():
        if parent.suffix.upper() == ".SAFE" or (parent / "GRANULE").is_dir():
            for path in sorted(parent.glob("*.xml")):
                if is_metadata(path):
                    return _read_metadata(InputFile(path))
    return next(filter(None, map(_metadata_in_name, files)), None)


def _read_metadata(file: InputFile) -> ProductMetadata:
    content = file.read(MAX_XML_BYTES)
    try:
        if b"<!DOCTYPE" in content:
            raise ValueError("metadata declare no document type")
        root = ElementTree.fromstring(content)
        elements = {element.tag.rpartition("}")[2]: element for element in root.iter()}
        quantity = elements.get("BOA_QUANTIFICATION_VALUE", elements.get("QUANTIFICATION_VALUE"))
        offsets = {
            SENTINEL_2[int(element.attrib["band_id"])]: float(element.text or "")
            for element in root.iter()
            if element.tag in ("RADIO_ADD_OFFSET", "BOA_ADD_OFFSET")
        }
        quantification = QUANTIFICATION if quantity is None else float(quantity.text or "")
        if not (quantification > 0 and np.isfinite([quantification, *offsets.values()]).all()):
            raise ValueError("numbers that are none")
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise DataError(f"{file} is no product's metadata: download the product again.") from error
    processing = elements.get("PROCESSING_LEVEL")
    level = _level_in("" if processing is None else processing.text or "") or _level_in(str(file))
    return ProductMetadata(level, quantification, offsets, source=str(file))


def _metadata_in_name(file: InputFile) -> ProductMetadata | None:
    """What the name of a product says that a file lies in, as in ..._MSIL2A_..._N0400_..."""
    for part in reversed([*file.path.absolute().parts, *file.inner.parts]):
        name = re.search(r"_MSIL(?:1C|2A)_\d{8}T\d{6}_N(\d{4})_", part)
        if name:
            offsets = dict.fromkeys(SENTINEL_2, OFFSET) if int(name[1]) >= _OFFSET_SINCE else {}
            return ProductMetadata(_level_in(name[0]), offsets=offsets, source=f"the name {part}")
    return None


def _level_in(name: str) -> Level | None:
    """The product level that a file's or folder's name speaks of."""
    match = re.search(r"(?:MSI|[^A-Z]|^)L(?:EVEL-)?(1C|2A)(?=[^A-Z0-9]|$)", name.upper())
    return None if match is None else ("L1C" if match[1] == "1C" else "L2A")
