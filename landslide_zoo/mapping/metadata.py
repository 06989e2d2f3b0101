"""The metadata of a Sentinel-2 product: its level, and what its numbers have to be corrected by."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from landslide_zoo.errors import DataError
from landslide_zoo.inference.clouds import Level
from landslide_zoo.mapping.inputs import InputFile, is_metadata
from landslide_zoo.mapping.naming import SENTINEL_2

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
