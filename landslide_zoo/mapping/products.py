"""Which file of a scene holds which band: in a product, a folder, a list or a single file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from landslide_zoo.data.bands import BAND_NAMES, BANDS, TRUE_COLOUR
from landslide_zoo.errors import DataError, quoted, shown
from landslide_zoo.inference.clouds import Level
from landslide_zoo.mapping.rasters import InputFile, Source, input_files, is_metadata, open_raster

SENTINEL_2 = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
"""The bands of the instrument in the order of its products, which number them from 0."""
OPTICAL = frozenset(band.name for band in BANDS if band.unit == "DN")
"""Those of them that patches have too."""
SCL = "SCL"
"""The scene classification of a Level-2A product."""
KNOWN = (*BAND_NAMES, "B8A", SCL)
"""What a raster's band may be; no model reads B8A."""

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
    "watervapour": "B9",
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
_LETTERS = {"r": "B4", "g": "B3", "b": "B2", "n": "B8"}
_SPELLINGS = (
    (r"red[ _-]?edge[ _-]*", "rededge"),
    (r"near[ _-]?infra[ _-]?red", "nir"),
    (r"short[ _-]?wave[ _-]?infra[ _-]?red[ _-]*", "swir"),
    (r"water[ _-]?vapou?r", "watervapour"),
    (r"narrow[ _-]?nir|nir[ _-]?narrow", "narrownir"),
    (r"\bband[ _-]*(?=\d)", "b"),
)
_NUMBERED = re.compile(r"b0?([1-9]|1[0-2]|8a)")

_BY_COUNT = {
    3: (TRUE_COLOUR, "red, green, blue"),
    4: ((*TRUE_COLOUR, "B8"), "red, green, blue, near infrared"),
    12: (
        tuple(name for name in SENTINEL_2 if name != "B10"),
        "the order of Sentinel-2 Level-2A",
    ),
    13: (SENTINEL_2, "the order of Sentinel-2 Level-1C"),
    14: (BAND_NAMES, "the order of Landslide4Sense"),
}


def band_of(text: str) -> str | None:
    """The band that a description or a file's stem speaks of; None where it does not.

    Example:
        >>> band_of("T43PFN_20180815T050649_B04_10m"), band_of("rededge1"), band_of("B8 nir")
        ('B4', 'B5', 'B8')
    """
    plain = text.strip().lower()
    if plain in _LETTERS:
        return _LETTERS[plain]
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
        raise DataError(
            f"{file} has {count} bands, and {len(names)} were named ({', '.join(names)}): name "
            "every band in its order, and write - for those to leave out."
        )
    bands: list[str | None] = []
    for name in names:
        band = None if name == "-" else name if name in KNOWN else band_of(name)
        if band is None and name != "-":
            raise DataError(f"There is no band {quoted(name)}; the bands are {', '.join(KNOWN)}.")
        bands.append(band)
    return bands


def bands_by_count(count: int, file: str) -> tuple[tuple[str, ...], str]:
    """The bands of a file that does not name them, and a sentence that says so.

    Raises:
        DataError: If their number does not tell.
    """
    if count not in _BY_COUNT:
        raise DataError(
            f"{file} has {count} bands without names, and only 3, 4, 12, 13 or 14 tell which they "
            "are: name the file's bands in their order (as in B4,B3,B2)."
        )
    bands, order = _BY_COUNT[count]
    return bands, f"The bands of {file} have no names: its {count} bands were taken in {order}."


QUANTIFICATION = 10_000.0
"""Digital numbers of reflectance 1, where a product does not say otherwise."""
OFFSET = -1000.0
"""What processing baseline 04.00 and later have to be corrected by."""
MAX_XML_BYTES = 16 * 1024 * 1024
"""A product's metadata has 50 KB."""
PARENTS = 5
"""Folders from a band's file up to its product's metadata: IMG_DATA/R10m is four below it."""
_OFFSET_SINCE = 400
"""The first processing baseline that adds 1000, as its number in a product's name, N0400."""


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

    @property
    def gain(self) -> float:
        """What corrected numbers are multiplied by to be reflectance x 10,000."""
        return QUANTIFICATION / self.quantification


def product_metadata(files: Iterable[InputFile]) -> ProductMetadata | None:
    """The metadata among a product's files, or above them, or else what its name says.

    Args:
        files: All files that were given.

    Returns:
        None where nothing tells.

    Raises:
        DataError: If a metadata file is damaged or no such file.
    """
    files = list(files)
    for file in files:
        if is_metadata(file.inner):
            return read_metadata(file)
    for file in files[:1]:
        for parent in file.path.absolute().parents[:PARENTS]:
            if parent.suffix.upper() != ".SAFE" and not (parent / "GRANULE").is_dir():
                continue
            for path in sorted(parent.glob("*.xml")):
                if is_metadata(InputFile(path).inner):
                    return read_metadata(InputFile(path))
    return next(filter(None, map(_told_by_name, files)), None)


def level_in(name: str) -> Level | None:
    """The product level that a file's or folder's name speaks of."""
    found = re.search(r"(?:MSI|[^A-Z]|^)L(?:EVEL-)?(1C|2A)(?=[^A-Z0-9]|$)", name.upper())
    return None if found is None else ("L1C" if found[1] == "1C" else "L2A")


def read_metadata(file: InputFile) -> ProductMetadata:
    """Read ``MTD_MSIL1C.xml`` or ``MTD_MSIL2A.xml``.

    Raises:
        DataError: If it is damaged, far too large, or declares entities.
    """
    content = file.read(MAX_XML_BYTES + 1)
    if len(content) > MAX_XML_BYTES:
        raise DataError(
            f"{file} is larger than any product's metadata: download the product again."
        )
    texts = _texts(file, content)
    levels = [level_in(text) for text in (*texts.get("PROCESSING_LEVEL", ()), str(file))]
    numbers = (
        texts.get("BOA_QUANTIFICATION_VALUE")
        or texts.get("QUANTIFICATION_VALUE")
        or [str(QUANTIFICATION)]
    )
    try:
        offsets = {
            SENTINEL_2[int(band)]: float(text)
            for tag in ("RADIO_ADD_OFFSET", "BOA_ADD_OFFSET")
            for band, text in zip(texts.get(f"{tag}@band_id", ()), texts.get(tag, ()), strict=True)
        }
        quantification = float(numbers[0])
        if not quantification > 0:
            raise ValueError
    except (ValueError, IndexError) as error:
        raise DataError(
            f"{file} states offsets or a quantification that are none: download the product again, "
            "or give the offset (-1000 since processing baseline 04.00, else 0)."
        ) from error
    return ProductMetadata(
        next(filter(None, levels), None), quantification, offsets, source=str(file)
    )


def _texts(file: InputFile, content: bytes) -> dict[str, list[str]]:
    """The text of each element, by its tag, and of each attribute, by tag@name."""
    found: dict[str, list[str]] = {}
    text: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        text.clear()
        for name, value in attributes.items():
            found.setdefault(f"{tag}@{name}", []).append(value)

    def end(tag: str) -> None:
        found.setdefault(tag, []).append("".join(text).strip())
        text.clear()

    def refuse(*_: object) -> None:
        raise DataError(
            f"{file} declares a document type, as no product's metadata do: "
            "download the product again."
        )

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text.append
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise DataError(f"{file} is no whole XML file: download the product again.") from error
    return found


def _told_by_name(file: InputFile) -> ProductMetadata | None:
    """What the name of a product says that a file lies in, as in ..._MSIL2A_..._N0400_..."""
    for part in reversed([*Path(file.path).absolute().parts, *file.inner.parts]):
        found = re.search(r"_MSIL(?:1C|2A)_\d{8}T\d{6}_N(\d{4})_", part)
        if found:
            offsets = {}
            if int(found[1]) >= _OFFSET_SINCE:
                offsets = dict.fromkeys(SENTINEL_2, OFFSET)
            return ProductMetadata(level_in(found[0]), offsets=offsets, source=f"the name {part}")
    return None


SUFFIXES = (".tif", ".tiff", ".jp2", ".j2k")
"""What rasters in a folder or a ZIP are called; a file that is given may be called anything."""
_NO_BANDS = re.compile(
    r"(^|[^a-z])(tci|pvi|aot|wvp|msk|cld|snw|preview|thumbnail|overview|visual)([^a-z]|$)"
)
"""Files beside the bands of a product."""
_SAME = 0.5
"""Share by which the pixels of one band at two resolutions differ in area at least."""


@dataclass
class Product:
    """All that was given as one scene.

    Attributes:
        name: Of the scene: of its file, folder or ZIP.
        sources: The rasters whose bands are used, open.
        metadata: Those of the product, where there are any.
        files: Every file that counts.
        notes: What was taken for granted or left out, a sentence each.
    """

    name: str
    sources: list[Source]
    metadata: ProductMetadata | None
    files: list[InputFile]
    notes: list[str] = field(default_factory=list)

    @property
    def level(self) -> Level | None:
        """The product level that metadata or names speak of; None where nothing tells."""
        told = self.metadata.level if self.metadata else None
        names = (*(file.stem for file in self.files), self.name)
        return told or next(filter(None, map(level_in, names)), None)


def open_product(paths: Sequence[Path], bands: Sequence[str] | None, opened: ExitStack) -> Product:
    """Find the bands in what was given, each at its finest resolution.

    Args:
        paths: Files, folders or ZIPs of one scene.
        bands: Names of the files' bands in their order; told from the files where None.
        opened: Closes the rasters.

    Raises:
        DataError: If there is no band, one is there twice, or a file cannot be read.
    """
    files = list(input_files(paths))
    given = {path.absolute() for path in paths if path.suffix.lower() != ".xml"}
    metadata = product_metadata(files)
    sources: list[Source] = []
    notes: list[str] = []
    names = list(bands) if bands is not None else None
    for file in files:
        asked_for = file.member is None and file.path.absolute() in given
        if not asked_for and (file.suffix not in SUFFIXES or _NO_BANDS.search(file.stem.lower())):
            continue
        dataset = opened.enter_context(open_raster(file))
        found = _names_of(file, dataset, names, asked_for, notes)
        if names is not None:
            del names[: dataset.count]
        indexes = {name: i for i, name in enumerate(found, 1) if name in (*BAND_NAMES, SCL)}
        if len(indexes) < sum(name in indexes for name in found):
            raise DataError(
                f"{file} has a band twice ({', '.join(map(str, found))}): name its bands in their "
                "order, and write - for those to leave out."
            )
        if indexes:
            sources.append(Source(file, dataset, indexes))
    if names:
        raise DataError(f"More bands were named than there are: {', '.join(names)} are left over.")
    _keep_finest(sources)
    if not any(set(source.indexes) & OPTICAL for source in sources):
        raise DataError(
            f"{', '.join(shown(path.name) for path in paths)} holds no band of Sentinel-2: give a "
            "GeoTIFF with named bands, a product folder (.SAFE) or its ZIP, or name the bands."
        )
    used = [source.file for source in sources]
    return Product(_scene_name(paths, used), sources, metadata, used, notes)


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
    described = [band_of(text or "") for text in dataset.descriptions]
    if dataset.count == 1:
        name = described[0] or band_of(file.stem)
        if name is None and asked_for:
            raise DataError(
                f"{file} does not say which band it is: call it as in scene_B04.tif, or name it."
            )
        return [name]
    if any(described):
        unknown = described.count(None)
        if unknown:
            notes.append(f"{unknown} bands of {file} have no known name and are left out.")
        return described
    colours = {ColorInterp.red: "B4", ColorInterp.green: "B3", ColorInterp.blue: "B2"}
    by_colour = [colours.get(meaning) for meaning in dataset.colorinterp]
    without_alpha = [i for i, c in enumerate(dataset.colorinterp) if c != ColorInterp.alpha]
    if len(without_alpha) == len(TRUE_COLOUR) and set(TRUE_COLOUR) <= set(by_colour):
        return by_colour
    taken, sentence = bands_by_count(len(without_alpha), str(file))
    notes.append(sentence)
    names: list[str | None] = [None] * dataset.count
    for i, name in zip(without_alpha, taken, strict=True):
        names[i] = name
    return names


def _keep_finest(sources: list[Source]) -> None:
    """Leave each band to the raster with the smallest pixels, and forget rasters without any."""
    best: dict[str, Source] = {}
    for source in sources:
        for name in source.indexes:
            other = best.get(name)
            ratio = source.placement.pixel_area / other.placement.pixel_area if other else 0.0
            if other and abs(ratio - 1) < _SAME:
                raise DataError(
                    f"{name} is there twice, in {other.file} and in {source.file}: "
                    "give the files of one scene."
                )
            if ratio < 1:
                best[name] = source
    for source in sources:
        source.indexes = {name: i for name, i in source.indexes.items() if best[name] is source}
    sources[:] = [source for source in sources if source.indexes]


def scene_name(path: Path) -> str:
    """What a scene of one file or folder is called: as its product, else as what was given."""
    path = path.absolute()
    for folder in (path, *path.parents[:PARENTS]):
        if folder.suffix.upper() == ".SAFE":
            return folder.stem
    return re.sub(r"(\.SAFE)?\.zip$|\.(tiff?|jp2|j2k)$", "", path.name, flags=re.IGNORECASE)


def _scene_name(paths: Sequence[Path], used: Iterable[InputFile]) -> str:
    """What the scene is called: as what was given, or as its files begin."""
    if len(paths) == 1 or ".SAFE" in str(paths[0].absolute()).upper():
        return scene_name(paths[0])
    stems = [file.stem for file in used]
    common = stems[0]
    while any(not stem.startswith(common) for stem in stems):
        common = common[:-1]
    return re.sub(r"[\W_]+(B\d*)?$", "", common) or paths[0].absolute().parent.name or "scene"
