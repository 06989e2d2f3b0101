"""Which band is it? From descriptions, file names and the names that STAC catalogues use."""

from __future__ import annotations

import re
from collections.abc import Sequence

from landslide_zoo.data.bands import BAND_NAMES, BANDS, TRUE_COLOUR
from landslide_zoo.errors import DataError, quoted

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
