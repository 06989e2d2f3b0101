"""Real patches and a scene to try the app with.

``samples.json`` says what each patch shows and whose it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Sample:
    """A patch that comes with the package.

    Attributes:
        path: A Landslide4Sense file with the datasets ``img`` and ``mask``.
        title: What the page calls it.
        caption: What it shows, in a sentence.
        attribution: Where it comes from, and its licence.
    """

    path: Path
    title: str
    caption: str
    attribution: str


@dataclass(frozen=True)
class SceneSample(Sample):
    """A scene that comes with the package.

    Attributes:
        dem: Its elevation raster.
    """

    dem: Path


PUTHUMALA = SceneSample(
    path=_FOLDER / "puthumala" / "puthumala.tif",
    title="Puthumala, Kerala, 2019",
    caption="A debris flow of 2 km, plain to see under broken cloud.",
    attribution="Contains modified Copernicus Sentinel data; DEM: Copernicus GLO-30 (DLR, "
    "Airbus; ESA)",
    dem=_FOLDER / "puthumala" / "puthumala_dem.tif",
)


@cache
def samples() -> tuple[Sample, ...]:
    """The samples, in the order in which the page shows them."""
    listed = json.loads((_FOLDER / "samples.json").read_text(encoding="utf-8"))
    return tuple(Sample(_FOLDER / one.pop("file"), **one) for one in listed)
