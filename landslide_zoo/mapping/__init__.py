"""Maps of landslides from whole Sentinel-2 scenes.

What reads and writes them comes with ``pip install 'landslide-zoo[map]'``.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

import landslide_zoo.scenes  # noqa: F401 - before PROJ is loaded
from landslide_zoo.errors import LandslideZooError

if TYPE_CHECKING:
    from landslide_zoo.mapping.maps import SceneMap, map_in_words, map_scene
    from landslide_zoo.scenes.scene import Scene, open_scene

__all__ = ["Scene", "SceneMap", "map_in_words", "map_scene", "open_scene"]

NEEDED = ("rasterio", "geopandas", "pyogrio", "pyproj", "shapely", "pyarrow", "filelock")

Format = Literal["gpkg", "geojson", "parquet"]
"""Formats of the outlines."""
ProbabilityType = Literal["uint8", "float32"]
"""Types of the pixels of a probability raster."""
OUTPUTS = {
    "gpkg": ("_landslides.gpkg", "Landslides .gpkg"),
    "geojson": ("_landslides.geojson", "Landslides .geojson"),
    "parquet": ("_landslides.parquet", "Landslides .parquet"),
    "mask": ("_mask.tif", "Mask .tif"),
    "style": ("_mask.qml", "Style of the mask .qml"),
    "probability": ("_probability.tif", "Probability .tif"),
    "report": ("_report.html", "Report .html"),
}
"""What a map may be written as: how the file's name ends, and its title."""

_OF_SCENES = ("Scene", "open_scene")


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    missing = [package for package in NEEDED if find_spec(package) is None]
    if missing:
        raise LandslideZooError(
            f"Maps need {', '.join(missing)}, not installed here: pip install 'landslide-zoo[map]'."
        )
    home = "landslide_zoo.scenes.scene" if name in _OF_SCENES else f"{__name__}.maps"
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
