"""Which file of a scene holds which band: in a product, a folder, a list or a single file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from landslide_zoo.data.bands import TRUE_COLOUR
from landslide_zoo.errors import DataError, shown
from landslide_zoo.inference.clouds import Level
from landslide_zoo.mapping.inputs import InputFile, input_files
from landslide_zoo.mapping.metadata import PARENTS, ProductMetadata, level_in, product_metadata
from landslide_zoo.mapping.naming import (
    BAND_NAMES,
    OPTICAL,
    SCL,
    band_of,
    bands_by_count,
    bands_given,
)
from landslide_zoo.mapping.rasters import Source, open_raster

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


def _scene_name(paths: Sequence[Path], used: Iterable[InputFile]) -> str:
    """What the scene is called: as its product, as what was given, or as its files begin."""
    first = paths[0].absolute()
    for folder in (first, *first.parents[:PARENTS]):
        if folder.suffix.upper() == ".SAFE":
            return folder.stem
    if len(paths) == 1:
        return re.sub(r"(\.SAFE)?\.zip$|\.(tiff?|jp2|j2k)$", "", first.name, flags=re.IGNORECASE)
    stems = [file.stem for file in used]
    common = stems[0]
    while any(not stem.startswith(common) for stem in stems):
        common = common[:-1]
    return re.sub(r"[\W_]+(B\d*)?$", "", common) or first.parent.name or "scene"
